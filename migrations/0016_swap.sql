-- Why: promotion held its lock for seconds where catalog queries are slow (jit), took the application's speed while a reader
-- stood in its way, gave up on a table that autovacuum was at work on, and let a snapshot from before the copy read an empty
-- table. Where a lock is not to be had, who holds it is said with what it does.
-- Lock: none on existing objects. Duration: milliseconds.
-- Undo: crossfade.swap as in 0005 (its signature is another one), DROP FUNCTION crossfade.take_staged, crossfade.lock_holders as in 0002; DROP FUNCTION crossfade.hold_shape, crossfade.catalog_stamp,
-- crossfade.holding_transactions, crossfade.open_transactions; ALTER TABLE crossfade.backfill DROP COLUMN elders.

ALTER TABLE crossfade.backfill ADD COLUMN elders text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN crossfade.backfill.elders IS
  'Transactions (virtual ids) of this database that were open when the copy ended: their snapshots may not see its rows.';

CREATE FUNCTION crossfade.open_transactions() RETURNS text[]
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(array_agg(l.virtualtransaction), '{}') FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
  WHERE l.locktype = 'virtualxid' AND l.granted AND l.pid <> pg_backend_pid() AND a.datname = current_database()
$$;
COMMENT ON FUNCTION crossfade.open_transactions IS
  'Virtual ids of the other transactions that are open in this database. Every role sees them, unlike their age.';

CREATE FUNCTION crossfade.holding_transactions(p_tables oid[], p_of text[]) RETURNS text[]
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(array_agg(DISTINCT l.virtualtransaction), '{}') FROM pg_locks l
  WHERE l.locktype = 'relation' AND l.granted AND l.relation = ANY (p_tables) AND l.pid <> pg_backend_pid()
    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    AND (p_of IS NULL OR l.virtualtransaction = ANY (p_of))
$$;
COMMENT ON FUNCTION crossfade.holding_transactions IS
  'Virtual ids of other transactions that hold any lock on one of the tables; with p_of only those among them.';

-- SHARE UPDATE EXCLUSIVE keeps DDL, VACUUM and ANALYZE off a table and lets the application read and write. Autovacuum yields
-- to whoever has waited for deadlock_timeout, so the wait is longer than that; nothing of the application queues behind it.
CREATE FUNCTION crossfade.hold_shape(p_tables oid[]) RETURNS void
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
      SELECT string_agg(format('process %s (%s%s)', h.pid, coalesce(nullif(h.application, ''), 'a client'), ', ' || h.doing), '; ')
      FROM crossfade.lock_holders('', ARRAY[v_table]) h), 'by a transaction that is gone by now')
    USING ERRCODE = 'lock_not_available';
END $$;
COMMENT ON FUNCTION crossfade.hold_shape IS
  'Until the end of this transaction the tables keep their shape; the application goes on. Waits for deadlock_timeout + 0.5 s, at most 5 s, so that autovacuum yields. Error 55P03 says who holds the lock: process, application, what it does.';

CREATE FUNCTION crossfade.catalog_stamp(p_relations oid[]) RETURNS text
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
  SELECT md5(string_agg(x.stamp, ',' ORDER BY x.stamp)) FROM (
    SELECT format('c%s:%s', c.oid, c.xmin) AS stamp FROM pg_class c WHERE c.oid = ANY (p_relations)
    UNION ALL SELECT format('a%s.%s:%s', a.attrelid, a.attnum, a.xmin) FROM pg_attribute a WHERE a.attrelid = ANY (p_relations)
    UNION ALL SELECT format('t%s:%s', t.oid, t.xmin) FROM pg_trigger t WHERE t.tgrelid = ANY (p_relations)
    UNION ALL SELECT format('k%s:%s', k.oid, k.xmin) FROM pg_constraint k WHERE k.conrelid = ANY (p_relations)
    UNION ALL SELECT format('d%s.%s.%s', d.classid, d.objid, d.refobjsubid) FROM pg_depend d
      WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY (p_relations)
  ) x
$$;
COMMENT ON FUNCTION crossfade.catalog_stamp IS
  'Changes whenever a row of the catalog that describes the relations, or that depends on them, is written. Through indexes only: a millisecond.';

