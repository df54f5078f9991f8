/**
 * Converge between databases, where the primary is: `claim_<id>` reads the rows of a batch of hints, and `settle_<id>` deletes the
 * hints when the batch is written on the other side. In between the rows travel; no transaction is open meanwhile.
 *
 *   primary   claim: lock ─→ number ─→ NEXT statement: read rows      commit
 *   shadow                                                               receive: number higher than the last ─→ write    commit
 *   primary                                                                                                                 settle
 *
 * Two batches are read one after the other, since the lock is held until the end of the transaction that reads. So the one with the
 * higher number has the newer rows, and the other side takes numbers in ascending order only: no older image is ever written over a
 * newer one, a deletion included. A hint is deleted after the image that has its change is committed there, and never before.
 */

import { quoteText } from '../../shape.ts';
import {
  asTarget,
  type Flow,
  fence,
  keys,
  keyText,
  keyType,
  objectNames,
  securely,
  transformed,
  whenAKeyFails,
} from '../names.ts';
import {
  FLOOR,
  moveFloor,
  NEXT,
  readByIndex,
  rememberedMark,
  rememberMark,
  spent,
  WHOLE_LOOK_EVERY,
} from '../outbox.ts';
import { CONVERGE_LEASE_MS, remoteNames } from './names.ts';

/** Tries before a key goes to quarantine, and the pause after the first one; it doubles each time. */
const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 250;
/** Of the rows of a batch as text: the mover holds them in memory. A batch that is larger is read again with fewer hints. */
const MOST_BYTES = 8 * 1024 * 1024;

/** An element of the batch, all of it as texts, since an array takes any number of columns: key as people read it, is there a row, was it deleted before, key of the shadow, values of the shadow's columns. */
function image(flow: Flow): string {
  const { mapping } = flow;
  const parts = [
    keyText(flow, (i) => `k.k${i + 1}`),
    '(s.present IS NOT NULL)::text',
    'k.reset::text',
    ...mapping.key.map((_, i) => `(${asTarget(flow, i, `k.k${i + 1}`)})::text`),
    ...mapping.written.map((_, i) => `s.c${i + 1}`),
  ];
  return `array_to_json(ARRAY[${parts.join(', ')}]::text[])`;
}

const values = (flow: Flow) => flow.mapping.written.map(({ sql }) => `(${sql})::text`);

/**
 * `claim_<id>(epoch, limit)`: {kind: claimed, number, seqs, images, failed}, where `images` is a JSON array as text, or another kind:
 * stale, busy while another batch is under way, idle when there is no hint. `failed`: keys whose rows cannot be transformed.
 */
