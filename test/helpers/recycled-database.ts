/**
 * A database that one test after the other has for itself, with sessions that are warm.
 *
 * A database of one's own costs every test three new sessions that read the catalog and compile every function again:
 * more than most tests do. Here a test leaves its database as it found it: what was made is dropped, what was written is
 * deleted, and the catalog is compared with that of the beginning. Where anything is left, altered or locked, the database
 * is removed as any other and the next test gets a new one. Assumes tests that run one after the other, and that no test
 * needs a session of the data plane to be new when it begins.
 */

import { setTimeout as pause } from 'node:timers/promises';
import type postgres from 'postgres';
import { inject } from 'vitest';
import {
  type ConnectionOptions,
  type PgConnection,
  postgresConnection,
} from '../../lib/adapters/postgres/connection/connection.ts';
import { random } from '../../lib/adapters/system.ts';
import { createDatabase, type OwnDatabase, ownDatabase } from './postgres.ts';

type ConnectionClock = ConnectionOptions['clock'];

/** Tests per session: each change of the catalog walks all plans that a session has kept. */
const TESTS_PER_SESSION = 15;

/** A connection that the test has reserved, or left in the middle of something, never answers. */
const CLEAN_WITHIN_MS = 10_000;

/** A session of the data plane that outlives its test. */
type Session = { url: string; connection: PgConnection; clock: ConnectionClock; tests: number; used: boolean };

type Kept = {
  database: OwnDatabase;
  /** The newest transaction before the first test. */
  xid: string;
  catalog: string;
  sessions: Session[];
};

/** Files of one worker share it. The last one goes with the server of the run. */
let idle: Kept | null = null;

export async function recycledDatabase(): Promise<OwnDatabase> {
  // There the sessions are PgBouncer's.
  if (inject('ownersOnly')) return ownDatabase();
  const kept = idle ?? (await fresh());
  idle = null;
  const free = kept.sessions.splice(0);
  const lent: Session[] = [];
  const further: postgres.Sql[] = [];
  return {
    ...kept.database,
    connect(max, url) {
      const sql = kept.database.connect(max, url);
      further.push(sql);
      return sql;
    },
    connection(url, clock) {
      const place = free.findIndex((one) => one.url === url);
      const session = place < 0 ? opened(url, clock) : free.splice(place, 1)[0]!;
      Object.assign(session, { clock, used: place >= 0 });
      lent.push(session);
      return lease(session);
    },
    async drop() {
      await Promise.all(further.map((sql) => sql.end({ timeout: 1 })));
      kept.sessions = [...free, ...lent];
      const clean = idle === null && (await Promise.race([isClean(kept), pause(CLEAN_WITHIN_MS, false)]));
      if (clean) idle = kept;
      else await remove(kept);
    },
  };
}

async function fresh(): Promise<Kept> {
  const database = await createDatabase(inject('postgresUrl'));
  const [row] = await database.sql.unsafe('SELECT pg_current_xact_id()::text AS xid');
  const xid: string = row!.xid;
  return { database, xid, catalog: await catalogOf(database.sql, xid), sessions: [] };
}

async function remove(kept: Kept): Promise<void> {
  await Promise.all(kept.sessions.map(({ connection }) => connection.close()));
  await kept.database.drop();
}

// -------------------------------------------------------------------------------------------------------- sessions

function opened(url: string, clock: ConnectionClock): Session {
  const of = { clock };
  const passing: ConnectionClock = {
    monotonicMs: () => of.clock.monotonicMs(),
    now: () => of.clock.now?.() ?? 0,
    sleep: (ms) => of.clock.sleep(ms),
  };
  return Object.assign(of, {
    url,
    connection: postgresConnection({ url, clock: passing, random }),
    tests: 0,
    used: false,
  });
}

/** The session for one test: closing it ends the test's use, not the session. */
function lease(session: Session): PgConnection {
  const { connection } = session;
  let closed = false;
  const running = new Set<Promise<unknown>>();
  const use = async <T>(work: () => Promise<T>): Promise<T> => {
    if (closed) throw new Error('The connection to Postgres was closed before.');
    session.used = true;
    const result = work();
    running.add(result);
    return result.finally(() => running.delete(result));
  };
  return {
    call: (statement, parameters, options) => use(() => connection.call(statement, parameters, options)),
    script: (text, options) => use(() => connection.script(text, options)),
    alone: (statement, options) => use(() => connection.alone(statement, options)),
    longCall: (statement, limitMs) => use(() => connection.longCall(statement, limitMs)),
    async close() {
      closed = true;
      await Promise.allSettled(running);
    },
  };
}

const RELEASE =
  'SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; CLOSE ALL; DISCARD TEMP; SELECT pg_advisory_unlock_all()';

/** Of the sessions that stay; the others are closed. */
async function processes(kept: Kept): Promise<number[]> {
  const staying: Session[] = [];
  const pids: number[] = [];
  for (const session of kept.sessions) {
    session.tests += 1;
    if (!session.used || session.tests >= TESTS_PER_SESSION) {
      await session.connection.close();
      continue;
    }
    await session.connection.alone(RELEASE);
    const [row] = await session.connection.call<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    pids.push(row!.pid);
    staying.push(session);
  }
  kept.sessions = staying;
  return pids;
}

