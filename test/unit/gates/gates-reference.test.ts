/**
 * The evidence against slow implementations that share nothing with it: the projection onto the null in whole numbers,
 * the mixture summed over every minute of the change, and the mean of an e-variable over every outcome there is.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_POLICY, type Policy, type Side } from '../../../lib/core/cutover/cutover.ts';
import { type Baseline, EMPTY_BASELINE } from '../../../lib/core/gates/baseline.ts';
import { bucketedWindow } from '../../../lib/core/gates/bucketed-window.ts';
import { bucketsOf } from '../../../lib/core/gates/buckets.ts';
import { logNeededOf, OPERATIONS_BUDGET } from '../../../lib/core/gates/budget.ts';
import { compare } from '../../../lib/core/gates/compared.ts';
import { groundOf } from '../../../lib/core/gates/ground.ts';
import {
  binomialLogRatio,
  PAIR_LAMBDAS,
  pairLogRatio,
  type TwoSample,
  twoSampleLogRatio,
} from '../../../lib/core/gates/likelihood.ts';
import {
  cap,
  HORIZON_MINUTES,
  logEvidence,
  logWeight,
  newMartingale,
  step,
} from '../../../lib/core/gates/martingale.ts';
import { logNeeded, METRIC_ROWS, METRICS, type Metric } from '../../../lib/core/gates/metrics.ts';
import { emptyWindow, type MinuteWindow } from '../../../lib/core/gates/minute-window.ts';

const close = (seen: number, wanted: number, relative = 1e-9) =>
  expect(Math.abs(seen - wanted), `${seen}, not ${wanted}`).toBeLessThanOrEqual(
    relative * Math.max(1, Math.abs(wanted)),
  );

// ------------------------------------------------------------------------------------------------------- projection

const DIGITS = 40;
const ONE = 10n ** BigInt(DIGITS);
/** The value of a decimal as it is written, in units of 10⁻⁴⁰. */
const whole = (value: number) => BigInt(Math.round(value * 1e12)) * 10n ** BigInt(DIGITS - 12);

/** The point of the border that explains the alternative best, by the sign of a polynomial in whole numbers: no rounding. */
function projected({ n0, n1 }: TwoSample, q0: number, q1: number, margin: number): number {
  const [Q0, Q1, M] = [whole(q0), whole(q1), whole(margin)];
  let [low, high] = Q1 > Q0 + M ? [Q0, Q1 - M] : [Q1 - M > 0n ? Q1 - M : 0n, Q0];
  for (let i = 0; i < 120; i += 1) {
    const a = (low + high) / 2n;
    const b = a + M;
    const slope = BigInt(n0) * (a - Q0) * b * (ONE - b) + BigInt(n1) * (b - Q1) * a * (ONE - a);
    if (slope < 0n) low = a;
    else high = a;
  }
  return Number(low) / Number(ONE);
}

const rate = fc.integer({ min: 1, max: 900_000 }).map((millionths) => millionths / 1e6);

describe('two samples', () => {
  it('agree with the projection found in whole numbers, to 1e-9', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60_000 }),
        fc.integer({ min: 1, max: 60_000 }),
        fc.double({ min: 0, max: 0.3, noNaN: true }),
        fc.double({ min: 0, max: 0.3, noNaN: true }),
        rate,
        rate,
        fc.constantFrom(0, 0.001, 0.01),
        (n0, n1, share0, share1, q0, q1, margin) => {
          fc.pre(Math.abs(q1 - q0 - margin) > 1e-5 && q0 + margin < 0.99 && q1 > margin + 1e-5);
          const minute = { n0, e0: Math.round(n0 * share0), n1, e1: Math.round(n1 * share1) };
          const a = projected(minute, q0, q1, margin);
          const b = a + margin;
          const wanted =
            minute.e0 * Math.log(q0 / a) +
            (n0 - minute.e0) * Math.log((1 - q0) / (1 - a)) +
            minute.e1 * Math.log(q1 / b) +
            (n1 - minute.e1) * Math.log((1 - q1) / (1 - b));
          // The terms are large and of both signs; the digits are those of the terms.
          const size =
            Math.abs(minute.e0 * Math.log(q0 / a)) +
            Math.abs(minute.e1 * Math.log(q1 / b)) +
            n0 * Math.abs(q0 - a) +
            n1 * Math.abs(q1 - b);
          close(
            twoSampleLogRatio(minute, q0, q1, margin),
            wanted,
            1e-9 * Math.max(1, size / Math.max(1, Math.abs(wanted))),
          );
        },
      ),
    );
  });

  it('nothing on one side says nothing', () => {
    expect(twoSampleLogRatio({ n0: 0, e0: 0, n1: 10, e1: 10 }, 0.01, 0.5, 0)).toBe(0);
    expect(twoSampleLogRatio({ n0: 10, e0: 0, n1: 0, e1: 0 }, 0.01, 0.5, 0)).toBe(0);
  });
});

