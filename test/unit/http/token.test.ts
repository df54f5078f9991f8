/** Tokens and the Authorization header: rows 1 to 5 of bad input, with real keys. */

import { createHmac, createSign, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createLocalJWKSet } from 'jose';
import { describe, expect, it } from 'vitest';
import { authenticate } from '../../../lib/adapters/http/authenticate.ts';
import type { OPERATOR_SCOPES } from '../../../lib/adapters/http/scopes.ts';
import { signToken } from '../../../lib/adapters/http/sign-token.ts';
import { type Claims, type Jwk, verifyToken } from '../../../lib/adapters/http/token.ts';
import { verifier } from '../../../lib/adapters/http/verifier.ts';
import { codeFrom, NOW } from '../../property/samples.ts';

const RULES = { issuer: 'https://issuer.test', audience: 'crossfade' };
const SECONDS = NOW / 1_000;

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = (key: KeyObject, kid: string): Jwk => ({ ...(key.export({ format: 'jwk' }) as Jwk), kid });
const EC = jwk(ec.privateKey, 'ec-1');
const JWKS = { keys: [jwk(ec.publicKey, 'ec-1'), jwk(rsa.publicKey, 'rsa-1')] };
const KEYS = createLocalJWKSet(JWKS);

const CLAIMS: Claims = {
  sub: 'ada',
  iss: RULES.issuer,
  aud: RULES.audience,
  iat: SECONDS,
  exp: SECONDS + 600,
  scope: 'control:read control:write',
};
const claims = (over: Record<string, unknown>) => ({ ...CLAIMS, ...over }) as unknown as Claims;
const part = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

function rs256(body: Claims, header: Record<string, unknown> = { alg: 'RS256', kid: 'rsa-1' }): string {
  const signed = `${part(header)}.${part(body)}`;
  return `${signed}.${createSign('sha256').update(signed).sign(rsa.privateKey).toString('base64url')}`;
}

const good = signToken(CLAIMS, EC);
const verdict = (token: string) => codeFrom(verifyToken(token, KEYS, RULES, NOW));
const why = (token: string): Promise<string> =>
  verifyToken(token, KEYS, RULES, NOW).then(
    () => 'taken',
    (error: Error) => error.message,
  );

