/**
 * Global set-up of the project on two servers: the embedded Postgres and that of the distribution as it is installed, each
 * with PgBouncer in front and with roles as a managed database has them. The owner is no superuser and owns nothing but
 * its tables and what it installed; schema `crossfade` is installed by that owner into the database that tests copy.
 */

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import type { TestProject } from 'vitest/node';
import { installSchema } from '../../infra/local/install-schema.ts';
import { type LocalPostgres, startPostgres } from '../../infra/local/postgres.ts';
import { debianBinaries, missingPrograms } from './debian-postgres.ts';
import { pgBouncerProgram, startPgBouncer } from './pgbouncer.ts';
import { ofBinaries, TEMPLATE } from './postgres-server.ts';
import { ACCOUNTS, type ServerAddress, type ServerName } from './server-accounts.ts';

/** The limits are those that the health check asks for. */
const ROLES = `
  ${Object.entries(ACCOUNTS)
    .map(([name, password]) => `CREATE ROLE ${name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '${password}'`)
    .join(';')};
  ALTER ROLE crossfade_runtime SET statement_timeout = '5s';
  ALTER ROLE crossfade_runtime SET lock_timeout = '1s';
  ALTER ROLE crossfade_runtime SET idle_in_transaction_session_timeout = '10s'`;
const RIGHTS = `GRANT CREATE ON DATABASE ${TEMPLATE} TO app_owner; GRANT USAGE, CREATE ON SCHEMA public TO app_owner`;
/** For what needs a second server or a transaction that outlives its session. */
const SETTINGS = { wal_level: 'logical', max_prepared_transactions: '10' };

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const binaries = debianBinaries();
  const missing = missingPrograms({ postgresql: binaries, pgbouncer: pgBouncerProgram() });
  project.provide('ownersOnly', true);
  if (missing !== null || binaries === null) {
    console.warn(missing);
    project.provide('servers', null);
    return undefined;
  }
  const directory = mkdtempSync(join(tmpdir(), 'crossfade-servers-'));
  // The servers run as another user than root, and have to pass through it.
  chmodSync(directory, 0o711);
  const running: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    for (const one of running.reverse()) await one.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  const start = async (name: ServerName, of: { binaries?: string }): Promise<ServerAddress> => {
    const home = join(directory, name);
    const server: LocalPostgres = await startPostgres({ directory: home, durable: false, settings: SETTINGS, ...of });
    running.unshift(server);
    await prepare(server.url);
    const bouncer = await startPgBouncer(server.url, join(directory, `${name}-pgbouncer`), ACCOUNTS);
    running.push(bouncer);
    return { superuser: server.url, pooled: bouncer.through(server.url) };
  };
  try {
    const [embedded, debian] = await Promise.all([start('embedded', ofBinaries), start('debian', { binaries })]);
    project.provide('servers', { embedded, debian });
    // Files that know nothing of two servers run on the distribution's.
    project.provide('postgresUrl', debian.superuser);
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}

async function prepare(superuser: string): Promise<void> {
  const at = (user: string, password: string) => {
    const url = new URL(superuser);
    [url.pathname, url.username, url.password] = [`/${TEMPLATE}`, user, password];
    return url.href;
  };
  const once = async (url: string, ...statements: string[]) => {
    const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} });
    for (const statement of statements) await sql.unsafe(statement);
    await sql.end();
  };
  await once(superuser, ROLES, `CREATE DATABASE ${TEMPLATE}`);
  await once(at('postgres', 'postgres'), RIGHTS);
  await installSchema(ROOT, at('app_owner', ACCOUNTS.app_owner));
}
