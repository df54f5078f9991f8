-- Why: what holds a swap, a start or a verification must say what is seen, what the limit is and what ends it. A prepared transaction
-- was named by an empty process number, a drain said how many changes are too many and not how many there are, and a
-- verification that was no proof said so to its caller only.
--
-- Lock: a short ACCESS EXCLUSIVE on crossfade.verification_pass for a column without a default; none on tables of the application.
-- Duration: milliseconds.
-- Undo: crossfade.hold_shape as in 0016, crossfade.lock_holders as in 0022, crossfade.drain as in 0019;
-- DROP FUNCTION crossfade.not_verified, crossfade.holder_shown; ALTER TABLE crossfade.verification_pass DROP COLUMN unproven.

ALTER TABLE crossfade.verification_pass ADD COLUMN unproven text;
COMMENT ON COLUMN crossfade.verification_pass.unproven IS
  'Why the last pass that came to its end proves nothing; NULL when it does, or none has ended.';

CREATE FUNCTION crossfade.not_verified(p_id text) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce((SELECT jsonb_build_object('unproven', p.unproven) FROM crossfade.verification_pass p
    WHERE p.cutover = p_id AND p.unproven IS NOT NULL), '{}')
$$;
COMMENT ON FUNCTION crossfade.not_verified IS 'Part of the status of a table: {unproven: why} when the last pass of verification proves nothing, else {}.';

CREATE OR REPLACE FUNCTION crossfade.lock_holders(p_id text, p_tables oid[])
RETURNS TABLE (pid integer, application text, state text, seconds integer, doing text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  WITH held AS (
    SELECT l.pid, l.virtualtransaction FROM pg_locks l
    WHERE l.granted AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
      AND (l.relation = ANY (p_tables) OR (l.locktype = 'advisory' AND l.objsubid = 1
        AND (l.classid::bigint << 32 | l.objid::bigint) = crossfade.lock_key(p_id)))
  ), holders AS (
    SELECT a.pid, a.application_name AS application, a.state, a.xact_start AS since,
      -- Up to the first value: what is in a row is not shown.
      CASE WHEN a.backend_type <> 'client backend' THEN a.backend_type
        ELSE nullif(left(regexp_replace(regexp_replace(a.query, '^\s*/\*.*?\*/\s*', ''), '[''0-9].*$', '…'), 60), '') END AS doing
    FROM pg_stat_activity a WHERE a.pid <> pg_backend_pid() AND a.pid IN (SELECT h.pid FROM held h)
    UNION ALL
    -- It has no process; its locks, that on its own number included, keep the virtual id that its session had.
    SELECT NULL, format('prepared transaction %s of %s', x.gid, x.owner), 'prepared', x.prepared,
      format('COMMIT PREPARED %L or ROLLBACK PREPARED %L ends it', x.gid, x.gid) FROM pg_prepared_xacts x
    WHERE x.database = current_database()
      AND EXISTS (SELECT FROM held h JOIN pg_locks own ON own.virtualtransaction = h.virtualtransaction
        WHERE h.pid IS NULL AND own.pid IS NULL AND own.locktype = 'transactionid' AND own.transactionid = x.transaction)
  )
  SELECT h.pid, h.application, h.state, round(extract(epoch FROM clock_timestamp() - h.since))::integer, h.doing
  FROM holders h ORDER BY h.since NULLS LAST
$$;
COMMENT ON FUNCTION crossfade.lock_holders IS
  'Who holds locks that a swap waits for, oldest transaction first, with the beginning of its last statement. A prepared transaction has no process; what it is doing is what ends it. A role without pg_read_all_stats sees process and application only.';

CREATE FUNCTION crossfade.holder_shown(p_pid integer, p_application text, p_doing text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN p_pid IS NULL THEN format('%s (%s)', p_application, p_doing)
    ELSE format('process %s (%s%s)', p_pid, coalesce(nullif(p_application, ''), 'a client'), ', ' || p_doing) END
$$;
COMMENT ON FUNCTION crossfade.holder_shown IS 'One of crossfade.lock_holders for people.';

CREATE OR REPLACE FUNCTION crossfade.hold_shape(p_tables oid[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_before text := current_setting('lock_timeout');
  v_patience integer := least(5000, 500 + round(1000 * extract(epoch FROM current_setting('deadlock_timeout')::interval)));
  v_table oid;
BEGIN
  PERFORM set_config('lock_timeout', v_patience::text, true);
  -- A table that is gone is said by those who look at its shape.
  FOR v_table IN SELECT c.oid FROM pg_class c WHERE c.oid = ANY (p_tables) AND c.relkind IN ('r', 'p') ORDER BY c.oid LOOP
    EXECUTE format('LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE', v_table::regclass);
  END LOOP;
  PERFORM set_config('lock_timeout', v_before, true);
EXCEPTION WHEN lock_not_available THEN
  RAISE EXCEPTION '% is locked: %', v_table::regclass, coalesce((
      SELECT string_agg(crossfade.holder_shown(h.pid, h.application, h.doing), '; ')
      FROM crossfade.lock_holders('', ARRAY[v_table]) h), 'by a transaction that is gone by now')
    USING ERRCODE = 'lock_not_available';
END $$;
COMMENT ON FUNCTION crossfade.hold_shape IS
  'Until the end of this transaction the tables keep their shape; the application goes on. Waits for deadlock_timeout + 0.5 s, at most 5 s, so that autovacuum yields. Error 55P03 says who holds the lock: process, application, what it does; or the prepared transaction, and what ends it.';

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
      RAISE EXCEPTION 'changes left no key, so both tables must be swept first. The writer begins the sweep by itself' USING ERRCODE = 'CF003';
    END IF;
    EXIT WHEN v_left = 0;
    IF v_done + v_left > p_most THEN
      RAISE EXCEPTION '% or more changes came while it was tried, and a swap takes at most % with it. It is tried again; the writer applies what waits, and a pause of the application''s writes, or of a load that is under way, releases it',
        v_done + v_left, p_most USING ERRCODE = 'CF003';
    END IF;
    EXECUTE format('SELECT crossfade.%I($1, $2)', 'converge_' || p_id) INTO v_result USING p_epoch, least(p_most, 500);
    IF (v_result ->> 'claimed')::integer IS DISTINCT FROM 0
      AND (v_result ->> 'postponed')::integer = 0 AND (v_result ->> 'quarantined')::integer = 0 THEN
      v_done := v_done + coalesce((v_result ->> 'claimed')::integer, v_left);
      CONTINUE;
    END IF;
    RAISE EXCEPTION '% changes could not be applied yet. Each is tried five times within some seconds, and then it is applied or in quarantine with its reason', v_left USING ERRCODE = 'CF003';
  END LOOP;
  -- In both directions: a row that changed without a hint would be missing on the other side.
  SELECT b.sweep_why INTO v_why FROM crossfade.backfill b WHERE b.cutover = p_id AND b.state <> 'done' AND b.sweep_why IS NOT NULL;
  IF FOUND THEN
    RAISE EXCEPTION 'a sweep of both tables is not done: %', v_why USING ERRCODE = 'CF003';
  END IF;
  RETURN v_done;
END $$;

REVOKE ALL ON FUNCTION crossfade.not_verified, crossfade.holder_shown FROM PUBLIC;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'crossfade_runtime') THEN
    GRANT EXECUTE ON FUNCTION crossfade.not_verified TO crossfade_runtime;
  END IF;
END $$;
