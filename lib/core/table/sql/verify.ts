/**
 * Verification. In ONE snapshot, a key that differs and has no un-applied hint is a divergence; a key that differs and has
 * one is only late. So there are no false alarms while the application writes, and nothing has to wait.
 *
 * The tables are compared segment by segment, each in one statement, and only where a segment differs the keys are named. Each call works for a while, commits, and the next one, of any caller, goes on from there.
 */

import { isPartitioned, quoteName, quoteText } from '../shape.ts';
import { SCAN_SETTING } from './choose-scan.ts';
import { compareSegment, unequal } from './compare-segment.ts';
import { comparedSources, comparedTargets, inForm } from './compared.ts';
import { sourcedByFit } from './fits.ts';
import { equalKeys, orderedKeys, sameKey } from './key-operators.ts';
import {
  asSource,
  asTarget,
  asTargetIfFit,
  FENCED,
  type Flow,
  fence,
  isQuarantined,
  keys,
  keyText,
  keyType,
  objectNames,
  readingKeys,
  rowValue,
  securely,
  sourceTable,
  targetTable,
  whenAKeyFails,
} from './names.ts';
import { inSegment, sortsAlike, WRITING } from './segments.ts';
import { hasStatus, markDiverged, recheckDiverged } from './sync-status.ts';

/** When the pass began, and when this call did, by one clock: the caller sees whether the pass began after the asking. */
const PASS = `'pass', jsonb_build_object('startedMs', floor(1000 * extract(epoch FROM v_pass.started_at))::bigint,
          'calledMs', floor(1000 * extract(epoch FROM v_started))::bigint)`;
const SAMPLES = 20;
/** A segment is cut when either side has more rows in it. */
const SEGMENT_ROWS = 10_000;
/** Pages whose rows are counted in one statement. */
const COUNTED_PAGES = 8_192;
/** Segments that every pass over what is due looks at besides, those first that have not been looked at for longest. */
const ROTATION = 4;

/**
 * `verify_<id>(epoch, at_ms, tier, scope, budget_ms)`: works on a pass for about so long. Returns {kind: verified, …} when
 * the pass is complete, {kind: running, rowsDone, rowsTotal} when a further call has to go on.
 * Tier `fast` compares the rows pair by pair, `proof` SHA-256 over the text of every row. Scope `full` is every segment, `due`
 * those that something has written since they were compared.
 */
