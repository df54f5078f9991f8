/**
 * Commands for everything at once. The stop needs DynamoDB only: the switch is written first, so that no tick and no
 * command can start anything afterwards; then every cutover is rolled back; flags follow, or the next tick publishes them.
 * Promoted tables stay as they are: the emergency stop never swaps tables.
 */

import { nextEntry } from '../core/audit.ts';
import { type CutoverDeclaration, type CutoverState, initialState, type SystemState } from '../core/cutover.ts';
import { CrossfadeError } from '../core/errors.ts';
import { decide, type Event, type SystemChange } from '../core/stage.ts';
import type { Ports } from '../ports.ts';
import { carryOut } from './carry-out.ts';
import { type By, commit } from './commit.ts';
import { checkSameRequest } from './same-request.ts';
import { reconcileNow } from './tick.ts';

/** The caller's key: with one, a request that comes again changes nothing a second time. */
type Repeatable = { actor: string; idempotency?: { key: string; fingerprint: string } };

type Needs = Pick<Ports, 'clock' | 'state' | 'windows' | 'tables' | 'flags' | 'log' | 'metrics'>;

export type StopResult = {
  cutovers: readonly { id: string; from: string; to: string; problem?: string }[];
  published: boolean;
};

const TRIES = 5;
const DAY_MS = 24 * 60 * 60_000;

export async function emergencyStop(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  request: Repeatable & { reason: string },
): Promise<StopResult> {
  const by = { nowMs: ports.clock.now(), actor: request.actor };
  const { system } = await switchStop(ports, true, request.reason, by, request.idempotency);
  // It was lifted since: what has been started meanwhile is none of this stop's.
  if (!system.emergencyStop) return { cutovers: [], published: true };
  const serving = (state: CutoverState) => ['dual_write', 'ramp', 'full'].includes(state.stageKind);
  return rollBackAll(ports, declarations, serving, { ...by, reason: request.reason, cause: 'emergency' });
}

/** Rolls back every cutover that has something to undo, promoted tables included. `confirm` must be `system`. */
export async function rollBackSystem(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  request: Repeatable & { confirm: string; reason: string },
): Promise<StopResult> {
  checkConfirm('rollback-system', request.confirm);
  const by = { nowMs: ports.clock.now(), actor: request.actor };
  const event: Event = { type: 'system_rolled_back', reason: request.reason };
  const { askedAtMs } = await changeSystem(ports, {}, event, by, request.idempotency);
  // A request that comes again finishes what it began, and leaves alone what has moved on since it was first made.
  const undoable = (state: CutoverState) =>
    ['dual_write', 'ramp', 'full', 'completed'].includes(state.stageKind) && state.enteredAtMs <= askedAtMs;
  return rollBackAll(ports, declarations, undoable, { ...by, reason: request.reason, cause: 'operator' });
}

/** Lifts the emergency stop. Cutovers stay where they are. */
export async function resetSystem(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  request: Repeatable & { confirm: string },
): Promise<{ emergencyStop: boolean; published: boolean }> {
  checkConfirm('reset system', request.confirm);
  const by = { nowMs: ports.clock.now(), actor: request.actor };
  const { system } = await switchStop(ports, false, 'reset', by, request.idempotency);
  const { published } = await reconcileNow(ports, declarations);
  return { emergencyStop: system.emergencyStop, published };
}

/**
 * The master switch of all writes to shadows. Changes wait in the outboxes meanwhile. Refused while any table has readers on
 * its shadow: they would see rows that fall behind.
 */
export async function switchShadowWrites(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  request: Repeatable & { enabled: boolean; reason: string },
): Promise<{ shadowWritesEnabled: boolean; published: boolean }> {
  const by = { nowMs: ports.clock.now(), actor: request.actor };
  if (!request.enabled) await checkNoReaders(ports);
  const change = { shadowWritesEnabled: request.enabled };
  const event: Event = { type: 'system_changed', change, reason: request.reason };
  const { system } = await changeSystem(ports, change, event, by, request.idempotency);
  const { published } = await reconcileNow(ports, declarations);
  return { shadowWritesEnabled: system.shadowWritesEnabled, published };
}

