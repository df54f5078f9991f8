/** Makes the new table of a draft in a trial: a copy that is altered, one by month, or what the DDL of a person makes. */

import { CrossfadeError } from '../../../core/base/errors.ts';
import { type AlterAction, alterStatements } from '../../../core/table/draft/alter-actions.ts';
import { type DraftedColumns, draftedColumns, namedColumns } from '../../../core/table/draft/drafted-columns.ts';
import type { DraftedTable } from '../../../core/table/draft/drafted-table.ts';
import { byMonth, demandTime, type MonthSpan, monthlyPartitions } from '../../../core/table/draft/monthly.ts';
import { tableStatements } from '../../../core/table/draft/shadow-ddl.ts';
import type { TableChange } from '../../../core/table/draft/table-change.ts';
import { fitName } from '../../../core/table/promotion/fit-name.ts';
import { type ColumnShape, quoteName, quoteTable, quoteText, type TableShape } from '../../../core/table/shape.ts';
import { type PgConnection, sqlstateOf } from '../connection/connection.ts';
import { refusedBy, type Trial } from '../connection/undone.ts';
import { describeTable } from './describe.ts';
import { tableOfDdl } from './table-of-ddl.ts';

type TableName = { schema: string; name: string };

type NewTable = { name: TableName; table: DraftedTable; map: DraftedColumns };

/** @throws CrossfadeError `invalid_input` where Postgres refuses it */
export async function newTable(trial: Trial, primary: TableShape, change: TableChange): Promise<NewTable> {
  const { connection } = trial;
  if ('statements' in change) {
    const name = await tableOfDdl(trial, primary, change.statements);
    const table = await describeTable(connection, quoteTable(name));
    return { name, table, map: namedColumns(primary, table.columns) };
  }
  const isTaken = await takenNames(connection, primary.schema);
  const name = { schema: primary.schema, name: freeName(primary.name, isTaken) };
  const copy = quoteTable(name);
  await makeCopy(trial, quoteTable(primary), copy);
  await alterCopy(trial, copy, change.actions);
  const table = await describeTable(connection, copy);
  const map = draftedColumns(primary, table.columns, change.actions);
  if (change.monthly === null) return { name, table, map };
  const monthly = await copyByMonth(trial, { primary, copy: name, table, isTaken }, change.monthly);
  return { name, table: monthly.table, map: { ...map, decisions: [...map.decisions, ...monthly.decisions] } };
}

type IsTaken = (name: string) => boolean;

async function takenNames(connection: PgConnection, schema: string): Promise<IsTaken> {
  const taken = await connection.call<{ name: string }>(
    `SELECT c.relname AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1`,
    [schema],
  );
  const names = new Set(taken.map((relation) => relation.name));
  return (name) => names.has(name);
}

/** `orders_v2`, or the first one after it that no relation has. */
function freeName(name: string, isTaken: IsTaken): string {
  for (let version = 2; ; version += 1) {
    const free = fitName(name, `_v${version}`, isTaken);
    if (!isTaken(free)) return free;
  }
}

/** What LIKE copies, and what it leaves out although it belongs to the storage of the table. */
async function makeCopy({ connection, statement }: Trial, from: string, copy: string): Promise<void> {
  const { options, comment, columns } = await describeTable(connection, from);
  await statement(`CREATE TABLE ${copy} (LIKE ${from} INCLUDING ALL)${options === null ? '' : ` WITH (${options})`}`);
  for (const { ident, statistics, options: set } of columns) {
    if (statistics !== null) await statement(`ALTER TABLE ${copy} ALTER COLUMN ${ident} SET STATISTICS ${statistics}`);
    if (set !== null) await statement(`ALTER TABLE ${copy} ALTER COLUMN ${ident} SET (${set})`);
  }
  if (comment !== null) await statement(`COMMENT ON TABLE ${copy} IS ${quoteText(comment)}`);
}

/** No such type, function or operator where only the catalog is in the path. */
const UNKNOWN = /^(42704|42883)$/;

/** The names of constraints and indexes are those of the copy, so a refusal says them. */
async function alterCopy({ connection, theirs }: Trial, copy: string, actions: readonly AlterAction[]) {
  for (const list of alterStatements(actions)) {
    try {
      await theirs(`ALTER TABLE ${copy} ${list}`);
    } catch (failure) {
      const { said, error } = refusedBy(failure);
      const { constraints } = await describeTable(connection, copy);
      const named = constraints.map(({ ident }) => ident).join(', ');
      throw new CrossfadeError(
        'invalid_input',
        `Postgres refuses ALTER TABLE ${copy} ${list}: ${said}. It was tried on a copy, and taken back.${UNKNOWN.test(sqlstateOf(error) ?? '') ? ' Name types and functions of an extension with its schema.' : ''}${named ? ` Constraints of the copy: ${named}.` : ''}`,
        { details: error.details },
      );
    }
  }
}

type PlainCopy = { primary: TableShape; copy: TableName; table: DraftedTable; isTaken: IsTaken };

/** The plain copy is made again as a partitioned one, with a partition for each month of the rows and two months ahead. */
async function copyByMonth({ connection, statement }: Trial, { primary, copy, table, isTaken }: PlainCopy, by: string) {
  const column = demandTime(table.columns, by);
  const span = await monthsOf(connection, quoteTable(primary), primary.columns[column.number - 1]);
  const nameOf = (month: string) => quoteTable({ schema: copy.schema, name: fitName(copy.name, `_${month}`, isTaken) });
  const monthly = byMonth(table, column, monthlyPartitions(span, column.type, nameOf));
  await statement(`DROP TABLE ${quoteTable(copy)}`);
  for (const one of tableStatements(monthly.table)) {
    await statement(one).catch((failure: unknown) => {
      const { said, error } = refusedBy(failure);
      throw new CrossfadeError(
        'invalid_input',
        `Postgres refuses to partition the copy by ${by}: ${said} (${one}). It was taken back. Write the table and its partitions into a file, and give that with --ddl.`,
        { details: error.details },
      );
    });
  }
  return { table: await describeTable(connection, quoteTable(copy)), decisions: monthly.decisions };
}

/** By an index of the column, where there is one. @param column undefined for one that rows do not have yet */
async function monthsOf(connection: PgConnection, table: string, column?: ColumnShape): Promise<MonthSpan> {
  const seen =
    column === undefined
      ? () => 'NULL'
      : (order: string) => `(SELECT ${instant(column)} FROM ${table}
    WHERE isfinite(${quoteName(column.name)}) ORDER BY ${quoteName(column.name)} ${order} LIMIT 1)`;
  const month = (at: string) => `(extract(year FROM ${at}) * 12 + extract(month FROM ${at}) - 1)::int4`;
  const [span] = await connection.call<MonthSpan>(
    `SELECT ${month("l.first AT TIME ZONE 'UTC'")} AS first, ${month("l.last AT TIME ZONE 'UTC'")} + 2 AS last
     FROM (SELECT least(${seen('ASC')}, now()) AS first, greatest(${seen('DESC')}, now()) AS last) l`,
  );
  return span!;
}

/** Months are those of UTC, whatever the session has. */
function instant({ name, type }: ColumnShape): string {
  demandTime([{ name, type }], name);
  return type === 'timestamp with time zone' ? quoteName(name) : `${quoteName(name)}::timestamp AT TIME ZONE 'UTC'`;
}
