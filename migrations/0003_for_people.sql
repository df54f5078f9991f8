-- Why: what people ask in psql while a table crosses over: are both sides equal, how far is it, is anything wrong, may it go on.
-- The comparison itself needs the column map, so it is generated with each cutover (consistency_ID, record_ID); these functions
-- find it, and answer also where there is nothing to compare yet.
-- Lock: none on existing objects. Duration: milliseconds.
-- Undo: DROP VIEW crossfade.health_alerts, crossfade.progress; DROP FUNCTION crossfade.success_verdict,
-- crossfade.validate_record_hash, crossfade.validate_table_consistency, crossfade.record_hash, crossfade.known_cutover.

CREATE FUNCTION crossfade.record_hash(p_row record) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO' SET intervalstyle = 'postgres'
SET extra_float_digits = 1 SET timezone = 'UTC' SET bytea_output = 'hex' AS $$
BEGIN
  RETURN encode(sha256(convert_to(p_row::text, 'UTF8')), 'hex');
END $$;
COMMENT ON FUNCTION crossfade.record_hash IS
  'SHA-256 of a row as text, 64 hex digits, the same in every session. NULL differs from an empty text, 1.0 from 1.00, 0 from -0. Proof for people; verification compares rows themselves.';

CREATE FUNCTION crossfade.known_cutover(p_cutover text) RETURNS crossfade.cutover
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v crossfade.cutover%ROWTYPE;
BEGIN
  SELECT * INTO v FROM crossfade.cutover c WHERE c.id = p_cutover;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'this database knows no cutover %', quote_literal(p_cutover) USING ERRCODE = 'CF010',
      HINT = 'It is known from its first start on. Known: ' || coalesce((SELECT string_agg(c.id, ', ' ORDER BY c.id) FROM crossfade.cutover c), 'none') || '.';
  END IF;
  RETURN v;
END $$;
COMMENT ON FUNCTION crossfade.known_cutover IS 'The mirror row of a cutover. Error CF010, with the known ids as hint, when there is none.';

CREATE FUNCTION crossfade.validate_table_consistency(p_cutover text)
RETURNS TABLE (cutover text, primary_rows bigint, shadow_rows bigint, consistent bigint, diverged bigint, late bigint,
  quarantined bigint, errors text[], score double precision)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v crossfade.cutover%ROWTYPE := crossfade.known_cutover(p_cutover);
  v_name text := format('crossfade.%I', 'consistency_' || p_cutover);
  v_seen jsonb;
BEGIN
  cutover := p_cutover;
  errors := '{}';
  IF to_regprocedure(v_name || '()') IS NULL THEN
    errors := ARRAY['nothing keeps the tables equal: there is no column map to compare them by until the cutover is started'];
    RETURN NEXT;
    RETURN;
  END IF;
  BEGIN
    EXECUTE format('SELECT %s()', v_name) INTO v_seen;
  EXCEPTION WHEN undefined_table OR undefined_column OR data_exception THEN
    errors := ARRAY[format('the tables cannot be compared: %s [%s]', regexp_replace(SQLERRM, ': ".*"', ''), SQLSTATE)];
    RETURN NEXT;
    RETURN;
  END;
  IF v.direction = 'none' THEN errors := ARRAY['capture is not armed: what is written now is not carried over']; END IF;
  IF EXISTS (SELECT FROM crossfade.backfill b WHERE b.cutover = p_cutover AND b.state <> 'done') THEN
    errors := errors || 'the copy is not done: rows that it has not reached count as diverged'::text;
  END IF;
  -- After promotion rows flow from the new table to the old one.
  primary_rows := v_seen -> CASE v.direction WHEN 'reverse' THEN 'target' ELSE 'source' END;
  shadow_rows := v_seen -> CASE v.direction WHEN 'reverse' THEN 'source' ELSE 'target' END;
  consistent := v_seen -> 'consistent';
  diverged := v_seen -> 'diverged';
  late := v_seen -> 'late';
  quarantined := v_seen -> 'quarantined';
  score := CASE WHEN diverged = 0 THEN 1 ELSE greatest(0, 1 - diverged::double precision / nullif((v_seen ->> 'source')::bigint, 0)) END;
  score := coalesce(score, 0);
  RETURN NEXT;
END $$;
COMMENT ON FUNCTION crossfade.validate_table_consistency IS
  'One row: rows of both sides now, in one snapshot, and how many keys are consistent (equal byte by byte), diverged (differ for no reason), late (differ and have an un-applied hint) or quarantined. score = 1 - diverged / authoritative rows, 0 to 1. errors says why figures are missing or mean less than they seem. Reads both tables whole, takes no lock. Error CF010: unknown cutover.';

