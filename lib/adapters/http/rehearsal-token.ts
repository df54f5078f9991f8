/**
 * The report of a rehearsal as a start can check it: a JSON Web Token (ES256) that carries its public key. The function that checks
 * it is beside the database and reads no secrets, so nothing secret is shared: a declaration names the keys it trusts by thumbprint.
 */

import { createHash, createPublicKey, type JsonWebKey } from 'node:crypto';
import { calculateJwkThumbprint, EmbeddedJWK, type JWK, jwtVerify, SignJWT } from 'jose';
import { canonicalJson } from '../../core/base/canonical-json.ts';
import { CrossfadeError } from '../../core/base/errors.ts';
import type { CutoverDeclaration } from '../../core/cutover/cutover.ts';
import type { HandedRehearsal, SignedRehearsal } from '../../core/holds/rehearsal.ts';

export type RehearsalClaims = Omit<SignedRehearsal, 'signedBy'> & {
  /** SHA-256 in hex of the report beside the token. */
  report: string;
};

const TYPE = 'crossfade-rehearsal+jwt';
const ALGORITHM = 'ES256';

/** SHA-256 in hex of what is equal for equal values. */
export const hashOf = (value: unknown): string => createHash('sha256').update(canonicalJson(value)).digest('hex');

/** As it is compared between the rehearsal and the start. */
export const declarationHash = (declaration: CutoverDeclaration): string => hashOf(declaration);

/** @param key private, on the curve P-256 */
export async function signRehearsal(claims: RehearsalClaims, key: JWK): Promise<string> {
  const { kty, crv, x, y } = createPublicKey({ key: key as JsonWebKey, format: 'jwk' }).export({
    format: 'jwk',
  }) as JWK;
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, jwk: { kty, crv, x, y } as JWK })
    .sign(key);
}

export const thumbprintOf = (key: JWK): Promise<string> => calculateJwkThumbprint(key);

/** @throws CrossfadeError `invalid_input` for what is no signed report, or was changed since it was signed */
export async function readRehearsal(token: string): Promise<SignedRehearsal> {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, EmbeddedJWK, { algorithms: [ALGORITHM], typ: TYPE });
    const { cutover, passed, endedMs, declaration, shape } = payload as Partial<RehearsalClaims>;
    if (
      typeof cutover === 'string' &&
      typeof passed === 'boolean' &&
      typeof endedMs === 'number' &&
      typeof declaration === 'string' &&
      typeof shape === 'string'
    )
      return { cutover, passed, endedMs, declaration, shape, signedBy: await thumbprintOf(protectedHeader.jwk!) };
  } catch (cause) {
    throw unreadable('its signature is wrong, or it has none', cause);
  }
  throw unreadable('it does not say what was rehearsed');
}

/** What a start is decided by. @throws CrossfadeError as `readRehearsal` */
export const handedRehearsal = async (signed: string, declaration: CutoverDeclaration): Promise<HandedRehearsal> => ({
  seen: await readRehearsal(signed),
  declaration: declarationHash(declaration),
});

const unreadable = (why: string, cause?: unknown) =>
  new CrossfadeError(
    'invalid_input',
    `The rehearsal that was handed over cannot be trusted: ${why}. Hand over the report of the rehearsal as it was written.`,
    { cause },
  );
