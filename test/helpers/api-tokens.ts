/** Tokens of an issuer of one's own: good ones, and every kind of bad one. */

import { createHmac, createPublicKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { OPERATOR_SCOPES } from '../../lib/adapters/http/scopes.ts';
import { signToken } from '../../lib/adapters/http/sign-token.ts';
import type { Claims, Jwk } from '../../lib/adapters/http/token.ts';

const ISSUER = 'https://crossfade.localhost';
const AUDIENCE = 'crossfade';

const newKey = (kid: string) => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    secret: { ...(pair.privateKey.export({ format: 'jwk' }) as Jwk), kid },
    open: { ...(pair.publicKey.export({ format: 'jwk' }) as Jwk), kid },
  };
};
const key = newKey('known');
const stranger = newKey('unknown');

/** As the functions get it. */
export const JWKS = JSON.stringify({ keys: [key.open] });

const seconds = () => Math.floor(Date.now() / 1_000);
const claims = (over: object = {}) =>
  ({
    sub: 'ada',
    iss: ISSUER,
    aud: AUDIENCE,
    exp: seconds() + 600,
    scope: OPERATOR_SCOPES.join(' '),
    ...over,
  }) as Claims;

/** A valid token; an operator's unless its claims say otherwise. */
export const tokenOf = (over: object = {}): string => signToken(claims(over), key.secret);

const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Signed with the public key as if it were a shared secret. */
function confused(): string {
  const signed = `${encoded({ alg: 'HS256', typ: 'JWT', kid: 'known' })}.${encoded(claims())}`;
  const pem = createPublicKey({ key: key.open as JsonWebKey, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
  return `${signed}.${createHmac('sha256', pem).update(signed).digest('base64url')}`;
}

/** Rows 2–4: tokens that let nobody in anywhere. */
export const BAD_TOKENS: Readonly<Record<string, () => string>> = {
  'alg none': () => `${encoded({ alg: 'none', typ: 'JWT', kid: 'known' })}.${encoded(claims())}.`,
  'HS256 with the public key': confused,
  'an unknown key': () => signToken(claims(), stranger.secret),
  'a known key id and another key': () => signToken(claims(), { ...stranger.secret, kid: 'known' }),
  'expired 5 minutes ago': () => tokenOf({ exp: seconds() - 300 }),
  'valid in 5 minutes': () => tokenOf({ nbf: seconds() + 300 }),
  'without an end': () => tokenOf({ exp: undefined }),
  'another audience': () => tokenOf({ aud: 'other' }),
  'another issuer': () => tokenOf({ iss: 'https://other.localhost' }),
  'an id token': () => tokenOf({ token_use: 'id' }),
  'no subject': () => tokenOf({ sub: '' }),
};
