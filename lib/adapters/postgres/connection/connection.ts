/**
 * One connection to Postgres that is never trusted after it failed (the discard rule).
 *
 * The driver keeps a broken connection's state: the next query of the same client may get the old error, or hang for
 * ever. So after a connection-class error, a TypeError out of the driver or a passed deadline the client is dropped
 * without awaiting its end, and the call is repeated on a new one. Its answer may have been lost after the commit,
 * therefore every statement that comes here is idempotent. The driver never opens a transaction: a call and a script are one
 * message each, and each message is a transaction by itself. It begins with the session contract (lib/core/table/sql/session.ts), so
 * that neither the server's settings nor what a pooled session was left with matter. Nothing connects before the first call.
 */

import postgres from 'postgres';
import { CrossfadeError, isCrossfadeError } from '../../../core/base/errors.ts';
import { quoteText } from '../../../core/table/shape.ts';
import { HEAD_RESULTS, type Stated, transactionHead } from '../../../core/table/sql/session.ts';
import type { Clock } from '../../../ports/machine.ts';
import { parseAddress, placeOf } from './address.ts';
import { tlsOptions } from './address-tls.ts';
import { classify, DEADLINE, isFatal, translated } from './failures.ts';
import type { ServerTrust } from './server-trust.ts';

type Parameter = string | number | boolean | null;

export type CallOptions = {
  /** Of one attempt, connecting included. */
  deadlineMs?: number;
  attempts?: number;
  /** For this call in place of what the session contract states. */
  settings?: Stated;
  /** Nothing can be written in its transaction. */
  readOnly?: boolean;
  /** It changes the catalog, as every script does. */
  changesCatalog?: boolean;
};

/** Calls on one connection run one after the other. What they throw is a `CrossfadeError`; see `sqlstateOf`. */
export type PgConnection = {
  /**
   * One statement. `$1` … stand for text literals, whatever they are compared with: the statement casts them. Rows as objects;
   * bigint and numeric come as strings, json and jsonb parsed.
   * @example connection.call('SELECT crossfade.converge_customer($1::bigint, $2::int) AS answer', [epoch, 100])
   */
  call<Row extends object = Record<string, unknown>>(
    statement: string,
    parameters?: readonly Parameter[],
    options?: CallOptions,
  ): Promise<Row[]>;
  /** Generated DDL: several statements in one implicit transaction. Owner role only. */
  script(text: string, options?: CallOptions): Promise<void>;
  /** One statement that can be no part of a transaction, such as CREATE INDEX CONCURRENTLY. The role's settings hold for it. */
  alone(statement: string, options?: CallOptions): Promise<void>;
  /** One statement without parameters that may take this long. */
  longCall<Row extends object = Record<string, unknown>>(statement: string, limitMs: number): Promise<Row[]>;
  /** Waits for what is running, then refuses further calls. */
  close(): Promise<void>;
};

export type ConnectionOptions = {
  url: string;
  /** The password of the moment, in place of one in the address. Asked before a call, since a login cannot fail in it. */
  password?: () => Promise<string>;
  /** With it, a server that does not prove who it is is not talked to; without it the address decides. */
  trust?: ServerTrust;
  /** `now`, where given, also notices a machine that slept while its monotonic clock stood still. */
  clock: Pick<Clock, 'monotonicMs' | 'sleep'> & Partial<Pick<Clock, 'now'>>;
  /** 0 ≤ x < 1, for jitter. */
  random: () => number;
  /** Of one attempt: shorter than the function's time-out. */
  deadlineMs?: number;
};

const DEADLINE_MS = 6_000;
const ATTEMPTS = 3;
const CONNECT_SECONDS = 5;
const IDLE_LIMIT_MS = 60_000;
/**
 * Changes of the catalog in one session. A session keeps a plan of every statement it ran, also those of functions that are
 * gone, and each change goes through all of them: a swap took 2 to 3 ms more for each swap that its session had seen.
 */
const CATALOG_CHANGES = 16;
const JITTER_FROM_MS = 50;
const JITTER_SPAN_MS = 150;
/** The server's own limit comes first, so that its answer says what was too slow, and nothing is left at work. */
const LIMIT_MARGIN_MS = 1_000;

type Send<T> = (sql: postgres.Sql) => Promise<T>;

