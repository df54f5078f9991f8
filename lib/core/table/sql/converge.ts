/**
 * Converge: make the target's row of each claimed key equal the transformed source row, in one call.
 *
 *   claim hints ─→ lock keys ─→ NEXT statement: read source, write target ─→ delete hints ─→ NEXT statement: compare
 *
 * Why it converges: a hint is visible only after its change committed, and its applier reads later, so it sees that change;
 * every later applier of the same key gets the lock later and reads later still. Doubled, reordered and merged hints are free.
 */

import type { ValidationMode } from '../../cutover/cutover.ts';
import { namesExactly } from '../equality.ts';
import { isPartitioned, quoteName, quoteText } from '../shape.ts';
import { unwritten } from './apply.ts';
import { comparedSources, comparedTargets } from './compared.ts';
import { equalKeys, sameKey } from './key-operators.ts';
import {
  asSource,
  asTarget,
  type Flow,
  fence,
  isQuarantined,
  keyBucket,
  keys,
  keyText,
  keyType,
  objectNames,
  quarantinedPart,
  readingKeys,
  rowValue,
  securely,
  sourceIs,
  sourceTable,
  targetIs,
  targetTable,
  transformed,
  whenAKeyFails,
} from './names.ts';
import {
  FLOOR,
  moveFloor,
  NEXT,
  readByIndex,
  rememberedMark,
  rememberMark,
  spent,
  WHOLE_LOOK_EVERY,
} from './outbox.ts';
import { CHECKED_AT_ONCE, inSegment, markTouched, WRITING } from './segments.ts';
import { markQuarantined } from './sync-status.ts';

/** Tries before a key goes to quarantine, and the pause after the first one; it doubles each time. */
const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 250;
/** How often keys that do not fit are taken out of a circle of unique values, before the rest of it waits for another try. */
const CIRCLE_TRIES = 4;
/** Hints that are taken along into a circle: as many as can be written in one call. */
const MOST_TAKEN = 20_000;
/** Why a value is still another key's after all tries, where more of them wait than that. */
const CIRCLE_FULL = ` (${MOST_TAKEN} or more changes waited, and unique values change hands among at most ${MOST_TAKEN} in one call; retry it when fewer wait)`;
/** `relaxed` validation looks at one key in this many. */
const RELAXED_EVERY = 10;

