/** Converge between databases, where the shadow is: a batch of images is written, if it is newer than all before. */

import { unbounded } from '../../casts.ts';
import { baseType, columnOf, quoteName, quoteText } from '../../shape.ts';
import { unwritten } from '../apply.ts';
import { equalColumn } from '../key-operators.ts';
import { type Flow, rowValue, securely, targetTable, whenAKeyFails } from '../names.ts';
import { CHECKED_AT_ONCE } from '../segments.ts';
import { DEMAND_READ_COMMITTED } from '../session.ts';
import { remoteNames } from './names.ts';

/** The images from i to j. Variables by the label of their block, and an element by its alias: columns may have the names of both. */
const IMAGES = 'unnest(batch.v_images[batch.i:batch.j]) AS image(r)';
/** Places in an image: see `image` in claim.ts. */
const PRESENT = 1;
const RESET = 2;
const FIRST_KEY = 3;

/**
 * `receive_<id>(epoch, number, images)`: {kind: received, written, deleted, failed: [{key, sqlstate, message}]}, or {kind: stale} or
 * {kind: overtaken}, and then nothing was written. What does not fit is found by halving; the rest is written.
 */
export function createReceive(flow: Flow): string {
  const { receive } = remoteNames(flow.id);
  const { keeps, gone, upserted } = statements(flow);
  // Unique values that circle among keys are set free first. Where rows keep what is not written, they would lose it.
  const circle = keeps
    ? ''
    : `IF v_state IN ('23505', '23P01') AND NOT v_free THEN
          v_low := v_low || i;
          v_high := v_high || j;
          v_frees := v_frees || true;
          CONTINUE;
        END IF;
        `;
  return `CREATE FUNCTION ${receive}(p_epoch bigint, p_number bigint, p_images text) RETURNS jsonb
${securely()} AS $crossfade$
#variable_conflict use_column
<<batch>>
DECLARE
  v_verdict text;
  v_images jsonb[];
  v_failed jsonb := '[]';
  v_low integer[];
  v_high integer[];
  -- Of each part: are its rows taken out before any is written?
  v_frees boolean[] := '{false}';
  v_free boolean;
  v_written integer := 0;
  v_deleted integer := 0;
  v_state text;
  v_message text;
  w integer;
  d integer;
  i integer;
  j integer;
BEGIN
  ${DEMAND_READ_COMMITTED}
  v_verdict := crossfade.accept_batch(${quoteText(flow.id)}, p_epoch, p_number);
  IF v_verdict <> 'accepted' THEN RETURN jsonb_build_object('kind', v_verdict); END IF;
  ${CHECKED_AT_ONCE}
  SELECT array_agg(e.value ORDER BY e.place) INTO v_images FROM jsonb_array_elements(p_images::jsonb) WITH ORDINALITY e(value, place);
  v_low := ARRAY[1];
  v_high := ARRAY[coalesce(cardinality(v_images), 0)];
  WHILE cardinality(v_low) > 0 LOOP
    i := v_low[cardinality(v_low)];
    j := v_high[cardinality(v_high)];
    v_free := v_frees[cardinality(v_frees)];
    v_low := trim_array(v_low, 1);
    v_high := trim_array(v_high, 1);
    v_frees := trim_array(v_frees, 1);
    CONTINUE WHEN i > j;
    BEGIN
      ${gone(keeps ? '' : ' OR batch.v_free')}
      GET DIAGNOSTICS d = ROW_COUNT;
      ${upserted}
      GET DIAGNOSTICS w = ROW_COUNT;
      v_written := v_written + w;
      v_deleted := v_deleted + d;
    EXCEPTION ${whenAKeyFails()} THEN
        GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT;
        ${circle}IF i < j THEN
          v_low := v_low || ((i + j) / 2 + 1) || i;
          v_high := v_high || j || ((i + j) / 2);
          v_frees := v_frees || false || false;
        ELSE
          v_failed := v_failed || jsonb_build_object('key', v_images[i] ->> 0, 'sqlstate', v_state, 'message', v_message);
        END IF;
    END;
  END LOOP;
  RETURN jsonb_build_object('kind', 'received', 'written', v_written, 'deleted', v_deleted, 'failed', v_failed);
END $crossfade$`;
}

/** What is written of the images i to j of `v_images`. `keeps`: rows of the shadow have values that are not written. */
function statements(flow: Flow): { keeps: boolean; gone(all: string): string; upserted: string } {
  const { mapping, target } = flow;
  const keys = mapping.key.map((pair, i) => ({
    column: columnOf(target, pair.target.name)!,
    value: `(image.r ->> ${FIRST_KEY + i})::${baseType(pair.target)}`,
  }));
  const found = keys
    .map(({ column, value }) => equalColumn(column, `t.${quoteName(column.name)}`, value))
    .join(' AND ');
  const columns = mapping.written.map((one, i) => {
    const column = unbounded(columnOf(target, one.target)!);
    return {
      ...one,
      name: quoteName(one.target),
      value: `(image.r ->> ${FIRST_KEY + keys.length + i})::${baseType(column)}`,
    };
  });
  const updated = columns.filter(({ target: name, insertOnly }) => !insertOnly && !mapping.unique.includes(name));
  const reasons = updated.filter(({ follows }) => follows === undefined || follows === 'tells').map(({ name }) => name);
  const changes = updated.map(({ name, follows }) =>
    follows === 'counts' ? `${name} = t.${name} + 1` : `${name} = EXCLUDED.${name}`,
  );
  const onConflict =
    reasons.length === 0
      ? 'DO NOTHING'
      : `DO UPDATE SET ${changes.join(', ')}
        WHERE ${rowValue(reasons.map((name) => `t.${name}`))} *<> ${rowValue(reasons.map((name) => `EXCLUDED.${name}`))}`;
  const keeps = unwritten(flow).length > 0;
  const gone = (all: string) => `DELETE FROM ${targetTable(flow)} AS t USING ${IMAGES}
        WHERE ((image.r ->> ${PRESENT})::boolean IS NOT TRUE${keeps ? ` OR (image.r ->> ${RESET})::boolean` : ''}${all}) AND ${found};`;
  const upserted = `INSERT INTO ${targetTable(flow)} AS t (${columns.map(({ name }) => name).join(', ')}) OVERRIDING SYSTEM VALUE
      SELECT ${columns.map(({ value }) => value).join(', ')} FROM ${IMAGES} WHERE (image.r ->> ${PRESENT})::boolean
      ON CONFLICT (${mapping.unique.map(quoteName).join(', ')}) ${onConflict};`;
  return { keeps, gone, upserted };
}
