-- Why: code and types of others decide what a value means: a function in a declared expression, the labels of an enum that is cast.
-- Replaced while a cutover runs, they make other values of the same rows, and no row is written that capture could see. What an
-- expression uses is written down when a cutover is armed, and compared with the rest of its shape.
-- Event triggers run inside the swap, under its lock, once for each DDL statement: one that is slow makes the application wait, one
-- that raises undoes the swap. ddl_rehearsal finds both before anything is armed or locked.
--
-- Lock: none on existing objects. Duration: milliseconds.
-- Undo: DROP TABLE crossfade.used; DROP FUNCTION crossfade.functions_of, crossfade.note_used, crossfade.ddl_rehearsal,
-- crossfade.other_cutovers, crossfade.refuse_shared; then shape_now and
-- shape_differences as 0018 has them, swap as 0016 has it.

CREATE TABLE crossfade.used (
  cutover text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('function', 'type')),
  oid oid NOT NULL,
  PRIMARY KEY (cutover, kind, oid)
);
COMMENT ON TABLE crossfade.used IS
  'Functions that the declared expressions of a cutover call, and enums that only one of its tables has: what they are decides what a value means.';

-- Postgres says which functions it made of an expression in the rule of a view. The view goes with the block.
CREATE FUNCTION crossfade.functions_of(p_table oid, p_expressions text[], p_path text) RETURNS oid[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
  v_view CONSTANT text := 'crossfade.look_' || pg_backend_pid();
  v_expression text;
  v_found oid[] := '{}';
BEGIN
  PERFORM set_config('search_path', p_path, true);
  FOREACH v_expression IN ARRAY p_expressions LOOP
    EXECUTE format('CREATE VIEW %s AS SELECT ROW(%s) IS NULL AS c FROM %s AS p', v_view, v_expression, p_table::regclass);
    v_found := v_found || (SELECT coalesce(array_agg(DISTINCT CASE m[1] WHEN 'funcid' THEN m[2]::oid ELSE o.oprcode::oid END), '{}')
      FROM pg_rewrite r CROSS JOIN LATERAL regexp_matches(r.ev_action::text, ':(funcid|opno) (\d+)', 'g') m
      LEFT JOIN pg_operator o ON m[1] = 'opno' AND o.oid = m[2]::oid
      WHERE r.ev_class = v_view::regclass);
    EXECUTE format('DROP VIEW %s', v_view);
  END LOOP;
  RETURN v_found;
END $$;
COMMENT ON FUNCTION crossfade.functions_of IS 'Functions that Postgres calls for these expressions over a row p of this table, those behind operators among them.';

-- What a body in SQL or PL/pgSQL calls is not known to Postgres before it runs, so it is found by name. A function too many is watched
-- rather than one too few.
CREATE FUNCTION crossfade.note_used(p_id text, p_functions oid[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp SET jit = off AS $$
  DELETE FROM crossfade.used u WHERE u.cutover = p_id;
  WITH RECURSIVE mine AS (
    SELECT f.oid, f.proname, f.prosrc, l.lanname IN ('sql', 'plpgsql') AS readable FROM pg_proc f JOIN pg_language l ON l.oid = f.prolang
    WHERE f.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'crossfade'::regnamespace)
  ), called AS (
    SELECT m.* FROM mine m WHERE m.oid = ANY (p_functions)
    UNION
    SELECT m.* FROM called c JOIN mine m ON c.readable AND (c.prosrc ~* ('\m' || regexp_replace(m.proname, '(\W)', '\\\1', 'g') || '"?\s*\(')
      OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_proc'::regclass AND d.refobjid = m.oid))
  )
  INSERT INTO crossfade.used (cutover, kind, oid)
  SELECT p_id, 'function', c.oid FROM called c
  UNION
  SELECT p_id, 'type', e.oid FROM (
    SELECT y.oid, a.attrelid FROM crossfade.cutover c JOIN pg_attribute a ON a.attrelid IN (c.primary_oid, c.shadow_oid) AND a.attnum > 0 AND NOT a.attisdropped
      CROSS JOIN LATERAL (WITH RECURSIVE base AS (
        SELECT a.atttypid AS oid UNION SELECT coalesce(nullif(t.typbasetype, 0), t.typelem) FROM base b JOIN pg_type t ON t.oid = b.oid WHERE t.typbasetype <> 0 OR t.typelem <> 0
      ) SELECT t.oid FROM base b JOIN pg_type t ON t.oid = b.oid AND t.typtype = 'e') y
    WHERE c.id = p_id) e
  GROUP BY e.oid HAVING count(DISTINCT e.attrelid) = 1
$$;
COMMENT ON FUNCTION crossfade.note_used IS 'Writes down what the expressions of a cutover use: these functions, those that their bodies name, and enums that one of the tables has alone.';

CREATE OR REPLACE FUNCTION crossfade.shape_now(p_id text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off SET jit = off AS $$
  SELECT jsonb_build_object('database', format('%s (oid %s)', current_database(), crossfade.database_oid()))
    || coalesce((SELECT jsonb_object_agg(t.side || '/' || s.object, s.definition)
      FROM crossfade.cutover c CROSS JOIN LATERAL (VALUES ('primary', c.primary_oid), ('shadow', c.shadow_oid)) t(side, oid) CROSS JOIN LATERAL crossfade.table_shape(t.oid) s
      WHERE c.id = p_id), '{}')
    || coalesce((SELECT jsonb_object_agg('used/function ' || f.oid::regprocedure, 'body ' || left(md5(concat_ws(' ', l.lanname, f.prosrc, f.probin, pg_get_function_sqlbody(f.oid), f.proisstrict, f.proconfig)), 8))
      FROM crossfade.used u JOIN pg_proc f ON f.oid = u.oid JOIN pg_language l ON l.oid = f.prolang WHERE u.cutover = p_id AND u.kind = 'function'), '{}')
    || coalesce((SELECT jsonb_object_agg('used/type ' || y.oid::regtype, (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = y.oid))
      FROM crossfade.used u JOIN pg_type y ON y.oid = u.oid WHERE u.cutover = p_id AND u.kind = 'type'), '{}')
$$;
COMMENT ON FUNCTION crossfade.shape_now IS 'What a cutover depends on, as it is now: {database, primary/…, shadow/…, used/…}, a text for each object.';

-- Of a table that is gone only this is said, not each of its columns.
CREATE OR REPLACE FUNCTION crossfade.shape_differences(p_id text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
  v crossfade.shape%ROWTYPE;
  v_now CONSTANT jsonb := crossfade.shape_now(p_id);
BEGIN
  IF NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.direction <> 'none') THEN RETURN '[]'; END IF;
  SELECT * INTO v FROM crossfade.shape s WHERE s.cutover = p_id;
  IF NOT FOUND THEN RETURN '[{"object": "the record of what was armed", "was": null, "is": null}]'; END IF;
  IF v.armed = v_now THEN RETURN '[]'; END IF;
  RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('object', CASE
      WHEN o.side = '' THEN 'database'
      WHEN o.side = 'used' THEN o.object
      WHEN o.object = 'name' THEN 'table ' || (v.armed ->> (o.side || '/name'))
      ELSE format('%s of %s', o.object, v.armed ->> (o.side || '/name')) END, 'was', o.was, 'is', o.is) ORDER BY o.side, o.object <> 'name', o.object), '[]')
    FROM (
      SELECT CASE WHEN key LIKE '%/%' THEN split_part(key, '/', 1) ELSE '' END AS side, substr(key, strpos(key, '/') + 1) AS object, a.value AS was, n.value AS is
      FROM jsonb_each_text(v.armed) a FULL JOIN jsonb_each_text(v_now) n USING (key) WHERE a.value IS DISTINCT FROM n.value) o
    WHERE (o.side IN ('', 'used') OR o.object = 'name' OR v_now ? (o.side || '/name'))
      -- After promotion a constraint of the old table hides nothing: a row that it refuses waits in quarantine, by name.
      AND NOT (o.side = 'primary' AND o.object LIKE 'constraint %' AND EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.direction = 'reverse')));
