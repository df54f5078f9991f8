-- Why: the state of a table also says how many of the server's connections are in use; copy, converge and verification take some.
-- Undo this before 0012.
-- Lock: none. Duration: milliseconds. Undo: table_status as in 0012_table_status.sql.

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
    EXECUTE format('SELECT count(*), min(at) FROM crossfade.%I', 'outbox_' || p_id) INTO v_rows, v_oldest;
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
      'rowsPerSecond', coalesce(round(v_backfill.rate), 0)),
    'verification', (SELECT jsonb_build_object('rowsCompared', r.rows_compared, 'divergences', r.divergences, 'score', r.score,
      'atMs', r.at_ms, 'samples', r.samples) FROM crossfade.verification r WHERE r.cutover = p_id),
    -- Of the whole server, and without those that are kept for superusers: what runs out runs out for everybody.
    'connections', jsonb_build_object(
      'used', (SELECT coalesce(sum(d.numbackends), 0) FROM pg_stat_database d),
      'most', current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int),
    'foreignWrites', (SELECT coalesce(sum(f.writes), 0) FROM crossfade.foreign_write f WHERE f.cutover = p_id),
    'indexesAside', v_aside,
    'readOnlyUntilMs', CASE WHEN v.read_only_until > clock_timestamp() THEN floor(extract(epoch FROM v.read_only_until) * 1000) END,
    'inlineFailures', (SELECT coalesce(sum(i.times), 0) FROM crossfade.inline_failure i WHERE i.cutover = p_id));
END $$;
