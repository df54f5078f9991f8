-- Why: the schema that table cutovers live in: the mirror of their state (the fence of every write), progress of backfill and
-- verification, quarantine, and the functions that are the same for all of them. What belongs to one cutover (outbox,
-- capture, converge, backfill, verify) is generated when it is started.
-- Lock: none on existing objects. Duration: milliseconds. Undo: DROP SCHEMA crossfade CASCADE, when no cutover is running.

CREATE SCHEMA IF NOT EXISTS crossfade;

CREATE TABLE crossfade.cutover (
  id text PRIMARY KEY CHECK (id ~ '^[a-z][a-z0-9_]{0,39}$'),
  primary_oid oid NOT NULL,
  shadow_oid oid NOT NULL,
  direction text NOT NULL DEFAULT 'none' CHECK (direction IN ('none', 'forward', 'reverse')),
  epoch bigint NOT NULL DEFAULT 0,
  version bigint NOT NULL DEFAULT 0,
  stage text NOT NULL DEFAULT 'disabled',
  shadow_writes boolean NOT NULL DEFAULT false,
  read_ppm integer NOT NULL DEFAULT 0 CHECK (read_ppm BETWEEN 0 AND 1000000),
  salt text NOT NULL DEFAULT '',
  primary_name text NOT NULL,
  shadow_name text NOT NULL,
  plan jsonb NOT NULL DEFAULT '{}',
  armed_epoch bigint NOT NULL DEFAULT 0,
  armed_version bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE crossfade.cutover IS
  'Mirror of the state in DynamoDB: what the database needs to know of each cutover. Whoever writes compares its epoch here first.';
COMMENT ON COLUMN crossfade.cutover.armed_version IS
  'With armed_epoch: the newest state that armed or took away capture. It may be ahead of the mirror for a moment.';

CREATE TABLE crossfade.quarantine (
  cutover text NOT NULL,
  key text NOT NULL,
  sqlstate text NOT NULL,
  reason text NOT NULL,
  attempts integer NOT NULL,
  deleted boolean NOT NULL DEFAULT false,
  first_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (cutover, key)
);
COMMENT ON TABLE crossfade.quarantine IS
  'Keys that could not be written to the other side, with the reason. The next write of the key tries again. None may be left to advance.';
COMMENT ON COLUMN crossfade.quarantine.deleted IS
  'The key lost its row before it came here: the row that is there now is another one, and keeps nothing of the old one.';

CREATE TABLE crossfade.backfill (
  cutover text PRIMARY KEY,
  state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'paused', 'cancelled', 'done')),
  copied_key text[],
  swept_key text[],
  upper_key text[],
  rows_done bigint NOT NULL DEFAULT 0,
  rows_total bigint NOT NULL DEFAULT 0,
  shadow_had_rows boolean NOT NULL DEFAULT false,
  rate double precision,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE crossfade.backfill IS
  'Progress of the copy of existing rows: how far copied, how far swept for ghosts, the bound frozen at the start.';

CREATE TABLE crossfade.verification (
  cutover text PRIMARY KEY,
  epoch bigint NOT NULL,
  rows_compared bigint NOT NULL,
  divergences bigint NOT NULL,
  score double precision NOT NULL,
  at_ms bigint NOT NULL,
  samples jsonb NOT NULL,
  tier text NOT NULL DEFAULT 'fast' CHECK (tier IN ('fast', 'proof'))
);
COMMENT ON TABLE crossfade.verification IS 'Result of the last complete comparison of both sides.';

