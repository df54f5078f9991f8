/**
 * The database that a rehearsal works on: a copy on the same server, from the database itself or from a dump, or one that is given.
 * A copy is held by a lock of the session that made it. One without that lock is what an ended rehearsal has left, and is dropped by
 * the next.
 */

import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import { quoteName, quoteText } from '../../../lib/core/table/shape.ts';
import { carryingStatements, readDatabase, type Source } from './database-settings.ts';
import { restoreDump } from './restore-dump.ts';
import { type Cut, cutToSample } from './sample.ts';

export type Copy = {
  name: string;
  /** The same address, at the copy. */
  at(url: string): string;
  /** As the report names it. */
  how: string;
  /** What the copy does not have of the database, a sentence each. */
  differs: readonly string[];
  /** Waits until it is gone; of a database that was given, nothing happens. */
  drop(): Promise<void>;
};

/** A session with the server, beside the database: CREATE DATABASE refuses a template that has sessions. */
const BESIDE = 'postgres';
const MARK_BYTES = 4;
const DROPPED_WITHIN_MS = 20_000;
const LOOK_MS = 250;
const IN_USE = '55006';
const DENIED = '42501';

export type Origin = {
  /** A file of pg_dump; null for a template copy of the database itself. */
  dump: string | null;
  /** Cuts a table to so many rows. `table`: `schema.name`. */
  sample: { table: { schema: string; name: string }; rows: number } | null;
};

export type Making = {
  say: (line: string) => void;
  /** Programs that are ended when the rehearsal is. */
  running: { stop(): Promise<void> }[];
};

/**
 * @param admin address of the database by a role that may copy it
 * @throws CrossfadeError that says who is in the way and what to do; then nothing is left
 */
export async function ownCopy(admin: string, { dump, sample }: Origin, { say, running }: Making): Promise<Copy> {
  const source = databaseOf(admin);
  const sql = postgres(atDatabase(admin, BESIDE), {
    max: 1,
    // Without it the driver never answers who reserves a connection that is not open yet.
    fetch_types: true,
    onnotice: () => {},
    connection: { application_name: 'crossfade: rehearsal' },
  });
  try {
    const session = await sql.reserve();
    for (const name of await dropLeftOver(session, source)) say(`Dropped what an ended rehearsal had left: ${name}`);
    const found = await readDatabase(session, source);
    if (found === null)
      throw new CrossfadeError('not_found', `There is no database '${source}' at ${new URL(admin).host}.`);
    const name = nameFor(source, randomBytes(MARK_BYTES).toString('hex'));
    await session.unsafe(`SELECT pg_advisory_lock(hashtextextended($1, 0))`, [name]);
    const template = dump === null ? quoteName(source) : emptyLike(found);
    await create(session, { source, name, template, owner: found.owner });
    const drop = async () => {
      await dropped(session, name);
      session.release();
      await sql.end({ timeout: 2 });
    };
    try {
      if (dump !== null) await restoreDump(dump, atDatabase(admin, name), running);
      const cuts = sample === null ? [] : await cutToSample(atDatabase(admin, name), sample.table, sample.rows);
      const differs = sampled(cuts);
      for (const statement of carryingStatements(name, found)) {
        await session.unsafe(statement).catch((error: Error) => {
          const carried = statement.replace(quoteName(name), quoteName(source));
          differs.push(`Not carried to the copy: ${carried}: ${error.message}`);
        });
      }
      const how = `${dump === null ? 'a template copy' : `a copy from the dump ${dump}`}${cuts.length > 0 ? ', cut to a sample,' : ''}`;
      return { name, at: (url) => atDatabase(url, name), how, differs, drop };
    } catch (error) {
      await drop();
      throw error;
    }
  } catch (error) {
    await sql.end({ timeout: 2 });
    throw error;
  }
}

/** Empty, and with the encoding and the order of texts of the other one. */
const emptyLike = ({ encoding, collate, ctype }: Source) =>
  `template0 ENCODING ${quoteText(encoding)} LC_COLLATE ${quoteText(collate)} LC_CTYPE ${quoteText(ctype)}`;

function sampled(cuts: readonly Cut[]): string[] {
  if (cuts.length === 0) return [];
  const rows = cuts.map(({ table, kept, of }) => `${kept} of ${of} rows of ${table}`);
  return [`It is a sample: ${rows.join(', ')}. Figures of time and disk are those of the sample.`];
}

/**
 * A branch, or a copy that was made otherwise: it is used up, and stays.
 * @throws CrossfadeError when it is the database itself
 */
