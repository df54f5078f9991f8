-- Why: before it asks for its lock, a swap applied what waited until nothing was left, so under an application that writes all the time it
-- waited for a pause. One change that came with each pass was enough. Each pass of the same transaction is slower than the one before,
-- since what the transaction deleted and overwrote stays in its way, so a swap that missed its moment did not find another one, and
-- gave up after 14 s, with no lock asked for. Now it asks for the lock as soon as the rest is little and a pass no longer makes it less.
--
-- Lock: none; functions are made and replaced. Duration: milliseconds.
-- Undo: crossfade.swap as in 0024; DROP FUNCTION crossfade.drain(text, bigint, integer, integer), then crossfade.drain as in 0025.

DROP FUNCTION crossfade.drain(text, bigint, integer);

-- Applies what is in the outbox, and returns how many hints that were. Under the lock of a swap nobody adds any, and p_rest is 0. Before it
-- the application goes on, so p_rest hints at most may be left: when one pass has shown that what waits can be applied, and either a fifth
-- of p_rest is left or the last pass made it no less.
CREATE FUNCTION crossfade.drain(p_id text, p_epoch bigint, p_most integer, p_rest integer) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_left integer;
  v_before integer;
  v_put_off integer;
  v_unnamed boolean;
  v_done integer := 0;
  v_result jsonb;
  v_why text;