export function createVerify(flow: Flow): string {
  const { verify, segment, touched } = objectNames(flow.id);
  const id = quoteText(flow.id);
  const typed = (side: 'l' | 'h' | 'c') =>
    flow.mapping.key.map(({ source }, i) => `v_${side}${i + 1} ${keyType(source)};`).join('\n  ');
  const into = (side: 'l' | 'h' | 'c') => keys(flow, (_, i) => `v_${side}${i + 1}`);
  const named = (side: 'l' | 'h', alias = '') => keys(flow, (_, i) => `${alias}${side}${i + 1}`);
  return `CREATE FUNCTION ${verify}(p_epoch bigint, p_at_ms bigint, p_tier text DEFAULT 'fast', p_scope text DEFAULT 'full', p_budget_ms integer DEFAULT 500)
RETURNS jsonb
${securely()} SET plan_cache_mode = force_custom_plan SET enable_seqscan = off ${SCAN_SETTING} AS $crossfade$
#variable_conflict use_column
DECLARE
  v_have bigint;
  v_pass crossfade.verification_pass%ROWTYPE;
  v_place bigint := 0;
  v_size bigint;
  ${typed('l')}
  ${typed('h')}
  ${typed('c')}
  v_rows bigint;
  v_target_rows bigint;
  v_equal boolean;
  v_divergences bigint;
  v_samples jsonb;
  v_why text;
  v_started timestamptz := clock_timestamp();
BEGIN${fence(flow.id)}
  IF EXISTS (SELECT FROM crossfade.backfill b WHERE b.cutover = ${id} AND b.state <> 'done') THEN
    RETURN jsonb_build_object('kind', 'unready', 'why', 'the backfill is not done');
  END IF;
  IF p_tier NOT IN ('fast', 'proof') OR p_scope NOT IN ('full', 'due') THEN
    RAISE EXCEPTION 'no such verification: %, %', p_tier, p_scope USING ERRCODE = 'CF004';
  END IF;
  INSERT INTO crossfade.verification_pass (cutover) VALUES (${id}) ON CONFLICT DO NOTHING;
  SELECT * INTO v_pass FROM crossfade.verification_pass v WHERE v.cutover = ${id} FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN RETURN jsonb_build_object('kind', 'busy'); END IF;
  IF NOT EXISTS (SELECT FROM ${segment}) THEN
    INSERT INTO ${segment} DEFAULT VALUES;
  END IF;
  ${WRITING}
  -- A pass that asks for more than the one that is under way begins anew; one that asks for no more goes on with it.
  IF v_pass.state = 'done' OR v_pass.epoch <> p_epoch OR (p_tier = 'proof' AND v_pass.tier = 'fast')
    OR (p_scope = 'full' AND v_pass.scope = 'due') THEN
    v_pass.number := v_pass.number + 1;
    v_pass.started_at := clock_timestamp();
    UPDATE crossfade.verification_pass v SET number = v_pass.number, state = 'running', epoch = p_epoch, tier = p_tier,
      scope = p_scope, started_at = v_pass.started_at, horizon = pg_snapshot_xmin(pg_current_snapshot()), counted_pages = 0,
      counted_rows = 0 WHERE v.cutover = ${id} RETURNING * INTO v_pass;
    IF p_scope = 'due' AND NOT EXISTS (SELECT FROM ${touched} m WHERE m.place IS NULL) THEN
      UPDATE ${segment} g SET pass = v_pass.number WHERE g.verified_at IS NOT NULL AND g.divergences = 0
        AND NOT EXISTS (SELECT FROM ${touched} m WHERE m.place = g.place)
        -- Slow rotation: who writes behind the guard's back is found in the end.
        AND g.place NOT IN (SELECT r.place FROM ${segment} r ORDER BY r.verified_at LIMIT ${ROTATION});
    END IF;
    -- Before any segment is read: marks that come later stay.
    DELETE FROM ${touched} m WHERE m.place IS NULL;
  END IF;

  LOOP
    -- What is cut off gets a higher place, so that none is passed over.
    SELECT g.place, g.size, ${named('l', 'g.')}, ${named('h', 'g.')} INTO v_place, v_size, ${into('l')}, ${into('h')}
    FROM ${segment} g WHERE g.pass <> v_pass.number AND g.place > v_place ORDER BY g.place LIMIT 1;
    EXIT WHEN NOT FOUND;
    DELETE FROM ${touched} m WHERE m.place = v_place;
    IF v_size IS NULL OR v_size > ${2 * SEGMENT_ROWS} THEN
      ${cut(flow)}
    END IF;
    v_divergences := 0;
    v_samples := '[]';
    BEGIN
      ${compareSegment(flow)}
      IF NOT v_equal THEN
        ${countDiffering(flow, differing(flow))}
      END IF;
    EXCEPTION ${whenAKeyFails()} THEN
      -- A row that cannot be transformed fails every statement that reads it: it is judged by its key, the others by value.
      SELECT count(*) INTO v_rows FROM ${sourceTable(flow)} AS p WHERE ${inSegment(flow, 'source')};
      
      v_target_rows := v_rows;
      ${inForm(flow, (one) => countAndMark(one, differing(one, true)))}
    END;
    ${sortsAlike(flow) ? recheckDiverged(flow, inSegment(flow, 'target')) : ''}
    UPDATE ${segment} g SET rows = v_rows, size = greatest(v_rows, v_target_rows), divergences = v_divergences, samples = v_samples,
      verified_at = clock_timestamp(), pass = v_pass.number WHERE g.place = v_place;
    ${goOnLater(flow)}
  END LOOP;
  ${sortsAlike(flow) ? '' : strayRows(flow)}
  ${seenWhole(flow)}

  UPDATE crossfade.verification_pass v SET state = 'done', unproven = NULL WHERE v.cutover = ${id};
  SELECT coalesce(sum(g.rows), 0), coalesce(sum(g.divergences), 0) INTO v_rows, v_divergences FROM ${segment} g;
  SELECT coalesce(jsonb_agg(d.sample), '[]') INTO v_samples FROM (
    SELECT s.sample FROM ${segment} g, jsonb_array_elements(g.samples) AS s(sample) WHERE g.divergences > 0
    ORDER BY s.sample ->> 'key' LIMIT ${SAMPLES}) d;
  INSERT INTO crossfade.verification AS v (cutover, epoch, rows_compared, divergences, score, at_ms, samples, tier)
  VALUES (${id}, p_epoch, v_rows, v_divergences, CASE WHEN v_rows = 0 THEN CASE WHEN v_divergences = 0 THEN 1 ELSE 0 END
    ELSE greatest(0, 1 - v_divergences::double precision / v_rows) END, p_at_ms, v_samples, v_pass.tier)
  ON CONFLICT (cutover) DO UPDATE SET epoch = EXCLUDED.epoch, rows_compared = EXCLUDED.rows_compared,
    divergences = EXCLUDED.divergences, score = EXCLUDED.score, samples = EXCLUDED.samples,
    -- What was not looked at is as old as it was.
    at_ms = CASE v_pass.scope WHEN 'full' THEN EXCLUDED.at_ms ELSE v.at_ms END,
    tier = CASE v_pass.scope WHEN 'full' THEN EXCLUDED.tier ELSE v.tier END;
  -- A sweep is over when every row was compared after it, not when every row was copied.
  UPDATE crossfade.backfill b SET sweep_why = NULL WHERE b.cutover = ${id} AND b.sweep_why IS NOT NULL AND v_divergences = 0;
  RETURN (SELECT jsonb_build_object('kind', 'verified', 'rowsCompared', v.rows_compared, 'divergences', v.divergences,
    'score', v.score, 'atMs', v.at_ms, 'samples', v.samples, ${PASS}) FROM crossfade.verification v WHERE v.cutover = ${id});
END $crossfade$`;
}