export async function givenCopy(source: string, given: string): Promise<Copy> {
  const [one, other] = [await placeOf(source), await placeOf(given)];
  if (one === other) {
    throw new CrossfadeError(
      'invalid_input',
      `--on names the database of --database-url itself. A rehearsal swaps tables and drops the old one: give the address of a copy.`,
    );
  }
  const target = new URL(given);
  const at = (url: string) => {
    const moved = new URL(url);
    [moved.host, moved.pathname, moved.search] = [target.host, target.pathname, target.search];
    return moved.href;
  };
  return { name: databaseOf(given), at, how: 'a database that was given', differs: [], drop: async () => {} };
}

/** The same text for the same database, whatever its address. */
async function placeOf(url: string): Promise<string> {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} });
  try {
    const [row] = await sql<{ place: string }[]>`
      SELECT oid || ' ' || datname || ' ' || extract(epoch FROM pg_postmaster_start_time()) AS place
      FROM pg_database WHERE datname = current_database()`;
    return row!.place;
  } finally {
    await sql.end({ timeout: 2 });
  }
}

export function databaseOf(url: string): string {
  const { pathname, username } = new URL(url);
  return decodeURIComponent(pathname.slice(1)) || decodeURIComponent(username);
}

function atDatabase(url: string, name: string): string {
  const moved = new URL(url);
  moved.pathname = `/${encodeURIComponent(name)}`;
  return moved.href;
}

/** At most 63 bytes. */
const nameFor = (source: string, mark: string) =>
  `crossfade_rehearsal_${mark}_of_${source.replaceAll(/[^a-z0-9_]/gi, '_').slice(0, 30)}`;

async function dropLeftOver(session: postgres.ReservedSql, source: string): Promise<string[]> {
  const left = await session.unsafe<{ name: string }[]>(
    `SELECT datname AS name FROM pg_database WHERE datname ~ $1 AND pg_has_role(datdba, 'MEMBER')`,
    [`^${nameFor(source, `[0-9a-f]{${MARK_BYTES * 2}}`)}$`],
  );
  const gone: string[] = [];
  for (const { name } of left) {
    const [row] = await session.unsafe<{ free: boolean }[]>(
      'SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS free',
      [name],
    );
    if (!row!.free) continue;
    await dropped(session, name);
    await session.unsafe('SELECT pg_advisory_unlock(hashtextextended($1, 0))', [name]);
    gone.push(name);
  }
  return gone;
}

type Wanted = { source: string; name: string; template: string; owner: string };

async function create(session: postgres.ReservedSql, { source, name, template, owner }: Wanted): Promise<void> {
  const statement = (clause: string) => `CREATE DATABASE ${quoteName(name)} TEMPLATE ${template}${clause}`;
  const failed = async (error: unknown) => {
    const { code = '', message } = error as { code?: string; message: string };
    throw new CrossfadeError(
      code === DENIED ? 'invalid_input' : 'conflict',
      `'${source}' cannot be copied: ${message}. ${await remedyFor(session, code, source)}`,
    );
  };
  try {
    await session.unsafe(statement(` OWNER ${quoteName(owner)}`));
  } catch (error) {
    // A role that may not make it the owner's still has a copy.
    if ((error as { code?: string }).code !== DENIED) return failed(error);
    await session.unsafe(statement('')).catch(failed);
  }
}

async function remedyFor(session: postgres.ReservedSql, code: string, source: string): Promise<string> {
  const other = "Or name a copy that you made yourself: --on 'postgres://…'.";
  if (code === DENIED) {
    return `Give --admin-url with a role that may: it has CREATEDB and owns '${source}', or is a superuser. ${other}`;
  }
  if (code !== IN_USE) return other;
  const who = await session.unsafe<{ who: string }[]>(
    `SELECT DISTINCT usename || coalesce(' (' || nullif(application_name, '') || ')', '') AS who
     FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend' LIMIT 5`,
    [source],
  );
  const named = who.length === 0 ? '' : ` Connected are: ${who.map((one) => one.who).join(', ')}.`;
  return `A template copy needs a moment without a connection to '${source}'.${named} End these sessions and repeat the command. ${other}`;
}

/** Sessions of other roles may not be ended by this one: the servers of the rehearsal have been stopped, and theirs end with them. */
async function dropped(session: postgres.ReservedSql, name: string): Promise<void> {
  const deadline = Date.now() + DROPPED_WITHIN_MS;
  for (;;) {
    try {
      await session.unsafe(`DROP DATABASE IF EXISTS ${quoteName(name)} WITH (FORCE)`);
      return;
    } catch (error) {
      const { code } = error as { code?: string };
      if ((code !== IN_USE && code !== DENIED) || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}
