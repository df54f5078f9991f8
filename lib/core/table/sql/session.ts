/**
 * The session contract: every setting that a statement of ours depends on, with the value that we state. A server, a
 * database and a role may have any other value. Nothing of ours is left to their defaults.
 *
 *   meaning    decides what a cast or a declared expression makes of a value. It is taken from the owner's session when a
 *              cutover is armed, and fixed in every generated function: the same value then comes out for every caller.
 *   mechanics  decides how a statement runs: isolation, time limits, plans, quoting. It is stated at the head of every
 *              transaction of ours (`transactionHead`), which works behind a pooler, too, since nothing outlives the
 *              transaction. Generated functions repeat what a caller from elsewhere could break (`functionSettings`).
 *
 * What is deliberately not here: memory and cost settings that only make a plan slower, `role`, and `synchronous_commit` of
 * the application.
 */

import { quoteText } from '../shape.ts';

type Setting = {
  value: string;
  /** Why a statement of ours depends on it. */
  why: string;
  /** Repeated in generated functions, which applications (inline) and people in psql call. */
  inFunctions?: true;
  /** Older servers do not know it. */
  isNew?: true;
};

/** Settings that decide what a cast or a declared expression makes of a value. */
export const MEANING = [
  'timezone',
  'datestyle',
  'intervalstyle',
  'bytea_output',
  'xmloption',
  'lc_monetary',
  'lc_numeric',
  'lc_time',
  'default_text_search_config',
] as const;

/** Those that two servers can have alike: a locale has another name on each. */
export const SHARED_MEANING = MEANING.filter((name) => !name.startsWith('lc_'));

/** A fresh snapshot for each statement, never waiting for a safe snapshot: converge and the swap are wrong otherwise. */
const transaction = (readOnly: boolean) =>
  `ISOLATION LEVEL READ COMMITTED, READ ${readOnly ? 'ONLY' : 'WRITE'}, NOT DEFERRABLE`;

const on = (why: string): Setting => ({ value: 'on', why });
const off = (why: string): Setting => ({ value: 'off', why });
const PLAN = 'ranges of keys are read by their index';

/** The path and the time limits are not here: see `transactionHead`. */
export const MECHANICS = {
  row_security: { ...off('a policy would hide rows without a word; now it is an error'), inFunctions: true },
  check_function_bodies: off('functions are made under a lock, and name objects that are made after them'),
  jit: { ...off('compiling a catalog query takes seconds'), inFunctions: true },
  synchronous_commit: on('what was answered is not forgotten in a crash'),
  // A message is cut into tokens before its head runs: literals of the message itself are written for either value (quoteText).
  standard_conforming_strings: { ...on('a backslash in a declared literal is a backslash'), inFunctions: true },
  escape_string_warning: off('literals with a backslash say so themselves'),
  array_nulls: { ...on('NULL in the text of an array is NULL'), inFunctions: true },
  transform_null_equals: { ...off('= NULL is NULL'), inFunctions: true },
  quote_all_identifiers: off('definitions of the catalog are compared as text'),
  extra_float_digits: { value: '1', why: 'a float is written so that it reads back as itself', inFunctions: true },
  gin_fuzzy_search_limit: { value: '0', why: 'an index returns every row' },
  plan_cache_mode: { value: 'auto', why: PLAN },
  enable_seqscan: on('small tables are read whole'),
  enable_indexscan: { ...on(PLAN), inFunctions: true },
  enable_indexonlyscan: on(PLAN),
  enable_bitmapscan: on(PLAN),
  enable_tidscan: on('the way back is tried by ranges of pages'),
  enable_nestloop: { ...on('rows are looked up by key'), inFunctions: true },
  enable_hashjoin: on('dependents are joined by hash'),
  enable_mergejoin: on('both sides are read in the order of their keys'),
  enable_hashagg: on('keys are made distinct'),
  enable_sort: on('keys are locked in their order'),
  enable_material: on('inner sides are kept'),
  from_collapse_limit: { value: '8', why: 'joins of the catalog are put in order' },
  join_collapse_limit: { value: '8', why: 'joins of the catalog are put in order' },
  geqo: on('wide joins of the catalog are planned in bounded time'),
  max_parallel_workers_per_gather: { value: '0', why: 'one call takes one process of the server' },
  default_tablespace: { value: '', why: 'our tables lie where the database lies' },
  default_table_access_method: { value: 'heap', why: 'the outbox and the swap know heap tables' },
  exit_on_error: { ...off('an error that a function of ours catches ends no session'), inFunctions: true },
  idle_in_transaction_session_timeout: { value: '0', why: 'a transaction of ours is one message and is never idle' },
  transaction_timeout: { value: '0', why: 'each statement has its own limit', isNew: true },
  'plpgsql.extra_errors': { value: 'none', why: 'code of ours is not written for the extra checks' },
  'plpgsql.extra_warnings': { value: 'none', why: 'code of ours is not written for the extra checks' },
} as const satisfies Record<string, Setting>;

