/** A month in USD as a table: a row for each kind of cost, a column for each load. Pure. */

import type { Bill, PriceList } from '../core/cost/bill.ts';
import { type Load, ROWS } from '../core/cost/usage.ts';
import { counted, pad } from './text.ts';

/** `wanted`: the limit that is set for this load. */
export type Column = { name: string; load: Load; wanted: number | null; bill: Bill };

const LABEL_WIDTH = 22;
const WIDTH = 12;

export function renderCost(columns: readonly Column[], region: string, { readOn }: PriceList): string {
  const line = (label: string, of: (column: Column) => string) =>
    `  ${pad(label, LABEL_WIDTH)}${columns.map((column) => of(column).padStart(WIDTH)).join('')}`;
  const hasLimits = columns.some(({ wanted }) => wanted !== null);
  return [
    `USD a month in ${region}, at list prices of ${readOn}.`,
    '',
    line('', ({ name }) => name),
    ...ROWS.map((row) => line(row, ({ bill }) => usd(bill.rows[row]))),
    line('total', ({ bill }) => usd(bill.total)),
    line('less free allowances', ({ bill }) => usd(bill.total - bill.free)),
    ...(hasLimits ? [line('wanted at most', ({ wanted }) => String(wanted))] : []),
    '',
    ...columns.map(({ name, load }) => `  ${name}: ${loadText(load)}`),
    '',
    'Counted on the local engine, not billed. Free allowances are those of an account that uses them for nothing else. Not in it: storage (cents), traffic, taxes, the database.',
  ].join('\n');
}

const usd = (value: number): string => value.toFixed(2);

function loadText({ cutovers, writesPerSecond, processes, readersPerSecond }: Load): string {
  if (cutovers === 0) return 'deployed, nothing under way';
  const sending = [
    ...(processes > 0 ? [processes === 1 ? '1 process' : `${processes} processes`] : []),
    ...(readersPerSecond > 0 ? [`${counted(readersPerSecond, 'request')} a second answered on Lambda`] : []),
  ];
  return [counted(cutovers, 'table'), `${counted(writesPerSecond, 'write')} a second`, ...sending].join(', ');
}
