/** Logins as a deployed function makes them: TLS to a server that proves who it is, a token in place of a password. */

import { chmodSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type LocalPostgres, startPostgres } from '../../../infra/local/postgres.ts';
import {
  type ConnectionOptions,
  type PgConnection,
  postgresConnection,
} from '../../../lib/adapters/postgres/connection/connection.ts';
import { type ServerTrust, serverTrust } from '../../../lib/adapters/postgres/connection/server-trust.ts';
import { compose } from '../../../lib/compose/ports.ts';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import { authority, type Certificate } from '../../helpers/certificates.ts';

const ours = authority('our authority');
const theirs = authority('their authority');
const directory = mkdtempSync(join(tmpdir(), 'crossfade-tls-'));
const serverDirectory = mkdtempSync(join(tmpdir(), 'crossfade-tls-server-'));
const caFile = join(directory, 'ca.pem');
const open: PgConnection[] = [];
const sleeps: number[] = [];
const clock = { monotonicMs: () => performance.now(), sleep: async (ms: number) => void sleeps.push(ms) };

let server: LocalPostgres;
let admin: postgres.Sql;

beforeAll(async () => {
  writeFileSync(caFile, ours.certificate);
  server = await startPostgres({ directory: serverDirectory, durable: false });
  admin = postgres(server.url, { max: 1, fetch_types: false, onnotice: () => {} });
  await admin.unsafe("CREATE ROLE function_role LOGIN PASSWORD 'first'");
  await admin.unsafe('CREATE DATABASE app');
  await show(ours.issue(['127.0.0.1', 'localhost']));
});
afterAll(async () => {
  await Promise.all(open.map((connection) => connection.close()));
  await admin?.end({ timeout: 1 });
  await server?.stop();
  for (const made of [directory, serverDirectory]) rmSync(made, { recursive: true, force: true });
});

/** From now on the server shows this certificate; null: it speaks no TLS. */
async function show(shown: Certificate | null, hba = 'hostssl all function_role 0.0.0.0/0 password'): Promise<void> {
  const data = join(serverDirectory, 'data');
  const { uid, gid } = statSync(data);
  const files = { 'server.crt': (shown ?? ours).certificate, 'server.key': (shown ?? ours).key };
  const rules = `${hba}\nhost all postgres 127.0.0.1/32 scram-sha-256\n`;
  for (const [name, text] of Object.entries({ ...files, 'pg_hba.conf': rules })) {
    // The server reads a key only when it is its own and nobody else may.
    writeFileSync(join(data, name), text, { mode: 0o600 });
    chmodSync(join(data, name), 0o600);
    chownSync(join(data, name), uid, gid);
  }
  await admin.unsafe(`ALTER SYSTEM SET ssl = ${shown ? 'on' : 'off'}`);
  await admin.unsafe('SELECT pg_reload_conf()');
  // The reload reaches the postmaster some time later; a new connection tells whether it has.
  const wanted = shown ? 'on' : 'off';
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; await pause(20)) {
    const probe = postgres(server.url, { max: 1, fetch_types: false });
    const [row] = await probe.unsafe(
      "SELECT current_setting('ssl') AS ssl, pg_conf_load_time()::text AS loaded, (SELECT count(*)::int FROM pg_hba_file_rules WHERE error IS NOT NULL) AS wrong",
    );
    await probe.end({ timeout: 1 });
    if (row!.ssl === wanted && row!.loaded !== loaded) {
      expect(row!.wrong).toBe(0);
      loaded = row!.loaded;
      return;
    }
  }
  throw new Error('Postgres did not reload its configuration within 10 s');
}
let loaded = '';

const address = (host = '127.0.0.1') => `postgres://function_role@${host}:${new URL(server.url).port}/app`;

async function connection(over: Partial<ConnectionOptions> & { host?: string } = {}): Promise<PgConnection> {
  const { host, ...options } = over;
  const url = address(host);
  const made = postgresConnection({ url, clock, random: () => 0, trust: await serverTrust(url, caFile), ...options });
  open.push(made);
  return made;
}

async function refusal(of: PgConnection): Promise<CrossfadeError> {
  sleeps.length = 0;
  const error = await of.call('SELECT 1').then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(CrossfadeError);
  return error as CrossfadeError;
}

const WHO =
  'SELECT current_user AS role, s.ssl, pg_backend_pid() AS pid FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()';

