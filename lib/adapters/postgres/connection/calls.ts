/** Calls of functions in the database whose answer is one JSON value. */

import type { CallOptions, PgConnection } from './connection.ts';

/** Below the functions' time-out of 55 s. */
const LONG_MS = 50_000;

/** The statement names its answer `result`. */
export async function callJson<T>(
  connection: PgConnection,
  statement: string,
  args: readonly (string | number | boolean | null)[] = [],
  options: CallOptions = {},
): Promise<T> {
  const [row] = await connection.call<{ result: T }>(statement, args, options);
  return row!.result;
}

/** For what may take longer than a statement of an application: comparing whole tables, the last step of a copy. */
export async function longJson<T>(connection: PgConnection, statement: string): Promise<T> {
  const [row] = await connection.longCall<{ result: T }>(statement, LONG_MS);
  return row!.result;
}
