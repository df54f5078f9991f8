/**
 * Reads the address of a database as providers and other programs print it, and decides which part has a meaning here.
 * Pure: opens nothing.
 */

import { refused } from './address-errors.ts';
import { decoded, given, readAddress, unquoted } from './address-forms.ts';
import { notesOn } from './address-parameters.ts';

type TlsMode = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

export type DatabaseAddress = {
  /** In the order in which they are tried. A host that begins with `/` is the directory of a unix socket. */
  hosts: readonly { host: string; port: number }[];
  user?: string;
  password?: string;
  database?: string;
  /** As the address asks for it. Undefined: no TLS. */
  tls?: TlsMode;
  /** TLS from the first byte, without asking first. */
  directTls: boolean;
  /** Files: authorities of the server's certificate, and what proves who the client is. */
  files: { authorities?: string; certificate?: string; key?: string };
  connectTimeoutSeconds?: number;
  applicationName?: string;
  /** Parts of the address that are not used, each with the reason, for people. */
  notes: readonly string[];
};

const PORT = 5432;

const TLS_MODES: Readonly<Record<string, TlsMode>> = {
  disable: 'disable',
  allow: 'prefer',
  prefer: 'prefer',
  require: 'require',
  'no-verify': 'require',
  'verify-ca': 'verify-ca',
  'verify-full': 'verify-full',
  // `ssl=true` of JDBC and others, `sslaccept=…` of Prisma.
  true: 'verify-full',
  '1': 'verify-full',
  on: 'verify-full',
  false: 'disable',
  '0': 'disable',
  off: 'disable',
  strict: 'verify-full',
  accept_invalid_certs: 'require',
};

/**
 * @throws CrossfadeError `invalid_config`; it never repeats the address, which holds a password
 * @example parseAddress('postgres://app:p%40ss@db.example/shop?sslmode=require&schema=public').notes
 */
export function parseAddress(text: string): DatabaseAddress {
  const draft = readAddress(unquoted(text));
  const get = (name: string) => draft.parameters.get(name) || undefined;
  const hosts = hostsOf(get('host') ?? draft.hosts, get('port'));
  const { user = get('user'), password = get('password'), database = get('database') } = draft;
  const notes = [...draft.notes, ...notesOn(draft.parameters, draft.namesAreSafe)];
  if (database === undefined)
    notes.push('no database is named, so the one with the name of the role is meant, as everywhere');
  const system = get('sslrootcert') === 'system';
  const tls = system ? 'verify-full' : tlsOf(get('sslmode'));
  const connectTimeoutSeconds = secondsOf(get('connect_timeout'));
  const files = {
    ...given('authorities', system ? undefined : get('sslrootcert')),
    ...given('certificate', get('sslcert')),
    ...given('key', get('sslkey')),
  };
  return {
    hosts,
    ...given('user', user),
    ...given('password', password),
    ...given('database', database),
    ...given('tls', tls),
    directTls: get('sslnegotiation') === 'direct',
    files,
    ...given('connectTimeoutSeconds', connectTimeoutSeconds),
    ...given('applicationName', get('application_name')),
    notes,
  };
}

/** `host:port/database` without role and password, for messages; never throws. */
export function placeOf(text: string): string {
  try {
    const { hosts, database = '' } = parseAddress(text);
    return `${hosts.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(',')}/${database}`;
  } catch {
    return 'an address that cannot be read';
  }
}

function hostsOf(text: string, ports: string | undefined): DatabaseAddress['hosts'] {
  const several = ports?.split(',') ?? [];
  const hosts = text.split(',').map((one, index) => {
    const [, bracketed, name = '', own] = /^(?:\[(.*)\]|(.*?))(?::(\d*))?$/.exec(
      // A bare address of version 6, as words have it.
      /^[0-9a-f]*:[0-9a-f:.]*:[0-9a-f.]*$/i.test(one) ? `[${one}]` : one,
    )!;
    const port = Number(own || several[index] || several[0] || PORT);
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      throw refused('its port is none', 'A port is a number from 1 to 65535');
    return { host: decoded(bracketed ?? name) || 'localhost', port };
  });
  if (hosts.length > 1 && hosts.some(({ host }) => host.startsWith('/')))
    throw refused('it names several hosts, and one of them is a socket', 'Name one socket, or hosts only');
  return hosts;
}

function tlsOf(value: string | undefined): TlsMode | undefined {
  if (value === undefined) return undefined;
  const mode = TLS_MODES[value.toLowerCase()];
  if (mode) return mode;
  throw refused(
    `its sslmode '${value.slice(0, 20)}' is not known`,
    'Use disable, prefer, require, verify-ca or verify-full',
  );
}

function secondsOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const seconds = Number(value);
  if (!Number.isFinite(seconds))
    throw refused('its connect_timeout is no number of seconds', 'Use connect_timeout=5, for example');
  // 0 and less: no limit of its own.
  return seconds > 0 ? seconds : undefined;
}
