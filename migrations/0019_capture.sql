-- Why: capture must not fail a statement of the application. What capture cannot name leaves a mark, and a mark is answered by a
-- sweep: both tables are compared from the first key to the last, and every row that differs gets a hint.
-- Lock: a short ACCESS EXCLUSIVE on crossfade.backfill for a column without a default; none on tables of the application.
-- Duration: milliseconds.
-- Undo: table_status as in 0012, waiting and grant_runtime as in 0001, drain as in 0002; DROP FUNCTION crossfade.begin_sweep, crossfade.takes_hints,
-- crossfade.column_by_number; DROP TABLE crossfade.missed; ALTER TABLE crossfade.backfill DROP COLUMN sweep_why. First end every cutover.

ALTER TABLE crossfade.backfill ADD COLUMN sweep_why text;
COMMENT ON COLUMN crossfade.backfill.sweep_why IS
  'Why rows that were copied before are compared again. Until state is done, nothing is promoted and nothing goes back.';

-- No key, since nobody may wait for it; the replica identity is for publications FOR ALL TABLES.
CREATE TABLE crossfade.missed (
  cutover text NOT NULL,
  why text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
ALTER TABLE crossfade.missed REPLICA IDENTITY FULL;
COMMENT ON TABLE crossfade.missed IS
  'Changes of the application that left nothing in the outbox, because the outbox could not be written. Converge begins a sweep for them.';

CREATE FUNCTION crossfade.takes_hints(p_table regclass) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN has_table_privilege(p_table, 'INSERT')
    AND EXISTS (SELECT FROM pg_class c WHERE c.oid = p_table AND c.relkind = 'r' AND NOT c.relrowsecurity AND NOT c.relhasrules AND c.relchecks = 0)
    AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = p_table AND t.tgenabled <> 'D')
    AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = p_table AND c.contype NOT IN ('n'))
    AND (SELECT count(*) = 1 AND bool_and(NOT i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL) FROM pg_index i WHERE i.indrelid = p_table)
    AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped AND CASE
      WHEN a.attname IN ('seq', 'op', 'at', 'attempts', 'not_before') THEN false
      WHEN a.attname ~ '^k[0-9]+$' THEN a.attnotnull OR a.attgenerated <> ''
      ELSE true END);
END $$;
COMMENT ON FUNCTION crossfade.takes_hints IS
  'Is this table of an outbox as it was made, so that no INSERT of a hint can fail? Declared IMMUTABLE for a purpose: capture asks with a constant, Postgres keeps the answer with the plan, and discards it when the table is changed.';

