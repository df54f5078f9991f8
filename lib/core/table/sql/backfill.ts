/**
 * Backfill: copies one chunk of existing rows per call, without a lock on any of them.
 *
 * A row that is deleted while its chunk is being copied would come back as a ghost: the copy reads it, its delete is
 * applied before the copy's insert is visible, and then the insert commits. So the ghosts of a chunk are looked for in a
 * LATER transaction than the one that inserted it:
 *
 *   call n      copy (c, d]                                     commit ─┐
 *   call n + 1                        sweep (c, d], copy (d, e]  ◀──────┘ sees every row that call n inserted
 */

import { beyondKey } from '../mapping.ts';
import { quoteName, quoteText } from '../shape.ts';
import { chooseScan, SCAN_SETTING } from './choose-scan.ts';
import { companionsOf, fillCompanions } from './companions.ts';
import { comparedSources, comparedTargets } from './compared.ts';
import { INLINE_PATIENCE } from './inline.ts';
import { equalKeys, orderedKeys } from './key-operators.ts';
import {
  asSource,
  asTarget,
  type Flow,
  fence,
  keys,
  keyType,
  objectNames,
  readingKeys,
  rowValue,
  securely,
  sourceTable,
  targetTable,
  whenAKeyFails,
} from './names.ts';
import { CHECKED_AT_ONCE, sortsAlike, WRITING } from './segments.ts';

/**
 * `backfill_<id>(epoch, rows)`: one chunk. Returns what was done as jsonb. Planned again for each call: a generic plan cannot
 * know that the range is narrow, and reads the whole table for every chunk. For the same reason no sequential scans: a
 * table without statistics makes every range look like a third of it.
 */
export function createBackfill(flow: Flow): string {
  const { backfill, outbox } = objectNames(flow.id);
  const { id, mapping } = flow;
  const sourceKey = keys(flow, (_, i) => `p.${quoteName(mapping.key[i]!.source.name)}`);
  const sourceKeyTexts = textsOf(flow, (i) => `p.${quoteName(mapping.key[i]!.source.name)}`);
  const descending = keys(flow, (_, i) => `p.${quoteName(mapping.key[i]!.source.name)} DESC`);
  const from = (variable: string) => after(flow, 'source', variable);
  const upTo = (variable: string) => until(flow, 'source', variable);
  return `CREATE FUNCTION ${backfill}(p_epoch bigint, p_rows integer) RETURNS jsonb
${securely()} SET plan_cache_mode = force_custom_plan SET enable_seqscan = off ${SCAN_SETTING} AS $crossfade$
#variable_conflict use_column
DECLARE
  v_have bigint;
  v_started timestamptz := clock_timestamp();
  v_row crossfade.backfill%ROWTYPE;
  v_to text[];
  v_rows bigint := 0;
  v_patience text := current_setting('lock_timeout');${
    companionsOf(flow).length === 0 ? '' : '\n  v_pages bigint;\n  v_until bigint;'
  }
BEGIN
  IF p_rows IS NULL OR p_rows NOT BETWEEN 1 AND 1000000 THEN
    RAISE EXCEPTION 'backfill copies 1 to 1000000 rows a call, not %', p_rows USING ERRCODE = 'CF004';
  END IF;${fence(id)}
  ${WRITING}
  ${CHECKED_AT_ONCE}
  SELECT * INTO v_row FROM crossfade.backfill b WHERE b.cutover = ${quoteText(id)} FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN RETURN jsonb_build_object('kind', 'busy'); END IF;
  IF v_row.state IN ('paused', 'cancelled') THEN RETURN jsonb_build_object('kind', v_row.state); END IF;
  IF v_row.state = 'done' THEN RETURN jsonb_build_object('kind', 'done', 'rowsDone', v_row.rows_done); END IF;${fillCompanions(flow)}

  IF v_row.upper_key IS NULL THEN
    -- Frozen: rows beyond it are inserted under the trigger and have hints.
    SELECT ${sourceKeyTexts} INTO v_row.upper_key FROM ${sourceTable(flow)} AS p ORDER BY ${descending} LIMIT 1;
  END IF;

  ${chooseScan(flow, { source: from('v_row.swept_key') })}
  ${sweepChunk(flow)}
  v_row.swept_key := v_row.copied_key;

  IF v_row.upper_key IS NULL OR v_row.copied_key = v_row.upper_key THEN
    ${sweepAll(flow)}
    UPDATE crossfade.backfill b SET state = 'done', swept_key = v_row.swept_key, updated_at = clock_timestamp(),
      elders = crossfade.open_transactions()
    WHERE b.cutover = ${quoteText(id)};
    RETURN jsonb_build_object('kind', 'done', 'rowsDone', v_row.rows_done);
  END IF;

  -- The key becomes text outside: of a row that OFFSET skips everything selected is computed, too.
  SELECT ${textsOf(flow, (i) => `e.k${i + 1}`)} INTO v_to FROM (
    SELECT ${keys(flow, (_, i) => `p.${quoteName(mapping.key[i]!.source.name)} AS k${i + 1}`)} FROM ${sourceTable(flow)} AS p
    WHERE ${from('v_row.copied_key')} AND ${upTo('v_row.upper_key')}
    ORDER BY ${sourceKey} OFFSET p_rows - 1 LIMIT 1) AS e;
  v_rows := p_rows;
  IF v_to IS NULL THEN
    v_to := v_row.upper_key;
    SELECT count(*) INTO v_rows FROM ${sourceTable(flow)} AS p WHERE ${from('v_row.copied_key')} AND ${upTo('v_to')};
  END IF;

  BEGIN
    ${flow.inline ? withPatience(copyChunk(flow)) : copyChunk(flow)}
  EXCEPTION ${flow.inline ? whenAKeyFails('object_not_in_prerequisite_state') : whenAKeyFails()} THEN
    -- Some row does not fit${flow.inline ? ', or an open transaction of the application has written it inline' : ''}. Converge takes the keys one by one.
    INSERT INTO ${outbox} (${keys(flow, (k) => k)})
    SELECT ${sourceKey} FROM ${sourceTable(flow)} AS p WHERE ${from('v_row.copied_key')} AND ${upTo('v_to')};
  END;

  UPDATE crossfade.backfill b SET copied_key = v_to, swept_key = v_row.swept_key, upper_key = v_row.upper_key,
    rows_done = v_row.rows_done + v_rows, updated_at = clock_timestamp(),
    -- Of the last minute or so; a pause is not counted for more than ten seconds.
    rate = coalesce(0.9 * v_row.rate + 0.1 * r.now, r.now)
  FROM (SELECT v_rows / greatest(0.001, extract(epoch FROM clock_timestamp() - greatest(v_row.updated_at, v_started - interval '10 s'))) AS now) r
  WHERE b.cutover = ${quoteText(id)};
  RETURN jsonb_build_object('kind', 'copied', 'rows', v_rows, 'rowsDone', v_row.rows_done + v_rows, 'rowsTotal', v_row.rows_total,
    'tookMs', round(extract(epoch FROM clock_timestamp() - v_started) * 1000));
END $crossfade$`;
}