END $$;
COMMENT ON FUNCTION crossfade.shape_differences IS 'What is not as it was armed: [{object, was, is}], null for what was or is not there. Empty while nothing is armed.';

-- The fastest of three, since one alone may have waited for a processor.
CREATE FUNCTION crossfade.ddl_rehearsal() RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
  v_triggers text;
  v_table CONSTANT text := 'rehearsal_' || pg_backend_pid();
  v_at timestamptz;
  v_ms numeric;
  v_context text;
  v_by text;
  v_state text;
BEGIN
  SELECT string_agg(format('%I (function %s)', e.evtname, e.evtfoid::regproc), ', ' ORDER BY e.evtname) INTO v_triggers
  FROM pg_event_trigger e WHERE e.evtenabled IN ('O', 'A') AND e.evtevent IN ('ddl_command_start', 'ddl_command_end', 'sql_drop', 'table_rewrite');
  IF v_triggers IS NULL OR current_setting('event_triggers', true) = 'off' THEN RETURN NULL; END IF;
  BEGIN
    EXECUTE format('CREATE TABLE crossfade.%I (a0 integer CONSTRAINT %I PRIMARY KEY)', v_table, v_table || '_key');
    FOR i IN 1 .. 3 LOOP
      v_at := clock_timestamp();
      EXECUTE format('ALTER TABLE crossfade.%I RENAME COLUMN a%s TO a%s', v_table, i - 1, i);
      v_ms := least(v_ms, 1000 * extract(epoch FROM clock_timestamp() - v_at));
    END LOOP;
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE ON crossfade.%I FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()', v_table, v_table);
    EXECUTE format('CREATE VIEW crossfade.%I AS SELECT 1 AS a', v_table || '_view');
    EXECUTE format('DROP VIEW crossfade.%I', v_table || '_view');
    EXECUTE format('ALTER TABLE crossfade.%I RENAME TO %I', v_table, v_table || '_old');
    EXECUTE format('DROP TABLE crossfade.%I', v_table || '_old');
    RAISE EXCEPTION 'all of it is undone' USING ERRCODE = 'CF013';
  EXCEPTION
    WHEN SQLSTATE 'CF013' THEN NULL;
    WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS v_context = PG_EXCEPTION_CONTEXT, v_state = RETURNED_SQLSTATE;
      v_by := nullif(substring(v_context FROM '(?n)^PL/\w+ function ([^\s(]+)'), 'crossfade.ddl_rehearsal');
      -- A right or a lock that is missing is no word of an event trigger.
      IF v_by IS NULL THEN RAISE; END IF;
  END;
  RETURN jsonb_build_object('triggers', v_triggers, 'ms', round(v_ms, 1), 'raised', v_state, 'by', v_by);
