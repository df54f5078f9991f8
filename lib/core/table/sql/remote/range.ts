/**
 * Ranges of keys in two databases: (from, to] in the order of the keys, which must be the same in both. The copy writes the image of a
 * range in place of what is there, verification compares the range on both sides. Bounds are texts, as between two calls; NULL is no bound.
 */

import { type ColumnShape, columnOf, quoteName, quoteText } from '../../shape.ts';
import { comparedColumns, comparedSources, comparedTargets } from '../compared.ts';
import { equalKeys, orderedKeys } from '../key-operators.ts';
import {
  asSource,
  asTarget,
  type Flow,
  fence,
  isQuarantined,
  keys,
  keyText,
  keyType,
  objectNames,
  securely,
  sourceTable,
  targetTable,
} from '../names.ts';
import type { Stated } from '../session.ts';
import { COPY_LEASE_MS, remoteNames } from './names.ts';

export type Bound = readonly string[] | null;
/** (from, to] */
export type Range = { from: Bound; to: Bound };
export type Side = 'source' | 'target';

/** Characters of a value that are shown. */
const MOST_SHOWN = 1_000;

/** Types whose order is the same on every server. Of texts it is, where they are compared byte by byte. */
const ORDERED =
  /^(smallint|integer|bigint|oid|numeric|numeric\(.*\)|uuid|date|boolean|bytea|timestamp(\(\d\))? with(out)? time zone|time(\(\d\))? without time zone|inet|macaddr)$/;
const BYTES = /^(pg_catalog\.)?"?(C|POSIX)"?$/;

export const sortsEverywhere = (column: ColumnShape): boolean =>
  ORDERED.test(column.base ?? column.type) || BYTES.test(column.collation ?? '');

const keyColumn = (flow: Flow, side: Side) => (_: string, i: number) =>
  `${side === 'source' ? 'p' : 't'}.${quoteName(flow.mapping.key[i]![side].name)}`;

const fromSide = (flow: Flow, side: Side) =>
  side === 'source' ? `${sourceTable(flow)} AS p` : `${targetTable(flow)} AS t`;

/** Rows of a range; in SQL of the source a bound is a value of the source's key, in that of the target of the target's. */
function inRange(flow: Flow, side: Side, from: Bound, to: Bound): string {
  const literal = (bound: readonly string[]) => (_: string, i: number) =>
    `${quoteText(bound[i]!)}::${keyType(flow.mapping.key[i]![side])}`;
  const parts = [
    ...(from ? [orderedKeys(flow, keyColumn(flow, side), '>', literal(from))] : []),
    ...(to ? [orderedKeys(flow, keyColumn(flow, side), '<=', literal(to))] : []),
  ];
  return parts.join(' AND ') || 'true';
}

/** Query: the key of the n-th row of a side behind a bound; no row where there are fewer. Only that one becomes text. */
export function nthKey(flow: Flow, side: Side, from: Bound, n: number): string {
  const column = keyColumn(flow, side);
  const columns = keys(flow, (k, i) => `${column(k, i)} AS ${k}`);
  const texts = keys(flow, (k) => `crossfade.key_text(e.${k})`);
  return `SELECT to_jsonb(ARRAY[${texts}]) AS key FROM (SELECT ${columns} FROM ${fromSide(flow, side)} WHERE ${inRange(flow, side, from, null)}
    ORDER BY ${keys(flow, column)} OFFSET ${n - 1} LIMIT 1) e`;
}

/** Settings of such a query: by the key's index. A table without statistics, such as a new shadow, would be read whole each time. */
export const BY_KEY: Stated = { enable_seqscan: 'off', enable_bitmapscan: 'off', enable_sort: 'off' };

/**
 * `chunk_<id>(epoch, rows, bound)`: the next chunk of the copy as {kind: chunk, number, from, to, rows, rowsDone, rowsTotal, begun}, or
 * {kind: done | paused | cancelled | busy | stale}. It ends at `bound` when that comes first: then the shadow has more rows there.
 */
