/**
 * One operator command on one cutover: collect what it needs, decide, write once, then let flags and Postgres follow.
 * A refused command changes nothing but one `denied` audit entry. The same idempotency key gives the same answer.
 */

import { CrossfadeError, isDenial } from '../../core/base/errors.ts';
import { DAY_MS } from '../../core/base/units.ts';
import { type CutoverDeclaration, type CutoverState, initialState } from '../../core/cutover/cutover.ts';
import { compareFlagAge, sharePpmOf } from '../../core/routing/flags.ts';
import { decide } from '../../core/stage/decide.ts';
import type { Decision } from '../../core/stage/decision.ts';
import type { Command } from '../../core/stage/events.ts';
import { droppedText, pendingWord } from '../../core/stage/intents.ts';
import { rulesFor } from '../../core/stage/rules.ts';
import type { IdempotencyRecord } from '../../ports/state.ts';
import { shortCircuit } from '../calls/short-circuit.ts';
import { armFirst, checkArmed, isTakenBack } from './arm-first.ts';
import { type CarryOutPorts, carryOut } from './carry-out.ts';
import { advancePeers, rollBackPeers } from './cohorts.ts';
import type { CollectPorts } from './collect.ts';
import { type By, commit } from './commit.ts';
import { readDeployed } from './deployed-flags.ts';
import { type AskedCommand, peersBehind, prepare } from './prepare-command.ts';
import { type ReconcilePorts, reconcile } from './reconcile.ts';
import { recordDenial } from './record-denial.ts';
import { needsWatching, watchRollbacks } from './rollbacks.ts';
import { checkSameRequest } from './same-request.ts';

/** What a person asks for. */
export type OperatorCommand = AskedCommand;

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
  /** Why it was not carried out at once; absent when it was, and of repeated calls. */
  waits?: string;
};

export type OperationResult = {
  answer: CutoverSummary;
  /** False when the state has moved but the flags have not yet; every tick tries again. */
  published: boolean;
};

type Needs = CarryOutPorts & CollectPorts & ReconcilePorts;

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
  let after: CutoverState;
  try {
    checkVersion(state, operation.basedOn);
    const asked = { declarations, declaration, state, system };
    const prepared = await prepare(ports, asked, command);
    const rules = rulesFor(declaration, state, system, nowMs);
    const behind = await peersBehind(ports, asked, command);
    const barred = [...(rules.barred ?? []), ...behind];
    const context = { nowMs, actor, emergencyStop: system.emergencyStop, ...rules, barred };
    const decision = decide(state, prepared, context);
    if (decision.kind === 'refused') throw refusal(decision);
    const result = await commit(ports, state, decision, {
      nowMs,
      actor,
      answer: (after) => answerRecord(operation, after, nowMs),
    });
    if (result.kind === 'stale') throw outrun(result.current);
    if (result.kind === 'repeated') return await repeat(ports, result.record, operation);
    after = result.state;
    if (prepared.type === 'start') after = await armFirst(ports, declaration, after, { nowMs, actor });
    await takeAlong(ports, declarations, after, { command: prepared, nowMs, actor });
  } catch (error) {
    // Flags and database follow the start that was taken back.
    if (isTakenBack(error)) {
      await reconcile(ports, declarations).catch(() => undefined);
      throw error;
    }
    if (error instanceof CrossfadeError && !error.retryable && isDenial(error.code)) {
      // The same request, sent twice at once: the other one was carried out between our two looks.
      const twin = await ports.state.readIdempotency(operation.idempotency.key);
      if (twin) return repeat(ports, twin, operation);
      await recordDenial(ports, declaration, { command: command.type, error }, { nowMs, actor });
    }
    throw error;
  }
  return follow(ports, { declarations, declaration }, after, nowMs);
}

/** The peers of a cohort go where this one went. What fails here is done by the next tick. */
async function takeAlong(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  after: CutoverState,
  { command, ...by }: By & { command: Command },
): Promise<void> {
  try {
    if (command.type === 'rollback') await rollBackPeers(ports, declarations, after, by);
    if (command.type === 'advance') await advancePeers(ports, declarations, after, { command, ...by });
  } catch (error) {
    ports.log.failure('peers_not_taken_along', error, { cutover: after.id });
  }
}

function checkVersion(state: CutoverState, basedOn: number): void {
  if (state.version === basedOn) return;
  throw new CrossfadeError(
    'stale_version',
    `The command was based on version ${basedOn} of cutover '${state.id}', which is at version ${state.version}, stage '${state.stage}'. Look at it again ('crossfade status ${state.id}') and repeat the command if it still applies.`,
    { details: { version: state.version, stage: state.stage } },
  );
}

/**
 * The database first when the command left an intent, then flags and mirror. None of it can undo the command. Of an intent
 * that was withdrawn the readers leave first: the database may be what does not answer, and is asked no longer than once.
 * @throws CrossfadeError when the database cannot do it: the intent was dropped, and the cutover is where it was
 */
async function follow(
  given: Needs,
  { declarations, declaration }: { declarations: readonly CutoverDeclaration[]; declaration: CutoverDeclaration },
  state: CutoverState,
  nowMs: number,
): Promise<OperationResult> {
  const ports = shortCircuit(given);
  const deploy = () =>
    reconcile(ports, declarations).catch((error) => {
      ports.log.failure('reconcile_failed', error, { cutover: declaration.id });
      return { published: false };
    });
  if (state.pending?.withdrawn) await deploy();
  const { state: after, waits } = await carryOut(ports, declaration, state, { nowMs });
  const flags = await deploy();
  if (needsWatching(after)) await watchRollbacks(ports, [declaration]);
  if (state.pending) checkCarriedOut(after);
  return { answer: { ...summary(after), ...(waits === null ? {} : { waits }) }, published: flags.published };
}

/** An intent that was given up is no success of the command that left it. */
function checkCarriedOut(after: CutoverState): void {
  const { dropped } = after;
  if (!dropped) return;
  throw new CrossfadeError(dropped.action === 'revert' ? 'rollback_not_ready' : 'refused_table', droppedText(after)!, {
    details: { why: dropped.why },
  });
}

function summary(state: CutoverState): CutoverSummary {
  return {
    cutover: state.id,
    stage: state.stage,
    stageKind: state.stageKind,
    sharePpm: sharePpmOf(state),
    version: state.version,
    epoch: state.epoch,
    pending: pendingWord(state),
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

/** The answer of the first call. Its record was written with the intent; what became of the intent is read now. */
async function repeat(ports: Needs, stored: IdempotencyRecord, operation: Operation): Promise<OperationResult> {
  checkSameRequest(stored, operation.actor, operation.idempotency.fingerprint);
  const recorded = stored.answer.body as CutoverSummary;
  const [current, deployed] = await Promise.all([
    recorded.pending ? ports.state.readCutover(recorded.cutover) : null,
    readDeployed(ports),
  ]);
  if (operation.command.type === 'start') checkArmed(recorded, await ports.state.readCutover(recorded.cutover));
  const settled = current && !current.pending && current.version === recorded.version + 1;
  if (settled) checkCarriedOut(current);
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