END $$;
COMMENT ON FUNCTION crossfade.ddl_rehearsal IS
  'Runs DDL like that of a swap on a table of its own and undoes it: {triggers, ms of one statement, raised: SQLSTATE, by: function}; NULL where no event trigger is on.';

-- A second cutover of a table would take the triggers of the first: each would make them again on every tick, and miss what the other saw.
CREATE FUNCTION crossfade.other_cutovers(p_id text, p_tables oid[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
  SELECT string_agg(format('%s (%s of cutover %s, which is armed %s)', t.oid::regclass, t.side, c.id, c.direction), ', ' ORDER BY c.id, t.side)
  FROM crossfade.cutover c CROSS JOIN LATERAL (VALUES ('primary', c.primary_oid), ('shadow', c.shadow_oid)) t(side, oid)
  WHERE c.id <> p_id AND c.direction <> 'none' AND t.oid = ANY (p_tables)
$$;
COMMENT ON FUNCTION crossfade.other_cutovers IS 'Which of these tables another cutover that is armed has; NULL when none.';

CREATE FUNCTION crossfade.refuse_shared(p_id text, p_tables oid[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
  IF crossfade.other_cutovers(p_id, p_tables) IS NOT NULL THEN
    RAISE EXCEPTION 'another cutover has %', crossfade.other_cutovers(p_id, p_tables) USING ERRCODE = 'CF014';
  END IF;
END $$;
COMMENT ON FUNCTION crossfade.refuse_shared IS 'In the transaction that arms, with the shape held: raises CF014 when another cutover that is armed has one of these tables.';

-- As 0016 has it, with a bound on the time under the lock.
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

REVOKE ALL ON FUNCTION crossfade.functions_of, crossfade.note_used, crossfade.ddl_rehearsal, crossfade.other_cutovers, crossfade.refuse_shared FROM PUBLIC;
