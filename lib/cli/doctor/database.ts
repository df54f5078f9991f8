/**
 * Checks of the database as the role of the functions sees it. Limits are expected at the role, not in the connection:
 * poolers drop start-up parameters and pin a session on SET.
 */

import { type Check, fail, ok, warn } from './check.ts';

export type Query = (sql: string) => Promise<readonly Record<string, unknown>[]>;

export type DatabaseFacts = {
  host: string;
  port: number;
  role: string;
  superuser: boolean;
  /** `server_version_num`: 150004 for 15.4. */
  version: number;
  replica: boolean;
  encrypted: boolean;
  /** Milliseconds by name; 0 means no limit. */
  limitsMs: Readonly<Record<string, number>>;
  maxLocks: number;
  connections: { used: number; max: number };
  schema: { exists: boolean; usage: boolean; create: boolean };
  /** Functions of schema `crossfade`: how many there are, and how many of them the role may call. */
  functions: { all: number; callable: number };
  /** Server processes that answered statements of one connection. */
  backends: number;
  /** Null when transactions of others are hidden from the role. */
  oldestTransactionSeconds: number | null;
};

const NAME = 'database';
const MIN_VERSION = 140_000;
/** Limit of the role, and the longest that still makes sense. */
const LIMITS = [
  ['statement_timeout', '5s', 60_000],
  ['lock_timeout', '1s', 10_000],
  ['idle_in_transaction_session_timeout', '10s', 60_000],
] as const;

export async function readFacts(query: Query, address: { host: string; port: number }): Promise<DatabaseFacts> {
  const backends = new Set<unknown>();
  for (let i = 0; i < 5; i += 1) backends.add((await query('SELECT pg_backend_pid() AS pid'))[0]!.pid);
  const [row] = await query(FACTS);
  const settings = await query(
    "SELECT name, reset_val::bigint AS ms FROM pg_settings WHERE name IN ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout')",
  );
  const [functions] = await query(FUNCTIONS);
  return {
    ...address,
    role: String(row!.role),
    superuser: row!.superuser === true,
    version: Number(row!.version),
    replica: row!.replica === true,
    encrypted: row!.encrypted === true,
    limitsMs: Object.fromEntries(settings.map((setting) => [String(setting.name), Number(setting.ms)])),
    maxLocks: Number(row!.max_locks),
    connections: { used: Number(row!.connections), max: Number(row!.max_connections) },
    schema: {
      exists: row!.schema_exists === true,
      usage: row!.schema_usage === true,
      create: row!.schema_create === true,
    },
    functions: { all: Number(functions!.total), callable: Number(functions!.callable) },
    backends: backends.size,
    oldestTransactionSeconds: row!.oldest_transaction === null ? null : Number(row!.oldest_transaction),
  };
}

const FACTS = `
  SELECT current_user AS role,
         (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser,
         current_setting('server_version_num')::int AS version,
         pg_is_in_recovery() AS replica,
         coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS encrypted,
         current_setting('max_locks_per_transaction')::int AS max_locks,
         current_setting('max_connections')::int AS max_connections,
         (SELECT sum(numbackends) FROM pg_stat_database)::int AS connections,
         schema.oid IS NOT NULL AS schema_exists,
         coalesce(has_schema_privilege(schema.oid, 'USAGE'), false) AS schema_usage,
         coalesce(has_schema_privilege(schema.oid, 'CREATE'), false) AS schema_create,
         coalesce((SELECT extract(epoch FROM now() - min(xact_start)) FROM pg_stat_activity
                   WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND application_name NOT LIKE 'crossfade%'),
                  CASE WHEN pg_has_role('pg_read_all_stats', 'USAGE') THEN 0 END)::float8 AS oldest_transaction
    FROM (SELECT to_regnamespace('crossfade')::oid AS oid) AS schema`;

const FUNCTIONS = `
  SELECT count(*)::int AS total, count(*) FILTER (WHERE has_function_privilege(oid, 'EXECUTE'))::int AS callable
    FROM pg_proc WHERE pronamespace = to_regnamespace('crossfade')`;

export function judgeFacts(facts: DatabaseFacts): Check[] {
  return [
    judgeVersion(facts),
    ...judgeRole(facts),
    ...judgeSchema(facts),
    ...LIMITS.map(([name, wanted, longestMs]) => judgeLimit(facts, name, wanted, longestMs)),
    judgeLocks(facts),
    judgeConnections(facts),
    judgePooler(facts),
    ...judgeTransactions(facts),
  ];
}

