/** X.509 certificates for tests, made on the spot: an authority, and servers it vouches for. EC P-256, DER by hand. */

import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { isIP } from 'node:net';

export type Certificate = { certificate: string; key: string };

export type Authority = Certificate & {
  /** For these host names or IPv4 addresses; `expired`: its last day was in 2001. */
  issue(hosts: readonly string[], options?: { expired?: boolean }): Certificate;
};

export function authority(name = 'test authority'): Authority {
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const basic = extension('2.5.29.19', true, sequence(boolean(true)));
  return {
    ...packed(
      certificate({ subject: name, issuer: name, key: own.publicKey, signer: own.privateKey, basic }),
      own.privateKey,
    ),
    issue(hosts, { expired = false } = {}) {
      const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const names = hosts.map((host) =>
        isIP(host) ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host)),
      );
      const basic = extension('2.5.29.17', false, sequence(...names));
      const made = certificate({
        subject: 'server',
        issuer: name,
        key: pair.publicKey,
        signer: own.privateKey,
        basic,
        expired,
      });
      return packed(made, pair.privateKey);
    },
  };
}

function packed(body: Buffer, key: KeyObject): Certificate {
  const lines = body
    .toString('base64')
    .replace(/(.{64})/g, '$1\n')
    .trimEnd();
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: key.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}

function certificate(of: {
  subject: string;
  issuer: string;
  key: KeyObject;
  signer: KeyObject;
  basic: Buffer;
  expired?: boolean;
}): Buffer {
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
  const validity = sequence(time('000101000000Z'), time(of.expired ? '010101000000Z' : '490101000000Z'));
  const spki = of.key.export({ type: 'spki', format: 'der' });
  const serial = createHash('sha256').update(spki).digest().subarray(0, 8);
  serial[0] = 1;
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    algorithm,
    commonName(of.issuer),
    validity,
    commonName(of.subject),
    spki,
    der(0xa3, sequence(of.basic)),
  );
  const signature = sign('sha256', body, of.signer);
  return sequence(body, algorithm, der(0x03, Buffer.concat([Buffer.from([0]), signature])));
}

const commonName = (name: string) => sequence(der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(name)))));
const time = (text: string) => der(0x17, Buffer.from(text));
const boolean = (value: boolean) => der(0x01, Buffer.from([value ? 0xff : 0]));
const extension = (id: string, critical: boolean, value: Buffer) =>
  sequence(oid(id), ...(critical ? [boolean(true)] : []), der(0x04, value));
const sequence = (...parts: readonly Buffer[]) => der(0x30, Buffer.concat(parts));

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = rest.flatMap((arc) => {
    const digits = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80);
    return digits;
  });
  return der(0x06, Buffer.from([first * 40 + second, ...bytes]));
}

function der(tag: number, value: Buffer): Buffer {
  if (value.length < 0x80) return Buffer.concat([Buffer.from([tag, value.length]), value]);
  const length = value.length < 0x100 ? [0x81, value.length] : [0x82, value.length >> 8, value.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), value]);
}
