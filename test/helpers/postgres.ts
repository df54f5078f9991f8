/** A database of one's own on the run's Postgres, a copy of the one with schema `crossfade`. */

import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { inject } from 'vitest';
import type { ConnectionOptions, PgConnection } from '../../lib/adapters/postgres/connection/connection.ts';
import { TEMPLATE } from './postgres-server.ts';
import { ACCOUNTS, type ServerName } from './server-accounts.ts';

export type OwnDatabase = {
  name: string;
  /** A superuser's; in a project of owners, the owner's. */
  url: string;
  /** One connection, for set-up and checks. */
  sql: postgres.Sql;
  /** Whom the data plane is; whoever owns `url` when not given. */
  roles?: { owner: string; runtime: string };
  /** More connections, closed by `drop`; to `url` unless another address is given. */
  connect(max?: number, url?: string): postgres.Sql;
  /** A session of the data plane that was used before; a new one is made where this is not given. */
  connection?(url: string, clock: ConnectionOptions['clock']): PgConnection;
  /** Cuts every connection to it and removes it. */
  drop(): Promise<void>;
};

export type ServedDatabase = OwnDatabase & {
  roles: { owner: string; runtime: string };
  /** Of the role that the application has. */
  application: string;
  /** As the role that owns the tables, past PgBouncer. */
  owner: postgres.Sql;
};

type Role = keyof typeof ACCOUNTS;

/** In a project of owners everything but making the database is the owner's, and the data plane goes through PgBouncer. */
export async function ownDatabase(options: { empty?: boolean } = {}): Promise<OwnDatabase> {
  if (!inject('ownersOnly')) return createDatabase(inject('postgresUrl'), options);
  const { application: _, owner, ...served } = await servedDatabase('debian', 'pooled');
  const url = roleUrl(served.url, 'app_owner');
  return { ...served, url, sql: owner, connect: (max, address = url) => served.connect(max, address) };
}

/** On one of two servers, with the roles of a managed database. `sql` and `url` are a superuser's, past PgBouncer. */
export async function servedDatabase(server: ServerName, door: 'direct' | 'pooled'): Promise<ServedDatabase> {
  const address = inject('servers')![server];
  const made = await createDatabase(address.superuser);
  const through = new URL(door === 'pooled' ? address.pooled : address.superuser);
  through.pathname = `/${made.name}`;
  const url = (role: Role) => roleUrl(through.href, role);
  return {
    ...made,
    roles: { owner: url('app_owner'), runtime: url('crossfade_runtime') },
    application: url('application'),
    owner: made.connect(1, roleUrl(made.url, 'app_owner')),
  };
}

function roleUrl(address: string, role: Role): string {
  const url = new URL(address);
  [url.username, url.password] = [role, ACCOUNTS[role]];
  return url.href;
}

export async function createDatabase(server: string, options: { empty?: boolean } = {}): Promise<OwnDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
  await once(server, `CREATE DATABASE ${name} TEMPLATE ${options.empty ? 'template0' : TEMPLATE}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const open: postgres.Sql[] = [];
  const connect: OwnDatabase['connect'] = (max = 1, address = url.href) => {
    const sql = postgres(address, { max, fetch_types: false, onnotice: () => {} });
    open.push(sql);
    return sql;
  };
  return {
    name,
    url: url.href,
    sql: connect(),
    connect,
    async drop() {
      await Promise.all(open.splice(0).map((sql) => sql.end({ timeout: 1 })));
      await once(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

async function once(url: string, statement: string): Promise<void> {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end({ timeout: 1 });
  }
}
