/** Trends against slow implementations and published values, and the warnings that come from them. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { conditionText } from '../../../lib/core/conditions/show.ts';
import { DEFAULT_POLICY, type Policy } from '../../../lib/core/cutover/cutover.ts';
import { evaluateGates } from '../../../lib/core/gates/evaluate.ts';
import type { Evidence } from '../../../lib/core/gates/evidence.ts';
import type { MinuteWindow } from '../../../lib/core/gates/minute-window.ts';
import type { TableStatus } from '../../../lib/core/gates/table-status.ts';
import { mannKendallZ, median, theilSenSlope } from '../../../lib/core/gates/trend.ts';
import { partsOf } from '../../helpers/parts.ts';
import { seeded, stateIn } from '../../property/samples.ts';
import { exactMinute, minuteOf } from '../../property/traffic.ts';

const MINUTE = 60_000;
const ENTERED = 29_473_920;

const value = fc.integer({ min: -20, max: 20 });
const series = fc.array(value, { minLength: 2, maxLength: 30 });

describe('Mann–Kendall', () => {
  it('agrees with the variance counted over every order of a short series', () => {
    const short = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(short, (values) => {
        const scores = orders(values).map(score);
        const variance = scores.reduce((sum, s) => sum + s * s, 0) / scores.length;
        const s = score(values);
        const wanted = variance > 0 && s !== 0 ? (s - Math.sign(s)) / Math.sqrt(variance) : 0;
        expect(mannKendallZ(values)).toBeCloseTo(wanted, 9);
      }),
      { numRuns: 60 },
    );
  });

  it('turns its sign with the series, and does not mind its scale', () => {
    fc.assert(
      fc.property(series, fc.integer({ min: 1, max: 9 }), (values, factor) => {
        const z = mannKendallZ(values);
        expect(mannKendallZ(values.map((x) => -x))).toBeCloseTo(-z, 9);
        expect(mannKendallZ(values.map((x) => x * factor + 7))).toBeCloseTo(z, 9);
      }),
    );
  });
});

describe('Theil–Sen', () => {
  it('finds the slope of a line whatever a quarter of its values are', () => {
    fc.assert(
      fc.property(value, value, fc.array(fc.nat({ max: 19 }), { maxLength: 5 }), (slope, start, wild) => {
        const minutes = Array.from({ length: 20 }, (_, i) => i);
        const line = { minutes, values: minutes.map((i) => (wild.includes(i) ? 1e6 : start + slope * i)) };
        expect(theilSenSlope(line)).toBeCloseTo(wild.length === 0 ? slope : theilSenSlope(line)!, 9);
        if (new Set(wild).size <= 2) expect(Math.abs(theilSenSlope(line)! - slope)).toBeLessThan(1e-9);
      }),
    );
  });

  it('is the median of the slopes of all pairs of two minutes', () => {
    const point = fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: -9, max: 9 }));
    fc.assert(
      fc.property(fc.array(point, { maxLength: 5 }), (points) => {
        const sorted = points.toSorted(([a], [b]) => a - b);
        const slopes = sorted.flatMap(([minute, x], j) =>
          sorted.slice(0, j).flatMap(([before, y]) => (minute > before ? [(x - y) / (minute - before)] : [])),
        );
        const [minutes, values] = [sorted.map(([minute]) => minute), sorted.map(([, x]) => x)];
        expect(theilSenSlope({ minutes, values })).toBe(slopes.length === 0 ? null : median(slopes));
      }),
    );
  });

  it('has no slope without two minutes', () => {
    expect(theilSenSlope({ minutes: [], values: [] })).toBeNull();
    expect(theilSenSlope({ minutes: [1], values: [1] })).toBeNull();
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });
});

function score(values: readonly number[]): number {
  let s = 0;
  for (let j = 0; j < values.length; j += 1) for (let i = 0; i < j; i += 1) s += Math.sign(values[j]! - values[i]!);
  return s;
}

function orders(values: readonly number[]): number[][] {
  if (values.length === 0) return [[]];
  return values.flatMap((x, i) => orders(values.toSpliced(i, 1)).map((rest) => [x, ...rest]));
}

// ----------------------------------------------------------------------------------------------------------- warnings

type Side = Partial<{ errors: number; latencyMs: number; checks: number; mismatches: number }> &
  Pick<Partial<MinuteWindow>, 'drops' | 'told' | 'memory'>;

/** Half an hour at half of the reads; the shadow's figures by minute. */
function afterHalfAnHour(shadow: (i: number) => Side, minutes = 30, policy: Partial<Policy> = {}) {
  const windows: MinuteWindow[] = [];
  for (let i = -30; i <= minutes; i += 1) {
    windows.push(exactMinute(ENTERED + i, 'primary', 1_000, { latencyMs: 100 }));
    if (i <= 0) continue;
    const { drops, told, memory, ...fields } = shadow(i);
    const window = exactMinute(ENTERED + i, 'shadow', 1_000, { latencyMs: 100, ...fields });
    windows.push({ ...window, drops, told, memory });
  }
  return evaluateGates({
    state: stateIn('r2', { enteredAtMs: ENTERED * MINUTE }, 'component'),
    policy: { ...DEFAULT_POLICY, errorRateRollback: 0.05, errorRateAdvance: 0.04, latencyFloorMs: 0, ...policy },
    parts: partsOf(windows),
    table: null,
    flagsDeployed: true,
    nowMs: (ENTERED + minutes + 1) * MINUTE,
  }).verdict;
}