/** `converge_<id>(epoch, limit)`: claims at most `limit` hints and applies them. Returns counts as jsonb. */
export function createConverge(flow: Flow, validation: ValidationMode): string {
  const { converge, outbox } = objectNames(flow.id);
  const { id, mapping } = flow;
  const variables = keys(flow, (k, i) => `v_${k} ${keyType(mapping.key[i]!.source)}[]`, ';\n  ');
  const arrays = keys(flow, (k) => `v_${k}`);
  const unnested = `unnest(${arrays}) AS k(${keys(flow, (k) => k)})`;
  return `CREATE FUNCTION ${converge}(p_epoch bigint, p_limit integer) RETURNS jsonb
${securely()} AS $crossfade$
#variable_conflict use_column
DECLARE
  v_have bigint;
  v_mark bigint[] := ${rememberedMark(flow)};
  v_from bigint;
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
  v_exchanged integer[] := '{}';
  v_places integer[];
  v_place integer;
  -- Of waiting changes no more are taken along into a circle than in this call.
  v_full boolean := false;
  v_kept bigint[] := '{}';
  v_failed text[] := '{}';
  -- Keys that the target cannot have and the source has no more.
  v_settled text[] := '{}';
  v_wide integer := 0;
  v_written integer := 0;
  v_deleted integer := 0;
  v_checked integer := 0;
  v_mismatched integer := 0;
  v_postponed integer := 0;
  v_quarantined integer := 0;
  v_tries integer[];
  v_left bigint;
  v_state text;
  v_message text;${isPartitioned(flow.target) ? '\n  v_constraint text;\n  v_detail text;' : ''}
  i integer;
  j integer;
  w integer;
  d integer;
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 10000 THEN
    RAISE EXCEPTION 'converge takes 1 to 10000 hints, not %', p_limit USING ERRCODE = 'CF004';
  END IF;${fence(id)}

  ${WRITING}
  ${CHECKED_AT_ONCE}
  IF EXISTS (SELECT FROM crossfade.missed m WHERE m.cutover = ${quoteText(id)}) THEN
    DELETE FROM crossfade.missed m WHERE m.cutover = ${quoteText(id)};
    PERFORM crossfade.begin_sweep(${quoteText(id)}, 'changes left no hint, since the outbox could not be written');
  END IF;
  ${moveFloor(flow)}
  ${readByIndex('off')}
  -- Claim. Whoever dies now gives them back. Once in a while, and whenever little is found, from the floor on.
  v_from := CASE WHEN random() < ${1 / WHOLE_LOOK_EVERY} THEN v_mark[${FLOOR}] ELSE greatest(v_mark[${FLOOR}], v_mark[${NEXT}]) END;
  LOOP
  WITH claimed AS MATERIALIZED (
    SELECT seq, op, ${keys(flow, (k) => k)} FROM ${outbox}
    WHERE (not_before IS NULL OR not_before <= clock_timestamp()) AND seq >= v_from${flow.inline ? unlessLocked(flow) : ''}
    ORDER BY seq LIMIT p_limit FOR UPDATE SKIP LOCKED
  ), wanted AS (
    SELECT ${keys(flow, (k) => k)}, bool_or(op = 'D') AS reset FROM claimed WHERE op NOT IN ('T', 'S') GROUP BY ${keys(flow, (k) => k)}
  )
  SELECT (SELECT array_agg(seq) FROM claimed), (SELECT coalesce(bool_or(op = 'T'), false) FROM claimed),
    (SELECT coalesce(bool_or(op = 'S'), false) FROM claimed),
    array_agg(reset ORDER BY ${keys(flow, (k) => k)}), ${keys(flow, (k) => `array_agg(${k} ORDER BY ${keys(flow, (name) => name)})`)}
  INTO v_seqs, v_truncated, v_unnamed, v_reset, ${arrays} FROM wanted;
  EXIT WHEN v_from <= v_mark[${FLOOR}] OR cardinality(v_seqs) = p_limit;
  v_from := v_mark[${FLOOR}];
  END LOOP;
  ${readByIndex('on')}
  ${rememberMark(flow)}
  IF v_seqs IS NULL THEN
    RETURN jsonb_build_object('kind', 'converged', 'claimed', 0, 'written', 0, 'deleted', 0, 'checked', 0, 'mismatched', 0,
      'postponed', 0, 'quarantined', 0, 'remaining', 0, 'spent', ${spent(flow)});
  END IF;
  IF v_unnamed THEN
    -- Before anything else is locked: this waits for a chunk of the copy that is under way.
    PERFORM crossfade.begin_sweep(${quoteText(id)}, 'a change was captured whose key could not be read');
  END IF;
  ${spreadTruncate(flow)}
  IF v_k1 IS NOT NULL THEN
    ${lockKeys(flow, unnested)}
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
    ${exchangeCircle(flow)}
    ${postpone(flow)}
  END IF;

  DELETE FROM ${outbox} o WHERE o.seq = ANY (v_seqs) AND NOT o.seq = ANY (v_kept);
  IF v_k1 IS NOT NULL AND EXISTS (SELECT FROM crossfade.quarantine q WHERE q.cutover = ${quoteText(id)}) THEN
    ${releaseQuarantined(flow, unnested)}
  END IF;
  IF v_k1 IS NOT NULL THEN
  ${markTouched(flow, unnested)}
  END IF;
  ${compareWritten(flow, validation, unnested)}
  ${readByIndex('off')}
  SELECT count(*) INTO v_left FROM (SELECT FROM ${outbox} WHERE seq >= v_from AND (not_before IS NULL OR not_before <= clock_timestamp()) ORDER BY seq LIMIT 10000) r;
  ${readByIndex('on')}
  RETURN jsonb_build_object('kind', 'converged', 'claimed', cardinality(v_seqs), 'written', v_written, 'deleted', v_deleted,
    'checked', v_checked, 'mismatched', v_mismatched, 'postponed', v_postponed, 'quarantined', v_quarantined,
    'remaining', v_left, 'spent', v_left = 0 AND ${spent(flow)});
END $crossfade$`;
}

