/**
 * One operator command on one cutover: collect what it needs, decide, write once, then let flags and Postgres follow.
 * A refused command changes nothing but one `denied` audit entry. The same idempotency key gives the same answer.
 */

import { type CutoverDeclaration, type CutoverState, initialState, type StagePolicy } from '../core/cutover.ts';
import { rulesFor } from '../core/demands.ts';
import { CrossfadeError, type ErrorCode } from '../core/errors.ts';
import { compareFlagAge, sharePpmOf } from '../core/flags.ts';
import { type BuiltInPlanName, builtInPlan } from '../core/plan.ts';
import type { PolicyKey } from '../core/policy.ts';
import { type Command, type Decision, decide, LEGAL_COMMANDS, record } from '../core/stage.ts';
import type { IdempotencyRecord, Ports } from '../ports.ts';
import { carryOut, tableCutover } from './carry-out.ts';
import { checkedChange } from './change-policy.ts';
import { commit } from './commit.ts';
import { observe } from './observe.ts';
import { readDeployed } from './reconcile.ts';
import { checkSameRequest } from './same-request.ts';
import { reconcileNow } from './tick.ts';
import { readAlerts } from './watch-alerts.ts';

/** What a person asks for. `confirm` is the cutover's id, typed again. */
export type OperatorCommand =
  | { type: 'start'; plan?: BuiltInPlanName; dwellMinutes?: number }
  | { type: 'advance'; force?: boolean; reason?: string }
  | { type: 'approve' | 'pause' | 'resume' }
  | { type: 'policy'; stage?: string; set: StagePolicy; unset?: readonly PolicyKey[]; reason?: string }
  | { type: 'rollback'; reason: string }
  | { type: 'revert-reads' | 'disable-writes' | 'enable-writes'; reason: string }
  | { type: 'complete'; confirm: string; force?: boolean; reason?: string }
  | { type: 'cleanup' | 'reset' | 'remove-shadow'; confirm: string };

export type Operation = {
  command: OperatorCommand;
  actor: string;
  /** The version the command is based on. */
  basedOn: number;
  idempotency: { key: string; fingerprint: string };
};

export type CutoverSummary = {
  cutover: string;
  stage: string;
  stageKind: string;
  sharePpm: number;
  version: number;
  epoch: number;
  /** The intent that is still being carried out, if any. */
  pending: string | null;
};

export type OperationResult = {
  answer: CutoverSummary;
  /** False when the state has moved but the flags have not yet; every tick tries again. */
  published: boolean;
};

type Needs = Pick<Ports, 'clock' | 'state' | 'windows' | 'tables' | 'flags' | 'log' | 'metrics' | 'alerts'>;

/** What the answer of `remove-shadow` says, for whoever regrets it. */
export const REMOVED_SHADOW_NOTE =
  'The shadow table is gone; the primary was not touched. Only a backup brings the table back as it was: restore the database to a moment before, elsewhere, and copy it from there; or create it anew from your migrations, and start.';

const DAY_MS = 24 * 60 * 60_000;

export async function operate(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  declaration: CutoverDeclaration,
  operation: Operation,
): Promise<OperationResult> {
  const { actor, command } = operation;
  const nowMs = ports.clock.now();

  const earlier = await ports.state.readIdempotency(operation.idempotency.key);
  if (earlier) return repeat(ports, earlier, operation);

  const [found, system] = await Promise.all([ports.state.readCutover(declaration.id), ports.state.readSystem()]);
  const state = found ?? initialState(declaration);
  try {
    checkVersion(state, operation.basedOn);
    const prepared = await prepare(ports, declaration, state, command, nowMs, system.emergencyStop);
    const rules = rulesFor(declaration, state, nowMs, system);
    const decision = decide(state, prepared, { nowMs, actor, emergencyStop: system.emergencyStop, ...rules });
    if (decision.kind === 'refused') throw refusal(decision);
    // Before it is written down: repeated after a failure in between, it finds the table gone and is recorded then.
    if (command.type === 'remove-shadow') await removeShadow(ports, declaration, state);
    const result = await commit(ports, state, decision, { nowMs, actor }, (after) =>
      answerRecord(operation, after, nowMs),
    );
    if (result.kind === 'stale') throw outrun(result.current);
    if (result.kind === 'repeated') return await repeat(ports, result.record, operation);
    return await follow(ports, declarations, declaration, result.state, nowMs);
  } catch (error) {
    if (error instanceof CrossfadeError && !error.retryable && DENIED.has(error.code)) {
      // The same request, sent twice at once: the other one was carried out between our two looks.
      const twin = await ports.state.readIdempotency(operation.idempotency.key);
      if (twin) return repeat(ports, twin, operation);
      await recordDenial(ports, declaration, command.type, error, { nowMs, actor });
    }
    throw error;
  }
}

