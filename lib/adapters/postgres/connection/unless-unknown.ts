/** A function of schema `crossfade` that may not be there, as against one that is there and calls something that is not. */

import { type PgConnection, sqlstateOf } from './connection.ts';

const UNDEFINED_FUNCTION = '42883';

/**
 * Before `arm`, and after `forget`, the functions of a cutover do not exist: nothing to do, and no error. The same SQLSTATE out
 * of its inside, where a trigger of the application calls what was dropped, is an error; so the catalog is asked by name.
 * @param name of the function that `call` calls, as the catalog spells it
 */
export async function unlessUnknown<T>(
  connection: PgConnection,
  name: string,
  call: () => Promise<T>,
  otherwise: T,
): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (sqlstateOf(error) !== UNDEFINED_FUNCTION) throw error;
    const there = await connection.call(
      "SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'crossfade' AND p.proname = $1::text",
      [name],
    );
    if (there.length === 0) return otherwise;
  }
  // It is there: made a moment ago, or it fails again, for what it calls.
  return call();
}
