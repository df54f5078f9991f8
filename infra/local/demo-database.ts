/** The demonstration's database: embedded Postgres with Chinook, the new shape of customer, the twin, and the roles. */

import { randomUUID } from 'node:crypto';
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
    const passwords = { owner: randomUUID(), runtime: randomUUID(), application: randomUUID() };
    await run(server.url, rolesScript(passwords));
    const url = (role: string, password: string) => databaseUrl(server.url, role, password);
    const ownerUrl = url('crossfade_owner', passwords.owner);
    await run(
      ownerUrl,
      chinookScript(),
      readFileSync(join(EXAMPLE, 'shadow.sql'), 'utf8'),
      CREATE_TWIN,
      APPLICATION_RIGHTS,
    );
    await installSchema(ROOT, ownerUrl);
    return {
      ownerUrl,
      runtimeUrl: url('crossfade_runtime', passwords.runtime),
      applicationUrl: url('chinook_app', passwords.application),
      stop: server.stop,
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Three roles, none of them a superuser: who owns the tables, who moves rows, and the application. */
function rolesScript(passwords: { owner: string; runtime: string; application: string }): string {
  return `
    CREATE ROLE crossfade_owner LOGIN PASSWORD '${passwords.owner}';
    CREATE ROLE crossfade_runtime LOGIN PASSWORD '${passwords.runtime}';
    CREATE ROLE chinook_app LOGIN PASSWORD '${passwords.application}';
    ALTER ROLE crossfade_runtime SET statement_timeout = '5s';
    ALTER ROLE crossfade_runtime SET lock_timeout = '1s';
    ALTER ROLE crossfade_runtime SET idle_in_transaction_session_timeout = '10s';
    CREATE DATABASE chinook OWNER crossfade_owner;`;
}

/** The application may read and write, and nothing else; it may end its own connections, as the fault \`crash\` does. */
const APPLICATION_RIGHTS = 'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO chinook_app';

function databaseUrl(server: string, role: string, password: string): string {
  const url = new URL(server);
  url.username = role;
  url.password = password;
  url.pathname = '/chinook';
  return url.href;
}

/** Each script by itself: CREATE DATABASE cannot share a transaction. */
async function run(url: string, ...scripts: string[]): Promise<void> {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} });
  try {
    for (const script of scripts) {
      for (const part of script.split(/(?=CREATE DATABASE)/)) await sql.unsafe(part);
    }
  } finally {
    await sql.end({ timeout: 2 });
  }
}

/** The script without its beginning, which drops, creates and connects to a database of its own. */
export function chinookScript(): string {
  return readFileSync(join(EXAMPLE, 'chinook.sql'), 'utf8')
    .split('\n')
    .filter((line) => !/^\s*(DROP DATABASE|CREATE DATABASE|\\c)\b/.test(line))
    .join('\n');
}
