/**
 * Drafts a cutover from a table: a copy of it is made and altered in a transaction that is rolled back, and read back from
 * the catalog. What stands in the way is what a preview of that copy says. Nothing is left in the database.
 */

import { CrossfadeError, isCrossfadeError } from '../../../core/base/errors.ts';
import { didYouMean } from '../../../core/base/nearest.ts';
import { type AlterAction, alterStatements } from '../../../core/table/draft/alter-actions.ts';
import { type DraftedColumns, draftedColumns } from '../../../core/table/draft/drafted-columns.ts';
import type { DraftedTable, TableAccess } from '../../../core/table/draft/drafted-table.ts';
import { grantStatements } from '../../../core/table/draft/shadow-ddl.ts';
import { fitName } from '../../../core/table/promotion/fit-name.ts';
import { otherThanTable } from '../../../core/table/relation-kind.ts';
import { quoteTable, quoteText, type TableShape } from '../../../core/table/shape.ts';
import type { PreviewItem } from '../../../ports/swapping.ts';
import { readTable } from '../capture/catalog.ts';
import { type ConnectionOptions, type PgConnection, sqlstateOf } from '../connection/connection.ts';
import { type Trial, undone } from '../connection/undone.ts';
import { type MigrationFile, migrate } from '../migrations/migrate.ts';
import { previewTable } from '../swapping/preview-table.ts';
import { describeTable, readAccess } from './describe.ts';

export type DraftRequest = {
  /** `schema.name`, as the catalog spells it. */
  table: string;
  actions: readonly AlterAction[];
  /** Id of the cutover. */
  id: string;
  /** Of schema `crossfade`, which the preview needs: it is installed in the same transaction where it is not there. */
  migrations: readonly MigrationFile[];
};

export type Draft = DraftedColumns &
  TableAccess & {
    primary: string;
    shadow: string;
    table: DraftedTable;
    /** What the preview says of the two; a refusal that stopped it is one item. */
    items: readonly PreviewItem[];
  };

/** @throws CrossfadeError `not_found`, `refused_table`, `schema_changed`, and `invalid_input` where Postgres refuses the ALTER */
export function draftTable(options: ConnectionOptions, request: DraftRequest): Promise<Draft> {
  return undone(options, (trial) => drafted(trial, request));
}

async function drafted(trial: Trial, request: DraftRequest): Promise<Draft> {
  const { connection } = trial;
  await demandSchema(connection, request.migrations);
  const primary = await ordinaryTable(connection, request.table);
  const shadow = { schema: primary.schema, name: await freeName(connection, primary) };
  const [from, copy] = [quoteTable(primary), quoteTable(shadow)];
  await makeCopy(trial, from, copy);
  await alterCopy(trial, copy, request.actions);
  const table = await describeTable(connection, copy);
  const { owner, readers } = accessTo(table, await readAccess(connection, from));
  for (const grant of grantStatements(copy, readers)) await trial.statement(grant);
  const map = draftedColumns(primary, table.columns, request.actions);
  const names = { primary: nameOf(primary), shadow: nameOf(shadow) };
  const declared = { ...names, columns: map.columns };
  const items = await itemsOf(connection, { id: request.id, validation: 'strict', table: declared });
  return { ...map, ...names, table, owner, readers, items };
}

const nameOf = ({ schema, name }: { schema: string; name: string }) => `${schema}.${name}`;

/** A privilege on a column goes to the one that is left under its name. */
const accessTo = ({ columns }: DraftedTable, { owner, readers }: TableAccess): TableAccess => ({
  owner,
  readers: readers.filter(({ column }) => column === null || columns.some(({ ident }) => ident === column)),
});

/** An older schema is not brought up to date here: that would lock what runs. */
async function demandSchema(connection: PgConnection, migrations: readonly MigrationFile[]): Promise<void> {
  const [seen] = await connection.call<{ there: boolean }>(
    `SELECT pg_catalog.to_regclass('crossfade.migration') IS NOT NULL AS there`,
  );
  if (!seen!.there) return void (await migrate(connection, migrations));
  const [applied] = await connection.call<{ count: number }>('SELECT count(*)::int4 AS count FROM crossfade.migration');
  if (applied!.count === migrations.length) return;
  const older = applied!.count < migrations.length;
  throw new CrossfadeError(
    'schema_changed',
    `Schema crossfade of this database has ${applied!.count} migrations, this command ${migrations.length}. ${older ? 'Bring it up to date first: crossfade migrate --database-url …' : 'Use the version of Crossfade that has migrated it.'}`,
  );
}

async function ordinaryTable(connection: PgConnection, name: string): Promise<TableShape> {
  const found = await readTable(connection, name);
  if (found === null) {
    const known = await connection.call<{ name: string }>(
      `SELECT n.nspname || '.' || c.relname AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'crossfade') ORDER BY 1 LIMIT 1000`,
    );
    const names = known.map((one) => one.name);
    const near = didYouMean(name, names) || ` Tables: ${names.slice(0, 10).join(', ') || 'none'}.`;
    throw new CrossfadeError('not_found', `There is no table '${name}' in this database.${near}`);
  }
  const other = otherThanTable(found);
  if (other) throw new CrossfadeError('refused_table', `${name} ${other.text}.`);
  return found;
}

/** `orders_v2`, or the first one after it that no relation has. */
async function freeName(connection: PgConnection, { schema, name }: TableShape): Promise<string> {
  const taken = await connection.call<{ name: string }>(
    `SELECT c.relname AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1`,
    [schema],
  );
  const isTaken = (one: string) => taken.some((relation) => relation.name === one);
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
    } catch (error) {
      if (!isCrossfadeError(error) || error.retryable) throw error;
      const { constraints } = await describeTable(connection, copy);
      const named = constraints.map(({ ident }) => ident).join(', ');
      throw new CrossfadeError(
        'invalid_input',
        `Postgres refuses ALTER TABLE ${copy} ${list}: ${error.details.said ?? error.message}. It was tried on a copy, and taken back.${UNKNOWN.test(sqlstateOf(error) ?? '') ? ' Name types and functions of an extension with its schema.' : ''}${named ? ` Constraints of the copy: ${named}.` : ''}`,
        { details: error.details },
      );
    }
  }
}

async function itemsOf(connection: PgConnection, cutover: Parameters<typeof previewTable>[1]) {
  try {
    return (await previewTable(connection, cutover)).items;
  } catch (error) {
    if (!isCrossfadeError(error) || error.code !== 'refused_table') throw error;
    const problems = (error.details.problems as readonly string[] | undefined) ?? [error.message];
    return problems.map(
      (text): PreviewItem => ({ action: 'refuse', kind: 'declaration', object: cutover.table.shadow, text }),
    );
  }
}
