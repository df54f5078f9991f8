import { generateKeyPairSync } from 'node:crypto';
import { createLocalJWKSet } from 'jose';
import { describe, expect, it } from 'vitest';
import { type Jwk, verifyToken } from '../../../lib/adapters/http/token.ts';
import { confirm } from '../../../lib/cli/confirm.ts';
import { connect, isLoopback } from '../../../lib/cli/connection.ts';
import type { LocalSettings } from '../../../lib/schemas/local-settings.ts';
import { cli, fakeApi } from '../../helpers/fake-api.ts';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = (key: typeof publicKey) => ({ ...key.export({ format: 'jwk' }), kid: 'local-1' });
const NOW = Date.UTC(2025, 10, 21, 9, 30);

const settings = {
  pid: process.pid,
  url: 'http://127.0.0.1:3000',
  apiUrl: 'http://127.0.0.1:3001',
  issuer: 'https://crossfade.localhost',
  audience: 'crossfade',
  jwks: { keys: [jwk(publicKey)] },
  privateKey: jwk(privateKey),
} as unknown as LocalSettings;

const io = (env: Record<string, string> = {}, stacks: Record<number, LocalSettings> = { 3000: settings }) => ({
  env,
  nowMs: () => NOW,
  user: () => 'ada',
  readSettings: (port: number) => stacks[port] ?? null,
});

describe('connection', () => {
  it('signs a token of five minutes for every call of the local stack', async () => {
    const connection = connect({}, io());
    expect(connection).toMatchObject({ url: 'http://127.0.0.1:3001', loopback: true });
    const rules = { issuer: settings.issuer, audience: settings.audience };
    const keys = createLocalJWKSet({ keys: [jwk(publicKey) as Jwk] });
    const claims = await verifyToken(connection.token(), keys, rules, NOW);
    expect(claims).toMatchObject({ sub: 'local:ada', exp: NOW / 1_000 + 300 });
    expect(claims.scope).toContain('control:stop');
    await expect(verifyToken(connection.token(), keys, rules, NOW + 400_000)).rejects.toThrow('expired');
  });

  it("mints a token for an application, with an application's scopes", async () => {
    const minted = await cli(['token', '--json'], { readSettings: () => settings, nowMs: () => NOW });
    expect(minted.exit).toBe(0);
    const { token } = JSON.parse(minted.out) as { token: string };
    const keys = createLocalJWKSet({ keys: [jwk(publicKey) as Jwk] });
    const rules = { issuer: settings.issuer, audience: settings.audience };
    const claims = await verifyToken(token, keys, rules, NOW);
    expect(claims.scope).toBe('route:read outcomes:write copies:write gateway:call');
    const one = await cli(['token', '--scopes', 'route:read', '--hours', '1'], {
      readSettings: () => settings,
      nowMs: () => NOW,
    });
    expect((await verifyToken(one.out.trim(), keys, rules, NOW)).scope).toBe('route:read');
    const wrong = await cli(['token', '--scopes', 'route:reed'], { readSettings: () => settings });
    expect(wrong).toMatchObject({ exit: 2, err: expect.stringContaining('route:read') });
    const elsewhere = await cli(['token', '--url', 'https://api.example'], { readSettings: () => null });
    expect(elsewhere).toMatchObject({ exit: 2, err: expect.stringContaining('issuer') });
  });

  it('prefers --url, then --port, then CROSSFADE_URL, then CROSSFADE_PORT', () => {
    const other = { ...settings, apiUrl: 'http://127.0.0.1:4001' };
    const stacks = { 3000: settings, 4000: other };
    const env = { CROSSFADE_URL: 'https://api.example', CROSSFADE_TOKEN: 't' };
    expect(connect({ url: 'https://b.example/stage/', port: 4000 }, io(env, stacks)).url).toBe(
      'https://b.example/stage',
    );
    expect(connect({ port: 4000 }, io(env, stacks)).url).toBe('http://127.0.0.1:4001');
    expect(connect({}, io(env, stacks))).toMatchObject({ url: 'https://api.example', loopback: false });
    expect(connect({}, io({ CROSSFADE_PORT: '4000' }, stacks)).url).toBe('http://127.0.0.1:4001');
  });

  it('takes the address of the local stack for the local stack, and signs nothing for others', () => {
    expect(connect({ url: 'http://localhost:3000' }, io()).settings).toBe(settings);
    const other = { ...settings, url: 'http://127.0.0.1:4000', apiUrl: 'http://127.0.0.1:4001' };
    const stacks = { 3000: settings, 4000: other };
    expect(connect({ url: 'http://127.0.0.1:4000' }, io({}, stacks)).settings).toBe(other);
    expect(connect({ url: 'http://127.0.0.1:4000' }, io({ CROSSFADE_TOKEN: 't' }, stacks)).settings).toBeNull();
    const foreign = connect({ url: 'http://127.0.0.1:3999' }, io());
    expect(foreign.settings).toBeNull();
    expect(() => foreign.token()).toThrow(/CROSSFADE_TOKEN is not set/);
  });

  it.each([
    ['http://api.example', /in the clear/],
    ['ftp://api.example', /http or https/],
    ['not a url', /http or https/],
    ['https://ada:secret@api.example', /bare/],
    ['https://api.example/?token=secret', /bare/],
  ])('refuses %s as a usage error and repeats no secret', async (url, message) => {
    const { exit, err } = await cli(['status'], { env: { CROSSFADE_URL: url, CROSSFADE_TOKEN: 't' } });
    expect(exit).toBe(2);
    expect(err).toMatch(message);
    expect(err).not.toContain('secret');
  });

  it('says that the local stack has ended when its process is gone', () => {
    // Process ids end far below this on every system that Node runs on.
    const gone = { 3000: { ...settings, pid: 2 ** 30 } };
    expect(() => connect({}, io({}, gone))).toThrow(/has ended: process 1073741824 is gone/);
    expect(() => connect({ port: 3100 }, io())).toThrow(/No local stack left its settings for port 3100/);
    expect(() => connect({}, io({ CROSSFADE_PORT: 'many' }))).toThrow(/CROSSFADE_PORT must be a port/);
  });

  it('knows which addresses are this machine', () => {
    for (const own of [
      'http://127.0.0.1:1',
      'http://127.8.9.10',
      'http://[::1]:3',
      'http://localhost',
      'http://a.localhost',
    ])
      expect(isLoopback(own)).toBe(true);
    for (const other of ['https://10.0.0.1', 'https://127.0.0.1.example', 'https://localhost.example', 'https://[::2]'])
      expect(isLoopback(other)).toBe(false);
  });

  it('never follows a redirect with the token', async () => {
    const thief = await fakeApi();
    const api = await fakeApi({
      'GET /v1/cutovers': { status: 302, text: '', headers: { location: `${thief.url}/x` } },
    });
    const { exit } = await cli(['status'], { env: { CROSSFADE_URL: api.url, CROSSFADE_TOKEN: 't' } });
    expect(exit).toBe(1);
    expect(thief.asked).toEqual([]);
    await Promise.all([api.close(), thief.close()]);
  });
});

