/**
 * The evidence of a stage: a fold over closed minutes, small enough to be stored with the cutover and always rebuildable
 * from the windows. A minute stays open for two minutes, since reports come late: until then each look judges it by what is
 * there, and forgets that again. What is stored never depends on the order in which reports came within these minutes.
 *
 *   minute    5    6    7    8    9   10 (not over)
 *             closed, stored  |  judged, and folded again by the next look
 */

import type { Policy } from '../cutover/cutover.ts';
import type { StageKind } from '../cutover/plan.ts';
import { type ArrivedMinute, arrivedMinutes } from './arrived.ts';
import { EMPTY_BASELINE, overdispersion, sliceWithMinute, withMinute } from './baseline.ts';
import { begin, type Draft, forget, startHorizon, warm } from './beginnings.ts';
import { pooled } from './bucketed-window.ts';
import { countAboveEdge, quantileEdge } from './buckets.ts';
import { type Compared, compare, trafficAfter } from './compared.ts';
import { type Above, type Evidence, logGood, RECENT_MINUTES } from './evidence.ts';
import { driftAfter, edgeBeyond, type Ground, groundOf, onShadow, type SideMinute } from './ground.ts';
import { isLatency, LATENCIES, QUANTILES } from './levels.ts';
import { cap, HORIZON_MINUTES, step } from './martingale.ts';
import { logNeeded, METRIC_ROWS, METRICS, type MeasuredMinute, PROVEN_GOOD, type ProvenGood } from './metrics.ts';
import type { WindowPart } from './minute-window.ts';
import { asUsual, weightsOf } from './mix.ts';
import { excessVariance, type Noise, withShare } from './noise.ts';
import { learnLatency, mixLatency, testLatency } from './operation-latency.ts';
import { learnOperations, testOperations } from './operations.ts';
import { recentMinute } from './recent.ts';
import { settled } from './settled.ts';
import { sized, WARM_INCREASE } from './size.ts';

/** How long a minute waits for what comes late; until then it is judged by what is there. */
export const GRACE_MINUTES = 2;
/** The newest minute that a look closes. @param openMinute the first one that is not over */
export const lastClosedMinute = (openMinute: number): number => openMinute - 1 - GRACE_MINUTES;
/** A shadow whose windows never come is a black hole only after this long: until then its reports may be lost. */
const ABSENT_PATIENCE_MINUTES = 30;

export type FoldContext = {
  key: string;
  policy: Policy;
  stageKind: StageKind;
  share: number;
  /** Upper ends of the slices of the plan, as shares; empty where no slices are known. */
  ends: readonly number[];
  /** The minute in which this run began, with a plan of its own; null when it is not known. */
  runMinute: number | null;
  /** First minute that belongs to the stage alone, and the first that is not over. */
  firstMinute: number;
  openMinute: number;
  /** Readers follow the flags of this stage: only then the share of the reads says anything. */
  flagsDeployed: boolean;
};

/** What was folded of closed minutes, to be stored, and the same with the minutes that are still open for what comes late. */
export type Folded = { closed: Evidence; now: Evidence };

/**
 * Folds the minutes after `before.closedThrough` that are over. `parts` holds all that has arrived of them, in any order.
 */
export function fold(before: Evidence, parts: readonly WindowPart[], context: FoldContext): Folded {
  const minutes = arrivedMinutes(parts, { ...context, closedThrough: before.closedThrough });
  const closed: Draft = { ...before };
  if (before.runMinute !== context.runMinute || String(before.ends) !== String(context.ends)) forget(closed, context);
  const lastClosed = lastClosedMinute(context.openMinute);
  for (const one of minutes) {
    if (one.minute > lastClosed) break;
    begin(closed, one.minute, context);
    foldMinute(closed, one, groundOf(closed, plannedAt(one.minute, context)), context);
    // Last: the minute that is measured is not part of what it is compared with.
    if (one.primary) learn(closed, one, one.primary, context);
    Object.assign(closed, settled(closed));
  }
  closed.closedThrough = Math.max(closed.closedThrough, Math.min(lastClosed, minutes.at(-1)?.minute ?? -Infinity));
  const now: Draft = { ...closed };
  begin(now, context.openMinute, context);
  let ground: { of: FoldContext; is: Ground } | null = null;
  for (const one of minutes) {
    if (one.minute <= lastClosed) continue;
    const planned = plannedAt(one.minute, context);
    if (ground?.of.policy !== planned.policy) ground = { of: planned, is: groundOf(now, planned) };
    foldMinute(now, one, ground.is, context);
    // Where nothing is closed yet, the open minutes are all there is to compare with.
    if (closed.baseline.count === 0 && one.primary) {
      learn(now, one, one.primary, context);
      ground = null;
    }
  }
  // Of the open minutes only that they were there is kept.
  const { active, reported } = now;
  return { closed: { ...closed, active, reported }, now };
}

