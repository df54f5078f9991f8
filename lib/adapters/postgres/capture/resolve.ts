/**
 * What a declared expression means is decided once, when it is stored: where only the catalog is in the path, its names lead to the
 * same objects, or each is written with its schema. Postgres parses it for that, and neither plans nor runs it. Code of somebody
 * who is not trusted with the tables is refused, since it would run with the rights of their owner.
 */

import { isCrossfadeError } from '../../../core/base/errors.ts';
import { quoteText } from '../../../core/table/shape.ts';
import { OWN_PATH } from '../../../core/table/sql/session.ts';
import type { PgConnection } from '../connection/connection.ts';
import { answers, type Expression } from './answers.ts';

/** No such function, or no such operator, under this path. */
const UNDEFINED = '42883';
const DENIED = '42501';

/** Where an expression stands. */
export type Scope = {
  /** What is in scope as `p`, as a FROM clause has it. */
  rows: string;
  /** Where its names are looked up. */
  path: string;
  /** Both tables: their owners are trusted. */
  tables: readonly number[];
};

type Outside = {
  kind: 'function' | 'operator' | 'type' | 'view';
  name: string;
  owner: string;
  trusted: boolean;
  /** Who could make one that fits better, where it does not name the types it is called with. */
  replaceable: readonly string[] | null;
  /** What a function names without its schema, and has no path of its own to find it by. */
  lost: readonly string[] | null;
};
type Meaning = { definition: string; meaning: string | null; outside: readonly Outside[] };
type Looked = Meaning | { refused: string } | 'unseen';

const NAME = 'crossfade_value';
const DIFFERS = 'differs';

/** By its text, what each expression is stored as; and what stands against those that cannot be. */
export async function resolveExpressions(
  owner: PgConnection,
  scope: Scope,
  expressions: readonly Expression[],
): Promise<{ stored: ReadonlyMap<string, string>; problems: readonly { name: string; answer: string }[] }> {
  const stored = new Map<string, string>();
  const asked = await answers(expressions, (list) => meansTheSame(owner, scope, `ROW(${list}) IS NULL`));
  const problems = asked.filter(({ answer }) => answer !== DIFFERS).map(({ name, answer }) => ({ name, answer }));
  for (const { name, sql } of asked.filter(({ answer }) => answer === DIFFERS)) {
    const found = await resolve(owner, scope, sql);
    if ('refused' in found) problems.push({ name, answer: found.refused });
    else stored.set(sql, found.sql);
  }
  return { stored, problems };
}

/** Why an expression cannot be parsed in this scope; null when it can be. */
export async function parseProblem(owner: PgConnection, scope: Scope, expressions: string): Promise<string | null> {
  const seen = await look(owner, scope, `ROW(${expressions}) IS NULL`, scope.path);
  return seen !== 'unseen' && 'refused' in seen ? seen.refused : null;
}

/** Null when nothing has to be written out; otherwise that it differs, or why Postgres does not take it. */
async function meansTheSame(owner: PgConnection, scope: Scope, sql: string): Promise<string | null> {
  const seen = await look(owner, scope, sql, scope.path);
  // Where no view may be made nothing can be said; and nothing but the catalog is found when it runs.
  if (seen === 'unseen') return null;
  if ('refused' in seen) return seen.refused;
  const bare = await look(owner, scope, sql, OWN_PATH);
  const same = bare !== 'unseen' && 'meaning' in bare && bare.meaning === seen.meaning;
  return same && seen.outside.every((one) => objection(one) === null) ? null : DIFFERS;
}

async function resolve(owner: PgConnection, scope: Scope, sql: string): Promise<{ sql: string } | { refused: string }> {
  const seen = await look(owner, scope, sql, scope.path);
  if (seen === 'unseen') return { sql };
  if ('refused' in seen) return seen;
  const bare = await look(owner, scope, sql, OWN_PATH);
  // It needs nothing but the catalog, which others have put something in front of.
  const needless = seen.outside.length > 0 && seen.outside.every(({ kind, trusted }) => !trusted && kind !== 'type');
  if (needless && bare !== 'unseen' && 'outside' in bare && bare.outside.length === 0) return { sql };
  const objections = seen.outside.flatMap((one) => objection(one) ?? []);
  if (objections.length > 0) return { refused: [...new Set(objections)].join('; ') };
  const written = seen.definition.slice(
    seen.definition.indexOf('SELECT') + 6,
    seen.definition.lastIndexOf(` AS ${NAME}`),
  );
  const full = `(${written.trim()})`;
  const again = await look(owner, scope, full, OWN_PATH);
  if (again !== 'unseen' && 'meaning' in again && again.meaning === seen.meaning) return { sql: full };
  return {
    refused:
      'it does not mean the same where only pg_catalog is in the path, and cannot be written so. Name the operators of other schemas: a OPERATOR(extensions.=) b in place of IS DISTINCT FROM, NULLIF or CASE a WHEN b',
  };
}

