/** Login tokens of RDS: what is signed, how long it is used, what is refused. And whom the connection believes. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PeerCertificate } from 'node:tls';
import { afterAll, describe, expect, it } from 'vitest';
import { iamToken, type TokenOptions } from '../../../lib/adapters/postgres/connection/iam-token.ts';
import { serverTrust } from '../../../lib/adapters/postgres/connection/server-trust.ts';
import { authority } from '../../helpers/certificates.ts';

const URL_ = 'postgres://crossfade_runtime@db.example.com:6432/app?application_name=x';
const CREDENTIALS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret-of-the-role', sessionToken: 'session' };

function movable() {
  const at = { now: 0, monotonicMs: 0 };
  return { at, clock: { now: () => at.now, monotonicMs: () => at.monotonicMs } };
}

const tokenFor = (over: Partial<TokenOptions> = {}) =>
  iamToken({ url: URL_, region: 'eu-central-1', clock: movable().clock, credentials: CREDENTIALS, ...over });

describe('a login token', () => {
  it('is signed for this role on this host and port, in this region, for 15 minutes', async () => {
    const token = await tokenFor()();
    expect(token.startsWith('db.example.com:6432/?')).toBe(true);
    expect(Object.fromEntries(new URL(`https://${token}`).searchParams)).toMatchObject({
      Action: 'connect',
      DBUser: 'crossfade_runtime',
      'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
      'X-Amz-Credential': expect.stringMatching(/^AKIDEXAMPLE\/\d{8}\/eu-central-1\/rds-db\/aws4_request$/),
      'X-Amz-Expires': '900',
      'X-Amz-Security-Token': 'session',
      'X-Amz-SignedHeaders': 'host',
      'X-Amz-Signature': expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(token).not.toContain('secret-of-the-role');
  });

  it('takes the port of Postgres where the address names none, and the role as it is called', async () => {
    const token = await tokenFor({ url: 'postgresql://a%40b@db.example.com/app' })();
    expect(token.startsWith('db.example.com:5432/?')).toBe(true);
    expect(new URL(`https://${token}`).searchParams.get('DBUser')).toBe('a@b');
  });

  it.each(['now', 'monotonicMs'] as const)('is signed anew when %s says that ten minutes have passed', async (name) => {
    const { at, clock } = movable();
    let asked = 0;
    const credentials = async () => {
      asked += 1;
      return CREDENTIALS;
    };
    const token = tokenFor({ clock, credentials });
    const first = await token();
    at[name] += 599_999;
    expect(await token()).toBe(first);
    expect(asked).toBe(1);
    at[name] += 1;
    await token();
    expect(asked).toBe(2);
  });

  it('that cannot be signed is access_denied with what to do, and is tried anew at the next call', async () => {
    let works = false;
    const credentials = async () => {
      if (works) return CREDENTIALS;
      throw Object.assign(new Error('secret place'), { name: 'CredentialsProviderError' });
    };
    const token = tokenFor({ credentials });
    const error = await token().catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'access_denied', details: { seen: 'CredentialsProviderError' } });
    expect(error.message).toMatch(/crossfade_runtime at db\.example\.com:6432.*rds-db:connect/);
    expect(error.message).not.toContain('secret place');
    works = true;
    expect(await token()).toContain('X-Amz-Signature');
  });

  it.each(['', 'no address', 'postgres://db.example.com/app', 'postgres://me@one:1,two:2/app', 'postgres:///app'])(
    'is not promised for %j',
    (url) => {
      expect(() => tokenFor({ url })).toThrow(expect.objectContaining({ code: 'invalid_config' }));
    },
  );
});

describe('whom a connection believes', () => {
  const directory = mkdtempSync(join(tmpdir(), 'crossfade-trust-'));
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const certificate = (names: string) => ({ subjectaltname: names, subject: {} }) as unknown as PeerCertificate;

  it('is who has a certificate of an authority in the file', async () => {
    const { certificate: ca } = authority();
    expect(await serverTrust(URL_, file('ca.pem', ca))).toMatchObject({ ca, rejectUnauthorized: true });
  });

  it.each([
    ['db.example.com', 'DNS:db.example.com', true],
    ['db.example.com', 'DNS:*.example.com', true],
    ['db.example.com', 'DNS:other.example.com', false],
    ['10.0.0.7', 'IP Address:10.0.0.7', true],
    // Node itself would ask for `localhost` here.
    ['10.0.0.7', 'DNS:localhost', false],
    ['[::1]', 'IP Address:0:0:0:0:0:0:0:1', true],
  ])('and for the host of the address: %s with %s', async (host, names, believed) => {
    const trust = await serverTrust(`postgres://me@${host}/app`, file('ca.pem', authority().certificate));
    expect(trust.checkServerIdentity('localhost', certificate(names)) === undefined).toBe(believed);
  });

  it.each([
    ['no file is named', () => undefined, /CROSSFADE_DATABASE_CA is not set/],
    ['the file is missing', () => join(directory, 'missing.pem'), /cannot be read \(ENOENT\)/],
    ['the file holds no certificate', () => file('empty.pem', 'hello'), /holds no certificate/],
  ])('is nobody when %s', async (_name, path, says) => {
    const error = await serverTrust(URL_, path()).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'invalid_config' });
    expect(error.message).toMatch(says);
  });
});