export function createChunk(flow: Flow): string {
  const { chunk } = remoteNames(flow.id);
  const id = quoteText(flow.id);
  const column = keyColumn(flow, 'source');
  const of = (variable: string) => (_: string, i: number) =>
    `(${variable}[${i + 1}])::${keyType(flow.mapping.key[i]!.source)}`;
  const after = `(v_row.copied_key IS NULL OR ${orderedKeys(flow, column, '>', of('v_row.copied_key'))})`;
  const until = `(v_to IS NULL OR ${orderedKeys(flow, column, '<=', of('v_to'))})`;
  return `CREATE FUNCTION ${chunk}(p_epoch bigint, p_rows integer, p_bound text[]) RETURNS jsonb
${securely()} SET plan_cache_mode = force_custom_plan SET enable_seqscan = off AS $crossfade$
#variable_conflict use_column
DECLARE
  v_have bigint;
  v_number bigint;
  v_row crossfade.backfill%ROWTYPE;
  v_to text[];
  v_rows bigint;
BEGIN
  IF p_rows IS NULL OR p_rows NOT BETWEEN 1 AND 1000000 THEN
    RAISE EXCEPTION 'backfill copies 1 to 1000000 rows a call, not %', p_rows USING ERRCODE = 'CF004';
  END IF;${fence(flow.id)}
  v_number := crossfade.begin_batch(${id}, ${COPY_LEASE_MS}, true);
  IF v_number IS NULL THEN RETURN '{"kind": "busy"}'; END IF;
  SELECT * INTO v_row FROM crossfade.backfill b WHERE b.cutover = ${id};
  IF v_row.state IS DISTINCT FROM 'running' THEN
    PERFORM crossfade.end_batch(${id}, v_number);
    RETURN jsonb_build_object('kind', coalesce(v_row.state, 'done'), 'rowsDone', v_row.rows_done);
  END IF;
  SELECT ARRAY[${keys(flow, (k) => `crossfade.key_text(e.${k})`)}] INTO v_to FROM (
    SELECT ${keys(flow, (k, i) => `${column(k, i)} AS ${k}`)} FROM ${sourceTable(flow)} AS p WHERE ${after}
    ORDER BY ${keys(flow, column)} OFFSET p_rows - 1 LIMIT 1) e;
  v_rows := p_rows;
  IF p_bound IS NOT NULL AND (v_to IS NULL OR ${orderedKeys(flow, of('p_bound'), '<', of('v_to'))}) THEN v_to := p_bound; v_rows := NULL; END IF;
  IF v_to IS NULL OR v_rows IS NULL THEN SELECT count(*) INTO v_rows FROM ${sourceTable(flow)} AS p WHERE ${after} AND ${until}; END IF;
  RETURN jsonb_build_object('kind', 'chunk', 'number', v_number, 'from', to_jsonb(v_row.copied_key), 'to', to_jsonb(v_to), 'rows', v_rows,
    'rowsDone', v_row.rows_done, 'rowsTotal', v_row.rows_total, 'begun', v_row.updated_at::text);
END $crossfade$`;
}

/** XML as a value loses its declaration on the way out, and as a text it does not. */
const wholly = ({ type, base }: ColumnShape, sql: string) => ((base ?? type) === 'xml' ? `(${sql})::text` : sql);

/** Query: the rows of a range as the shadow's columns. */
export const rowsOf = (flow: Flow, { from, to }: Range): string =>
  `SELECT ${flow.mapping.written.map(({ sql, target }) => wholly(columnOf(flow.target, target)!, sql)).join(', ')} FROM ${sourceTable(flow)} AS p WHERE ${inRange(flow, 'source', from, to)}`;

/** Statements before and of the copy of a range into the shadow: what is there makes room. */
export const makeRoom = (flow: Flow, { from, to }: Range): string =>
  `DELETE FROM ${targetTable(flow)} AS t WHERE ${inRange(flow, 'target', from, to)}`;
