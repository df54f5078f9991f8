/**
 * What a rollback consists of, by kind, as ordered steps that are looked at from outside: the state says that it was
 * decided, these say that it has arrived. Pure.
 */

import { MINUTE_MS } from '../base/units.ts';
import type { CutoverKind, CutoverState, RollbackStep, RollbackStepName } from '../cutover/cutover.ts';
import type { MinuteWindow } from '../gates/minute-window.ts';
import type { TableStatus } from '../gates/table-status.ts';
import type { FlagDocument } from '../routing/flags.ts';

export type Procedure = readonly { name: RollbackStepName; does: string }[];

const FLAGS: Procedure[number] = { name: 'flags_safe', does: 'flags that send no read to the shadow are deployed' };
const READS: Procedure[number] = { name: 'reads_left', does: 'two closed minutes without a read of the shadow' };
const FENCE: Procedure[number] = { name: 'fence_raised', does: 'the database refuses writers of the epoch before' };
const CAPTURE: Procedure[number] = { name: 'capture_removed', does: 'no trigger of ours is left on the table' };
const SWAP: Procedure[number] = {
  name: 'tables_swapped',
  does: 'the tables have exchanged their names back, no row lost',
};

/** From stages that serve, and from `completed`. */
export const PROCEDURES: Record<CutoverKind, { serving: Procedure; completed: Procedure }> = {
  table: { serving: [FLAGS, FENCE, CAPTURE, READS], completed: [SWAP, FLAGS, FENCE, CAPTURE, READS] },
  component: { serving: [FLAGS, READS], completed: [FLAGS, READS] },
  service: { serving: [FLAGS, READS], completed: [FLAGS, READS] },
};

/** What else can be undone, by command; what cannot be taken back says so and wants a confirmation. */
export const SCENARIOS = [
  {
    name: 'disable writes',
    command: "crossfade pause ID, then crossfade rollback ID --reason '…'",
    destructive: false,
    note: 'capture ends with the rollback; the primary was never touched',
  },
  {
    name: 'revert reads',
    command: "crossfade rollback ID --reason '…'",
    destructive: false,
    note: 'reads return within flag age and one request',
  },
  {
    name: 'everything at once',
    command: "crossfade stop --reason '…'",
    destructive: false,
    note: 'promoted tables stay as they are',
  },
  {
    name: 'forget the copy',
    command: 'crossfade reset ID --confirm ID',
    destructive: true,
    note: 'our progress and outbox go; the rows in the shadow stay',
  },
  {
    name: 'remove the shadow',
    command: "crossfade remove-shadow ID --confirm ID --reason '…'",
    destructive: true,
    note: 'after a rollback; take a backup first, nothing else brings the table back',
  },
  {
    name: 'drop the old table',
    command: 'crossfade cleanup ID --confirm ID',
    destructive: true,
    note: 'no way back: take a backup of the old table first',
  },
  {
    name: 'point-in-time recovery',
    command: 'infra/runbooks/README.md, Point-in-time recovery',
    destructive: true,
    note: 'the only way back after cleanup',
  },
] as const;

const QUIET_MINUTES = 2;

export type ProcedureFacts = {
  deployed: FlagDocument | null;
  table: TableStatus | null;
  /** From the minute of the decision on. */
  windows: readonly MinuteWindow[];
  nowMs: number;
};

export function procedureOf({ kind, plan, rollback }: Pick<CutoverState, 'kind' | 'plan' | 'rollback'>): Procedure {
  const from = plan.stages.find(({ name }) => name === rollback?.fromStage)?.kind;
  return PROCEDURES[kind][from === 'completed' ? 'completed' : 'serving'];
}

/** Steps that have not been recorded and are seen done now. */
export function stepsSeen(state: CutoverState, facts: ProcedureFacts): RollbackStep[] {
  const { rollback } = state;
  if (state.stageKind !== 'rolled_back' || !rollback) return [];
  const recorded = new Set(rollback.steps.map(({ name }) => name));
  return procedureOf(state)
    .filter(({ name }) => !recorded.has(name))
    .flatMap(({ name, does }) => {
      const tookMs = LOOKS[name](state, facts);
      return tookMs === null ? [] : [{ name, tookMs, text: does }];
    });
}

export const isVerified = (state: Pick<CutoverState, 'kind' | 'plan' | 'rollback'>): boolean =>
  state.rollback !== null &&
  procedureOf(state).every(({ name }) => state.rollback!.steps.some((step) => step.name === name));

/** Time from the decision until it was seen, or null when it is not. */
const LOOKS: Record<RollbackStepName, (state: CutoverState, facts: ProcedureFacts) => number | null> = {
  // The state says so only once the database has.
  tables_swapped: (state, { nowMs }) => since(state, nowMs),
  flags_safe: (state, { deployed, nowMs }) => {
    const flag = deployed?.cutovers[state.id];
    const there = flag !== undefined && flag.epoch >= state.epoch && flag.read_ppm === 0 && !flag.shadow_is_primary;
    return there ? since(state, nowMs) : null;
  },
  fence_raised: (state, { table, nowMs }) =>
    table?.mirror && table.mirror.epoch >= state.epoch ? since(state, nowMs) : null,
  capture_removed: (state, { table, nowMs }) => (table?.armed === 'none' ? since(state, nowMs) : null),
  reads_left: (state, { windows, nowMs }) => {
    const decided = Math.floor(state.rollback!.atMs / MINUTE_MS);
    const reads = windows.filter(({ side, count, minute }) => side === 'shadow' && count > 0 && minute >= decided);
    const last = Math.max(-1, ...reads.map(({ minute }) => minute));
    const open = Math.floor(nowMs / MINUTE_MS);
    if (open - 1 - Math.max(last, decided) < QUIET_MINUTES) return null;
    // Windows know minutes: the end of the last one with a read is the latest moment it can have been.
    return last < 0 ? 0 : Math.max(0, (last + 1) * MINUTE_MS - state.rollback!.atMs);
  },
};

const since = (state: CutoverState, nowMs: number) => Math.max(0, nowMs - state.rollback!.atMs);