function judgeVersion({ version, replica, host, port }: DatabaseFacts): Check {
  const shown = `PostgreSQL ${Math.floor(version / 10_000)} at ${host}:${port}`;
  if (replica)
    return fail(NAME, `${shown} is a replica`, 'Name the primary server: everything is read and written there.');
  return version >= MIN_VERSION
    ? ok(NAME, shown)
    : fail(NAME, `${shown}; 14 or newer is needed`, 'Upgrade the server before you move a table on it.');
}

function judgeRole({ role, superuser, encrypted, host }: DatabaseFacts): Check[] {
  const away = !/^(127\.|localhost$|::1$|\/)/.test(host);
  return [
    superuser
      ? warn(
          'role',
          `${role} is a superuser`,
          'Use a role that may only do what Crossfade needs; migrate creates its grants.',
        )
      : ok('role', role),
    ...(away && !encrypted
      ? [
          fail(
            'encryption',
            `the connection to ${host} is not encrypted`,
            'Add sslmode=verify-full to the URL, and sslrootcert=FILE where the provider has an authority of its own.',
          ),
        ]
      : []),
  ];
}

function judgeSchema({ schema, functions, role, superuser }: DatabaseFacts): Check[] {
  if (!schema.exists) return [fail('schema', 'schema crossfade does not exist', 'crossfade migrate')];
  if (!schema.usage) return [fail('schema', `${role} may not use schema crossfade`, 'crossfade migrate, as the owner')];
  const checks: Check[] = [];
  if (functions.callable === 0) {
    const seen = `${role} may call none of the ${functions.all} functions of schema crossfade`;
    checks.push(
      fail(
        'privileges',
        seen,
        "crossfade migrate, as the owner, grants to crossfade_runtime what it needs; does the functions' URL name it?",
      ),
    );
  }
  if (schema.create && !superuser) {
    const remedy = `REVOKE CREATE ON SCHEMA crossfade FROM "${role}"; functions need no DDL. The owner's URL shows this, too.`;
    checks.push(warn('privileges', `${role} may create objects in schema crossfade`, remedy));
  }
  return checks.length > 0
    ? checks
    : [ok('schema', `crossfade is there; ${role} may call ${functions.callable} of ${functions.all} functions`)];
}

function judgeLimit(facts: DatabaseFacts, name: string, wanted: string, longestMs: number): Check {
  const value = facts.limitsMs[name] ?? 0;
  if (value > 0 && value <= longestMs) return ok('limit', `${name} is ${value} ms`);
  const remedy = `ALTER ROLE "${facts.role}" SET ${name} = '${wanted}';`;
  return warn('limit', value === 0 ? `${name} is not set: no limit` : `${name} of ${value} ms is long`, remedy);
}

function judgeLocks({ maxLocks }: DatabaseFacts): Check {
  const name = 'max_locks';
  if (maxLocks >= 64) return ok(name, `max_locks_per_transaction is ${maxLocks}`);
  return warn(
    name,
    `max_locks_per_transaction is ${maxLocks}`,
    'Set it to 64 or more: keys are locked while they are converged.',
  );
}

function judgeConnections({ connections: { used, max } }: DatabaseFacts): Check {
  if (max - used >= 20) return ok('connections', `${used} of ${max} are used`);
  return warn(
    'connections',
    `${used} of ${max} are used`,
    'Leave about 20 for the functions: raise max_connections or close some.',
  );
}

function judgePooler({ backends, host, port }: DatabaseFacts): Check {
  const proxy = /\.proxy-[a-z0-9]+\./.test(host);
  if (backends === 1 && !proxy && port !== 6432) return ok('pooler', 'none seen');
  const seen =
    backends > 1 ? `${backends} server processes answered one connection` : `${host}:${port} looks like a pooler`;
  return warn(
    'pooler',
    `${seen}`,
    'The functions can work through it. migrate, complete and cleanup need the server itself: give the owner its direct URL.',
  );
}

function judgeTransactions({ oldestTransactionSeconds: seconds, role }: DatabaseFacts): Check[] {
  if (seconds === null)
    return [warn('transactions', 'hidden from this role', `GRANT pg_read_all_stats TO "${role}"; and look again.`)];
  if (seconds < 300) return [];
  const seen = `one has been open for ${Math.round(seconds / 60)} minutes`;
  return [
    warn(
      'transactions',
      seen,
      'Start and the swap wait for old transactions: SELECT pid, xact_start, query FROM pg_stat_activity ORDER BY xact_start.',
    ),
  ];
}