CREATE FUNCTION crossfade.column_by_number(p_table oid, p_number integer, p_outbox text, p_column text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT format('SELECT (($1).%I)::%s AS f1', a.attname, format_type(o.atttypid, o.atttypmod))
  FROM pg_attribute a, pg_attribute o
  WHERE a.attrelid = p_table AND a.attnum = p_number AND NOT a.attisdropped
    AND o.attrelid = p_outbox::regclass AND o.attname = p_column
$$;
COMMENT ON FUNCTION crossfade.column_by_number IS
  'A query that takes one column out of a row, found by its number since it was renamed, as the type of a column of the outbox. NULL when it was dropped.';

CREATE FUNCTION crossfade.begin_sweep(p_id text, p_why text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- Waits for the chunk that is being copied: what is read from now on is read after the cause.
  UPDATE crossfade.backfill b SET state = CASE b.state WHEN 'done' THEN 'running' ELSE b.state END, copied_key = NULL, swept_key = NULL,
    upper_key = NULL, rows_done = 0, rate = NULL, shadow_had_rows = true, sweep_why = p_why, updated_at = clock_timestamp()
  WHERE b.cutover = p_id;
  IF NOT FOUND THEN RETURN false; END IF;
  -- What was found equal before says nothing any more, and neither does a pass that is under way.
  DELETE FROM crossfade.verification r WHERE r.cutover = p_id;
  UPDATE crossfade.verification_pass v SET state = 'done' WHERE v.cutover = p_id AND v.state <> 'done';
  IF to_regclass(format('crossfade.%I', 'touched_' || p_id)) IS NOT NULL THEN
    EXECUTE format('INSERT INTO crossfade.%I (place) VALUES (NULL)', 'touched_' || p_id);
  END IF;
  RETURN true;
END $$;
COMMENT ON FUNCTION crossfade.begin_sweep IS
  'Rows may have changed without a hint: (cutover, why). Both tables are gone through from the beginning by the backfill, in whichever direction is armed, and every row that is changed, missing or left over gets a hint. Until the sweep is done nothing is promoted or reverted, and earlier verifications count no more. Begun again, it begins anew. Returns false for a cutover that has no copy.';

CREATE OR REPLACE FUNCTION crossfade.table_status(p_id text) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v crossfade.cutover%ROWTYPE;
  v_backfill crossfade.backfill%ROWTYPE;
  v_rows bigint := 0;
  v_oldest timestamptz;
  v_aside bigint := 0;
BEGIN
  SELECT * INTO v FROM crossfade.cutover c WHERE c.id = p_id;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF to_regclass(format('crossfade.%I', 'outbox_' || p_id)) IS NOT NULL THEN
    EXECUTE format('SELECT count(*), min(o.at) FROM (SELECT at FROM crossfade.%I UNION ALL SELECT at FROM crossfade.missed WHERE cutover = %L) o', 'outbox_' || p_id, p_id)
    INTO v_rows, v_oldest;
  END IF;
  SELECT * INTO v_backfill FROM crossfade.backfill b WHERE b.cutover = p_id;
  SELECT count(*) INTO v_aside FROM crossfade.index_aside a WHERE a.cutover = p_id;
  RETURN jsonb_build_object(
    'armed', v.direction,
    'mirror', CASE WHEN v.version > 0 THEN jsonb_build_object('epoch', v.epoch, 'version', v.version, 'stage', v.stage) END,
    'lagMs', coalesce(greatest(0, round(extract(epoch FROM clock_timestamp() - v_oldest) * 1000)), 0),
    'outboxRows', v_rows,
    'quarantined', (SELECT count(*) FROM crossfade.quarantine q WHERE q.cutover = p_id),
    'quarantine', (SELECT coalesce(jsonb_agg(to_jsonb(f)), '[]') FROM (
      SELECT key, sqlstate, reason, attempts FROM crossfade.quarantine q WHERE q.cutover = p_id ORDER BY key LIMIT 20) f),
    'backfill', jsonb_build_object(
      -- Whoever waits for the copy waits for its indexes, too.
      'state', CASE WHEN v_backfill.state = 'done' AND v_aside > 0 THEN 'running' ELSE coalesce(v_backfill.state, 'none') END,
      'rowsDone', coalesce(v_backfill.rows_done, 0),
      'rowsTotal', coalesce(greatest(v_backfill.rows_total, v_backfill.rows_done), 0),
      'rowsPerSecond', coalesce(round(v_backfill.rate), 0)) || CASE WHEN v_backfill.sweep_why IS NULL THEN '{}' ELSE jsonb_build_object('sweep', v_backfill.sweep_why) END,
    'verification', (SELECT jsonb_build_object('rowsCompared', r.rows_compared, 'divergences', r.divergences, 'score', r.score,
      'atMs', r.at_ms, 'samples', r.samples) FROM crossfade.verification r WHERE r.cutover = p_id),
    'foreignWrites', (SELECT coalesce(sum(f.writes), 0) FROM crossfade.foreign_write f WHERE f.cutover = p_id),
    'indexesAside', v_aside,
    'readOnlyUntilMs', CASE WHEN v.read_only_until > clock_timestamp() THEN floor(extract(epoch FROM v.read_only_until) * 1000) END,
    'inlineFailures', (SELECT coalesce(sum(i.times), 0) FROM crossfade.inline_failure i WHERE i.cutover = p_id));
END $$;

CREATE OR REPLACE FUNCTION crossfade.waiting() RETURNS TABLE (id text, hints bigint, lag_ms bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_id text;
BEGIN
  FOR v_id IN SELECT c.id FROM crossfade.cutover c
    WHERE to_regclass(format('crossfade.%I', 'outbox_' || c.id)) IS NOT NULL AND c.shadow_writes ORDER BY c.id
  LOOP
    RETURN QUERY EXECUTE format(
      'SELECT %L::text, count(*), coalesce(round(extract(epoch FROM clock_timestamp() - min(o.at)) * 1000), 0)::bigint
       FROM (SELECT at FROM crossfade.%I WHERE not_before IS NULL OR not_before <= clock_timestamp()
         UNION ALL SELECT at FROM crossfade.missed WHERE cutover = %L) o HAVING count(*) > 0',
      v_id, 'outbox_' || v_id, v_id);
  END LOOP;
END $$;

-- Applies what is in the outbox, and returns how many hints that were. Under the lock of a swap nobody adds any.
CREATE OR REPLACE FUNCTION crossfade.drain(p_id text, p_epoch bigint, p_most integer) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_left integer;
  v_unnamed boolean;
  v_done integer := 0;
  v_result jsonb;
  v_why text;
BEGIN
  LOOP
    EXECUTE format('SELECT count(*), coalesce(bool_or(o.op = ''S''), false) FROM (SELECT op FROM crossfade.%I LIMIT %s) o', 'outbox_' || p_id, p_most + 1)
    INTO v_left, v_unnamed;
    -- A sweep is not begun here: it takes longer than a swap may, and it would wait for a chunk of the copy.
    IF v_unnamed OR EXISTS (SELECT FROM crossfade.missed m WHERE m.cutover = p_id) THEN
      RAISE EXCEPTION 'changes left no key, so both tables must be swept first' USING ERRCODE = 'CF003';
    END IF;
    EXIT WHEN v_left = 0;
    IF v_done + v_left > p_most THEN
      RAISE EXCEPTION 'more than % changes wait to be applied', p_most USING ERRCODE = 'CF003';
    END IF;
    EXECUTE format('SELECT crossfade.%I($1, $2)', 'converge_' || p_id) INTO v_result USING p_epoch, least(p_most, 500);
    IF (v_result ->> 'claimed')::integer IS DISTINCT FROM 0
      AND (v_result ->> 'postponed')::integer = 0 AND (v_result ->> 'quarantined')::integer = 0 THEN
      v_done := v_done + coalesce((v_result ->> 'claimed')::integer, v_left);
      CONTINUE;
    END IF;
    RAISE EXCEPTION '% changes could not be applied yet', v_left USING ERRCODE = 'CF003';
  END LOOP;
  -- In both directions: a row that changed without a hint would be missing on the other side.
  SELECT b.sweep_why INTO v_why FROM crossfade.backfill b WHERE b.cutover = p_id AND b.state <> 'done' AND b.sweep_why IS NOT NULL;
  IF FOUND THEN
    RAISE EXCEPTION 'a sweep of both tables is not done: %', v_why USING ERRCODE = 'CF003';
  END IF;
  RETURN v_done;
END $$;

CREATE OR REPLACE FUNCTION crossfade.grant_runtime(p_id text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'crossfade_runtime') THEN RETURN; END IF;
  EXECUTE format('GRANT EXECUTE ON FUNCTION crossfade.%I, crossfade.%I, crossfade.%I, crossfade.%I, crossfade.%I, crossfade.%I TO crossfade_runtime',
    'converge_' || p_id, 'turn_' || p_id, 'backfill_' || p_id, 'verify_' || p_id, 'repair_' || p_id, 'retry_' || p_id);
END $$;

REVOKE ALL ON FUNCTION crossfade.takes_hints, crossfade.column_by_number, crossfade.begin_sweep FROM PUBLIC;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'crossfade_runtime') THEN
    GRANT SELECT ON crossfade.missed TO crossfade_runtime;
  END IF;
END $$;
