/** What `crossfade cost` says: sums that are right, loads that cost no less when they grow, and limits that are kept. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import prices from '../../../infra/prices.json' with { type: 'json' };
import counted from '../../../infra/requests.json' with { type: 'json' };
import { type Bill, billOf, type PriceList, SCENES } from '../../../lib/core/cost/bill.ts';
import { type Counted, type Load, PRICED } from '../../../lib/core/cost/usage.ts';
import { cli } from '../../helpers/fake-api.ts';

const COUNTED: Counted = counted;
const PRICES: PriceList = prices;
const bill = (load: Load, region = 'us-east-1'): Bill => billOf(load, COUNTED, PRICES, region);

const loads = fc.record({
  cutovers: fc.integer({ min: 0, max: 200 }),
  writesPerSecond: fc.double({ min: 0, max: 1_000, noNaN: true }),
  processes: fc.integer({ min: 0, max: 50 }),
  readersPerSecond: fc.integer({ min: 0, max: 5_000 }),
});
const names = Object.keys(SCENES.idle.load) as (keyof Load)[];

describe('a bill', () => {
  it('is the sum of its rows, and free allowances take off some of it', () => {
    fc.assert(
      fc.property(loads, fc.constantFrom(...Object.keys(PRICES.regions)), (load, region) => {
        const { rows, total, free } = bill(load, region);
        expect(Object.values(rows).reduce((sum, one) => sum + one, 0)).toBeCloseTo(total, 6);
        expect(Object.values(rows).every((one) => one >= 0)).toBe(true);
        expect(free).toBeGreaterThan(0);
        expect(free).toBeLessThan(total);
      }),
      { seed: 16, numRuns: 200 },
    );
  });

  it('does not shrink when a load grows', () => {
    fc.assert(
      fc.property(loads, fc.constantFrom(...names), fc.integer({ min: 1, max: 20 }), (load, name, more) => {
        const grown = bill({ ...load, [name]: load[name] + more });
        expect(grown.total).toBeGreaterThanOrEqual(bill(load).total - 1e-9);
      }),
      { seed: 16, numRuns: 300 },
    );
  });

  it('has what was counted where the load is one that was counted', () => {
    const { one } = COUNTED.minutes;
    const writes = Object.entries(one).reduce(
      (sum, [job, { writeUnits }]) => sum + (job === 'relay' ? 0 : writeUnits),
      0,
    );
    const { rows } = bill({ cutovers: 1, writesPerSecond: 5, processes: 0, readersPerSecond: 0 });
    expect(rows['DynamoDB writes']).toBeCloseTo((writes * 43_200 * 0.625) / 1e6, 6);
    expect(rows['DynamoDB reads']).toBeGreaterThan(bill(SCENES.idle.load).rows['DynamoDB reads']);
  });

  it('has a price of everything in every region', () => {
    for (const list of [PRICES.per, PRICES.free, ...Object.values(PRICES.regions)])
      expect(Object.keys(list).sort()).toEqual([...PRICED].sort());
  });
});

describe('the limits', () => {
  it('are kept by all loads', () => {
    const over = Object.entries(SCENES).filter(([, { load, wanted }]) => bill(load).total - bill(load).free > wanted);
    expect(over.map(([name]) => name)).toEqual([]);
  });
});

describe('crossfade cost', () => {
  it('shows four loads, with their limits and the date of the prices', async () => {
    const { exit, out } = await cli(['cost']);
    expect(exit).toBe(0);
    expect(out).toMatch(/us-east-1, at list prices of \d{4}-\d\d-\d\d/);
    expect(out).toMatch(/idle +one table +20 tables +readers/);
    expect(out).toMatch(/wanted at most +5 +25 +100 +150/);
  });

  it('shows the load that is given, the rest of it as it usually is, at the prices of the region', async () => {
    const { out } = await cli(['cost', '--cutovers', '3', '--json'], { env: { AWS_REGION: 'eu-central-1' } });
    const { region, columns } = JSON.parse(out);
    const load = { cutovers: 3, writesPerSecond: 5, processes: 2, readersPerSecond: 0 };
    expect(region).toBe('eu-central-1');
    expect(columns).toEqual([{ name: 'this load', load, wanted: null, bill: bill(load, 'eu-central-1') }]);
  });

  it.each([
    [['--region', 'eu-central-9'], /has no 'eu-central-9'[\s\S]*mean 'eu-central-1'/],
    [['--cutovers', '-1'], /whole number/],
    [['--writes-per-second', 'many'], /a number from 0/],
  ])('refuses %j', async (words, says) => {
    const { exit, err } = await cli(['cost', ...words]);
    expect(exit).toBe(2);
    expect(err).toMatch(says);
  });
});
