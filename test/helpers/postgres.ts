/** A database of one's own on the run's Postgres, a copy of the one with schema `crossfade`. */

import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { inject } from 'vitest';
import { TEMPLATE } from './postgres-server.ts';

export type OwnDatabase = {
  name: string;
  /** A superuser's. */
  url: string;
  /** One connection, for set-up and checks. */
  sql: postgres.Sql;
  /** More connections, closed by `drop`. */
  connect(max?: number): postgres.Sql;
  /** Cuts every connection to it and removes it. */
  drop(): Promise<void>;
};

export async function ownDatabase(options: { empty?: boolean } = {}): Promise<OwnDatabase> {
  const server = inject('postgresUrl');
  const name = `test_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
  await once(server, `CREATE DATABASE ${name} TEMPLATE ${options.empty ? 'template0' : TEMPLATE}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const open: postgres.Sql[] = [];
  const connect = (max = 1) => {
    const sql = postgres(url.href, { max, fetch_types: false, onnotice: () => {} });
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
