/**
 * Converge: make the target's row of each claimed key equal the transformed source row, in one call.
 *
 *   claim hints ─→ lock keys ─→ NEXT statement: read source, write target ─→ delete hints ─→ NEXT statement: compare
 *
 * Why it converges: a hint is visible only after its change committed, and its applier reads later, so it sees that change;
 * every later applier of the same key gets the lock later and reads later still. Doubled, reordered and merged hints are free.
 */

import type { ValidationMode } from '../cutover.ts';
import { namesExactly } from '../equality.ts';
import { quoteName, quoteText } from '../table-shape.ts';
import { unwritten } from './apply.ts';
import {
  asSource,
  asTarget,
  comparedTargets,
  type Flow,
  fence,
  isQuarantined,
  KEY_ERRORS,
  keyBucket,
  keys,
  keyText,
  keyType,
  objectNames,
  quarantinedPart,
  record,
  securely,
  sourceTable,
  targetIs,
  targetTable,
  transformed,
} from './names.ts';
import { breakpoint, type Sabotage } from './sabotage.ts';
import { markTouched, WRITING } from './segments.ts';
import { markQuarantined } from './sync-status.ts';

/** Tries before a key goes to quarantine, and the pause after the first one; it doubles each time. */
const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 250;
/** Keys that are taken out of a circle of unique values before the rest of it waits for another try. */
const CIRCLE_TRIES = 32;
/** `relaxed` validation looks at one key in this many. */
const RELAXED_EVERY = 10;

