/** What each SQLSTATE and each error of the driver means for the call that got it: the one table behind every retry. */

import type { ErrorCode } from '../../../core/base/errors.ts';

export type FailureClass =
  /** The connection is gone or cannot be trusted: discard the client, call again. */
  | 'connection'
  /** The database asks for another try: keep the client, back off, call again. */
  | 'busy'
  /** Disk or memory is used up: calling again at once makes it worse. */
  | 'full'
  | 'denied'
  /** The server refuses this role, this address, or a connection without TLS. */
  | 'login'
  /** The server's certificate proves nothing: what answers there gets no password. */
  | 'untrusted'
  | 'schema'
  | 'missing_database'
  /** Raised by our own functions: somebody with a newer epoch is at work. */
  | 'stale'
  | 'other';

export type FailureRule = {
  code: ErrorCode;
  /** Whether the same call may succeed later without anything being changed. */
  retryable: boolean;
  /** What to do, for people. */
  advice: string;
};

export const FAILURES = {
  connection: {
    code: 'database_unavailable',
    retryable: true,
    advice: 'Check that Postgres runs and can be reached from here; the call may be repeated.',
  },
  busy: { code: 'database_unavailable', retryable: true, advice: 'The database was busy; the call may be repeated.' },
  full: { code: 'database_unavailable', retryable: true, advice: 'Free disk or memory of the database first.' },
  denied: {
    code: 'access_denied',
    retryable: false,
    advice: "Correct the credentials of this connection, or grant its role what 'crossfade doctor' says is missing.",
  },
  login: {
    code: 'access_denied',
    retryable: false,
    advice:
      'The server refused the login: check role and password in the address, and that pg_hba.conf lets this role in from here; on RDS the role needs rds_iam, the function rds-db:connect, and the address the own name of the server.',
  },
  untrusted: {
    code: 'invalid_config',
    retryable: false,
    advice:
      "The server's certificate was refused and no password was sent. Correct the host in the address, or name the file with the server's authorities in CROSSFADE_DATABASE_CA.",
  },
  schema: {
    code: 'schema_changed',
    retryable: false,
    advice:
      "Something that the statement names is missing or has changed: run 'crossfade migrate', and look at 'crossfade doctor' if tables were altered.",
  },
  missing_database: {
    code: 'invalid_config',
    retryable: false,
    advice: 'Create the database, or correct its name in the address.',
  },
  stale: { code: 'stale_epoch', retryable: false, advice: 'Nothing was changed.' },
  other: { code: 'internal', retryable: false, advice: "This is not expected; the server's log has more." },
} as const satisfies Record<FailureClass, FailureRule>;

/** Where the class is right and its advice is not: what to do about this one answer. */
const ADVICE: Readonly<Record<string, string>> = {
  '25006':
    'This server is a replica, or is read-only: name the primary server in the address (psql says which one is: SELECT pg_is_in_recovery()).',
  '53200':
    "Raise max_locks_per_transaction if the server's log says 'out of shared memory'; otherwise free memory of the server.",
  '53300': 'The server has no connection left: close some, or raise max_connections. The call may be repeated.',
  '55P03':
    'Another session holds a lock on it (SELECT * FROM pg_locks WHERE NOT granted, and pg_blocking_pids). The call may be repeated.',
  '57014':
    'It took longer than its limit (statement_timeout of the role, unless the call states its own), or somebody cancelled it. The call may be repeated.',
  '57P03': 'The server starts, stops or recovers. The call may be repeated in a moment.',
};

/** The login itself was refused, and not for the password: by a server, or by a pooler in front of it. */
const LOGIN_ADVICE = {
  parameter:
    'The server, or a pooler in front of it, refuses a parameter of the login: leave it out of the address, and look at ALTER ROLE … SET and ALTER DATABASE … SET; for PgBouncer, ignore_startup_parameters lets it pass.',
  other:
    'The server, or a pooler in front of it, ended the login: check host, port, database and role in the address, and the log of the server.',
} as const;

/** What no grant helps against: the role may not even say that its triggers are to run. The server names the parameter in every language. */
const NO_TRIGGERS =
  'Whatever is written under this setting fires no trigger, so its changes would be missed, and no grant helps: ALTER ROLE … RESET session_replication_role, or ALTER DATABASE … RESET session_replication_role, or ALTER ROLE … IN DATABASE … RESET session_replication_role, wherever psql shows it with \\drds.';

/** @param fatal the server ended the session with this answer @param said what it answered */
export function adviceOf(code: string, failure: FailureClass, fatal: boolean, said = ''): string {
  if (failure === 'denied' && said.includes('session_replication_role')) return NO_TRIGGERS;
  if (fatal && /^(42704|22023|42602|08P01)$/.test(code)) return LOGIN_ADVICE.parameter;
  if (fatal && failure === 'other') return LOGIN_ADVICE.other;
  return ADVICE[code] ?? FAILURES[failure].advice;
}

/** The longest prefix wins. Words are the driver's and the operating system's codes. */
const CLASSES: Readonly<Record<string, FailureClass>> = {
  CONNECT: 'connection',
  CONNECTION_: 'connection',
  ECONN: 'connection',
  EPIPE: 'connection',
  ETIMEDOUT: 'connection',
  EHOSTUNREACH: 'connection',
  ENETUNREACH: 'connection',
  ENOTFOUND: 'connection',
  EAI_AGAIN: 'connection',
  '08': 'connection',
  // Ended by an administrator, crash, start-up, idle session: everything of 57P0 but a dropped database (57P04).
  '57P01': 'connection',
  '57P02': 'connection',
  '57P03': 'connection',
  '57P05': 'connection',
  // Idle in transaction, transaction time-out: the server has ended the session.
  '25P03': 'connection',
  '25P04': 'connection',
  // A read-only server: a replica that was the primary a moment ago.
  '25006': 'connection',
  '40001': 'busy',
  '40P01': 'busy',
  '55P03': 'busy',
  '57014': 'busy',
  '53300': 'busy',
  '53': 'full',
  '28': 'login',
  '42501': 'denied',
  ERR_TLS_: 'untrusted',
  CERT_: 'untrusted',
  CRL_: 'untrusted',
  DEPTH_ZERO_: 'untrusted',
  SELF_SIGNED_: 'untrusted',
  UNABLE_TO_: 'untrusted',
  INVALID_CA: 'untrusted',
  HOSTNAME_MISMATCH: 'untrusted',
  ERROR_IN_CERT_: 'untrusted',
  '42': 'schema',
  '3F': 'schema',
  '3D': 'missing_database',
  '57P04': 'missing_database',
  CF001: 'stale',
};

export function classOfCode(code: string): FailureClass {
  for (let length = code.length; length >= 2; length -= 1) {
    const found = CLASSES[code.slice(0, length)];
    if (found) return found;
  }
  return 'other';
}

/** A standby to which a transaction states that it will write: the only statement of ours that this part of Postgres refuses so. */
const READ_WRITE_REFUSED = { code: '0A000', routine: 'call_bool_check_hook' };
const READ_ONLY = '25006';

/** The driver's code of an error: a SQLSTATE, or a word such as CONNECTION_CLOSED; '' when it has none. */
export function codeOf(error: unknown): string {
  const { code, routine } = (error ?? {}) as Record<string, unknown>;
  if (code === READ_WRITE_REFUSED.code && routine === READ_WRITE_REFUSED.routine) return READ_ONLY;
  return typeof code === 'string' ? code : '';
}

export const isSqlstate = (code: string): boolean => /^[0-9A-Z]{5}$/.test(code) && code !== 'EPIPE';
