/** Names and small pieces that the generated SQL of one cutover is made of. */

import { namesExactly } from '../equality.ts';
import type { KeyColumns, Mapping } from '../mapping.ts';
import { type ColumnShape, quoteName, quoteTable, quoteText, type TableShape } from '../shape.ts';
import { equalKeys } from './key-operators.ts';
import { DEMAND_READ_COMMITTED, functionSettings, OWN_PATH, type Stated } from './session.ts';

/** One direction of one cutover: rows flow from source to target. */
export type Flow = {
  id: string;
  source: TableShape;
  target: TableShape;
  mapping: Mapping;
  /** The application's transactions write the target, too, and hold locks of keys until they end. */
  inline?: boolean;
  /** Between two databases: what both state, so that a text that one writes is the same value to the other. */
  meaning?: Stated;
};

/** Everything of a cutover in the schema `crossfade`; ids are lower_snake_case, so the names need no care. */
export function objectNames(id: string) {
  const named = (what: string) => `crossfade.${quoteName(`${what}_${id}`)}`;
  return {
    outbox: named('outbox'),
    /** Inherits the outbox, and takes turns with it. */
    outbox1: named('outbox1'),
    /** Sequence, which goes with the outbox. */
    number: named('number'),
    turn: named('turn'),
    spread: named('spread'),
    capture: named('capture'),
    computed: named('computed'),
    companion: named('companion'),
    inline: named('inline'),
    truncated: named('truncated'),
    apply: named('apply'),
    exchange: named('exchange'),
    fits: named('fits'),
    converge: named('converge'),
    backfill: named('backfill'),
    verify: named('verify'),
    repair: named('repair'),
    consistency: named('consistency'),
    record: named('record'),
    retry: named('retry'),
    guard: named('guard'),
    segment: named('segment'),
    touched: named('touched'),
  };
}

/** An index, a constraint or a sequence of one of the tables. Left to the server, the name could be that of another cutover's table. */
export const partName = (table: string, id: string, part: string) => quoteName(`${table}_${id}~${part}`);

/** What of it is a table; everything else is a function. */
export function objectKinds(id: string): { tables: readonly string[]; functions: readonly string[] } {
  const { outbox, outbox1, number: _, segment, touched, ...functions } = objectNames(id);
  return { tables: [outbox1, outbox, segment, touched], functions: Object.values(functions) };
}

/** Triggers fire in the order of their names, and it comes after those of the application, which may change what it reads. */
export const COMPUTED_TRIGGER = '"~crossfade_computed"';

/** Our triggers on the source, and those on the target: as SQL has them. */
export const SOURCE_TRIGGERS = [
  'crossfade_capture',
  'crossfade_truncated',
  'crossfade_read_only',
  'crossfade_snapshot',
  COMPUTED_TRIGGER,
];
export const TARGET_TRIGGERS = ['crossfade_guard', 'crossfade_guard_truncate'];

/** `k1, k2`, each through `make`: the outbox names its key columns by position, so that no name can collide. */
export function keys(flow: Flow, make: (name: string, index: number) => string, separator = ', '): string {
  return flow.mapping.key.map((_, index) => make(`k${index + 1}`, index)).join(separator);
}

export const INTEGER_BITS: Readonly<Record<string, number>> = { smallint: 15, integer: 31, bigint: 63 };

/** A key value of the source as the target's type. NULL, so that no row is found, where a cast would make another key of it. */
export function asTarget(flow: Flow, index: number, value: string): string {
  const { source, target, returns } = flow.mapping.key[index]!;
  if (source.type === target.type) return value;
  const cast = `(${value})::${target.type}`;
  const bits = INTEGER_BITS[target.type];
  if (bits !== undefined && (INTEGER_BITS[source.type] ?? 0) > bits)
    return `CASE WHEN (${value}) BETWEEN ${-(2 ** bits)} AND ${2 ** bits - 1} THEN ${cast} END`;
  if (returns === undefined) return cast;
  return `CASE WHEN ${rowValue([`(${cast})::${returns}`])} *= ${rowValue([`(${value})::${returns}`])} THEN ${cast} END`;
}

