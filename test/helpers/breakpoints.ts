/**
 * Halts a call at a named point: whoever reaches the chosen point first waits there until it is released or killed, and
 * everybody else passes. The points of generated functions are in sql-plants.ts; those between the statements of arming, swap
 * and cleanup are put in here, on their way to the server.
 */

import type { PgConnection } from '../../lib/adapters/postgres/connection/connection.ts';
import type { OwnDatabase } from './postgres.ts';
import { eventually } from './postgres-tables.ts';

/** Advisory locks: who reaches the point first holds the one, and waits for the other. */
const FIRST = '4711, 2';
const GATE = '4711, 1';

/** No lock_timeout of a caller ends the wait. */
const INSTALL = `CREATE SCHEMA test; CREATE TABLE test.point (name text);
  CREATE FUNCTION test.breakpoint(p_name text) RETURNS void LANGUAGE plpgsql SET lock_timeout = 0 AS $$
  BEGIN
    IF EXISTS (SELECT FROM test.point p WHERE p.name = p_name) AND pg_try_advisory_xact_lock(${FIRST}) THEN
      PERFORM pg_advisory_xact_lock_shared(${GATE});
    END IF;
  END $$;
  GRANT USAGE ON SCHEMA test TO PUBLIC; GRANT SELECT ON test.point TO PUBLIC`;

export type Breakpoints = {
  /** Starts `call`, and is back when it has halted there; `call` must not be over before. */
  halt<T>(point: string, call: () => Promise<T>): Promise<Halted<T>>;
};
type Halted<T> = {
  release(): Promise<T>;
  /** Ends the backend, as a failover would. What the call then makes of it is its own affair. */
  kill(): Promise<PromiseSettledResult<T>>;
  /** Lets a whole server end and come back meanwhile. The outage is given the end of the call, which may come before the server is back. */
  during(outage: (ended: Promise<unknown>) => Promise<void>): Promise<PromiseSettledResult<T>>;
  /** As `kill`, for a call that comes again by itself: back when it has halted at the next point. */
  killUntil(next: string): Promise<Halted<T>>;
};

export async function breakpoints(db: OwnDatabase): Promise<Breakpoints> {
  await db.sql.unsafe(INSTALL);
  const open = async () => {
    await db.sql.unsafe(`DELETE FROM test.point; SELECT pg_advisory_unlock(${GATE})`).simple();
  };
  const waiting = async (butNot: number | null): Promise<number | null> => {
    const [row] = await db.sql.unsafe(`SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database
      WHERE d.datname = current_database() AND l.locktype = 'advisory' AND (l.classid, l.objid) = (${GATE}) AND NOT l.granted AND l.pid <> ${butNot ?? 0}`);
    return row?.pid ?? null;
  };
  async function halted<T>(point: string, running: Promise<T>, killed: number | null = null): Promise<Halted<T>> {
    let over = false;
    const settled = Promise.allSettled([running]).then(([one]) => {
      over = true;
      return one;
    });
    let pid: number | null = null;
    const here = async () => {
      pid = await waiting(killed);
      if (over && pid === null) throw new Error(`The call was over without having come to '${point}'`);
      return pid !== null;
    };
    await eventually(here, `the call halts at '${point}'`).catch(async (error) => {
      await open();
      throw error;
    });
    const terminate = `SELECT pg_terminate_backend(${pid})`;
    return {
      async release() {
        await open();
        return running;
      },
      async kill() {
        await db.sql.unsafe(`DELETE FROM test.point; ${terminate}`).simple();
        await open();
        return settled;
      },
      async during(outage) {
        // The locks go with the server; the names would stay.
        await db.sql.unsafe('DELETE FROM test.point');
        await outage(settled);
        return settled;
      },
      async killUntil(next) {
        await db.sql.unsafe(`UPDATE test.point SET name = '${next}'; ${terminate}`).simple();
        return halted(next, running, pid);
      },
    };
  }
  return {
    async halt(point, call) {
      await db.sql.unsafe(`SELECT pg_advisory_lock(${GATE}); INSERT INTO test.point VALUES ('${point}')`).simple();
      return halted(point, call());
    },
  };
}

/** [name of the point, beginning of the statement before which it is; none: after the last one] */
export type Seam = readonly [point: string, before: string | null];

/** The same connection, with points between the statements of a script, or of a swap. */
export function seamed(connection: PgConnection, seams: readonly Seam[]): PgConnection {
  const stop = (point: string) => `SELECT test.breakpoint('${point}')`;
  const inScript = (text: string) =>
    seams.reduce((script, [point, before]) => {
      if (before === null) return `${script};\n${stop(point)}`;
      if (script.startsWith(before)) return `${stop(point)};\n${script}`;
      return script.replace(`;\n${before}`, () => `;\n${stop(point)};\n${before}`);
    }, text);
  const inList = (statements: readonly string[]) =>
    seams.reduce<string[]>(
      (list, [point, before]) => {
        const place = before === null ? list.length : list.findIndex((statement) => statement.startsWith(before));
        return place < 0 ? list : list.toSpliced(place, 0, stop(point));
      },
      [...statements],
    );
  return { ...swapping(connection, inList), script: (text, options) => connection.script(inScript(text), options) };
}

/** The same connection, with other statements in a swap. */
export function swapping(
  connection: PgConnection,
  change: (statements: readonly string[]) => readonly string[],
): PgConnection {
  const place = 9;
  return {
    ...connection,
    call(statement, parameters = [], options) {
      if (!statement.includes('crossfade.swap(')) return connection.call(statement, parameters, options);
      const changed = JSON.stringify(change(JSON.parse(String(parameters[place]))));
      return connection.call(statement, parameters.with(place, changed), options);
    },
  };
}

/**
 * Starts a call and is back when it is over or waits for somebody's lock, whichever it is in this variant.
 * @returns the call in a list, since a bare promise would be awaited here
 */
export async function overOrWaiting<T>(db: OwnDatabase, query: string, call: () => Promise<T>): Promise<Promise<T>[]> {
  let over = false;
  const running = call().finally(() => {
    over = true;
  });
  running.catch(() => {});
  await eventually(async () => {
    if (over) return true;
    const waiting = await db.sql.unsafe(`SELECT FROM pg_stat_activity WHERE datname = current_database()
      AND wait_event_type = 'Lock' AND query LIKE '%${query}%'
      AND pid NOT IN (SELECT l.pid FROM pg_locks l WHERE l.locktype = 'advisory' AND (l.classid, l.objid) = (${GATE}))`);
    return waiting.length > 0;
  }, `${query} is over or waits for a lock`);
  return [running];
}
