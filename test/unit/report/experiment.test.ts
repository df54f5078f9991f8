/** A/B analysis: tests and intervals against known values and raw data, cohorts, and what is said when. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { experimentRoutes } from '../../../functions/control-routes/experiments.ts';
import { httpHandler } from '../../../functions/middleware.ts';
import { eventRoutes } from '../../../functions/outcomes-routes/experiments.ts';
import { renderExperiment } from '../../../lib/cli/render-experiment.ts';
import type { ExperimentDeclaration } from '../../../lib/core/cutover/experiment-declaration.ts';
import { normalTail } from '../../../lib/core/report/distributions.ts';
import {
  cohortOf,
  type ExperimentTotals,
  type NO_TOTALS,
  reportExperiment,
  sumEvents,
} from '../../../lib/core/report/experiment.ts';
import { clopperPearson, compareProportions, sampleRatio, welch, wilson } from '../../../lib/core/report/inference.ts';
import { cohort, experimentContract } from '../../helpers/contracts/experiments.ts';
import { HOSTILE } from '../../helpers/dashboard-reports.ts';
import { inMemoryExperiments } from '../../helpers/fakes/experiments.ts';
import { readSources } from '../../helpers/imports.ts';
import { declarationOf, seeded, stateIn } from '../../property/samples.ts';
import { ask, type Call, inMemoryComposition, tokenOf } from '../../property/served.ts';

experimentContract('in memory', async () => inMemoryExperiments());

const close = (seen: number, wanted: number, relative = 1e-9) =>
  expect(Math.abs(seen - wanted), `${seen}, not ${wanted}`).toBeLessThanOrEqual(relative * Math.abs(wanted));

describe('intervals', () => {
  it('Wilson: 5 of 10 and 0 of 20', () => {
    const z2 = 1.9599639845400545 ** 2;
    close(wilson({ n: 10, successes: 5 })!.low, 0.5 - 0.5 * Math.sqrt(z2 / (10 + z2)));
    close(wilson({ n: 20, successes: 0 })!.high, z2 / (20 + z2));
    expect(wilson({ n: 20, successes: 0 })!.low).toBe(0);
  });

  it('Clopper–Pearson: none and all have closed forms; 5 of 10 is published', () => {
    close(clopperPearson({ n: 20, successes: 0 })!.high, 1 - 0.025 ** (1 / 20));
    close(clopperPearson({ n: 20, successes: 20 })!.low, 0.025 ** (1 / 20));
    close(clopperPearson({ n: 10, successes: 5 })!.low, 0.18708603, 1e-7);
    close(clopperPearson({ n: 10, successes: 5 })!.high, 0.81291397, 1e-7);
  });

  it('cover the rate as often as they say', () => {
    const random = seeded(11);
    let [exact, score] = [0, 0];
    const runs = 600;
    for (let run = 0; run < runs; run += 1) {
      let successes = 0;
      for (let i = 0; i < 80; i += 1) if (random() < 0.3) successes += 1;
      const inside = (interval: { low: number; high: number }) => interval.low <= 0.3 && 0.3 <= interval.high;
      if (inside(clopperPearson({ n: 80, successes })!)) exact += 1;
      if (inside(wilson({ n: 80, successes })!)) score += 1;
    }
    expect(exact / runs).toBeGreaterThan(0.93);
    expect(score / runs).toBeGreaterThan(0.92);
    expect(score).toBeLessThanOrEqual(exact);
  });

  it.each([
    ['no units', { n: 0, successes: 0 }],
    ['more successes than units', { n: 3, successes: 4 }],
    ['negative counts', { n: 3, successes: -1 }],
    ['NaN', { n: Number.NaN, successes: 1 }],
    ['halves', { n: 3, successes: 1.5 }],
  ])('%s give none, and no test', (_, proportion) => {
    expect(wilson(proportion)).toBeNull();
    expect(clopperPearson(proportion)).toBeNull();
    expect(compareProportions(proportion, { n: 10, successes: 5 })).toBeNull();
  });
});

describe('two proportions', () => {
  it('z, its p, chi-square and Cohen’s h of 100/1000 against 130/1000', () => {
    const test = compareProportions({ n: 1_000, successes: 100 }, { n: 1_000, successes: 130 })!;
    const z = 0.03 / Math.sqrt(0.115 * 0.885 * 0.002);
    close(test.z, z);
    close(test.chiSquare, z * z, 1e-12);
    close(test.p, test.chiSquareP, 1e-10);
    close(test.p, 2 * normalTail(z));
    close(test.effect, 2 * Math.asin(Math.sqrt(0.13)) - 2 * Math.asin(Math.sqrt(0.1)));
    expect(test.interval.low).toBeLessThan(test.difference);
    expect(test.interval.high).toBeGreaterThan(test.difference);
  });

  it('exchanging sides changes signs and nothing else', () => {
    const count = fc.integer({ min: 1, max: 5_000 });
    fc.assert(
      fc.property(count, count, count, count, (n, m, x, y) => {
        const [a, b] = [
          { n: n + x, successes: x },
          { n: m + y, successes: y },
        ];
        const [there, back] = [compareProportions(a, b)!, compareProportions(b, a)!];
        expect(back.z).toBeCloseTo(-there.z, 9);
        expect(back.p).toBeCloseTo(there.p, 12);
        expect(back.interval.low).toBeCloseTo(-there.interval.high, 12);
        expect(there.p).toBeGreaterThanOrEqual(0);
        expect(there.p).toBeLessThanOrEqual(1);
      }),
    );
  });
});

const momentsOf = (values: readonly number[]) => ({
  n: values.length,
  sum: values.reduce((sum, x) => sum + x, 0),
  sumSquares: values.reduce((sum, x) => sum + x * x, 0),
});

describe('Welch', () => {
  // Published example: t = −2.46, df ≈ 25, p ≈ 0.021.
  const A = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4];
  const B = [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4];

  it('the published example', () => {
    const test = welch(momentsOf(A), momentsOf(B))!;
    close(test.t, 2.45535639, 1e-6);
    close(test.df, 24.9885292, 1e-6);
    close(test.p, 0.021378, 1e-5);
  });

  it('agrees with raw data, two passes', () => {
    const test = welch(momentsOf(A), momentsOf(B))!;
    const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
    const variance = (values: readonly number[]) =>
      values.reduce((sum, x) => sum + (x - mean(values)) ** 2, 0) / (values.length - 1);
    close(test.difference, mean(B) - mean(A));
    close(test.t, (mean(B) - mean(A)) / Math.sqrt(variance(A) / 15 + variance(B) / 15));
    close(test.deviations[0], Math.sqrt(variance(A)));
    close(test.effect, (mean(B) - mean(A)) / Math.sqrt((variance(A) + variance(B)) / 2));
  });

  it.each([
    ['one value', { n: 1, sum: 1, sumSquares: 1 }],
    ['none', { n: 0, sum: 0, sumSquares: 0 }],
    ['NaN', { n: 5, sum: Number.NaN, sumSquares: 3 }],
    ['sums that cannot belong together', { n: 5, sum: 100, sumSquares: 1 }],
  ])('of %s is none', (_, moments) => {
    expect(welch(moments, momentsOf(B))).toBeNull();
    expect(welch(momentsOf(B), moments)).toBeNull();
  });

  it('of equal values on both sides is none', () => {
    expect(welch(momentsOf([0.1, 0.1, 0.1]), momentsOf([0.1, 0.1]))).toBeNull();
  });
});

const DECLARED: ExperimentDeclaration = {
  id: 'checkout',
  share: 50,
  size: 2_000,
  alpha: 0.05,
  conversion: 'orders',
  value: 'basket',
};

const totals = (primary: Partial<typeof NO_TOTALS>, shadow: Partial<typeof NO_TOTALS>): ExperimentTotals => ({
  primary: cohort(primary),
  shadow: cohort(shadow),
});

describe('cohorts', () => {
  it('are those of the read share, and whom a list decides about is in none', () => {
    const keys = Array.from({ length: 4_000 }, (_, n) => ({ key: `user-${n}`, converted: n % 4 === 0, value: n % 10 }));
    const { totals: found, excluded } = sumEvents(keys, (key) => cohortOf('customer', key, 25, new Set(['user-1'])));
    expect(excluded).toBe(1);
    expect(found.primary.n + found.shadow.n).toBe(3_999);
    expect(sampleRatio(found.primary.n, found.shadow.n, 0.25)!.p).toBeGreaterThan(0.001);
    expect(found.primary.conversions + found.shadow.conversions).toBe(1_000);
  });

  it('more share never moves a unit out of the shadow’s cohort', () => {
    fc.assert(
      fc.property(fc.string(), fc.double({ min: 0.1, max: 99, noNaN: true }), (key, share) => {
        const before = cohortOf('s', key, share, new Set());
        if (before === 'shadow') expect(cohortOf('s', key, Math.min(99.9, share + 0.5), new Set())).toBe('shadow');
      }),
    );
  });
});

describe('the report', () => {
  it('says only how many of how many before the declared size', () => {
    const view = reportExperiment(DECLARED, totals({ n: 999, conversions: 1 }, { n: 1_000, conversions: 900 }));
    expect(view).toEqual({ ...DECLARED, n: 1_999, state: 'collecting', text: '1999 of 2000' });
  });

  it('says what differs, by how much, and what to do', () => {
    const view = reportExperiment(
      DECLARED,
      totals(
        { n: 1_000, conversions: 100, values: 1_000, sum: 10_000, sumSquares: 104_000 },
        { n: 1_000, conversions: 150, values: 1_000, sum: 10_010, sumSquares: 104_200 },
      ),
    );
    if (view.state !== 'complete') throw new Error(view.state);
    expect(view.findings).toEqual([
      expect.stringMatching(
        /^orders: the shadow differs by \+5 points \(\+2\.\d+ points … \+7\.\d+ points, p = 0\.0\d+\); the effect is small\.$/,
      ),
      expect.stringMatching(/^basket: no difference is shown/),
      'Recommendation: the shadow does better; go on.',
    ]);
    expect(view.cohorts.shadow.wilson!.low).toBeGreaterThan(0.12);
  });

  it.each<[string, ExperimentTotals, RegExp]>([
    ['worse', totals({ n: 1_000, conversions: 150 }, { n: 1_000, conversions: 80 }), /does worse.*gates do not stop/],
    ['nothing shown', totals({ n: 1_000, conversions: 100 }, { n: 1_000, conversions: 101 }), /no reason to prefer/],
    ['nobody converts', totals({ n: 1_000 }, { n: 1_000 }), /no reason to prefer/],
    ['a wrong split', totals({ n: 1_500, conversions: 1 }, { n: 600, conversions: 300 }), /find out who is missing/],
  ])('%s', (_, seen, says) => {
    const view = reportExperiment(DECLARED, seen);
    expect(view.state === 'complete' && view.findings.join(' ')).toMatch(says);
  });

  it('finds a difference where there is none in about one of twenty, at its one look', () => {
    const random = seeded(5);
    let found = 0;
    const runs = 400;
    for (let run = 0; run < runs; run += 1) {
      const draw = () => Array.from({ length: 400 }, () => (random() < 0.2 ? 1 : 0)).reduce<number>((a, b) => a + b, 0);
      const view = reportExperiment(
        { ...DECLARED, size: 800 },
        totals({ n: 400, conversions: draw() }, { n: 400, conversions: draw() }),
      );
      if (view.state === 'complete' && view.conversions && view.conversions.p < 0.05) found += 1;
    }
    expect(found / runs).toBeLessThan(0.09);
    expect(found / runs).toBeGreaterThan(0.015);
  });

  it('is text that acts on no terminal', () => {
    const declared = { ...DECLARED, conversion: HOSTILE };
    const view = reportExperiment(declared, totals({ n: 1_000, conversions: 9 }, { n: 1_000, conversions: 8 }));
    const text = renderExperiment({ ...view, cutover: 'customer', experiment: 'customer.checkout' });
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
    expect(text).toContain('Wilson');
  });

  it('never feeds a gate: nothing that decides imports it', () => {
    const deciding = readSources(['lib']).filter(({ file }) =>
      /^lib\/core\/(gates|holds|look|stage)\/|^lib\/flows\/control\//.test(file),
    );
    expect(deciding.length).toBeGreaterThan(60);
    expect(deciding.filter(({ text }) => /experiment|inference/.test(text)).map(({ file }) => file)).toEqual([]);
  });
});

describe('events over HTTP', () => {
  const PATH = '/v1/experiments/customer.checkout/events';
  async function served(share = 50) {
    const it = inMemoryComposition([declarationOf('component', { experiments: [{ ...DECLARED, share, size: 4 }] })]);
    const state = stateIn('r2', { version: 3 });
    it.state.edit('customer', state as unknown as Record<string, unknown>);
    const events = httpHandler(() => it.composition, eventRoutes);
    const views = httpHandler(() => it.composition, experimentRoutes);
    const send = (call: Call = {}) =>
      ask(events, {
        path: PATH,
        token: tokenOf(['outcomes:write']),
        body: { batchId: '1', source: 'a', events: [{ key: 'k', converted: true, value: 2 }] },
        ...call,
      });
    return { ...it, send, views };
  }

  it('are counted once, until the size is there; then the experiment is read', async () => {
    const { send, views, experiments } = await served();
    expect(await send()).toMatchObject({ status: 200, body: { accepted: 1, state: 'collecting', n: 1, size: 4 } });
    expect(await send()).toMatchObject({ status: 200, body: { n: 1 } });
    const look = () => ask(views, { method: 'GET', path: '/v1/experiments/customer.checkout' });
    expect((await look()).body).toMatchObject({ state: 'collecting', text: '1 of 4' });
    const more = Array.from({ length: 9 }, (_, n) => ({ key: `u${n}` }));
    expect(await send({ body: { batchId: '2', source: 'a', events: more } })).toMatchObject({
      body: { state: 'complete', n: 10 },
    });
    expect(await send({ body: { batchId: '3', source: 'a', events: more } })).toMatchObject({
      body: { accepted: 0, n: 10 },
    });
    expect((await look()).body).toMatchObject({ state: 'complete', cohorts: { primary: { n: expect.any(Number) } } });
    expect(experiments.applied()).toBe(2);
    expect((await ask(views, { method: 'GET', path: '/v1/experiments' })).body).toMatchObject({
      experiments: [{ n: 10 }],
    });
  });

  it('while the cutover serves another share are refused', async () => {
    const { send, experiments } = await served(10);
    expect(await send()).toMatchObject({
      status: 409,
      body: { code: 'held', detail: expect.stringContaining('50 %') },
    });
    expect(experiments.applied()).toBe(0);
  });

  const event = (fields: object) => ({ body: { batchId: '1', source: 'a', events: [{ key: 'k', ...fields }] } });
  it.each<[string, Call, number, string]>([
    ['NaN', { raw: '{"batchId":"1","source":"a","events":[{"key":"k","value":NaN}]}' }, 400, 'invalid_json'],
    [
      'an infinite value',
      { raw: '{"batchId":"1","source":"a","events":[{"key":"k","value":1e999}]}' },
      400,
      'invalid_input',
    ],
    ['a value beyond 1e9', event({ value: 1e10 }), 400, 'invalid_input'],
    ['text for a value', event({ value: '1' }), 400, 'invalid_input'],
    ['a count for converted', event({ converted: 2 }), 400, 'invalid_input'],
    ['no key', { body: { batchId: '1', source: 'a', events: [{}] } }, 400, 'invalid_input'],
    ['an empty key', event({ key: '' }), 400, 'invalid_input'],
    ['NUL in a key', event({ key: 'a\0' }), 400, 'invalid_input'],
    ['a side of its own', event({ side: 'shadow' }), 400, 'unknown_property'],
    ['no batch id', { body: { source: 'a', events: [] } }, 400, 'invalid_input'],
    [
      '1,001 events',
      { body: { batchId: '1', source: 'a', events: Array(1_001).fill({ key: 'k' }) } },
      413,
      'too_large',
    ],
    ['an unknown experiment', { path: '/v1/experiments/customer.chekout/events' }, 404, 'not_found'],
    ['an id that is none', { path: '/v1/experiments/customer/events' }, 400, 'invalid_identifier'],
    ['a token that may only read', { token: tokenOf(['control:read']) }, 403, 'forbidden'],
  ])('with %s are refused, and nothing is counted', async (_, call, status, code) => {
    const { send, experiments } = await served();
    expect(await send(call)).toMatchObject({ status, body: { code } });
    expect(experiments.applied()).toBe(0);
  });
});