export const copyInto = (flow: Flow): string =>
  `COPY ${targetTable(flow)} (${flow.mapping.written.map(({ target }) => quoteName(target)).join(', ')}) FROM STDIN`;

/** Statement: hints for every key of a range, when its rows do not fit together: converge takes them one by one. */
export const hintRange = (flow: Flow, { from, to }: Range): string =>
  `INSERT INTO ${objectNames(flow.id).outbox} (${keys(flow, (k) => k)}) SELECT ${keys(flow, keyColumn(flow, 'source'))} FROM ${sourceTable(flow)} AS p WHERE ${inRange(flow, 'source', from, to)}`;

// ------------------------------------------------------------------------------------------------------ comparison

/** A key of both sides as one text: the parts of the shadow's key. */
const joined = (parts: string) => `ROW(${parts})::text`;
const sourceKey = (flow: Flow) =>
  joined(keys(flow, (k, i) => `(${asTarget(flow, i, keyColumn(flow, 'source')(k, i))})::text`));
const targetKey = (flow: Flow) => joined(keys(flow, (k, i) => `${keyColumn(flow, 'target')(k, i)}::text`));

/** Moments are compared as of one time zone: the tables of two servers may differ. */
const MOMENT = /^timestamp(\(\d\))? with time zone$/;
const asText = (column: ColumnShape, value: string) =>
  MOMENT.test(column.base ?? column.type) ? `((${value}) AT TIME ZONE 'UTC')::text` : `(${value})::text`;

/** Values of each side in the order of `mapping.compared`, as texts. */
function comparedTexts(flow: Flow): Record<Side, readonly string[]> {
  const columns = comparedColumns(flow);
  const inText = (values: readonly string[]) => values.map((value, i) => asText(columns[i]!, value));
  return { source: inText(comparedSources(flow)), target: inText(comparedTargets(flow)) };
}

const sideKey = (flow: Flow, side: Side) => (side === 'source' ? sourceKey(flow) : targetKey(flow));

/** Query: keys of a range that are late or known to be impossible, each as one text of the shadow's key. */
export function lateKeys(flow: Flow, { from, to }: Range): string {
  const parts = (alias: string) => joined(keys(flow, (k, i) => `(${asTarget(flow, i, `${alias}.${k}`)})::text`));
  const range = [
    ...(from
      ? [
          orderedKeys(
            flow,
            (k) => `o.${k}`,
            '>',
            (_, i) => `${quoteText(from[i]!)}::${keyType(flow.mapping.key[i]!.source)}`,
          ),
        ]
      : []),
    ...(to
      ? [
          orderedKeys(
            flow,
            (k) => `o.${k}`,
            '<=',
            (_, i) => `${quoteText(to[i]!)}::${keyType(flow.mapping.key[i]!.source)}`,
          ),
        ]
      : []),
  ];
  return `SELECT DISTINCT ${parts('o')} AS key FROM ${objectNames(flow.id).outbox} o WHERE ${["o.op NOT IN ('T', 'S')", ...range].join(' AND ')}
    UNION SELECT ${parts('q')} FROM (SELECT ${keys(flow, (k, i) => `(q.key::jsonb ->> ${quoteText(flow.mapping.key[i]!.source.name)})::${keyType(flow.mapping.key[i]!.source)} AS ${k}`)}
      FROM crossfade.quarantine q WHERE q.cutover = ${quoteText(flow.id)}) q`;
}

