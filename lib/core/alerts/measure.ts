/** The figures that alert rules watch, taken from what one tick has seen of one cutover. `null`: there is no figure. */

import { DAY_MINUTES, MINUTE_MS } from '../base/units.ts';
import { hasRole } from '../conditions/table.ts';
import type { Verdict } from '../conditions/verdict.ts';
import type { AlertMetric } from '../cutover/alert-rule.ts';
import type { CutoverState, Policy, Side } from '../cutover/cutover.ts';
import { effectiveKind, isNormal } from '../cutover/switches.ts';
import { highestRate } from '../gates/baseline.ts';
import { bucketsOf, countAbove } from '../gates/buckets.ts';
import { bucketIndex, quantileMs } from '../gates/histogram.ts';
import { type MinuteWindow, poolWindows } from '../gates/minute-window.ts';
import { firstMinuteOf } from '../gates/seen.ts';
import { binomialTail } from '../gates/statistics.ts';
import { currentVerification } from '../gates/table-conditions.ts';
import type { TableStatus } from '../gates/table-status.ts';
import { deadlineCondition } from '../holds/deadline.ts';

export type AlertSample = {
  state: CutoverState;
  policy: Policy;
  /** Minutes of both sides, oldest first, at least `lookMinutes` of them. Those still open, and those before the stage, are left out. */
  windows: readonly MinuteWindow[];
  /** Newest minute in which each side had operations, when that was longer ago than the windows reach. */
  active?: Readonly<Record<Side, number | null>> | undefined;
  table: TableStatus | null;
  flagsDeployed: boolean;
  nowMs: number;
  /** `null` while the gates have not judged yet. */
  verdict: Verdict | null;
  /** Why the tick itself has rolled it back just now; `null` when it has not. */
  rolledBack: string | null;
};

type Pools = { primary: MinuteWindow; shadow: MinuteWindow };

/** The value of a metric over the closed minutes of the window, or now. */
export function measure(
  metric: AlertMetric,
  sample: AlertSample,
  windowMinutes: number,
  minSamples: number,
): number | null {
  const value = figureOf(metric, sample, () => poolsOf(sample, windowMinutes), Math.max(1, minSamples));
  return value === null || !Number.isFinite(value) ? null : value;
}

function figureOf(metric: AlertMetric, sample: AlertSample, pools: () => Pools, minSamples: number): number | null {
  switch (metric) {
    case 'error_rate':
      return errorRate(pools().shadow, minSamples);
    case 'error_increase': {
      const { primary, shadow } = pools();
      const usual = errorRate(primary, minSamples);
      const more = difference(errorRate(shadow, minSamples), usual);
      if (more === null || usual === null) return null;
      return explained(shadow.count, shadow.errors, highestRate(usual, primary.count)) ? Math.min(0, more) : more;
    }
    case 'primary_error_rate':
      return errorRate(pools().primary, minSamples);
    case 'availability':
      return difference(1, errorRate(pools().shadow, minSamples));
    case 'p50_ms':
      return quantile(pools().shadow, 0.5, minSamples);
    case 'p95_ms':
      return quantile(pools().shadow, 0.95, minSamples);
    case 'p50_increase':
      return increase(pools(), 0.5, minSamples, sample.policy);
    case 'p95_increase':
      return increase(pools(), 0.95, minSamples, sample.policy);
    case 'mismatch_rate': {
      const { checks, mismatches } = pools().shadow;
      return ratio(mismatches, checks, minSamples);
    }
    case 'keyless_rate': {
      const { primary, shadow } = pools();
      return ratio(primary.keyless + shadow.keyless, primary.count + shadow.count, minSamples);
    }
    case 'operations':
      return operations(sample, pools().shadow);
    case 'data_age_minutes':
      return dataAge(sample);
    case 'flag_drift_minutes':
      return sample.flagsDeployed ? 0 : Math.max(0, sample.nowMs - sample.state.changedAtMs) / MINUTE_MS;
    case 'database_away_minutes':
      return sample.verdict && databaseAwayMinutes(sample.verdict, sample.nowMs);
    case 'deadline_passed': {
      // A person who has switched reads or writes has stopped the clock.
      if (!isNormal(sample.state)) return 0;
      const deadline = deadlineCondition(sample.policy, sample.state, sample.nowMs);
      return deadline && !deadline.ok ? 1 : 0;
    }
    case 'intent_dropped':
      return sample.state.dropped ? 1 : 0;
    case 'hold_minutes':
      return holdMinutes(sample);
    case 'early_warning_minutes':
      return earlyWarning(sample.verdict);
    case 'rolled_back':
      return sample.verdict === null
        ? null
        : sample.rolledBack !== null || sample.state.stageKind === 'rolled_back' || revertUnderWay(sample.state)
          ? 1
          : 0;
    default:
      return sample.table && tableValue(metric, sample.table, sample.state);
  }
}

type TableMetric = Extract<
  AlertMetric,
  | 'lag_ms'
  | 'outbox_rows'
  | 'quarantined'
  | 'divergences'
  | 'divergence_rate'
  | 'validation_score'
  | 'sync_rate'
  | 'shape_changes'
>;

