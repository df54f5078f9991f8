/**
 * What each parameter of an address means here: it is kept, dropped with a word, or refused by name. The driver would send
 * every parameter that it does not know to the server, which ends the login.
 */

import { refused, unreadable } from './address-errors.ts';

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

const KEPT = new Set(
  'sslmode sslrootcert sslcert sslkey sslnegotiation connect_timeout application_name host port user password database target_session_attrs options'.split(
    ' ',
  ),
);

/** The name of libpq, in lower case. */
export const canonical = (name: string) => ALSO_CALLED[name.toLowerCase()] ?? name.toLowerCase();

export function isKnown(written: string): boolean {
  const name = canonical(written);
  return KEPT.has(name) || name in DROPPED || name in REFUSED;
}

/**
 * Notes on parameters that are not used.
 * @param namesAreSafe what looks like a name is one, and no piece of a password
 * @throws CrossfadeError `invalid_config` naming those that are refused
 */
export function notesOn(parameters: ReadonlyMap<string, string>, namesAreSafe: boolean): string[] {
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
