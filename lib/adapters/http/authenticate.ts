/** From an Authorization header to a subject that may do what the route needs. */

import type { JWTVerifyGetKey } from 'jose';
import { CrossfadeError } from '../../core/base/errors.ts';
import { type Scope, type TokenRules, verifyToken } from './token.ts';

/** Whose tokens are believed, and when. */
export type Verifier = { keys: JWTVerifyGetKey; rules: TokenRules; realNowMs: number };

/** @throws CrossfadeError `unauthenticated` (no or no valid token), `forbidden` (valid, without the scope) */
export async function authenticate(
  header: string | undefined,
  scope: Scope,
  { keys, rules, realNowMs }: Verifier,
): Promise<string> {
  // Two Authorization headers arrive joined by a comma, which no bearer token contains.
  const token = /^Bearer ([A-Za-z0-9._~+/=-]+)$/.exec(header ?? '')?.[1];
  if (!token) {
    throw new CrossfadeError(
      'unauthenticated',
      "This route needs 'Authorization: Bearer <token>', exactly once. The CLI and the page bring their own; for other callers, ask the issuer of this environment.",
    );
  }
  const claims = await verifyToken(token, keys, rules, realNowMs);
  const scopes = (claims.scope ?? '').split(' ');
  if (!scopes.includes(scope)) {
    throw new CrossfadeError(
      'forbidden',
      `The token of '${claims.sub}' does not carry the scope '${scope}' that this route needs.`,
    );
  }
  return claims.sub;
}