CREATE TABLE crossfade.verification_pass (
  cutover text PRIMARY KEY,
  number bigint NOT NULL DEFAULT 0,
  state text NOT NULL DEFAULT 'done' CHECK (state IN ('running', 'done')),
  epoch bigint NOT NULL DEFAULT 0,
  tier text NOT NULL DEFAULT 'fast' CHECK (tier IN ('fast', 'proof')),
  scope text NOT NULL DEFAULT 'full' CHECK (scope IN ('full', 'due')),
  started_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE crossfade.verification_pass IS
  'The pass that is under way, or the last one. Segments carry the number of the last pass that has compared them.';

CREATE TABLE crossfade.foreign_write (
  cutover text NOT NULL,
  key text NOT NULL,
  operation text NOT NULL,
  role text NOT NULL,
  application text NOT NULL,
  writes bigint NOT NULL DEFAULT 1,
  first_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (cutover, key)
);
COMMENT ON TABLE crossfade.foreign_write IS
  'Writes to the side that only Crossfade should write, with who made them. Verification says whether the key differs.';

CREATE FUNCTION crossfade.lock_key(id text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT hashtextextended('crossfade:' || id, 0) $$;
COMMENT ON FUNCTION crossfade.lock_key IS
  'Advisory lock of a cutover. Shared: appliers. Exclusive: whoever changes epoch or direction.';

CREATE FUNCTION crossfade.mirror(
  p_id text, p_epoch bigint, p_version bigint, p_stage text, p_shadow_writes boolean, p_read_ppm integer, p_salt text
) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v crossfade.cutover%ROWTYPE;
BEGIN
  -- Waits for the appliers that began under the old epoch; those that come later read the new one.
  PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
  SELECT * INTO v FROM crossfade.cutover c WHERE c.id = p_id;
  IF NOT FOUND THEN RETURN jsonb_build_object('kind', 'stale', 'epoch', -1, 'version', -1); END IF;
  IF (v.epoch, v.version) > (p_epoch, p_version) THEN
    RETURN jsonb_build_object('kind', 'stale', 'epoch', v.epoch, 'version', v.version);
  END IF;
  UPDATE crossfade.cutover c SET epoch = p_epoch, version = p_version, stage = p_stage, shadow_writes = p_shadow_writes,
    read_ppm = p_read_ppm, salt = p_salt WHERE c.id = p_id;
  RETURN jsonb_build_object('kind', 'written');
END $$;
COMMENT ON FUNCTION crossfade.mirror IS
  'Writes the fence unless a newer (epoch, version) is there. Returns {kind: written} or {kind: stale, epoch, version}.';

CREATE FUNCTION crossfade.refuse_older(p_id text, p_epoch bigint, p_version bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v crossfade.cutover%ROWTYPE;
BEGIN
  PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
  SELECT * INTO v FROM crossfade.cutover c WHERE c.id = p_id;
  IF (v.epoch, v.version) > (p_epoch, p_version) OR (v.armed_epoch, v.armed_version) > (p_epoch, p_version) THEN
    RAISE EXCEPTION 'cutover % is at a newer state than epoch %, version %', p_id, p_epoch, p_version USING ERRCODE = 'CF005';
  END IF;
  UPDATE crossfade.cutover c SET armed_epoch = p_epoch, armed_version = p_version WHERE c.id = p_id;
END $$;
COMMENT ON FUNCTION crossfade.refuse_older IS
  'For whoever arms or takes away capture: takes the lock of the cutover, and raises CF005 when a newer state has been here. A tick that slept is refused here.';

CREATE FUNCTION crossfade.record_foreign_write(p_cutover text, p_key text, p_operation text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO crossfade.foreign_write AS f (cutover, key, operation, role, application)
  VALUES (p_cutover, p_key, p_operation, session_user, coalesce(current_setting('application_name', true), ''))
  ON CONFLICT (cutover, key) DO UPDATE SET operation = EXCLUDED.operation, role = EXCLUDED.role,
    application = EXCLUDED.application, writes = f.writes + 1, last_seen = clock_timestamp();
$$;

CREATE FUNCTION crossfade.segments(p_id text)
RETURNS TABLE (place bigint, bounds text, rows bigint, divergences bigint, verified_at timestamptz, due_since timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF to_regclass(format('crossfade.%I', 'segment_' || p_id)) IS NULL THEN RETURN; END IF;
  RETURN QUERY EXECUTE format($q$
    SELECT g.place, (to_jsonb(g) - '{place,rows,size,sum,divergences,samples,verified_at,pass}'::text[])::text, g.rows, g.divergences,
      g.verified_at, (SELECT min(m.at) FROM crossfade.%I m WHERE m.place = g.place OR m.place IS NULL)
    FROM crossfade.%I g ORDER BY g.place $q$, 'touched_' || p_id, 'segment_' || p_id);
END $$;
COMMENT ON FUNCTION crossfade.segments IS
  'Ranges of keys that verification compares: their bounds (l < key <= h), rows, divergences, when they were compared, since when something has written there.';

CREATE FUNCTION crossfade.quarantine_key(
  p_cutover text, p_key text, p_sqlstate text, p_message text, p_attempts integer, p_deleted boolean DEFAULT false
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  -- Messages of class 22 quote the value; a reason must not show what is in a row.
  INSERT INTO crossfade.quarantine AS q (cutover, key, sqlstate, reason, attempts, deleted)
  VALUES (p_cutover, p_key, p_sqlstate, regexp_replace(p_message, ': ".*"', ''), p_attempts, p_deleted)
  ON CONFLICT (cutover, key) DO UPDATE SET sqlstate = EXCLUDED.sqlstate, reason = EXCLUDED.reason,
    attempts = q.attempts + 1, deleted = q.deleted OR EXCLUDED.deleted, last_seen = clock_timestamp();
$$;

CREATE FUNCTION crossfade.quarantined(p_id text, p_after text, p_limit integer) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT jsonb_build_object(
    'total', (SELECT count(*) FROM crossfade.quarantine q WHERE q.cutover = p_id),
    'keys', (SELECT coalesce(jsonb_agg(jsonb_build_object('key', f.key, 'sqlstate', f.sqlstate, 'reason', f.reason, 'attempts', f.attempts,
        'firstSeenMs', floor(extract(epoch FROM f.first_seen) * 1000), 'lastSeenMs', floor(extract(epoch FROM f.last_seen) * 1000)) ORDER BY f.key), '[]')
      FROM (SELECT * FROM crossfade.quarantine q WHERE q.cutover = p_id AND q.key > p_after ORDER BY q.key LIMIT p_limit) f))
$$;
COMMENT ON FUNCTION crossfade.quarantined IS 'Keys in quarantine behind a given one, in the order of their text, with their number.';

CREATE FUNCTION crossfade.discard_quarantined(p_id text, p_key text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_count integer;
BEGIN
  DELETE FROM crossfade.quarantine q WHERE q.cutover = p_id AND q.key::jsonb = p_key::jsonb;
  GET DIAGNOSTICS v_count = ROW_COUNT;
  RETURN v_count;
END $$;
COMMENT ON FUNCTION crossfade.discard_quarantined IS
  'Gives a key up: it holds the cutover no more, and verification counts it as a divergence from now on.';

CREATE FUNCTION crossfade.control_backfill(p_id text, p_epoch bigint, p_action text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_have bigint;
  v_state text;
  v_next text;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(crossfade.lock_key(p_id));
  SELECT c.epoch INTO v_have FROM crossfade.cutover c WHERE c.id = p_id;
  IF v_have IS DISTINCT FROM p_epoch THEN
    RETURN jsonb_build_object('kind', 'stale', 'have', coalesce(v_have, -1), 'got', p_epoch);
  END IF;
  -- Waits for the chunk that is being copied: after the answer nothing is copied any more.
  SELECT b.state INTO v_state FROM crossfade.backfill b WHERE b.cutover = p_id FOR UPDATE;
  v_next := CASE
    WHEN p_action = 'pause' AND v_state = 'running' THEN 'paused'
    WHEN p_action = 'cancel' AND v_state IN ('running', 'paused') THEN 'cancelled'
    WHEN p_action = 'resume' AND v_state IN ('paused', 'cancelled') THEN 'running' END;
  IF v_next IS NULL THEN
    RETURN jsonb_build_object('kind', 'unchanged', 'state', coalesce(v_state, 'none'));
  END IF;
  UPDATE crossfade.backfill b SET state = v_next WHERE b.cutover = p_id;
  IF v_next = 'cancelled' THEN
    -- What was copied stays, and is compared when the copy begins anew.
    UPDATE crossfade.backfill b SET copied_key = NULL, swept_key = NULL, upper_key = NULL, rows_done = 0, rate = NULL,
      shadow_had_rows = true WHERE b.cutover = p_id;
  END IF;
  RETURN jsonb_build_object('kind', 'changed', 'state', v_next);
END $$;
COMMENT ON FUNCTION crossfade.control_backfill IS
  'pause, resume or cancel the copy of existing rows. A cancelled one begins anew when it is resumed.';

CREATE FUNCTION crossfade.pressure(p_id text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN jsonb_build_object(
    -- NULL where no replica is connected, or the role may not see them.
    'replicaLagMs', (SELECT round(1000 * max(extract(epoch FROM r.replay_lag))) FROM pg_stat_replication r),
    'walBytes', pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END, '0/0'),
    'activeConnections', (SELECT count(*) FROM pg_stat_activity a WHERE a.state = 'active' AND a.pid <> pg_backend_pid()),
    -- Other cutovers whose shadow this one refers to, and whose rows are not all there; those of a circle do not wait.
    'waitsFor', (
      WITH RECURSIVE edge AS (
        SELECT c.id AS child, o.id AS parent FROM crossfade.cutover c
        JOIN pg_constraint k ON k.contype = 'f' AND k.conrelid = c.shadow_oid
        JOIN crossfade.cutover o ON o.shadow_oid = k.confrelid AND o.id <> c.id AND o.direction = 'forward'
        WHERE c.direction = 'forward'
      ), reach AS (
        SELECT child, parent FROM edge UNION SELECT r.child, e.parent FROM reach r JOIN edge e ON e.child = r.parent
      )
      SELECT coalesce(jsonb_agg(DISTINCT e.parent), '[]') FROM edge e
      JOIN crossfade.backfill b ON b.cutover = e.parent AND b.state <> 'done'
      WHERE e.child = p_id AND NOT EXISTS (SELECT FROM reach r WHERE r.child = e.parent AND r.parent = p_id)));
END $$;
COMMENT ON FUNCTION crossfade.pressure IS 'How busy the server is, and which other copies come first: what the copy of a table has to mind.';

CREATE FUNCTION crossfade.table_status(p_id text) RETURNS jsonb
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
    'foreignWrites', (SELECT coalesce(sum(f.writes), 0) FROM crossfade.foreign_write f WHERE f.cutover = p_id));
END $$;
COMMENT ON FUNCTION crossfade.table_status IS
  'What the database knows of one table cutover, as jsonb; NULL when it knows nothing. Lag is the age of the oldest un-applied hint in ms.';

CREATE FUNCTION crossfade.waiting() RETURNS TABLE (id text, hints bigint, lag_ms bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_id text;
BEGIN
  FOR v_id IN SELECT c.id FROM crossfade.cutover c
    WHERE to_regclass(format('crossfade.%I', 'outbox_' || c.id)) IS NOT NULL AND c.shadow_writes ORDER BY c.id
  LOOP
    RETURN QUERY EXECUTE format(
      'SELECT %L::text, count(*), coalesce(round(extract(epoch FROM clock_timestamp() - min(at)) * 1000), 0)::bigint
       FROM crossfade.%I WHERE not_before IS NULL OR not_before <= clock_timestamp() HAVING count(*) > 0',
      v_id, 'outbox_' || v_id);
  END LOOP;
END $$;
COMMENT ON FUNCTION crossfade.waiting IS 'Cutovers whose outbox has hints that can be claimed now, with their number and the age of the oldest.';

-- Runtime role: may call what works on rows, and nothing that changes the schema. Absent in a local set-up.
CREATE FUNCTION crossfade.grant_runtime(p_id text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'crossfade_runtime') THEN RETURN; END IF;
  EXECUTE format('GRANT EXECUTE ON FUNCTION crossfade.%I, crossfade.%I, crossfade.%I, crossfade.%I, crossfade.%I TO crossfade_runtime',
    'converge_' || p_id, 'backfill_' || p_id, 'verify_' || p_id, 'repair_' || p_id, 'retry_' || p_id);
END $$;

-- Routing in SQL: the same bucket, threshold and answer as the SDK.
CREATE FUNCTION crossfade.murmur3_32(p_text text) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  m CONSTANT bigint := 4294967295;
  b bytea := convert_to(p_text, 'UTF8');
  n integer := length(b);
  h bigint := 0;
  k bigint;
BEGIN
  FOR i IN 0 .. n / 4 - 1 LOOP
    -- Parentheses: << and | bind alike.
    k := get_byte(b, i * 4)::bigint | (get_byte(b, i * 4 + 1)::bigint << 8) | (get_byte(b, i * 4 + 2)::bigint << 16)
      | (get_byte(b, i * 4 + 3)::bigint << 24);
    k := crossfade.multiply_32(k, 3432918353);
    k := ((k << 15) | (k >> 17)) & m;
    h := h # crossfade.multiply_32(k, 461845907);
    h := ((h << 13) | (h >> 19)) & m;
    h := (crossfade.multiply_32(h, 5) + 3864292196) & m;
  END LOOP;
  IF n % 4 > 0 THEN
    k := 0;
    FOR i IN 0 .. n % 4 - 1 LOOP
      k := k | (get_byte(b, n - n % 4 + i)::bigint << (8 * i));
    END LOOP;
    k := crossfade.multiply_32(k, 3432918353);
    k := ((k << 15) | (k >> 17)) & m;
    h := h # crossfade.multiply_32(k, 461845907);
  END IF;
  h := h # n;
  h := crossfade.multiply_32(h # (h >> 16), 2246822507);
  h := crossfade.multiply_32(h # (h >> 13), 3266489909);
  RETURN h # (h >> 16);
END $$;
COMMENT ON FUNCTION crossfade.murmur3_32 IS 'MurmurHash3 x86_32 with seed 0 over the UTF-8 bytes, as an unsigned 32-bit number.';

-- Product of two unsigned 32-bit numbers modulo 2^32, without leaving bigint.
CREATE FUNCTION crossfade.multiply_32(a bigint, b bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT ((a & 65535) * b + ((((a >> 16) * (b & 65535)) & 65535) << 16)) & 4294967295
$$;

CREATE FUNCTION crossfade.should_route_to_shadow(p_table text, p_operation text, p_key text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce((
    SELECT CASE
      WHEN c.stage IN ('completed', 'cleaned') THEN true
      WHEN p_operation IN ('write', 'insert', 'update', 'delete', 'upsert') THEN false
      WHEN c.read_ppm >= 1000000 THEN true
      WHEN p_key IS NULL OR p_key = '' THEN false
      ELSE crossfade.murmur3_32(c.salt || ':' || p_key) < floor(c.read_ppm * 4294967296::numeric / 1000000)
    END
    FROM crossfade.cutover c
    WHERE regexp_replace(p_table, '^.*\.', '') IN (c.id, c.primary_name, c.shadow_name) ORDER BY c.id LIMIT 1), false)
$$;
COMMENT ON FUNCTION crossfade.should_route_to_shadow IS
  'True when this key''s operation goes to the shadow: (cutover id or table name with or without its schema, read or write, key). Unknown tables: false. Knows stage and share, not overrides and lists.';

CREATE VIEW crossfade.status AS
SELECT c.id, c.stage, c.direction, c.epoch, c.version, c.read_ppm / 10000.0 AS read_percent,
  (s.status ->> 'lagMs')::bigint AS lag_ms, (s.status ->> 'outboxRows')::bigint AS outbox_rows,
  (s.status ->> 'quarantined')::bigint AS quarantined,
  s.status -> 'backfill' ->> 'state' AS backfill, (s.status -> 'backfill' ->> 'rowsDone')::bigint AS rows_done,
  (s.status -> 'verification' ->> 'score')::double precision AS score,
  (s.status -> 'verification' ->> 'divergences')::bigint AS divergences
FROM crossfade.cutover c, LATERAL (SELECT crossfade.table_status(c.id) AS status) s;
COMMENT ON VIEW crossfade.status IS 'One line per table cutover, for people in psql.';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA crossfade FROM PUBLIC;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'crossfade_runtime') THEN
    GRANT USAGE ON SCHEMA crossfade TO crossfade_runtime;
    GRANT SELECT ON ALL TABLES IN SCHEMA crossfade TO crossfade_runtime;
    GRANT EXECUTE ON FUNCTION crossfade.lock_key, crossfade.mirror, crossfade.table_status, crossfade.waiting, crossfade.segments,
      crossfade.quarantined, crossfade.discard_quarantined, crossfade.control_backfill, crossfade.pressure,
      crossfade.murmur3_32, crossfade.multiply_32, crossfade.should_route_to_shadow TO crossfade_runtime;
  END IF;
END $$;
