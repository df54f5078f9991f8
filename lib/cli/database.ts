/** A connection of its own for one command of a person. The driver is loaded only when one is needed. */

import { parseAddress } from '../adapters/postgres/connection/address.ts';
import type { PgConnection } from '../adapters/postgres/connection/connection.ts';
import { random, systemClock } from '../adapters/system.ts';
import { CrossfadeError } from '../core/base/errors.ts';
import { portFrom } from './connection.ts';
import type { Context } from './context.ts';

/** Connects at the first call. @throws CrossfadeError `invalid_config` when the text is no address of a Postgres */
export async function openDatabase(text: string): Promise<PgConnection> {
  addressOf(text);
  const { postgresConnection } = await import('../adapters/postgres/connection/connection.ts');
  return postgresConnection({ url: text, clock: systemClock(), random });
}

/**
 * Host, port and role of a database URL, and what of it is not used. The text itself is never repeated: it holds a password.
 * @throws CrossfadeError `invalid_config`
 */
export function addressOf(text: string): { host: string; port: number; role: string; notes: readonly string[] } {
  const { hosts, user = '', notes } = parseAddress(text);
  const [{ host, port }] = hosts as [{ host: string; port: number }];
  return { host, port, role: user, notes };
}

/** `--database-url`, else CROSSFADE_OWNER_DATABASE_URL, else the database of the local stack. */
export function ownerUrl({ io, options }: Context): string {
  const port = options.port ?? portFrom(io.env.CROSSFADE_PORT);
  const url =
    options.databaseUrl ?? io.env.CROSSFADE_OWNER_DATABASE_URL ?? io.readSettings(port)?.ownerDatabaseUrl ?? '';
  if (url !== '') return url;
  throw new CrossfadeError(
    'invalid_input',
    `No database is named. Give the owner's URL with --database-url or CROSSFADE_OWNER_DATABASE_URL; no local stack runs on port ${port} either.`,
  );
}
