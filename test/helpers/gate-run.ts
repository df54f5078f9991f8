/** One seeded stage through the evidence engine, a look a minute; and the naive rules on the same minutes. */

import { DEFAULT_POLICY, initialState, type Policy } from '../../lib/core/cutover/cutover.ts';
import { evaluateGates } from '../../lib/core/gates/evaluate.ts';
import type { Evidence } from '../../lib/core/gates/evidence.ts';
import { bucketIndex, quantileMs } from '../../lib/core/gates/histogram.ts';
import type { MinuteWindow } from '../../lib/core/gates/minute-window.ts';
import { normalUpper } from '../../lib/core/report/distributions.ts';
import { binomial, drawnMinute, latenciesOf, type Random, randomFrom } from './gate-traffic.ts';
import { partsOf } from './parts.ts';

const MINUTE_MS = 60_000;
const HISTORY_MINUTES = 60;
const CHECKS_PER_MINUTE = 60;

export type Stage = {
  rps: number;
  share: number;
  errorRate: number;
  /** What is wrong with the shadow, and from which minute on. */
  moreErrors: number;
  slower: number;
  fromMinute: number;
  /** Every read goes to both sides. */
  mirrored: boolean;
  minutes: number;
  /** Of the checked rows so many differ. */
  mismatchRate?: number;
  /** What the primary serves is asked of the shadow, too, and both are compared. */
  compared?: boolean;
  /** How often an operation that failed is tried in all; the others fail, too. */
  tries?: number;
};

export type Outcome = {
  rollback: number | null;
  codes: readonly string[];
  /** First minute in which it was rolled back or held as proven worse. */
  noticed: number | null;
  advance: number | null;
  steps: number;
  /** Time inside the engine alone, without traffic and naive rules, in milliseconds. */
  judgedMs: number;
  /** First minute in which each naive rule would have rolled back. */
  naive: Record<Naive, number | null>;
};

export const NAIVE = ['thresholds', 'zPerWindow', 'zCumulative'] as const;
type Naive = (typeof NAIVE)[number];

const POLICY: Policy = { ...DEFAULT_POLICY, latencyFloorMs: 0, minSamples: 1 };
const HUMP = { medianMs: 100, spread: 0.6, weight: 1 };
const known = new Map<number, ReturnType<typeof latenciesOf>>();

function latencies(slower: number) {
  const there = known.get(slower) ?? latenciesOf([{ ...HUMP, medianMs: HUMP.medianMs * slower }]);
  known.set(slower, there);
  return there;
}

/** The same seed and stage give the same outcome, everywhere. */
export function runStage(seed: number, stage: Stage): Outcome {
  const random = randomFrom(seed);
  const all = stage.rps * 60;
  const perMinute = (share: number) => (stage.mirrored ? all : all * share);
  const primary = { perMinute: perMinute(1 - stage.share), errorRate: stage.errorRate, latencies: latencies(1) };
  const state = {
    ...initialState({ id: 'run', kind: 'component', plan: planOf(stage) }),
    version: 1,
    stage: 'stage',
    stageKind: 'ramp',
    enteredAtMs: MINUTE_MS - 1,
  } as const;
  let windows: MinuteWindow[] = [];
  for (let minute = -HISTORY_MINUTES; minute <= 0; minute += 1)
    windows.push(drawnMinute(random, minute, 'primary', { ...primary, perMinute: all }));
  let evidence: Evidence | null = null;
  const naive = naiveRules();
  const outcome: Outcome = {
    rollback: null,
    codes: [],
    noticed: null,
    advance: null,
    steps: 0,
    judgedMs: 0,
    naive: naive.fired,
  };
  for (let minute = 1; minute <= stage.minutes; minute += 1) {
    const wrong = minute >= stage.fromMinute;
    const before = triedAgain(drawnMinute(random, minute, 'primary', primary), stage);
    const after = {
      ...triedAgain(
        drawnMinute(random, minute, 'shadow', {
          perMinute: perMinute(stage.share),
          errorRate: stage.errorRate + (wrong ? stage.moreErrors : 0),
          latencies: latencies(wrong ? 1 + stage.slower : 1),
        }),
        stage,
      ),
      ...(stage.compared ? pairsOf(random, before, stage.errorRate + (wrong ? stage.moreErrors : 0)) : {}),
      checks: CHECKS_PER_MINUTE,
      mismatches: binomial(random, CHECKS_PER_MINUTE, stage.mismatchRate ?? 0.0005),
    };
    naive.look(minute, before, after);
    windows.push(before, after);
    const nowMs = (minute + 1) * MINUTE_MS;
    const asked = performance.now();
    const judged = evaluateGates({
      state,
      policy: POLICY,
      parts: partsOf(windows),
      evidence,
      checksRequired: true,
      table: null,
      flagsDeployed: true,
      nowMs,
    });
    outcome.judgedMs += performance.now() - asked;
    evidence = judged.evidence;
    const closed = evidence.closedThrough;
    windows = windows.filter((window) => window.minute > closed);
    outcome.steps += 1;
    if (judged.verdict.verdict === 'advance') outcome.advance ??= minute;
    if (judged.verdict.reasons.some(({ code }) => code === 'proven_regression')) outcome.noticed ??= minute;
    if (judged.verdict.verdict === 'rollback') {
      outcome.noticed ??= minute;
      return { ...outcome, rollback: minute, codes: judged.verdict.reasons.map(({ code }) => code) };
    }
  }
  return outcome;
}

