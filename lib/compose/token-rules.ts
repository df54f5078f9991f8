/** Whose tokens are taken, who is asked for its keys, and which claims grant scopes, as the environment says. */

import type { TokenRules } from '../adapters/http/token.ts';

type Variables = {
  CROSSFADE_ACCESS?: string | undefined;
  CROSSFADE_PROFILE?: string | undefined;
  CROSSFADE_JWKS?: string | undefined;
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

/** Null where no issuer is asked for keys: this machine signs its tokens itself, or callers come through IAM. */
export function askedIssuer(variables: Variables): string | null {
  const { CROSSFADE_ACCESS: access, CROSSFADE_PROFILE: profile, CROSSFADE_JWKS: configured } = variables;
  if (access === 'iam' || (profile === 'local' && configured)) return null;
  return variables.CROSSFADE_JWT_ISSUER ?? null;
}
