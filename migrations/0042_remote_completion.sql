-- Why: writes follow the reads to a shadow in another database, and come back. One side takes writes at a time: it is closed, its last
-- changes go to the other side, it hands over for good, and only then does the other side take over. No transaction spans both, so what
-- each side says of itself is in its own row of crossfade.cutover, and whoever died in between is followed by somebody who goes on.
--
-- Lock: none on existing objects; functions are replaced. Duration: milliseconds.
-- Undo: first end every cutover with a shadow in another database; then DROP FUNCTION crossfade.hand_over, crossfade.take_over,
-- crossfade.stay_closed, crossfade.close_table, crossfade.advance_sequence; read_only_guard as in 0011, set_read_only and drop_read_only as in 0036, begin_range as in 0041.

-- With one argument: for good, but for a batch of the mover, which has written accepted_batch in this very transaction.
CREATE OR REPLACE FUNCTION crossfade.read_only_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_since timestamptz;
  v_until timestamptz;
BEGIN
  IF TG_NARGS = 1 THEN
    IF EXISTS (SELECT FROM crossfade.accepted_batch a WHERE a.cutover = TG_ARGV[0] AND a.xmin = pg_current_xact_id_if_assigned()::xid) THEN RETURN NULL; END IF;
    RAISE EXCEPTION 'table %.% takes no writes: the other database of cutover % does', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_ARGV[0]
      USING ERRCODE = 'read_only_sql_transaction', HINT = 'Nothing was written. Write to the other database.';
  END IF;
  v_since := TG_ARGV[1];
  v_until := TG_ARGV[2];
  IF v_until <= clock_timestamp() OR NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = TG_ARGV[0] AND (c.direction = 'forward' OR (c.direction = 'reverse' AND c.shadow_oid = 0))
    AND c.stage <> 'rolled_back' AND (c.read_only_ended IS NULL OR c.read_only_ended < v_since)) THEN RETURN NULL; END IF;
  RAISE EXCEPTION 'table %.% takes no writes until % UTC: cutover % catches up', TG_TABLE_SCHEMA, TG_TABLE_NAME,
    to_char(v_until AT TIME ZONE 'UTC', 'HH24:MI:SS'), TG_ARGV[0] USING ERRCODE = 'read_only_sql_transaction',
    HINT = 'Nothing was written. Try again after that moment; it ends by itself.';
END $$;