describe('a token', () => {
  it('signed with ES256 or RS256 by a known key is taken', async () => {
    expect(await verifyToken(good, KEYS, RULES, NOW)).toEqual(CLAIMS);
    expect(await verifyToken(rs256(CLAIMS), KEYS, RULES, NOW)).toEqual(CLAIMS);
    expect(await verdict(signToken(claims({ aud: ['other', 'crossfade'] }), EC))).toBe('nothing');
  });

  const publicPem = rsa.publicKey.export({ type: 'spki', format: 'pem' }) as string;
  const hs256 = (secret: string | Buffer, kid: string) => {
    const signed = `${part({ alg: 'HS256', kid })}.${part(CLAIMS)}`;
    return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
  };
  const unsigned = (alg: string) => `${part({ alg, kid: 'ec-1' })}.${part(CLAIMS)}.`;
  const [head, body, signature] = good.split('.') as [string, string, string];

  it.each([
    ['alg none', unsigned('none')],
    ['alg None', unsigned('None')],
    ['an empty signature', `${head}.${body}.`],
    ['HS256 with the public key as secret', hs256(publicPem, 'rsa-1')],
    ['HS256 with the modulus as secret', hs256(Buffer.from(JWKS.keys[1]!.n as string, 'base64url'), 'rsa-1')],
    ['an alg that every object has', unsigned('constructor')],
    ['an unknown kid', signToken(CLAIMS, { ...EC, kid: 'ec-2' })],
    ['no kid', signToken(CLAIMS, { ...EC, kid: undefined })],
    ['a known kid and another key', signToken(CLAIMS, jwk(stranger.privateKey, 'ec-1'))],
    ['the kid of a key of another type', rs256(CLAIMS, { alg: 'RS256', kid: 'ec-1' })],
    [
      'its own key in the header',
      `${part({ alg: 'ES256', kid: 'x', jwk: jwk(stranger.publicKey, 'x') })}.${body}.${signature}`,
    ],
    ['other claims under the same signature', `${head}.${part(claims({ sub: 'eve' }))}.${signature}`],
    ['another header under the same signature', `${part({ alg: 'ES256', kid: 'ec-1', x: 1 })}.${body}.${signature}`],
    ['a truncated signature', good.slice(0, -8)],
    ['a demand for an extension', rs256(CLAIMS, { alg: 'RS256', kid: 'rsa-1', crit: ['b64'], b64: false })],
  ])('row 2: with %s is refused', async (_name, token) => {
    expect(await verdict(token)).toBe('unauthenticated');
  });

  it.each([
    ['that expired five minutes ago', { exp: SECONDS - 300 }, 'has expired'],
    ['that is valid from in five minutes', { nbf: SECONDS + 300 }, 'not valid yet'],
    ['whose beginning is no number', { nbf: 'soon' }, 'not valid yet'],
    ['that never expires', { exp: undefined }, 'never expires'],
    ['whose end is text', { exp: '9999999999' }, 'never expires'],
    ['of another audience', { aud: 'other' }, 'another audience'],
    ['of no audience', { aud: undefined }, 'another audience'],
    ['of an audience that begins alike', { aud: 'crossfade-test' }, 'another audience'],
    ['of another issuer', { iss: 'https://issuer.test.evil' }, 'another issuer'],
    ['that is an id token', { token_use: 'id' }, 'id token'],
    ['without a subject', { sub: '' }, 'no subject'],
    ['whose subject is a number', { sub: 5 }, 'no subject'],
    ['whose scope is no text', { scope: { control: true } }, 'scope is neither text'],
  ])('rows 3, 4: %s is refused and told so', async (_name, over, reason) => {
    const token = signToken(claims(over), EC);
    expect(await verdict(token)).toBe('unauthenticated');
    expect(await why(token)).toContain(reason);
  });

  it('row 3: a minute of skew between two clocks is no reason', async () => {
    expect(await verdict(signToken(claims({ exp: SECONDS - 59, nbf: SECONDS + 59 }), EC))).toBe('nothing');
    expect(await verdict(signToken(claims({ exp: SECONDS - 61 }), EC))).toBe('unauthenticated');
  });

  it.each([
    '',
    'a',
    'a.b',
    'a.b.c',
    'a.b.c.d',
    '..',
    `${part('null')}.${part('{}')}.x`,
    `${part('[1]')}.${part('[]')}.x`,
    `${part('{')}.x.y`,
    'x'.repeat(10_000),
  ])('that is none (%#) is refused', async (token) => {
    expect(await verdict(token)).toBe('unauthenticated');
  });

  it('is never repeated in what is said about it', async () => {
    for (const token of [
      `${part({ alg: 'none' })}.${part({ sub: 'secret-subject' })}.sig`,
      'secret-token',
      signToken(claims({ exp: 1, sub: 'secret-subject' }), EC),
    ]) {
      expect(await why(token)).not.toMatch(/secret/);
      for (const piece of token.split('.').filter((text) => text.length > 3))
        expect(await why(token)).not.toContain(piece);
    }
  });
});