/**
 * `spread_<id>(seq, rows)`: the next so many keys of the target, in their order, get a hint of their own for the truncation with this
 * number; its applier looks again before it deletes or resets anything. How far it came is kept in the control row, as its key.
 * Returns whether there are more. Planned for each call, as the copy is: a generic plan reads the target from its first key.
 */
export function createSpread(flow: Flow): string {
  const { outbox, spread } = objectNames(flow.id);
  const { mapping } = flow;
  const targetKey = (i: number) => `t.${quoteName(mapping.key[i]!.target.name)}`;
  const typed = (side: 'l' | 'h') =>
    mapping.key.map(({ source }, i) => `v_${side}${i + 1} ${keyType(source)};`).join(' ');
  const variables = (side: 'l' | 'h') => keys(flow, (_, i) => `v_${side}${i + 1}`);
  // With nothing to reset, a row that is back under its key is right already. Of a partition that was truncated, the others' rows are.
  const ghostsOnly = unwritten(flow).length === 0 || isPartitioned(flow.source);
  const hints = (key: (index: number) => string) => `INSERT INTO ${outbox} (op, ${keys(flow, (k) => k)})
    SELECT 'D', ${keys(flow, (_, i) => asSource(flow, i, targetKey(i)))} FROM ${targetTable(flow)} AS t WHERE ${inSegment(flow, 'target')}${
      ghostsOnly
        ? `
      AND NOT EXISTS (SELECT FROM ${sourceTable(flow)} AS p WHERE ${equalKeys(
        flow,
        (_, i) => key(i),
        (_, i) => targetKey(i),
      )})`
        : ''
    };`;
  return `CREATE FUNCTION ${spread}(p_seq bigint, p_rows integer) RETURNS boolean
${securely()} SET plan_cache_mode = force_custom_plan SET enable_seqscan = off AS $crossfade$
#variable_conflict use_column
DECLARE
  ${typed('l')}
  ${typed('h')}
BEGIN
  SELECT ${keys(flow, (k) => `o.${k}`)} INTO ${variables('l')} FROM ${outbox} o WHERE o.seq = p_seq AND o.op = 'T';
  SELECT ${keys(flow, (_, i) => asSource(flow, i, targetKey(i)))} INTO ${variables('h')} FROM ${targetTable(flow)} AS t
  WHERE ${inSegment(flow, 'target')} ORDER BY ${keys(flow, (_, i) => targetKey(i))} OFFSET p_rows - 1 LIMIT 1;
  ${readingKeys(flow, hints)}
  IF v_h1 IS NULL THEN RETURN false; END IF;
  UPDATE ${outbox} o SET ${keys(flow, (k, i) => `${k} = v_h${i + 1}`)} WHERE o.seq = p_seq AND o.op = 'T';
  RETURN true;
END $crossfade$`;
}

/** A truncation is spread over as many calls as it takes. The newest stands for all: it begins after them, and tables are truncated one after the other. */
function spreadTruncate(flow: Flow): string {
  const { outbox, spread } = objectNames(flow.id);
  return `IF v_truncated THEN
    SELECT max(o.seq) INTO v_left FROM ${outbox} o WHERE o.seq = ANY (v_seqs) AND o.op = 'T';
    IF ${spread}(v_left, p_limit) THEN v_kept := v_kept || v_left; END IF;
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
    WHERE q.cutover = ${id} AND ${stays} AND ${equalKeys(
      flow,
      (_, i) => quarantinedPart(flow, i),
      (k) => `k.${k}`,
    )};`;
  return `DELETE FROM crossfade.quarantine q WHERE q.cutover = ${id} AND ${stays}
      AND q.key_hash = ANY (ARRAY(SELECT crossfade.key_hash(${keyText(flow, (n) => `k.k${n + 1}`)}) FROM ${unnested}));`;
}