/** `asTarget` of the row of the source that is in scope, or NULL when it cannot be transformed at all. */
export function asTargetIfFit(flow: Flow, index: number, row: string, fits: string): string {
  const cast = asTarget(flow, index, row);
  return alwaysCasts(flow.mapping.key[index]!) ? cast : `CASE WHEN ${fits} THEN ${cast} END`;
}

/** True when no value of the key fails the cast. */
const alwaysCasts = ({ source, target }: KeyColumns) =>
  source.type === target.type || (source.type in INTEGER_BITS && target.type in INTEGER_BITS);

/**
 * A statement that reads keys of many rows as the target's type, and again, row by row, when one of them cannot be read so.
 * @param make the statement, from the key of a row `p` of the source as the target's type
 */
export function readingKeys(flow: Flow, make: (key: (index: number) => string) => string): string {
  const column = (i: number) => `p.${quoteName(flow.mapping.key[i]!.source.name)}`;
  const plain = make((i) => asTarget(flow, i, column(i)));
  if (flow.mapping.key.every(alwaysCasts)) return plain;
  const fits = `${objectNames(flow.id).fits}(${keys(flow, (_, i) => column(i))})`;
  return `BEGIN
      ${plain}
    EXCEPTION ${whenAKeyFails()} THEN
      ${make((i) => asTargetIfFit(flow, i, column(i), fits))}
    END;`;
}

/** A key value of the target as the source's type. */
export function asSource(flow: Flow, index: number, value: string): string {
  const { source, target } = flow.mapping.key[index]!;
  return source.type === target.type ? value : `(${value})::${source.type}`;
}

/** `p."id" = k.k1 AND …`: a source row by a key of the outbox. */
export function sourceIs(flow: Flow, key: string): string {
  return equalKeys(
    flow,
    (_, i) => `p.${quoteName(flow.mapping.key[i]!.source.name)}`,
    (k) => `${key}.${k}`,
  );
}

/**
 * The source row of one key of the outbox, transformed, as c1 …; `present` tells it from none. With an OFFSET: without it the
 * planner may read the whole table and transform rows that were not asked for, and one that no cast takes fails them all.
 */
export function transformed(flow: Flow, key: string, expressions: readonly string[]): string {
  const values = expressions.map((sql, index) => `${sql} AS c${index + 1}`);
  return `LATERAL (
      SELECT ${['true AS present', ...values].join(',\n        ')}
      FROM ${sourceTable(flow)} AS p WHERE ${sourceIs(flow, key)} OFFSET 0)`;
}

/** `t."id" = (k.k1)::bigint AND …`: a target row by a key of the outbox. */
export function targetIs(flow: Flow, key: string): string {
  return equalKeys(
    flow,
    (_, i) => `t.${quoteName(flow.mapping.key[i]!.target.name)}`,
    (k, i) => asTarget(flow, i, `${key}.${k}`),
  );
}

const KEY_BUCKETS = 4_096;

/**
 * The number under which a key is locked, as SQL. Equal keys hash alike, whatever their text. Columns of a type without a hash
 * are left out; a key of such columns alone has one number for the whole table, so that appliers take turns.
 */
export function keyBucket(flow: Flow, column: (name: string) => string): string {
  const columns = flow.mapping.key.flatMap(({ source }, i) => (source.hashes === false ? [] : [column(`k${i + 1}`)]));
  if (columns.length === 0) return '0';
  return `(hash_record_extended(ROW(${columns.join(', ')}), 0) & ${KEY_BUCKETS - 1})::integer`;
}

/** `{"customer_id": 5}` of a key whose parts are given: how people read keys in status and quarantine. */
export function keyText(flow: Flow, part: (index: number) => string): string {
  const fields = flow.mapping.key.map(({ source }, i) => `${quoteText(source.name)}, ${inJson(source, part(i))}`);
  return `jsonb_build_object(${fields.join(', ')})::text`;
}

/** A key as a JSON number or text, from which it can be read again: types of others, and JSON, would become an object. */
const inJson = ({ type, kind }: ColumnShape, value: string) =>
  /^jsonb?$|\./.test(type) || kind === 'c' ? `(${value})::text` : value;