function tableValue(metric: TableMetric, table: TableStatus, state: CutoverState): number | null {
  const verification = currentVerification(table, state);
  switch (metric) {
    case 'lag_ms':
      return table.lagMs;
    case 'outbox_rows':
      return table.outboxRows;
    case 'quarantined':
      return table.quarantined;
    case 'shape_changes':
      return table.shape ? table.shape.differences.length + (table.shape.gap === null ? 0 : 1) : 0;
    case 'divergences':
      return verification?.divergences ?? null;
    case 'divergence_rate':
      return verification && ratio(verification.divergences, verification.rowsCompared, 1);
    case 'validation_score':
      return verification?.score ?? null;
    case 'sync_rate': {
      if (!verification) return null;
      const behind = verification.divergences + table.outboxRows + table.quarantined;
      return verification.rowsCompared > 0 ? Math.max(0, 1 - behind / verification.rowsCompared) : null;
    }
  }
}

const firstMinute = ({ state }: AlertSample) => firstMinuteOf(state);
const openMinute = ({ nowMs }: AlertSample) => Math.floor(nowMs / MINUTE_MS);

function poolsOf(sample: AlertSample, windowMinutes: number): Pools {
  const to = openMinute(sample);
  const from = Math.max(firstMinute(sample), to - windowMinutes);
  const pool = (side: 'primary' | 'shadow') =>
    poolWindows(
      from,
      side,
      sample.windows.filter((window) => window.side === side && window.minute >= from && window.minute < to),
    );
  return { primary: pool('primary'), shadow: pool('shadow') };
}

/** None in a stage that has no closed minute yet is no figure. */
function operations(sample: AlertSample, shadow: MinuteWindow): number | null {
  return openMinute(sample) > firstMinute(sample) ? shadow.count : null;
}

function dataAge(sample: AlertSample): number | null {
  const kind = effectiveKind(sample.state);
  const sides: Side[] = kind === 'full' ? ['shadow'] : ['primary'];
  if (kind === 'ramp') sides.push('shadow');
  const ages = sides.map((side) => {
    const newest = sample.windows.filter((window) => window.side === side && window.count > 0).at(-1)?.minute;
    // Before the first operation of a stage its age is that of the stage.
    return openMinute(sample) - Math.max(newest ?? 0, sample.active?.[side] ?? 0, firstMinute(sample) - 1);
  });
  return Math.max(0, ...ages);
}

function holdMinutes({ state, verdict, nowMs }: AlertSample): number | null {
  if (!verdict) return null;
  if (verdict.verdict !== 'hold') return 0;
  const dwell = state.plan.stages.find((stage) => stage.name === state.stage)?.dwellMinutes ?? 0;
  const beyondDwell = verdict.evidence.minutesInStage - dwell;
  const held = (nowMs - (verdict.heldSinceMs ?? state.enteredAtMs)) / MINUTE_MS;
  return Math.max(0, Math.min(beyondDwell, held));
}

/** Since the first look of this stage that it did not answer. */
function databaseAwayMinutes({ conditions }: Verdict, nowMs: number): number {
  const away = conditions.find(({ code, ok }) => code === 'database' && !ok);
  return away ? Math.max(0, nowMs - (away.sinceMs ?? nowMs)) / MINUTE_MS : 0;
}

/** The gates' own forecast where they make one: a condition that counts the minutes until a limit is reached. */
function earlyWarning(verdict: Verdict | null): number | null {
  if (!verdict) return null;
  const minutes = verdict.conditions.flatMap((condition) =>
    hasRole(condition, 'forecast') && !condition.ok && typeof condition.seen === 'number' ? [condition.seen] : [],
  );
  return minutes.length > 0 ? Math.min(...minutes) : DAY_MINUTES;
}

const revertUnderWay = ({ pending }: CutoverState) => pending?.action === 'revert' || pending?.withdrawn !== undefined;

const ratio = (part: number, whole: number, least: number) => (whole >= least && whole > 0 ? part / whole : null);
const errorRate = (window: MinuteWindow, least: number) => ratio(window.errors, window.count, least);
const quantile = (window: MinuteWindow, q: number, least: number) =>
  window.count >= least ? quantileMs(window.latency, q) : null;

const countSlower = ({ latency }: MinuteWindow, ms: number) => countAbove(bucketsOf(latency), bucketIndex(ms));

function difference(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a - b;
}

/**
 * A difference that chance explains is none: a rule is asked every minute for weeks, and of thirty operations one or two fail in some of
 * them. Once in a million looks it is taken for more.
 */
const CHANCE = 1e-6;
const explained = (n: number, found: number, rate: number) => binomialTail(n, found, rate) > CHANCE;

/** As a fraction of the primary's value; a difference below the floor of the policy, or one that chance explains, is none. */
function increase(pools: Pools, q: number, least: number, policy: Policy): number | null {
  const old = quantile(pools.primary, q, least);
  const now = quantile(pools.shadow, q, least);
  if (old === null || now === null || old <= 0) return null;
  const beyond = countSlower(pools.shadow, old);
  const none =
    now - old <= policy.latencyFloorMs ||
    explained(pools.shadow.count, beyond, highestRate(1 - q, pools.primary.count));
  return none ? Math.min(0, now / old - 1) : now / old - 1;
}