/** A key as it is held between two calls. */
function textsOf(flow: Flow, column: (i: number) => string): string {
  return `ARRAY[${keys(flow, (_, i) => `crossfade.key_text(${column(i)})`)}]`;
}

/** Rows beyond a key that is held as text; a key that is NULL is before all others. */
function after(flow: Flow, side: 'source' | 'target', variable: string): string {
  return `(${variable} IS NULL OR ${orderedKeys(flow, keyColumn(flow, side), '>', bound(flow, side, variable))})`;
}

/** Rows up to a key that is held as text, and its own. */
function until(flow: Flow, side: 'source' | 'target', variable: string): string {
  return orderedKeys(flow, keyColumn(flow, side), '<=', bound(flow, side, variable));
}

const keyColumn = (flow: Flow, side: 'source' | 'target') => (_: string, i: number) =>
  `${side === 'source' ? 'p' : 't'}.${quoteName(flow.mapping.key[i]![side].name)}`;

const bound = (flow: Flow, side: 'source' | 'target', variable: string) => (_: string, i: number) =>
  `(${variable}[${i + 1}])::${keyType(flow.mapping.key[i]![side])}`;

/**
 * Inserts the rows of (copied_key, v_to]. ON CONFLICT makes every row of an INSERT twice as dear: it looks for the key first and
 * confirms the row in a record of its own. So keys that are there already are left out by a join of two ranges; when
 * converge writes one more of them meanwhile, the chunk begins again, the careful way.
 */
function copyChunk(flow: Flow): string {
  const { mapping } = flow;
  const insert = `INSERT INTO ${targetTable(flow)} (${mapping.written.map(({ target }) => quoteName(target)).join(', ')}) OVERRIDING SYSTEM VALUE
    SELECT ${mapping.written.map(({ sql }) => sql).join(',\n        ')}
    FROM ${sourceTable(flow)} AS p WHERE ${after(flow, 'source', 'v_row.copied_key')} AND ${until(flow, 'source', 'v_to')}`;
  const arbiter = mapping.unique.map(quoteName).join(', ');
  const careful = `${insert}
    ON CONFLICT (${arbiter}) DO NOTHING;`;
  if (!sortsAlike(flow)) return careful;
  const joined = equalKeys(flow, keyColumn(flow, 'target'), keyColumn(flow, 'source'));
  return `BEGIN
    ${insert} AND NOT EXISTS (SELECT FROM ${targetTable(flow)} AS t
      WHERE ${joined} AND ${after(flow, 'target', 'v_row.copied_key')} AND ${until(flow, 'target', 'v_to')});
    EXCEPTION WHEN unique_violation THEN
    ${careful}
    END;`;
}

/**
 * A transaction of the application that has written the target inline may stay open for long. The copy would wait for it, and
 * everybody who writes a row that this chunk has inserted would wait for the copy.
 */