CREATE FUNCTION crossfade.take_staged(p_staged text, p_name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_rename text;
BEGIN
  FOR v_rename IN
    SELECT format('ALTER %s crossfade.%I RENAME TO %I', CASE c.relkind WHEN 'i' THEN 'INDEX' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
      c.relname, replace(c.relname, p_staged, p_name))
    FROM pg_class c WHERE c.relnamespace = 'crossfade'::regnamespace AND strpos(c.relname, p_staged) > 0 AND c.relkind IN ('r', 'i', 'S')
  LOOP
    EXECUTE v_rename;
  END LOOP;
END $$;
COMMENT ON FUNCTION crossfade.take_staged IS
  'Gives tables, indexes and sequences of schema crossfade that were made ahead of a swap their names: the one part of the name in place of the other.';

DROP FUNCTION crossfade.lock_holders;
CREATE FUNCTION crossfade.lock_holders(p_id text, p_tables oid[])
RETURNS TABLE (pid integer, application text, state text, seconds integer, doing text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT a.pid, a.application_name, a.state, round(extract(epoch FROM clock_timestamp() - a.xact_start))::integer,
    -- Up to the first value: what is in a row is not shown.
    CASE WHEN a.backend_type <> 'client backend' THEN a.backend_type
      ELSE nullif(left(regexp_replace(regexp_replace(a.query, '^\s*/\*.*?\*/\s*', ''), '[''0-9].*$', '…'), 60), '') END
  FROM pg_stat_activity a
  WHERE a.pid <> pg_backend_pid() AND EXISTS (
    SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.granted
      AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
      AND (l.relation = ANY (p_tables) OR (l.locktype = 'advisory' AND l.objsubid = 1
        AND (l.classid::bigint << 32 | l.objid::bigint) = crossfade.lock_key(p_id))))
  ORDER BY a.xact_start NULLS LAST
$$;
COMMENT ON FUNCTION crossfade.lock_holders IS
  'Who holds locks that a swap waits for, oldest transaction first, with the beginning of its last statement. A role without pg_read_all_stats sees process and application only.';

-- One transaction: the other direction, the other names, the other epoch. Either all of it is there, or none.
--
--   advisory lock, epoch ─ LOCK … SHARE UPDATE EXCLUSIVE ─ catalog, drain ─┬─ LOCK TABLE … drain the rest, statements, mirror ─┬─ commit
--   the application works; DDL and autovacuum on both tables wait           └─ the application waits: a few milliseconds        ┘
--
-- The catalog is read whole before the exclusive lock is asked for, and never under it: DDL on both tables cannot come in between, and
-- what needs no lock on them (a new view, a GRANT) shows in crossfade.catalog_stamp, which takes a millisecond.
-- Three rounds ask for the locks at once. After them nothing is asked while a transaction that stood in the way goes on, so that the
-- application does not queue behind a swap that cannot happen: in all at most 190 ms in each call that fails.
--
-- p_before is what needs no lock: tables of the other direction are made under names of their own there, since a file that is made and
-- synchronised takes longer than everything else; under the lock crossfade.take_staged gives them their names.
-- p_views (names) are locked first and in their order: a view before what it reads, since its users take it first. Then
-- p_tables; what was not to be had in one round comes first in the next.
-- CF001 another epoch, CF002 the catalog is not what the plan was made from, CF003 not now, 55P03 no lock in time, 40P01: these
-- are answers, {kind: postponed, sqlstate, why, holders}, and whatever had been done by then is undone.
DROP FUNCTION crossfade.swap;
CREATE FUNCTION crossfade.swap(
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
    PERFORM crossfade.drain(p_id, p_from, 20 * p_most);

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
      PERFORM crossfade.drain(p_id, p_from, 20 * p_most);
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
    v_drained := crossfade.drain(p_id, p_from, p_most);
    -- A deferred constraint that is still to be checked keeps its table from being altered.
    SET CONSTRAINTS ALL IMMEDIATE;

    FOREACH v_statement IN ARRAY p_statements LOOP
      EXECUTE v_statement;
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
COMMENT ON FUNCTION crossfade.swap IS 'Carries out a plan of promotion or its way back. Returns {kind: swapped, lockHeldMs, waitedMs, drained}, {kind: already} or {kind: postponed, why}.';

REVOKE ALL ON FUNCTION crossfade.swap, crossfade.take_staged, crossfade.open_transactions, crossfade.holding_transactions, crossfade.hold_shape, crossfade.catalog_stamp,
  crossfade.lock_holders FROM PUBLIC;
