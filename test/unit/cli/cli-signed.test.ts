/** Commands behind IAM: what is sent is signed, and the signature is that of AWS. */

import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { requestSigner } from '../../../lib/adapters/http/sign-request.ts';
import { apiClient } from '../../../lib/cli/api.ts';
import { connect } from '../../../lib/cli/connection.ts';
import { startFront } from '../../../lib/cli/front.ts';
import { cli } from '../../helpers/fake-api.ts';

const KEY = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const REGION = 'eu-central-1';

type Seen = { method: string; url: string; headers: IncomingMessage['headers']; body: string };
let seen: Seen[];
let server: ReturnType<typeof createServer>;
let url: string;

beforeEach(async () => {
  seen = [];
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    seen.push({ method: request.method!, url: request.url!, headers: request.headers, body });
    response.setHeader('content-type', 'application/json').end('{"ok":true}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();

/** As the documentation of Signature Version 4 says, from what arrived. */
function signatureOf({ method, url: path, headers, body }: Seen): string {
  const [, scope, names] = /Credential=[^/]+\/(\S+), SignedHeaders=(\S+),/.exec(headers.authorization!)!;
  const [pathname, query = ''] = path.split('?');
  const canonical = [
    method,
    encodeURI(pathname!),
    query,
    ...names!.split(';').map((name) => `${name}:${headers[name]}`),
    '',
    names,
    sha256(body),
  ].join('\n');
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, sha256(canonical)].join('\n');
  const [date, region, service, end] = scope!.split('/');
  const key = [region!, service!, end!].reduce<Buffer>(
    (made, part) => hmac(made, part),
    hmac(`AWS4${KEY.secretAccessKey}`, date!),
  );
  return hmac(key, text).toString('hex');
}
const given = ({ headers }: Seen) => /Signature=([0-9a-f]{64})$/.exec(headers.authorization ?? '')?.[1];

describe('a command with --aws-profile', () => {
  const io = {
    env: { AWS_REGION: REGION, CROSSFADE_TOKEN: 'a-token' },
    nowMs: Date.now,
    user: () => 'ada',
    readSettings: () => null,
  };

  it('signs looks and commands with the credentials of AWS, and sends no token', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', KEY.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', KEY.secretAccessKey);
    vi.stubEnv('AWS_PROFILE', undefined);
    const signer = requestSigner({ region: REGION });
    const api = apiClient({ ...connect({ url, awsProfile: 'prod' }, io), sign: signer });
    await api.get('/v1/cutovers?hours=2');
    await api.post('/v1/cutovers/a/start', { plan: 'canary' }, { idempotencyKey: 'k', ifVersion: 3 });
    expect(seen.map((one) => one.method)).toEqual(['GET', 'POST']);
    for (const one of seen) {
      expect(one.headers.authorization).toContain(`Credential=${KEY.accessKeyId}/`);
      expect(one.headers.authorization).toContain(`/${REGION}/execute-api/aws4_request`);
      expect(given(one)).toBe(signatureOf(one));
    }
    expect(given({ ...seen[1]!, body: '{}' })).not.toBe(signatureOf({ ...seen[1]!, body: '{}' }));
  });

  it('says which profile gives no credentials', async () => {
    vi.stubEnv('AWS_CONFIG_FILE', '/dev/null');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/dev/null');
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    const api = apiClient(connect({ url, awsProfile: 'nobody' }, io));
    await expect(api.get('/v1/cutovers')).rejects.toMatchObject({
      code: 'unauthenticated',
      message: /profile 'nobody'/,
    });
    expect(seen).toEqual([]);
  });

  it('asks for a region where the address does not say one', async () => {
    const sign = requestSigner({ credentials: async () => KEY });
    const ask = (host: string) => sign({ method: 'GET', url: `https://${host}/v1/cutovers`, headers: {} });
    await expect(ask('crossfade.example.com')).rejects.toMatchObject({ code: 'invalid_input', message: /AWS_REGION/ });
    const { authorization } = await ask('abc123.execute-api.eu-west-1.amazonaws.com');
    expect(authorization).toContain('/eu-west-1/execute-api/');
  });
});

describe('the local front behind IAM', () => {
  it('signs what the page sends, body and all, and lets none of its headers through unsigned', async () => {
    const sign = requestSigner({ region: REGION, credentials: async () => KEY });
    const front = await startFront({ port: 0, target: url, mintToken: () => 'a-token', sign });
    const site = { 'sec-fetch-site': 'same-origin', origin: front.url };
    await fetch(`${front.url}/dashboard/data`, { headers: site });
    const headers = {
      ...site,
      'content-type': 'application/json',
      'idempotency-key': 'k',
      'if-match': '"1"',
      'x-other': '1',
    };
    await fetch(`${front.url}/v1/cutovers/a/pause`, { method: 'POST', headers, body: '{"reason":"why"}' });
    await front.close();
    expect(seen.map(({ method, body }) => [method, body])).toEqual([
      ['GET', ''],
      ['POST', '{"reason":"why"}'],
    ]);
    for (const one of seen) expect(given(one)).toBe(signatureOf(one));
    expect(seen[1]!.headers).toMatchObject({ 'idempotency-key': 'k' });
    expect(seen[1]!.headers).not.toHaveProperty('x-other');
  });
});

describe('stop --break-glass', () => {
  const stop = (...words: string[]) => cli(['stop', '--reason', 'x', ...words], { env: { CROSSFADE_URL: url } });

  it.each([
    ['a drill of nothing', ['--dry-run'], '--dry-run is a drill of --break-glass'],
    ['no stage', ['--break-glass'], '--break-glass needs --stage'],
    ['no region', ['--break-glass', '--stage', 'prod'], '--break-glass needs AWS_REGION'],
  ])('refuses %s, and asks the API nothing', async (_name, words, says) => {
    const { exit, err } = await stop(...words);
    expect([exit, err]).toEqual([2, expect.stringContaining(says)]);
    expect(seen).toEqual([]);
  });
});
