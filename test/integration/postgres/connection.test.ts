/** What a call on the connection answers, and what it says when it cannot. */

import { createServer, type Server } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ConnectionOptions,
  type PgConnection,
  postgresConnection,
  sqlstateOf,
} from '../../../lib/adapters/postgres/connection/connection.ts';
import type { CrossfadeError } from '../../../lib/core/base/errors.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';

const clock = { monotonicMs: () => performance.now(), sleep: (ms: number) => pause(ms / 10) };
const random = () => 0.5;

let database: OwnDatabase;
const open: PgConnection[] = [];

beforeAll(async () => {
  database = await ownDatabase({ empty: true });
});
afterAll(async () => {
  await Promise.all(open.map((connection) => connection.close()));
  await database.drop();
});

function connectionTo(url = database.url, options: Partial<ConnectionOptions> = {}): PgConnection {
  const connection = postgresConnection({ url, clock, random, ...options });
  open.push(connection);
  return connection;
}

async function failure(call: Promise<unknown>): Promise<CrossfadeError> {
  const error = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ name: 'CrossfadeError' });
  return error as CrossfadeError;
}

async function backend(connection: PgConnection): Promise<number> {
  const [row] = await connection.call<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return row!.pid;
}

describe('a call', () => {
  it('sends every parameter as text, so that the cast of the statement decides', async () => {
    const rows = await connectionTo().call(
      'SELECT $1::jsonb AS document, $2::bool AS yes, $3::text[] AS list, $4::bigint AS big, $5::int AS small, $6::date IS NULL AS none',
      ['{"a":[1]}', true, '{x,"y z"}', '9007199254740993', 7, null],
    );
    expect(rows).toEqual([
      { document: { a: [1] }, yes: true, list: '{x,"y z"}', big: '9007199254740993', small: 7, none: true },
    ]);
  });

  it('is one statement: a second one behind it is refused', async () => {
    const error = await failure(connectionTo().call('SELECT 1; SELECT 2'));
    expect(sqlstateOf(error)).toBe('42601');
  });

  it.each(['on', 'off'])(
    'takes every text for a value and nothing else, standard_conforming_strings %s',
    async (strings) => {
      await database.sql.unsafe(`ALTER DATABASE ${database.name} SET standard_conforming_strings = ${strings}`);
      const connection = connectionTo();
      const nasty = [
        "'; DROP SCHEMA public; --",
        "\\'; SELECT 1; --",
        '$1 $2 $$',
        '\\\\',
        "E'\\''",
        'é€😀',
        '',
        "''",
        '\\x00',
        '$crossfade$',
      ];
      try {
        for (const text of nasty)
          expect(await connection.call('SELECT $1 AS one, $2::text AS two, $1 = $2 AS same', [text, text])).toEqual([
            { one: text, two: text, same: true },
          ]);
      } finally {
        await database.sql.unsafe(`ALTER DATABASE ${database.name} RESET standard_conforming_strings`);
      }
    },
  );

  it('refuses a text that Postgres cannot hold before anything is sent', async () => {
    const error = await failure(connectionTo().call('SELECT $1', ['a\0b']));
    expect(error).toMatchObject({ code: 'invalid_input', message: expect.stringContaining('NUL') });
  });

  it('runs after those before it, on one connection', async () => {
    const connection = connectionTo();
    await connection.script('CREATE TABLE public.line (place int GENERATED ALWAYS AS IDENTITY, value int, pid int)');
    await Promise.all(
      Array.from({ length: 50 }, (_, value) =>
        connection.call('INSERT INTO public.line (value, pid) VALUES ($1::int, pg_backend_pid())', [value]),
      ),
    );
    const [seen] = await connection.call(
      'SELECT count(*)::int AS rows, count(DISTINCT pid)::int AS connections, bool_and(value = place - 1) AS ordered FROM public.line',
    );
    expect(seen).toEqual({ rows: 50, connections: 1, ordered: true });
  });

  it('is refused after close', async () => {
    const connection = connectionTo();
    const last = connection.call('SELECT 1 AS one');
    await connection.close();
    expect(await last).toEqual([{ one: 1 }]);
    expect((await failure(connection.call('SELECT 1'))).message).toContain('was closed');
  });
});