export function postgresConnection(options: ConnectionOptions): PgConnection {
  const target = placeOf(options.url);
  const clients = clientHolder(options);
  let closed = false;
  let tail: Promise<unknown> = Promise.resolve();

  async function attempt<T>(send: Send<T>, deadlineMs: number, changesCatalog = false): Promise<T> {
    const sql = clients.current(changesCatalog);
    try {
      const result = await beforeDeadline(
        clients.loggingIn().then(() => send(sql)),
        deadlineMs,
      );
      clients.used();
      return result;
    } catch (error) {
      if (classify(error) === 'connection' || isFatal(error)) clients.discard(sql);
      throw error;
    }
  }

  async function insist<T>(statement: string, send: Send<T>, call: CallOptions): Promise<T> {
    const deadlineMs = call.deadlineMs ?? options.deadlineMs ?? DEADLINE_MS;
    for (let attempts = 1; ; attempts += 1) {
      if (closed) throw new CrossfadeError('internal', `The connection to Postgres at ${target} was closed before.`);
      try {
        return await attempt(send, deadlineMs, call.changesCatalog);
      } catch (error) {
        if (isCrossfadeError(error)) throw error;
        const failure = classify(error);
        const again = (failure === 'connection' || failure === 'busy') && attempts < (call.attempts ?? ATTEMPTS);
        if (!again || closed) throw translated(error, { target, statement, attempts, deadlineMs });
        await options.clock.sleep(JITTER_FROM_MS + options.random() * JITTER_SPAN_MS);
      }
    }
  }

  /** One after the other: a call that waits behind another has its own deadline, counted from its own start. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = tail.then(work);
    tail = result.catch(() => {});
    return result;
  }

  /** One message: the head, then the statements. What fails undoes all of it. A statement without rows has no result. */
  async function transaction(text: string, call: CallOptions, shown = text): Promise<readonly unknown[][]> {
    const deadlineMs = call.deadlineMs ?? options.deadlineMs ?? DEADLINE_MS;
    const message = title(shown) + head(deadlineMs, call) + text;
    const send = async (sql: postgres.Sql) => {
      // The driver declares the rows of one statement; a message of several gets one list for each.
      const results: unknown = await sql.unsafe(message).simple();
      return results as readonly unknown[][];
    };
    return (await inTurn(() => insist(shown, send, call))).slice(HEAD_RESULTS);
  }

  return {
    async call<Row extends object>(statement: string, parameters: readonly Parameter[] = [], call: CallOptions = {}) {
      demandOne(statement, target);
      const results = await transaction(withValues(statement, parameters), call, statement);
      return [...((results[0] ?? []) as Row[])];
    },
    async script(text, call = {}) {
      await transaction(text, { ...call, changesCatalog: true });
    },
    alone(statement, call = {}) {
      return inTurn(() => insist(statement, async (sql) => void (await sql.unsafe(statement).simple()), call));
    },
    async longCall<Row extends object>(statement: string, limitMs: number) {
      const results = await transaction(statement, { deadlineMs: Math.ceil(limitMs) + LIMIT_MARGIN_MS });
      return [...((results[0] ?? []) as Row[])];
    },
    async close() {
      await inTurn(async () => {
        closed = true;
      });
      await clients.close();
    },
  };
}

export const head = (deadlineMs: number, { settings, readOnly }: CallOptions) =>
  transactionHead({ statement_timeout: limitOf(deadlineMs), ...settings }, readOnly);

/** What pg_stat_activity and the server's log show first: they keep the beginning of a message. Without its values. */
const title = (statement: string) =>
  `/* ${statement.replace(/\s+/g, ' ').trim().slice(0, 200).replaceAll('*', '')} */\n`;

/** Of a deadline that is shorter than the margin the server's limit comes behind it. */
function limitOf(deadlineMs: number): string {
  const margin = deadlineMs > LIMIT_MARGIN_MS ? -LIMIT_MARGIN_MS : LIMIT_MARGIN_MS;
  return String(Math.max(1, Math.ceil(deadlineMs) + margin));
}

const LITERAL_OR_END = /'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$[\s\S]*?\$\1\$|--[^\n]*|\/\*[\s\S]*?\*\/|;(?=\s*\S)/g;

/** One message may hold many statements; a call is one, so that no name that is put into it can add another. */
function demandOne(statement: string, target: string): void {
  if (!statement.match(LITERAL_OR_END)?.includes(';')) return;
  const message = `Postgres at ${target} was not asked: a call is one statement, and this text has a second one behind it.`;
  throw new CrossfadeError('internal', message, { details: { sqlstate: '42601' } });
}