function writePart(flow: Flow): string {
  const { apply } = objectNames(flow.id);
  return `BEGIN
        SELECT a.crossfade_written, a.crossfade_deleted INTO w, d FROM ${apply}(${keys(flow, (k) => `v_${k}[i:j]`)}, v_reset[i:j]) a;
        v_written := v_written + w;
        v_deleted := v_deleted + d;
      EXCEPTION ${whenAKeyFails()} THEN
        IF i < j THEN
          v_low := v_low || ((i + j) / 2 + 1) || i;
          v_high := v_high || j || ((i + j) / 2);
        ELSE
          GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT;${namePartition(flow)}${nameTwins(flow)}${settleWhereNowhere(flow)}
          v_bad := v_bad || i;
          v_states := v_states || v_state;
          v_messages := v_messages || v_message;
        END IF;
      END;`;
}

/** Statement: nothing but the application keeps the key of a partitioned table unique, where it is a part of that table's own. */
function nameTwins(flow: Flow): string {
  if (!isPartitioned(flow.source)) return '';
  const reason = `more than one row of ${sourceTable(flow)} has this key: delete or change all but one`;
  return `
          IF v_state = '21000' THEN v_message := ${quoteText(reason)}; END IF;`;
}

/** Statements: the value for which there is no partition. Postgres names it in the detail, and no constraint, as it does where one is broken. */
function namePartition(flow: Flow): string {
  if (!isPartitioned(flow.target)) return '';
  return `
          IF v_state = '23514' THEN
            GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME, v_detail = PG_EXCEPTION_DETAIL;
            IF v_constraint = '' THEN v_message := format('%s. %s Create the partition: the row follows by itself', v_message, v_detail); END IF;
          END IF;`;
}

/**
 * Statements: a key that no cast makes one of the target, and that the source has no more, is on neither side and will be on
 * neither: there is nothing to write, and nothing to hold. A row that comes under it later leaves a hint.
 */
function settleWhereNowhere(flow: Flow): string {
  if (flow.mapping.key.every(({ source, target }) => source.type === target.type)) return '';
  const one = `(SELECT ${keys(flow, (k) => `v_${k}[i] AS ${k}`)}) k`;
  return `
          IF NOT EXISTS (SELECT FROM ${sourceTable(flow)} AS p, ${one} WHERE ${sourceIs(flow, 'k')}) THEN
            BEGIN
              PERFORM ${keys(flow, (k, n) => asTarget(flow, n, `k.${k}`))} FROM ${one};
            EXCEPTION WHEN data_exception THEN
              v_settled := v_settled || ${keyText(flow, (n) => `v_k${n + 1}[i]`)};
              CONTINUE;
            END;
          END IF;`;
}

/**
 * Keys that want unique values of each other are written together; whichever does not fit even so leaves the circle. A circle
 * may be larger than a batch: when keys fail again, all that wait are taken along, those first that were put off. Their hints and the
 * locks of their keys are taken only where they are free, since locks that are waited for here would be out of order.
 */
