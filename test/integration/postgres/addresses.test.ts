/**
 * Addresses as providers print them, on a real server: each logs in, and the server is sent nothing that a pooler refuses.
 * A relay in front of the server reads what arrives first, and stands where the address says: version 6, a socket, one of two.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PgConnection, postgresConnection } from '../../../lib/adapters/postgres/connection/connection.ts';
import { random, systemClock } from '../../../lib/adapters/system.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';

/** What PgBouncer takes without being told to. */
const POOLED = ['user', 'database', 'client_encoding', 'application_name'];

const directory = mkdtempSync(join(tmpdir(), 'crossfade-addresses-'));
const connections: PgConnection[] = [];
const relays: Server[] = [];
const sockets = new Set<Socket>();
/** Names of the parameters of each login that came through a relay. */
let logins: string[][] = [];
let db: OwnDatabase;
let upstream: URL;
let host: string;
let port: number;

beforeAll(async () => {
  db = await ownDatabase();
  upstream = new URL(db.url);
  await db.sql.unsafe(`CREATE ROLE "a:d/a" LOGIN PASSWORD 'p@s/s?w#rd%:&=1'`);
  ({ host, port } = await relay({ host: '127.0.0.1', port: 0 }));
});
afterAll(async () => {
  await Promise.all(connections.map((connection) => connection.close()));
  for (const socket of sockets) socket.destroy();
  for (const server of relays) server.close();
  rmSync(directory, { recursive: true, force: true });
  await db.sql.unsafe('DROP ROLE "a:d/a"');
  await db.drop();
});

async function relay(
  where: { host: string; port: number } | { path: string },
): Promise<{ host: string; port: number }> {
  const server = createServer((socket) => {
    const through = connect(Number(upstream.port), upstream.hostname);
    for (const one of [socket, through]) sockets.add(one.on('error', () => {}));
    socket.once('data', (first) => {
      // Length and version, then names and values, each ended by a zero.
      const words = first.subarray(8).toString('utf8').split('\0');
      logins.push(words.filter((word, index) => index % 2 === 0 && word !== ''));
      through.write(first);
      socket.pipe(through).pipe(socket);
    });
    socket.on('close', () => through.destroy());
  });
  relays.push(server);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(where, () => resolve()));
  const address = server.address();
  return typeof address === 'object' && address
    ? { host: address.address, port: address.port }
    : { host: directory, port: 5432 };
}

async function ask(url: string, question = 'SELECT 1 AS one') {
  const connection = postgresConnection({ url, clock: systemClock(), random });
  connections.push(connection);
  return connection.call(question, [], { attempts: 2 });
}

const login = () => `${upstream.username}:${upstream.password}`;
const address = (query = '', place = `${host}:${port}`) => `postgres://${login()}@${place}/${db.name}${query}`;

describe('an address as it is printed logs in, and sends what a pooler takes', () => {
  it.each([
    ['plain', ''],
    ['Neon', '?sslmode=prefer&channel_binding=require'],
    ['Prisma', '?schema=public&connection_limit=1&pool_timeout=10'],
    ['Supabase', '?pgbouncer=true&connection_limit=1'],
    ['options of a session', '?options=-c%20search_path%3Dnowhere%20-c%20default_transaction_read_only%3Don'],
    ['several servers', '?target_session_attrs=read-write'],
    ['libpq', '?keepalives=1&connect_timeout=3&gssencmode=disable&client_encoding=utf8'],
    ['node-postgres', '?uselibpqcompat=true&sslmode=disable'],
    ['a driver of Java', '?currentSchema=x&prepareThreshold=0&ApplicationName=shop'],
  ])('%s', async (_who, query) => {
    logins = [];
    expect(await ask(address(query))).toEqual([{ one: 1 }]);
    const sent = logins.flat().filter((name) => !query.includes('prefer') || POOLED.includes(name));
    for (const name of sent) expect(POOLED).toContain(name);
  });

  it('as postgresql:// and as jdbc:postgresql://, and without a pair of quotes too many', async () => {
    const rest = address().slice('postgres'.length);
    expect(await ask(`postgresql${rest}`)).toEqual([{ one: 1 }]);
    expect(await ask(`'${address()}'`)).toEqual([{ one: 1 }]);
    const jdbc = `jdbc:postgresql://${host}:${port}/${db.name}?user=${upstream.username}&password=${upstream.password}`;
    expect(await ask(jdbc)).toEqual([{ one: 1 }]);
  });

  it('of version 6', async () => {
    const six = await relay({ host: '::1', port: 0 });
    expect(await ask(address('?schema=public', `[::1]:${six.port}`))).toEqual([{ one: 1 }]);
  });

  it('of a unix socket, in both spellings', async () => {
    await relay({ path: join(directory, '.s.PGSQL.5432') });
    expect(await ask(address('?sslmode=require', encodeURIComponent(directory)))).toEqual([{ one: 1 }]);
    expect(
      await ask(`postgres:///${db.name}?host=${directory}&user=${upstream.username}&password=${upstream.password}`),
    ).toEqual([{ one: 1 }]);
  });

  it('of two servers, of which one is down', async () => {
    expect(await ask(address('', `127.0.0.1:1,${host}:${port}`))).toEqual([{ one: 1 }]);
  });

  it('with a role and a password of every character, percent-encoded or as they stand', async () => {
    const who = 'SELECT current_user AS role';
    const secret = 'p@s/s?w#rd%:&=1';
    const encoded = `postgres://${encodeURIComponent('a:d/a')}:${encodeURIComponent(secret)}@${host}:${port}/${db.name}`;
    expect(await ask(encoded, who)).toEqual([{ role: 'a:d/a' }]);
    const bare = `postgres://a%3Ad%2Fa:${secret}@${host}:${port}/${db.name}?schema=public`;
    expect(await ask(bare, who)).toEqual([{ role: 'a:d/a' }]);
  });

  it('under a name that psql shows beside ours', async () => {
    const name = "SELECT current_setting('application_name') AS name";
    expect(await ask(address(), name)).toEqual([{ name: 'crossfade' }]);
    expect(await ask(address('?application_name=shop'), name)).toEqual([{ name: 'crossfade: shop' }]);
  });
});

it('a parameter that only the server could know is named before anything is sent', async () => {
  logins = [];
  await expect(ask(address('?frobnicate=1'))).rejects.toMatchObject({
    code: 'invalid_config',
    message: expect.stringMatching(/'frobnicate'.*ALTER ROLE/),
  });
  expect(logins).toEqual([]);
});

it('a server that takes no writes is said to be one', async () => {
  const write = 'DO $$ BEGIN SET LOCAL transaction_read_only = on; CREATE TABLE kept (id integer); END $$';
  await expect(ask(address(), write)).rejects.toMatchObject({
    code: 'database_unavailable',
    details: { sqlstate: '25006' },
    message: expect.stringMatching(/replica, or is read-only: name the primary server/),
  });
});

it('a database that is not there, or not named, is told from one that does not answer', async () => {
  const other = `postgres://${login()}@${host}:${port}`;
  await expect(ask(`${other}/nowhere`)).rejects.toMatchObject({
    code: 'invalid_config',
    message: expect.stringContaining('Create the database'),
  });
});