/** Statement: returns when the call has worked for as long as it may. */
function goOnLater(flow: Flow): string {
  const { segment } = objectNames(flow.id);
  return `IF clock_timestamp() > v_started + make_interval(secs => p_budget_ms / 1000.0) THEN
      RETURN (SELECT jsonb_build_object('kind', 'running', 'rowsDone', coalesce(sum(g.rows) FILTER (WHERE g.pass = v_pass.number), 0),
        'rowsTotal', greatest(coalesce(sum(g.rows), 0), (SELECT b.rows_total FROM crossfade.backfill b WHERE b.cutover = ${quoteText(flow.id)})),
        ${PASS}) FROM ${segment} g);
    END IF;`;
}

/**
 * Statements: nothing is proven by a pass that did not look. The ranges must follow each other from the first key to the last,
 * and every row that was there when a full pass began, and still is as it was, must be among the compared ones. These
 * are counted page by page, by nothing that has to do with keys: a row of a transaction that was over by then. In a pass that
 * looked at every row the compared ones can only be more, whatever is written meanwhile, so there are no false alarms.
 */
function seenWhole(flow: Flow): string {
  const { segment } = objectNames(flow.id);
  const id = quoteText(flow.id);
  const high = keys(flow, (_, i) => `r.h${i + 1}`);
  const low = keys(flow, (_, i) => `r.l${i + 1}`);
  const before = keys(flow, (_, i) => `lag(r.h${i + 1}) OVER (ORDER BY ${high})`);
  const gap = `${rowValue([low])} *<> ${rowValue([before])}`;
  const unproven = (why: string) => `DELETE FROM ${segment};
    UPDATE crossfade.verification_pass v SET state = 'done', unproven = ${why} WHERE v.cutover = ${id} RETURNING v.unproven INTO v_why;
    RETURN jsonb_build_object('kind', 'unready', 'why', v_why);`;
  return `IF (SELECT bool_or(r.gap) OR count(*) FILTER (WHERE r.h1 IS NULL) <> 1 FROM (SELECT r.h1, ${gap} AS gap FROM ${segment} r) r) THEN
    ${unproven(`'the ranges that were compared do not cover every key; the comparison begins again'`)}
  END IF;
  WHILE v_pass.scope = 'full' AND v_pass.horizon IS NOT NULL
    AND v_pass.counted_pages < ${sourceSize(flow)} / current_setting('block_size')::bigint LOOP
    SELECT v_pass.counted_rows + count(*) INTO v_pass.counted_rows FROM ${sourceTable(flow)} AS p
    WHERE p.ctid >= format('(%s,0)', v_pass.counted_pages)::tid AND p.ctid < format('(%s,0)', v_pass.counted_pages + ${COUNTED_PAGES})::tid
      -- Newer ones than this transaction are negative; far below are those that were frozen longer ago than numbers last.
      AND (age(p.xmin) > age(v_pass.horizon::xid) OR age(p.xmin) < -1000000000);
    v_pass.counted_pages := v_pass.counted_pages + ${COUNTED_PAGES};
    UPDATE crossfade.verification_pass v SET counted_pages = v_pass.counted_pages, counted_rows = v_pass.counted_rows WHERE v.cutover = ${id};
    ${goOnLater(flow)}
  END LOOP;
  SELECT coalesce(sum(g.rows), 0) INTO v_rows FROM ${segment} g;
  IF v_pass.scope = 'full' AND v_rows < v_pass.counted_rows THEN
    ${unproven(`format('%s rows were compared, and at least %s were there all the time; the comparison begins again', v_rows, v_pass.counted_rows)`)}
  END IF;`;
}