/** `converge_<id>(epoch, limit)`: claims at most `limit` hints and applies them. Returns counts as jsonb. */
export function createConverge(flow: Flow, validation: ValidationMode, sabotage: Sabotage = {}): string {
  const { converge, outbox } = objectNames(flow.id);
  const { id, mapping } = flow;
  const variables = keys(flow, (k, i) => `v_${k} ${keyType(mapping.key[i]!.source)}[]`, ';\n  ');
  const arrays = keys(flow, (k) => `v_${k}`);
  const unnested = `unnest(${arrays}) AS k(${keys(flow, (k) => k)})`;
  return `CREATE FUNCTION ${converge}(p_epoch bigint, p_limit integer) RETURNS jsonb
${securely(flow)} AS $crossfade$
#variable_conflict use_column
DECLARE
  v_have bigint;
  v_seqs bigint[];
  v_truncated boolean;
  v_unnamed boolean;
  ${variables};
  -- Keys that lost their row since they were applied last.
  v_reset boolean[];
  -- Parts of the batch that are still to be written; the last one is next.
  v_low integer[];
  v_high integer[];
  v_bad integer[] := '{}';
  v_states text[] := '{}';
  v_messages text[] := '{}';
  v_circle integer[];
  v_place integer;
  v_kept bigint[] := '{}';
  v_failed text[] := '{}';
  v_written integer := 0;
  v_deleted integer := 0;
  v_checked integer := 0;
  v_mismatched integer := 0;
  v_postponed integer := 0;
  v_quarantined integer := 0;
  v_attempts integer;
  v_state text;
  v_message text;
  v_key text;
  i integer;
  j integer;
  w integer;
  d integer;
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 10000 THEN
    RAISE EXCEPTION 'converge takes 1 to 10000 hints, not %', p_limit USING ERRCODE = 'CF004';
  END IF;${sabotage.omit === 'fence' ? '' : fence(id)}

  ${WRITING}
  IF EXISTS (SELECT FROM crossfade.missed m WHERE m.cutover = ${quoteText(id)}) THEN
    DELETE FROM crossfade.missed m WHERE m.cutover = ${quoteText(id)};
    PERFORM crossfade.begin_sweep(${quoteText(id)}, 'changes left no hint, since the outbox could not be written');
  END IF;
  -- Claim. Whoever dies now gives them back.
  WITH claimed AS MATERIALIZED (
    SELECT seq, op, ${keys(flow, (k) => k)} FROM ${outbox}
    WHERE (not_before IS NULL OR not_before <= clock_timestamp())${flow.inline && sabotage.omit !== 'key-lock' ? unlessLocked(flow) : ''}
    ORDER BY seq LIMIT p_limit FOR UPDATE SKIP LOCKED
  ), wanted AS (
    SELECT ${keys(flow, (k) => k)}, bool_or(op = 'D') AS reset FROM claimed WHERE op NOT IN ('T', 'S') GROUP BY ${keys(flow, (k) => k)}
  )
  SELECT (SELECT array_agg(seq) FROM claimed), (SELECT coalesce(bool_or(op = 'T'), false) FROM claimed),
    (SELECT coalesce(bool_or(op = 'S'), false) FROM claimed),
    array_agg(reset ORDER BY ${keys(flow, (k) => k)}), ${keys(flow, (k) => `array_agg(${k} ORDER BY ${keys(flow, (name) => name)})`)}
  INTO v_seqs, v_truncated, v_unnamed, v_reset, ${arrays} FROM wanted;
  IF v_seqs IS NULL THEN
    RETURN jsonb_build_object('kind', 'converged', 'claimed', 0, 'written', 0, 'deleted', 0, 'checked', 0, 'mismatched', 0,
      'postponed', 0, 'quarantined', 0, 'remaining', 0);
  END IF;${breakpoint(sabotage, 'converge: claimed')}
  IF v_unnamed THEN
    -- Before anything else is locked: this waits for a chunk of the copy that is under way.
    PERFORM crossfade.begin_sweep(${quoteText(id)}, 'a change was captured whose key could not be read');
  END IF;
  ${spreadTruncate(flow)}
  IF v_k1 IS NOT NULL THEN
    ${sabotage.omit === 'key-lock' ? '' : lockKeys(flow, unnested)}${breakpoint(sabotage, 'converge: locked')}
    ${rememberedResets(flow)}
    -- New statements, so new snapshots: what they read was read after the lock was ours. What does not fit is found by halving.
    v_low := ARRAY[1];
    v_high := ARRAY[cardinality(v_k1)];
    WHILE cardinality(v_low) > 0 LOOP
      i := v_low[cardinality(v_low)];
      j := v_high[cardinality(v_high)];
      v_low := trim_array(v_low, 1);
      v_high := trim_array(v_high, 1);
      ${writePart(flow)}
    END LOOP;
    ${sabotage.omit === 'exchange' ? '' : exchangeCircle(flow)}
    FOR v_place IN 1 .. cardinality(v_bad) LOOP
      i := v_bad[v_place];
      ${putAside(flow, sabotage)}${breakpoint(sabotage, 'converge: put aside')}
    END LOOP;
  END IF;${breakpoint(sabotage, 'converge: written')}

  DELETE FROM ${outbox} o WHERE o.seq = ANY (v_seqs) AND NOT o.seq = ANY (v_kept);${breakpoint(sabotage, 'converge: hints deleted')}
  IF v_k1 IS NOT NULL AND EXISTS (SELECT FROM crossfade.quarantine q WHERE q.cutover = ${quoteText(id)}) THEN
    ${releaseQuarantined(flow, unnested)}
  END IF;
  IF v_k1 IS NOT NULL THEN
  ${markTouched(flow, unnested)}
  END IF;
  ${compareWritten(flow, validation, unnested)}${breakpoint(sabotage, 'converge: compared')}
  RETURN jsonb_build_object('kind', 'converged', 'claimed', cardinality(v_seqs), 'written', v_written, 'deleted', v_deleted,
    'checked', v_checked, 'mismatched', v_mismatched, 'postponed', v_postponed, 'quarantined', v_quarantined,
    'remaining', (SELECT count(*) FROM (SELECT FROM ${outbox}
      WHERE not_before IS NULL OR not_before <= clock_timestamp() LIMIT 10000) r));
END $crossfade$`;
}

/** Keys that are in the target get a hint of their own; its applier looks again before it deletes or resets anything. */
function spreadTruncate(flow: Flow): string {
  const { outbox } = objectNames(flow.id);
  const { mapping } = flow;
  const targetKey = (i: number) => `t.${quoteName(mapping.key[i]!.target.name)}`;
  // With nothing to reset, a row that is back under its key is right already.
  const ghostsOnly = unwritten(flow).length === 0;
  const absent = `
    WHERE NOT EXISTS (SELECT FROM ${sourceTable(flow)} AS p
      WHERE ${keys(flow, (_, i) => `${asTarget(flow, i, `p.${quoteName(mapping.key[i]!.source.name)}`)} = ${targetKey(i)}`, ' AND ')})`;
  return `IF v_truncated THEN
    INSERT INTO ${outbox} (op, ${keys(flow, (k) => k)})
    SELECT 'D', ${keys(flow, (_, i) => asSource(flow, i, targetKey(i)))} FROM ${targetTable(flow)} AS t${ghostsOnly ? absent : ''};
  END IF;
`;
}