describe('a script', () => {
  it('is applied wholly or not at all', async () => {
    const connection = connectionTo();
    await failure(connection.script('CREATE TABLE half (id int); SELECT 1 / 0'));
    const [row] = await connection.call("SELECT to_regclass('half') IS NULL AS absent");
    expect(row).toEqual({ absent: true });
  });
});

describe('the connection', () => {
  it('is dropped when a deadline passes, and the next call is fine', async () => {
    const connection = connectionTo();
    const before = await backend(connection);
    const error = await failure(connection.call('SELECT pg_sleep(30)', [], { deadlineMs: 200, attempts: 1 }));
    expect(error).toMatchObject({ code: 'database_unavailable', retryable: true });
    expect(error.message).toContain('no answer within 200 ms');
    expect(await backend(connection)).not.toBe(before);
  });

  it('is replaced before the first call after 60 idle seconds, also when only the wall clock saw them', async () => {
    let monotonicMs = 0;
    let now = 0;
    const connection = connectionTo(database.url, {
      clock: { ...clock, monotonicMs: () => monotonicMs, now: () => now },
    });
    const first = await backend(connection);
    monotonicMs += 60_000;
    now += 60_000;
    expect(await backend(connection)).toBe(first);
    monotonicMs += 60_001;
    const second = await backend(connection);
    expect(second).not.toBe(first);
    now += 60_001;
    expect(await backend(connection)).not.toBe(second);
  });

  it('is kept when the database asks for another try', async () => {
    const sleeps: number[] = [];
    const holder = database.connect();
    await database.sql.unsafe('CREATE TABLE busy (id int)');
    await holder.unsafe('BEGIN; LOCK TABLE busy');
    const freeing = {
      ...clock,
      sleep: async (ms: number) => {
        sleeps.push(ms);
        await holder.unsafe('ROLLBACK');
      },
    };
    const connection = connectionTo(database.url, { clock: freeing });
    const before = await backend(connection);
    await connection.script("SET LOCAL lock_timeout = '30ms'; INSERT INTO public.busy VALUES (1)");
    expect(sleeps).toEqual([125]);
    expect(await backend(connection)).toBe(before);
  });
});

