/**
 * JSON Web Tokens, verified and (for the local profile) signed with node:crypto. Only RS256 and ES256 with a known key
 * are accepted: no `none`, no HMAC, no key from the token itself.
 */

import { createPrivateKey, createPublicKey, type JsonWebKey, sign, verify } from 'node:crypto';
import { CrossfadeError } from '../../core/base/errors.ts';

export type Jwk = JsonWebKey & { kid?: string; alg?: string; use?: string };
export type Jwks = { keys: readonly Jwk[] };

export type Claims = {
  sub: string;
  iss: string;
  aud: string | readonly string[];
  exp: number;
  nbf?: number;
  iat?: number;
  /** Space-separated, as OAuth 2.0 has it. */
  scope?: string;
  token_use?: string;
};

export type TokenRules = { issuer: string; audience: string };

const ALGORITHMS = { RS256: 'RSA', ES256: 'EC' } as const;
const SKEW_SECONDS = 60;
const MAX_TOKEN_CHARACTERS = 8_192;

/**
 * The claims of a valid token.
 * @param nowMs real time: tokens do not live in accelerated time
 * @throws CrossfadeError `unauthenticated`, without a word of the token in it
 */
export function verifyToken(token: string, jwks: Jwks, rules: TokenRules, nowMs: number): Claims {
  const parts = token.split('.');
  if (token.length > MAX_TOKEN_CHARACTERS || parts.length !== 3) throw refused('it is not a signed JSON Web Token');
  const header = decode(parts[0]!);
  const claims = decode(parts[1]!);
  const algorithm = header.alg as keyof typeof ALGORITHMS;
  if (!Object.hasOwn(ALGORITHMS, algorithm)) throw refused('its algorithm is neither RS256 nor ES256');
  if (header.crit !== undefined) throw refused('it demands an extension that is not known here');
  const key = jwks.keys.find((candidate) => candidate.kid === header.kid && candidate.kty === ALGORITHMS[algorithm]);
  if (!key || header.kid === undefined) throw refused('its key is unknown');
  const signed = Buffer.from(`${parts[0]}.${parts[1]}`);
  const publicKey = createPublicKey({ key: key as JsonWebKey, format: 'jwk' });
  const options = algorithm === 'ES256' ? { key: publicKey, dsaEncoding: 'ieee-p1363' as const } : publicKey;
  if (!verify('sha256', signed, options, Buffer.from(parts[2]!, 'base64url'))) throw refused('its signature is wrong');
  return checkClaims(claims, rules, nowMs / 1000);
}

function checkClaims(claims: Record<string, unknown>, rules: TokenRules, now: number): Claims {
  const { sub, iss, aud, exp, nbf, scope, token_use } = claims;
  if (typeof sub !== 'string' || sub === '') throw refused('it names no subject');
  if (typeof exp !== 'number') throw refused('it never expires');
  if (exp + SKEW_SECONDS < now) throw refused('it has expired');
  if (nbf !== undefined && (typeof nbf !== 'number' || nbf - SKEW_SECONDS > now)) throw refused('it is not valid yet');
  if (iss !== rules.issuer) throw refused('it comes from another issuer');
  const audiences = Array.isArray(aud) ? aud : [aud];
  if (!audiences.includes(rules.audience)) throw refused('it is meant for another audience');
  if (token_use === 'id') throw refused('it is an id token; an access token is needed');
  if (scope !== undefined && typeof scope !== 'string') throw refused('its scope is not text');
  return claims as unknown as Claims;
}

function decode(part: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Falls through: the message must not repeat what was sent.
  }
  throw refused('it cannot be decoded');
}

function refused(why: string): CrossfadeError {
  return new CrossfadeError(
    'unauthenticated',
    `The token was refused: ${why}. Sign in again, or ask for a token of this environment.`,
  );
}

/** A token signed with ES256. Only the local profile and tests have a private key. */
export function signToken(claims: Claims, privateKey: Jwk): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode({ alg: 'ES256', typ: 'JWT', kid: privateKey.kid })}.${encode(claims)}`;
  const key = createPrivateKey({ key: privateKey as JsonWebKey, format: 'jwk' });
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

export const OPERATOR_SCOPES = [
  'control:read',
  'control:write',
  'control:complete',
  'control:cleanup',
  'control:stop',
  'outcomes:write',
  'copies:write',
  'route:read',
  'gateway:call',
] as const;
export type Scope = (typeof OPERATOR_SCOPES)[number];
