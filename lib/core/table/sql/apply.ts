/**
 * The write of converge: `apply_<id>` makes target rows equal the transformed source rows of the keys it is given, and
 * `exchange_<id>` does so for keys that hold unique values of each other. Both are called with the locks of their keys held.
 */

import { beyondKey } from '../mapping.ts';
import { columnOf, quoteName } from '../shape.ts';
import { equalColumn } from './key-operators.ts';
import {
  asSource,
  type Flow,
  keys,
  keyType,
  objectNames,
  rowValue,
  securely,
  targetIs,
  targetTable,
  transformed,
  whenAKeyFails,
} from './names.ts';

/** Columns of the target that converge leaves as they are: dropped, added, or filled only when the row is new. */
export function unwritten(flow: Flow): string[] {
  const always = new Set(flow.mapping.written.filter(({ insertOnly }) => !insertOnly).map(({ target }) => target));
  return flow.target.columns.filter(({ name, generated }) => !generated && !always.has(name)).map(({ name }) => name);
}

const arrayArguments = (flow: Flow) => keys(flow, (k, i) => `p_${k} ${keyType(flow.mapping.key[i]!.source)}[]`);
/** A key column whose value is the same in every byte when the row was found by it. */
const isSameKey = (flow: Flow, name: string) =>
  isKey(flow, name) && !flow.mapping.compared.some(({ target }) => target === name);
const isKey = (flow: Flow, name: string) => flow.mapping.key.some((pair) => pair.target.name === name);

/** `apply_<id>(keys…, reset)`: reads the source and writes the target, in one statement with one snapshot. */
export function createApply(flow: Flow): string {
  const { apply } = objectNames(flow.id);
  const { mapping } = flow;
  const columns = mapping.written.map(({ target }) => quoteName(target));
  const values = mapping.written.map((_, index) => `src.c${index + 1}`);
  const arbiter = mapping.unique.map(quoteName);
  const updated = mapping.written
    .filter(({ target, insertOnly }) => !insertOnly && !isSameKey(flow, target))
    .map(({ target, follows }) => ({ name: quoteName(target), follows }));
  const reasons = updated.filter(({ follows }) => follows === undefined || follows === 'tells').map(({ name }) => name);
  const changes = updated.map(({ name, follows }) =>
    follows === 'counts' ? `${name} = t.${name} + 1` : `${name} = EXCLUDED.${name}`,
  );
  const onConflict =
    reasons.length === 0
      ? 'DO NOTHING'
      : `DO UPDATE SET ${changes.join(', ')}
      WHERE ${rowValue(reasons.map((name) => `t.${name}`))} *<> ${rowValue(reasons.map((name) => `EXCLUDED.${name}`))}`;
  const elsewhere = misplaced(flow, 'src', mapping.written);
  const upserted = `up AS (
    INSERT INTO ${targetTable(flow)} AS t (${columns.join(', ')}) OVERRIDING SYSTEM VALUE
    SELECT ${values.join(', ')} FROM src WHERE src.present${elsewhere ? '\n      AND (SELECT count(*) FROM del) IS NOT NULL' : ''}
    ON CONFLICT (${arbiter.join(', ')}) ${onConflict}
    RETURNING 1
  )`;
  const gone = elsewhere ? `(src.present IS NULL OR ${elsewhere})` : 'src.present IS NULL';
  const deleted = `-- Absent in this very read, not in a later one: the row cannot have come back in between.
  del AS (
    DELETE FROM ${targetTable(flow)} AS t USING src WHERE ${gone} AND ${targetIs(flow, 'src')}
    RETURNING 1
  )`;
  return `CREATE FUNCTION ${apply}(${arrayArguments(flow)}, p_reset boolean[], OUT crossfade_written integer, OUT crossfade_deleted integer)
${securely()} AS $crossfade$
#variable_conflict use_column
DECLARE
  v_reset integer := 0;
BEGIN
  ${resetRows(flow)}
  WITH k AS (SELECT * FROM unnest(${keys(flow, (k) => `p_${k}`)}) AS k(${keys(flow, (k) => k)})),
  src AS MATERIALIZED (
    SELECT ${keys(flow, (k) => `k.${k}`)}, s.*
    FROM k LEFT JOIN ${transformed(
      flow,
      'k',
      mapping.written.map(({ sql }) => sql),
    )} s ON true
  ),
  
  ${(elsewhere ? [deleted, upserted] : [upserted, deleted]).join(',\n  ')}
  SELECT v_reset + (SELECT count(*) FROM up), (SELECT count(*) FROM del) INTO crossfade_written, crossfade_deleted;
END $crossfade$`;
}

/**
 * Condition: the row of the target, found by its key, has its place among the partitions by what the source said before. It is deleted
 * before the row is inserted where it belongs. Null where the key alone decides the place.
 * @param written columns of the transformed row `source`, as c1 …
 */
function misplaced(flow: Flow, source: string, written: Flow['mapping']['written']): string | null {
  const same = beyondKey(flow.mapping).map((name) => {
    const value = `${source}.c${written.findIndex(({ target }) => target === name) + 1}`;
    return equalColumn(columnOf(flow.target, name)!, `t.${quoteName(name)}`, value);
  });
  return same.length === 0 ? null : `NOT (${same.join(' AND ')})`;
}

/**
 * A key that was deleted and inserted again names another row: what the old one had in columns that are not written must
 * not come back with it. The row becomes what an insert would have made, without a DELETE that would reach further rows
 * through foreign keys; and all columns at once, since a CHECK may look at several of them.
 */
