/**
 * Drafts a cutover from a table: the new one is made in a transaction that is rolled back, and read back from
 * the catalog. What stands in the way is what a preview of the two says. Nothing is left in the database.
 */

import { CrossfadeError, isCrossfadeError } from '../../../core/base/errors.ts';
import { didYouMean } from '../../../core/base/nearest.ts';
import type { DraftedColumns } from '../../../core/table/draft/drafted-columns.ts';
import type { DraftedTable, TableAccess } from '../../../core/table/draft/drafted-table.ts';
import { grantStatements } from '../../../core/table/draft/shadow-ddl.ts';
import type { TableChange } from '../../../core/table/draft/table-change.ts';
import { otherThanTable } from '../../../core/table/relation-kind.ts';
import { quoteTable, type TableShape } from '../../../core/table/shape.ts';
import type { PreviewItem } from '../../../ports/swapping.ts';
import { readTable } from '../capture/catalog.ts';
import type { ConnectionOptions, PgConnection } from '../connection/connection.ts';
import { type Trial, undone } from '../connection/undone.ts';
import { type MigrationFile, migrate } from '../migrations/migrate.ts';
import { previewTable } from '../swapping/preview-table.ts';
import { readAccess } from './describe.ts';
import { newTable } from './new-table.ts';

export type DraftRequest = {
  /** `schema.name`, as the catalog spells it. */
  table: string;
  change: TableChange;
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

/** @throws CrossfadeError `not_found`, `refused_table`, `schema_changed`, and `invalid_input` where Postgres refuses the new table */
export function draftTable(options: ConnectionOptions, request: DraftRequest): Promise<Draft> {
  return undone(options, (trial) => drafted(trial, request));
}

async function drafted(trial: Trial, request: DraftRequest): Promise<Draft> {
  const { connection } = trial;
  await demandSchema(connection, request.migrations);
  const primary = await ordinaryTable(connection, request.table);
  const { name: shadow, table, map } = await newTable(trial, primary, request.change);
  const { owner, readers } = accessTo(table, await readAccess(connection, quoteTable(primary)));
  for (const grant of grantStatements(quoteTable(shadow), readers)) await trial.statement(grant);
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
