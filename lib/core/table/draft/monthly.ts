/** A drafted table by month: what PARTITION BY makes of its keys, and its partitions. Pure. */

import { CrossfadeError } from '../../base/errors.ts';
import type { DraftedPartition, DraftedTable } from './drafted-table.ts';
import { foldedName, TOKENS } from './sql-tokens.ts';

/** Months since the year 0, both included. */
export type MonthSpan = { first: number; last: number };

/** Fifty years: what spans more has a wrong date. */
const MOST_MONTHS = 600;
const TIMES = /^(date|timestamp(\(\d\))? with(out)? time zone)$/;

/** The column of `RANGE (created_at)`. @throws CrossfadeError `invalid_input` for any other clause */
export function partitionColumn(clause: string): string {
  const [method, opening, column, closing, ...rest] = [...clause.matchAll(TOKENS)]
    .map(([token]) => token)
    .filter((token) => token.trim() !== '');
  const isOne = opening === '(' && closing === ')' && rest.length === 0 && /^["A-Za-z_\u0080-\uffff]/.test(column!);
  if (method?.toUpperCase() !== 'RANGE' || !isOne)
    throw refusal(clause, 'It takes one column, and makes a partition for each month');
  return foldedName(column!);
}

const refusal = (clause: string, why: string) =>
  new CrossfadeError(
    'invalid_input',
    `--partition-by takes a clause such as 'RANGE (created_at)', got '${clause}'. ${why}. For any other way write the table and its partitions into a file, and give that with --ddl.`,
  );

/** @throws CrossfadeError `invalid_input` for a column that is not among these, or that is no time */
export function demandTime<Column extends { name: string; type: string }>(
  columns: readonly Column[],
  name: string,
): Column {
  const clause = `RANGE (${name})`;
  const column = columns.find((one) => one.name === name);
  if (!column) throw refusal(clause, `There is no column '${name}', but ${columns.map((one) => one.name).join(', ')}`);
  if (!TIMES.test(column.type)) throw refusal(clause, `'${name}' is of type ${column.type}, and no date or timestamp`);
  return column;
}

/** @param name of the partition that begins with `2027_01`, quoted and with its schema */
export function monthlyPartitions(
  { first, last }: MonthSpan,
  type: string,
  name: (month: string) => string,
): DraftedPartition[] {
  if (last - first >= MOST_MONTHS)
    throw new CrossfadeError(
      'invalid_input',
      `Rows are from ${day(first)} to ${day(last + 1)}: ${last - first + 1} months, and at most ${MOST_MONTHS} partitions are drafted. Correct the rows that are outside of the time that you mean, or write the partitions into a file and give that with --ddl.`,
    );
  const bound = (month: number) =>
    type.endsWith('with time zone') ? `'${day(month)} 00:00:00+00'` : `'${day(month)}'`;
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const month = first + index;
    return {
      ident: name(day(month).slice(0, -3).replace('-', '_')),
      bound: `FOR VALUES FROM (${bound(month)}) TO (${bound(month + 1)})`,
      options: null,
    };
  });
}

/** The first of a month. */
const day = (month: number) =>
  `${String(Math.floor(month / 12)).padStart(4, '0')}-${String((month % 12) + 1).padStart(2, '0')}-01`;

/**
 * Postgres demands the column in every key, and keeps nothing else unique. Storage parameters are those of the partitions.
 * @returns also what a person must decide about what is not unique any more
 */
export function byMonth(
  table: DraftedTable,
  column: { ident: string },
  partitions: readonly DraftedPartition[],
): { table: DraftedTable; decisions: string[] } {
  const has = (columns: readonly string[]) => columns.includes(column.ident);
  const widened = table.constraints.filter(({ type, columns }) => (type === 'p' || type === 'u') && !has(columns));
  const loosened = table.indexes.filter((one) => one.unique && !one.constraint && !has(one.columns));
  const decisions = [...widened.filter(({ type }) => type === 'u'), ...loosened].map(
    ({ ident, columns }) =>
      `${ident} does not keep (${columns.join(', ')}) unique any more: Postgres demands ${column.ident} in what is unique over partitions. Take care of it elsewhere, or choose another way to partition.`,
  );
  return {
    decisions,
    table: {
      ...table,
      options: null,
      partitionedBy: `RANGE (${column.ident})`,
      partitions: partitions.map((one) => ({ ...one, options: table.options })),
      constraints: table.constraints.map((one) => (widened.includes(one) ? widen(one, column.ident) : one)),
      indexes: table.indexes.map((one) => ({
        ...one,
        clustered: false,
        ...(loosened.includes(one)
          ? {
              unique: false,
              identifies: false,
              definition: one.definition.replace('CREATE UNIQUE INDEX', 'CREATE INDEX'),
            }
          : {}),
      })),
    },
  };
}

function widen(constraint: DraftedTable['constraints'][number], ident: string): DraftedTable['constraints'][number] {
  const columns = [...constraint.columns, ident];
  const list = (names: readonly string[]) => `(${names.join(', ')})`;
  // The function's form, since a name may hold a dollar sign.
  const definition = constraint.definition.replace(list(constraint.columns), () => list(columns));
  return { ...constraint, columns, definition };
}
