/**
 * Commands for everything at once. The stop needs DynamoDB only: the switch is written first, so that no tick and no
 * command can start anything afterwards; then every cutover is rolled back; flags follow, or the next tick publishes them.
 * Promoted tables stay as they are: the emergency stop never swaps tables.
 */

import { CrossfadeError, messageOf } from '../../core/base/errors.ts';
import type { CutoverDeclaration, CutoverState } from '../../core/cutover/cutover.ts';
import { isUnderWay, syncsShadow } from '../../core/cutover/stage-kinds.ts';
import { readsShadow } from '../../core/cutover/switches.ts';
import type { Event, SystemChange } from '../../core/stage/events.ts';
import type { Ports } from '../../ports/ports.ts';
import { withConcurrencyLimit } from '../calls/concurrency-limit.ts';
import { shortCircuit } from '../calls/short-circuit.ts';
import { type CarryOutPorts, carryOut } from './carry-out.ts';
import { changeSystem } from './change-system.ts';
import type { By } from './commit.ts';
import { type ReconcilePorts, reconcile } from './reconcile.ts';
import { decideRollback, movedBack } from './roll-back-one.ts';

/** The caller's key: with one, a request that comes again changes nothing a second time. */
type Repeatable = { actor: string; idempotency?: { key: string; fingerprint: string } };

type Needs = CarryOutPorts & ReconcilePorts;

export type StopResult = {
  cutovers: readonly { id: string; from: string; to: string; problem?: string }[];
  published: boolean;
};

/** Cutovers whose state is read and written at a time. */
const AT_ONCE = 10;
/** For what Postgres has to do, below the time-out of an HTTP API together with the rest. */
const CARRY_OUT_MS = 3_000;

const switched = (change: SystemChange, reason: string) => (): Event[] => [{ type: 'system_changed', change, reason }];

export async function emergencyStop(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  request: Repeatable & { reason: string },
): Promise<StopResult> {
  const by = { nowMs: ports.clock.now(), actor: request.actor };
  const { system } = await changeSystem(
    ports,
    switched({ emergencyStop: true }, request.reason),
    by,
    request.idempotency,
  );
  // It was lifted since: what has been started meanwhile is none of this stop's.
  if (!system.emergencyStop) return { cutovers: [], published: true };
  return rollBackAll(ports, declarations, isUnderWay, { ...by, reason: request.reason, cause: 'emergency' });
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
  const { askedAtMs } = await changeSystem(ports, () => [event], by, request.idempotency);
  // A request that comes again finishes what it began, and leaves alone what has moved on since it was first made.
  const undoable = (state: CutoverState) => syncsShadow(state) && state.enteredAtMs <= askedAtMs;
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
  const { system } = await changeSystem(ports, switched({ emergencyStop: false }, 'reset'), by, request.idempotency);
  const { published } = await reconcile(ports, declarations);
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
  const change = switched({ shadowWritesEnabled: request.enabled }, request.reason);
  const { system } = await changeSystem(ports, change, by, request.idempotency);
  const { published } = await reconcile(ports, declarations);
  return { shadowWritesEnabled: system.shadowWritesEnabled, published };
}

async function checkNoReaders(ports: Needs): Promise<void> {
  const all = await ports.state.readAll();
  const ids = all.filter((one) => 'stageKind' in one && one.kind === 'table' && readsShadow(one)).map(({ id }) => id);
  if (ids.length === 0) return;
  throw new CrossfadeError(
    'conflict',
    `Writes to shadows cannot be switched off while ${ids.join(', ')} ${ids.length === 1 ? 'has' : 'have'} readers there, who would see rows that fall behind. First 'crossfade reads primary ${ids[0]} --reason …'; 'crossfade stop --reason …' takes all back at once.`,
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

type Decided = { from: string; state: CutoverState | null; problem?: string };

/**
 * Decided for every cutover first, then the flags, which need no database; only then Postgres, for what needs it, and no
 * longer once it does not answer.
 */
async function rollBackAll(
  given: Needs,
  declarations: readonly CutoverDeclaration[],
  which: (state: CutoverState) => boolean,
  by: By & { reason: string; cause: 'operator' | 'emergency' },
): Promise<StopResult> {
  const ports = shortCircuit(given);
  const decided = await withConcurrencyLimit(
    declarations,
    AT_ONCE,
    (declaration): Promise<Decided | null> =>
      decideRollback(ports, declaration, which, by).catch((error): Decided => failed(ports, declaration, error)),
  );
  const deploy = () => reconcile(ports, declarations).catch(() => ({ published: false }));
  const flags = await deploy();
  const endMs = ports.clock.monotonicMs() + CARRY_OUT_MS;
  const cutovers: StopResult['cutovers'][number][] = [];
  let carried = 0;
  for (const [i, declaration] of declarations.entries()) {
    const one = decided[i];
    if (!one) continue;
    const { from, state, problem } = one;
    if (!state || problem !== undefined) {
      cutovers.push({ id: declaration.id, from, to: state?.stage ?? 'unknown', problem: problem ?? 'unknown' });
      continue;
    }
    // What there is no time for is pending, and the next tick's.
    const due = state.pending !== null && ports.clock.monotonicMs() < endMs;
    const after = due ? await carryOut(ports, declaration, state, by) : { state, waits: null };
    if (after.state !== state) carried += 1;
    cutovers.push({ id: declaration.id, ...movedBack(from, after) });
  }
  return { cutovers, published: carried > 0 ? (await deploy()).published : flags.published };
}

function failed(ports: Pick<Ports, 'log'>, { id }: CutoverDeclaration, error: unknown): Decided {
  ports.log.failure('stop_failed', error, { cutover: id });
  return { from: 'unknown', state: null, problem: messageOf(error) };
}
