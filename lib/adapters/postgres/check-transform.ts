/**
 * Lets Postgres itself judge the SQL of a transform before anything is created from it: names, casts, functions, operators.
 * Functions in plpgsql are not looked at before they run, so a mistake would otherwise come up with the first row.
 */

import { isCrossfadeError } from '../../core/errors.ts';
import { quoteTable, type TableShape } from '../../core/table-shape.ts';
import type { Mapping } from '../../core/transform.ts';
import type { PgGateway } from './gateway.ts';

const DENIED = '42501';

type Direction = { mapping: Mapping; source: TableShape; target: TableShape };

/** Every column whose expression cannot work, with Postgres' own reason. Reads no row. */
export async function transformProblems(owner: PgGateway, directions: readonly Direction[]): Promise<string[]> {
  const problems: string[] = [];
  for (const { mapping, source, target } of directions) {
    const expressions = expressionsOf(mapping);
    const all = expressions.map(({ sql }) => sql).join(', ');
    if ((await refusal(owner, source, all)) === null) continue;
    for (const { name, sql } of expressions) {
      const why = await refusal(owner, source, sql);
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

/** In a WHERE, where an aggregate is an error as it should be: each expression is one value of one row. Nothing is read. */
async function refusal(owner: PgGateway, source: TableShape, expressions: string): Promise<string | null> {
  try {
    await owner.call(`SELECT FROM ${quoteTable(source)} AS p WHERE ROW(${expressions}) IS NULL LIMIT 0`);
    return null;
  } catch (error) {
    if (!isCrossfadeError(error) || error.retryable) throw error;
    const sqlstate = String(error.details.sqlstate ?? '');
    // A right that is missing is the plan's to name, with what it is for.
    if (sqlstate === DENIED) return null;
    if (!/^(42|22|2B|0A)/.test(sqlstate)) throw error;
    return /: ([^:]*(?::[^:]*)?) \[[0-9A-Z]{5}\]/.exec(error.message)?.[1] ?? error.message;
  }
}