/** A key went to quarantine after it had lost its row: what it had there before must not come back later either. */
function rememberedResets(flow: Flow): string {
  const arrays = keys(flow, (k) => `v_${k}`);
  return `IF EXISTS (SELECT FROM crossfade.quarantine q WHERE q.cutover = ${quoteText(flow.id)}) THEN
      SELECT array_agg(k.reset OR ${isQuarantined(flow, (i) => `k.k${i + 1}`, ' AND q.deleted')} ORDER BY k.place)
      INTO v_reset FROM unnest(${arrays}, v_reset) WITH ORDINALITY AS k(${keys(flow, (k) => k)}, reset, place);
    END IF;`;
}

/** What was applied is in quarantine no more; what failed just now stays. By the hash: each call would read all that is there. */
function releaseQuarantined(flow: Flow, unnested: string): string {
  const id = quoteText(flow.id);
  const stays = 'NOT q.key = ANY (v_failed)';
  if (!flow.mapping.key.every(({ source }) => namesExactly(source)))
    return `DELETE FROM crossfade.quarantine q USING ${unnested}
    WHERE q.cutover = ${id} AND ${stays} AND ${keys(flow, (k, i) => `${quarantinedPart(flow, i)} = k.${k}`, ' AND ')};`;
  return `DELETE FROM crossfade.quarantine q WHERE q.cutover = ${id} AND ${stays}
      AND q.key_hash = ANY (ARRAY(SELECT crossfade.key_hash(${keyText(flow, (n) => `k.k${n + 1}`)}) FROM ${unnested}));`;
}

function writePart(flow: Flow): string {
  const { apply } = objectNames(flow.id);
  return `BEGIN
        SELECT a.crossfade_written, a.crossfade_deleted INTO w, d FROM ${apply}(${keys(flow, (k) => `v_${k}[i:j]`)}, v_reset[i:j]) a;
        v_written := v_written + w;
        v_deleted := v_deleted + d;
      EXCEPTION WHEN ${KEY_ERRORS} THEN
        IF i < j THEN
          v_low := v_low || ((i + j) / 2 + 1) || i;
          v_high := v_high || j || ((i + j) / 2);
        ELSE
          GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT;
          v_bad := v_bad || i;
          v_states := v_states || v_state;
          v_messages := v_messages || v_message;
        END IF;
      END;`;
}

/** Keys that want unique values of each other are written together; whichever does not fit even so leaves the circle. */
function exchangeCircle(flow: Flow): string {
  const { exchange } = objectNames(flow.id);
  const chosen = (array: string) =>
    `ARRAY(SELECT ${array}[c] FROM unnest(v_circle) WITH ORDINALITY x(c, place) ORDER BY place)`;
  return `SELECT array_agg(b.key ORDER BY b.key) INTO v_circle FROM unnest(v_bad, v_states) AS b(key, state)
    WHERE b.state IN ('23505', '23P01');
    FOR d IN 1 .. ${CIRCLE_TRIES} LOOP
      EXIT WHEN v_circle IS NULL OR cardinality(v_circle) = 0;
      SELECT ${exchange}(${keys(flow, (k) => chosen(`v_${k}`))}, ${chosen('v_reset')}) INTO v_place;
      EXIT WHEN v_place < 0;
      IF v_place > 0 THEN
        v_circle := v_circle[: v_place - 1] || v_circle[v_place + 1 :];
        CONTINUE;
      END IF;
      v_written := v_written + cardinality(v_circle);
      SELECT coalesce(array_agg(b.key), '{}'), coalesce(array_agg(b.state), '{}'), coalesce(array_agg(b.message), '{}')
      INTO v_bad, v_states, v_messages
      FROM unnest(v_bad, v_states, v_messages) AS b(key, state, message) WHERE NOT b.key = ANY (v_circle);
      EXIT;
    END LOOP;`;
}

