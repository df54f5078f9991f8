/**
 * Companion columns: the trigger that keeps both columns of a referring table equal, and their first fill, a few pages a call.
 *
 * The column with the foreign key leads. What follows from it is looked up in the table in use, in the writer's own transaction. Where
 * a statement writes only the column that follows, the leading one is looked up first. Neither look-up ever fails a statement: what cannot
 * be looked up is left as it was written, and holds the swap, which compares every row.
 */

import type { Companion } from '../mapping.ts';
import { quoteName, quoteTable, quoteText } from '../shape.ts';
import { type Flow, objectNames, rowValue, securely, sourceTable } from './names.ts';

/** A companion, and the expression of what follows over the referenced row `p`. */
type Filled = Companion & { sql: string };

export function companionsOf({ mapping }: Pick<Flow, 'mapping'>): readonly Filled[] {
  return (mapping.companions ?? []).map((one) => ({
    ...one,
    sql: mapping.written.find(({ target }) => target === one.becomes)!.sql,
  }));
}

export function createCompanion(flow: Flow): string {
  return `CREATE FUNCTION ${objectNames(flow.id).companion}() RETURNS trigger
${securely()} AS $crossfade$
#variable_conflict use_column
BEGIN
  ${companionsOf(flow)
    .map((one, index) => follow(flow, one, index))
    .join('\n  ')}
  RETURN NEW;
END $crossfade$`;
}

/**
 * A statement: a snapshot from before the trigger was made need not show the rows of the table that is in use since. As everywhere in
 * Postgres, a transaction that cannot be given what it asks for begins again.
 */
const beginAgain = (
  sought: string,
) => `IF NOT FOUND AND ${sought} IS NOT NULL AND NOT pg_visible_in_snapshot(TG_ARGV[0]::xid8, pg_current_snapshot()) THEN
          RAISE EXCEPTION 'could not serialize access due to a concurrent exchange of tables' USING ERRCODE = 'serialization_failure',
            HINT = 'The transaction began before the tables were exchanged. Begin it again.';
        END IF;`;

/** OLD is NULL in every field for an INSERT. */
function follow(flow: Flow, { leading, following, references, from, sql }: Filled, index: number): string {
  const field = (row: 'OLD' | 'NEW', name: string) => `${row}.${quoteName(name)}`;
  const value = (row: 'OLD' | 'NEW', name: string) => rowValue([field(row, name)]);
  const source = (column: string) => `p.${quoteName(column)}`;
  const lead =
    from === null
      ? ''
      : `
      IF ${value('NEW', leading)} *= ${value('OLD', leading)} AND ${value('NEW', following)} *<> ${value('OLD', following)} THEN
        SELECT ${source(references)} INTO ${field('NEW', leading)} FROM ${sourceTable(flow)} AS p WHERE ${source(from)} = ${field('NEW', following)};
        ${beginAgain(field('NEW', following))}
      END IF;`;
  return `IF ${quoteText(`c${index}`)} = ANY (TG_ARGV) THEN
    BEGIN${lead}
      SELECT ${sql} INTO ${field('NEW', following)} FROM ${sourceTable(flow)} AS p WHERE ${source(references)} = ${field('NEW', leading)};
      ${beginAgain(field('NEW', leading))}
    EXCEPTION WHEN serialization_failure THEN
      RAISE;
    WHEN OTHERS THEN
      RAISE LOG 'crossfade: a companion of cutover ${flow.id} was left as it was written: %', SQLERRM;
    END;
  END IF;`;
}

