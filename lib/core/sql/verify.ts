/**
 * Verification: in ONE snapshot, a key that differs and has no un-applied hint is a divergence; a key that differs and has
 * one is only late. So there are no false alarms while the application writes, and nothing has to wait.
 */

import { quoteName, quoteText } from '../table-shape.ts';
import {
  asSource,
  asTarget,
  type Flow,
  fence,
  keys,
  keyText,
  objectNames,
  record,
  securely,
  sourceTable,
  targetTable,
} from './names.ts';
import type { Sabotage } from './sabotage.ts';

const SAMPLES = 20;

/** `verify_<id>(epoch, at_ms)`: one complete pass; stores and returns its result as jsonb. */
export function createVerify(flow: Flow, sabotage: Sabotage = {}): string {
  const { verify } = objectNames(flow.id);
  const id = quoteText(flow.id);
  return `CREATE FUNCTION ${verify}(p_epoch bigint, p_at_ms bigint) RETURNS jsonb
${securely(flow)} AS $crossfade$
#variable_conflict use_column
DECLARE
  v_have bigint;
  v_rows bigint;
  v_divergences bigint;
  v_samples jsonb;
  v_score double precision;
BEGIN${sabotage.omit === 'fence' ? '' : fence(flow.id)}
  IF EXISTS (SELECT FROM crossfade.backfill b WHERE b.cutover = ${id} AND b.state <> 'done') THEN
    RETURN jsonb_build_object('kind', 'unready', 'why', 'the backfill is not done');
  END IF;
  WITH ${differing(flow, sabotage)}
  SELECT (SELECT count(*) FROM ${sourceTable(flow)}), (SELECT count(*) FROM diff),
    (SELECT coalesce(jsonb_agg(jsonb_build_object('key', d.key, 'columns', d.columns)), '[]')
     FROM (SELECT key, columns FROM diff ORDER BY key LIMIT ${SAMPLES}) d)
  INTO v_rows, v_divergences, v_samples;
  v_score := CASE WHEN v_rows = 0 THEN CASE WHEN v_divergences = 0 THEN 1 ELSE 0 END
    ELSE greatest(0, 1 - v_divergences::double precision / v_rows) END;
  INSERT INTO crossfade.verification AS v (cutover, epoch, rows_compared, divergences, score, at_ms, samples)
  VALUES (${id}, p_epoch, v_rows, v_divergences, v_score, p_at_ms, v_samples)
  ON CONFLICT (cutover) DO UPDATE SET epoch = EXCLUDED.epoch, rows_compared = EXCLUDED.rows_compared,
    divergences = EXCLUDED.divergences, score = EXCLUDED.score, at_ms = EXCLUDED.at_ms, samples = EXCLUDED.samples;
  RETURN jsonb_build_object('kind', 'verified', 'rowsCompared', v_rows, 'divergences', v_divergences, 'score', v_score,
    'atMs', p_at_ms, 'samples', v_samples);
END $crossfade$`;
}

/** `repair_<id>()`: a hint for every diverged key. Converge reads and writes them anew. */
export function createRepair(flow: Flow): string {
  const { repair, outbox } = objectNames(flow.id);
  return `CREATE FUNCTION ${repair}() RETURNS jsonb
${securely(flow)} AS $crossfade$
#variable_conflict use_column
DECLARE
  v_enqueued bigint;
BEGIN
  WITH ${differing(flow, {})}
  INSERT INTO ${outbox} (${keys(flow, (k) => k)}) SELECT ${keys(flow, (k) => `d.${k}`)} FROM diff d;
  GET DIAGNOSTICS v_enqueued = ROW_COUNT;
  RETURN jsonb_build_object('enqueued', v_enqueued);
END $crossfade$`;
}

/** Common table expression \`diff\`: the diverged keys (as the source's types), their text, and the columns that differ. */
function differing(flow: Flow, sabotage: Sabotage): string {
  const { outbox } = objectNames(flow.id);
  const { mapping } = flow;
  const id = quoteText(flow.id);
  const first = quoteName(mapping.key[0]!.target.name);
  const expressions = mapping.compared.map(({ sql }, index) => `, ${sql} AS c${index + 1}`).join('');
  const source = mapping.compared.map((_, index) => `s.c${index + 1}`);
  const target = mapping.compared.map(({ target: name }) => `t.${quoteName(name)}`);
  const named = mapping.compared.map(
    ({ target: name }, index) =>
      `CASE WHEN s.present AND t.${first} IS NOT NULL AND ${record([`s.c${index + 1}`])} *<> ${record([`t.${quoteName(name)}`])} THEN ${quoteText(name)} END`,
  );
  const targetKey = (i: number) => `t.${quoteName(mapping.key[i]!.target.name)}`;
  const pending =
    sabotage.omit === 'pending-hints'
      ? ''
      : `AND NOT EXISTS (SELECT FROM ${outbox} o WHERE o.op <> 'T' AND ${keys(flow, (k) => `o.${k} = d.${k}`, ' AND ')})
      -- Truncated and not swept yet: rows without a source are late, not wrong.
      AND NOT (d.present IS NULL AND EXISTS (SELECT FROM ${outbox} o WHERE o.op = 'T'))`;
  return `unequal AS (
    SELECT ${keys(flow, (k, i) => `coalesce(s.${k}, ${asSource(flow, i, targetKey(i))}) AS ${k}`)}, s.present,
      array_remove(ARRAY[${named.join(', ')}]::text[], NULL) AS columns
    FROM (SELECT true AS present, ${keys(flow, (k, i) => `p.${quoteName(mapping.key[i]!.source.name)} AS ${k}`)}${expressions}
      FROM ${sourceTable(flow)} AS p) s
    FULL JOIN ${targetTable(flow)} AS t ON ${keys(flow, (k, i) => `${asTarget(flow, i, `s.${k}`)} = ${targetKey(i)}`, ' AND ')}
    WHERE s.present IS NULL OR ${targetKey(0)} IS NULL OR ${record(source)} *<> ${record(target)}
  ), diff AS MATERIALIZED (
    SELECT ${keys(flow, (k) => `d.${k}`)}, ${keyText(flow, (i) => `d.k${i + 1}`)} AS key, d.columns
    FROM unequal d
    WHERE NOT EXISTS (SELECT FROM crossfade.quarantine q WHERE q.cutover = ${id} AND q.key = ${keyText(flow, (i) => `d.k${i + 1}`)})
      ${pending}
  )`;
}
