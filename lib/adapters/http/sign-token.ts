/**
 * Signs tokens for the local profile, which is its own issuer, and for tests. With node:crypto, since it signs at once:
 * a caller need not wait for its token.
 */

import { createPrivateKey, type JsonWebKey, sign } from 'node:crypto';
import type { Claims, Jwk } from './token.ts';

/** @example signToken({ sub: 'ada', iss, aud, exp, scope: 'control:read' }, privateKey) // ES256 */
export function signToken(claims: Claims, privateKey: Jwk): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode({ alg: 'ES256', typ: 'JWT', kid: privateKey.kid })}.${encode(claims)}`;
  const key = createPrivateKey({ key: privateKey as JsonWebKey, format: 'jwk' });
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}
