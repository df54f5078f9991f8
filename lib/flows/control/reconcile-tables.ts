/**
 * What Postgres must have for each table cutover, one table at a time: capture and mirror where the shadow follows, neither where it
 * does not. Each act looks at what is there first, and leaves alone what a newer state has made.
 */

import { MINUTE_MS } from '../../core/base/units.ts';
import type { CutoverState, SystemState } from '../../core/cutover/cutover.ts';
import { syncsShadow } from '../../core/cutover/stage-kinds.ts';
import type { TableStatus } from '../../core/gates/table-status.ts';
import { compareFlagAge, sharePpmOf } from '../../core/routing/flags.ts';
import type { Ports } from '../../ports/ports.ts';
import type { Outrun } from '../../ports/tables.ts';
import { type TableCutoverDeclaration, tableCutover } from '../rows/table-of.ts';

/** A table cutover with its state. */
type Declared = { declaration: TableCutoverDeclaration; state: CutoverState };

type TablesNeed = Pick<Ports, 'capture' | 'switches' | 'log' | 'clock'>;

/** A prime, so that no schedule comes back to the same one. */
const ANOTHER_FIRST_MS = 7_919;

/** A primary is read-only for five minutes at most, so later there is nothing to end. */
const READ_ONLY_AT_MOST_MS = 10 * MINUTE_MS;
export const leavesNow = ({ stageKind, pending, changedAtMs }: CutoverState, nowMs: number): boolean =>
  (stageKind === 'rolled_back' || pending?.action === 'revert' || pending?.withdrawn !== undefined) &&
  nowMs - changedAtMs < READ_ONLY_AT_MOST_MS;

/** An application that goes back to the primary must be able to write there. */
export async function writesAgain(ports: TablesNeed, id: string): Promise<void> {
  if (await ports.switches.endReadOnly(id)) ports.log.event('read_only_ended', { cutover: id });
}

export type TableWork = (declaration: TableCutoverDeclaration, state: CutoverState) => Promise<void>;

/**
 * One after the other, until the time is up: what is left is the next tick's, which finds these done. It begins with another one
 * each time, so that tables which take long and come to nothing cannot keep the same others waiting for ever.
 */
export async function eachTable(
  ports: TablesNeed,
  due: readonly Declared[],
  endMs: number,
  work: TableWork,
): Promise<void> {
  const first = Math.floor(ports.clock.now() / ANOTHER_FIRST_MS) % Math.max(1, due.length);
  for (const [done, { declaration, state }] of [...due.slice(first), ...due.slice(0, first)].entries()) {
    if (done > 0 && ports.clock.monotonicMs() > endMs) {
      ports.log.event('tables_postponed', { tables: due.length - done });
      return;
    }
    try {
      await work(declaration, state);
    } catch (error) {
      // One table that is locked or away must not delay the others; the next tick tries again.
      ports.log.failure('reconcile_failed', error, { cutover: declaration.id });
    }
  }
}

/** True when the application's writes to the primary are refused now. */
export async function armed(
  ports: TablesNeed,
  declaration: TableCutoverDeclaration,
  state: CutoverState,
  status: TableStatus | null,
): Promise<boolean> {
  const isReadOnly = status?.readOnlyUntilMs != null;
  if (outrun(ports, status, state)) return isReadOnly;
  if (state.stageKind !== 'completed' && status?.armed !== 'forward') {
    if (refused(ports, await ports.capture.arm(tableCutover(declaration), state), state)) return isReadOnly;
  }
  if (status?.mirror?.version !== state.version || status.mirror.epoch !== state.epoch) {
    await mirror(ports, declaration, state);
  }
  if (status?.shape?.due && !refused(ports, await ports.capture.watch(declaration.id, state), state)) {
    const [first] = status.shape.differences;
    ports.log.event('shape_changed', { cutover: declaration.id, what: first?.object ?? status.shape.gap });
  }
  return isReadOnly;
}

export async function setLists(ports: TablesNeed, tables: readonly Declared[]): Promise<void> {
  const lists = tables.map(({ declaration }) => declaration);
  if (lists.length === 0) return;
  await ports.switches.setLists(lists).catch((error) => ports.log.failure('lists_not_set', error));
}

/** Converge asks the switch itself; triggers cannot. */
export async function switchInline(
  ports: TablesNeed,
  { id, table }: TableCutoverDeclaration,
  { version, shadowWritesEnabled }: SystemState,
): Promise<void> {
  if (table.mode === 'inline') await ports.switches.switchInline(id, { version, enabled: shadowWritesEnabled });
}

export async function disarmed(
  ports: TablesNeed,
  declaration: TableCutoverDeclaration,
  state: CutoverState,
  status: TableStatus | null,
): Promise<void> {
  if (status === null || outrun(ports, status, state)) return;
  if (status.mirror && (status.mirror.version !== state.version || status.mirror.epoch !== state.epoch)) {
    await mirror(ports, declaration, state);
  }
  if (status.armed !== 'none' && refused(ports, await ports.capture.disarm(declaration.id, state), state)) return;
  if (state.stageKind === 'disabled' && status.backfill.state !== 'none') {
    refused(ports, await ports.capture.forget(declaration.id, state), state);
  }
}

/** The look above may be old by the time of the act, so the database looks once more, under the lock of the cutover. */
function refused(ports: TablesNeed, done: { kind: string } | Outrun, state: CutoverState): boolean {
  if (!('version' in done)) return false;
  ports.log.event('reconcile_outrun', { cutover: state.id, version: state.version, mirror: done.version });
  return true;
}

/**
 * A tick that slept since it read the state must neither arm nor take away what those who moved on have made of it. Also
 * true between a swap and its confirmation in the state.
 */
function outrun(ports: TablesNeed, status: TableStatus | null, state: CutoverState): boolean {
  if (!status?.mirror || compareFlagAge(status.mirror, state) <= 0) return false;
  ports.log.event('reconcile_outrun', { cutover: state.id, version: state.version, mirror: status.mirror.version });
  return true;
}

async function mirror(ports: TablesNeed, declaration: TableCutoverDeclaration, state: CutoverState): Promise<void> {
  await ports.switches.mirror({
    id: declaration.id,
    epoch: state.epoch,
    version: state.version,
    stage: state.stage,
    shadowWrites: syncsShadow(state) && state.switches.shadowWrites,
    readPpm: sharePpmOf(state),
    salt: declaration.salt,
  });
}