// ---------------------------------------------------------------------------------------------------- safe evidence

/** Every probability of Binomial(n, p), by Pascal's triangle. */
function pmf(n: number, p: number): number[] {
  let row = [1];
  for (let i = 0; i < n; i += 1) row = [0, ...row].map((below, k) => below * p + (row[k] ?? 0) * (1 - p));
  return row;
}

function mean(n0: number, p0: number, n1: number, p1: number, logRatio: (e0: number, e1: number) => number): number {
  const [a, b] = [pmf(n0, p0), pmf(n1, p1)];
  return a.reduce(
    (sum, pa, e0) => sum + b.reduce((inner, pb, e1) => inner + pa * pb * Math.exp(logRatio(e0, e1)), 0),
    0,
  );
}

const NO_COUNTS = [0, 0, 0, 0, 0] as const;
const GRID = [0.0005, 0.005, 0.02, 0.045, 0.1, 0.3, 0.6, 0.9];
/** The highest mean over points of the null p1 ≤ p0 + margin, most of them on its border. */
function highestMean(margin: number, logRatio: (e0: number, e1: number) => number): number {
  const nulls = GRID.flatMap((p0) => [p0 + margin, p0 + margin / 2, p0 / 3].map((p1) => [p0, p1] as const));
  return Math.max(...nulls.map(([p0, p1]) => mean(30, p0, 9, p1, logRatio)));
}

describe('I22 evidence of nothing has a mean of at most 1', () => {
  const [q0, q1, margin] = [0.005, 0.085, 0.001];

  it('for two samples, wherever in the null the truth lies', () => {
    for (const worse of [0.01, 0.021, 0.051, 0.306, 0.6])
      expect(
        highestMean(margin, (e0, e1) => twoSampleLogRatio({ n0: 30, e0, n1: 9, e1 }, q0, worse, margin)),
      ).toBeLessThanOrEqual(1 + 1e-9);
  });

  it('not without the projection: negative control', () => {
    const plain = (e0: number, e1: number) =>
      binomialLogRatio(30, e0, q0, q0) + binomialLogRatio(9, e1, q1, q0 + margin);
    expect(highestMean(margin, plain)).toBeGreaterThan(1.5);
  });

  it('for pairs, and not when the margin is forgotten: negative control', () => {
    const highest = (given: number) =>
      Math.max(
        ...PAIR_LAMBDAS.flatMap((lambda) =>
          GRID.filter((c) => c < 0.4).map((c) => {
            const b = c + 0.05;
            // One pair: the shadow alone fails, the primary alone, or both do the same.
            const of = (shadowOnly: number, primaryOnly: number) =>
              Math.exp(pairLogRatio({ n: 1, shadowOnly, primaryOnly }, lambda, given));
            return b * of(1, 0) + c * of(0, 1) + (1 - b - c) * of(0, 0);
          }),
        ),
      );
    expect(highest(0.05)).toBeLessThanOrEqual(1 + 1e-12);
    expect(highest(0)).toBeGreaterThan(1.01);
  });
});

/** Minutes of few operations, made so that a metric finds e0 and e1 in them; and the truth on the border of its null. */
type Small = {
  minute(e0: number, e1: number): Parameters<(typeof METRIC_ROWS)[Metric]['measure']>[0];
  n0: number;
  n1: number;
  border: readonly (readonly [p0: number, p1: number])[];
};
const [N0, N1] = [24, 9];
const [FAST, SLOW] = [100, 200];
const POLICY: Policy = { ...DEFAULT_POLICY, latencyFloorMs: 0 };
const windowOf = (side: Side, count: number, bad: Partial<MinuteWindow>): MinuteWindow => ({
  ...emptyWindow(1, side),
  count,
  ...bad,
});
type Whole = { primary: MinuteWindow | null; shadow: MinuteWindow; baseline: Baseline; policy?: Policy };

/** A minute of both sides without slices, as a stage of 30 % measures it. */
function measuredMinute({ primary, shadow, baseline, policy = POLICY }: Whole) {
  const ground = groundOf({ baseline, slices: [], levels: null, drift: [0, 0, 0] }, { policy, share: 0.3, ends: [] });
  const sideOf = (window: MinuteWindow) => ({ all: bucketedWindow(window), slices: [] });
  return {
    compared: compare(primary && sideOf(primary), sideOf(shadow), ground, []),
    shadow: bucketedWindow(shadow),
    policy,
    clusters: 1,
    noise: [0, 0, 0],
    noiseBeyond: [0, 0, 0],
  };
}

