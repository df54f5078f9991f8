/** Chinook on a Postgres that can be killed: its tables, the new shape of its customers, their twin and schema `crossfade`. */

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { CREATE_TWIN } from '../../infra/examples/chinook/statements.ts';
import { chinookScript } from '../../infra/local/demo-database.ts';
import { installSchema } from '../../infra/local/install-schema.ts';
import { type CrashableServer, crashableServer } from './crashable-postgres.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const EXAMPLE = join(ROOT, 'infra', 'examples', 'chinook');

/** @returns with the address of the database `chinook` */
export async function crashablePostgres(): Promise<CrashableServer> {
  const server = await crashableServer();
  const url = new URL(server.url);
  url.pathname = '/chinook';
  try {
    await run(server.url, 'CREATE DATABASE chinook');
    await run(url.href, chinookScript(), readFileSync(join(EXAMPLE, 'shadow.sql'), 'utf8'), CREATE_TWIN);
    await installSchema(ROOT, url.href);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { ...server, url: url.href };
}

async function run(url: string, ...scripts: string[]): Promise<void> {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} });
  try {
    for (const script of scripts) await sql.unsafe(script);
  } finally {
    await sql.end({ timeout: 1 });
  }
}
