-- Why: for the final catch-up the application's writes to a primary can be refused for a bounded time.
-- Lock: a short ACCESS EXCLUSIVE on crossfade.cutover for two columns without a default. Duration: milliseconds.
-- Undo: SELECT crossfade.end_read_only(id) FROM crossfade.cutover; then drop the functions.

ALTER TABLE crossfade.cutover ADD COLUMN read_only_until timestamptz, ADD COLUMN read_only_ended timestamptz;
COMMENT ON COLUMN crossfade.cutover.read_only_until IS 'Until then writes of the application to the primary are refused, unless it was ended before: read_only_ended.';

-- The moments are arguments of the trigger, since a transaction with an old snapshot sees an old row of the cutover, but always
-- the trigger of now. The row can only let writes go on again: when it was ended, promoted or rolled back.
CREATE FUNCTION crossfade.read_only_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_since CONSTANT timestamptz := TG_ARGV[1];
  v_until CONSTANT timestamptz := TG_ARGV[2];
BEGIN
  IF v_until <= clock_timestamp() OR NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = TG_ARGV[0] AND c.direction = 'forward'
    AND c.stage <> 'rolled_back' AND (c.read_only_ended IS NULL OR c.read_only_ended < v_since)) THEN RETURN NULL; END IF;
  RAISE EXCEPTION 'table %.% takes no writes until % UTC: cutover % catches up', TG_TABLE_SCHEMA, TG_TABLE_NAME,
    to_char(v_until AT TIME ZONE 'UTC', 'HH24:MI:SS'), TG_ARGV[0] USING ERRCODE = 'read_only_sql_transaction',
    HINT = 'Nothing was written. Try again after that moment; it ends by itself.';
END $$;

-- CREATE TRIGGER waits for every transaction that has written the table: after the answer all changes are committed and have hints.
CREATE FUNCTION crossfade.set_read_only(p_id text, p_epoch bigint, p_seconds integer) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' SET datestyle = 'ISO' AS $$
DECLARE
  v crossfade.cutover%ROWTYPE;
  v_until timestamptz;
BEGIN
  IF p_seconds IS NULL OR p_seconds NOT BETWEEN 1 AND 300 THEN
    RAISE EXCEPTION 'a primary is read-only for 1 to 300 seconds, not %', p_seconds USING ERRCODE = 'CF004';
  END IF;
  PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
  SELECT * INTO v FROM crossfade.cutover c WHERE c.id = p_id;
  IF v.epoch IS DISTINCT FROM p_epoch OR v.direction <> 'forward' OR v.stage = 'rolled_back' THEN
    RETURN jsonb_build_object('kind', 'stale', 'have', coalesce(v.epoch, -1), 'got', p_epoch);
  END IF;
  EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', v.primary_oid::regclass);
  v_until := clock_timestamp() + make_interval(secs => p_seconds);
  EXECUTE format('CREATE OR REPLACE TRIGGER crossfade_read_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s
    FOR EACH STATEMENT EXECUTE FUNCTION crossfade.read_only_guard(%L, %L, %L)', v.primary_oid::regclass, p_id, clock_timestamp(), v_until);
  UPDATE crossfade.cutover c SET read_only_until = v_until WHERE c.id = p_id;
  RETURN jsonb_build_object('kind', 'read_only', 'untilMs', floor(extract(epoch FROM v_until) * 1000));
END $$;
COMMENT ON FUNCTION crossfade.set_read_only IS 'Refuses writes of the application to the primary of a cutover for so many seconds, with SQLSTATE 25006.';

-- Takes no lock on the table, so that nobody waits for it; the trigger lets everything pass from then on, and is dropped when that is possible.
CREATE FUNCTION crossfade.end_read_only(p_id text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE crossfade.cutover c SET read_only_until = NULL, read_only_ended = clock_timestamp() WHERE c.id = p_id AND c.read_only_until IS NOT NULL;
  RETURN FOUND;
END $$;
COMMENT ON FUNCTION crossfade.end_read_only IS 'Lets writes go on at once. True when they were refused, or had been until the time was over.';

CREATE FUNCTION crossfade.drop_read_only(p_id text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
  v_table oid;
BEGIN
  FOR v_table IN SELECT t.tgrelid FROM pg_trigger t JOIN crossfade.cutover c ON t.tgrelid IN (c.primary_oid, c.shadow_oid)
    WHERE c.id = p_id AND t.tgname = 'crossfade_read_only' AND c.read_only_until IS NULL
  LOOP
    EXECUTE format('DROP TRIGGER IF EXISTS crossfade_read_only ON %s', v_table::regclass);
  END LOOP;
EXCEPTION WHEN lock_not_available THEN
  NULL;
END $$;

REVOKE ALL ON FUNCTION crossfade.read_only_guard, crossfade.set_read_only, crossfade.end_read_only, crossfade.drop_read_only FROM PUBLIC;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'crossfade_runtime') THEN
    GRANT EXECUTE ON FUNCTION crossfade.end_read_only TO crossfade_runtime;
  END IF;
END $$;
