/** Whose tokens are taken, and which claims grant scopes, as the environment says. */

import type { TokenRules } from '../adapters/http/token.ts';

type Variables = {
  CROSSFADE_JWT_ISSUER?: string | undefined;
  CROSSFADE_JWT_AUDIENCE?: string | undefined;
  CROSSFADE_JWT_SCOPE_CLAIMS?: string | undefined;
  CROSSFADE_JWT_SCOPE_PREFIX?: string | undefined;
};

export function tokenRules(variables: Variables): TokenRules {
  const { CROSSFADE_JWT_SCOPE_CLAIMS: claims, CROSSFADE_JWT_SCOPE_PREFIX: prefix } = variables;
  return {
    issuer: variables.CROSSFADE_JWT_ISSUER ?? '',
    audience: variables.CROSSFADE_JWT_AUDIENCE ?? '',
    ...(claims ? { scopeClaims: claims.split(',') } : {}),
    ...(prefix ? { scopePrefix: prefix } : {}),
  };
}
