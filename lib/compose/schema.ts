/** What the function `schema` works with: the states, and each database as the owner of the schema. */

import { environment } from '../adapters/system.ts';
import type { Ports } from '../ports/ports.ts';
import type { SchemaOwner, Schemas } from '../ports/schema.ts';
import { readEnvironment } from '../schemas/environment.ts';
import { compose, lazily, missing } from './ports.ts';

export type SchemaComposition = Pick<Ports, 'state' | 'log' | 'metrics'> &
  Schemas & {
    /** Address of the API; null where it is not known. */
    apiUrl: string | null;
  };

/** @throws CrossfadeError `invalid_config` naming every missing or wrong variable */
export function composeSchema(variables = environment()): SchemaComposition {
  const env = readEnvironment(variables);
  const { ports } = compose(variables, env);
  const { state, log, metrics } = ports;
  const ownerOf = async (url: string): Promise<SchemaOwner> => {
    const { schemaOwner } = await import('../adapters/postgres/migrations/schema-owner.ts');
    const { connectionTo } = await import('./tables.ts');
    const { readMigrations } = await import('../adapters/postgres/migrations/migration-files.ts');
    return schemaOwner(await connectionTo(env, url, ports), () => readMigrations(env.CROSSFADE_MIGRATIONS));
  };
  const schema = lazily(async () => {
    const url = env.CROSSFADE_OWNER_DATABASE_URL ?? env.CROSSFADE_DATABASE_URL;
    if (!url) throw missing('CROSSFADE_OWNER_DATABASE_URL', 'the schema is migrated');
    return ownerOf(url);
  });
  const connections = Object.fromEntries(
    Object.entries(env.CROSSFADE_CONNECTIONS).map(([name, url]) => [name, lazily(() => ownerOf(url))]),
  );
  return { state, log, metrics, schema, connections, apiUrl: env.CROSSFADE_API_URL ?? null };
}