export type StatedSetting = keyof typeof MECHANICS | 'statement_timeout' | 'lock_timeout';

/** Values for one call in place of the stated ones. Times in ms; 0 is no limit. */
export type Stated = Partial<Record<StatedSetting | (typeof MEANING)[number], string>>;

const ENTRIES: readonly (readonly [string, Setting])[] = Object.entries(MECHANICS);

/**
 * Statements that begin a transaction of ours, in the same message as what follows them. `session_replication_role` is
 * looked at, not set: only a superuser may, and under `replica` the target's own triggers and foreign keys would not run.
 */
export function transactionHead(stated: Stated = {}, readOnly = false): string {
  const always: Stated = { statement_timeout: '0', lock_timeout: '0', ...stated };
  const calls = ENTRIES.map(([name, setting]) => {
    const call = setTo(name, always[name as StatedSetting] ?? setting.value);
    return setting.isNew ? `CASE WHEN ${isKnown(name)} THEN ${call} END` : call;
  });
  const limits = (['statement_timeout', 'lock_timeout'] as const).map((name) => setTo(name, always[name]!));
  const meaning = MEANING.flatMap((name) => (stated[name] === undefined ? [] : [setTo(name, stated[name])]));
  return `SET TRANSACTION ${transaction(readOnly)};
${NOTHING_COMPILED};
SELECT ${setTo('search_path', OWN_PATH)};
SELECT ${[...calls, ...limits, ...meaning].join(', ')};
${REPLICATION_ROLE}`;
}

/** Before the first SELECT: where whatever is planned is compiled, compiling these calls takes a second. A SET is not planned. */
const NOTHING_COMPILED = 'SET LOCAL jit = off';

/**
 * Of every transaction and every function of ours: what is not of the catalog is named with its schema. In any other schema somebody
 * could put a function or an operator that fits better than the one that is meant.
 */
export const OWN_PATH = 'pg_catalog, pg_temp';

const setTo = (name: string, value: string) => `pg_catalog.set_config('${name}', ${quoteText(value)}, true)`;

const isKnown = (name: string) => `pg_catalog.current_setting('${name}', true) IS NOT NULL`;

const REPLICATION_ROLE = `SELECT CASE WHEN pg_catalog.current_setting('session_replication_role') <> 'origin'
  THEN pg_catalog.set_config('session_replication_role', 'origin', true) END;
`;

/** How many results of a message belong to the head. */
export const HEAD_RESULTS = 4;

/** `SET` clauses of a generated function that runs with the owner's rights. */
export function functionSettings(): string {
  const meaning = MEANING.map((name) => `SET ${name} FROM CURRENT`);
  const mechanics = ENTRIES.filter(([, { inFunctions }]) => inFunctions).map(
    ([name, { value }]) => `SET ${name} = ${value}`,
  );
  return [...mechanics, ...meaning].join(' ');
}

/** A caller from elsewhere (psql, a pooled session) may have another isolation, which a function cannot change. */
export const DEMAND_READ_COMMITTED = `IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'crossfade needs READ COMMITTED, this transaction is %', upper(current_setting('transaction_isolation'))
      USING ERRCODE = 'CF011', HINT = 'Begin it with BEGIN ISOLATION LEVEL READ COMMITTED.';
  END IF;`;