const isCold = (minute: number, { firstMinute, policy }: FoldContext) => minute < firstMinute + policy.warmUpMinutes;

/** While caches are cold only what no cold cache explains is beyond the threshold. */
function plannedAt(minute: number, context: FoldContext): FoldContext {
  if (!isCold(minute, context)) return context;
  const latencyIncreaseRollback = Math.max(context.policy.latencyIncreaseRollback, WARM_INCREASE);
  return { ...context, policy: { ...context.policy, latencyIncreaseRollback } };
}

const later = (seen: Evidence['active'], side: 'primary' | 'shadow', minute: number) =>
  (seen[side] ?? Number.NEGATIVE_INFINITY) >= minute ? seen : { ...seen, [side]: minute };

function foldMinute(draft: Draft, arrived: ArrivedMinute, ground: Ground, context: FoldContext): void {
  const { minute, impossible } = arrived;
  const inStage = minute >= context.firstMinute;
  for (const side of ['primary', 'shadow'] as const) {
    const there = arrived[side];
    if (!there) continue;
    draft.reported = later(draft.reported, side, minute);
    if (there.all.count > 0) draft.active = later(draft.active, side, minute);
  }
  if (impossible && inStage) draft.impossible = { minute, why: impossible };
  if (!inStage) return;
  pool(draft, arrived);
  const isJudged = context.stageKind === 'ramp' || context.stageKind === 'full';
  if (isJudged) testMinute(draft, arrived, ground, context);
  const recent = recentMinute(minute, arrived.primary?.all ?? null, arrived.shadow?.all ?? null);
  const good = isJudged ? { good: PROVEN_GOOD.map(goodAfter(draft)) } : {};
  draft.recent = [...draft.recent.slice(1 - RECENT_MINUTES), { ...recent, ...good }];
}

/** What the primary did in a minute is what is usual of it from the next one on. */
function learn(
  draft: Draft,
  { minute, operations, latencies }: ArrivedMinute,
  primary: SideMinute,
  context: FoldContext,
): void {
  const { ends, firstMinute } = context;
  const { latency } = draft.baseline;
  const edges = LATENCIES.map((metric) => quantileEdge(latency, QUANTILES[metric]));
  draft.noise = draft.noise.map((noise, at) => scattered(noise, minute, primary, edges[at]!));
  const { latencyIncreaseRollback, latencyFloorMs } = context.policy;
  const limits = edges.map((edge) =>
    edge === null ? null : edgeBeyond(edge, latencyIncreaseRollback, latencyFloorMs),
  );
  draft.noiseBeyond = draft.noiseBeyond.map((noise, at) => scattered(noise, minute, primary, limits[at]!));
  draft.baseline = withMinute(draft.baseline, primary.all);
  draft.operations = learnOperations(draft.operations, operations, minute);
  const elsewhere = (slice: number) => minute >= firstMinute && onShadow(context, slice);
  draft.latencies = learnLatency(draft.latencies, latencies, minute, elsewhere);
  if (ends.length === 0) return;
  const before =
    draft.slices.length === ends.length + 1
      ? draft.slices
      : Array.from({ length: ends.length + 1 }, () => EMPTY_BASELINE);
  draft.slices = before.map((slice, index) => {
    const window = primary.slices[index];
    return elsewhere(index) ? slice : sliceWithMinute(slice, minute, window ?? null);
  });
}

function scattered(noise: Noise, minute: number, { all }: SideMinute, edge: number | null): Noise {
  return edge === null ? noise : withShare(noise, minute, { n: all.count, above: countAboveEdge(all.latency, edge) });
}

function pool(draft: Draft, { minute, primary, shadow }: ArrivedMinute): void {
  if (primary) draft.primary = pooled(minute, draft.primary, primary.all);
  if (shadow) draft.shadow = pooled(minute, draft.shadow, shadow.all);
  if (shadow && shadow.all.checks > 0) draft.checkedMinute = Math.max(minute, draft.checkedMinute ?? minute);
}