export function createClaim(flow: Flow): string {
  const { outbox } = objectNames(flow.id);
  const { claim } = remoteNames(flow.id);
  const { id, mapping } = flow;
  const list = keys(flow, (k) => k);
  const arrays = keys(flow, (k) => `v_${k}`);
  return `CREATE FUNCTION ${claim}(p_epoch bigint, p_limit integer) RETURNS jsonb
${securely()} AS $crossfade$
#variable_conflict use_column
DECLARE
  v_have bigint;
  v_mark bigint[] := ${rememberedMark(flow)};
  v_from bigint;
  v_number bigint;
  v_limit integer := p_limit;
  v_seqs bigint[];
  v_truncated boolean;
  v_unnamed boolean;
  ${keys(flow, (k, i) => `v_${k} ${keyType(mapping.key[i]!.source)}[]`, ';\n  ')};
  v_reset boolean[];
  v_images text := '[]';
  v_each text[];
  v_failed jsonb := '[]';
  v_state text;
  v_message text;
  i integer;
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 10000 THEN
    RAISE EXCEPTION 'converge takes 1 to 10000 hints, not %', p_limit USING ERRCODE = 'CF004';
  END IF;${fence(id)}
  v_number := crossfade.begin_batch(${quoteText(id)}, ${CONVERGE_LEASE_MS});
  IF v_number IS NULL THEN RETURN '{"kind": "busy"}'; END IF;
  IF EXISTS (SELECT FROM crossfade.missed m WHERE m.cutover = ${quoteText(id)}) THEN
    DELETE FROM crossfade.missed m WHERE m.cutover = ${quoteText(id)};
    PERFORM crossfade.begin_sweep(${quoteText(id)}, 'changes left no hint, since the outbox could not be written');
  END IF;
  ${moveFloor(flow)}
  LOOP
    v_from := CASE WHEN random() < ${1 / WHOLE_LOOK_EVERY} THEN v_mark[${FLOOR}] ELSE greatest(v_mark[${FLOOR}], v_mark[${NEXT}]) END;
    LOOP
      ${readByIndex('off')}
      WITH claimed AS MATERIALIZED (
        SELECT seq, op, ${list} FROM ${outbox} WHERE (not_before IS NULL OR not_before <= clock_timestamp()) AND seq >= v_from ORDER BY seq LIMIT v_limit
      ), wanted AS (
        SELECT ${list}, bool_or(op = 'D') AS reset FROM claimed WHERE op NOT IN ('T', 'S') GROUP BY ${list}
      )
      SELECT (SELECT array_agg(seq) FROM claimed), (SELECT coalesce(bool_or(op = 'T'), false) FROM claimed),
        (SELECT coalesce(bool_or(op = 'S'), false) FROM claimed), array_agg(reset ORDER BY ${list}), ${keys(flow, (k) => `array_agg(${k} ORDER BY ${list})`)}
      INTO v_seqs, v_truncated, v_unnamed, v_reset, ${arrays} FROM wanted;
      ${readByIndex('on')}
      EXIT WHEN v_from <= v_mark[${FLOOR}] OR cardinality(v_seqs) = v_limit;
      v_from := v_mark[${FLOOR}];
    END LOOP;
    IF v_seqs IS NULL THEN
      PERFORM crossfade.end_batch(${quoteText(id)}, v_number);
      RETURN jsonb_build_object('kind', 'idle', 'spent', ${spent(flow)});
    END IF;
    EXIT WHEN v_k1 IS NULL;
    ${readImages(flow)}
  END LOOP;
  ${rememberMark(flow)}
  IF v_unnamed OR v_truncated THEN
    PERFORM crossfade.begin_sweep(${quoteText(id)}, CASE WHEN v_truncated THEN 'the table was truncated' ELSE 'a change was captured whose key could not be read' END);
  END IF;
  RETURN jsonb_build_object('kind', 'claimed', 'number', v_number, 'seqs', to_jsonb(v_seqs), 'images', v_images, 'failed', v_failed);
END $crossfade$`;
}

/** Statements: the images of the claimed keys; where a row cannot be transformed, those of all others. */
function readImages(flow: Flow): string {
  const list = keys(flow, (k) => k);
  const arrays = keys(flow, (k) => `v_${k}`);
  const read = (what: string, from: string) =>
    `SELECT ${what} FROM ${from} AS k(${list}, reset) LEFT JOIN ${transformed(flow, 'k', values(flow))} s ON true`;
  return `-- A new statement, so a new snapshot: what it reads was read after the number was given.
    BEGIN
      ${read(`json_agg(${image(flow)})::text`, `unnest(${arrays}, v_reset)`)} INTO v_images;
      EXIT WHEN octet_length(v_images) <= ${MOST_BYTES} OR v_limit = 1;
      v_limit := greatest(1, v_limit / 8);
    EXCEPTION ${whenAKeyFails()} THEN
      v_each := '{}';
      v_failed := '[]';
      FOR i IN 1 .. cardinality(v_k1) LOOP
        BEGIN
          ${read(`v_each || ${image(flow)}::text`, `unnest(${keys(flow, (k) => `v_${k}[i:i]`)}, v_reset[i:i])`)} INTO v_each;
        EXCEPTION ${whenAKeyFails()} THEN
          GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT;
          v_failed := v_failed || jsonb_build_object('key', ${keyText(flow, (n) => `v_k${n + 1}[i]`)}, 'sqlstate', v_state, 'message', v_message);
        END;
      END LOOP;
      v_images := '[' || array_to_string(v_each, ',') || ']';
      EXIT;
    END;`;
}

