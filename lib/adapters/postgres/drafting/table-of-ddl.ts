/** Runs the DDL of a person in a trial, and finds the one table that it makes. Tables that were there before are not held up. */

import { CrossfadeError } from '../../../core/base/errors.ts';
import { quoteTable } from '../../../core/table/shape.ts';
import { refusedBy, type Trial } from '../connection/undone.ts';

type TableName = { schema: string; name: string };

/**
 * @param primary the table that is to move
 * @throws CrossfadeError `invalid_input` with the statement that Postgres refuses, or that changes another table
 */
export async function tableOfDdl(trial: Trial, primary: TableName, statements: readonly string[]): Promise<TableName> {
  const { connection } = trial;
  const known = await connection.call<{ oid: number }>(`SELECT c.oid ${USERS_TABLES}`);
  const before = `{${known.map(({ oid }) => oid).join(',')}}`;
  for (const statement of statements) {
    await trial.theirs(statement).catch((error: unknown) => {
      throw refusal(`Postgres refuses it: ${refusedBy(error).said}`, statement);
    });
    const [held] = await connection.call<{ name: string; mode: string }>(HELD, [before]);
    if (held)
      throw refusal(
        `It holds up ${held.name}, which is in use (${held.mode}). Foreign keys are carried by the promotion; take the statement out`,
        statement,
      );
  }
  const made = await connection.call<TableName>(MADE, [before]);
  const [table] = made;
  if (table && made.length === 1 && table.schema === primary.schema) return table;
  const named = made.map(quoteTable).join(', ') || 'none';
  throw new CrossfadeError(
    'invalid_input',
    `The file of --ddl must make one table in schema ${primary.schema}, the new one of ${quoteTable(primary)}; it makes ${named}.`,
  );
}

function refusal(why: string, statement: string): CrossfadeError {
  const shown = statement.length > 200 ? `${statement.slice(0, 200)}…` : statement;
  return new CrossfadeError('invalid_input', `--ddl: ${why}. It was tried, and taken back: ${shown}`);
}

const USERS_TABLES = `FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'crossfade')`;

const HELD = `SELECT c.oid::regclass::text AS name, l.mode ${USERS_TABLES.replace(
  'WHERE',
  'JOIN pg_catalog.pg_locks l ON l.relation = c.oid AND l.pid = pg_backend_pid() WHERE',
)} AND c.oid = ANY ($1::oid[]) AND l.mode <> 'AccessShareLock' LIMIT 1`;

/** A partition is a part of its table. */
const MADE = `SELECT n.nspname AS schema, c.relname AS name ${USERS_TABLES} AND NOT c.relispartition AND c.oid <> ALL ($1::oid[]) ORDER BY c.oid`;
