/**
 * The forms in which an address is written: a URL of libpq, of an ORM or of JDBC, or words (`host=… dbname=…`). A password
 * with characters that a URL does not allow is taken as it stands where only one reading is possible.
 */

import { FORM, refused, unreadable } from './address-errors.ts';
import { canonical, isKnown } from './address-parameters.ts';

/** What an address says, by the names of libpq, before it is judged. */
export type Draft = {
  parameters: ReadonlyMap<string, string>;
  notes: string[];
  hosts: string;
  /** What looks like a name may be a piece of a password in another reading; then no message repeats it. */
  namesAreSafe: boolean;
  user?: string;
  password?: string;
  database?: string;
};

/** Consoles print a whole command, and files of settings keep the quotes. */
export function unquoted(text: string): string {
  const bare = text.trim().replace(/^psql\s+/, '');
  return /^(['"]).*\1$/s.test(bare) ? bare.slice(1, -1).trim() : bare;
}

/** @throws CrossfadeError `invalid_config` when it is no address of a Postgres */
export function readAddress(text: string): Draft {
  if (/^[a-z_]+\s*=/i.test(text)) return readWords(text);
  const scheme = /^(?:(jdbc):(?:aws-wrapper:)?)?([a-z][a-z0-9.]*)(\+[a-z0-9_]+)?:(?:\/\/)?/i.exec(text);
  const [head = '', jdbc, name = '', driver] = scheme ?? [];
  const family = name.toLowerCase();
  if (!head.endsWith('//') && !jdbc) throw unreadable();
  if (family === 'prisma' || driver === '+postgres')
    throw refused(
      'it names a proxy of Prisma, which does not speak the protocol of Postgres',
      'Give the address of the database itself (directUrl)',
    );
  if (!/^(postgres|postgresql|postgis|pgsql|timescaledb)$/.test(family))
    throw refused(`its scheme '${family}' is not that of a Postgres`, `It looks like ${FORM}`);
  const rest = text.slice(head.length);
  const notes = driver ? [`'${driver}' in the scheme names a driver of another program`] : [];
  // JDBC without `//` names only the database.
  return readUrl(jdbc && !head.endsWith('//') ? `/${rest}` : rest, notes);
}

/** `host=db.example port=5432 dbname='my app' user=me`: the words of libpq. */
function readWords(text: string): Draft {
  const parameters = new Map<string, string>();
  const word = /([a-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s\\]|\\.)*))(?:\s+|$)/giy;
  for (let at = 0; at < text.length; at = word.lastIndex) {
    const [, name = '', quoted, bare = ''] = word.exec(text) ?? [];
    if (name === '') throw unreadable();
    parameters.set(canonical(name), (quoted ?? bare).replace(/\\(.)/gs, '$1'));
  }
  return { parameters, notes: [], hosts: '', namesAreSafe: !parameters.has('password') };
}

/** One host, or several with commas; `[…]` for version 6, `%2F…` for the directory of a socket. */
const HOST = String.raw`(?:\[[0-9a-f:.%]+\]|(?:[\w.~-]|%[0-9a-f]{2})*)(?::\d{0,5})?`;
const PLACE = new RegExp(String.raw`^(${HOST}(?:,${HOST})*)(?:/([^?#@]*))?(?:\?(.*))?$`, 'i');

function readUrl(rest: string, notes: string[]): Draft {
  const { login, place } = split(rest);
  const [, hosts = '', database, query = ''] = PLACE.exec(place) ?? (fail(unreadable()) as never);
  const parameters = new Map<string, string>();
  for (const pair of query.split('&').filter((one) => one !== '')) {
    const [name = '', ...value] = pair.split('=');
    parameters.set(canonical(decoded(name)), decoded(value.join('=')));
  }
  const colon = login === null ? -1 : login.indexOf(':');
  const user = login === null ? '' : colon < 0 ? login : login.slice(0, colon);
  return {
    parameters,
    notes,
    hosts,
    namesAreSafe: !query.includes('@'),
    ...given('user', decoded(user) || undefined),
    ...given('password', colon < 0 ? undefined : decoded(login!.slice(colon + 1)) || undefined),
    ...given('database', decoded(database ?? '') || undefined),
  };
}

/**
 * Role and password end at an `@`: the last one before the first `/`, `?` or `#`, as the rules of URLs have it. A password that
 * somebody pasted as it is may hold these; then the first `@` counts after which everything can be understood.
 */
function split(rest: string): { login: string | null; place: string } {
  const end = rest.search(/[/?#]/);
  const regular = (end < 0 ? rest : rest.slice(0, end)).lastIndexOf('@');
  const places = [...rest.matchAll(/@/g)].map(({ index }) => index);
  const readings = [regular, ...places]
    .map((at) => ({ login: at < 0 ? null : rest.slice(0, at), place: rest.slice(at + 1) }))
    .filter(({ place }) => PLACE.test(place));
  return readings.find(({ place }) => namesOf(place).every(isKnown)) ?? readings[0] ?? fail(unreadable());
}

const namesOf = (place: string) =>
  (PLACE.exec(place)?.[3] ?? '').split('&').flatMap((pair) => (pair === '' ? [] : [decoded(pair.split('=')[0]!)]));

function fail(error: Error): never {
  throw error;
}

/** A `%` that begins no escape stands for itself, as in a password that somebody pasted. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replace(/%(?![0-9a-f]{2})/gi, '%25'));
  } catch {
    return text;
  }
}

/** A property that is there only when it has a value. */
export const given = <Name extends string, Value>(name: Name, value: Value | undefined) =>
  (value === undefined ? {} : { [name]: value }) as { [_ in Name]?: Value };