describe('the Authorization header', () => {
  const ask = (header: string | undefined, scope: (typeof OPERATOR_SCOPES)[number] = 'control:read') =>
    authenticate(header, scope, verifier(KEYS, RULES), NOW);
  const code = (header: string | undefined, scope?: (typeof OPERATOR_SCOPES)[number]) => codeFrom(ask(header, scope));

  it('gives the subject of a token that carries the scope', async () => {
    expect(await ask(`Bearer ${good}`)).toBe('ada');
    expect(await ask(`Bearer ${good}`, 'control:write')).toBe('ada');
  });

  it.each([
    ['none', undefined],
    ['an empty one', ''],
    ['two of them, joined as they arrive', `Bearer ${good}, Bearer ${good}`],
    ['two of them, joined without a space', `Bearer ${good},Bearer ${good}`],
    ['another scheme', `Basic ${Buffer.from('a:b').toString('base64')}`],
    ['a scheme in lower case', `bearer ${good}`],
    ['the token alone', good],
    ['two spaces', `Bearer  ${good}`],
    ['something after the token', `Bearer ${good} x`],
    ['a line break', `Bearer ${good}\n`],
    ['a cookie', `session=${good}`],
  ])('row 1: %s is refused', async (_name, header) => {
    expect(await code(header)).toBe('unauthenticated');
  });

  it('row 5: a scope that is missing, or only resembles the one that is needed, is forbidden', async () => {
    for (const scope of [
      'control:complete',
      'control:cleanup',
      'control:stop',
      'rows:read',
      'outcomes:write',
      'copies:write',
      'route:read',
      'gateway:call',
    ] as const) {
      expect(await code(`Bearer ${good}`, scope)).toBe('forbidden');
    }
    for (const scope of [
      undefined,
      '',
      'control',
      'control:*',
      'control:reads',
      'xcontrol:read',
      'control:read,control:write',
    ]) {
      expect(await code(`Bearer ${signToken(claims({ scope }), EC)}`)).toBe('forbidden');
    }
  });
});

describe('a verifier of tokens', () => {
  const counted = (keys = KEYS) => {
    const seen = { keys, asked: 0 };
    const { claimsOf } = verifier((header, token) => {
      seen.asked += 1;
      return seen.keys(header, token);
    }, RULES);
    return { seen, ask: (token: string, atMs = NOW) => codeFrom(claimsOf(token, atMs)) };
  };

  it('checks the signature of a token once in a minute', async () => {
    const { seen, ask } = counted();
    for (const atMs of [NOW, NOW + 1, NOW + 59_999]) expect(await ask(good, atMs)).toBe('nothing');
    expect(seen.asked).toBe(1);
    expect(await ask(good, NOW + 60_000)).toBe('nothing');
    expect(seen.asked).toBe(2);
  });

  it('takes none of a withdrawn key for longer', async () => {
    const { seen, ask } = counted();
    await ask(good);
    seen.keys = createLocalJWKSet({ keys: [] });
    expect([await ask(good, NOW + 59_999), await ask(good, NOW + 60_000)]).toEqual(['nothing', 'unauthenticated']);
  });

  it('looks at the end of one that it remembers', async () => {
    const { seen, ask } = counted();
    const ending = signToken(claims({ exp: SECONDS - 30 }), EC);
    expect([await ask(ending), await ask(ending, NOW + 29_999)]).toEqual(['nothing', 'nothing']);
    expect(seen.asked).toBe(1);
    expect(await ask(ending, NOW + 30_000)).toBe('unauthenticated');
  });

  it('takes another body or signature for another token, and remembers none that was refused', async () => {
    const { seen, ask } = counted();
    await ask(good);
    const [head, , signature] = good.split('.');
    const forged = [`${head}.${part(claims({ sub: 'eve' }))}.${signature}`, `${good.slice(0, -8)}AAAAAAAA`];
    for (const token of [...forged, ...forged]) expect(await ask(token)).toBe('unauthenticated');
    expect(seen.asked).toBe(5);
  });

  it('remembers the last five hundred', async () => {
    const { seen, ask } = counted();
    const others = Array.from({ length: 500 }, (_, n) => signToken(claims({ sub: `user-${n}` }), EC));
    await ask(good);
    for (const token of others) await ask(token);
    await ask(others[0]!);
    expect(seen.asked).toBe(501);
    await ask(good);
    expect(seen.asked).toBe(502);
  });
});