/** Both sides fail independently of each other. */
function pairsOf(random: Random, { count, errors }: MinuteWindow, shadowRate: number) {
  const onlyShadow = binomial(random, count - errors, shadowRate);
  return { pairs: count, onlyShadow, onlyPrimary: errors - binomial(random, errors, shadowRate) };
}

/** As long as the others: 100 ms. */
function triedAgain(window: MinuteWindow, { tries = 1 }: Stage): MinuteWindow {
  const more = window.errors * (tries - 1);
  if (more === 0) return window;
  const bucket = bucketIndex(HUMP.medianMs);
  return {
    ...window,
    count: window.count + more,
    errors: window.errors + more,
    latency: { ...window.latency, [bucket]: (window.latency[bucket] ?? 0) + more },
  };
}

const planOf = ({ share }: Stage) => ({
  name: 'run',
  stages: [{ name: 'stage', kind: 'ramp' as const, sharePpm: Math.round(share * 1e6), dwellMinutes: 5 }],
});

// ---------------------------------------------------------------------------------------------------- naive rules

const Z_99 = normalUpper(0.01);

/** What one would write first: thresholds with three bad minutes in a row, and z-tests of errors with a look a minute. */
function naiveRules() {
  const fired: Record<Naive, number | null> = { thresholds: null, zPerWindow: null, zCumulative: null };
  const sums = { n0: 0, e0: 0, n1: 0, e1: 0 };
  let bad = 0;
  return {
    fired,
    look(minute: number, before: MinuteWindow, after: MinuteWindow): void {
      bad = beyond(before, after) ? bad + 1 : 0;
      if (bad >= 3) fired.thresholds ??= minute;
      const now = { n0: before.count, e0: before.errors, n1: after.count, e1: after.errors };
      if (zOf(now) > Z_99) fired.zPerWindow ??= minute;
      for (const name of ['n0', 'e0', 'n1', 'e1'] as const) sums[name] += now[name];
      if (zOf(sums) > Z_99) fired.zCumulative ??= minute;
    },
  };
}

function beyond(before: MinuteWindow, after: MinuteWindow): boolean {
  if (after.count === 0) return false;
  const [old, now] = [quantileMs(before.latency, 0.95), quantileMs(after.latency, 0.95)];
  return (
    after.errors / after.count >= POLICY.errorRateRollback ||
    (old !== null && now !== null && now >= old * (1 + POLICY.latencyIncreaseRollback)) ||
    1 - after.mismatches / after.checks < POLICY.validationScoreRollback
  );
}

function zOf({ n0, e0, n1, e1 }: { n0: number; e0: number; n1: number; e1: number }): number {
  const pooled = (e0 + e1) / (n0 + n1);
  if (n0 === 0 || n1 === 0 || pooled === 0 || pooled === 1) return 0;
  return (e1 / n1 - e0 / n0) / Math.sqrt(pooled * (1 - pooled) * (1 / n0 + 1 / n1));
}
