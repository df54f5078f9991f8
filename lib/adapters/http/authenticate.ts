/** From an Authorization header to a subject that may do what the route needs. */

import { CrossfadeError } from '../../core/base/errors.ts';
import { type Jwks, type Scope, type TokenRules, verifyToken } from './token.ts';

const FETCH_DEADLINE_MS = 2_000;

/** @throws CrossfadeError `unauthenticated` (no or no valid token), `forbidden` (valid, without the scope) */
export function authenticate(
  header: string | undefined,
  scope: Scope,
  jwks: Jwks,
  rules: TokenRules,
  realNowMs: number,
): string {
  // Two Authorization headers arrive joined by a comma, which no bearer token contains.
  const token = /^Bearer ([A-Za-z0-9._~+/=-]+)$/.exec(header ?? '')?.[1];
  if (!token) {
    throw new CrossfadeError(
      'unauthenticated',
      "This route needs 'Authorization: Bearer <token>', exactly once. The CLI and the page bring their own; for other callers, ask the issuer of this environment.",
    );
  }
  const claims = verifyToken(token, jwks, rules, realNowMs);
  const scopes = (claims.scope ?? '').split(' ');
  if (!scopes.includes(scope)) {
    throw new CrossfadeError(
      'forbidden',
      `The token of '${claims.sub}' does not carry the scope '${scope}' that this route needs.`,
    );
  }
  return claims.sub;
}

/** The issuer's published keys. @throws CrossfadeError `unauthenticated` when they cannot be had: nobody gets in */
export async function fetchSigningKeys(issuer: string): Promise<Jwks> {
  const url = new URL('.well-known/jwks.json', issuer.endsWith('/') ? issuer : `${issuer}/`);
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_DEADLINE_MS), redirect: 'error' });
    const body = (await response.json()) as Jwks;
    if (response.ok && Array.isArray(body.keys)) return body;
    throw new Error(`status ${response.status}`);
  } catch (cause) {
    throw new CrossfadeError(
      'unauthenticated',
      `The signing keys of ${issuer} cannot be fetched, so no token can be verified. Try again in a moment.`,
      { cause, retryable: true },
    );
  }
}
