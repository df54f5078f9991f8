/**
 * Lets Postgres itself judge the SQL of a transform before anything is created from it: names, casts, functions, operators.
 * Functions in plpgsql are not looked at before they run, so a mistake would otherwise come up with the first row.
 */

import { isCrossfadeError } from '../../../core/base/errors.ts';
import type { Mapping } from '../../../core/table/mapping.ts';
import { declaredPath, quoteTable, quoteText, type TableShape } from '../../../core/table/shape.ts';
import type { PgConnection } from '../connection/connection.ts';
import { ASKED_TOGETHER, answers, type Expression } from './answers.ts';
import { resolveExpressions, said } from './resolve.ts';

const DENIED = '42501';

export type Direction = { mapping: Mapping; source: TableShape; target: TableShape };

/** There, and back with the roles exchanged. */
export const bothDirections = (
  primary: TableShape,
  shadow: TableShape,
  { forward, reverse }: { forward: Mapping; reverse: Mapping },
): readonly Direction[] => [
  { mapping: forward, source: primary, target: shadow },
  { mapping: reverse, source: shadow, target: primary },
];

/**
 * Each direction as it is stored, with the names of declared expressions resolved; or every column whose expression cannot work, with
 * Postgres' own reason. Reads no row.
 */
export async function resolveTransform(
  owner: PgConnection,
  directions: readonly Direction[],
): Promise<{ directions: readonly Direction[]; problems: readonly string[] }> {
  const resolved: Direction[] = [];
  const problems: string[] = [];
  for (const direction of directions) {
    const { source, target } = direction;
    const judged = await resolveDirection(owner, direction);
    resolved.push(judged.direction);
    problems.push(
      ...judged.refused.map(({ name, answer }) => `column '${name}' of ${target.schema}.${target.name}: ${answer}`),
    );
    if (judged.refused.length === 0) problems.push(...(await unsteady(owner, { ...judged.direction, source, target })));
  }
  return { directions: resolved, problems };
}

async function resolveDirection(owner: PgConnection, { mapping, source, target }: Direction) {
  const rows = `${quoteTable(source)} AS p`;
  const scope = { rows, path: declaredPath([source, target]), tables: [source.oid, target.oid] };
  const declared = [...mapping.written, ...mapping.compared].filter((one) => one.declared);
  const { stored, problems } = await resolveExpressions(owner, scope, distinct(declared.map(asExpression)));
  const named = <One extends { sql: string }>(one: One): One => ({ ...one, sql: stored.get(one.sql) ?? one.sql });
  const resolved = { ...mapping, written: mapping.written.map(named), compared: mapping.compared.map(named) };
  const expressions = expressionsOf(resolved);
  const others = expressions.filter((one) => !problems.some(({ name }) => name === one.name));
  const found = [...problems, ...(await answers(others, (sql) => refusal(owner, rows, sql, scope.path)))];
  const refused = expressions.flatMap(({ name }) => found.find((one) => one.name === name) ?? []);
  return { direction: { mapping: resolved, source, target }, refused: [...new Set(refused)] };
}

