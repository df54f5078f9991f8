/**
 * One tick over every cutover: collect what concerns all, advance each on its own, some at a time, then make flags and Postgres
 * agree with all of them. Alerts come last: nothing waits for a message.
 */

import { inBatches } from '../../core/base/in-batches.ts';
import { MINUTE_MS } from '../../core/base/units.ts';
import type { CutoverDeclaration } from '../../core/cutover/cutover.ts';
import { isUnderWay } from '../../core/cutover/stage-kinds.ts';
import { groupsOf } from '../../core/holds/cohort.ts';
import type { Judgement } from '../../core/look/snapshot.ts';
import { watchAlerts } from '../alerts/watch-alerts.ts';
import { withConcurrencyLimit } from '../calls/concurrency-limit.ts';
import { shortCircuit } from '../calls/short-circuit.ts';
import { type AdvancePorts, advance, type Outcome } from './advance.ts';
import { collectAround } from './collect.ts';
import type { Published } from './deployed-flags.ts';
import { beginObserving } from './observe.ts';
import { orchestrate } from './orchestrate.ts';
import { type ReconcilePorts, reconcile } from './reconcile.ts';
import { needsWatching, watchRollbacks } from './rollbacks.ts';

export type TickResult = {
  cutovers: readonly { id: string; stage: string; verdict: string; moved: string | null; problem?: string }[];
  flags: Published;
  /** The first that there was no time to look at; null: all were. The next tick begins with it. */
  left: string | null;
};

/** Looked at together, so that they share requests. With more at once an engine that is busy answers too late. */
const GROUPS_IN_BATCH = 10;
const BATCHES_AT_ONCE = 2;
/** For arming and disarming: hundreds of tables that are started at once take some ticks, and each tick ends in time. */
const TABLES_MS = 15_000;
/** What is left of a tick when the last batch may begin: flags, tables and alerts follow. */
const REST_MS = 20_000;

type TickNeeds = AdvancePorts & ReconcilePorts;

/**
 * Those for which there is no time stay as they are and are looked at first in the next tick. What was folded of them is stored,
 * so the next tick gets further.
 * @param within when it must have ended, on the monotonic clock, and the cutover to begin with
 */
export async function tick(
  given: TickNeeds,
  declarations: readonly CutoverDeclaration[],
  { deadlineMs = Number.POSITIVE_INFINITY, from = null }: { deadlineMs?: number; from?: string | null } = {},
): Promise<TickResult> {
  const ports = shortCircuit(given);
  const around = await collectAround(ports, declarations);
  const observing = await beginObserving(ports, declarations, around);
  const groups = beginningWith(groupsOf(declarations), from);
  const left: string[] = [];
  const advanced = await withConcurrencyLimit(inBatches(groups, GROUPS_IN_BATCH), BATCHES_AT_ONCE, async (batch) => {
    if (ports.clock.monotonicMs() < deadlineMs - REST_MS)
      return Promise.all(batch.map((group) => advance(ports, group, around, observing)));
    left.push(...batch.flat().map(({ id }) => id));
    return [];
  });
  ports.metrics.record('NotJudged', left.length);
  if (left.length > 0) ports.log.event('tick_out_of_time', { left: left.length, next: left[0]! });
  const outcomes = advanced.flat(2);
  for (const outcome of outcomes) measure(ports, outcome);
  const judgements = new Map(outcomes.flatMap(({ id, judgement }) => (judgement ? [[id, judgement] as const] : [])));
  await orchestrate(ports, declarations, judgements, around.nowMs).catch((error) =>
    ports.log.failure('orchestrate_failed', error),
  );
  ports.metrics.record('Tick', 1);
  // The state is read once more: a command may have come in since, and flags must never be older than the state.
  const flags = await reconcile(ports, declarations, TABLES_MS);
  const fallen = declarations.filter(({ id }) => judgements.has(id) && needsWatching(judgements.get(id)!.state));
  await watchRollbacks(ports, fallen);
  const stored = [...around.alerts.values()].flat();
  const judged = outcomes.flatMap(({ alerts }) => alerts);
  await watchAlerts(ports, declarations, { stored, judged, nowMs: around.nowMs });
  return { cutovers: outcomes.map(lineOf), flags, left: left[0] ?? null };
}

/** The group of this cutover first, and those before it last. */
function beginningWith<Group extends readonly CutoverDeclaration[]>(
  groups: readonly Group[],
  from: string | null,
): Group[] {
  const first = Math.max(
    0,
    groups.findIndex((group) => group.some(({ id }) => id === from)),
  );
  return [...groups.slice(first), ...groups.slice(0, first)];
}

function lineOf({ id, judgement, moved, problem }: Outcome): TickResult['cutovers'][number] {
  if (!judgement)
    return { id, stage: 'unknown', verdict: 'hold', moved, ...(problem === undefined ? {} : { problem }) };
  return { id, stage: judgement.state.stage, verdict: judgement.verdict.verdict, moved };
}

function measure(ports: TickNeeds, { id, judgement, moved }: Outcome): void {
  if (!judgement) return;
  const { table, forwards, state } = judgement;
  if (moved) ports.log.event('stage_moved', { cutover: id, moved, version: state.version });
  if (table) {
    ports.metrics.record('OutboxAgeMs', table.lagMs);
    ports.metrics.record('Quarantined', table.quarantined);
  }
  if (forwards) {
    ports.metrics.record('CopiesAgeMs', forwards.lagMs);
    ports.metrics.record('CopiesQuarantined', forwards.quarantined);
  }
  ports.metrics.record('HeldMs', heldMs(judgement));
}

/** For how long a cutover is held beyond the time that its stage takes anyway. */
function heldMs({ state, verdict }: Judgement): number {
  if (verdict.verdict !== 'hold' || !isUnderWay(state)) return 0;
  const dwellMinutes = state.plan.stages.find((stage) => stage.name === state.stage)?.dwellMinutes ?? 0;
  return Math.max(0, (verdict.evidence.minutesInStage - dwellMinutes) * MINUTE_MS);
}