/** Bytes of the source; of a partitioned one those of its largest partition, since the same pages of all are counted in one statement. */
function sourceSize({ source }: Flow): string {
  if (!isPartitioned(source)) return `pg_relation_size(${source.oid})`;
  return `(SELECT coalesce(max(pg_relation_size(l.relid)), 0) FROM pg_partition_tree(${source.oid}) l WHERE l.isleaf)`;
}

/** Cuts the segment where either side has too many rows in it; what is cut off comes next. */
function cut(flow: Flow): string {
  const { segment } = objectNames(flow.id);
  const sourceKey = (i: number) => `p.${quoteName(flow.mapping.key[i]!.source.name)}`;
  const targetKey = (i: number) => `t.${quoteName(flow.mapping.key[i]!.target.name)}`;
  const list = (name: string) => keys(flow, (_, i) => `${name}${i + 1}`);
  const columns = (key: (i: number) => string) => keys(flow, (k, i) => `${key(i)} AS ${k}`);
  const order = (key: (i: number) => string) => keys(flow, (_, i) => key(i));
  const inTarget = sortsAlike(flow)
    ? `UNION ALL (SELECT ${keys(flow, (k, i) => `${asSource(flow, i, targetKey(i))} AS ${k}`)} FROM ${targetTable(flow)} AS t
        WHERE ${inSegment(flow, 'target')} ORDER BY ${order(targetKey)} OFFSET ${SEGMENT_ROWS - 1} LIMIT 1)`
    : '';
  return `SELECT ${keys(flow, (k) => `x.${k}`)} INTO ${list('v_c')} FROM (
      (SELECT ${columns(sourceKey)} FROM ${sourceTable(flow)} AS p
        WHERE ${inSegment(flow, 'source')} ORDER BY ${order(sourceKey)} OFFSET ${SEGMENT_ROWS - 1} LIMIT 1)
      ${inTarget}) x ORDER BY ${keys(flow, (k) => `x.${k}`)} LIMIT 1;
    IF FOUND AND (v_h1 IS NULL OR ${orderedKeys(
      flow,
      (_, i) => `v_c${i + 1}`,
      '<',
      (_, i) => `v_h${i + 1}`,
    )}) THEN
      INSERT INTO ${segment} (${list('l')}, ${list('h')}) VALUES (${list('v_c')}, ${list('v_h')});
      UPDATE ${segment} g SET ${keys(flow, (_, i) => `h${i + 1} = v_c${i + 1}`)} WHERE g.place = v_place;
      ${keys(flow, (_, i) => `v_h${i + 1} := v_c${i + 1};`, ' ')}
    END IF;`;
}

