/**
 * Who computes a column after promotion that is computed until then. Postgres itself is asked whether the expression can be
 * evaluated over the new row, and whether the way back is made from the column. Reads no row.
 */

import { computedUntilPromotion, inputsNamed, inputsOf, readsWholeRow } from '../../../core/table/kept-columns.ts';
import type { KeptColumn, Mapping } from '../../../core/table/mapping.ts';
import type { ComputedColumn } from '../../../core/table/promotion/computed-columns.ts';
import { columnOf, declaredPath, quoteName, quoteTable, type TableShape } from '../../../core/table/shape.ts';
import type { TableCutover } from '../../../ports/tables.ts';
import { answers } from '../capture/answers.ts';
import { changing } from '../capture/check-transform.ts';
import { parseProblem, resolveExpressions } from '../capture/resolve.ts';
import type { PgConnection } from '../connection/connection.ts';

export async function computedColumns(
  owner: PgConnection,
  { table: declaration }: TableCutover,
  primary: TableShape,
  shadow: TableShape,
): Promise<ComputedColumn[]> {
  const declared = computedUntilPromotion({ shadow, declaration });
  const isWritten = ({ column }: KeptColumn) => columnOf(primary, column.name) !== undefined;
  const written = declared.filter(isWritten).map(({ column }) => ({ by: 'itself', name: column.name }) as const);
  const columns = declared.filter((kept) => !isWritten(kept));
  if (columns.length === 0) return written;
  const inputs = inputsOf({ primary, shadow, declaration });
  const asOld = inputs.map(({ name, sql }) => `${sql} AS ${quoteName(name)}`).join(', ');
  const over = (columns: string) => ({
    rows: `(SELECT ${columns} FROM ${quoteTable(shadow)} AS p) AS p`,
    path: declaredPath([primary, shadow]),
    tables: [primary.oid, shadow.oid],
  });
  const asked = columns.map(({ column, sql }) => ({ name: column.name, sql }));
  const { stored, problems } = await resolveExpressions(owner, over(asOld), asked);
  const refused = new Map(problems.map(({ name, answer }) => [name, answer]));
  const homes = await readBack(declaration.reverse ?? {}, shadow, [...refused.keys()], (columns, sql) =>
    parseProblem(owner, over(columns), sql),
  );
  const defaults = columns.flatMap(({ column }) =>
    column.defaultSql === null ? [] : [{ name: column.name, sql: `(${column.defaultSql})` }],
  );
  const unsteady = new Map(
    (await answers(defaults, (sql) => changing(owner, shadow, sql))).map(({ name, answer }) => [name, answer]),
  );
  const judged = columns.map((kept): ComputedColumn => {
    const { name, defaultSql } = kept.column;
    if (homes.has(name)) return { by: 'application', name };
    const why = refused.get(name) ?? (readsWholeRow(kept.sql, primary) ? 'it reads the row as a whole' : undefined);
    if (why !== undefined) return { by: 'none', name, why };
    if (unsteady.has(name)) return { by: 'unknown', name, default: defaultSql ?? '' };
    return {
      by: 'trigger',
      name,
      kept: { ...kept, sql: stored.get(kept.sql) ?? kept.sql, inputs: inputsNamed(kept.sql, inputs) },
    };
  });
  return [...written, ...judged];
}

/** The way back of the new table, with the columns that a trigger keeps for the application. */
export function keeping(reverse: Mapping, computed: readonly ComputedColumn[]): Mapping {
  const kept = computed.flatMap((one): KeptColumn[] => (one.by === 'trigger' ? [one.kept] : []));
  return kept.length === 0 ? reverse : { ...reverse, kept };
}

/**
 * Those without which an expression of the way back does not compile.
 * @param refusalOver what Postgres says against expressions over the given columns of the shadow, or null
 */
async function readBack(
  reverse: Readonly<Record<string, { sql: string } | { insertOnly: string }>>,
  shadow: TableShape,
  names: readonly string[],
  refusalOver: (columns: string, sql: string) => Promise<string | null>,
): Promise<Set<string>> {
  const ways = Object.values(reverse).flatMap((one) => ('sql' in one ? [one.sql] : []));
  const read = new Set<string>();
  for (const name of names) {
    const ask = ways.filter((sql) => sql.toLowerCase().includes(name.replaceAll('"', '""').toLowerCase()));
    if (ask.length === 0) continue;
    const others = shadow.columns.filter((column) => column.name !== name).map((column) => quoteName(column.name));
    if (await refusalOver(others.join(', '), ask.map((sql) => `(${sql})`).join(', '))) read.add(name);
  }
  return read;
}
