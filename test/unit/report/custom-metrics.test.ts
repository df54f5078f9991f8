/** Custom metrics: what the SDK sums up, what the receiver keeps, and what a criterion concludes from it. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OutcomeBatch } from '../../../lib/client/outcome.ts';
import { Recorder } from '../../../lib/client/recorder.ts';
import type { Criterion, MetricSum } from '../../../lib/core/cutover/criterion.ts';
import { criteriaOf } from '../../../lib/core/holds/criteria.ts';
import { metricFinding } from '../../../lib/core/holds/metric-finding.ts';
import { type CutoverInput, defineCutovers } from '../../../lib/define/cutovers.ts';
import { recordOutcomes } from '../../../lib/flows/forwards/record-outcomes.ts';
import { outcomeReport } from '../../../lib/schemas/http.ts';
import { customMetricContract } from '../../helpers/contracts/custom-metrics.ts';
import { inMemoryCustomMetrics } from '../../helpers/fakes/custom-metrics.ts';
import { inMemoryWindows } from '../../helpers/fakes/windows.ts';
import { declarationOf, NOW, seeded, stateIn } from '../../property/samples.ts';

customMetricContract('in memory', async () => inMemoryCustomMetrics());

const MINUTE = Math.floor(NOW / 60_000);

describe('what the SDK records', () => {
  const recorded = async (...outcomes: object[]): Promise<OutcomeBatch[]> => {
    const sent: OutcomeBatch[] = [];
    const ids = Array.from({ length: 9 }, (_, n) => `f${n}`).values();
    const recorder = new Recorder({
      source: 'me',
      nextId: () => ids.next().value!,
      now: () => NOW,
      elapsedMs: () => NOW,
      flushIntervalMs: 1e6,
      sink: async (batch) => void sent.push(batch),
    });
    for (const outcome of outcomes)
      recorder.record({ cutover: 'planner', side: 'shadow', latencyMs: 5, success: true, ...outcome });
    await recorder.flush();
    return sent;
  };

  it('is summed up by name, apart from the windows, as the API takes it', async () => {
    const [windows, metrics] = await recorded(
      { values: { basket: 12.5 }, flags: ['empty_plan'] },
      { values: { basket: -2 }, flags: [] },
      { flags: ['empty_plan', 'empty_plan'], side: 'primary' },
      {},
    );
    expect(windows!.metrics).toBeUndefined();
    const one = { cutover: 'planner', minute: MINUTE, side: 'shadow', sum: 0, squares: 0 };
    expect(metrics).toMatchObject({
      windows: [],
      metrics: [
        { ...one, metric: 'value.basket', n: 2, sum: 10.5, squares: 160.25 },
        { ...one, metric: 'flags', n: 2 },
        { ...one, metric: 'flag.empty_plan', n: 1 },
        { ...one, side: 'primary', metric: 'flags', n: 1 },
        { ...one, side: 'primary', metric: 'flag.empty_plan', n: 1 },
      ],
    });
    expect(outcomeReport.read(metrics)).toMatchObject({ source: 'me' });
  });

  it('is never more than the API takes, whatever an application hands in', async () => {
    const many = Array.from({ length: 500 }, (_, n) => ({
      values: { [`v${n}`]: 1, [`Bad ${n}`]: 1 },
      flags: [`f${n}`, 7],
    }));
    const odd = [
      { values: null },
      { values: { a: NaN, b: Infinity, c: 1e300, d: '5' } },
      { flags: 'empty' },
      { values: 3 },
    ];
    const batches = await recorded(...odd, ...many);
    const metrics = batches.flatMap((batch) => batch.metrics ?? []);
    expect(metrics).toHaveLength(200);
    for (const batch of batches) expect(() => outcomeReport.read(batch)).not.toThrow();
    expect(JSON.stringify(batches.at(-1)).length).toBeLessThan(64_000);
  });
});

const BASKET = { name: 'basket', value: 'basket', atLeast: { ofPrimary: 0.9 } };
const EMPTY = { name: 'empty', flag: 'empty_plan', atMost: 0.05 };
const declared = (...criteria: object[]) =>
  defineCutovers([{ id: 'planner', kind: 'component', criteria } as CutoverInput]);

describe('what is kept', () => {
  it('is what a criterion asks for, of minutes that are near', async () => {
    const customMetrics = inMemoryCustomMetrics();
    const clock = { now: () => NOW, monotonicMs: () => 0, sleep: async () => {} };
    const ports = { clock, customMetrics, windows: inMemoryWindows({ clock }), metrics: { record() {}, flush() {} } };
    const sum = (metric: string, over: Partial<MetricSum> = {}) => ({
      ...{ cutover: 'planner', minute: MINUTE, side: 'shadow' as const, metric, n: 1, sum: 2, squares: 4 },
      ...over,
    });
    const metrics = [
      sum('value.basket'),
      sum('value.other'),
      sum('flags'),
      sum('value.basket', { minute: MINUTE - 60 }),
    ];
    await recordOutcomes(ports, declared(BASKET), { flushId: 'f', source: 's', windows: [], metrics });
    expect(await customMetrics.read('planner', 0, MINUTE)).toMatchObject([{ metric: 'value.basket', n: 1 }]);
    await recordOutcomes(ports, declared(EMPTY), { flushId: 'g', source: 's', windows: [], metrics });
    expect((await customMetrics.read('planner', 0, MINUTE)).map(({ metric }) => metric)).toEqual([
      'value.basket',
      'flags',
    ]);
  });
});

describe('a criterion on a metric', () => {
  it.each<[string, object, RegExp]>([
    ['without a limit', { name: 'a', value: 'basket' }, /it needs one limit/],
    ['with two limits', { name: 'a', flag: 'empty', atLeast: 1, atMost: 2 }, /it needs one limit/],
    ['on a name with a dash', { name: 'a', value: 'my-basket', atMost: 2 }, /a metric is called in lower_snake_case/],
    ['relative to nothing', { name: 'a', value: 'basket', atMost: { ofPrimary: 0 } }, /criteria\.0\.atMost/],
  ])('is refused %s', (_, criterion, says) => {
    expect(() => declared(criterion)).toThrow(says);
  });

  it('is asked while readers are on the shadow, and not before', () => {
    const declaration = declarationOf('component', { criteria: declared(BASKET)[0]!.criteria! });
    const asked = (stage: Parameters<typeof stateIn>[0]) => criteriaOf({ declaration, state: stateIn(stage) }).length;
    expect((['dual_write', 'r1', 'full_100', 'completed'] as const).map(asked)).toEqual([0, 1, 1, 0]);
  });

  type Rule = Extract<Criterion, { value: string } | { flag: string }>;
  const ruleOf = (criterion: object) => declared(criterion)[0]!.criteria![0] as Rule;
  /** Thirty minutes of `perMinute` figures of a side around a mean; `jitter` is common to the figures of a minute. */
  const minutesOf = (side: 'primary' | 'shadow', mean: number, perMinute: number, random: () => number, jitter = 0) =>
    Array.from({ length: 30 }, (_, minute): MetricSum => {
      const centre = mean * (1 + jitter * (random() - 0.5));
      const figures = Array.from({ length: perMinute }, () => centre * (0.5 + random()));
      const total = (of: (x: number) => number) => figures.reduce((sum, figure) => sum + of(figure), 0);
      return { minute, side, metric: 'value.basket', n: perMinute, sum: total((x) => x), squares: total((x) => x * x) };
    });
  const flagged = (side: 'primary' | 'shadow', n: number, marked: number): MetricSum[] =>
    (['flags', 'flag.empty_plan'] as const).map((metric, i) => ({
      minute: 1,
      side,
      metric,
      n: [n, marked][i]!,
      sum: 0,
      squares: 0,
    }));

  it('passes inside its limit, fails on proof beyond it, and is unclear in between and without samples', () => {
    const random = seeded(7);
    const basket = (shadow: number, perMinute = 50) =>
      metricFinding(ruleOf(BASKET), [
        ...minutesOf('primary', 10, perMinute, random),
        ...minutesOf('shadow', shadow, perMinute, random),
      ]).answer;
    expect([basket(10), basket(9.5), basket(8), basket(8.9), basket(5, 2)]).toEqual([
      'passes',
      'passes',
      'fails',
      'unclear',
      'unclear',
    ]);
    const empty = (n: number, marked: number) => metricFinding(ruleOf(EMPTY), flagged('shadow', n, marked)).answer;
    expect([empty(1_000, 20), empty(1_000, 60), empty(1_000, 200), empty(20, 20)]).toEqual([
      'passes',
      'unclear',
      'fails',
      'unclear',
    ]);
    expect(metricFinding(ruleOf(EMPTY), flagged('shadow', 1_000, 200)).says).toBe(
      "20 % of the shadow's operations are marked 'empty_plan' (1000 operations); at most 5 % is wanted.",
    );
  });

  it('shows four digits of what was seen, in the figure as in the sentence', () => {
    const of = (sum: number) =>
      metricFinding(ruleOf({ ...BASKET, atLeast: 10 }), [
        { minute: 1, side: 'shadow', metric: 'value.basket', n: 1_000, sum, squares: sum ** 2 / 1_000 + 999 },
      ]);
    expect(of(12_345.678)).toMatchObject({ seen: 12.35, says: expect.stringContaining('is 12.35 on average') });
    expect(of(10_000.04)).toMatchObject({ seen: 10, says: expect.stringContaining('is 10 on average') });
  });

  it('fails 3.72 standard errors beyond its limit, which chance brings once in ten thousand looks', () => {
    // A thousand figures with a variance of 1.
    const beyond = (errors: number, limit: object) => {
      const mean = 10 + errors / Math.sqrt(1_000);
      const sum = { minute: 1, side: 'shadow', metric: 'value.basket', n: 1_000, sum: 1_000 * mean } as const;
      return metricFinding(ruleOf({ ...BASKET, ...limit }), [{ ...sum, squares: 999 + 1_000 * mean ** 2 }]).answer;
    };
    const [least, most] = [{ atLeast: 10 }, { atLeast: undefined, atMost: 10 }];
    expect([0, -3.7, -3.73].map((errors) => beyond(errors, least))).toEqual(['passes', 'unclear', 'fails']);
    expect([0, 3.7, 3.73].map((errors) => beyond(errors, most))).toEqual(['passes', 'unclear', 'fails']);
  });

  it('that is on its limit is taken for broken in few of many looks, also where minutes jitter together', () => {
    const failed = [0, 0.3].map((jitter) => {
      let broken = 0;
      for (let seed = 1; seed <= 300; seed += 1) {
        const random = seeded(seed);
        const sums = [...minutesOf('primary', 10, 20, random, jitter), ...minutesOf('shadow', 9, 20, random, jitter)];
        if (metricFinding(ruleOf(BASKET), sums).answer === 'fails') broken += 1;
      }
      return broken;
    });
    expect(Math.max(...failed)).toBeLessThanOrEqual(2);
  });

  it('gives finite figures whatever was stored, and more harm never helps', () => {
    const sums = fc.array(
      fc.record({
        minute: fc.integer({ min: 0, max: 40 }),
        side: fc.constantFrom('primary' as const, 'shadow' as const),
        metric: fc.constantFrom('value.basket', 'flags', 'flag.empty_plan'),
        n: fc.integer({ min: 0, max: 1e6 }),
        sum: fc.double({ min: -1e12, max: 1e12, noNaN: true }),
        squares: fc.double({ min: 0, max: 1e18, noNaN: true }),
      }),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(sums, fc.constantFrom(BASKET, EMPTY), (stored, criterion) => {
        const { seen, says } = metricFinding(ruleOf(criterion), stored);
        expect(seen === null || Number.isFinite(seen)).toBe(true);
        expect(says).not.toMatch(/NaN|Infinity/);
      }),
    );
    const RANK = { passes: 0, unclear: 1, fails: 2 };
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 5_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (n, share) => {
        const marked = Math.floor(share * (n - 1));
        const rank = (of: number) => RANK[metricFinding(ruleOf(EMPTY), flagged('shadow', n, of)).answer];
        expect(rank(marked + 1)).toBeGreaterThanOrEqual(rank(marked));
      }),
    );
  });
});
