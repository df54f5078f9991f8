/**
 * Reads the address of a database as providers and other programs print it: a URL of libpq, of an ORM or of JDBC, or words
 * (`host=… dbname=…`). Decides which part has a meaning here. The driver would send every parameter that it does not know to
 * the server, which ends the login; so a parameter is kept, dropped with a word, or refused by name. Pure: opens nothing.
 *
 * A password with characters that a URL does not allow is taken as it stands where only one reading is possible.
 */

import { CrossfadeError } from '../../../core/base/errors.ts';

export type TlsMode = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

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

type Draft = {
  parameters: ReadonlyMap<string, string>;
  notes: string[];
  hosts: string;
  /** What looks like a name may be a piece of a password in another reading; then no message repeats it. */
  namesAreSafe: boolean;
} & Pick<DatabaseAddress, 'user' | 'password' | 'database'>;

const PORT = 5432;
const FORM = 'postgres://ROLE:PASSWORD@HOST:5432/DATABASE';

/** Names in lower case. What a person would have to do instead is in the reason, where there is something to do. */
const DROPPED: Readonly<Record<string, string>> = {
  ...reason(
    'another driver, or its pool, reads it',
    `pgbouncer connection_limit pool_timeout pool pool_size pool_mode max_overflow max max_lifetime idle_timeout socket_timeout
     sockettimeout statement_cache_size statement_cache_mode statement_cache_capacity prepared_statements preparethreshold
     prepare_threshold prepare preparedstatementcachequeries preparedstatementcachesizemib default_query_exec_mode
     description_cache_capacity pool_max_conns pool_min_conns pool_min_idle_conns pool_max_conn_lifetime
     pool_max_conn_lifetime_jitter pool_max_conn_idle_time pool_health_check_period single_use_connections checkout_timeout
     reaping_frequency conn_max_age conn_health_checks disable_server_side_cursors adapter encoding charset serverversion
     template async_fallback uselibpqcompat query_timeout rewritebatchedinserts binarytransfer defaultrowfetchsize autosave
     assumeminserverversion stringtype logunclosedconnections loggerlevel sslfactory hostrecheckseconds supa workaround
     wrapperplugins fallback_application_name simple_protocol prefer_simple_protocol multistatements`,
  ),
  ...reason(
    'the driver has no switch for it',
    `keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout tcpkeepalive tcpnodelay sendbuffersize
     receivebuffersize load_balance_hosts loadbalancehosts keep_alive`,
  ),
  ...reason(
    'the driver chooses kinds of login and TLS by itself',
    `channel_binding gssencmode krbsrvname gsslib gssdelegation require_auth sslcompression sslsni
     ssl_min_protocol_version ssl_max_protocol_version requirepeer`,
  ),
  ...reason('each statement names its schema', 'schema currentschema search_path'),
  ...reason(
    'each session of Crossfade states its own',
    `statement_timeout lock_timeout idle_in_transaction_session_timeout transaction_timeout idle_session_timeout timezone datestyle
     intervalstyle jit default_transaction_isolation default_transaction_read_only readonly client_min_messages bytea_output
     extra_float_digits synchronous_commit work_mem client_encoding`,
  ),
};

function reason(why: string, names: string): Record<string, string> {
  return Object.fromEntries(names.split(/\s+/).map((name) => [name, why]));
}

/** Known ones that would change whom or what the session is: dropping them would do something else than was asked for. */
const REFUSED: Readonly<Record<string, string>> = {
  service: 'write host, database and role of the service into the address',
  servicefile: 'write host, database and role of the service into the address',
  passfile: 'put the password into the address',
  hostaddr: 'write it as host',
  replication: 'Crossfade needs ordinary sessions: leave it out',
  role: 'log in as that role, or GRANT it to the role of the address',
  sslcrl: 'lists of revoked certificates are not read: leave it out',
  sslcrldir: 'lists of revoked certificates are not read: leave it out',
  sslpassword: 'decrypt the key file, and leave it out',
  sslidentity: 'give certificate and key as sslcert and sslkey in PEM form',
};

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

/** Spellings of JDBC and of ORMs for what libpq calls otherwise. */
const ALSO_CALLED: Readonly<Record<string, string>> = {
  connecttimeout: 'connect_timeout',
  logintimeout: 'connect_timeout',
  applicationname: 'application_name',
  dbname: 'database',
  databasename: 'database',
  username: 'user',
  targetservertype: 'target_session_attrs',
  ssl: 'sslmode',
  sslaccept: 'sslmode',
};

/** Which servers of several are right is not asked of the address: only the primary is. */
const ANY_PRIMARY = /^(any|primary|read-write|master|preferprimary|prefer-standby|prefersecondary|preferslave)$/i;

