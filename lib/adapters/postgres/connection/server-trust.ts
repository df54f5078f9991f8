/**
 * Whom a connection believes to be the database: the server that shows a certificate for exactly the host in the address,
 * signed by an authority from our own file. The machine's own list of authorities is not used.
 */

import { readFile } from 'node:fs/promises';
import type { PeerCertificate } from 'node:tls';
import { CrossfadeError } from '../../../core/base/errors.ts';
import { parseAddress } from './address.ts';
import { fitsOneOf } from './address-tls.ts';

export type ServerTrust = {
  ca: string;
  rejectUnauthorized: true;
  checkServerIdentity(host: string, certificate: PeerCertificate): Error | undefined;
};

/**
 * @param file of PEM certificates; undefined is refused, so that no connection is made that anybody could answer
 * @throws CrossfadeError `invalid_config` when there is no file, it cannot be read, or it holds no certificate, and for an address
 *   that cannot be read
 */
export async function serverTrust(url: string, file: string | undefined): Promise<ServerTrust> {
  const ca = await certificates(file);
  const hosts = parseAddress(url).hosts.map(({ host }) => host);
  // The driver gives no name for an address in digits, and Node would then accept a certificate for `localhost`.
  return { ca, rejectUnauthorized: true, checkServerIdentity: fitsOneOf(hosts) };
}

async function certificates(file: string | undefined): Promise<string> {
  if (!file) {
    throw refused('CROSSFADE_DATABASE_CA is not set, and without it any server could pass for the database');
  }
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw refused(
      `CROSSFADE_DATABASE_CA names ${file}, which cannot be read (${(error as NodeJS.ErrnoException).code})`,
    );
  }
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw refused(`CROSSFADE_DATABASE_CA names ${file}, which holds no certificate in PEM form`);
}

function refused(why: string): CrossfadeError {
  return new CrossfadeError(
    'invalid_config',
    `Postgres is not connected to: ${why}. Name the file with the authorities of the database's certificate; on Lambda /var/runtime/ca-cert.pem has those of RDS.`,
  );
}
