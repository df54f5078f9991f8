/** The schema `crossfade`, handled by its owner. */

import type { SchemaOwner } from '../../../ports/schema.ts';
import type { PgConnection } from '../connection/connection.ts';
import { SCHEMA_VERSION, versionOf } from './handshake.ts';
import { type MigrationFile, migrate } from './migrate.ts';

/** A table of the application may be busy, and statements that come after this one wait behind it: no longer than that. */
const LOCK_TIMEOUT = '3s';

/** Tables with a trigger of ours. Those of the schema itself go with it. */
const CAPTURED = `SELECT DISTINCT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
JOIN pg_catalog.pg_namespace f ON f.oid = p.pronamespace AND f.nspname = 'crossfade'
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname <> 'crossfade'
WHERE NOT t.tgisinternal ORDER BY name`;

export function schemaOwner(owner: PgConnection, files: () => readonly MigrationFile[]): SchemaOwner {
  return {
    migrate: () => migrate(owner, files()),
    version: async () => ({ installed: await versionOf(owner), wanted: SCHEMA_VERSION }),
    async drop() {
      const captured = await owner.call<{ name: string }>(CAPTURED);
      await owner.script(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'; DROP SCHEMA IF EXISTS crossfade CASCADE`);
      return { tables: captured.map(({ name }) => name) };
    },
  };
}
