-- Why: a hand-over to the other database refuses writes for seconds. It took the place of a period that a person had set, and where it was
-- put off it ended that period, too. Now a period of a person goes on to its end: a hand-over may make it longer, and ends only its own.
--
-- Lock: a short ACCESS EXCLUSIVE on crossfade.cutover for a column with a constant default; none on tables of the application. Duration: milliseconds.
-- Undo: first end every cutover with a shadow in another database; then DROP FUNCTION crossfade.begin_hand_over, crossfade.put_off_hand_over,
-- set_read_only as in 0042, DROP FUNCTION crossfade.refuse_writes; ALTER TABLE crossfade.cutover DROP COLUMN handing_over.

ALTER TABLE crossfade.cutover ADD COLUMN handing_over boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN crossfade.cutover.handing_over IS 'The period until read_only_until is of a hand-over, and of nobody else.';

-- CREATE TRIGGER waits for every transaction that has written the table: after the answer all changes are committed and have hints.
CREATE FUNCTION crossfade.refuse_writes(p_id text, p_epoch bigint, p_seconds integer, p_hands_over boolean) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' SET datestyle = 'ISO' AS $$
DECLARE
  v crossfade.cutover%ROWTYPE;
  v_now timestamptz;
  v_until timestamptz;
  v_persons timestamptz;
  v_table oid;
BEGIN
  IF p_seconds IS NULL OR p_seconds NOT BETWEEN 1 AND 300 THEN
    RAISE EXCEPTION 'a primary is read-only for 1 to 300 seconds, not %', p_seconds USING ERRCODE = 'CF004';
  END IF;
  PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
  SELECT * INTO v FROM crossfade.cutover c WHERE c.id = p_id;
  -- In reverse only where the other table is in another database; and what takes no writes for good must not take them again.
  IF v.epoch IS DISTINCT FROM p_epoch OR v.stage = 'rolled_back' OR NOT (v.direction = 'forward' OR (v.direction = 'reverse' AND v.shadow_oid = 0))
    OR EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = v.primary_oid AND g.tgname = 'crossfade_read_only' AND g.tgnargs = 1) THEN
    RETURN jsonb_build_object('kind', 'stale', 'have', coalesce(v.epoch, -1), 'got', p_epoch);
  END IF;
  EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', v.primary_oid::regclass);
  v_now := clock_timestamp();
  v_until := v_now + make_interval(secs => p_seconds);
  IF p_hands_over AND NOT v.handing_over AND v.read_only_until > v_now THEN v_persons := v.read_only_until; END IF;
  v_until := greatest(v_until, v_persons);
  FOR v_table IN SELECT t FROM crossfade.with_partitions(v.primary_oid) t LOOP
    EXECUTE format('CREATE OR REPLACE TRIGGER crossfade_read_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s
      FOR EACH STATEMENT EXECUTE FUNCTION crossfade.read_only_guard(%L, %L, %L)', v_table::regclass, p_id, v_now, v_until);
  END LOOP;
  UPDATE crossfade.cutover c SET read_only_until = v_until, handing_over = p_hands_over AND v_persons IS NULL WHERE c.id = p_id;
  RETURN jsonb_build_object('kind', 'read_only', 'untilMs', floor(extract(epoch FROM v_until) * 1000));
END $$;
COMMENT ON FUNCTION crossfade.refuse_writes IS
  'set_read_only and begin_hand_over: {kind: read_only, untilMs} or {kind: stale, have, got}. A hand-over does not shorten a period that a person has set.';

CREATE OR REPLACE FUNCTION crossfade.set_read_only(p_id text, p_epoch bigint, p_seconds integer) RETURNS jsonb
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS 'SELECT crossfade.refuse_writes(p_id, p_epoch, p_seconds, false)';

CREATE FUNCTION crossfade.begin_hand_over(p_id text, p_epoch bigint, p_seconds integer) RETURNS jsonb
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS 'SELECT crossfade.refuse_writes(p_id, p_epoch, p_seconds, true)';
COMMENT ON FUNCTION crossfade.begin_hand_over IS
  'This side of a cutover whose tables are in two databases takes no writes for so many seconds (SQLSTATE 25006), so that its last changes can go over before hand_over.';

-- As end_read_only: takes no lock on the table.
CREATE FUNCTION crossfade.put_off_hand_over(p_id text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE crossfade.cutover c SET read_only_until = NULL, read_only_ended = clock_timestamp() WHERE c.id = p_id AND c.handing_over AND c.read_only_until IS NOT NULL;
  RETURN FOUND;
END $$;
COMMENT ON FUNCTION crossfade.put_off_hand_over IS
  'Writes that begin_hand_over has refused go on at once. False where a person has them refused: then they are, until that period is over.';

REVOKE ALL ON FUNCTION crossfade.refuse_writes, crossfade.begin_hand_over, crossfade.put_off_hand_over FROM PUBLIC;
