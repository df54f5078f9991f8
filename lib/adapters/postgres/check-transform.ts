/**
 * Lets Postgres itself judge the SQL of a transform before anything is created from it: names, casts, functions, operators.
 * Functions in plpgsql are not looked at before they run, so a mistake would otherwise come up with the first row.
 */

import { isCrossfadeError } from '../../core/errors.ts';
import { quoteTable, quoteText, searchPath, type TableShape } from '../../core/table-shape.ts';
import type { Mapping } from '../../core/transform.ts';
import type { PgGateway } from './gateway.ts';

const DENIED = '42501';
/** No such function, or no such operator, under this search_path. */
const UNDEFINED = '42883';

type Direction = { mapping: Mapping; source: TableShape; target: TableShape };

/** Every column whose expression cannot work, with Postgres' own reason. Reads no row. */
export async function transformProblems(owner: PgGateway, directions: readonly Direction[]): Promise<string[]> {
  const problems: string[] = [];
  for (const { mapping, source, target } of directions) {
    const expressions = expressionsOf(mapping);
    const all = expressions.map(({ sql }) => sql).join(', ');
    const path = searchPath([source, target]);
    if ((await refusal(owner, source, all, path)) === null) continue;
    for (const { name, sql } of expressions) {
      const why = await refusal(owner, source, sql, path);
      if (why !== null) problems.push(`column '${name}' of ${target.schema}.${target.name}: ${why}`);
    }
  }
  return problems;
}

function expressionsOf({ key, written, compared }: Mapping): { name: string; sql: string }[] {
  const all = [
    ...key.map(({ target, sql }) => ({ name: target.name, sql })),
    ...written.map(({ target, sql }) => ({ name: target, sql })),
    ...compared.map(({ target, sql }) => ({ name: target, sql })),
  ];
  return all.filter(({ name, sql }, index) => all.findIndex((one) => one.name === name && one.sql === sql) === index);
}

/**
 * In a WHERE, where an aggregate is an error as it should be: each expression is one value of one row. Nothing is read. Under
 * the search_path of the functions that will have the expression in them, whatever the one of the session is.
 */
async function refusal(
  owner: PgGateway,
  source: TableShape,
  expressions: string,
  path: string,
): Promise<string | null> {
  const look = `SELECT FROM ${quoteTable(source)} AS p WHERE ROW(${expressions}) IS NULL LIMIT 0`;
  const body = `BEGIN PERFORM pg_catalog.set_config('search_path', ${quoteText(path)}, true); EXECUTE ${quoteText(look)}; END`;
  try {
    await owner.call(`DO LANGUAGE plpgsql ${quoteText(body)}`);
    return null;
  } catch (error) {
    if (!isCrossfadeError(error) || error.retryable) throw error;
    const sqlstate = String(error.details.sqlstate ?? '');
    // A right that is missing is the plan's to name, with what it is for.
    if (sqlstate === DENIED) return null;
    if (!/^(42|22|2B|0A)/.test(sqlstate)) throw error;
    const why = /: ([^:]*(?::[^:]*)?) \[[0-9A-Z]{5}\]/.exec(error.message)?.[1] ?? error.message;
    return sqlstate === UNDEFINED
      ? `${why} under search_path ${path}. Name its schema: extensions.f(x) for a function, a OPERATOR(extensions.->) b for an operator`
      : why;
  }
}