/** The statement with its values as text literals, each typed, so that no other meaning can be found for one. */
export function withValues(statement: string, parameters: readonly Parameter[]): string {
  if (parameters.length === 0) return statement;
  return statement.replace(/\$(\d+)/g, (place, number: string) => {
    const value = parameters[Number(number) - 1];
    if (value === undefined)
      throw new CrossfadeError('internal', `The statement has ${place} and ${parameters.length} values.`);
    if (value === null) return 'NULL::text';
    const text = String(value);
    if (text.includes('\0'))
      throw new CrossfadeError(
        'invalid_input',
        'A text for Postgres cannot hold the character NUL (U+0000). Take it out.',
      );
    return `${quoteText(text)}::text`;
  });
}

/** The one client, made when it is needed and replaced when it cannot be trusted. */
function clientHolder(options: ConnectionOptions) {
  const { clock } = options;
  const moment = () => ({ now: clock.now?.() ?? 0, monotonicMs: clock.monotonicMs() });
  let client: postgres.Sql | null = null;
  let changes = 0;
  let lastUse = moment();
  let password: string | undefined;

  const discard = (dropped: postgres.Sql) => {
    if (client === dropped) client = null;
    dropped.end({ timeout: 0 }).catch(() => {});
  };
  return {
    /** After a pause the network may have cut the connection without a word: a frozen function could not notice. */
    current(changesCatalog: boolean): postgres.Sql {
      const { now, monotonicMs } = moment();
      const idleMs = Math.max(now - lastUse.now, monotonicMs - lastUse.monotonicMs);
      if (client && (idleMs > IDLE_LIMIT_MS || (changesCatalog && changes >= CATALOG_CHANGES))) discard(client);
      if (client === null) changes = 0;
      if (changesCatalog) changes += 1;
      client ??= connect(options, () => password ?? '');
      lastUse = moment();
      return client;
    },
    /** The driver connects at the query, and whenever the connection has ended; a rejection there would end the process. */
    async loggingIn() {
      password = await options.password?.();
    },
    used() {
      lastUse = moment();
    },
    discard,
    async close() {
      await client?.end({ timeout: 1 }).catch(() => {});
      client = null;
    },
  };
}

/** The driver gets what the address means, and not its text: it would send what it does not know to the server. */
export function connect({ url, trust, password: changing }: ConnectionOptions, password: () => string): postgres.Sql {
  const address = parseAddress(url);
  const [{ host, port }] = address.hosts as [{ host: string; port: number }];
  const several = address.hosts.length > 1;
  return postgres({
    host: address.hosts.map((one) => one.host),
    port: address.hosts.map((one) => one.port),
    ...(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : {}),
    ...(address.user ? { user: address.user } : {}),
    ...(address.database ? { database: address.database } : {}),
    ...(changing ? { password } : address.password ? { password: address.password } : {}),
    ssl: trust ?? tlsOptions(address),
    ...(address.directTls ? { sslnegotiation: 'direct' } : {}),
    ...(several ? { target_session_attrs: 'primary' } : {}),
    max: 1,
    prepare: false,
    fetch_types: false,
    connect_timeout: Math.min(address.connectTimeoutSeconds ?? CONNECT_SECONDS, CONNECT_SECONDS),
    idle_timeout: 20,
    onnotice: () => {},
    // Sent by the driver in any case; poolers accept this one, and no other.
    connection: { application_name: applicationName(address.applicationName) },
    // Its types know no lists of hosts.
  } as object);
}

/** Our sessions are known by how their name begins. */
const applicationName = (own: string | undefined) => (own ? `crossfade: ${own}` : 'crossfade').slice(0, 63);

/** A promise that loses the race is observed, so that its late rejection ends no process. */
async function beforeDeadline<T>(call: Promise<T>, deadlineMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(DEADLINE), deadlineMs);
  });
  call.catch(() => {});
  try {
    return await Promise.race([call, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** The SQLSTATE behind an error that a connection threw; null when the database answered with none. */
export function sqlstateOf(error: unknown): string | null {
  const sqlstate = isCrossfadeError(error) ? error.details.sqlstate : undefined;
  return typeof sqlstate === 'string' ? sqlstate : null;
}