describe('errors of pairs and of what was served', () => {
  const served = { primary: windowOf('primary', 40, { errors: 1 }), shadow: windowOf('shadow', 12, { errors: 2 }) };
  const paired = { pairs: 36, onlyShadow: 3, onlyPrimary: 1 };
  const measured = (primary: MinuteWindow, shadow: MinuteWindow) =>
    METRIC_ROWS.errors.measure(
      measuredMinute({ primary, shadow, baseline: { ...EMPTY_BASELINE, minute: 0, count: 10_000, errors: 100 } }),
    )!;
  const nothing = windowOf('shadow', 0, { latency: {} });

  it('are one mean of two e-variables, weighed by the operations of the shadow in each: 12 and 36', () => {
    const alone = measured(served.primary, served.shadow);
    const pairs = measured(served.primary, { ...nothing, ...paired });
    const both = measured(served.primary, { ...served.shadow, ...paired });
    for (const [k, l] of both.logRatios.entries())
      close(Math.exp(l), 0.25 * Math.exp(alone.logRatios[k]!) + 0.75 * Math.exp(pairs.logRatios[k]!));
    close(Math.exp(both.good), 0.25 * Math.exp(alone.good) + 0.75 * Math.exp(pairs.good));
    expect(both.counts).toEqual(alone.counts.map((count, i) => count + pairs.counts[i]!));
  });

  it('prove nothing in the mean: of all pairs on the border no alternative gains, and the proof of good neither', () => {
    const [n, c] = [12, 0.2];
    const meanOf = (b: number, value: (of: ReturnType<typeof measured>) => number) => {
      const shadowOnly = pmf(n, b);
      // P(x alone the shadow, y alone the primary) of n, as a binomial of what the first one left.
      let sum = 0;
      for (let x = 0; x <= n; x += 1) {
        const rest = pmf(n - x, c / (1 - b));
        for (let y = 0; y <= n - x; y += 1)
          sum +=
            shadowOnly[x]! *
            rest[y]! *
            Math.exp(value(measured(served.primary, { ...nothing, pairs: n, onlyShadow: x, onlyPrimary: y })));
      }
      return sum;
    };
    for (let k = 0; k < PAIR_LAMBDAS.length; k += 1)
      expect(meanOf(c + POLICY.errorRateAdvance, ({ logRatios }) => logRatios[k]!)).toBeLessThanOrEqual(1 + 1e-9);
    expect(meanOf(c + POLICY.errorRateRollback, ({ good }) => good)).toBeLessThanOrEqual(1 + 1e-9);
    // Negative control: beyond the border the alternatives gain.
    expect(meanOf(c + 0.2, ({ logRatios }) => logRatios[2]!)).toBeGreaterThan(1.1);
  });
});

const smallOf = (
  given: Partial<Baseline>,
  of: (e: number, n: number) => Partial<MinuteWindow>,
  margin: number,
): Small => ({
  n0: N0,
  n1: N1,
  border: GRID.map((p0) => [p0, p0 + margin]),
  minute: (e0, e1) =>
    measuredMinute({
      primary: windowOf('primary', N0, of(e0, N0)),
      shadow: windowOf('shadow', N1, of(e1, N1)),
      baseline: { ...EMPTY_BASELINE, minute: 0, count: 10_000, ...given },
    }),
});
const failures = (e: number) => ({ errors: e });
const latencies = (e: number, n: number) => ({ latency: { [FAST]: n - e, [SLOW]: e } });
const SMALL: Record<Metric, readonly Small[]> = {
  errors: [5, 100, 3_000].map((errors) => smallOf({ errors }, failures, POLICY.errorRateAdvance)),
  latency_p50: [45, 20].map((above) =>
    smallOf({ latency: bucketsOf({ [FAST]: 100 - above, [SLOW]: above }) }, latencies, 0),
  ),
  latency_p95: [4.5, 1].map((above) =>
    smallOf({ latency: bucketsOf({ [FAST]: 100 - above, [SLOW]: above }) }, latencies, 0),
  ),
  latency_p99: [0.9, 0.2].map((above) =>
    smallOf({ latency: bucketsOf({ [FAST]: 100 - above, [SLOW]: above }) }, latencies, 0),
  ),
  validation: [
    {
      ...smallOf({}, () => ({}), 0),
      n0: 0,
      n1: 60,
      border: [[0, 1 - POLICY.validationScoreRollback]],
      minute: (_, e1) => ({
        ...smallOf({}, () => ({}), 0).minute(0, 0),
        shadow: bucketedWindow(windowOf('shadow', 1, { checks: 60, mismatches: e1 })),
      }),
    },
  ],
  share: [
    {
      ...smallOf({}, () => ({}), 0),
      n0: 0,
      n1: 30,
      // A tenth of the ten that should have come, of thirty in all.
      border: [[0, 1 / 30]],
      minute: (_, e1) => {
        const { compared, ...rest } = smallOf({}, () => ({}), 0).minute(0, 0);
        return { ...rest, compared: { ...compared, n0: 20, n1: e1, expected: 10, arrived: e1 } };
      },
    },
  ],
};

