-- Why: inline mode, in which the capture trigger writes the shadow in the application's own transaction.
-- Lock: a short ACCESS EXCLUSIVE on crossfade.cutover for two columns with constant defaults; none on tables of the application.
-- Duration: milliseconds. Undo: DROP FUNCTION crossfade.switch_inline, crossfade.record_inline_failure; DROP TABLE crossfade.inline_failure.

ALTER TABLE crossfade.cutover ADD COLUMN inline_writes boolean NOT NULL DEFAULT true, ADD COLUMN inline_version bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN crossfade.cutover.inline_writes IS
  'The master switch of writes to shadows, for triggers that write inline. Off, they leave hints. inline_version: of the switch that was seen last.';

CREATE FUNCTION crossfade.switch_inline(p_id text, p_version bigint, p_enabled boolean) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE crossfade.cutover c SET inline_writes = p_enabled, inline_version = p_version
  WHERE c.id = p_id AND c.inline_version <= p_version AND (c.inline_writes, c.inline_version) IS DISTINCT FROM (p_enabled, p_version)
$$;
COMMENT ON FUNCTION crossfade.switch_inline IS 'Tells inline triggers the master switch as of a version of the system state; an older version changes nothing.';

CREATE TABLE crossfade.inline_failure (
  cutover text NOT NULL,
  key text NOT NULL,
  sqlstate text NOT NULL,
  reason text NOT NULL,
  times bigint NOT NULL DEFAULT 1,
  first_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (cutover, key)
);
COMMENT ON TABLE crossfade.inline_failure IS
  'Writes that the shadow did not take in the application''s transaction, which went on and left a hint. Whoever is here has the row of the key locked, so nobody waits for anybody.';

CREATE FUNCTION crossfade.record_inline_failure(p_cutover text, p_key text, p_sqlstate text, p_message text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO crossfade.inline_failure AS f (cutover, key, sqlstate, reason)
  VALUES (p_cutover, p_key, p_sqlstate, regexp_replace(p_message, ': ".*"', ''))
  ON CONFLICT (cutover, key) DO UPDATE SET sqlstate = EXCLUDED.sqlstate, reason = EXCLUDED.reason, times = f.times + 1, last_seen = clock_timestamp()
$$;

CREATE OR REPLACE FUNCTION crossfade.table_status(p_id text) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v crossfade.cutover%ROWTYPE;
  v_backfill crossfade.backfill%ROWTYPE;
  v_rows bigint := 0;
  v_oldest timestamptz;
BEGIN
  SELECT * INTO v FROM crossfade.cutover c WHERE c.id = p_id;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF to_regclass(format('crossfade.%I', 'outbox_' || p_id)) IS NOT NULL THEN
    EXECUTE format('SELECT count(*), min(at) FROM crossfade.%I', 'outbox_' || p_id) INTO v_rows, v_oldest;
  END IF;
  SELECT * INTO v_backfill FROM crossfade.backfill b WHERE b.cutover = p_id;
  RETURN jsonb_build_object(
    'armed', v.direction,
    'mirror', CASE WHEN v.version > 0 THEN jsonb_build_object('epoch', v.epoch, 'version', v.version, 'stage', v.stage) END,
    'lagMs', coalesce(greatest(0, round(extract(epoch FROM clock_timestamp() - v_oldest) * 1000)), 0),
    'outboxRows', v_rows,
    'quarantined', (SELECT count(*) FROM crossfade.quarantine q WHERE q.cutover = p_id),
    'quarantine', (SELECT coalesce(jsonb_agg(to_jsonb(f)), '[]') FROM (
      SELECT key, sqlstate, reason, attempts FROM crossfade.quarantine q WHERE q.cutover = p_id ORDER BY key LIMIT 20) f),
    'backfill', jsonb_build_object(
      'state', coalesce(v_backfill.state, 'none'),
      'rowsDone', coalesce(v_backfill.rows_done, 0),
      'rowsTotal', coalesce(greatest(v_backfill.rows_total, v_backfill.rows_done), 0),
      'rowsPerSecond', coalesce(round(v_backfill.rate), 0)),
    'verification', (SELECT jsonb_build_object('rowsCompared', r.rows_compared, 'divergences', r.divergences, 'score', r.score,
      'atMs', r.at_ms, 'samples', r.samples) FROM crossfade.verification r WHERE r.cutover = p_id),
    'foreignWrites', (SELECT coalesce(sum(f.writes), 0) FROM crossfade.foreign_write f WHERE f.cutover = p_id),
    'inlineFailures', (SELECT coalesce(sum(i.times), 0) FROM crossfade.inline_failure i WHERE i.cutover = p_id));
END $$;

REVOKE ALL ON FUNCTION crossfade.switch_inline, crossfade.record_inline_failure FROM PUBLIC;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'crossfade_runtime') THEN
    GRANT SELECT ON crossfade.inline_failure TO crossfade_runtime;
    GRANT EXECUTE ON FUNCTION crossfade.switch_inline TO crossfade_runtime;
  END IF;
END $$;
