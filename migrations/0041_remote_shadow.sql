-- Why: a shadow may be in another database, cluster or major version. No lock and no transaction spans both, so what goes from here to
-- there goes in batches with a number: the id of the transaction that read the rows, taken under the lock of the cutover's batches. The
-- other side takes a batch only when its number is higher than that of every batch before, so an older image never overwrites a newer one.
-- The tables are in every database: batch and remote_pass are used where the primary is, accepted_batch where the shadow is.
--
-- Lock: none on existing objects; crossfade.grant_runtime is replaced. Duration: milliseconds.
-- Undo: first end every cutover with a shadow in another database; then DROP TABLE crossfade.batch, crossfade.accepted_batch,
-- crossfade.remote_pass; DROP FUNCTION crossfade.begin_batch, crossfade.hold_batch, crossfade.end_batch, crossfade.accept_batch,
-- crossfade.end_chunk, crossfade.begin_range, crossfade.end_range; grant_runtime as in 0019.

CREATE TABLE crossfade.batch (
  cutover text PRIMARY KEY,
  number bigint NOT NULL,
  until timestamptz NOT NULL,
  wanted_until timestamptz NOT NULL DEFAULT '-infinity'
);
COMMENT ON TABLE crossfade.batch IS
  'The last batch of rows that was read for a shadow in another database. Before until the next one cannot begin, unless this one is over. Before wanted_until the next one is the copy''s or the comparison''s.';