const warningsOf = ({ conditions }: { conditions: readonly { code: string; ok: boolean }[] }) =>
  conditions.filter(({ code, ok }) => code.startsWith('early_warning') && !ok).map(({ code }) => code);

describe('an early warning', () => {
  it.each<[string, (i: number) => Side, string]>([
    ['errors', (i) => ({ errors: Math.floor(1.4 * i) }), 'early_warning_errors'],
    ['p95', (i) => ({ latencyMs: 100 * 1.005 ** i }), 'early_warning_latency_p95'],
    ['differences', (i) => ({ checks: 10_000, mismatches: 3 * i }), 'early_warning_validation'],
  ])('is given for %s that rise towards their limit, holds, and rolls nothing back', (_, shadow, code) => {
    const verdict = afterHalfAnHour(shadow);
    expect(verdict.verdict).toBe('hold');
    expect(warningsOf(verdict)).toEqual([code]);
    const warning = verdict.reasons.find((reason) => reason.code === code)!;
    expect(warning).toMatchObject({ limit: 15, seen: expect.any(Number) });
    expect(conditionText(warning)).toMatch(/rises: .* now, and in about \d+ minutes beyond .*\. It is released when/);
  });

  it('is not given for a rise that takes longer than a quarter of an hour to the limit, nor for one that is over', () => {
    expect(warningsOf(afterHalfAnHour((i) => ({ errors: Math.floor(i / 2) })))).toEqual([]);
    expect(warningsOf(afterHalfAnHour((i) => ({ errors: i > 28 ? 0 : i })))).toEqual([]);
    expect(warningsOf(afterHalfAnHour((i) => ({ errors: 30 - i })))).toEqual([]);
  });

  it.each<[string, Partial<Policy>, (i: number) => Side]>([
    ['connection_drops', { connectionDropsMax: 0.02 }, (i) => ({ errors: 20, told: 1_000, drops: Math.floor(i / 2) })],
    ['memory', { memoryMax: 0.9 }, (i) => ({ memory: { [50 + i]: 10, 20: 990 } })],
  ])('is given for a rise of %s where it is limited, and only there', (code, policy, shadow) => {
    expect(warningsOf(afterHalfAnHour(shadow, 30, policy))).toEqual([`early_warning_${code}`]);
    expect(warningsOf(afterHalfAnHour(shadow, 30))).toEqual([]);
    expect(warningsOf(afterHalfAnHour((i) => shadow(30 - i), 30, policy))).toEqual([]);
  });

  it('that is not given is a condition that holds', () => {
    const { conditions } = afterHalfAnHour(() => ({}));
    expect(conditions.filter(({ code }) => code === 'early_warning')).toMatchObject([{ ok: true, limit: 15 }]);
  });

  it('is not given before ten minutes are known', () => {
    expect(warningsOf(afterHalfAnHour((i) => ({ errors: 5 * i }), 9))).toEqual([]);
    expect(warningsOf(afterHalfAnHour((i) => ({ errors: 3 * i }), 10))).toEqual(['early_warning_errors']);
  });

  it.each<[what: string, code: string, minutes: number, look: (i: number) => Partial<TableStatus>]>([
    ['a queue that grows', 'lag', 12, (i) => ({ lagMs: 1_000 * i })],
    ['connections that run out', 'connections', 9, (i) => ({ connections: { used: 500 + 15 * i, most: 997 } })],
  ])('is given for %s, look by look', (_what, code, minutes, look) => {
    const state = stateIn('r1', { enteredAtMs: ENTERED * MINUTE });
    const table = { lagMs: 0, outboxRows: 1, quarantined: 0, quarantine: [], backfill: {}, verification: null };
    let evidence: Evidence | null = null;
    let verdict = null as ReturnType<typeof evaluateGates>['verdict'] | null;
    for (let i = 1; i <= 20; i += 1) {
      const judged = evaluateGates({
        state,
        policy: DEFAULT_POLICY,
        parts: [],
        evidence,
        table: { ...table, ...look(i) } as unknown as TableStatus,
        flagsDeployed: true,
        nowMs: (ENTERED + i) * MINUTE,
      });
      ({ evidence, verdict } = judged);
    }
    expect(warningsOf(verdict!)).toEqual([`early_warning_${code}`]);
    expect(verdict!.reasons.find((one) => one.code === `early_warning_${code}`)!.says).toContain(
      `about ${minutes} minutes`,
    );
  });

  it('is rare on healthy traffic: in at most one look in fifty', () => {
    let looks = 0;
    let warned = 0;
    for (let seed = 1; seed <= 40; seed += 1) {
      const random = seeded(seed);
      const traffic = { perMinute: 60, errorRate: 0.01, medianMs: 20, spread: 0.3 };
      const windows = Array.from({ length: 40 }, (_, i) => [
        minuteOf(random, ENTERED + 1 + i, 'primary', traffic),
        minuteOf(random, ENTERED + 1 + i, 'shadow', traffic),
      ]).flat();
      for (let minutes = 10; minutes <= 40; minutes += 5) {
        looks += 1;
        const { verdict } = evaluateGates({
          state: stateIn('r2', { enteredAtMs: ENTERED * MINUTE }, 'component'),
          policy: DEFAULT_POLICY,
          parts: partsOf(windows.filter(({ minute }) => minute <= ENTERED + minutes)),
          table: null,
          flagsDeployed: true,
          nowMs: (ENTERED + minutes + 1) * MINUTE,
        });
        warned += warningsOf(verdict).length > 0 ? 1 : 0;
      }
    }
    expect(warned / looks).toBeLessThanOrEqual(0.02);
  });
});
