/**
 * Converge: make the target's row of each claimed key equal the transformed source row, in one call.
 *
 *   claim hints ─→ lock keys ─→ NEXT statement: read source, write target ─→ delete hints ─→ NEXT statement: compare
 *
 * Why it converges: a hint is visible only after its change committed, and its applier reads later, so it sees that change;
 * every later applier of the same key gets the lock later and reads later still. Doubled, reordered and merged hints are free.
 */

import type { ValidationMode } from '../cutover.ts';
import { quoteName, quoteText } from '../table-shape.ts';
import {
  asSource,
  asTarget,
  type Flow,
  fence,
  KEY_ERRORS,
  keys,
  keyText,
  keyType,
  objectNames,
  record,
  securely,
  sourceIs,
  sourceTable,
  targetIs,
  targetTable,
} from './names.ts';

/** Breaks a rule, to show that the tests notice. Only tests pass it. */
export type Sabotage = {
  omit?: 'key-lock' | 'fence' | 'quarantine' | 'pending-hints' | 'ghost-sweep';
  /** Seconds between reading the source and writing the target: makes races likely, in good and bad variants alike. */
  dawdle?: number;
};

/** Tries before a key goes to quarantine, and the pause after the first one; it doubles each time. */
const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 250;
const BUCKETS = 4_096;
/** `relaxed` validation looks at one key in this many. */
const RELAXED_EVERY = 10;

/** `apply_<id>(keys…)`: reads the source and writes the target, in one statement with one snapshot. */
export function createApply(flow: Flow, sabotage: Sabotage = {}): string {
  const { apply } = objectNames(flow.id);
  const { mapping } = flow;
  const columns = mapping.written.map(({ target }) => quoteName(target));
  const values = mapping.written.map((_, index) => `src.c${index + 1}`);
  const expressions = mapping.written.map(({ sql }, index) => `${sql} AS c${index + 1}`);
  const keyColumns = mapping.key.map(({ target }) => quoteName(target.name));
  const updated = mapping.written
    .filter(({ target, insertOnly }) => !insertOnly && !mapping.key.some((pair) => pair.target.name === target))
    .map(({ target }) => quoteName(target));
  const onConflict =
    updated.length === 0
      ? 'DO NOTHING'
      : `DO UPDATE SET ${updated.map((name) => `${name} = EXCLUDED.${name}`).join(', ')}
      WHERE ${record(updated.map((name) => `t.${name}`))} *<> ${record(updated.map((name) => `EXCLUDED.${name}`))}`;
  const nap = sabotage.dawdle
    ? `nap AS MATERIALIZED (SELECT pg_sleep(${sabotage.dawdle}) FROM (SELECT count(*) FROM src) s),`
    : '';
  const afterNap = sabotage.dawdle ? ', nap' : '';
  return `CREATE FUNCTION ${apply}(${keys(flow, (k, i) => `p_${k} ${keyType(mapping.key[i]!.source)}[]`)}, OUT crossfade_written integer, OUT crossfade_deleted integer)
${securely(flow)} AS $crossfade$
#variable_conflict use_column
BEGIN
  WITH k AS (SELECT * FROM unnest(${keys(flow, (k) => `p_${k}`)}) AS k(${keys(flow, (k) => k)})),
  src AS MATERIALIZED (
    SELECT ${keys(flow, (k) => `k.${k}`)}, s.*
    FROM k LEFT JOIN LATERAL (
      SELECT true AS present, ${expressions.join(',\n        ')}
      FROM ${sourceTable(flow)} AS p WHERE ${sourceIs(flow, 'k')}
    ) s ON true
  ),
  ${nap}
  up AS (
    INSERT INTO ${targetTable(flow)} AS t (${columns.join(', ')}) OVERRIDING SYSTEM VALUE
    SELECT ${values.join(', ')} FROM src${afterNap} WHERE src.present
    ON CONFLICT (${keyColumns.join(', ')}) ${onConflict}
    RETURNING 1
  ),
  -- Absent in this very read, not in a later one: the row cannot have come back in between.
  del AS (
    DELETE FROM ${targetTable(flow)} AS t USING src${afterNap} WHERE src.present IS NULL AND ${targetIs(flow, 'src')}
    RETURNING 1
  )
  SELECT (SELECT count(*) FROM up), (SELECT count(*) FROM del) INTO crossfade_written, crossfade_deleted;
END $crossfade$`;
}