CREATE TABLE crossfade.accepted_batch (
  cutover text PRIMARY KEY,
  epoch bigint NOT NULL,
  number bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE crossfade.accepted_batch IS
  'Of a shadow whose primary is in another database: the last batch that was written here. A batch with a lower number is refused.';

CREATE TABLE crossfade.remote_pass (
  cutover text PRIMARY KEY,
  seen_key text[],
  rows bigint NOT NULL DEFAULT 0,
  divergences bigint NOT NULL DEFAULT 0,
  samples jsonb NOT NULL DEFAULT '[]',
  diverged text[] NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE crossfade.remote_pass IS
  'Of a shadow in another database: how far the comparison has come, and the keys that differ, as quarantine has them.';

CREATE FUNCTION crossfade.begin_batch(p_id text, p_lease_ms integer, p_first boolean DEFAULT false) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_number bigint;
BEGIN
  -- Until the end of this transaction: what is read in it is read before the next batch gets its number.
  IF NOT pg_try_advisory_xact_lock(crossfade.lock_key('batch:' || p_id)) THEN RETURN NULL; END IF;
  v_number := pg_current_xact_id()::text::bigint;
  INSERT INTO crossfade.batch AS b (cutover, number, until) VALUES (p_id, v_number, clock_timestamp() + make_interval(secs => p_lease_ms / 1000.0))
  ON CONFLICT (cutover) DO UPDATE SET number = EXCLUDED.number, until = EXCLUDED.until, wanted_until = '-infinity'
    WHERE b.until <= clock_timestamp() AND b.number < EXCLUDED.number AND (p_first OR b.wanted_until <= clock_timestamp());
  IF FOUND THEN RETURN v_number; END IF;
  -- Changes come all the time, and each batch of them is followed by the next.
  IF p_first THEN UPDATE crossfade.batch b SET wanted_until = clock_timestamp() + interval '2 s' WHERE b.cutover = p_id; END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION crossfade.begin_batch IS
  'The number of a new batch for a shadow in another database; NULL while another batch is under way; with p_first the next one is kept for who asks again within two seconds. What later statements of this transaction read is newer than what every batch with a lower number has.';

CREATE FUNCTION crossfade.hold_batch(p_id text, p_number bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT pg_try_advisory_xact_lock(crossfade.lock_key('batch:' || p_id)) OR NOT EXISTS (SELECT FROM crossfade.batch b WHERE b.cutover = p_id AND b.number = p_number) THEN
    RAISE EXCEPTION 'batch % of cutover % was overtaken by a later one', p_number, p_id USING ERRCODE = 'CF015';
  END IF;
END $$;
COMMENT ON FUNCTION crossfade.hold_batch IS
  'A batch that goes on in a further transaction: raises CF015 when a later one has begun, and keeps one from beginning until the end of this transaction.';

CREATE FUNCTION crossfade.end_batch(p_id text, p_number bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE crossfade.batch b SET until = '-infinity' WHERE b.cutover = p_id AND b.number = p_number;
  RETURN FOUND;
END $$;
COMMENT ON FUNCTION crossfade.end_batch IS 'Lets the next batch begin at once. False when a later one has begun.';

CREATE FUNCTION crossfade.accept_batch(p_id text, p_epoch bigint, p_number bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v crossfade.accepted_batch%ROWTYPE;
BEGIN
  -- Batches are written one after the other: the next one waits here until this one is committed.
  SELECT * INTO v FROM crossfade.accepted_batch a WHERE a.cutover = p_id FOR UPDATE;
  IF v.epoch IS DISTINCT FROM p_epoch THEN RETURN 'stale'; END IF;
  IF v.number >= p_number THEN RETURN 'overtaken'; END IF;
  UPDATE crossfade.accepted_batch a SET number = p_number WHERE a.cutover = p_id;
  RETURN 'accepted';
END $$;
COMMENT ON FUNCTION crossfade.accept_batch IS
  'Before anything of a batch is written: accepted, overtaken by a batch with a higher number, or stale when its epoch is not the one in force. Only an accepted batch is written, in the same transaction.';

CREATE FUNCTION crossfade.end_chunk(p_id text, p_number bigint, p_from text[], p_to text[], p_rows bigint, p_begun text, p_took_ms double precision) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_moved boolean;
BEGIN
  UPDATE crossfade.backfill b SET copied_key = p_to, swept_key = p_to, rows_done = b.rows_done + p_rows, updated_at = clock_timestamp(),
    state = CASE WHEN p_to IS NULL THEN 'done' ELSE b.state END, rate = coalesce(0.9 * b.rate + 0.1 * r.now, r.now)
  FROM (SELECT 1000 * p_rows / greatest(1, p_took_ms) AS now) r
  -- A sweep that began meanwhile begins at the first key again.
  WHERE b.cutover = p_id AND b.state = 'running' AND b.updated_at = p_begun::timestamptz AND b.copied_key IS NOT DISTINCT FROM p_from
    AND EXISTS (SELECT FROM crossfade.batch x WHERE x.cutover = p_id AND x.number = p_number);
  v_moved := FOUND;
  PERFORM crossfade.end_batch(p_id, p_number);
  RETURN v_moved;
END $$;
COMMENT ON FUNCTION crossfade.end_chunk IS
  'A chunk of the copy into another database was written there: (cutover, batch, its bounds, rows, when the copy stood there, time). False when a sweep, a pause or a later batch came in between: the chunk is copied again.';

CREATE FUNCTION crossfade.begin_range(p_id text, p_epoch bigint, p_tier text, p_lease_ms integer) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_have bigint;
  v_number bigint;
  v_pass crossfade.verification_pass%ROWTYPE;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(crossfade.lock_key(p_id));
  SELECT c.epoch INTO v_have FROM crossfade.cutover c WHERE c.id = p_id;
  IF v_have IS DISTINCT FROM p_epoch THEN RETURN jsonb_build_object('kind', 'stale', 'have', coalesce(v_have, -1), 'got', p_epoch); END IF;
  IF NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.direction = 'forward') THEN
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
COMMENT ON FUNCTION crossfade.begin_range IS
  'The next range of a comparison with another database: {kind: range, number, from, tier, pass}. No batch is written there until end_range, or until the lease is over.';

CREATE FUNCTION crossfade.end_range(p_id text, p_epoch bigint, p_number bigint, p_from text[], p_to text[], p_rows bigint, p_divergences bigint, p_samples jsonb, p_diverged text[], p_at_ms bigint) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  c_samples CONSTANT integer := 20;
  c_keys CONSTANT integer := 10000;
  v crossfade.remote_pass%ROWTYPE;
BEGIN
  -- Later batches may have been written while the range was read: then it says nothing, and is read again.
  IF NOT crossfade.end_batch(p_id, p_number) THEN RETURN jsonb_build_object('kind', 'busy'); END IF;
  UPDATE crossfade.remote_pass r SET seen_key = p_to, rows = r.rows + p_rows, divergences = r.divergences + p_divergences,
    samples = (SELECT coalesce(jsonb_agg(s.sample ORDER BY s.place), '[]') FROM jsonb_array_elements(r.samples || p_samples) WITH ORDINALITY s(sample, place) WHERE s.place <= c_samples),
    diverged = (r.diverged || p_diverged)[1:c_keys]
  WHERE r.cutover = p_id AND r.seen_key IS NOT DISTINCT FROM p_from AND EXISTS (SELECT FROM crossfade.verification_pass p WHERE p.cutover = p_id AND p.state = 'running' AND p.epoch = p_epoch)
  RETURNING * INTO v;
  IF NOT FOUND THEN RETURN jsonb_build_object('kind', 'busy'); END IF;
  IF p_to IS NOT NULL THEN
    RETURN jsonb_build_object('kind', 'running', 'rowsDone', v.rows, 'rowsTotal', greatest(v.rows, (SELECT b.rows_total FROM crossfade.backfill b WHERE b.cutover = p_id)));
  END IF;
  UPDATE crossfade.verification_pass p SET state = 'done' WHERE p.cutover = p_id;
  INSERT INTO crossfade.verification AS x (cutover, epoch, rows_compared, divergences, score, at_ms, samples, tier)
  SELECT p_id, p_epoch, v.rows, v.divergences, CASE WHEN v.rows = 0 THEN CASE WHEN v.divergences = 0 THEN 1 ELSE 0 END
    ELSE greatest(0, 1 - v.divergences::double precision / v.rows) END, p_at_ms, v.samples, p.tier FROM crossfade.verification_pass p WHERE p.cutover = p_id
  ON CONFLICT (cutover) DO UPDATE SET epoch = EXCLUDED.epoch, rows_compared = EXCLUDED.rows_compared, divergences = EXCLUDED.divergences,
    score = EXCLUDED.score, samples = EXCLUDED.samples, at_ms = EXCLUDED.at_ms, tier = EXCLUDED.tier;
  UPDATE crossfade.backfill b SET sweep_why = NULL WHERE b.cutover = p_id AND b.sweep_why IS NOT NULL AND v.divergences = 0;
  RETURN (SELECT jsonb_build_object('kind', 'verified', 'rowsCompared', x.rows_compared, 'divergences', x.divergences, 'score', x.score,
    'atMs', x.at_ms, 'samples', x.samples) FROM crossfade.verification x WHERE x.cutover = p_id);
END $$;
COMMENT ON FUNCTION crossfade.end_range IS
  'What the comparison of a range found: {kind: running} or, after the last one, {kind: verified} with the result, which is stored; busy when a later batch has begun, so that the range is compared again.';

-- Which of them there are depends on where the shadow is.
CREATE OR REPLACE FUNCTION crossfade.grant_runtime(p_id text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_function regprocedure;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'crossfade_runtime') THEN RETURN; END IF;
  FOR v_function IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'crossfade'::regnamespace
    AND p.proname IN (SELECT w || '_' || p_id FROM unnest('{converge,turn,backfill,verify,repair,retry,claim,settle,chunk}'::text[]) w)
  LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO crossfade_runtime', v_function);
  END LOOP;
END $$;

REVOKE ALL ON FUNCTION crossfade.begin_batch, crossfade.hold_batch, crossfade.end_batch, crossfade.accept_batch, crossfade.end_chunk, crossfade.begin_range, crossfade.end_range FROM PUBLIC;
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'crossfade_runtime') THEN
    GRANT EXECUTE ON FUNCTION crossfade.begin_batch, crossfade.end_batch, crossfade.end_chunk, crossfade.begin_range, crossfade.end_range TO crossfade_runtime;
  END IF;
END $$;