/**
 * `settle_<id>(number, seqs, failed)`: the batch is committed on the other side, but for the keys that failed. They are put off, or go
 * to quarantine when they had their tries. Changes nothing when a later batch has begun: its mover settles what it finds.
 */
export function createSettle(flow: Flow): string {
  const { outbox } = objectNames(flow.id);
  const { settle } = remoteNames(flow.id);
  const id = quoteText(flow.id);
  const text = keyText(flow, (i) => `o.k${i + 1}`);
  const mine = `o.seq = ANY (p_seqs) AND o.op NOT IN ('T', 'S') AND ${text} = v_one.key`;
  return `CREATE FUNCTION ${settle}(p_number bigint, p_seqs bigint[], p_failed jsonb) RETURNS jsonb
${securely()} AS $crossfade$
#variable_conflict use_column
DECLARE
  v_one record;
  v_tries integer;
  v_deleted boolean;
  v_kept bigint[] := '{}';
  v_postponed integer := 0;
  v_quarantined integer := 0;
  v_left bigint;
BEGIN
  PERFORM FROM crossfade.batch b WHERE b.cutover = ${id} AND b.number = p_number FOR UPDATE;
  IF NOT FOUND THEN RETURN jsonb_build_object('kind', 'overtaken'); END IF;
  FOR v_one IN SELECT f.key, f.sqlstate, f.message FROM jsonb_to_recordset(p_failed) f(key text, sqlstate text, message text) LOOP
    SELECT max(o.attempts) + 1, bool_or(o.op = 'D') INTO v_tries, v_deleted FROM ${outbox} o WHERE ${mine};
    IF v_tries < ${ATTEMPTS} THEN
      WITH put_off AS (
        UPDATE ${outbox} o SET attempts = v_tries, not_before = clock_timestamp() + make_interval(secs => ${FIRST_PAUSE_MS / 1000} * 2 ^ (v_tries - 1))
        WHERE ${mine} RETURNING o.seq)
      SELECT v_kept || coalesce(array_agg(seq), '{}') INTO v_kept FROM put_off;
      v_postponed := v_postponed + 1;
    ELSIF v_tries IS NOT NULL THEN
      PERFORM crossfade.quarantine_key(${id}, v_one.key, v_one.sqlstate, v_one.message, v_tries, v_deleted);
      v_quarantined := v_quarantined + 1;
    END IF;
  END LOOP;
  IF EXISTS (SELECT FROM crossfade.quarantine q WHERE q.cutover = ${id}) THEN
    DELETE FROM crossfade.quarantine q USING ${outbox} o WHERE q.cutover = ${id} AND o.seq = ANY (p_seqs) AND o.op NOT IN ('T', 'S')
      AND q.key_hash = crossfade.key_hash(${text}) AND NOT p_failed @> jsonb_build_array(jsonb_build_object('key', ${text}));
  END IF;
  DELETE FROM ${outbox} o WHERE o.seq = ANY (p_seqs) AND NOT o.seq = ANY (v_kept);
  PERFORM crossfade.end_batch(${id}, p_number);
  SELECT count(*) INTO v_left FROM (SELECT FROM ${outbox} WHERE not_before IS NULL OR not_before <= clock_timestamp() LIMIT 10000) r;
  RETURN jsonb_build_object('kind', 'settled', 'postponed', v_postponed, 'quarantined', v_quarantined, 'remaining', v_left, 'spent', v_left = 0 AND ${spent(flow)});
END $crossfade$`;
}