function exchangeCircle(flow: Flow): string {
  const { exchange, outbox } = objectNames(flow.id);
  const arrays = keys(flow, (k) => `v_${k}`);
  const chosen = (array: string) =>
    `ARRAY(SELECT a.value FROM unnest(v_circle) WITH ORDINALITY x(c, place) JOIN unnest(${array}) WITH ORDINALITY a(value, c) ON a.c = x.c ORDER BY x.place)`;
  const exchanged = `FOR d IN 1 .. ${CIRCLE_TRIES} LOOP
      EXIT WHEN cardinality(v_circle) = 0;
      SELECT ${exchange}(${keys(flow, (k) => chosen(`v_${k}`))}, ${chosen('v_reset')}) INTO v_places;
      EXIT WHEN v_places IS NULL;
      IF cardinality(v_places) > 0 THEN
        SELECT coalesce(array_agg(x.c ORDER BY x.place), '{}') INTO v_circle
        FROM unnest(v_circle) WITH ORDINALITY x(c, place) WHERE x.place NOT IN (SELECT unnest(v_places));
        CONTINUE;
      END IF;
      v_written := v_written + cardinality(v_circle);
      SELECT coalesce(array_agg(b.key ORDER BY b.place), '{}'), coalesce(array_agg(b.state ORDER BY b.place), '{}'), coalesce(array_agg(b.message ORDER BY b.place), '{}')
      INTO v_bad, v_states, v_messages
      FROM unnest(v_bad, v_states, v_messages) WITH ORDINALITY AS b(key, state, message, place) WHERE b.key NOT IN (SELECT unnest(v_circle));
      v_exchanged := v_circle;
      EXIT;
    END LOOP;`;
  const failing = `SELECT coalesce(array_agg(b.key ORDER BY b.key), '{}') INTO v_circle FROM unnest(v_bad, v_states) AS b(key, state)
    WHERE b.state IN ('23505', '23P01');`;
  const locked = `pg_try_advisory_xact_lock(hashtext(${quoteText(`crossfade:${flow.id}`)}), ${keyBucket(flow, (k) => `o.${k}`)})`;
  return `${failing}
    IF cardinality(v_circle) > 0 AND EXISTS (SELECT FROM ${outbox} o WHERE o.seq = ANY (v_seqs) AND o.attempts > 0) THEN
      v_wide := cardinality(v_k1);
      WITH waiting AS MATERIALIZED (
        SELECT o.seq, o.op, ${keys(flow, (k) => `o.${k}`)} FROM ${outbox} o
        WHERE o.op IN ('K', 'D') AND NOT o.seq = ANY (v_seqs) ORDER BY o.attempts DESC, o.seq LIMIT ${MOST_TAKEN} FOR UPDATE SKIP LOCKED
      ), taken AS MATERIALIZED (
        SELECT * FROM waiting o WHERE ${locked}
      ), more AS (
        SELECT ${keys(flow, (k) => `o.${k}`)}, bool_or(o.op = 'D') AS reset, min(o.seq) AS seq FROM taken o
        WHERE NOT EXISTS (SELECT FROM unnest(${arrays}) AS h(${keys(flow, (k) => k)}) WHERE ${sameKey(flow, 'h', 'o')})
        GROUP BY ${keys(flow, (k) => `o.${k}`)}
      )
      SELECT (SELECT count(*) FROM waiting) >= ${MOST_TAKEN}, v_seqs || ARRAY(SELECT seq FROM taken), v_reset || array_agg(reset ORDER BY seq), ${keys(flow, (k) => `v_${k} || array_agg(${k} ORDER BY seq)`)}
      INTO v_full, v_seqs, v_reset, ${arrays} FROM more;
      v_circle := v_circle || ARRAY(SELECT generate_series(v_wide + 1, cardinality(v_k1)));
    END IF;
    ${exchanged}
    IF v_wide > 0 THEN
      -- What was taken along in vain waits as it did, without a try more.
      WITH back AS MATERIALIZED (
        SELECT ${keys(flow, (k) => `k.${k}`)} FROM unnest(${arrays}) WITH ORDINALITY AS k(${keys(flow, (k) => k)}, place)
        WHERE k.place > v_wide AND k.place NOT IN (SELECT unnest(v_exchanged))
      )
      SELECT v_failed || ARRAY(SELECT ${keyText(flow, (n) => `b.k${n + 1}`)} FROM back b), v_kept || ARRAY(SELECT o.seq FROM ${outbox} o, back b
        WHERE o.seq = ANY (v_seqs) AND ${sameKey(flow, 'o', 'b')})
      INTO v_failed, v_kept;
    END IF;`;
}