function testMinute(draft: Draft, sides: ArrivedMinute, ground: Ground, context: FoldContext): void {
  const { minute } = sides;
  draft.absent = (sides.shadow?.all.count ?? 0) > 0 || !sides.primary ? 0 : draft.absent + 1;
  draft.minutes += 1;
  if (draft.minutes > HORIZON_MINUTES) startHorizon(draft);
  const { policy } = context;
  const latencies = mixLatency(draft.latencies, sides.latencies, minute);
  const shadow = asUsual(sides.shadow, sides.latencies, weightsOf(latencies));
  const arrived = compare(sides.primary, sides.shadow, ground, draft.traffic);
  const compared =
    shadow === sides.shadow
      ? arrived
      : { ...compare(sides.primary, shadow, ground, draft.traffic), arrived: arrived.arrived };
  draft.traffic = trafficAfter(draft.traffic, sides.primary, sides.shadow, ground);
  const cold = isCold(minute, context);
  const sample: MeasuredMinute = {
    compared,
    shadow: sides.shadow?.all ?? null,
    policy,
    clusters: overdispersion(draft.baseline),
    noise: draft.noise.map(excessVariance),
    noiseBeyond: draft.noiseBeyond.map(excessVariance),
  };
  if (draft.cold && !cold) warm(draft);
  draft.cold = cold;
  const metrics = { ...draft.metrics };
  const sizes = { ...draft.sizes };
  const good = { ...draft.good };
  const usuallyGood = { ...draft.usuallyGood };
  for (const name of METRICS) {
    const { prior, measure, fewest } = METRIC_ROWS[name];
    const speaks = name !== 'share' ? compared.timed >= fewest : !sides.spoiled && shareSpeaks(draft, minute, context);
    const measured = speaks ? measure(sample) : null;
    const limits = cap(logNeeded(name, draft.horizon), prior);
    const { logRatios, counts } = measured ?? { logRatios: silent(prior.length), counts: NO_COUNTS };
    metrics[name] = step(metrics[name], { t: draft.minutes, minute, logRatios, counts }, limits);
    if (!measured) continue;
    sizes[name] = sized(sizes[name], measured.size);
    if (!(name in good) || (cold && isLatency(name))) continue;
    const proven = name as ProvenGood;
    good[proven] = bounded(good[proven] + measured.good);
    usuallyGood[proven] = bounded(usuallyGood[proven] + (measured.usuallyGood ?? 0));
  }
  draft.metrics = metrics;
  draft.sizes = sizes;
  draft.good = good;
  draft.usuallyGood = usuallyGood;
  if (!cold) draft.above = draft.above.map((above, at) => summed(above, compared, at));
  draft.operations = testOperations(draft.operations, sides.operations, minute, {
    t: draft.minutes,
    horizon: draft.horizon,
    margin: policy.errorRateAdvance + compared.errors.offset,
    clusters: sample.clusters,
  });
  draft.latencies = testLatency(latencies, sides.latencies, {
    planned: plannedAt(minute, context),
    t: draft.minutes,
    horizon: draft.horizon,
    busy: compared.busy,
    noise: sample.noise[0]!,
  });
  draft.drift = draft.drift.map((before, at) => {
    const { primary: above, usual, good: healthy } = compared.latency[at]!;
    return usual === null
      ? before
      : driftAfter(before, { n: compared.n0, above }, { above: usual, lower: healthy.usual });
  });
}

/** A thousandth is more than the time to a proof is known to. */
const goodAfter = (draft: Draft) => (name: ProvenGood) => Math.round(logGood(draft, name) * 1_000) / 1_000;

function summed(above: Above, { n0, timed, latency }: Compared, at: number): Above {
  const { primary, same, shadow, over, usual } = latency[at]!;
  if (usual === null) return above;
  return {
    n0: above.n0 + n0,
    primary: above.primary + primary,
    n1: above.n1 + timed,
    same: above.same + same,
    slower: above.slower + shadow,
    over: above.over + over,
    usual: above.usual + timed * usual,
  };
}

/**
 * Only while readers are known to follow the flags, so never for minutes that are folded again later. A window that is
 * missing may be a report that was lost, and counts as "no reader came" only when that has lasted.
 */
function shareSpeaks(draft: Draft, minute: number, context: FoldContext): boolean {
  if (!context.flagsDeployed || minute < context.openMinute - 2 - GRACE_MINUTES) return false;
  return draft.absent === 0 || draft.absent > ABSENT_PATIENCE_MINUTES;
}

const NO_COUNTS = [0, 0, 0, 0, 0] as const;
const silent = (alternatives: number) => new Array<number>(alternatives).fill(0);

/**
 * Good evidence is kept near its limit, so that what happens now can always undo it; and not too far below, so that a
 * bad quarter of an hour does not hold a cutover for days. The lower limit costs at most e⁻¹⁵ a minute of the 5 %.
 */
const MOST_GOOD = 6;
const LEAST_GOOD = -12;
const bounded = (evidence: number) => Math.min(MOST_GOOD, Math.max(LEAST_GOOD, evidence));