/** Condition: the key whose parts are given is in quarantine. Where equal keys have several texts, each text there is read as a key. */
export function isQuarantined(flow: Flow, part: (index: number) => string, more = ''): string {
  const { key } = flow.mapping;
  const same = key.every(({ source }) => namesExactly(source))
    ? `q.key_hash = crossfade.key_hash(${keyText(flow, part)})`
    : equalKeys(
        flow,
        (_, i) => quarantinedPart(flow, i),
        (_, i) => part(i),
      );
  return `EXISTS (SELECT FROM crossfade.quarantine q WHERE q.cutover = ${quoteText(flow.id)}${more} AND ${same})`;
}

/** A part of the key of `crossfade.quarantine q`, as it was. */
export function quarantinedPart(flow: Flow, index: number): string {
  const { source } = flow.mapping.key[index]!;
  return `(q.key::jsonb ->> ${quoteText(source.name)})::${keyType(source)}`;
}

/**
 * A record of columns, comparable byte by byte with `*<>`: scale, −0 and types without `=` make a difference, too.
 * Without the cast Postgres would compare column by column, with an operator that columns do not have.
 */
export function rowValue(columns: readonly string[]): string {
  return `ROW(${columns.join(', ')})::record`;
}

/**
 * Ends a comparison whose verdict goes on. No step of a plan holds more than 1,664 columns, and two tables have up to 3,200: where
 * the planner may move the comparison behind a further join, that join would keep the rows of both sides.
 */
export const FENCED = 'OFFSET 0';

export const sourceTable = (flow: Flow) => quoteTable(flow.source);
export const targetTable = (flow: Flow) => quoteTable(flow.target);
export const keyType = (column: ColumnShape) => column.type;

/** The fence: a caller with an old epoch gets that as its answer, and changes nothing. */
export function fence(id: string): string {
  return `
  ${DEMAND_READ_COMMITTED}
  -- Shared: appliers do not exclude each other, but whoever moves the epoch waits for all of them, and they for him.
  PERFORM pg_advisory_xact_lock_shared(crossfade.lock_key(${quoteText(id)}));
  -- Tables that are other ones now, or another database, have no epoch.
  SELECT c.epoch INTO v_have FROM crossfade.cutover c WHERE c.id = ${quoteText(id)}
    AND NOT EXISTS (SELECT FROM crossfade.shape s WHERE s.cutover = c.id AND (s.stopped OR s.database <> crossfade.database_oid()));
  IF v_have IS DISTINCT FROM p_epoch THEN
    RETURN jsonb_build_object('kind', 'stale', 'have', coalesce(v_have, -1), 'got', p_epoch);
  END IF;`;
}

/**
 * Head of a function that runs with the owner's rights, since neither the application nor the runtime role has them, and with
 * the settings that the owner has when it is made: for every caller, a value of the one table gives the same value of the other.
 * Only the catalog is in the path: in any other schema somebody could put a function or an operator that fits better than ours.
 */
export function securely(): string {
  return `LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${OWN_PATH} ${functionSettings()}`;
}

/** Trouble of the server or of a statement, which every row meets alike: it would put every key into quarantine. */
const EVERY_KEYS = [
  'connection_exception',
  'feature_not_supported',
  'invalid_transaction_state',
  'invalid_authorization_specification',
  'invalid_catalog_name',
  'invalid_schema_name',
  'transaction_rollback',
  'syntax_error_or_access_rule_violation',
  'insufficient_resources',
  'too_many_columns',
  'too_many_arguments',
  'object_not_in_prerequisite_state',
  'operator_intervention',
  'system_error',
  'config_file_error',
  'fdw_error',
  'data_corrupted',
  'index_corrupted',
  "SQLSTATE 'CF000'",
] as const;

/**
 * Head of an exception handler for errors that belong to one key. Which these are cannot be listed: triggers, checks and functions of
 * others raise whatever class they like, and extensions call bad input an internal error. Those of every key go on to the caller.
 * @param also of `EVERY_KEYS`: handled as a key's
 */
export const whenAKeyFails = (
  also?: (typeof EVERY_KEYS)[number],
) => `WHEN ${EVERY_KEYS.filter((name) => name !== also).join(' OR ')} THEN
        RAISE;
      WHEN OTHERS OR assert_failure`;