BEGIN
  LOOP
    EXECUTE format('SELECT count(*), count(*) FILTER (WHERE o.not_before > clock_timestamp()), coalesce(bool_or(o.op = ''S''), false)
      FROM (SELECT op, not_before FROM crossfade.%I LIMIT %s) o', 'outbox_' || p_id, p_most + 1)
    INTO v_left, v_put_off, v_unnamed;
    -- A sweep is not begun here: it takes longer than a swap may, and it would wait for a chunk of the copy.
    IF v_unnamed OR EXISTS (SELECT FROM crossfade.missed m WHERE m.cutover = p_id) THEN
      RAISE EXCEPTION 'changes left no key, so both tables must be swept first. The writer begins the sweep by itself' USING ERRCODE = 'CF003';
    END IF;
    EXIT WHEN v_left = 0;
    EXIT WHEN v_done > 0 AND v_put_off = 0 AND v_left <= p_rest AND (v_left <= p_rest / 5 OR v_left >= v_before);
    IF v_done + v_left > p_most THEN
      RAISE EXCEPTION '% or more changes came while it was tried, and a swap takes at most % with it. It is tried again; the writer applies what waits, and a pause of the application''s writes, or of a load that is under way, releases it',
        v_done + v_left, p_most USING ERRCODE = 'CF003';
    END IF;
    -- A change that is put off is not due for up to some seconds; nobody waits for it here.
    IF v_put_off = 0 THEN
      EXECUTE format('SELECT crossfade.%I($1, $2)', 'converge_' || p_id) INTO v_result USING p_epoch, least(p_most, 500);
      IF (v_result ->> 'claimed')::integer IS DISTINCT FROM 0
        AND (v_result ->> 'postponed')::integer = 0 AND (v_result ->> 'quarantined')::integer = 0 THEN
        v_done := v_done + coalesce((v_result ->> 'claimed')::integer, v_left);
        v_before := v_left;
        CONTINUE;
      END IF;
    END IF;
    RAISE EXCEPTION '% changes could not be applied yet. Each is tried five times within some seconds, and then it is applied or in quarantine with its reason',
      CASE WHEN v_put_off > 0 THEN v_put_off ELSE v_left END USING ERRCODE = 'CF003';
  END LOOP;
  -- In both directions: a row that changed without a hint would be missing on the other side.
  SELECT b.sweep_why INTO v_why FROM crossfade.backfill b WHERE b.cutover = p_id AND b.state <> 'done' AND b.sweep_why IS NOT NULL;
  IF FOUND THEN
    RAISE EXCEPTION 'a sweep of both tables is not done: %', v_why USING ERRCODE = 'CF003';
  END IF;
  RETURN v_done;
END $$;

-- As 0024 has it, and until it has the lock it does not wait for a pause of the application.
CREATE OR REPLACE FUNCTION crossfade.swap(
  p_id text, p_from bigint, p_to bigint, p_direction text, p_stage text, p_version bigint,
  p_views text[], p_tables oid[], p_statements text[], p_fingerprint text, p_plan jsonb, p_most integer,
  p_before text[] DEFAULT '{}'
) RETURNS jsonb
-- The functions of the other direction are made under the lock; each is compiled when it is first called, not here.
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' SET check_function_bodies = off AS $$
DECLARE
  v crossfade.cutover%ROWTYPE;
  v_table oid;
  v_statement text;
  v_key text;
  v_count bigint;
  v_asked timestamptz;
  v_since timestamptz;
  v_complete timestamptz;
  v_stamp text;
  v_holders text[];
  v_drained integer;
  v_views oid[] := coalesce((SELECT array_agg(coalesce(to_regclass(n), 0)::oid ORDER BY place) FROM unnest(p_views) WITH ORDINALITY x(n, place)), '{}');
  v_order oid[] := p_tables;
  v_locked oid[] := v_views || p_tables;
  -- Milliseconds that all locks of a round may take, and so the application waits: far below deadlock_timeout (1 s), so that it is
  -- always the swap that lets go. Short ones mostly: a round in which a transaction under way needs them in another order is lost from
  -- its beginning, and any other one is over when the transactions that were under way are.
  v_patience integer[] := '{30,60,100,30,60,100,100}';
  v_queued integer := 3;
  -- Whatever makes the statements under the lock slow, code of others among it, the application waits no longer than for the one that is at work then.
  v_longest CONSTANT interval := '1 second';
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'crossfade needs READ COMMITTED, this transaction is %', upper(current_setting('transaction_isolation'))
      USING ERRCODE = 'CF011', HINT = 'Begin it with BEGIN ISOLATION LEVEL READ COMMITTED.';
  END IF;
  BEGIN
    PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
    SELECT * INTO v FROM crossfade.cutover c WHERE c.id = p_id;
    IF v.epoch = p_to AND v.direction = p_direction THEN RETURN jsonb_build_object('kind', 'already'); END IF;
    IF v.epoch IS DISTINCT FROM p_from THEN
      RAISE EXCEPTION 'the database is at epoch %, not at %', coalesce(v.epoch::text, 'none'), p_from USING ERRCODE = 'CF001';
    END IF;
    IF p_version <= v.abandoned THEN
      RAISE EXCEPTION 'this swap was given up before it began' USING ERRCODE = 'CF001';
    END IF;
    SELECT count(*), min(q.key) INTO v_count, v_key FROM crossfade.quarantine q WHERE q.cutover = p_id;
    IF v_count > 0 THEN
      RAISE EXCEPTION '% keys are in quarantine, first %', v_count, v_key USING ERRCODE = 'CF003';
    END IF;
    -- Nothing else says that every row is there: a hint exists only for what was written since capture was armed.
    IF p_direction = 'reverse' AND NOT EXISTS (SELECT FROM crossfade.backfill b WHERE b.cutover = p_id AND b.state = 'done') THEN
      RAISE EXCEPTION 'the backfill is not done' USING ERRCODE = 'CF003';
    END IF;
    PERFORM crossfade.hold_shape(ARRAY[v.primary_oid, v.shadow_oid]);
    v_stamp := crossfade.catalog_stamp(v_locked || v.primary_oid || v.shadow_oid);
    IF crossfade.catalog_fingerprint(v.primary_oid, v.shadow_oid) IS DISTINCT FROM p_fingerprint THEN
      RAISE EXCEPTION 'the tables were changed after the plan was made' USING ERRCODE = 'CF002';
    END IF;
    FOREACH v_statement IN ARRAY p_before LOOP
      EXECUTE v_statement;
    END LOOP;
    PERFORM crossfade.drain(p_id, p_from, 20 * p_most, p_most / 2);

    FOR v_round IN 1 .. cardinality(v_patience) LOOP
      BEGIN
        v_asked := clock_timestamp();
        v_since := NULL;
        FOREACH v_table IN ARRAY v_views || v_order LOOP
          PERFORM set_config('lock_timeout', greatest(1, v_patience[v_round] - round(1000 * extract(epoch FROM clock_timestamp() - v_asked)))::text, true);
          -- LOCK TABLE on a view goes on to everything that it reads; an owner who stays the same only locks the view.
          SELECT CASE WHEN c.relkind IN ('v', 'm') THEN format('ALTER TABLE %s OWNER TO %I', c.oid::regclass, pg_get_userbyid(c.relowner))
            ELSE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', c.oid::regclass) END
          INTO v_statement FROM pg_class c WHERE c.oid = v_table;
          IF v_statement IS NULL THEN
            RAISE EXCEPTION 'a table or view was dropped after the plan was made' USING ERRCODE = 'CF002';
          END IF;
          EXECUTE v_statement;
          v_since := coalesce(v_since, clock_timestamp());
        END LOOP;
        EXIT;
      EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
        -- Every lock of this round is gone by here.
        IF v_round = cardinality(v_patience) THEN RAISE; END IF;
        v_holders := crossfade.holding_transactions(v_locked, NULL);
        IF v_table = ANY (v_order) THEN v_order := v_table || array_remove(v_order, v_table); END IF;
      END;
      -- Whoever queued behind us works on, and what they write meanwhile is not left for the time under the lock.
      PERFORM pg_sleep(0.01 + 0.04 * random());
      IF v_round >= v_queued THEN
        FOR v_look IN 1 .. 50 LOOP
          EXIT WHEN crossfade.holding_transactions(v_locked, v_holders) = '{}';
          IF v_look = 50 THEN
            RAISE EXCEPTION 'a transaction that holds a lock on the tables goes on' USING ERRCODE = 'lock_not_available';
          END IF;
          PERFORM pg_sleep(0.02);
        END LOOP;
      END IF;
      PERFORM crossfade.drain(p_id, p_from, 20 * p_most, p_most / 2);
    END LOOP;
    v_complete := clock_timestamp();
    PERFORM set_config('lock_timeout', '200', true);

    -- A transaction that reads one snapshot throughout would see the new table as of its beginning.
    SELECT count(*), min(format('%s (process %s)', coalesce(nullif(a.application_name, ''), 'a client'), a.pid)) INTO v_count, v_key
    FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
      AND a.state LIKE 'idle in transaction%' AND a.backend_xmin IS NOT NULL;
    IF v_count > 0 THEN
      RAISE EXCEPTION 'an open transaction holds an old snapshot: %', v_key USING ERRCODE = 'CF003';
    END IF;
    -- A snapshot from before the copy ended sees none or few of its rows, whatever its transaction does now.
    SELECT count(*), min(format('%s (process %s)', coalesce(nullif(a.application_name, ''), 'a client'), a.pid)) INTO v_count, v_key
    FROM crossfade.backfill b JOIN pg_locks l ON l.locktype = 'virtualxid' AND l.virtualtransaction = ANY (b.elders)
      JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE b.cutover = p_id AND p_direction = 'reverse';
    IF v_count > 0 THEN
      RAISE EXCEPTION 'a transaction that began before the copy ended is still open, and may read an old snapshot: %', v_key USING ERRCODE = 'CF003';
    END IF;
    IF crossfade.catalog_stamp(v_locked || v.primary_oid || v.shadow_oid) IS DISTINCT FROM v_stamp THEN
      RAISE EXCEPTION 'the tables were changed after the plan was made' USING ERRCODE = 'CF002';
    END IF;
    v_drained := crossfade.drain(p_id, p_from, p_most, 0);
    -- A deferred constraint that is still to be checked keeps its table from being altered.
    SET CONSTRAINTS ALL IMMEDIATE;

    FOR v_place IN 1 .. cardinality(p_statements) LOOP
      IF clock_timestamp() - v_since > v_longest THEN
        RAISE EXCEPTION 'the tables were locked for % ms after % of % statements, the limit is % ms: event triggers or a slow server',
          round(1000 * extract(epoch FROM clock_timestamp() - v_since)), v_place - 1, cardinality(p_statements), round(1000 * extract(epoch FROM v_longest)) USING ERRCODE = 'CF003';
      END IF;
      EXECUTE p_statements[v_place];
    END LOOP;
    UPDATE crossfade.cutover c SET direction = p_direction, epoch = p_to, version = greatest(c.version, p_version), stage = p_stage,
      plan = p_plan, shadow_writes = p_direction <> 'none', read_ppm = CASE p_direction WHEN 'none' THEN 0 ELSE 1000000 END
    WHERE c.id = p_id;
    RETURN jsonb_build_object('kind', 'swapped', 'drained', v_drained,
      'lockHeldMs', round((1000 * extract(epoch FROM clock_timestamp() - v_since))::numeric, 1),
      'waitedMs', round((1000 * extract(epoch FROM v_complete - v_asked))::numeric, 1));
  EXCEPTION WHEN SQLSTATE 'CF001' OR SQLSTATE 'CF002' OR SQLSTATE 'CF003' OR lock_not_available OR deadlock_detected THEN
    RETURN jsonb_build_object('kind', 'postponed', 'sqlstate', SQLSTATE, 'why', SQLERRM, 'holders', (
      SELECT coalesce(jsonb_agg(to_jsonb(h)), '[]') FROM crossfade.lock_holders(p_id, v_locked) h));
  END;
END $$;

REVOKE ALL ON FUNCTION crossfade.drain FROM PUBLIC;
