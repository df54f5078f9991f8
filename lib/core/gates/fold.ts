/**
 * The evidence of a stage: a fold over closed minutes, small enough to be stored with the cutover and always rebuildable
 * from the windows. A minute closes when every side that should report has, or three minutes later; it is folded once.
 *
 *   minute    7    8    9   10   11 (open)
 *   primary   ×    ×    ×    ×
 *   shadow    ×    ×         ×          9 waits for its shadow until 13; 10 need not wait for it
 *
 * `closedThrough` is 8 then: later minutes must be handed in again, and 10 is remembered as folded.
 */

import type { Policy } from '../cutover/cutover.ts';
import type { StageKind } from '../cutover/plan.ts';
import { type Baseline, EMPTY_BASELINE, overdispersion, withMinute } from './baseline.ts';
import { type BucketedWindow, bucketedWindow, impossible, pooled } from './bucketed-window.ts';
import { bucketsQuantileMs } from './buckets.ts';
import { cap, HORIZON_MINUTES, type Martingale, newMartingale, step, withoutEvidence } from './martingale.ts';
import {
  COUNTS,
  logNeeded,
  METRIC_ROWS,
  METRICS,
  type MeasuredMinute,
  type Metric,
  type ProvenGood,
} from './metrics.ts';
import { emptyWindow, highestShare, type MinuteWindow } from './minute-window.ts';

/** Grows when the folded state changes its meaning; an older one is rebuilt. */
export const EVIDENCE_SCHEMA = 3;

/** How long a minute waits for a side that has not reported. */
export const GRACE_MINUTES = 3;
/** A shadow whose windows never come is a black hole only after this long: until then its reports may be lost. */
const ABSENT_PATIENCE_MINUTES = 30;
export const RECENT_MINUTES = 30;

/** One of the last thirty minutes, for floors and trends. */
export type RecentMinute = {
  minute: number;
  n0: number;
  e0: number;
  n1: number;
  e1: number;
  /** 95 % of each side lie below; null without operations. */
  p95Primary: number | null;
  p95Shadow: number | null;
  checks: number;
  mismatches: number;
  /** Operations that processes took away from the shadow. */
  left?: number | undefined;
  /** Of the shadow: operations that lost their connection, of those whose sender tells; highest share of memory. */
  drops?: number | undefined;
  told?: number | undefined;
  memory?: number | undefined;
};

/** The age of the oldest un-applied change in milliseconds, and the share of the server's connections in use. */
type Look = { minute: number; lagMs: number; connections?: number | undefined };

export type Evidence = {
  schema: typeof EVIDENCE_SCHEMA;
  /** Stage, its entry, and what its policy asks: another value means another fold. */
  key: string;
  closedThrough: number;
  /** Minutes after `closedThrough` that are folded already. */
  folded: readonly number[];
  /** Judged minutes of the running horizon, and how many horizons have begun. */
  minutes: number;
  horizon: number;
  metrics: Readonly<Record<Metric, Martingale>>;
  /** ln of the evidence that the shadow is better than the rollback threshold. */
  good: Readonly<Record<ProvenGood, number>>;
  baseline: Baseline;
  /** Both sides pooled since the stage began. */
  primary: BucketedWindow;
  shadow: BucketedWindow;
  recent: readonly RecentMinute[];
  /** What the database said, once a minute of the last thirty. */
  looks: readonly Look[];
  /** Newest minute in which each side had operations, and in which it reported anything. */
  active: { primary: number | null; shadow: number | null };
  reported: { primary: number | null; shadow: number | null };
  /** Newest minute with a window that cannot be true, and why. */
  impossible: { minute: number; why: string } | null;
  /** Newest minute with checks. */
  checkedMinute: number | null;
  /** Minutes in a row with a primary and no window of the shadow. */
  absent: number;
};

export type FoldContext = {
  key: string;
  policy: Policy;
  stageKind: StageKind;
  share: number;
  /** First minute that belongs to the stage alone, and the first that is not over. */
  firstMinute: number;
  openMinute: number;
  /** True when each side reports every minute, even of nothing, and minutes are handed in when they are complete. */
  everyMinute: boolean;
  /** Readers follow the flags of this stage: only then the share of the reads says anything. */
  flagsDeployed: boolean;
};