/** `converge_<id>(epoch, limit)`: claims at most `limit` hints and applies them. Returns counts as jsonb. */
export function createConverge(flow: Flow, validation: ValidationMode, sabotage: Sabotage = {}): string {
  const { converge, apply, outbox } = objectNames(flow.id);
  const { id, mapping } = flow;
  const variables = keys(flow, (k, i) => `v_${k} ${keyType(mapping.key[i]!.source)}[]`, ';\n  ');
  const arrays = keys(flow, (k) => `v_${k}`);
  const unnested = `unnest(${arrays}) AS k(${keys(flow, (k) => k)})`;
  const one = keys(flow, (k) => `v_${k}[i:i]`);
  const isOne = keys(flow, (k) => `o.${k} = v_${k}[i]`, ' AND ');
  return `CREATE FUNCTION ${converge}(p_epoch bigint, p_limit integer) RETURNS jsonb
${securely(flow)} AS $crossfade$
#variable_conflict use_column
DECLARE
  v_have bigint;
  v_seqs bigint[];
  v_truncated boolean;
  ${variables};
  v_kept bigint[] := '{}';
  v_failed text[] := '{}';
  v_alone boolean := false;
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
  w integer;
  d integer;
BEGIN
  IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 10000 THEN
    RAISE EXCEPTION 'converge takes 1 to 10000 hints, not %', p_limit USING ERRCODE = 'CF004';
  END IF;${sabotage.omit === 'fence' ? '' : fence(id)}

  -- Claim. Whoever dies now gives them back.
  WITH claimed AS MATERIALIZED (
    SELECT seq, op, ${keys(flow, (k) => k)} FROM ${outbox}
    WHERE not_before IS NULL OR not_before <= clock_timestamp()
    ORDER BY seq LIMIT p_limit FOR UPDATE SKIP LOCKED
  ), wanted AS (SELECT DISTINCT ${keys(flow, (k) => k)} FROM claimed WHERE op = 'K')
  SELECT (SELECT array_agg(seq) FROM claimed), (SELECT coalesce(bool_or(op = 'T'), false) FROM claimed),
    ${keys(flow, (k) => `array_agg(${k} ORDER BY ${keys(flow, (name) => name)})`)}
  INTO v_seqs, v_truncated, ${arrays} FROM wanted;
  IF v_seqs IS NULL THEN
    RETURN jsonb_build_object('kind', 'converged', 'claimed', 0, 'written', 0, 'deleted', 0, 'checked', 0, 'mismatched', 0,
      'postponed', 0, 'quarantined', 0, 'remaining', 0);
  END IF;

  IF v_truncated THEN
    -- Every key that is in the target only gets a hint; its applier looks again before it deletes anything.
    INSERT INTO ${outbox} (${keys(flow, (k) => k)})
    SELECT ${keys(flow, (_, i) => asSource(flow, i, `t.${quoteName(mapping.key[i]!.target.name)}`))} FROM ${targetTable(flow)} AS t
    WHERE NOT EXISTS (SELECT FROM ${sourceTable(flow)} AS p
      WHERE ${keys(flow, (_, i) => `${asTarget(flow, i, `p.${quoteName(mapping.key[i]!.source.name)}`)} = t.${quoteName(mapping.key[i]!.target.name)}`, ' AND ')});
  END IF;

  IF v_k1 IS NOT NULL THEN
    ${
      sabotage.omit === 'key-lock'
        ? ''
        : lockKeys(
            id,
            keys(flow, (k) => `k.${k}`),
            unnested,
          )
    }
    -- A new statement, so a new snapshot: what it reads was read after the lock was ours.
    BEGIN
      SELECT a.crossfade_written, a.crossfade_deleted INTO v_written, v_deleted FROM ${apply}(${arrays}) a;
    EXCEPTION WHEN ${KEY_ERRORS} THEN
      v_alone := true;
      v_written := 0;
      v_deleted := 0;
    END;
    IF v_alone THEN
      FOR i IN 1 .. cardinality(v_k1) LOOP
        BEGIN
          SELECT a.crossfade_written, a.crossfade_deleted INTO w, d FROM ${apply}(${one}) a;
          v_written := v_written + w;
          v_deleted := v_deleted + d;
        EXCEPTION WHEN ${KEY_ERRORS} THEN
          GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT;
          v_key := ${keyText(flow, (i) => `v_k${i + 1}[i]`)};
          v_failed := v_failed || v_key;
          SELECT max(o.attempts) + 1 INTO v_attempts FROM ${outbox} o WHERE o.seq = ANY (v_seqs) AND o.op = 'K' AND ${isOne};
          IF v_attempts < ${ATTEMPTS} THEN
            -- A unique value that another key still holds is free when that key's hint has been applied.
            WITH put_off AS (
              UPDATE ${outbox} o SET attempts = v_attempts,
                not_before = clock_timestamp() + make_interval(secs => ${FIRST_PAUSE_MS / 1000} * 2 ^ (v_attempts - 1))
              WHERE o.seq = ANY (v_seqs) AND o.op = 'K' AND ${isOne} RETURNING o.seq)
            SELECT v_kept || array_agg(seq) INTO v_kept FROM put_off;
            v_postponed := v_postponed + 1;
          ELSE
            ${sabotage.omit === 'quarantine' ? '' : `PERFORM crossfade.quarantine_key(${quoteText(id)}, v_key, v_state, v_message, v_attempts);`}
            v_quarantined := v_quarantined + 1;
          END IF;
        END;
      END LOOP;
    END IF;
  END IF;

  DELETE FROM ${outbox} o WHERE o.seq = ANY (v_seqs) AND NOT o.seq = ANY (v_kept);
  DELETE FROM crossfade.quarantine q WHERE q.cutover = ${quoteText(id)} AND NOT q.key = ANY (v_failed)
    AND q.key IN (SELECT ${keyText(flow, (i) => `k.k${i + 1}`)} FROM ${unnested});
  ${compareWritten(flow, validation, unnested)}
  RETURN jsonb_build_object('kind', 'converged', 'claimed', cardinality(v_seqs), 'written', v_written, 'deleted', v_deleted,
    'checked', v_checked, 'mismatched', v_mismatched, 'postponed', v_postponed, 'quarantined', v_quarantined,
    'remaining', (SELECT count(*) FROM (SELECT FROM ${outbox}
      WHERE not_before IS NULL OR not_before <= clock_timestamp() LIMIT 10000) r));
END $crossfade$`;
}

