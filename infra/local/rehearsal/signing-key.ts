/**
 * Who signs reports: the key of the environment, which a pipeline keeps as a secret, else one that is made once and kept beside the
 * reports. A declaration names whom it trusts by thumbprint.
 */

import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Jwk } from '../../../lib/adapters/http/token.ts';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';

const VARIABLE = 'CROSSFADE_REHEARSAL_KEY';

/** A private key on the curve P-256. @throws CrossfadeError `invalid_config` when what is given is none */
export function signingKey(directory: string): Jwk {
  mkdirSync(directory, { recursive: true });
  const given = process.env[VARIABLE];
  if (given) return checked(given, `The variable ${VARIABLE}`);
  const file = join(directory, 'key.json');
  if (existsSync(file)) return checked(readFileSync(file, 'utf8'), file);
  const made = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  writeFileSync(join(directory, '.gitignore'), '*\n');
  writeFileSync(file, JSON.stringify(made), { mode: 0o600 });
  return made as Jwk;
}

/** The text itself is never repeated. */
function checked(text: string, from: string): Jwk {
  try {
    const { kty, crv, d } = JSON.parse(text) as Jwk;
    if (kty === 'EC' && crv === 'P-256' && d) return JSON.parse(text) as Jwk;
  } catch {
    // Said below.
  }
  throw new CrossfadeError('invalid_config', `${from} must hold a private key on P-256 as a JSON Web Key.`);
}
