/** The databases: that of the primaries with its two roles, and those that hold shadows of some of them. Loaded when a table is first asked for. */

import { parseAddress } from '../adapters/postgres/connection/address.ts';
import { postgresConnection } from '../adapters/postgres/connection/connection.ts';
import { iamToken } from '../adapters/postgres/connection/iam-token.ts';
import { rowStreams } from '../adapters/postgres/connection/row-streams.ts';
import { serverTrust } from '../adapters/postgres/connection/server-trust.ts';
import { demandingConnection, demandingSchema } from '../adapters/postgres/migrations/handshake.ts';
import type { Remote, ShadowDatabase } from '../adapters/postgres/remote/remote.ts';
import { withRemote } from '../adapters/postgres/remote/tables.ts';
import { postgresTables } from '../adapters/postgres/tables.ts';
import { random, systemIds } from '../adapters/system.ts';
import type { CutoverDeclaration } from '../core/cutover/cutover.ts';
import type { Ports, TablePorts } from '../ports/ports.ts';
import type { Environment } from '../schemas/environment.ts';

type Parts = Pick<Ports, 'clock' | 'log' | 'metrics'>;

export async function databaseTables(
  env: Environment,
  databaseUrl: string,
  parts: Parts,
  cutovers: readonly CutoverDeclaration[],
): Promise<TablePorts> {
  const ownerUrl = env.CROSSFADE_OWNER_DATABASE_URL ?? databaseUrl;
  const runtime = postgresConnection(await optionsOf(env, databaseUrl, parts));
  const ownerOptions = await optionsOf(env, ownerUrl, parts);
  const owner = ownerUrl === databaseUrl ? runtime : postgresConnection(ownerOptions);
  const primary = { runtime, owner };
  const remotes: Remote[] = [];
  const ids = systemIds();
  const databases = new Map<string, ShadowDatabase>();
  for (const one of cutovers) {
    const name = one.kind === 'table' ? one.table.connection : undefined;
    if (one.kind !== 'table' || name === undefined) continue;
    const shadow = databases.get(name) ?? (await shadowDatabase(env, name, parts));
    databases.set(name, shadow);
    const { id, table, validation } = one;
    remotes.push({
      cutover: { id, table, validation },
      clock: parts.clock,
      ids,
      primary,
      shadow,
      streams: rowStreams(ownerOptions),
    });
  }
  const tables = withRemote(postgresTables(primary), remotes);
  return demandingSchema(tables, runtime, () => parts.metrics.record('SchemaUnfit', 1));
}

/** One connection, for what is not about tables. */
export const connectionTo = async (env: Environment, url: string, parts: Pick<Ports, 'clock' | 'log'>) =>
  postgresConnection(await optionsOf(env, url, parts));

async function shadowDatabase(env: Environment, name: string, parts: Parts): Promise<ShadowDatabase> {
  const options = await optionsOf(env, env.CROSSFADE_CONNECTIONS[name]!, parts);
  const connection = demandingConnection(postgresConnection(options), name, () =>
    parts.metrics.record('SchemaUnfit', 1),
  );
  return { connection, streams: rowStreams(options) };
}

/** How server and function prove who they are. On AWS both must, and no password is in the environment. */
async function optionsOf(env: Environment, url: string, { clock, log }: Pick<Ports, 'clock' | 'log'>) {
  const address = parseAddress(url);
  for (const note of address.notes) log.event('database_address', { note });
  const options = { url, clock, random };
  if (env.CROSSFADE_PROFILE !== 'aws') return options;
  const trust = await serverTrust(url, env.CROSSFADE_DATABASE_CA);
  if (address.password !== undefined) return { ...options, trust };
  return { ...options, trust, password: iamToken({ url, region: env.AWS_REGION, clock }) };
}