function resetRows(flow: Flow): string {
  const { mapping } = flow;
  const kept = unwritten(flow);
  if (kept.length === 0) return '';
  const written = mapping.written.filter(({ target }) => !isKey(flow, target));
  const names = new Set(written.map(({ target }) => target));
  const defaults = kept.filter((name) => !names.has(name));
  const elsewhere = misplaced(flow, 's', written);
  const changes = [
    ...written.map(({ target }, index) => `${quoteName(target)} = s.c${index + 1}`),
    ...defaults.map((name) => `${quoteName(name)} = DEFAULT`),
  ];
  return `IF true = ANY (p_reset) THEN
    UPDATE ${targetTable(flow)} AS t SET ${changes.join(', ')}
    FROM unnest(${keys(flow, (k) => `p_${k}`)}, p_reset) AS k(${keys(flow, (k) => k)}, reset),
      ${transformed(
        flow,
        'k',
        written.map(({ sql }) => sql),
      )} s
    WHERE k.reset AND ${targetIs(flow, 'k')}${elsewhere ? ` AND NOT (${elsewhere})` : ''};
    GET DIAGNOSTICS v_reset = ROW_COUNT;
  END IF;`;
}

/**
 * `exchange_<id>(keys…, reset)`: for keys whose unique values circle among themselves, which no order of single writes
 * settles. Takes their rows out of the target and puts them back, with what is not written kept from before.
 * Returns the places of the keys that do not fit even so, found by halving; when there are any, nothing was changed. A target that
 * others refer to is left alone (NULL), since taking a row out would reach theirs.
 */
export function createExchange(flow: Flow): string {
  const { exchange } = objectNames(flow.id);
  const { mapping } = flow;
  const kept = unwritten(flow);
  const always = mapping.written.filter(({ insertOnly }) => !insertOnly);
  const given = `unnest(${keys(flow, (k) => `p_${k}`)}, p_reset) WITH ORDINALITY AS k(${keys(flow, (k) => k)}, reset, place)`;
  const insert = (written: Flow['mapping']['written'], others: readonly string[], from: string) =>
    `INSERT INTO ${targetTable(flow)} (${[...written.map(({ target }) => target), ...others].map(quoteName).join(', ')}) OVERRIDING SYSTEM VALUE
          SELECT ${[...written.map((_, i) => `s.c${i + 1}`), ...others.map((_, i) => `k.o${i + 1}`)].join(', ')}
          FROM ${from} k, ${transformed(
            flow,
            'k',
            written.map(({ sql }) => sql),
          )} s`;
  const old = keys(flow, (k, i) => `${asSource(flow, i, `o.${quoteName(mapping.key[i]!.target.name)}`)} AS ${k}`);
  const others = kept.map((name, i) => `, o.${quoteName(name)} AS o${i + 1}`).join('');
  const fresh = keys(flow, (k) => `p_${k}[n.place] AS ${k}`);
  return `CREATE FUNCTION ${exchange}(${arrayArguments(flow)}, p_reset boolean[]) RETURNS integer[]
${securely()} AS $crossfade$
#variable_conflict use_column
DECLARE
  -- Rows that were there and are kept in part, with their places, and then the places of all others.
  v_rows ${targetTable(flow)}[] := '{}';
  v_places integer[] := '{}';
  v_new integer[] := '{}';
  v_low integer[];
  v_high integer[];
  v_bad integer[] := '{}';
  i integer;
  j integer;
  h integer;
BEGIN
  IF EXISTS (SELECT FROM pg_constraint c WHERE c.contype = 'f' AND c.confrelid = ${flow.target.oid}) THEN RETURN NULL; END IF;
  WITH gone AS (
    DELETE FROM ${targetTable(flow)} AS t USING ${given} WHERE ${targetIs(flow, 'k')}
    RETURNING k.place::integer AS place, k.reset, ROW(t.*)::${targetTable(flow)} AS old
  )
  SELECT coalesce(array_agg(g.old ORDER BY g.place) FILTER (WHERE NOT g.reset), '{}'), coalesce(array_agg(g.place ORDER BY g.place) FILTER (WHERE NOT g.reset), '{}')
  INTO v_rows, v_places FROM gone g;
  SELECT coalesce(array_agg(k.place::integer ORDER BY k.place), '{}') INTO v_new FROM ${given} WHERE k.place NOT IN (SELECT unnest(v_places));
  h := cardinality(v_places);
  -- One part of the kept ones, one of the others: 1 to h, and h + 1 to the number of both.
  v_low := ARRAY[1, h + 1];
  v_high := ARRAY[h, h + cardinality(v_new)];
  WHILE cardinality(v_low) > 0 LOOP
    i := v_low[cardinality(v_low)];
    j := v_high[cardinality(v_high)];
    v_low := trim_array(v_low, 1);
    v_high := trim_array(v_high, 1);
    CONTINUE WHEN i > j;
    BEGIN
      IF j <= h THEN
        ${insert(always, kept, `(SELECT ${old}${others} FROM unnest(v_rows[i:j]) AS o)`)};
      ELSE
        ${insert(mapping.written, [], `(SELECT ${fresh} FROM unnest(v_new[i - h:j - h]) AS n(place))`)};
      END IF;
    EXCEPTION ${whenAKeyFails()} THEN
      IF i < j THEN
        v_low := v_low || ((i + j) / 2 + 1) || i;
        v_high := v_high || j || ((i + j) / 2);
      ELSE
        v_bad := v_bad || CASE WHEN i <= h THEN v_places[i] ELSE v_new[i - h] END;
      END IF;
    END;
  END LOOP;
  IF cardinality(v_bad) > 0 THEN RAISE EXCEPTION 'taken back' USING ERRCODE = 'CF011'; END IF;
  RETURN v_bad;
EXCEPTION WHEN SQLSTATE 'CF011' THEN
  RETURN v_bad;
END $crossfade$`;
}