/** Anything that is more than a column and a cast. */
const isComputed = (sql: string) =>
  /\bselect\b|[\w"]\s*\(|\b(current_\w+|localtime\w*|session_user|user)\b/i.test(
    sql.replaceAll(/crossfade\.refuse_\w+\(|\bROW\(|::[\w ]+\([\d,]+\)/g, ''),
  );

/** Every expression once, in lists that a ROW can hold. Casts and operators may call functions, too. */
export function expressionLists(mapping: Mapping): string[] {
  const found = [...new Set(expressionsOf(mapping).map(({ sql }) => sql))];
  const lists: string[] = [];
  for (let from = 0; from < found.length; from += ASKED_TOGETHER)
    lists.push(found.slice(from, from + ASKED_TOGETHER).join(', '));
  return lists;
}

/** What gives another value each time, though Postgres calls it stable: it is, within one statement. */
const MOMENTARY =
  'now|transaction_timestamp|statement_timestamp|txid_current|pg_current_xact_id|pg_backend_pid|current_setting|inet_client_addr';

/**
 * Columns that are compared and whose expression does not depend on the row alone: no two looks at them agree. Postgres is asked
 * which functions it made of the expression, by a view that is rolled back in the block that made it.
 */
async function unsteady(owner: PgConnection, { mapping, source, target }: Direction): Promise<string[]> {
  const computed = mapping.compared.filter(({ sql }) => isComputed(sql)).map((one) => ({ ...one, name: one.target }));
  const found = await answers(computed, (sql) => changing(owner, source, sql));
  return found.map(
    ({ name, answer }) =>
      `column '${name}' of ${target.schema}.${target.name}: its expression has ${answer}, whose value is not decided by the row. Compute it from columns, or let a default fill the column`,
  );
}

/** A function of the user's own is volatile unless it says otherwise, which few do: only those of Postgres and of extensions tell. */
export async function changing(owner: PgConnection, source: TableShape, sql: string): Promise<string | null> {
  const view = `SELECT ROW(${sql}) IS NULL AS c FROM ${quoteTable(source)} AS p`;
  const body = `DECLARE v_view text := 'crossfade.look_' || pg_catalog.pg_backend_pid(); v_tree text; v_found text; BEGIN
    EXECUTE 'CREATE VIEW ' || v_view || ' AS ' || ${quoteText(view)};
    SELECT r.ev_action::pg_catalog.text INTO v_tree FROM pg_catalog.pg_rewrite r WHERE r.ev_class = v_view::pg_catalog.regclass;
    SELECT pg_catalog.string_agg(DISTINCT f.proname || '()', ', ') INTO v_found
    FROM pg_catalog.regexp_matches(v_tree, ':(funcid|opno) (\\d+)', 'g') m
    LEFT JOIN pg_catalog.pg_operator o ON m[1] = 'opno' AND o.oid = m[2]::pg_catalog.oid
    JOIN pg_catalog.pg_proc f ON f.oid = CASE m[1] WHEN 'funcid' THEN m[2]::pg_catalog.oid ELSE o.oprcode END
    WHERE (f.provolatile = 'v' AND f.prolang IN (SELECT l.oid FROM pg_catalog.pg_language l WHERE l.lanname IN ('internal', 'c'))) OR (f.pronamespace = 'pg_catalog'::pg_catalog.regnamespace AND f.proname ~ '^(${MOMENTARY})$');
    RAISE EXCEPTION 'found %', pg_catalog.concat_ws(', ', v_found, CASE WHEN v_tree ~ '\\{SUBLINK' THEN 'a sub-select' END,
      CASE WHEN v_tree ~ '\\{SQLVALUEFUNCTION' THEN 'the time or the user of the moment' END) USING ERRCODE = 'CF012';
  END`;
  try {
    await owner.call(`DO LANGUAGE plpgsql ${quoteText(body)}`);
    return null;
  } catch (error) {
    if (!isCrossfadeError(error) || error.retryable) throw error;
    // Where no view may be made nothing can be said.
    return /found (.+) \[CF012\]/.exec(error.message)?.[1] ?? null;
  }
}

function expressionsOf({ key, written, compared }: Mapping): Expression[] {
  return distinct([
    ...key.map(({ target, sql }) => ({ name: target.name, sql })),
    ...[...written, ...compared].map(asExpression),
  ]);
}

const asExpression = ({ target, sql }: { target: string; sql: string }): Expression => ({ name: target, sql });

const distinct = (all: readonly Expression[]): Expression[] => [
  ...new Map(all.map((one) => [JSON.stringify([one.name, one.sql]), one])).values(),
];

/**
 * In a WHERE, where an aggregate is an error as it should be: each expression is one value of one row. Nothing is read.
 *
 * @param rows what is in scope as `p`, as a FROM clause has it
 * @param path where the declared names were looked up, for the message
 */
async function refusal(owner: PgConnection, rows: string, expressions: string, path: string): Promise<string | null> {
  const look = `SELECT FROM ${rows} WHERE ROW(${expressions}) IS NULL LIMIT 0`;
  // As a text, since the literals of a message are read before its head says how.
  const body = `BEGIN EXECUTE ${quoteText(look)}; END`;
  try {
    await owner.call(`DO LANGUAGE plpgsql ${quoteText(body)}`);
    return null;
  } catch (error) {
    if (!isCrossfadeError(error) || error.retryable) throw error;
    const sqlstate = String(error.details.sqlstate ?? '');
    // A right that is missing is the preview's to name, with what it is for.
    if (sqlstate === DENIED) return null;
    if (!/^(42|22|2B|0A)/.test(sqlstate)) throw error;
    return said(error.message, sqlstate, path);
  }
}