/** Refusals that are worth an entry: an authenticated caller gave a known command and was told no. */
const DENIED: ReadonlySet<ErrorCode> = new Set([
  'illegal_transition',
  'confirm_required',
  'held',
  'stopped',
  'frozen',
  'self_approval',
  'conflict',
  'stale_version',
  'refused_table',
  'rollback_not_ready',
]);

function checkVersion(state: CutoverState, basedOn: number): void {
  if (state.version === basedOn) return;
  throw new CrossfadeError(
    'stale_version',
    `The command was based on version ${basedOn} of cutover '${state.id}', which is at version ${state.version}, stage '${state.stage}'. Look at it again ('crossfade status ${state.id}') and repeat the command if it still applies.`,
    { details: { version: state.version, stage: state.stage } },
  );
}

/** What a command needs to know before it can be decided: proof, the table's plan, the way back. */
async function prepare(
  ports: Needs,
  declaration: CutoverDeclaration,
  state: CutoverState,
  command: OperatorCommand,
  nowMs: number,
  stopped: boolean,
): Promise<Command> {
  const legal = (LEGAL_COMMANDS[state.stageKind] as readonly string[]).includes(command.type) && !state.pending;
  switch (command.type) {
    case 'start':
      if (legal && declaration.kind === 'table') await checkTable(ports, declaration);
      return {
        type: 'start',
        plan: command.plan ? builtInPlan(command.plan, command.dwellMinutes) : declaration.plan,
      };
    case 'advance':
      if (legal && command.force && !stopped) await checkDeployed(ports, state, 'advance');
      return {
        ...command,
        force: command.force ?? false,
        verdict: legal ? await judge(ports, declaration, state, nowMs) : null,
      };
    case 'complete':
      if (legal && command.force && !stopped) await checkDeployed(ports, state, 'complete');
      return {
        ...command,
        force: command.force ?? false,
        verdict: legal ? await judge(ports, declaration, state, nowMs) : null,
      };
    case 'policy':
      return checkedChange(declaration, state, { unset: [], ...command, stage: command.stage ?? null });
    case 'rollback':
      if (legal && state.stageKind === 'completed') await checkWayBack(ports, declaration, state);
      return { ...command, cause: 'operator' };
    case 'disable-writes':
      // Whoever still follows older flags would read rows that fall behind.
      if (legal && declaration.kind === 'table') await checkDeployed(ports, state, 'switch writes off');
      return command;
    case 'cleanup':
      if (legal) await checkDeployed(ports, state, 'clean up');
      return command;
    default:
      return command;
  }
}

async function judge(ports: Needs, declaration: CutoverDeclaration, state: CutoverState, nowMs: number) {
  const [deployed, alerts] = await Promise.all([readDeployed(ports), readAlerts(ports)]);
  const { verdict } = await observe(ports, declaration, state, deployed?.document ?? null, nowMs, alerts);
  return verdict;
}

/**
 * I29: readers are never further apart than two neighbouring stages, by force neither. After cleanup, whoever still
 * follows older flags would ask for the side that it drops.
 */
async function checkDeployed(ports: Needs, state: CutoverState, what: string): Promise<void> {
  const deployed = await readDeployed(ports);
  const flag = deployed?.document?.cutovers[state.id];
  if (flag?.version === state.version && flag.epoch === state.epoch) return;
  throw new CrossfadeError(
    'held',
    `Cutover '${state.id}' cannot ${what} yet: the flags of stage '${state.stage}' are not deployed, so readers may still act on an older stage. Every tick tries to deploy them; repeat the command after the next one.`,
    { retryable: true },
  );
}

async function checkTable(ports: Needs, declaration: CutoverDeclaration & { kind: 'table' }): Promise<void> {
  const plan = await ports.tables.plan(tableCutover(declaration));
  if (plan.ok) return;
  const refused = plan.items.filter((item) => item.action === 'refuse');
  throw new CrossfadeError(
    'refused_table',
    `Cutover '${declaration.id}' cannot be started: ${refused.map((item) => `${item.object}: ${item.text}`).join(' ')} 'crossfade plan ${declaration.id}' shows everything.`,
    { details: { refused } },
  );
}

