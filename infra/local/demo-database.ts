/** The demonstration's database: embedded Postgres with Chinook, the new shape of customer, the twin, and the roles. */

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { CREATE_TWIN } from '../examples/chinook/statements.ts';
import { installSchema } from './install-schema.ts';
import { startPostgres } from './postgres.ts';
import type { LocalDatabase } from './stack.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const EXAMPLE = join(ROOT, 'infra', 'examples', 'chinook');

export async function chinookDatabase({
  directory,
  port,
}: {
  directory: string;
  port: number;
}): Promise<LocalDatabase> {
  const server = await startPostgres({ directory: join(directory, 'postgres'), port, durable: true });
  try {
    const admin = postgres(server.url, { max: 1, fetch_types: false, onnotice: () => {} });
    await admin.unsafe('CREATE DATABASE chinook');
    await admin.end();
    const url = new URL(server.url);
    url.pathname = '/chinook';
    const sql = postgres(url.href, { max: 1, fetch_types: false, onnotice: () => {} });
    await sql.unsafe(chinookScript());
    await sql.unsafe(readFileSync(join(EXAMPLE, 'shadow.sql'), 'utf8'));
    await sql.unsafe(CREATE_TWIN);
    await sql.end();
    await installSchema(ROOT, url.href);
    return { runtimeUrl: url.href, ownerUrl: url.href, stop: server.stop };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** The script without its beginning, which drops, creates and connects to a database of its own. */
export function chinookScript(): string {
  return readFileSync(join(EXAMPLE, 'chinook.sql'), 'utf8')
    .split('\n')
    .filter((line) => !/^\s*(DROP DATABASE|CREATE DATABASE|\\c)\b/.test(line))
    .join('\n');
}