export function newEvidence(key: string, baseline: Baseline = EMPTY_BASELINE, closedThrough = -1e9): Evidence {
  const metrics = Object.fromEntries(
    METRICS.map((name) => [name, newMartingale(METRIC_ROWS[name].prior.length, COUNTS)]),
  ) as Record<Metric, Martingale>;
  return {
    schema: EVIDENCE_SCHEMA,
    key,
    closedThrough,
    folded: [],
    minutes: 0,
    horizon: 1,
    metrics,
    good: { errors: 0, latency_p50: 0, latency_p95: 0, validation: 0 },
    baseline,
    primary: bucketedWindow(emptyWindow(0, 'primary')),
    shadow: bucketedWindow(emptyWindow(0, 'shadow')),
    recent: [],
    looks: [],
    active: { primary: null, shadow: null },
    reported: { primary: null, shadow: null },
    impossible: null,
    checkedMinute: null,
    absent: 0,
  };
}

type Minute = {
  primary: BucketedWindow | null;
  shadow: BucketedWindow | null;
  /** The shadow reported what cannot be true: somebody is there, and nothing is known of how many. */
  spoiled: boolean;
};
type Draft = { -readonly [Key in keyof Evidence]: Evidence[Key] };

/**
 * Folds the windows of minutes that are not closed yet. `windows` holds at most one window per minute and side, all of
 * those after `before.closedThrough`; `late` are windows of closed minutes, which only tell what is usual.
 */
export function fold(
  before: Evidence,
  windows: readonly MinuteWindow[],
  context: FoldContext,
  late: readonly MinuteWindow[] = [],
): Evidence {
  const draft: Draft = { ...before };
  for (const window of late.map(bucketedWindow)) {
    if (window.side === 'primary' && impossible(window) === null) draft.baseline = withMinute(draft.baseline, window);
    // Reports of the shadow are late, not missing.
    if (window.side === 'shadow') draft.absent = 0;
  }
  const waiting: number[] = [];
  let newest = before.closedThrough;
  for (const [minute, sides] of byMinute(windows, before, context, draft)) {
    newest = Math.max(newest, minute);
    if (before.folded.includes(minute)) continue;
    if (!complete(sides, minute, context) && minute >= context.openMinute - GRACE_MINUTES) {
      waiting.push(minute);
      continue;
    }
    foldMinute(draft, minute, sides, context);
    draft.folded = [...draft.folded, minute];
  }
  draft.closedThrough = waiting.length > 0 ? waiting[0]! - 1 : newest;
  draft.folded = draft.folded.filter((minute) => minute > draft.closedThrough);
  return draft;
}

/** The possible windows of closed minutes by minute, oldest first; notes on the way who reported and what is impossible. */
function byMinute(
  windows: readonly MinuteWindow[],
  { closedThrough }: Evidence,
  context: FoldContext,
  draft: Draft,
): [number, Minute][] {
  const minutes = new Map<number, Minute>();
  for (const handedIn of windows) {
    const { minute, side } = handedIn;
    if (minute <= closedThrough) continue;
    if (minute >= context.openMinute) continue;
    const sides = minutes.get(minute) ?? { primary: null, shadow: null, spoiled: false };
    minutes.set(minute, sides);
    const window = bucketedWindow(handedIn);
    const why = impossible(window);
    if (why !== null) {
      sides.spoiled ||= side === 'shadow';
      if (minute >= context.firstMinute && minute >= (draft.impossible?.minute ?? minute))
        draft.impossible = { minute, why: `${side} of minute ${minute}: ${why}` };
      continue;
    }
    sides[side] = window;
    draft.reported = later(draft.reported, side, minute);
    if (window.count > 0) draft.active = later(draft.active, side, minute);
  }
  return [...minutes].sort((a, b) => a[0] - b[0]);
}

const later = (seen: Evidence['active'], side: 'primary' | 'shadow', minute: number) =>
  (seen[side] ?? Number.NEGATIVE_INFINITY) >= minute ? seen : { ...seen, [side]: minute };

function complete({ primary, shadow }: Minute, minute: number, context: FoldContext): boolean {
  const there = (window: BucketedWindow | null) => reports(window, context);
  if (minute < context.firstMinute || context.stageKind === 'dual_write') return there(primary);
  if (context.stageKind === 'full') return there(shadow);
  return there(primary) && there(shadow);
}

/** A window without operations, only with checks, is no report where senders do not report an empty minute. */
const reports = (window: BucketedWindow | null, { everyMinute }: FoldContext) =>
  window !== null && (everyMinute || window.count > 0);

