/** A function of schema `crossfade` that may not be there, as against one that is there and calls something that is not. */

import { type PgConnection, sqlstateOf } from './connection.ts';

const UNDEFINED_FUNCTION = '42883';
const TRIES = 6;
const PAUSE = 'SELECT pg_catalog.pg_sleep(0.05)';

/**
 * Before `arm`, and after `forget`, the functions of a cutover do not exist: nothing to do, and no error. The same SQLSTATE out
 * of its inside, where a trigger of the application calls what was dropped, is an error; so the catalog is asked by name.
 *
 * A function that was made a moment ago is in the catalog before every session knows it: a commit becomes visible first, and
 * then says to the other sessions what they must read again. On a busy server there is time in between, so the call is repeated.
 * @param name of the function that `call` calls, as the catalog spells it
 */
export async function unlessUnknown<T>(
  connection: PgConnection,
  name: string,
  call: () => Promise<T>,
  otherwise: T,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await call();
    } catch (error) {
      if (sqlstateOf(error) !== UNDEFINED_FUNCTION || tries === TRIES) throw error;
      const there = await connection.call(
        "SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'crossfade' AND p.proname = $1::text",
        [name],
      );
      if (there.length === 0) return otherwise;
      if (tries > 1) await connection.call(PAUSE);
    }
  }
}