/** Rows of the target without a source, where a range of the one side is no range of the other: looked for at once. */
function strayRows(flow: Flow): string {
  const { segment } = objectNames(flow.id);
  return `${readingKeys(flow, (key) => countAndMark(flow, stray(flow, key)))}
  UPDATE ${segment} g SET divergences = g.divergences + v_divergences, samples = g.samples || v_samples
  WHERE v_divergences > 0 AND g.place = (SELECT max(r.place) FROM ${segment} r);
  SELECT sum(g.divergences) INTO v_divergences FROM ${segment} g;
  ${recheckDiverged(flow, 'true')}`;
}

/** `repair_<id>()`: a hint for every key of a diverged segment that still differs. Converge reads and writes them again. */
export function createRepair(flow: Flow): string {
  const { repair, outbox, segment } = objectNames(flow.id);
  const typed = (side: 'l' | 'h') =>
    flow.mapping.key.map(({ source }, i) => `v_${side}${i + 1} ${keyType(source)};`).join('\n  ');
  const list = (name: string) => keys(flow, (_, i) => `${name}${i + 1}`);
  const enqueue = `INSERT INTO ${outbox} (${keys(flow, (k) => k)}) SELECT ${keys(flow, (k) => `d.${k}`)} FROM diff d;
    GET DIAGNOSTICS v_some = ROW_COUNT;
    v_enqueued := v_enqueued + v_some;`;
  const strays = sortsAlike(flow)
    ? ''
    : readingKeys(
        flow,
        (key) => `WITH ${stray(flow, key)}
    ${enqueue}`,
      );
  return `CREATE FUNCTION ${repair}() RETURNS jsonb
${securely()} SET plan_cache_mode = force_custom_plan SET enable_seqscan = off AS $crossfade$
#variable_conflict use_column
DECLARE
  ${typed('l')}
  ${typed('h')}
  v_some bigint;
  v_enqueued bigint := 0;
BEGIN
  -- Before a number of the outbox is taken.
  PERFORM pg_current_xact_id();
  FOR ${list('v_l')}, ${list('v_h')} IN SELECT ${list('g.l')}, ${list('g.h')} FROM ${segment} g WHERE g.divergences > 0 LOOP
    BEGIN
      WITH ${differing(flow)}
      ${enqueue}
    EXCEPTION ${whenAKeyFails()} THEN
      ${inForm(
        flow,
        (one) => `WITH ${differing(one, true)}
      ${enqueue}`,
      )}
    END;
  END LOOP;
  ${strays}
  RETURN jsonb_build_object('enqueued', v_enqueued);
END $crossfade$`;
}

/** How many keys a common table expression `diff` has, and some of them; the rows of all of them say so. */
const countDiffering = (flow: Flow, diff: string, mark = markDiverged(flow)) => `WITH ${diff}${mark}
    SELECT (SELECT count(*) FROM diff),
      (SELECT coalesce(jsonb_agg(jsonb_build_object('key', d.key, 'columns', d.columns)), '[]')
       FROM (SELECT key, columns FROM diff ORDER BY key LIMIT ${SAMPLES}) d)
    INTO v_divergences, v_samples;`;

/** The same where a column that refuses the word must not be in the way of the count. */
const countAndMark = (flow: Flow, diff: string) =>
  hasStatus(flow)
    ? `BEGIN
        ${countDiffering(flow, diff)}
      EXCEPTION ${whenAKeyFails()} THEN
        ${countDiffering(flow, diff, '')}
      END;`
    : countDiffering(flow, diff);

/**
 * Common table expression `diff` of the segment: the diverged keys as the source's types, their text, the columns that differ.
 * @param byFit also when rows cannot be transformed: those are unequal in no column that could be named
 */
