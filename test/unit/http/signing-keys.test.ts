/** The keys of an issuer that replaces them: which tokens are taken while it does, and how often it is asked. */

import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { signToken } from '../../../lib/adapters/http/sign-token.ts';
import { type KeySource, signingKeys } from '../../../lib/adapters/http/signing-keys.ts';
import { type Jwk, verifyToken } from '../../../lib/adapters/http/token.ts';
import { codeFrom, NOW } from '../../property/samples.ts';

const RULES = { issuer: 'https://issuer.test', audience: 'crossfade' };

function pair(kid: string) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const claims = { sub: 'ada', iss: RULES.issuer, aud: RULES.audience, exp: NOW / 1_000 + 86_400 };
  return {
    open: { ...(publicKey.export({ format: 'jwk' }) as Jwk), kid },
    token: signToken(claims, { ...(privateKey.export({ format: 'jwk' }) as Jwk), kid }),
  };
}
const FIRST = pair('2025-a');
const SECOND = pair('2025-b');
const STRANGER = pair('2025-c');

/** An issuer whose published keys, and whether it answers, may be changed. */
function issuer(keys: readonly { open: Jwk }[], over: Partial<KeySource> = {}) {
  const it = {
    keys,
    answers: true,
    asked: [] as string[],
    verdict: (token: string) => codeFrom(verifyToken(token, source, RULES, Date.now())),
  };
  const source = signingKeys({
    configured: null,
    issuer: RULES.issuer,
    nowMs: Date.now,
    ask: async (url) => {
      it.asked.push(String(url));
      if (!it.answers) throw new TypeError('fetch failed');
      return configured(...it.keys);
    },
    ...over,
  });
  return it;
}

const configured = (...keys: { open: Jwk }[]) => JSON.stringify({ keys: keys.map(({ open }) => open) });

beforeEach(() => vi.useFakeTimers({ now: NOW, toFake: ['Date'] }));
afterEach(() => vi.useRealTimers());
const later = (ms: number) => vi.setSystemTime(Date.now() + ms);

describe('keys that the issuer publishes', () => {
  it('are read once, and not for every token', async () => {
    const it = issuer([FIRST]);
    expect([await it.verdict(FIRST.token), await it.verdict(FIRST.token)]).toEqual(['nothing', 'nothing']);
    expect(it.asked).toEqual(['https://issuer.test/.well-known/jwks.json']);
  });

  it('are read again when a token names one that is new', async () => {
    const it = issuer([FIRST]);
    await it.verdict(FIRST.token);
    it.keys = [FIRST, SECOND];
    later(31_000);
    expect(await it.verdict(SECOND.token)).toBe('nothing');
    expect(it.asked).toHaveLength(2);
  });

  it('are not read again within 30 s, whatever keys tokens name', async () => {
    const it = issuer([FIRST]);
    await it.verdict(FIRST.token);
    later(29_000);
    for (let sent = 0; sent < 5; sent += 1) expect(await it.verdict(STRANGER.token)).toBe('unauthenticated');
    expect(it.asked).toHaveLength(1);
  });

  it('that are withdrawn are taken for ten minutes at most', async () => {
    const it = issuer([FIRST]);
    await it.verdict(FIRST.token);
    it.keys = [SECOND];
    later(9 * 60_000);
    expect(await it.verdict(FIRST.token)).toBe('nothing');
    later(61_000);
    expect(await it.verdict(FIRST.token)).toBe('unauthenticated');
  });

  it('go on while the issuer does not answer, which is asked every 30 s only', async () => {
    const it = issuer([FIRST]);
    await it.verdict(FIRST.token);
    it.answers = false;
    later(11 * 60_000);
    for (let sent = 0; sent < 5; sent += 1) expect(await it.verdict(FIRST.token)).toBe('nothing');
    expect(it.asked).toHaveLength(2);
    expect(await it.verdict(STRANGER.token)).toBe('unauthenticated');
    later(31_000);
    it.answers = true;
    it.keys = [SECOND];
    expect([await it.verdict(SECOND.token), await it.verdict(FIRST.token)]).toEqual(['nothing', 'unauthenticated']);
  });

  it('that could never be read let nobody in, and the refusal says to try again', async () => {
    const it = issuer([FIRST]);
    it.answers = false;
    const keys = signingKeys({
      configured: null,
      issuer: RULES.issuer,
      nowMs: Date.now,
      ask: () => Promise.reject(new Error('the issuer answered 503')),
    });
    expect(await it.verdict(FIRST.token)).toBe('unauthenticated');
    await expect(verifyToken(FIRST.token, keys, RULES, NOW)).rejects.toMatchObject({
      code: 'unauthenticated',
      retryable: true,
      message: expect.stringContaining('cannot be fetched'),
    });
  });
});

describe('keys that came with the deployment', () => {
  it('ask nobody about a token that they verify', async () => {
    const it = issuer([SECOND], { configured: configured(FIRST) });
    expect(await it.verdict(FIRST.token)).toBe('nothing');
    expect(it.asked).toEqual([]);
  });

  it('are completed by those of the issuer, so that a rotation needs no deployment', async () => {
    const it = issuer([FIRST, SECOND], { configured: configured(FIRST) });
    expect(await it.verdict(SECOND.token)).toBe('nothing');
    expect(await it.verdict(STRANGER.token)).toBe('unauthenticated');
    expect(it.asked).toHaveLength(1);
  });

  it('stand alone where there is no issuer to ask', async () => {
    const it = issuer([SECOND], { configured: configured(FIRST), issuer: null });
    expect([await it.verdict(FIRST.token), await it.verdict(SECOND.token)]).toEqual(['nothing', 'unauthenticated']);
    expect(it.asked).toEqual([]);
  });

  it.each(['{', '[]', '{"keys":{}}'])('are refused at the start when they are %s', (text) => {
    expect(() => signingKeys({ configured: text, issuer: null, nowMs: Date.now, ask: async () => '' })).toThrow(
      /CROSSFADE_JWKS/,
    );
  });
});