CREATE OR REPLACE FUNCTION crossfade.set_read_only(p_id text, p_epoch bigint, p_seconds integer) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' SET datestyle = 'ISO' AS $$
DECLARE
  v crossfade.cutover%ROWTYPE;
  v_now timestamptz;
  v_until timestamptz;
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
  FOR v_table IN SELECT t FROM crossfade.with_partitions(v.primary_oid) t LOOP
    EXECUTE format('CREATE OR REPLACE TRIGGER crossfade_read_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s
      FOR EACH STATEMENT EXECUTE FUNCTION crossfade.read_only_guard(%L, %L, %L)', v_table::regclass, p_id, v_now, v_until);
  END LOOP;
  UPDATE crossfade.cutover c SET read_only_until = v_until WHERE c.id = p_id;
  RETURN jsonb_build_object('kind', 'read_only', 'untilMs', floor(extract(epoch FROM v_until) * 1000));
END $$;

-- What is closed for good stays.
CREATE OR REPLACE FUNCTION crossfade.drop_read_only(p_id text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
  v_table oid;
BEGIN
  FOR v_table IN SELECT t.tgrelid FROM crossfade.cutover c CROSS JOIN LATERAL (VALUES (c.primary_oid), (c.shadow_oid)) x(oid)
    CROSS JOIN LATERAL crossfade.with_partitions(x.oid) w(oid) JOIN pg_trigger t ON t.tgrelid = w.oid
    WHERE c.id = p_id AND t.tgname = 'crossfade_read_only' AND t.tgnargs > 1 AND c.read_only_until IS NULL
  LOOP
    EXECUTE format('DROP TRIGGER IF EXISTS crossfade_read_only ON %s', v_table::regclass);
  END LOOP;
EXCEPTION WHEN lock_not_available THEN
  NULL;
END $$;

CREATE FUNCTION crossfade.close_table(p_id text, p_table oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_table oid;
BEGIN
  FOR v_table IN SELECT t FROM crossfade.with_partitions(p_table) t LOOP
    EXECUTE format('CREATE OR REPLACE TRIGGER crossfade_read_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s
      FOR EACH STATEMENT EXECUTE FUNCTION crossfade.read_only_guard(%L)', v_table::regclass, p_id);
    EXECUTE format('ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER crossfade_read_only', v_table::regclass);
  END LOOP;
END $$;
COMMENT ON FUNCTION crossfade.close_table IS
  'A table of a cutover whose tables are in two databases takes no writes (SQLSTATE 25006) but those of batches from the other one, until it takes over.';

-- Before the other side is closed: whom that one refuses must not find this one open.
CREATE FUNCTION crossfade.stay_closed(p_id text, p_table oid, p_before_epoch bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
  IF EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.epoch >= p_before_epoch) THEN
    RAISE EXCEPTION 'this side of cutover % has epoch % already', p_id, p_before_epoch USING ERRCODE = 'CF016';
  END IF;
  IF NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = p_table AND g.tgname = 'crossfade_read_only' AND g.tgnargs = 1) THEN
    PERFORM crossfade.close_table(p_id, p_table);
  END IF;
END $$;
COMMENT ON FUNCTION crossfade.stay_closed IS
  'close_table, for the side that is to take over in the epoch p_before_epoch. Raises CF016 when it has done so.';

-- Under the lock of the table nobody is writing it, and whoever writes next meets the trigger. So what is seen here is all there will be.
CREATE FUNCTION crossfade.hand_over(p_id text, p_from_epoch bigint, p_to_epoch bigint, p_version bigint, p_stage text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v crossfade.cutover%ROWTYPE;
  v_waits boolean;
  v_compared crossfade.verification%ROWTYPE;
  v_table oid;
  v_name name;
BEGIN
  PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
  SELECT * INTO v FROM crossfade.cutover c WHERE c.id = p_id;
  IF v.epoch IS DISTINCT FROM p_from_epoch OR v.direction = 'none' OR v.abandoned >= p_version THEN
    RAISE EXCEPTION 'cutover % has left epoch %, or this was given up', p_id, p_from_epoch USING ERRCODE = 'CF016';
  END IF;
  EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', v.primary_oid::regclass);
  EXECUTE format('SELECT EXISTS (SELECT FROM crossfade.%I) OR EXISTS (SELECT FROM crossfade.missed m WHERE m.cutover = %L)', 'outbox_' || p_id, p_id) INTO v_waits;
  IF v_waits THEN RAISE EXCEPTION 'some changes are not on the other side yet' USING ERRCODE = 'CF016'; END IF;
  IF EXISTS (SELECT FROM crossfade.quarantine q WHERE q.cutover = p_id) THEN
    RAISE EXCEPTION 'keys are in quarantine, so the other side has not got them' USING ERRCODE = 'CF016';
  END IF;
  IF EXISTS (SELECT FROM crossfade.backfill b WHERE b.cutover = p_id AND (b.state <> 'done' OR b.sweep_why IS NOT NULL)) THEN
    RAISE EXCEPTION 'rows are being copied, or were not compared since' USING ERRCODE = 'CF016';
  END IF;
  SELECT * INTO v_compared FROM crossfade.verification x WHERE x.cutover = p_id;
  IF v.direction = 'forward' AND (v_compared.epoch IS DISTINCT FROM p_from_epoch OR v_compared.divergences > 0) THEN
    RAISE EXCEPTION 'both sides were not found equal: %', CASE WHEN v_compared.epoch = p_from_epoch THEN format('%s divergences at the last comparison', v_compared.divergences) ELSE 'they were not compared yet' END USING ERRCODE = 'CF016';
  END IF;
  PERFORM crossfade.refuse_changed_shape(p_id);
  PERFORM crossfade.close_table(p_id, v.primary_oid);
  -- What the mover writes here from now on is no change of the application. To drop them would lock out readers.
  FOR v_table, v_name IN SELECT g.tgrelid, g.tgname FROM crossfade.with_partitions(v.primary_oid) w(oid) JOIN pg_trigger g ON g.tgrelid = w.oid
    WHERE g.tgname IN ('crossfade_capture', 'crossfade_truncated')
  LOOP
    EXECUTE format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', v_table::regclass, v_name);
  END LOOP;
  UPDATE crossfade.cutover c SET epoch = p_to_epoch, version = p_version, stage = p_stage, read_only_until = NULL,
    direction = CASE c.direction WHEN 'forward' THEN 'reverse' ELSE 'none' END, shadow_writes = c.direction = 'forward' WHERE c.id = p_id;
END $$;
COMMENT ON FUNCTION crossfade.hand_over IS
  'This side of a cutover whose tables are in two databases takes no more writes, for good (SQLSTATE 25006), and captures none. Raises CF016 with the reason while changes wait, keys are in quarantine, both sides were not found equal, or this was given up.';

CREATE FUNCTION crossfade.take_over(p_id text, p_epoch bigint, p_version bigint, p_stage text, p_direction text, p_table oid, p_name text, p_other_name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_table oid;
BEGIN
  PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
  IF EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.epoch >= p_epoch) THEN
    RAISE EXCEPTION 'this side of cutover % has epoch % already', p_id, p_epoch USING ERRCODE = 'CF016';
  END IF;
  -- Waits for a batch that is being written; whichever comes later is stale.
  UPDATE crossfade.accepted_batch a SET epoch = p_epoch WHERE a.cutover = p_id;
  INSERT INTO crossfade.cutover (id, primary_oid, shadow_oid, primary_name, shadow_name, direction, epoch, version, stage, shadow_writes, armed_epoch, armed_version)
  VALUES (p_id, p_table, 0, p_name, p_other_name, p_direction, p_epoch, p_version, p_stage, p_direction <> 'none', p_epoch, p_version)
  ON CONFLICT (id) DO UPDATE SET primary_oid = EXCLUDED.primary_oid, shadow_oid = 0, primary_name = EXCLUDED.primary_name, shadow_name = EXCLUDED.shadow_name,
    direction = EXCLUDED.direction, epoch = EXCLUDED.epoch, version = EXCLUDED.version, stage = EXCLUDED.stage, shadow_writes = EXCLUDED.shadow_writes,
    armed_epoch = EXCLUDED.armed_epoch, armed_version = EXCLUDED.armed_version;
  -- Over since ever: to drop it would lock out readers.
  FOR v_table IN SELECT w.oid FROM crossfade.with_partitions(p_table) w(oid) JOIN pg_trigger g ON g.tgrelid = w.oid AND g.tgname = 'crossfade_read_only' LOOP
    EXECUTE format('CREATE OR REPLACE TRIGGER crossfade_read_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s
      FOR EACH STATEMENT EXECUTE FUNCTION crossfade.read_only_guard(%L, %L, %L)', v_table::regclass, p_id, '-infinity', '-infinity');
  END LOOP;
END $$;
COMMENT ON FUNCTION crossfade.take_over IS
  'This side of a cutover whose tables are in two databases takes writes, in the transaction that arms its capture. Raises CF016 when it does so already.';

CREATE FUNCTION crossfade.advance_sequence(p_sequence text, p_table text, p_column text, p_at bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v pg_sequence%ROWTYPE;
  v_furthest bigint;
BEGIN
  SELECT q.* INTO STRICT v FROM pg_sequence q WHERE q.seqrelid = p_sequence::regclass;
  EXECUTE format('SELECT %s(%I) FROM %s WHERE %2$I BETWEEN $1 AND $2', CASE WHEN v.seqincrement < 0 THEN 'min' ELSE 'max' END, p_column, p_table)
    INTO v_furthest USING v.seqmin, v.seqmax;
  SELECT CASE WHEN v.seqincrement < 0 THEN min(x.at) ELSE max(x.at) END INTO v_furthest
  FROM (VALUES (v_furthest), (pg_sequence_last_value(v.seqrelid)), (p_at)) x(at) WHERE x.at BETWEEN v.seqmin AND v.seqmax;
  IF v_furthest IS NOT NULL THEN PERFORM setval(v.seqrelid::regclass, v_furthest); END IF;
END $$;
COMMENT ON FUNCTION crossfade.advance_sequence IS
  'The next number of a sequence is behind p_at, where the sequence of the other database stands, behind its own last one, and behind every value of the column.';

-- In either direction, on the side whose changes are captured.
CREATE OR REPLACE FUNCTION crossfade.begin_range(p_id text, p_epoch bigint, p_tier text, p_lease_ms integer) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_have bigint;
  v_number bigint;
  v_pass crossfade.verification_pass%ROWTYPE;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(crossfade.lock_key(p_id));
  SELECT c.epoch INTO v_have FROM crossfade.cutover c WHERE c.id = p_id;
  IF v_have IS DISTINCT FROM p_epoch THEN RETURN jsonb_build_object('kind', 'stale', 'have', coalesce(v_have, -1), 'got', p_epoch); END IF;
  IF NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.direction <> 'none') THEN
    RETURN jsonb_build_object('kind', 'unready', 'why', 'capture is not armed');
  END IF;
  IF EXISTS (SELECT FROM crossfade.backfill b WHERE b.cutover = p_id AND b.state <> 'done') THEN
    RETURN jsonb_build_object('kind', 'unready', 'why', 'the backfill is not done');
  END IF;
  v_number := crossfade.begin_batch(p_id, p_lease_ms, true);
  IF v_number IS NULL THEN RETURN jsonb_build_object('kind', 'busy'); END IF;
  INSERT INTO crossfade.verification_pass (cutover) VALUES (p_id) ON CONFLICT DO NOTHING;
  SELECT * INTO v_pass FROM crossfade.verification_pass v WHERE v.cutover = p_id FOR UPDATE;
  IF v_pass.state = 'done' OR v_pass.epoch <> p_epoch OR (p_tier = 'proof' AND v_pass.tier = 'fast') THEN
    UPDATE crossfade.verification_pass v SET number = v.number + 1, state = 'running', epoch = p_epoch, tier = p_tier, scope = 'full',
      started_at = clock_timestamp() WHERE v.cutover = p_id RETURNING * INTO v_pass;
    INSERT INTO crossfade.remote_pass (cutover) VALUES (p_id) ON CONFLICT (cutover) DO UPDATE SET seen_key = NULL, rows = 0, divergences = 0, samples = '[]', diverged = '{}';
  END IF;
  RETURN (SELECT jsonb_build_object('kind', 'range', 'number', v_number, 'from', to_jsonb(r.seen_key), 'tier', v_pass.tier,
    'pass', jsonb_build_object('startedMs', floor(1000 * extract(epoch FROM v_pass.started_at))::bigint, 'calledMs', floor(1000 * extract(epoch FROM clock_timestamp()))::bigint))
    FROM crossfade.remote_pass r WHERE r.cutover = p_id);
END $$;

REVOKE ALL ON FUNCTION crossfade.close_table, crossfade.stay_closed, crossfade.hand_over, crossfade.take_over, crossfade.advance_sequence FROM PUBLIC;