function differing(flow: Flow, byFit = false): string {
  const { mapping } = flow;
  const first = quoteName(mapping.key[0]!.target.name);
  const expressions = comparedSources(flow)
    .map((sql, index) => `, ${sql} AS c${index + 1}`)
    .join('');
  const source = mapping.compared.map((_, index) => `s.c${index + 1}`);
  const target = comparedTargets(flow);
  const named = mapping.compared.map(
    ({ target: name }, index) =>
      `CASE WHEN s.present${byFit ? ' AND s.fits' : ''} AND t.${first} IS NOT NULL AND ${rowValue([`s.c${index + 1}`])} *<> ${rowValue([target[index]!])} THEN ${quoteText(name)} END`,
  );
  const targetKey = (i: number) => `t.${quoteName(mapping.key[i]!.target.name)}`;
  const sourceKey = (k: string, i: number) =>
    byFit ? asTargetIfFit(flow, i, `s.${k}`, 's.fits') : asTarget(flow, i, `s.${k}`);
  const versioned = `(SELECT t.*, t.xmin AS crossfade_version FROM ${targetTable(flow)} AS t`;
  const both = sortsAlike(flow)
    ? `FULL JOIN ${versioned} WHERE ${inSegment(flow, 'target')}) AS t`
    : `LEFT JOIN ${versioned}) AS t`;
  const sourced = byFit
    ? 'sourced'
    : `(SELECT true AS present, ${keys(flow, (k, i) => `p.${quoteName(mapping.key[i]!.source.name)} AS ${k}`)}${expressions}
      FROM ${sourceTable(flow)} AS p WHERE ${inSegment(flow, 'source')})`;
  return `${byFit ? `${sourcedByFit(flow, inSegment(flow, 'source'))}, ` : ''}unequal AS (
    SELECT ${keys(flow, (k, i) => `coalesce(s.${k}, ${asSource(flow, i, targetKey(i))}) AS ${k}`)}, s.present,
      array_remove(ARRAY[${named.join(', ')}]::text[], NULL) AS columns, t.crossfade_version AS version
    FROM ${sourced} AS s
    ${both} ON ${equalKeys(flow, sourceKey, (_, i) => targetKey(i))}
    WHERE s.present IS NULL OR ${targetKey(0)} IS NULL${byFit ? ' OR NOT s.fits' : ''} OR ${unequal(flow, source, target)}
    ${FENCED}
  ), ${diverged(flow)}`;
}

/** Common table expression `diff` of rows of the whole target that have no source. */
function stray(flow: Flow, key: (index: number) => string): string {
  const { mapping } = flow;
  const targetKey = (i: number) => `t.${quoteName(mapping.key[i]!.target.name)}`;
  return `unequal AS (
    SELECT ${keys(flow, (k, i) => `${asSource(flow, i, targetKey(i))} AS ${k}`)}, NULL::boolean AS present, '{}'::text[] AS columns, t.xmin AS version
    FROM ${targetTable(flow)} AS t WHERE NOT EXISTS (SELECT FROM ${sourceTable(flow)} AS p
      WHERE ${equalKeys(
        flow,
        (_, i) => key(i),
        (_, i) => targetKey(i),
      )})
  ), ${diverged(flow)}`;
}

/** Of what is unequal: what is neither late nor known to be impossible. */
function diverged(flow: Flow): string {
  const { outbox } = objectNames(flow.id);
  return `diff AS MATERIALIZED (
    SELECT ${keys(flow, (k) => `d.${k}`)}, ${keyText(flow, (i) => `d.k${i + 1}`)} AS key, d.columns, d.version
    FROM unequal d
    WHERE NOT ${isQuarantined(flow, (i) => `d.k${i + 1}`)}
      AND NOT EXISTS (SELECT FROM ${outbox} o WHERE o.op <> 'T' AND ${sameKey(flow, 'o', 'd')})
      -- Truncated and not swept yet: rows without a source are late, not wrong.
      AND NOT (d.present IS NULL AND EXISTS (SELECT FROM ${outbox} o WHERE o.op = 'T'))
  )`;
}
