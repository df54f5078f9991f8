/**
 * Functions and schema belong together: each release is tested with the migrations that it brings. An instance reads the number of
 * the last migration before its first call, and once more after a call that failed, since a migration may have come in between.
 * Until both fit, no call reaches the database: nothing is armed and nothing is written, and what waits in outboxes is applied later.
 */

import { CrossfadeError } from '../../../core/base/errors.ts';
import type { TablePorts } from '../../../ports/ports.ts';
import { type PgConnection, sqlstateOf } from '../connection/connection.ts';

/** The number of the last file in `migrations/`. */
export const SCHEMA_VERSION = 48;

const UNDEFINED_TABLE = '42P01';

type Call = (...args: unknown[]) => Promise<unknown>;

/**
 * The same ports, each call of which first demands a schema that fits: rejects with CrossfadeError `schema_changed`, whose message
 * says what to do, while it does not.
 * @param unfit called for each call that is refused
 */
export function demandingSchema(ports: TablePorts, connection: PgConnection, unfit: () => void): TablePorts {
  const guarded = guarding(connection, unfit, "The schema 'crossfade'");
  const each = (port: object) => Object.entries(port).map(([name, call]) => [name, guarded(call as Call)] as const);
  const made = Object.entries(ports).map(([name, port]) => [name, Object.fromEntries(each(port))] as const);
  return Object.fromEntries(made) as unknown as TablePorts;
}

/**
 * The same connection to the database of a shadow, each call of which first demands the same of the schema there.
 * @param name of the connection, for the message
 */
export function demandingConnection(connection: PgConnection, name: string, unfit: () => void): PgConnection {
  const guarded = guarding(connection, unfit, `The schema 'crossfade' of connection '${name}'`);
  const each = (['call', 'script', 'alone', 'longCall'] as const).map((one) => [one, guarded(connection[one] as Call)]);
  return { ...connection, ...Object.fromEntries(each) };
}

function guarding(connection: PgConnection, unfit: () => void, schema: string) {
  let fits: Promise<void> | null = null;
  const demand = async () => {
    fits ??= demandFit(connection, schema);
    try {
      await fits;
    } catch (error) {
      fits = null;
      if (error instanceof CrossfadeError && error.code === 'schema_changed') unfit();
      throw error;
    }
  };
  return (call: Call): Call =>
    async (...args) => {
      await demand();
      try {
        return await call(...args);
      } catch (error) {
        fits = null;
        throw error;
      }
    };
}

async function demandFit(connection: PgConnection, schema: string): Promise<void> {
  const version = await versionOf(connection);
  if (version < SCHEMA_VERSION)
    throw unfitting(
      `${schema} ends with migration ${version}, and these functions need ${SCHEMA_VERSION}. Run 'crossfade migrate' of this release as the owner.`,
    );
  if (version > SCHEMA_VERSION)
    throw unfitting(
      `${schema} ends with migration ${version}, and these functions know ${SCHEMA_VERSION} only. Deploy the functions of the release that migrated it.`,
    );
}

/** 0 where there is no schema. */
export async function versionOf(connection: PgConnection): Promise<number> {
  try {
    const [row] = await connection.call<{ version: number }>(
      'SELECT coalesce(max(number), 0)::integer AS version FROM crossfade.migration',
    );
    return row!.version;
  } catch (error) {
    if (sqlstateOf(error) === UNDEFINED_TABLE) return 0;
    throw error;
  }
}

const unfitting = (why: string): CrossfadeError =>
  new CrossfadeError('schema_changed', `${why} Until then nothing is armed, and changes wait.`);
