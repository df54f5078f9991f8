/** Sees a rollback through: each step of its procedure is recorded when it is seen done. */

import { MINUTE_MS } from '../../core/base/units.ts';
import type { CutoverDeclaration, CutoverState } from '../../core/cutover/cutover.ts';
import type { TableStatus } from '../../core/gates/table-status.ts';
import { TICK } from '../../core/stage/events.ts';
import { record } from '../../core/stage/evolve.ts';
import { isVerified, stepsSeen } from '../../core/stage/rollback-procedure.ts';
import type { Ports } from '../../ports/ports.ts';
import { withConcurrencyLimit } from '../calls/concurrency-limit.ts';
import { askTables } from '../rows/ask-tables.ts';
import { readDeployed } from './deployed-flags.ts';

type Needs = Pick<Ports, 'clock' | 'state' | 'windows' | 'inspecting' | 'flags' | 'log'>;

/** Watched at a time. */
const AT_ONCE = 10;
/** By design everything is back within two minutes; who still reads then must be found. */
const OVERDUE_MS = 5 * MINUTE_MS;

export const needsWatching = (state: CutoverState): boolean =>
  state.stageKind === 'rolled_back' && state.rollback !== null && !isVerified(state);

/** Of the given cutovers, those whose rollback is not seen through. What fails is looked at by the next tick. */
export async function watchRollbacks(ports: Needs, declarations: readonly CutoverDeclaration[]): Promise<void> {
  if (declarations.length === 0) return;
  const deployed = (await readDeployed(ports))?.document ?? null;
  const tables = await askTables(ports, declarations);
  await withConcurrencyLimit(declarations, AT_ONCE, async ({ id }) => {
    try {
      const state = await ports.state.readCutover(id);
      if (state && needsWatching(state))
        await watchOne(ports, state, deployed, state.kind === 'table' ? tables(id) : null);
    } catch (error) {
      ports.log.failure('rollback_not_watched', error, { cutover: id });
    }
  });
}

async function watchOne(
  ports: Needs,
  state: CutoverState,
  deployed: Parameters<typeof stepsSeen>[1]['deployed'],
  table: TableStatus | null,
) {
  const nowMs = ports.clock.now();
  const { atMs } = state.rollback!;
  const windows = await ports.windows.read(state.id, Math.floor(atMs / MINUTE_MS), Math.floor(nowMs / MINUTE_MS));
  const steps = stepsSeen(state, { deployed, table, windows, nowMs });
  if (nowMs - atMs > OVERDUE_MS && !isVerified(state) && steps.length === 0)
    ports.log.event('rollback_overdue', { cutover: state.id, minutes: Math.floor((nowMs - atMs) / MINUTE_MS) });
  if (steps.length === 0) return;
  const { state: after, entries } = record(state, [{ type: 'rollback_seen', steps }], { nowMs, actor: TICK });
  // A change that was made meanwhile goes first; the next tick looks again.
  await ports.state.writeCutover({ before: state, after, entries });
}
