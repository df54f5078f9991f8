/** Fills an empty database from a file of pg_dump, by the programs of Postgres: in whatever form, with the roles that it names. */

import { spawn } from 'node:child_process';
import { createReadStream, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';

/** What an archive of `pg_dump -Fc` begins with. */
const ARCHIVE = 'PGDMP';
const SAID_CHARS = 1_500;

/**
 * @param running gets the program while it works
 * @throws CrossfadeError `invalid_input` that says what the program said; the database is to be dropped then
 */
export async function restoreDump(file: string, url: string, running: { stop(): Promise<void> }[]): Promise<void> {
  const [program, words] = await programFor(file);
  const place = new URL(url);
  const password = decodeURIComponent(place.password);
  place.password = '';
  const child = spawn(
    program,
    [...words, '--no-password', '--dbname', place.href, ...(program === 'psql' ? ['--file'] : []), file],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      // Not among its words, which every user of the machine can read.
      env: { ...process.env, ...(password === '' ? {} : { PGPASSWORD: password }) },
    },
  );
  running.push({ stop: async () => void child.kill() });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk).slice(-SAID_CHARS);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve);
    child.once('error', () =>
      reject(
        refusal(file, `it takes the program ${program}, which is not there: install the client programs of Postgres`),
      ),
    );
  });
  if (code !== 0) throw refusal(file, `${program} ended with ${code}: ${said.trim()}${roleFor(said)}`);
}

/** The owner of a database may not make everything that is in a dump of it: publications of all tables, some extensions. */
const roleFor = (said: string) =>
  /must be superuser|permission denied|must be (owner|member|able to SET ROLE)/i.test(said)
    ? ". What this role may not make another one can: name it with '--admin-url'"
    : '';

const refusal = (file: string, why: string) =>
  new CrossfadeError(
    'invalid_input',
    `The dump ${file} cannot be restored: ${why}. Or restore it yourself, and give that database: --on 'postgres://…'.`,
  );

async function programFor(file: string): Promise<readonly ['pg_restore' | 'psql', readonly string[]]> {
  try {
    if (statSync(file).isDirectory() || (await beginning(file)) === ARCHIVE) return ['pg_restore', ['--exit-on-error']];
    await demandNoConnect(file);
    return ['psql', ['--no-psqlrc', '--quiet', '--set', 'ON_ERROR_STOP=1']];
  } catch (error) {
    if (error instanceof CrossfadeError) throw error;
    throw refusal(file, (error as Error).message);
  }
}

async function beginning(file: string): Promise<string> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(ARCHIVE.length), 0, ARCHIVE.length, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** A dump of `pg_dump --create` leads psql to the database that it was made of, which would be written. */
async function demandNoConnect(file: string): Promise<void> {
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY }))
    if (/^\\c(onnect)?\s/.test(line))
      throw refusal(file, `it connects to another database ('${line.slice(0, 80)}'): make it without --create`);
}