/**
 * Puts what failed off, or into quarantine when it had its tries. All that is put off for as long is due at one moment: a unique
 * value that another key still holds is free when that key's hint has been applied.
 */
function postpone(flow: Flow): string {
  const { outbox } = objectNames(flow.id);
  const failed = `unnest(v_bad, v_tries) WITH ORDINALITY AS b(i, attempts, place), LATERAL (SELECT ${keys(flow, (k) => `v_${k}[b.i] AS ${k}`)} OFFSET 0) k`;
  const mine = `o.seq = ANY (v_seqs) AND o.op NOT IN ('T', 'S') AND ${sameKey(flow, 'o', 'k')}`;
  return `IF cardinality(v_bad) > 0 THEN
      SELECT array_agg(t.attempts ORDER BY t.place) INTO v_tries FROM (
        SELECT b.place, max(o.attempts) + 1 AS attempts FROM ${failed}, ${outbox} o WHERE ${mine} GROUP BY b.place) t;
      SELECT v_failed || array_agg(${keyText(flow, (n) => `k.k${n + 1}`)}) INTO v_failed FROM ${failed};
      WITH put_off AS (
        UPDATE ${outbox} o SET attempts = b.attempts,
          not_before = to_timestamp(ceil(extract(epoch FROM clock_timestamp())::float8 / s.seconds + 0.5) * s.seconds)
        FROM ${failed}, LATERAL (SELECT ${FIRST_PAUSE_MS / 1000} * 2 ^ (b.attempts - 1) AS seconds) s
        WHERE b.attempts < ${ATTEMPTS} AND ${mine} RETURNING o.seq)
      SELECT v_kept || coalesce(array_agg(seq), '{}') INTO v_kept FROM put_off;
      FOR v_place IN 1 .. cardinality(v_bad) LOOP
        i := v_bad[v_place];
        IF v_tries[v_place] < ${ATTEMPTS} THEN
          v_postponed := v_postponed + 1;
        ELSE
          PERFORM crossfade.quarantine_key(${quoteText(flow.id)}, ${keyText(flow, (n) => `v_k${n + 1}[i]`)}, v_states[v_place], v_messages[v_place] || CASE WHEN v_full AND v_states[v_place] IN ('23505', '23P01') THEN ${quoteText(CIRCLE_FULL)} ELSE '' END, v_tries[v_place], v_reset[i]);
          ${markQuarantined(flow)}
          v_quarantined := v_quarantined + 1;
        END IF;
      END LOOP;
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
  const compared = comparedSources(flow);
  const source = mapping.compared.map((_, index) => `s.c${index + 1}`);
  const target = comparedTargets(flow);
  const targetKey = `t.${quoteName(mapping.key[0]!.target.name)}`;
  const sampled = validation === 'relaxed' ? `AND random() < ${1 / RELAXED_EVERY}` : '';
  const differs = `(s.present IS NULL) <> (${targetKey} IS NULL) OR (s.present AND ${rowValue(source)} *<> ${rowValue(target)})`;
  return `
  SELECT count(*), count(*) FILTER (WHERE d.differs) INTO v_checked, v_mismatched FROM (
    SELECT ${keys(flow, (k) => `k.${k}`)}, coalesce(${differs}, false) AS differs
    FROM ${unnested}
    LEFT JOIN ${transformed(flow, 'k', compared)} s ON true
    LEFT JOIN ${targetTable(flow)} AS t ON ${targetIs(flow, 'k')}
    WHERE (cardinality(v_failed) + cardinality(v_settled) = 0
      OR NOT ${keyText(flow, (i) => `k.k${i + 1}`)} = ANY (v_failed || v_settled)) ${sampled}
    OFFSET 0) d
  WHERE NOT d.differs OR NOT EXISTS (SELECT FROM ${outbox} o WHERE o.op <> 'T' AND ${sameKey(flow, 'o', 'd')});`;
}