function withPatience(copy: string): string {
  return `PERFORM set_config('lock_timeout', '${INLINE_PATIENCE}', true);
    ${copy}
    PERFORM set_config('lock_timeout', v_patience, true);`;
}

/**
 * Hints for ghosts of the last chunk and, when the shadow was not empty at the start, for rows that differ. Where a row's place is
 * decided by more than its key, the copy of a row that has moved meanwhile is beside the row itself, and is looked for as a ghost is.
 */
function sweepChunk(flow: Flow): string {
  const { outbox } = objectNames(flow.id);
  const { mapping } = flow;
  const sourceKey = keys(flow, (_, i) => `p.${quoteName(mapping.key[i]!.source.name)}`);
  const targetKey = (i: number) => `t.${quoteName(mapping.key[i]!.target.name)}`;
  const inSource = `${after(flow, 'source', 'v_row.swept_key')} AND ${until(flow, 'source', 'v_row.copied_key')}`;
  const inTarget = `${after(flow, 'target', 'v_row.swept_key')} AND ${until(flow, 'target', 'v_row.copied_key')}`;
  // Two ranges in one pass, whatever a target without statistics is believed to hold.
  const ghosts = `INSERT INTO ${outbox} (${keys(flow, (k) => k)})
    SELECT ${keys(flow, (_, i) => asSource(flow, i, targetKey(i)))} FROM ${targetTable(flow)} AS t WHERE ${inTarget}
    EXCEPT SELECT ${sourceKey} FROM ${sourceTable(flow)} AS p WHERE ${inSource};`;
  const places = beyondKey(mapping);
  const differing = (columns: readonly string[]) => sweepDiffering(flow, columns, { inSource, inTarget });
  return `IF v_row.copied_key IS NOT NULL THEN
    ${sortsAlike(flow) ? ghosts : '-- The keys of both sides sort differently: ghosts are looked for once, at the end.'}
    IF v_row.shadow_had_rows THEN
      ${differing(mapping.compared.map(({ target }) => target))}
    ${places.length === 0 ? '' : `ELSE\n      ${differing(places)}\n    `}END IF;
  END IF;`;
}

/** Statements: hints for keys of a range whose rows differ in one of these columns of the target. */
function sweepDiffering(
  flow: Flow,
  columns: readonly string[],
  { inSource, inTarget }: { inSource: string; inTarget: string },
): string {
  const { outbox } = objectNames(flow.id);
  const { key, compared } = flow.mapping;
  const isMeant = (_: unknown, i: number) => columns.includes(compared[i]!.target);
  const source = comparedSources(flow).filter(isMeant);
  const target = comparedTargets(flow).filter(isMeant);
  const sourceKey = (i: number) => `p.${quoteName(key[i]!.source.name)}`;
  return `BEGIN
      INSERT INTO ${outbox} (${keys(flow, (k) => k)})
      SELECT ${keys(flow, (k) => `d.${k}`)} FROM (
        SELECT ${keys(flow, (k, i) => `${sourceKey(i)} AS ${k}`)}, ${rowValue(source)} AS wanted
        FROM ${sourceTable(flow)} AS p WHERE ${inSource}
      ) d JOIN ${targetTable(flow)} AS t ON ${equalKeys(flow, keyColumn(flow, 'target'), (k, i) => asTarget(flow, i, `d.${k}`))}
      WHERE d.wanted *<> ${rowValue(target)}${sortsAlike(flow) ? ` AND ${inTarget}` : ''};
      EXCEPTION ${whenAKeyFails()} THEN
        -- A row that cannot be transformed cannot be compared either: converge looks at every key of the range.
        INSERT INTO ${outbox} (${keys(flow, (k) => k)}) SELECT ${keys(flow, (_, i) => sourceKey(i))} FROM ${sourceTable(flow)} AS p WHERE ${inSource};
      END;`;
}

/** Ghosts outside of every chunk: rows that were in the shadow before, or any when ranges mean nothing there. */
function sweepAll(flow: Flow): string {
  const { outbox } = objectNames(flow.id);
  const { mapping } = flow;
  const targetKey = (i: number) => `t.${quoteName(mapping.key[i]!.target.name)}`;
  const needed = sortsAlike(flow) ? 'v_row.shadow_had_rows' : 'true';
  const ghosts = (key: (index: number) => string) => `INSERT INTO ${outbox} (${keys(flow, (k) => k)})
      SELECT ${keys(flow, (_, i) => asSource(flow, i, targetKey(i)))} FROM ${targetTable(flow)} AS t
      WHERE NOT EXISTS (SELECT FROM ${sourceTable(flow)} AS p WHERE ${equalKeys(flow, (_, i) => key(i), keyColumn(flow, 'target'))});`;
  return `IF ${needed} THEN
      PERFORM set_config('enable_seqscan', 'on', true);
      ${readingKeys(flow, ghosts)}
    END IF;`;
}