function objection({ kind, name, owner, trusted, replaceable, lost }: Outside): string | null {
  if (!trusted)
    return `${kind} ${name} belongs to ${owner}, who could change it, and it would run with the rights of the owner of the tables. Give it to that owner (ALTER ${kind.toUpperCase()} … OWNER TO …), or name another one with its schema`;
  if (replaceable)
    return `${kind} ${name} takes values of any type, and ${replaceable.join(', ')} could create one in its schema that fits better and would run with the rights of the owner of the tables. Take CREATE on that schema away from them`;
  return lost ? lostNames(name, lost) : null;
}

/** A body that finds what it names by the path of its caller. */
export const lostNames = (name: string, lost: readonly string[]): string =>
  `function ${name} names ${lost.join(', ')} without a schema, and only pg_catalog is in the path where Crossfade calls it: run ALTER FUNCTION ${name} SET search_path = … with the schemas that it needs, pg_temp last`;

/** A name that is written with its schema and called; any other leads to the catalog, or nowhere. */
const CALLS_OTHERS = /\.\s*"?\w+"?\s*\(|\boperator\s*\(/i;

/**
 * What stands against a query of the user's own that we run ourselves: code of others. It may name what it likes, with its schema.
 * @param query where only the catalog is in the path
 */
export async function queryObjection(
  owner: PgConnection,
  query: string,
  tables: readonly number[],
): Promise<string | null> {
  if (!CALLS_OTHERS.test(query)) return null;
  const seen = await parsed(owner, query, OWN_PATH, tables);
  // What Postgres does not parse, it will not run.
  if (seen === 'unseen' || 'refused' in seen) return null;
  return seen.outside.flatMap((one) => objection(one) ?? [])[0] ?? null;
}

/** For a query with a name that only the path of a session would find. */
export const NAMED_IN_FULL = 'Name it with its schema: only pg_catalog is in the path.';
export const isNotFound = (sqlstate: string): boolean => /^(42P01|42883|42704)$/.test(sqlstate);

function look(owner: PgConnection, { rows, tables }: Scope, sql: string, path: string): Promise<Looked> {
  // Beside a second relation Postgres names each column with the row that it is of.
  return parsed(owner, `SELECT ${sql} AS ${NAME} FROM ${rows}, (SELECT) AS crossfade_beside`, path, tables);
}

async function parsed(owner: PgConnection, query: string, path: string, tables: readonly number[]): Promise<Looked> {
  const statement = `SELECT crossfade.resolved(${quoteText(query)}, ${quoteText(path)}, ARRAY[${tables.join(', ')}]::pg_catalog.oid[]) AS seen`;
  try {
    const [row] = await owner.call<{ seen: Meaning }>(statement);
    return row!.seen;
  } catch (error) {
    if (!isCrossfadeError(error) || error.retryable) throw error;
    const sqlstate = String(error.details.sqlstate ?? '');
    // A right that is missing is the preview's to name, with what it is for.
    if (sqlstate === DENIED) return 'unseen';
    if (!/^(42|22|2B|0A)/.test(sqlstate)) throw error;
    return { refused: said(error.message, sqlstate, path) };
  }
}

/** What the server says of an expression. */
export function said(message: string, sqlstate: string, path: string): string {
  const why = /: ([^:]*(?::[^:]*)?) \[[0-9A-Z]{5}\]/.exec(message)?.[1] ?? message;
  if (sqlstate !== UNDEFINED) return why;
  return `${why} under search_path ${path}. Name its schema: extensions.f(x) for a function, a OPERATOR(extensions.->) b for an operator`;
}