/** Puts key `i` off, or into quarantine when it had its tries. All that is put off for as long is due at one moment. */
function putAside(flow: Flow, sabotage: Sabotage): string {
  const { outbox } = objectNames(flow.id);
  const mine = `o.seq = ANY (v_seqs) AND o.op <> 'T' AND ${keys(flow, (k) => `o.${k} = v_${k}[i]`, ' AND ')}`;
  return `v_key := ${keyText(flow, (n) => `v_k${n + 1}[i]`)};
      v_failed := v_failed || v_key;
      SELECT max(o.attempts) + 1 INTO v_attempts FROM ${outbox} o WHERE ${mine};
      IF v_attempts < ${ATTEMPTS} THEN
        -- A unique value that another key still holds is free when that key's hint has been applied.
        WITH pause AS (SELECT ${FIRST_PAUSE_MS / 1000} * 2 ^ (v_attempts - 1) AS seconds),
        put_off AS (
          UPDATE ${outbox} o SET attempts = v_attempts,
            not_before = to_timestamp(ceil(extract(epoch FROM clock_timestamp())::float8 / seconds + 0.5) * seconds)
          FROM pause WHERE ${mine} RETURNING o.seq)
        SELECT v_kept || array_agg(seq) INTO v_kept FROM put_off;
        v_postponed := v_postponed + 1;
      ELSE
        ${
          sabotage.omit === 'quarantine'
            ? ''
            : `PERFORM crossfade.quarantine_key(${quoteText(flow.id)}, v_key, v_states[v_place], v_messages[v_place], v_attempts, v_reset[i]);
        ${markQuarantined(flow)}`
        }
        v_quarantined := v_quarantined + 1;
      END IF;`;
}

/** In sorted order, so that two appliers never wait for each other in a circle. */
function lockKeys(flow: Flow, unnested: string): string {
  return `PERFORM pg_advisory_xact_lock(hashtext(${quoteText(`crossfade:${flow.id}`)}), b.bucket) FROM (
      SELECT DISTINCT ${keyBucket(flow, (k) => `k.${k}`)} AS bucket FROM ${unnested} ORDER BY 1 OFFSET 0
    ) b;`;
}

/** A transaction of the application that writes inline may hold a key for long: its hint waits, the others do not. */
function unlessLocked(flow: Flow): string {
  const bucket = keyBucket(flow, (k) => k);
  return ` AND (op IN ('T', 'S') OR pg_try_advisory_xact_lock(hashtext(${quoteText(`crossfade:${flow.id}`)}), ${bucket}))`;
}

/**
 * Re-reads both rows of what was applied. A key that has a new hint is not wrong, it is late. Hints are looked for only where
 * rows differ: the outbox has no index on its keys, since capture would pay for it, and a long one would be read for each call.
 */
function compareWritten(flow: Flow, validation: ValidationMode, unnested: string): string {
  if (validation === 'disabled') return '';
  const { outbox } = objectNames(flow.id);
  const { mapping } = flow;
  const compared = mapping.compared.map(({ sql }) => sql);
  const source = mapping.compared.map((_, index) => `s.c${index + 1}`);
  const target = comparedTargets(flow);
  const targetKey = `t.${quoteName(mapping.key[0]!.target.name)}`;
  const sampled = validation === 'relaxed' ? `AND random() < ${1 / RELAXED_EVERY}` : '';
  const differs = `(s.present IS NULL) <> (${targetKey} IS NULL) OR (s.present AND ${record(source)} *<> ${record(target)})`;
  return `
  SELECT count(*), count(*) FILTER (WHERE d.differs) INTO v_checked, v_mismatched FROM (
    SELECT ${keys(flow, (k) => `k.${k}`)}, coalesce(${differs}, false) AS differs
    FROM ${unnested}
    LEFT JOIN ${transformed(flow, 'k', compared)} s ON true
    LEFT JOIN ${targetTable(flow)} AS t ON ${targetIs(flow, 'k')}
    WHERE (cardinality(v_failed) = 0 OR NOT ${keyText(flow, (i) => `k.k${i + 1}`)} = ANY (v_failed)) ${sampled}
    OFFSET 0) d
  WHERE NOT d.differs OR NOT EXISTS (SELECT FROM ${outbox} o WHERE o.op <> 'T' AND ${keys(flow, (k) => `o.${k} = d.${k}`, ' AND ')});`;
}