describe('an error', () => {
  it('of our own functions says that the epoch is old, and is not tried again', async () => {
    const connection = connectionTo();
    await connection.script(`CREATE SEQUENCE public.tries;
      CREATE FUNCTION public.old() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
        PERFORM nextval('public.tries');
        RAISE EXCEPTION 'epoch 3 is older than 4' USING ERRCODE = 'CF001';
      END $$`);
    const error = await failure(connection.call('SELECT public.old()'));
    expect(error).toMatchObject({ code: 'stale_epoch', details: { sqlstate: 'CF001', attempts: 1 } });
    expect(await connection.call('SELECT last_value::int AS tries FROM public.tries')).toEqual([{ tries: 1 }]);
  });

  it('after the last attempt says how often it was tried', async () => {
    const connection = connectionTo();
    await connection.script(`CREATE FUNCTION torn() RETURNS void LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$`);
    const error = await failure(connection.call('SELECT torn()'));
    expect(error).toMatchObject({ code: 'database_unavailable', details: { sqlstate: '40001', attempts: 3 } });
    expect(error.message).toContain('(3 attempts)');
  });

  it.each([
    ['SELECT FROM nowhere', 'schema_changed', '42P01'],
    ['SELECT crossfade.converge_nothing(1, 1)', 'schema_changed', '3F000'],
    ['CREATE ROLE x', 'access_denied', '42501'],
    ['SELECT 1 / 0', 'internal', '22012'],
  ])('of %s is %s', async (statement, code, sqlstate) => {
    await database.sql.unsafe(`DO $$ BEGIN CREATE ROLE weak LOGIN PASSWORD 'weak'; EXCEPTION WHEN OTHERS THEN END $$`);
    const url = new URL(database.url);
    url.username = 'weak';
    url.password = 'weak';
    expect(await failure(connectionTo(url.href).call(statement))).toMatchObject({ code, details: { sqlstate } });
  });

  it('I38 shows no value of a row, in whatever way the value came into it', async () => {
    const connection = connectionTo();
    await connection.script(`CREATE TABLE public.person (email text CONSTRAINT person_email PRIMARY KEY CHECK (email <> 'bad-secret'));
      CREATE FUNCTION public.complain() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.email LIKE 'loud%' THEN RAISE EXCEPTION 'not %', NEW.email; END IF; RETURN NEW; END $$;
      CREATE TRIGGER complain BEFORE INSERT ON public.person FOR EACH ROW EXECUTE FUNCTION public.complain()`);
    const insert = (email: string) => connection.call('INSERT INTO public.person VALUES ($1)', [email]);
    await insert('twice-secret');
    const errors = await Promise.all([
      failure(insert('twice-secret')),
      failure(insert('bad-secret')),
      failure(insert('loud-secret')),
      failure(connection.call('SELECT $1::int', ['cast-"secret'])),
      failure(connection.script("INSERT INTO public.person VALUES ('twice-secret')")),
    ]);
    expect(errors.map(sqlstateOf)).toEqual(['23505', '23514', 'P0001', '22P02', '23505']);
    expect(errors[0]!.details).toMatchObject({ constraint: 'person_email', table: 'person' });
    expect(errors[2]!.message).toContain('PL/pgSQL function public.complain raised an exception');
    expect(inspect(errors, { depth: 9, showHidden: true })).not.toContain('secret');
  });
});

describe('a server that cannot be used', () => {
  it('I38 refuses a wrong password without showing it', async () => {
    const url = new URL(database.url);
    url.password = 'hunter2-wrong';
    const error = await failure(connectionTo(url.href).call('SELECT 1'));
    expect(error).toMatchObject({
      code: 'access_denied',
      retryable: false,
      details: { sqlstate: '28P01', attempts: 1 },
    });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('hunter2');
  });

  it('I38 shows nothing of an address that cannot be read', async () => {
    const error = await failure(connectionTo('postgres://me:hunter2@host:not-a-port/app').call('SELECT 1'));
    expect(error.code).toBe('invalid_config');
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('hunter2');
  });

  it('names the place of a server that is down within 10 s', async () => {
    const port = await closedPort();
    const from = performance.now();
    const error = await failure(connectionTo(`postgres://me:hunter2@127.0.0.1:${port}/app`).call('SELECT 1'));
    expect(performance.now() - from).toBeLessThan(10_000);
    expect(error).toMatchObject({ code: 'database_unavailable', retryable: true, details: { attempts: 3 } });
    expect(error.message).toContain(`127.0.0.1:${port}/app`);
    expect(error.message).not.toContain('hunter2');
  });

  it('gives up at the deadline on a server that accepts and says nothing', async () => {
    const silent = createServer(() => {});
    const port = await listening(silent);
    const from = performance.now();
    const connection = connectionTo(`postgres://me@127.0.0.1:${port}/app`, { deadlineMs: 200 });
    const error = await failure(connection.call('SELECT 1'));
    expect(error).toMatchObject({ code: 'database_unavailable', details: { attempts: 3 } });
    expect(performance.now() - from).toBeLessThan(5_000);
    silent.close();
  });

  it('names a database that does not exist', async () => {
    const url = new URL(database.url);
    url.pathname = '/missing';
    const error = await failure(connectionTo(url.href).call('SELECT 1'));
    expect(error).toMatchObject({ code: 'invalid_config', details: { sqlstate: '3D000' } });
  });
});

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
}

async function closedPort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}