describe('a function without a password', () => {
  it('logs in with the token of the moment, over TLS, and each new connection asks for another', async () => {
    const tokens = ['first', 'second'];
    let asked = 0;
    const token = await connection({ password: async () => tokens[Math.min(asked++, 1)]! });
    const [first] = await token.call(WHO);
    expect(first).toMatchObject({ role: 'function_role', ssl: true });
    // The first token is worth nothing any more, and the connection is gone.
    await admin.unsafe("ALTER ROLE function_role PASSWORD 'second'");
    await admin.unsafe(`SELECT pg_terminate_backend(${first!.pid})`);
    const [second] = await token.call(WHO);
    expect(second).toMatchObject({ role: 'function_role', ssl: true });
    expect(second!.pid).not.toBe(first!.pid);
    await admin.unsafe("ALTER ROLE function_role PASSWORD 'first'");
  });

  it('whose token cannot be signed says so, tries nothing, and is fine when it can', async () => {
    let works = false;
    const token = await connection({
      password: async () => {
        if (works) return 'first';
        throw new CrossfadeError('access_denied', 'No login token could be signed.');
      },
    });
    expect(await refusal(token)).toMatchObject({ code: 'access_denied', message: 'No login token could be signed.' });
    expect(sleeps).toEqual([]);
    works = true;
    expect(await token.call('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('whose token hangs is told after its deadline', async () => {
    const token = await connection({ password: () => new Promise(() => {}), deadlineMs: 100 });
    expect(await refusal(token)).toMatchObject({ code: 'database_unavailable' });
  });

  it('whose token is refused is told what a login needs, once, and never the token', async () => {
    const error = await refusal(await connection({ password: async () => 'X-Amz-Signature=hunter2' }));
    expect(error).toMatchObject({
      code: 'access_denied',
      retryable: false,
      details: { sqlstate: '28P01', attempts: 1 },
    });
    expect(error.message).toMatch(/refused the login.*rds_iam.*rds-db:connect/);
    expect(error.message).not.toContain('hunter2');
    expect(sleeps).toEqual([]);
  });
});

describe('the composition of a deployed function', () => {
  const variables = {
    CROSSFADE_PROFILE: 'aws',
    CROSSFADE_STATE_TABLE: 'crossfade-state',
    CROSSFADE_CHANGES_TABLE: 'crossfade-changes',
    CROSSFADE_APPCONFIG_APPLICATION: 'crossfade',
    CROSSFADE_APPCONFIG_ENVIRONMENT: 'prod',
    CROSSFADE_APPCONFIG_PROFILE: 'flags',
    CROSSFADE_JWT_ISSUER: 'https://issuer.test',
    CROSSFADE_JWT_AUDIENCE: 'crossfade',
  };
  const status = (over: object) => compose({ ...variables, ...over }).ports.inspecting.status('customer');

  it('sends a signed token, and only to a server it believes', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'local');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'local');
    const given = { CROSSFADE_DATABASE_URL: address(), CROSSFADE_DATABASE_CA: caFile };
    // This server knows passwords only: the token has arrived and is none.
    await expect(status(given)).rejects.toMatchObject({ code: 'access_denied', details: { sqlstate: '28P01' } });
    await expect(status({ ...given, CROSSFADE_DATABASE_CA: undefined })).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringContaining('CROSSFADE_DATABASE_CA is not set'),
    });
    vi.unstubAllEnvs();
  });

  it('uses a password of the address where there is one, over TLS all the same', async () => {
    const url = new URL(address());
    url.password = 'first';
    const given = { CROSSFADE_DATABASE_URL: url.href, CROSSFADE_DATABASE_CA: caFile };
    // It is in: what is missing now is the schema.
    await expect(status(given)).rejects.toMatchObject({ code: 'schema_changed' });
  });
});

describe('row 69: a server that does not prove who it is gets no password', () => {
  let asked: number;
  const refusedBy = async (trust: ServerTrust, host?: string) => {
    asked = 0;
    const error = await refusal(
      await connection({
        trust,
        host,
        password: async () => {
          asked += 1;
          return 'first';
        },
      }),
    );
    expect(error).toMatchObject({ code: 'invalid_config', retryable: false });
    expect(error.message).toMatch(/certificate was refused and no password was sent.*CROSSFADE_DATABASE_CA/);
    // No second try: it would be refused alike.
    expect([asked, sleeps]).toEqual([1, []]);
    return error.message;
  };
  const trustIn = (host?: string) => serverTrust(address(host), caFile);

  it.each([
    ['of another authority', () => theirs.issue(['127.0.0.1']), /UNABLE_TO_VERIFY_LEAF_SIGNATURE/],
    ['that it made itself', () => authority('self'), /SELF_SIGNED|DEPTH_ZERO/],
    ['of another host', () => ours.issue(['db.example.com', 'localhost']), /ERR_TLS_CERT_ALTNAME_INVALID/],
    ['that has expired', () => ours.issue(['127.0.0.1'], { expired: true }), /CERT_HAS_EXPIRED/],
  ])('a certificate %s', async (_name, made, seen) => {
    await show(made());
    expect(await refusedBy(await trustIn())).toMatch(seen);
  });

  it('the same server passes where nobody asks: the refusals above are ours', async () => {
    await show(theirs.issue(['127.0.0.1']));
    const careless = await connection({
      trust: { ...(await trustIn()), rejectUnauthorized: false } as never,
      password: async () => 'first',
    });
    expect(await careless.call(WHO)).toMatchObject([{ ssl: true }]);
    await show(ours.issue(['127.0.0.1']));
    expect(await (await connection({ password: async () => 'first' })).call(WHO)).toMatchObject([{ ssl: true }]);
  });

  it('one without TLS is not talked to', async () => {
    await show(null, 'host all function_role 0.0.0.0/0 password');
    const error = await refusal(await connection({ password: async () => 'first', deadlineMs: 2_000 }));
    expect(error.code).toBe('database_unavailable');
    expect(error.message).toContain('TLS');
  });

  it('one that lets nobody in from here is named with pg_hba.conf', async () => {
    await show(ours.issue(['127.0.0.1']), 'hostssl all other_role 0.0.0.0/0 password');
    const error = await refusal(await connection({ password: async () => 'first' }));
    expect(error).toMatchObject({ code: 'access_denied', details: { sqlstate: '28000', attempts: 1 } });
    expect(error.message).toMatch(/no pg_hba\.conf entry.*refused the login/);
  });
});