/** Query: number of rows of a range, and one hash of all of them, without the keys in the text array `late`. */
export function digest(
  flow: Flow,
  side: Side,
  { from, to }: Range,
  { tier, late }: { tier: 'fast' | 'proof'; late: string },
): string {
  const key = sideKey(flow, side);
  const row = `ROW(${[key, ...comparedTexts(flow)[side]].join(', ')})::text`;
  const hash =
    tier === 'fast'
      ? `coalesce(sum(hashtextextended(${row} COLLATE "C", 0)::numeric), 0)::text`
      : `encode(sha256(coalesce(string_agg(sha256(convert_to(${row}, 'UTF8')), ''::bytea ORDER BY ${keys(flow, keyColumn(flow, side))}), '')), 'hex')`;
  return `SELECT count(*)::text AS rows, ${hash} AS sum FROM ${fromSide(flow, side)} WHERE ${inRange(flow, side, from, to)}
    AND NOT EXISTS (SELECT FROM unnest(${late}) x(key) WHERE x.key = ${key})`;
}

/** Query: of each row of a range its key, as one text and as people read it, and the hash of each compared column. */
export function hashes(flow: Flow, side: Side, { from, to }: Range, late: string): string {
  const key = sideKey(flow, side);
  const part = (i: number) =>
    side === 'source' ? keyColumn(flow, 'source')('', i) : asSource(flow, i, keyColumn(flow, 'target')('', i));
  const columns = comparedTexts(flow)[side].map((text) => `md5(${text})`);
  return `SELECT ${key} AS key, ${keyText(flow, part)} AS shown, to_jsonb(ARRAY[${columns.join(', ')}]::text[]) AS hashes
    FROM ${fromSide(flow, side)} WHERE ${inRange(flow, side, from, to)} AND NOT EXISTS (SELECT FROM unnest(${late}) x(key) WHERE x.key = ${key})`;
}

/** Query: the compared columns of the row with this key, each as a hash; no row where there is none. */
export function oneRow(flow: Flow, side: Side, key: readonly string[]): string {
  const columns = comparedTexts(flow)[side].map((text) => `md5(${text})`);
  return `SELECT to_jsonb(ARRAY[${columns.join(', ')}]::text[]) AS hashes FROM ${rowOf(flow, side, key)}`;
}

/** What follows FROM: the row with this key, as `p` of the source or `t` of the target. */
function rowOf(flow: Flow, side: Side, key: readonly string[]): string {
  const given = (_: string, i: number) => {
    const { source } = flow.mapping.key[i]!;
    const value = `${quoteText(key[i]!)}::${keyType(source)}`;
    return side === 'source' ? value : asTarget(flow, i, value);
  };
  return `${fromSide(flow, side)} WHERE ${equalKeys(flow, keyColumn(flow, side), given)}`;
}

/** Query: columns of the row with this key as texts of at most so many characters; NULL for a name that is null. */
export function rowTexts(flow: Flow, side: Side, key: readonly string[], names: readonly (string | null)[]): string {
  const alias = side === 'source' ? 'p' : 't';
  const texts = names.map((name) =>
    name === null ? 'NULL' : `left((${alias}.${quoteName(name)})::text, ${MOST_SHOWN})`,
  );
  return `SELECT to_jsonb(ARRAY[${texts.join(', ')}]::text[]) AS texts FROM ${rowOf(flow, side, key)}`;
}

/** Query: how people read this key, and whether it is late or in quarantine. */
export function standingOf(flow: Flow, key: readonly string[]): string {
  const value = (i: number) => `${quoteText(key[i]!)}::${keyType(flow.mapping.key[i]!.source)}`;
  const isKey = equalKeys(
    flow,
    (k) => `o.${k}`,
    (_, i) => value(i),
  );
  return `SELECT ${keyText(flow, value)} AS shown, ${isQuarantined(flow, value)} AS quarantined,
    EXISTS (SELECT FROM ${objectNames(flow.id).outbox} o WHERE o.op <> 'T' AND ${isKey}) AS late`;
}

/** Query: is there a change whose keys are not known? */
export const hasUnnamed = (flow: Flow): string =>
  `SELECT EXISTS (SELECT FROM ${objectNames(flow.id).outbox} o WHERE o.op IN ('T', 'S')) OR EXISTS (SELECT FROM crossfade.missed m WHERE m.cutover = ${quoteText(flow.id)}) AS some`;