/** The mean over every outcome of what `of` makes of the metric's log ratios, at the point of the border where it is highest. */
function highestOnBorder(metric: Metric, of: (logRatios: readonly number[]) => number): number {
  return Math.max(
    ...SMALL[metric].flatMap(({ minute, n0, n1, border }) => {
      const said = Array.from({ length: n0 + 1 }, (_, e0) =>
        Array.from({ length: n1 + 1 }, (_, e1) => of(METRIC_ROWS[metric].measure(minute(e0, e1))!.logRatios)),
      );
      return border.map(([p0, p1]) => mean(n0, p0, n1, p1, (e0, e1) => Math.log(said[e0]![e1]!)));
    }),
  );
}

describe.each(METRICS)('I22 the alternatives of %s', (metric) => {
  const { prior } = METRIC_ROWS[metric];

  it('have a mean of at most 1 on the border of the null, each by itself, and are not silent', () => {
    for (const k of prior.keys()) {
      expect(highestOnBorder(metric, (ratios) => Math.exp(ratios[k]!))).toBeLessThanOrEqual(1 + 1e-9);
      expect(highestOnBorder(metric, (ratios) => Math.abs(ratios[k]!) + 1)).toBeGreaterThan(1.001);
    }
  });

  it('and weighed by their priors, which are together 1', () => {
    close(
      prior.reduce((sum, weight) => sum + weight, 0),
      1,
    );
    const weighed = (times: number) =>
      highestOnBorder(metric, (ratios) => ratios.reduce((sum, l, k) => sum + times * prior[k]! * Math.exp(l), 0));
    expect(weighed(1)).toBeLessThanOrEqual(1 + 1e-9);
    // Negative control: on the border little is given away, so priors of more than 1 are seen.
    expect(weighed(1.3)).toBeGreaterThan(1.01);
  });
});

// ---------------------------------------------------------------------------------------------------------- mixture

/** Every course of three minutes with ten checks each at a rate, its chance, and E after each minute. */
function* courses(rate: number, prior: readonly number[]): Generator<{ chance: number; evidence: number[] }> {
  const [chances, allowed, checks] = [pmf(10, rate), 0.1, 10];
  const alternatives = prior.map((_, k) => allowed * (1.5 + 2 * k));
  const ratios = chances.map((_, e) => alternatives.map((q) => binomialLogRatio(checks, e, q, allowed)));
  const none = prior.map(() => Number.POSITIVE_INFINITY);
  for (const first of chances.keys())
    for (const second of chances.keys())
      for (const third of chances.keys()) {
        let martingale = newMartingale(prior.length, 5);
        const evidence = [first, second, third].map((e, i) => {
          martingale = step(martingale, { t: i + 1, logRatios: ratios[e]!, counts: NO_COUNTS }, none);
          return Math.exp(logEvidence(martingale, i + 1, prior));
        });
        yield { chance: chances[first]! * chances[second]! * chances[third]!, evidence };
      }
}

describe('I22 the mixture while nothing is wrong', () => {
  const prior = [0.5, 0.3, 0.15, 0.05];
  const mean = (rate: number, given: readonly number[]) =>
    [...courses(rate, given)].reduce((sum, { chance, evidence }) => sum + chance * evidence.at(-1)!, 0);

  it('has a mean of 1 on the border after every course there is, and of less inside the null', () => {
    close(mean(0.1, prior), 1);
    expect(mean(0.05, prior)).toBeLessThan(1);
  });

  it('has a mean of more with priors of more than 1, and where the null is broken: negative controls', () => {
    expect(mean(0.1, [0.6, 0.3, 0.2, 0.1])).toBeGreaterThan(1.05);
    expect(mean(0.15, prior)).toBeGreaterThan(1.05);
  });

  it('reaches c at any of the looks with a chance of at most 1/c', () => {
    const all = [...courses(0.1, prior)];
    for (const c of [1.5, 2, 5, 20, 100, 333]) {
      const reached = all.reduce((sum, { chance, evidence }) => sum + (Math.max(...evidence) >= c ? chance : 0), 0);
      expect(reached).toBeLessThanOrEqual(1 / c);
      expect(reached).toBeGreaterThan(0);
    }
  });
});

