/**
 * What the address of a database asks of TLS, for the driver: as libpq means it. A certificate that has to fit is compared with
 * the hosts that the address names, since the driver gives no name for an address in digits.
 */

import { readFileSync } from 'node:fs';
import { type ConnectionOptions, checkServerIdentity, type PeerCertificate } from 'node:tls';
import { CrossfadeError } from '../../../core/base/errors.ts';
import type { DatabaseAddress } from './address.ts';

/** @throws CrossfadeError `invalid_config` when a file cannot be read */
export function tlsOptions({ tls, hosts, files }: DatabaseAddress): false | 'prefer' | ConnectionOptions {
  // A socket of this machine cannot be listened in on.
  if (tls === undefined || tls === 'disable' || hosts[0]?.host.startsWith('/')) return false;
  if (tls === 'prefer') return 'prefer';
  const shown = { ...read('cert', files.certificate), ...read('key', files.key) };
  if (tls === 'require') return { ...shown, rejectUnauthorized: false };
  const check = tls === 'verify-ca' ? () => undefined : fitsOneOf(hosts.map(({ host }) => host));
  return { ...shown, ...read('ca', files.authorities), rejectUnauthorized: true, checkServerIdentity: check };
}

/** The certificate must be for one of the hosts: whichever of them answers. */
export function fitsOneOf(hosts: readonly string[]) {
  return (_host: string, certificate: PeerCertificate): Error | undefined => {
    const answers = hosts.map((host) => checkServerIdentity(host, certificate));
    return answers.includes(undefined) ? undefined : answers[0];
  };
}

function read(as: 'ca' | 'cert' | 'key', file: string | undefined): ConnectionOptions {
  if (file === undefined) return {};
  try {
    return { [as]: readFileSync(file) };
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code;
    throw new CrossfadeError(
      'invalid_config',
      `The address of the database names the file ${file} (${as}), which cannot be read (${why}). Correct the path, or leave it out.`,
    );
  }
}
