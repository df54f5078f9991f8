/**
 * JSON Web Tokens, verified with `jose`. Only RS256 and ES256 with a known key are accepted: no `none`, no HMAC, no key
 * from the token itself. What is said about a token repeats nothing of it.
 */

import { errors, type JWK, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { CrossfadeError, isCrossfadeError } from '../../core/base/errors.ts';

export type Jwk = JWK;

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

export type TokenRules = {
  issuer: string;
  /** Of the claim `aud`; where a token has none, as with Cognito, of `client_id`. */
  audience: string;
  /** Claims that grant scopes: a name, or a path with dots as `realm_access.roles`. Default: `scope` and `scp`. */
  scopeClaims?: readonly string[];
  /** What the issuer writes before a scope, as `crossfade/` in `crossfade/control:read`. */
  scopePrefix?: string;
};

const SCOPE_CLAIMS: readonly string[] = ['scope', 'scp'];
/** Clocks of issuers may be as wrong as that. */
export const SKEW_SECONDS = 60;
const MAX_TOKEN_CHARACTERS = 8_192;

/** What is wrong with a claim that is missing or has another value than it must have. */
const WRONG_CLAIM: Readonly<Record<string, string>> = {
  sub: 'it names no subject',
  exp: 'it never expires',
  nbf: 'it is not valid yet',
  iss: 'it comes from another issuer',
  aud: 'it is meant for another audience',
};
const REFUSALS: readonly (readonly [kind: new (...args: never[]) => Error, why: string])[] = [
  [errors.JWTExpired, 'it has expired'],
  [errors.JOSEAlgNotAllowed, 'its algorithm is neither RS256 nor ES256'],
  [errors.JOSENotSupported, 'it demands an extension that is not known here'],
  [errors.JWKSNoMatchingKey, 'its key is unknown'],
  [errors.JWSSignatureVerificationFailed, 'its signature is wrong'],
];

/**
 * The claims of a valid token.
 * @param nowMs real time: tokens do not live in accelerated time
 * @throws CrossfadeError `unauthenticated`, without a word of the token in it
 */
export async function verifyToken(
  token: string,
  keys: JWTVerifyGetKey,
  { issuer, audience, scopeClaims = SCOPE_CLAIMS }: TokenRules,
  nowMs: number,
): Promise<Claims> {
  if (token.length > MAX_TOKEN_CHARACTERS) throw refused('it is not a signed JSON Web Token');
  const { payload } = await jwtVerify(token, named(keys), {
    issuer,
    algorithms: ['RS256', 'ES256'],
    requiredClaims: ['sub', 'exp'],
    clockTolerance: SKEW_SECONDS,
    currentDate: new Date(nowMs),
  }).catch((error: unknown) => {
    throw isCrossfadeError(error) ? error : refused(whyOf(error));
  });
  return checked(payload, audience, scopeClaims);
}

/** Without a name every key of the right type would be tried: a token names its key. */
const named =
  (keys: JWTVerifyGetKey): JWTVerifyGetKey =>
  (header, token) => {
    if (header.kid === undefined) throw refused('its key is unknown');
    return keys(header, token);
  };

/** What `jose` does not look at. Issuer and end are there: they were compared. */
function checked(claims: JWTPayload, audience: string, scopeClaims: readonly string[]): Claims {
  const { sub, aud, client_id, token_use, typ } = claims;
  if (![aud ?? client_id].flat().includes(audience)) throw refused(WRONG_CLAIM.aud!);
  if (typeof sub !== 'string' || sub === '') throw refused('it names no subject');
  if (token_use === 'id' || typ === 'ID') throw refused('it is an id token; an access token is needed');
  const unreadable = scopeClaims.find((name) => listed(claimAt(claims, name)) === null);
  if (unreadable !== undefined) throw refused(`its ${unreadable} is neither text nor a list of texts`);
  return claims as Claims;
}

/** By its whole name, which may have dots, else by the path. */
function claimAt(claims: object, name: string): unknown {
  const own = (at: unknown, part: string) =>
    at !== null && typeof at === 'object' && Object.hasOwn(at, part)
      ? (at as Record<string, unknown>)[part]
      : undefined;
  return own(claims, name) ?? name.split('.').reduce<unknown>(own, claims);
}

/** Text with spaces between, as `scope` is, or a list of texts. Null for anything else. */
function listed(value: unknown): readonly string[] | null {
  if (value === undefined) return [];
  if (typeof value === 'string') return value.split(' ');
  return Array.isArray(value) && value.every((one) => typeof one === 'string') ? value : null;
}

/** What the token grants, without the issuer's prefix. What has another prefix, or none where there must be one, grants nothing. */
export function grantedScopes(
  claims: Claims,
  { scopeClaims = SCOPE_CLAIMS, scopePrefix = '' }: Pick<TokenRules, 'scopeClaims' | 'scopePrefix'>,
): readonly string[] {
  return scopeClaims
    .flatMap((name) => listed(claimAt(claims, name)) ?? [])
    .flatMap((scope) => (scope.startsWith(scopePrefix) ? [scope.slice(scopePrefix.length)] : []));
}

function whyOf(error: unknown): string {
  const known = REFUSALS.find(([kind]) => error instanceof kind);
  if (known) return known[1];
  const claim = error instanceof errors.JWTClaimValidationFailed ? error.claim : '';
  return WRONG_CLAIM[claim] ?? 'it is not a signed JSON Web Token';
}

function refused(why: string): CrossfadeError {
  return new CrossfadeError(
    'unauthenticated',
    `The token was refused: ${why}. Sign in again, or ask for a token of this environment.`,
  );
}