CREATE FUNCTION crossfade.validate_record_hash(p_cutover text, p_key text)
RETURNS TABLE (key text, primary_hash text, shadow_hash text, equal boolean, differing_columns text[], late boolean, quarantined boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v crossfade.cutover%ROWTYPE := crossfade.known_cutover(p_cutover);
  v_name text := format('crossfade.%I', 'record_' || p_cutover);
  v_seen jsonb;
BEGIN
  IF to_regprocedure(v_name || '(text)') IS NULL THEN
    RAISE EXCEPTION 'cutover % keeps nothing equal: there is no column map to compare rows by', p_cutover USING ERRCODE = 'CF010', HINT = 'Start it first.';
  END IF;
  EXECUTE format('SELECT %s($1)', v_name) INTO v_seen USING p_key;
  key := v_seen ->> 'key';
  primary_hash := v_seen ->> CASE v.direction WHEN 'reverse' THEN 'target' ELSE 'source' END;
  shadow_hash := v_seen ->> CASE v.direction WHEN 'reverse' THEN 'source' ELSE 'target' END;
  equal := v_seen -> 'equal';
  differing_columns := ARRAY(SELECT jsonb_array_elements_text(v_seen -> 'columns'));
  late := v_seen -> 'late';
  quarantined := v_seen -> 'quarantined';
  RETURN NEXT;
END $$;
COMMENT ON FUNCTION crossfade.validate_record_hash IS
  'One row for one key: SHA-256 of what the primary''s row becomes and of the shadow''s row (NULL where there is none), whether both are equal byte by byte, and the columns of the written side that differ. The key is JSON as status and quarantine show it ({"id": 5}), or the bare value where the key is one column. late: a hint of it waits. Error CF010: unknown cutover or nothing to compare; CF004: not a key; class 22: not a value of the key''s type.';

CREATE VIEW crossfade.progress AS
SELECT f.*, round((100 * f.copied * f.waiting * coalesce(f.score, 1))::numeric, 2) AS sync_percent
FROM (
  SELECT c.id AS cutover, c.stage, c.direction,
    s.status -> 'backfill' ->> 'state' AS backfill, b.rows_done, b.rows_total,
    CASE WHEN s.status -> 'backfill' ->> 'state' = 'done' THEN 100 ELSE round(100 * b.share::numeric, 2) END AS backfill_percent,
    b.rows_per_second,
    CASE WHEN s.status -> 'backfill' ->> 'state' = 'running' AND b.rows_per_second > 0
      THEN ceil((b.rows_total - b.rows_done)::numeric / b.rows_per_second) END AS eta_seconds,
    round((s.status ->> 'lagMs')::numeric / 1000, 3) AS lag_seconds,
    (s.status ->> 'outboxRows')::bigint AS hints, (s.status ->> 'quarantined')::bigint AS quarantined,
    (s.status -> 'verification' ->> 'rowsCompared')::bigint AS rows_compared,
    (s.status -> 'verification' ->> 'divergences')::bigint AS divergences,
    (s.status -> 'verification' ->> 'score')::double precision AS score,
    to_timestamp((s.status -> 'verification' ->> 'atMs')::double precision / 1000) AS verified_at,
    CASE WHEN s.status -> 'backfill' ->> 'state' = 'done' THEN 1 ELSE b.share END AS copied,
    greatest(0, 1 - ((s.status ->> 'outboxRows')::bigint + (s.status ->> 'quarantined')::bigint)::double precision
      / greatest(b.rows_total, 1)) AS waiting
  FROM crossfade.cutover c, LATERAL (SELECT crossfade.table_status(c.id) AS status) s, LATERAL (
    SELECT (s.status -> 'backfill' ->> 'rowsDone')::bigint AS rows_done, (s.status -> 'backfill' ->> 'rowsTotal')::bigint AS rows_total,
      (s.status -> 'backfill' ->> 'rowsPerSecond')::double precision AS rows_per_second,
      CASE WHEN (s.status -> 'backfill' ->> 'rowsTotal')::bigint > 0
        THEN least(1, (s.status -> 'backfill' ->> 'rowsDone')::double precision / (s.status -> 'backfill' ->> 'rowsTotal')::bigint) ELSE 0 END AS share
  ) b
) f;
COMMENT ON VIEW crossfade.progress IS
  'One row per table cutover. Percentages 0-100; eta_seconds NULL unless the copy runs at a known rate; score 0-1 of the last complete verification, NULL before it. sync_percent = share of the primary''s rows known to be equal: copied x (1 - hints and quarantined keys / rows) x score; copied and waiting are those two factors, 0-1.';

CREATE VIEW crossfade.health_alerts AS
SELECT p.cutover, a.alert, a.value, a.threshold, a.remedy
FROM crossfade.progress p, LATERAL (VALUES
  (p.backfill = 'done' AND p.sync_percent < 90, 'sync', p.sync_percent || ' %', '90 %',
    'Fewer rows are known to be equal than should be. Is the writer running (hints, lag), and what does the last verification name?'),
  (100 * p.divergences > 5 * greatest(p.rows_compared, 1), 'divergence',
    round(100 * p.divergences::numeric / greatest(p.rows_compared, 1), 2) || ' %', '5 %',
    'Rows differ for no reason. Look for somebody else who writes the shadow, then: crossfade repair ' || p.cutover),
  (p.lag_seconds > 300, 'lag', p.lag_seconds || ' s', '300 s', 'Changes wait too long. Look at the log of the shadow-writer; nothing is lost.'),
  (p.quarantined > 0, 'quarantine', p.quarantined || ' keys', '0 keys',
    'Rows do not fit the other side. SELECT * FROM crossfade.quarantine names key and reason; mend the row, its next write tries again.'),
  (p.backfill = 'done' AND (p.verified_at IS NULL OR p.verified_at < clock_timestamp() - interval '24 hours'), 'stale verification',
    coalesce(round(extract(epoch FROM clock_timestamp() - p.verified_at) / 3600) || ' h', 'never'), '24 h',
    'What was equal then may not be now: crossfade verify ' || p.cutover)
) AS a (fires, alert, value, threshold, remedy)
WHERE p.direction <> 'none' AND a.fires;
COMMENT ON VIEW crossfade.health_alerts IS
  'What is wrong now, a row each: sync below 90 %, divergence above 5 %, lag above 5 minutes, keys in quarantine, no verification for 24 hours. value and threshold carry their units. Empty is good.';

CREATE FUNCTION crossfade.success_verdict(p_cutover text) RETURNS TABLE (verdict text, reasons text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v crossfade.cutover%ROWTYPE := crossfade.known_cutover(p_cutover);
  p crossfade.progress%ROWTYPE;
BEGIN
  SELECT * INTO p FROM crossfade.progress s WHERE s.cutover = p_cutover;
  reasons := ARRAY(SELECT r.why FROM (VALUES
    (p.score < 0.99, format('only %s %% of the rows agree; 99 %% are the least', round((100 * p.score)::numeric, 2))),
    (100 * p.divergences > 5 * greatest(p.rows_compared, 1), format('%s of %s rows differ, more than 5 %%', p.divergences, p.rows_compared))
  ) AS r (fires, why) WHERE r.fires AND v.direction <> 'none');
  IF cardinality(reasons) > 0 THEN
    verdict := 'ROLLBACK_RECOMMENDED';
    RETURN NEXT;
    RETURN;
  END IF;
  reasons := ARRAY(SELECT r.why FROM (VALUES
    (v.direction = 'none', 'nothing keeps the tables equal now: start the cutover'),
    (p.backfill <> 'done', format('the copy is at %s %%', p.backfill_percent)),
    (p.verified_at IS NULL, 'no complete verification since it was started'),
    (p.divergences > 0, format('%s rows differ; none may', p.divergences)),
    (p.lag_seconds > 30, format('the oldest change waits for %s s; 30 s are the most', p.lag_seconds)),
    (p.quarantined > 0, format('%s keys are in quarantine', p.quarantined))
  ) AS r (fires, why) WHERE r.fires)
    || ARRAY(SELECT format('%s: %s, limit %s', a.alert, a.value, a.threshold) FROM crossfade.health_alerts a
      WHERE a.cutover = p_cutover AND a.alert IN ('sync', 'lag') OR a.cutover = p_cutover AND a.alert = 'stale verification' AND p.verified_at IS NOT NULL);
  verdict := CASE WHEN cardinality(reasons) = 0 THEN 'READY_FOR_CUTOVER' ELSE 'MONITORING_REQUIRED' END;
  RETURN NEXT;
END $$;
COMMENT ON FUNCTION crossfade.success_verdict IS
  'One row: READY_FOR_CUTOVER (reasons empty), MONITORING_REQUIRED or ROLLBACK_RECOMMENDED, with the reasons. It speaks of the rows alone; errors and latencies of readers are judged by the gates. Error CF010: unknown cutover.';

REVOKE ALL ON FUNCTION crossfade.record_hash, crossfade.known_cutover, crossfade.validate_table_consistency,
  crossfade.validate_record_hash, crossfade.success_verdict FROM PUBLIC;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'crossfade_runtime') THEN
    GRANT SELECT ON crossfade.progress, crossfade.health_alerts TO crossfade_runtime;
    GRANT EXECUTE ON FUNCTION crossfade.record_hash, crossfade.known_cutover, crossfade.validate_table_consistency,
      crossfade.validate_record_hash, crossfade.success_verdict TO crossfade_runtime;
  END IF;
END $$;