describe('production is not changed by accident', () => {
  const away = {
    command: "complete 'customer'",
    name: 'customer',
    yes: false,
    loopback: false,
    url: 'https://api.example',
  };
  const nobody = { interactive: false, ask: async () => null };
  const person = (...answers: (string | null)[]) => {
    const asked: string[] = [];
    const ask = async (question: string) => {
      asked.push(question);
      return answers.shift() ?? null;
    };
    return { interactive: true, ask, asked };
  };

  it('without a terminal needs --yes beside --confirm', async () => {
    await expect(confirm(nobody, { ...away, given: 'customer' })).rejects.toThrow(/add --yes. Nothing was sent/);
    await expect(confirm(nobody, { ...away, given: undefined, yes: true })).rejects.toThrow(/--confirm customer/);
    await confirm(nobody, { ...away, given: 'customer', yes: true });
    await confirm(nobody, { ...away, given: 'customer', loopback: true });
  });

  it('on a terminal asks for the name, twice at most', async () => {
    const right = person('custmer', ' customer ');
    await confirm(right, { ...away, given: 'customer' });
    expect(right.asked).toHaveLength(2);
    expect(right.asked[0]).toContain('https://api.example');
    const wrong = person('a', 'b', 'customer');
    await expect(confirm(wrong, { ...away, given: undefined })).rejects.toThrow(/was not typed. Nothing was sent/);
    expect(wrong.asked).toHaveLength(2);
    await expect(confirm(person(null), { ...away, given: undefined })).rejects.toThrow(/called off/);
  });

  it.each([
    ['complete', 'customer', '--confirm', 'customer'],
    ['cleanup', 'customer', '--confirm', 'customer'],
    ['reset', 'customer', '--confirm', 'customer'],
    ['reset', 'system', '--confirm', 'system'],
    ['rollback-system', '--reason', 'x', '--confirm', 'system'],
    ['stop', '--reason', 'x'],
  ])('%s %s: nothing is sent and the exit code is 2', async (...words) => {
    // Nothing listens there: had anything been sent, the exit code would be 1.
    const env = { CROSSFADE_URL: 'https://127.0.0.1.example.invalid', CROSSFADE_TOKEN: 't' };
    const refused = await cli(words, { env });
    expect(refused.exit).toBe(2);
    expect(refused.err).toContain('--yes');
    expect((await cli([...words, '--yes'], { env })).exit).toBe(1);
  });
});