/** One for each referring table, with the transaction that makes it and the places of its companions; after the triggers of the application, which may change what it reads. */
export function createCompanionTriggers(flow: Flow): string[] {
  const tables = new Map<string, number[]>();
  for (const [index, { table }] of (flow.mapping.companions ?? []).entries())
    tables.set(quoteTable(table), [...(tables.get(quoteTable(table)) ?? []), index]);
  const name = quoteName(`~crossfade_companion_${flow.id}`);
  const made = (table: string, indexes: readonly number[]) =>
    `CREATE TRIGGER ${name} BEFORE INSERT OR UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION ${objectNames(flow.id).companion}(%L, ${indexes.map((index) => quoteText(`c${index}`)).join(', ')})`;
  return [...tables].flatMap(([table, indexes]) => [
    `DO $crossfade$ BEGIN EXECUTE format(${quoteText(made(table, indexes))}, pg_current_xact_id()); END $crossfade$`,
    `ALTER TABLE ${table} ENABLE ALWAYS TRIGGER ${name}`,
  ]);
}

/** Condition: a row \`r\` of the referring table has another value than what follows for it. */
const differs = (flow: Flow, { leading, following, references, sql }: Filled) =>
  `${rowValue([`r.${quoteName(following)}`])} *<> ${rowValue([
    `(SELECT ${sql} FROM ${sourceTable(flow)} AS p WHERE p.${quoteName(references)} = r.${quoteName(leading)})`,
  ])}`;

/** Of rows that do not have what follows for them, how many there are: none, when the trigger was there and the fill is done. */
export const countUnfilled = (flow: Flow, one: Filled): string =>
  `SELECT pg_catalog.count(*)::integer AS rows FROM ${quoteTable(one.table)} AS r WHERE ${differs(flow, one)}`;

/**
 * Statements of a call of backfill, before the copy: the next pages of the referring tables. A row that somebody has locked is not waited
 * for, and a row is locked for milliseconds: the pages are looked at again. Rows that are written meanwhile have gone
 * through the trigger, which is what computes here, too.
 */
export function fillCompanions(flow: Flow): string {
  const companions = companionsOf(flow);
  if (companions.length === 0) return '';
  return `\n  IF v_row.companion < ${companions.length} THEN
    CASE v_row.companion
    ${companions.map((one, index) => `WHEN ${index} THEN\n      ${fill(flow, one)}`).join('\n    ')}
    END CASE;
    IF v_rows > 0 THEN RETURN jsonb_build_object('kind', 'busy'); END IF;
    UPDATE crossfade.backfill b SET updated_at = clock_timestamp(),
      companion = CASE WHEN v_until >= v_pages THEN v_row.companion + 1 ELSE v_row.companion END,
      companion_page = CASE WHEN v_until >= v_pages THEN 0 ELSE v_until END
    WHERE b.cutover = ${quoteText(flow.id)};
    RETURN jsonb_build_object('kind', 'copied', 'rows', 0, 'rowsDone', v_row.rows_done, 'rowsTotal', v_row.rows_total,
      'tookMs', round(extract(epoch FROM clock_timestamp() - v_started) * 1000));
  END IF;`;
}

const ROWS_A_PAGE = 100;

function fill(flow: Flow, one: Filled): string {
  const table = quoteTable(one.table);
  const following = quoteName(one.following);
  return `v_pages := pg_relation_size(${quoteText(table)}::regclass) / current_setting('block_size')::bigint;
      v_until := v_row.companion_page + greatest(1, p_rows / ${ROWS_A_PAGE});
      WITH unfilled AS MATERIALIZED (
        SELECT r.ctid AS at FROM ${table} AS r WHERE r.ctid >= format('(%s,0)', v_row.companion_page)::tid AND r.ctid < format('(%s,0)', v_until)::tid
          AND ${differs(flow, one)}
      ), held AS MATERIALIZED (SELECT r.ctid AS at FROM unfilled u JOIN ${table} AS r ON r.ctid = u.at FOR NO KEY UPDATE OF r SKIP LOCKED
      ), filled AS (UPDATE ${table} AS r SET ${following} = r.${following} FROM held h WHERE r.ctid = h.at RETURNING 1)
      SELECT (SELECT count(*) FROM unfilled) - (SELECT count(*) FROM filled) INTO v_rows;`;
}
