/** Quantities of a month times prices, by row. Pure. */

import { type Counted, type Line, type Load, PRICED, type Priced, ROWS, type Row, usageOf } from './usage.ts';

/** USD for `per` of a thing, of one region. */
type RegionPrices = Readonly<Record<Priced, number>>;

/** infra/prices.json. */
export type PriceList = {
  /** The day on which they were read: `2026-09-11`. */
  readOn: string;
  sources: readonly string[];
  per: Readonly<Record<Priced, number>>;
  /** What an account gets without paying in each month, for as long as it exists. Its other workloads use of it, too. */
  free: Readonly<Record<Priced, number>>;
  regions: Readonly<Record<string, RegionPrices>>;
};

/** USD a month. `free` is what an account saves that uses its free allowances for nothing else. */
export type Bill = { rows: Readonly<Record<Row, number>>; total: number; free: number };

/** The loads that the limits are set for. */
export const SCENES = {
  idle: { load: { cutovers: 0, writesPerSecond: 0, processes: 0, readersPerSecond: 0 }, wanted: 5 },
  'one table': { load: { cutovers: 1, writesPerSecond: 5, processes: 2, readersPerSecond: 0 }, wanted: 25 },
  '20 tables': { load: { cutovers: 20, writesPerSecond: 19, processes: 2, readersPerSecond: 0 }, wanted: 100 },
  readers: { load: { cutovers: 1, writesPerSecond: 5, processes: 0, readersPerSecond: 100 }, wanted: 150 },
} as const satisfies Readonly<Record<string, { load: Load; wanted: number }>>;

export function billOf(load: Load, counted: Counted, { per, free, regions }: PriceList, region: string): Bill {
  const prices = regions[region]!;
  const usd = ({ priced, quantity }: Pick<Line, 'priced' | 'quantity'>) => (quantity / per[priced]) * prices[priced];
  const lines = usageOf(load, counted);
  const sum = (some: readonly Line[]) => some.reduce((total, line) => total + usd(line), 0);
  const saved = PRICED.map((priced) => {
    const used = lines.reduce((total, line) => total + (line.priced === priced ? line.quantity : 0), 0);
    return usd({ priced, quantity: Math.min(used, free[priced]) });
  });
  return {
    rows: Object.fromEntries(ROWS.map((row) => [row, sum(lines.filter((line) => line.row === row))])) as Record<
      Row,
      number
    >,
    total: sum(lines),
    free: saved.reduce((total, one) => total + one, 0),
  };
}