// --------------------------------------------------------------------------------------------------------- cleaning

/** Takes away what the test left. False where the database is not as it was; then nothing may be concluded from it. */
async function isClean(kept: Kept): Promise<boolean> {
  const { sql } = kept.database;
  try {
    await sql.unsafe('DISCARD ALL');
    const pids = [0, ...(await processes(kept))].join(', ');
    await sql
      .unsafe(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend' AND pid NOT IN (pg_backend_pid(), ${pids});
        SET lock_timeout = '2s'; SET session_replication_role = replica; ${emptied(kept.xid)}; RESET ALL`)
      .simple();
    return (await catalogOf(sql, kept.xid)) === kept.catalog;
  } catch {
    return false;
  }
}

const newer = (xid: string) => `xmin::text::bigint > ${xid}`;

/** Names are gathered before the first is dropped, since CASCADE takes some away meanwhile. */
const emptied = (
  xid: string,
) => `DO $$ DECLARE o record; v_owner regrole := (SELECT nspowner FROM pg_namespace WHERE nspname = 'public'); BEGIN
  FOR o IN SELECT evtname FROM pg_event_trigger LOOP EXECUTE format('DROP EVENT TRIGGER %I', o.evtname); END LOOP;
  FOR o IN SELECT pubname FROM pg_publication LOOP EXECUTE format('DROP PUBLICATION %I', o.pubname); END LOOP;
  FOR o IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'crossfade')
    LOOP EXECUTE format('DROP SCHEMA %I CASCADE', o.nspname); END LOOP;
  FOR o IN SELECT unnest(array_agg(oid::regclass::text)) AS name FROM pg_class WHERE relnamespace = 'crossfade'::regnamespace AND relkind = 'r' AND ${newer(xid)}
    LOOP EXECUTE format('DROP TABLE IF EXISTS %s CASCADE', o.name); END LOOP;
  FOR o IN SELECT unnest(array_agg(oid::regprocedure::text)) AS name FROM pg_proc WHERE pronamespace = 'crossfade'::regnamespace AND ${newer(xid)}
    LOOP EXECUTE format('DROP ROUTINE IF EXISTS %s CASCADE', o.name); END LOOP;
  FOR o IN SELECT oid::regclass AS name FROM pg_class WHERE relnamespace = 'crossfade'::regnamespace AND relkind = 'r' AND relname <> 'migration'
    LOOP EXECUTE format('DELETE FROM %s', o.name); END LOOP;
  EXECUTE format('CREATE SCHEMA public AUTHORIZATION %s', v_owner);
  EXECUTE 'GRANT ' || CASE v_owner::text WHEN 'pg_database_owner' THEN 'USAGE' ELSE 'ALL' END || ' ON SCHEMA public TO PUBLIC';
  PERFORM setval('crossfade.unrecorded', 1, false);
END $$`;

const CATALOGS =
  `pg_am pg_amop pg_amproc pg_aggregate pg_attrdef pg_attribute pg_cast pg_class pg_collation pg_constraint pg_conversion
  pg_default_acl pg_enum pg_event_trigger pg_extension pg_foreign_data_wrapper pg_foreign_server pg_index pg_inherits pg_language
  pg_largeobject_metadata pg_opclass pg_operator pg_opfamily pg_policy pg_proc pg_publication pg_publication_rel pg_range pg_rewrite
  pg_sequence pg_statistic_ext pg_transform pg_trigger pg_ts_config pg_ts_dict pg_ts_parser pg_ts_template pg_type pg_user_mapping`.split(
    /\s+/,
  );

/** What a test must leave as it found it, as one text. */
async function catalogOf(sql: postgres.Sql, xid: string): Promise<string> {
  const [row] = await sql.unsafe(`SELECT concat_ws(' ',
    ${CATALOGS.map((name) => `(SELECT format('${name}:%s:%s', count(*), count(*) FILTER (WHERE ${newer(xid)})) FROM ${name})`).join(', ')},
    (SELECT string_agg(format('%s:%s:%s', nspname, nspowner, nspacl), ' ' ORDER BY nspname) FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'),
    (SELECT format('settings:%s', count(*)) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname = current_database()),
    (SELECT to_jsonb(d) - 'datfrozenxid' - 'datminmxid' FROM pg_database d WHERE d.datname = current_database()),
    (SELECT format('prepared:%s', count(*)) FROM pg_prepared_xacts WHERE database = current_database()),
    (SELECT format('slots:%s', count(*)) FROM pg_replication_slots WHERE database = current_database()),
    (SELECT format('subscriptions:%s', count(*)) FROM pg_subscription),
    (SELECT md5(string_agg(m::text, ' ' ORDER BY m::text)) FROM crossfade.migration m)) AS text`);
  return row!.text;
}