/** E(t) as it is defined: each minute of the change by itself, weighed by its prior, in plain numbers. */
function mixture(logRatios: readonly (readonly number[])[], limit: number, weights: readonly number[]): number {
  const prior = (t: number) => (t === 1 ? 0.45 : 0.55 / (HORIZON_MINUTES - 1));
  let [sum, used] = [0, 0];
  for (let from = 0; from < logRatios.length; from += 1) {
    used += prior(from + 1);
    for (const [k, weight] of weights.entries()) {
      const product = logRatios.slice(from).reduce((all, minute) => all * Math.exp(Math.min(minute[k]!, limit)), 1);
      sum += prior(from + 1) * weight * product;
    }
  }
  return sum + 1 - used;
}

describe('the mixture over the minute of the change', () => {
  it('is the sum over every minute in which it may have come, to 1e-9', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.double({ min: -4, max: 6, noNaN: true }), { minLength: 3, maxLength: 3 }), {
          minLength: 1,
          maxLength: 40,
        }),
        (minutes) => {
          const [limit, prior] = [5, [0.5, 0.3, 0.2]];
          let martingale = newMartingale(3, 5);
          for (const [i, ratios] of minutes.entries())
            martingale = step(martingale, { t: i + 1, logRatios: ratios, counts: NO_COUNTS }, [limit, limit, limit]);
          close(logEvidence(martingale, minutes.length, prior), Math.log(mixture(minutes, limit, prior)));
        },
      ),
    );
  });

  it('spends its whole prior in a day', () => {
    let sum = 0;
    for (let t = 1; t <= HORIZON_MINUTES; t += 1) sum += Math.exp(logWeight(t));
    close(sum, 1);
  });

  it('no single minute proves anything, whatever it says; without the cap one does: negative control', () => {
    for (const metric of METRICS) {
      const { prior } = METRIC_ROWS[metric];
      const needed = logNeeded(metric, 1);
      const told = (minutes: number, limits: readonly number[]) => {
        let martingale = newMartingale(prior.length, 5);
        const loud = prior.map(() => 1e6);
        for (let t = 1; t <= minutes; t += 1)
          martingale = step(martingale, { t, logRatios: loud, counts: NO_COUNTS }, limits);
        return logEvidence(martingale, minutes, prior);
      };
      const limits = cap(needed, prior);
      // 2.8 minutes of a single alternative, late in the day, are enough from the smallest prior there is.
      for (const [k, limit] of limits.entries())
        expect(2.8 * limit + logWeight(HORIZON_MINUTES) + Math.log(prior[k]!)).toBeCloseTo(needed, 9);
      expect(told(1, limits)).toBeLessThan(needed);
      expect(
        told(
          1,
          prior.map(() => Number.POSITIVE_INFINITY),
        ),
      ).toBeGreaterThan(needed);
    }
  });
});

describe('the budget of false rollbacks', () => {
  it('is at most 1 % for a stage of any length, all metrics, operation types and days together', () => {
    let sum = 0;
    for (let day = 1; day <= 10_000; day += 1) {
      for (const metric of METRICS) sum += Math.exp(-logNeeded(metric, day));
      sum += Math.exp(-logNeededOf(OPERATIONS_BUDGET, day));
    }
    // What is left is that of the floors.
    expect(sum).toBeLessThanOrEqual(0.01 * 0.98);
  });
});

describe('enough clean checks', () => {
  const evidence = (checks: number, score: number) =>
    Math.exp(
      METRIC_ROWS.validation.measure(
        measuredMinute({
          primary: null,
          shadow: { ...emptyWindow(1, 'shadow'), checks },
          baseline: EMPTY_BASELINE,
          policy: { ...DEFAULT_POLICY, validationScoreRollback: score },
        }),
      )!.good,
    );
  it.each([
    [299, 0.99],
    [598, 0.995],
  ])('%i of them prove that more than %f agree, one fewer does not', (checks, score) => {
    expect(evidence(checks, score)).toBeGreaterThanOrEqual(20);
    expect(evidence(checks - 1, score)).toBeLessThan(20);
  });
});