/**
 * @throws CrossfadeError `invalid_config`; it never repeats the address, which holds a password
 * @example parseAddress('postgres://app:p%40ss@db.example/shop?sslmode=require&schema=public').notes
 */
export function parseAddress(text: string): DatabaseAddress {
  const draft = read(unquoted(text));
  const get = (name: string) => draft.parameters.get(name) || undefined;
  const hosts = hostsOf(get('host') ?? draft.hosts, get('port'));
  const { user = get('user'), password = get('password'), database = get('database') } = draft;
  const notes = [...draft.notes, ...notesOf(draft)];
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

const given = <Name extends string, Value>(name: Name, value: Value | undefined) =>
  (value === undefined ? {} : { [name]: value }) as { [_ in Name]?: Value };

// ------------------------------------------------------------------------------------------------------------ forms

/** Consoles print a whole command, and files of settings keep the quotes. */
function unquoted(text: string): string {
  const bare = text.trim().replace(/^psql\s+/, '');
  return /^(['"]).*\1$/s.test(bare) ? bare.slice(1, -1).trim() : bare;
}

function read(text: string): Draft {
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

function isKnown(written: string): boolean {
  const name = canonical(written);
  return KEPT.has(name) || name in DROPPED || name in REFUSED;
}

function fail(error: Error): never {
  throw error;
}

const canonical = (name: string) => ALSO_CALLED[name.toLowerCase()] ?? name.toLowerCase();

/** A `%` that begins no escape stands for itself, as in a password that somebody pasted. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replace(/%(?![0-9a-f]{2})/gi, '%25'));
  } catch {
    return text;
  }
}

// ------------------------------------------------------------------------------------------------------------ parts

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

const KEPT = new Set(
  'sslmode sslrootcert sslcert sslkey sslnegotiation connect_timeout application_name host port user password database target_session_attrs options'.split(
    ' ',
  ),
);

function notesOf({ parameters, namesAreSafe }: Draft): string[] {
  const dropped = new Map<string, string[]>();
  const refusals: string[] = [];
  const unknown: string[] = [];
  for (const name of parameters.keys()) {
    const why = DROPPED[name];
    if (KEPT.has(name)) continue;
    if (why) dropped.set(why, [...(dropped.get(why) ?? []), name]);
    else if (REFUSED[name]) refusals.push(`'${name}': ${REFUSED[name]}`);
    else unknown.push(name.slice(0, 40));
  }
  if (refusals.length > 0) throw refused(`it has what cannot be followed: ${refusals.join('; ')}`, 'Correct it there');
  if (unknown.length > 0 && !namesAreSafe) throw unreadable();
  if (unknown.length > 0)
    throw refused(
      `Crossfade does not know ${unknown.length === 1 ? 'its parameter' : 'its parameters'} ${unknown.map((name) => `'${name}'`).join(', ')}, and the server would refuse the login over ${unknown.length === 1 ? 'it' : 'them'}`,
      'Leave out what belongs to another program; a setting of the server belongs to the role: ALTER ROLE … SET name = value',
    );
  return [
    ...[...dropped].map(([why, names]) => `${names.join(', ')} (${why})`),
    ...serverNotes(parameters.get('target_session_attrs')),
    ...optionNotes(parameters.get('options')),
  ];
}

function serverNotes(wanted: string | undefined): string[] {
  if (!wanted || /^(primary|read-write|master)$/i.test(wanted)) return [];
  if (ANY_PRIMARY.test(wanted)) return ['target_session_attrs (of several servers the primary is taken, always)'];
  throw refused(
    'target_session_attrs asks for a replica, and Crossfade writes',
    'Name the primary server, or leave it out',
  );
}

/** `-c name=value` of a session, `endpoint=…` or `project=…` of providers that read it in place of the name in TLS. */
function optionNotes(options: string | undefined): string[] {
  if (!options) return [];
  if (/(^|\s)(-c\s*|--)(role|session_authorization)\s*=/i.test(options))
    throw refused(`'options' changes the role`, REFUSED.role!);
  return ['options (each session of Crossfade states its own settings, and TLS names the server)'];
}

// ----------------------------------------------------------------------------------------------------------- errors

function refused(why: string, remedy: string): CrossfadeError {
  return new CrossfadeError('invalid_config', `The address of the database cannot be used: ${why}. ${remedy}.`);
}

function unreadable(): CrossfadeError {
  return new CrossfadeError(
    'invalid_config',
    `The address of the database cannot be read. It looks like ${FORM}; special characters of the password are written as %40 for @, %2F for / and the like.`,
  );
}
