/** From an Authorization header to a subject that may do what the route needs. */

import { CrossfadeError } from '../../core/base/errors.ts';
import type { Scope } from './scopes.ts';
import { grantedScopes } from './token.ts';
import type { Verifier } from './verifier.ts';

/** What a request says of its caller: the header with the token, and whom IAM let in. */
export type Caller = { token: string | undefined; iamCaller: string | null };

/**
 * Behind IAM: API Gateway has checked the signature and the caller's rights on the route.
 * @throws CrossfadeError `unauthenticated` for a request that did not come through it
 */
export function iamCaller(caller: Caller): string {
  if (caller.iamCaller !== null) return caller.iamCaller;
  throw new CrossfadeError(
    'unauthenticated',
    "Callers of this API sign their requests with IAM, and this one is not signed. 'crossfade --aws-profile NAME' signs.",
  );
}

/** @throws CrossfadeError `unauthenticated` (no or no valid token), `forbidden` (valid, without the scope) */
export async function authenticate(
  header: string | undefined,
  scope: Scope,
  { claimsOf, rules }: Verifier,
  realNowMs: number,
): Promise<string> {
  // Two Authorization headers arrive joined by a comma, which no bearer token contains.
  const token = /^Bearer ([A-Za-z0-9._~+/=-]+)$/.exec(header ?? '')?.[1];
  if (!token) {
    throw new CrossfadeError(
      'unauthenticated',
      "This route needs 'Authorization: Bearer <token>', exactly once. The CLI and the page bring their own; for other callers, ask the issuer of this environment.",
    );
  }
  const claims = await claimsOf(token, realNowMs);
  if (!grantedScopes(claims, rules).includes(scope)) {
    throw new CrossfadeError(
      'forbidden',
      `The token of '${claims.sub}' does not carry the scope '${scope}' that this route needs.`,
    );
  }
  return claims.sub;
}