/** In sorted order, so that two appliers never wait for each other in a circle. Equal keys hash alike, whatever their text. */
function lockKeys(id: string, key: string, unnested: string): string {
  return `PERFORM pg_advisory_xact_lock(hashtext(${quoteText(`crossfade:${id}`)}), b.bucket) FROM (
      SELECT DISTINCT (hash_record_extended(ROW(${key}), 0) & ${BUCKETS - 1})::integer AS bucket FROM ${unnested} ORDER BY 1 OFFSET 0
    ) b;`;
}

/** Re-reads both rows of what was applied. A key that has a new hint is not wrong, it is late. */
function compareWritten(flow: Flow, validation: ValidationMode, unnested: string): string {
  if (validation === 'disabled') return '';
  const { outbox } = objectNames(flow.id);
  const { mapping } = flow;
  const compared = mapping.compared.map(({ sql }, index) => `${sql} AS c${index + 1}`);
  const source = mapping.compared.map((_, index) => `s.c${index + 1}`);
  const target = mapping.compared.map(({ target: name }) => `t.${quoteName(name)}`);
  const targetKey = `t.${quoteName(mapping.key[0]!.target.name)}`;
  const sampled = validation === 'relaxed' ? `AND random() < ${1 / RELAXED_EVERY}` : '';
  return `
  SELECT count(*), count(*) FILTER (WHERE (s.present IS NULL) <> (${targetKey} IS NULL)
      OR (s.present AND ${record(source)} *<> ${record(target)}))
  INTO v_checked, v_mismatched
  FROM ${unnested}
  LEFT JOIN LATERAL (SELECT true AS present${compared.map((column) => `, ${column}`).join('')}
    FROM ${sourceTable(flow)} AS p WHERE ${sourceIs(flow, 'k')}) s ON true
  LEFT JOIN ${targetTable(flow)} AS t ON ${targetIs(flow, 'k')}
  WHERE NOT EXISTS (SELECT FROM ${outbox} o WHERE ${keys(flow, (k) => `o.${k} = k.${k}`, ' AND ')})
    AND NOT ${keyText(flow, (i) => `k.k${i + 1}`)} = ANY (v_failed) ${sampled};`;
}