async function checkWayBack(ports: Needs, declaration: CutoverDeclaration, state: CutoverState): Promise<void> {
  if (declaration.kind !== 'table') return;
  const ready = await ports.tables.rollbackReady(declaration.id);
  if (ready.ready) return;
  // The swap back landed after its intent was given up: the way has been taken, and only the state does not say so yet.
  const status = await ports.tables.status(declaration.id);
  if (status?.armed === 'none' && status.mirror?.epoch === state.epoch + 1) return;
  throw new CrossfadeError(
    'rollback_not_ready',
    `Cutover '${state.id}' cannot be rolled back without loss: ${ready.why}. Mend the row, wait for the next write of its key, and repeat.`,
    { details: { why: ready.why, key: ready.key } },
  );
}

async function removeShadow(ports: Needs, declaration: CutoverDeclaration, state: CutoverState): Promise<void> {
  if (declaration.kind !== 'table') return;
  const removed = await ports.tables.removeShadow(tableCutover(declaration), state);
  if (removed.kind === 'removed' || removed.kind === 'already') return;
  const why =
    removed.kind === 'refused'
      ? removed.why
      : `The database has seen version ${removed.version} of cutover '${state.id}', newer than this command; look at it again.`;
  throw new CrossfadeError('conflict', `${why} Nothing was dropped.`);
}

/** The database first when the command left an intent, then flags and mirror. None of it can undo the command. */
async function follow(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  declaration: CutoverDeclaration,
  state: CutoverState,
  nowMs: number,
): Promise<OperationResult> {
  const after = state.pending ? await carryOut(ports, declaration, state, nowMs) : state;
  const flags = await reconcileNow(ports, declarations).catch((error) => {
    ports.log.failure('reconcile_failed', error, { cutover: declaration.id });
    return { published: false };
  });
  return { answer: summary(after), published: flags.published };
}

export function summary(state: CutoverState): CutoverSummary {
  return {
    cutover: state.id,
    stage: state.stage,
    stageKind: state.stageKind,
    sharePpm: sharePpmOf(state),
    version: state.version,
    epoch: state.epoch,
    pending: state.pending?.action ?? null,
  };
}

// --------------------------------------------------------------------------------------------------- repeated calls

function answerRecord(operation: Operation, after: CutoverState, nowMs: number): IdempotencyRecord {
  return {
    key: operation.idempotency.key,
    caller: operation.actor,
    fingerprint: operation.idempotency.fingerprint,
    answer: { status: 200, body: summary(after) },
    expiresAtMs: nowMs + DAY_MS,
  };
}

/** The answer of the first call. Its record was written with the intent, and it told what became of the intent. */
async function repeat(ports: Needs, stored: IdempotencyRecord, operation: Operation): Promise<OperationResult> {
  checkSameRequest(stored, operation.actor, operation.idempotency.fingerprint);
  const recorded = stored.answer.body as CutoverSummary;
  const [current, deployed] = await Promise.all([
    recorded.pending ? ports.state.readCutover(recorded.cutover) : null,
    readDeployed(ports),
  ]);
  const settled = current && !current.pending && current.version === recorded.version + 1;
  const answer = settled ? summary(current) : recorded;
  const flag = deployed?.document?.cutovers[answer.cutover];
  return { answer, published: flag !== undefined && compareFlagAge(flag, answer) >= 0 };
}

// ---------------------------------------------------------------------------------------------------------- refusals

function refusal(decision: Extract<Decision, { kind: 'refused' }>): CrossfadeError {
  return new CrossfadeError(decision.code, decision.message, decision.details ? { details: decision.details } : {});
}

function outrun(current: CutoverState): CrossfadeError {
  return new CrossfadeError(
    'conflict',
    `Cutover '${current.id}' moved to version ${current.version}, stage '${current.stage}', while the command was being carried out. Nothing was changed; look at it again and repeat the command if it still applies.`,
    { details: { version: current.version, stage: current.stage } },
  );
}

/** Best effort: losing the race for the audit head means that the cutover moved, which has its own entry. */
async function recordDenial(
  ports: Needs,
  declaration: CutoverDeclaration,
  command: string,
  error: CrossfadeError,
  by: { nowMs: number; actor: string },
): Promise<void> {
  ports.metrics.record('DeniedCommands', 1);
  try {
    const before = (await ports.state.readCutover(declaration.id)) ?? initialState(declaration);
    const { state: after, entries } = record(
      before,
      [{ type: 'denied', command, code: error.code, why: error.message }],
      by,
    );
    await ports.state.writeCutover({ before, after, entries });
  } catch (failure) {
    ports.log.failure('denial_not_recorded', failure, { cutover: declaration.id, command });
  }
}