async function checkNoReaders(ports: Needs): Promise<void> {
  const all = await ports.state.readAll();
  const read = all.filter((one) => 'stageKind' in one && one.kind === 'table' && ['ramp', 'full'].includes(one.stageKind));
  if (read.length === 0) return;
  const ids = read.map(({ id }) => id);
  throw new CrossfadeError(
    'conflict',
    `Writes to shadows cannot be switched off while ${ids.join(', ')} ${ids.length === 1 ? 'has' : 'have'} readers there, who would see rows that fall behind. First 'crossfade revert-reads ${ids[0]} --reason …'.`,
    { details: { cutovers: ids } },
  );
}

function checkConfirm(command: string, confirm: string): void {
  if (confirm === 'system') return;
  throw new CrossfadeError(
    'confirm_required',
    `'${command}' concerns every cutover and needs confirm to be 'system', got ${JSON.stringify(confirm)}.`,
  );
}

const switchStop = (ports: Needs, on: boolean, reason: string, by: By, request: Repeatable['idempotency']) =>
  changeSystem(
    ports,
    { emergencyStop: on },
    { type: 'system_changed', change: { emergencyStop: on }, reason },
    by,
    request,
  );

/** The switches as they are now, and when they were asked for: by this call, or by the same request before. */
async function changeSystem(
  ports: Needs,
  change: SystemChange,
  event: Event,
  by: By,
  request: Repeatable['idempotency'],
): Promise<{ system: SystemState; askedAtMs: number }> {
  const idempotency = request && {
    ...request,
    caller: by.actor,
    answer: { status: 200, body: { ...change } },
    expiresAtMs: by.nowMs + DAY_MS,
  };
  let before = await ports.state.readSystem();
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const changed = { ...before, ...change, version: before.version + 1 };
    const entry = nextEntry<Event>(before, {
      subject: 'system',
      atMs: by.nowMs,
      actor: by.actor,
      event,
      version: changed.version,
      epoch: 0,
    });
    const after = { ...changed, auditSeq: entry.seq, auditHash: entry.hash };
    const result = await ports.state.writeSystem({
      before,
      after,
      entries: [entry],
      ...(idempotency ? { idempotency } : {}),
    });
    if (result.kind === 'applied') return { system: after, askedAtMs: by.nowMs };
    if (result.kind === 'stale') before = result.current;
    if (result.kind === 'repeated') {
      checkSameRequest(result.record, by.actor, request?.fingerprint);
      return { system: await ports.state.readSystem(), askedAtMs: result.record.expiresAtMs - DAY_MS };
    }
  }
  throw new CrossfadeError(
    'conflict',
    `The system switches were changed by others ${TRIES} times in a row. Repeat the command.`,
    { retryable: true },
  );
}

async function rollBackAll(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  which: (state: CutoverState) => boolean,
  by: By & { reason: string; cause: 'operator' | 'emergency' },
): Promise<StopResult> {
  const cutovers: StopResult['cutovers'][number][] = [];
  for (const declaration of declarations) {
    try {
      const moved = await rollBackOne(ports, declaration, which, by);
      if (moved) cutovers.push({ id: declaration.id, ...moved });
    } catch (error) {
      ports.log.failure('stop_failed', error, { cutover: declaration.id });
      const problem = error instanceof Error ? error.message : String(error);
      cutovers.push({ id: declaration.id, from: 'unknown', to: 'unknown', problem });
    }
  }
  const flags = await reconcileNow(ports, declarations).catch(() => ({ published: false }));
  return { cutovers, published: flags.published };
}

async function rollBackOne(
  ports: Needs,
  declaration: CutoverDeclaration,
  which: (state: CutoverState) => boolean,
  by: By & { reason: string; cause: 'operator' | 'emergency' },
): Promise<{ from: string; to: string; problem?: string } | null> {
  let state = (await ports.state.readCutover(declaration.id)) ?? initialState(declaration);
  const from = state.stage;
  for (let attempt = 0; attempt < TRIES && which(state); attempt += 1) {
    const decision = decide(
      state,
      { type: 'rollback', reason: by.reason, cause: by.cause },
      { ...by, emergencyStop: by.cause === 'emergency' },
    );
    if (decision.kind === 'refused') return { from, to: state.stage, problem: decision.message };
    const result = await commit(ports, state, decision, by);
    if (result.kind === 'stale') {
      state = result.current;
      continue;
    }
    state = result.kind === 'repeated' ? state : result.state;
    if (state.pending) state = await carryOut(ports, declaration, state, by.nowMs);
    return { from, to: state.pending ? `${state.stage} (${state.pending.action} pending)` : state.stage };
  }
  return state.stage === from ? null : { from, to: state.stage };
}