function foldMinute(draft: Draft, minute: number, sides: Minute, context: FoldContext): void {
  if (minute >= context.firstMinute) {
    pool(draft, minute, sides);
    if (context.stageKind === 'ramp' || context.stageKind === 'full') testMinute(draft, minute, sides, context);
  }
  // Last: the minute that is measured is not part of what it is compared with.
  if (sides.primary) draft.baseline = withMinute(draft.baseline, sides.primary);
}

function pool(draft: Draft, minute: number, { primary, shadow }: Minute): void {
  if (primary) draft.primary = pooled(minute, draft.primary, primary);
  if (shadow) draft.shadow = pooled(minute, draft.shadow, shadow);
  if (shadow && shadow.checks > 0) draft.checkedMinute = Math.max(minute, draft.checkedMinute ?? minute);
  const p95 = (window: BucketedWindow | null) => (window ? bucketsQuantileMs(window.latency, 0.95) : null);
  const recent: RecentMinute = {
    minute,
    n0: primary?.count ?? 0,
    e0: primary?.errors ?? 0,
    n1: shadow?.count ?? 0,
    e1: shadow?.errors ?? 0,
    p95Primary: p95(primary),
    p95Shadow: p95(shadow),
    checks: shadow?.checks ?? 0,
    mismatches: shadow?.mismatches ?? 0,
    ...(primary?.left ? { left: primary.left } : {}),
    ...(shadow?.told ? { told: shadow.told, drops: shadow.drops ?? 0 } : {}),
    ...(shadow?.memory ? { memory: highestShare(shadow.memory) } : {}),
  };
  const place = draft.recent.findLastIndex((other) => other.minute <= minute) + 1;
  draft.recent = draft.recent.toSpliced(place, 0, recent).slice(-RECENT_MINUTES);
}

function testMinute(draft: Draft, minute: number, sides: Minute, context: FoldContext): void {
  draft.absent = reports(sides.shadow, context) || !sides.primary ? 0 : draft.absent + 1;
  draft.minutes += 1;
  if (draft.minutes > HORIZON_MINUTES) startHorizon(draft);
  const { policy, share } = context;
  const { baseline } = draft;
  const clusters = overdispersion(baseline);
  const sample: MeasuredMinute = { ...sides, baseline, clusters, policy, share };
  const metrics = { ...draft.metrics };
  const good = { ...draft.good };
  for (const name of METRICS) {
    const { prior, measure } = METRIC_ROWS[name];
    const measured =
      name === 'share' && (sides.spoiled || !shareSpeaks(draft, minute, context)) ? null : measure(sample);
    const limits = cap(logNeeded(name, draft.horizon), prior);
    const { logRatios, counts } = measured ?? { logRatios: silent(prior.length), counts: NO_COUNTS };
    metrics[name] = step(draft.metrics[name], { t: draft.minutes, logRatios, counts }, limits);
    if (measured && name !== 'share') good[name] = bounded(good[name] + measured.good);
  }
  draft.metrics = metrics;
  draft.good = good;
}

function startHorizon(draft: Draft): void {
  draft.minutes = 1;
  draft.horizon += 1;
  draft.metrics = Object.fromEntries(METRICS.map((name) => [name, withoutEvidence(draft.metrics[name])])) as Record<
    Metric,
    Martingale
  >;
}

/**
 * Only while readers are known to follow the flags, so never for minutes that are folded again later. A window that is
 * missing may be a report that was lost, and counts as "no reader came" only when that has lasted.
 */
function shareSpeaks(draft: Draft, minute: number, context: FoldContext): boolean {
  if (!context.flagsDeployed || minute < context.openMinute - 1 - GRACE_MINUTES) return false;
  return draft.absent === 0 || draft.absent > ABSENT_PATIENCE_MINUTES;
}

const NO_COUNTS = [0, 0, 0, 0, 0] as const;
const SILENCE = Array.from({ length: 8 }, () => 0);
const silent = (alternatives: number) => SILENCE.slice(0, alternatives);

/**
 * Good evidence is kept near its limit, so that what happens now can always undo it; and not too far below, so that a
 * bad quarter of an hour does not hold a cutover for days. The lower limit costs at most e⁻¹⁵ a minute of the 5 %.
 */
const MOST_GOOD = 6;
const LEAST_GOOD = -12;
const bounded = (evidence: number) => Math.min(MOST_GOOD, Math.max(LEAST_GOOD, evidence));
