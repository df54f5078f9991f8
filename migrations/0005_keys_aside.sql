-- Why: a foreign key of a shadow would make the application's deletes in the referenced table fail until the mirror has followed,
-- so it is taken off while the shadow follows, and remembered in crossfade.key_aside. And a swap takes its locks in rounds.
--
--   application   lock child ······ lock parent (waits) ──────┐   each waits for the other: whoever comes second must let go
--   swap               lock parent ······ lock child (waits) ─┘   of everything, and begin with what it did not get
--
-- Lock: none on existing objects; afterwards set_key_aside and give_key_back lock a shadow and a referenced table for milliseconds.
-- Duration: milliseconds.
-- Undo: crossfade.swap as in 0002; DROP FUNCTION crossfade.keys_to_set_aside, crossfade.set_key_aside, crossfade.keys_to_give_back,
-- crossfade.give_key_back, crossfade.name_list, crossfade.key_now, crossfade.keys_aside; DROP TABLE crossfade.key_aside, when it is empty.

CREATE TABLE crossfade.key_aside (
  cutover text NOT NULL,
  shadow regclass NOT NULL,
  name text NOT NULL,
  definition text NOT NULL,
  key jsonb NOT NULL,
  since timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (cutover, name)
);
COMMENT ON TABLE crossfade.key_aside IS
  'Foreign keys that were taken off a shadow while it follows. Promotion gives them to the promoted table; a rollback leaves those here that would make deletes fail. SELECT crossfade.give_key_back(cutover, name) gives one back by hand.';

CREATE FUNCTION crossfade.keys_to_set_aside(p_primary oid, p_shadow oid) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT k.conname::text FROM pg_constraint k JOIN pg_class f ON f.oid = k.confrelid
  WHERE k.conrelid = p_shadow AND k.contype = 'f' AND k.confrelid <> p_primary AND k.conparentid = 0 AND pg_has_role(f.relowner, 'USAGE')
    AND coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true) AND NOT coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false)
  ORDER BY 1
$$;
COMMENT ON FUNCTION crossfade.keys_to_set_aside IS 'Foreign keys of a shadow that could be made again by whoever asks. One to the primary itself is refused by the plan.';

-- The definition is stored and the foreign key dropped in one transaction, so there is always one of the two.
CREATE FUNCTION crossfade.set_key_aside(p_id text, p_shadow oid, p_name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
  IF EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.direction = 'reverse') THEN
    RAISE EXCEPTION 'cutover % is promoted: its foreign keys are those of the table in use', p_id USING ERRCODE = 'CF001';
  END IF;
  DELETE FROM crossfade.key_aside a WHERE a.cutover = p_id AND a.shadow <> p_shadow;
  INSERT INTO crossfade.key_aside AS a (cutover, shadow, name, definition, key)
  SELECT p_id, k.conrelid, k.conname, pg_get_constraintdef(k.oid), crossfade.foreign_key(k.oid)
  FROM pg_constraint k WHERE k.conrelid = p_shadow AND k.contype = 'f' AND k.conname = p_name
  ON CONFLICT (cutover, name) DO UPDATE SET shadow = EXCLUDED.shadow, definition = EXCLUDED.definition, key = EXCLUDED.key, since = clock_timestamp();
  IF FOUND THEN EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', p_shadow::regclass, p_name); END IF;
END $$;
COMMENT ON FUNCTION crossfade.set_key_aside IS 'Takes a foreign key off a shadow and remembers it.';

-- Promotions of other tables move with what they reference: the table that has the name then, and its key column. A shadow that only
-- follows cannot be referenced by a table in use, so p_promoting takes the primary instead. Columns null: nobody knows.
CREATE FUNCTION crossfade.key_now(p_key jsonb, p_id text, p_promoting boolean) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_from oid := (p_key -> 'references' ->> 'oid')::oid;
  v_to oid;
  v_columns jsonb := p_key -> 'referencedColumns';
BEGIN
  SELECT CASE WHEN c.direction = 'reverse' OR c.stage = 'cleaned' THEN c.shadow_oid WHEN p_promoting THEN c.primary_oid ELSE v_from END INTO v_to
  FROM crossfade.cutover c WHERE c.id <> p_id AND v_from IN (c.primary_oid, c.shadow_oid) ORDER BY c.direction = 'none', c.id LIMIT 1;
  v_to := coalesce(v_to, v_from);
  IF EXISTS (SELECT FROM jsonb_array_elements_text(v_columns) x WHERE NOT EXISTS (
    SELECT FROM pg_attribute a WHERE a.attrelid = v_to AND a.attname = x AND NOT a.attisdropped)) THEN
    SELECT jsonb_build_array(a.attname) INTO v_columns FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = v_to AND a.attnum = k.conkey[1]
    WHERE k.conrelid = v_to AND k.contype = 'p' AND cardinality(k.conkey) = 1 AND jsonb_array_length(p_key -> 'referencedColumns') = 1;
  END IF;
  RETURN p_key || jsonb_build_object('referencedColumns', v_columns) || coalesce((
    SELECT jsonb_build_object('references', jsonb_build_object('oid', t.oid::bigint, 'schema', n.nspname, 'name', t.relname, 'ours', pg_has_role(t.relowner, 'USAGE')))
    FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace WHERE t.oid = v_to), '{}');
END $$;
COMMENT ON FUNCTION crossfade.key_now IS 'A remembered foreign key, with the table that it has to reference now.';

CREATE FUNCTION crossfade.keys_aside(p_id text, p_promoting boolean) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(jsonb_agg(crossfade.key_now(a.key, p_id, p_promoting) ORDER BY a.name), '[]')
  FROM crossfade.key_aside a JOIN pg_class t ON t.oid = a.shadow WHERE a.cutover = p_id
$$;

-- A shadow that follows no more grows old. One of its foreign keys that only forbids would fail the application's deletes for ever.
CREATE FUNCTION crossfade.keys_to_give_back(p_id text) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_shadow regclass;
  v_empty boolean;
BEGIN
  SELECT a.shadow INTO v_shadow FROM crossfade.key_aside a JOIN pg_class t ON t.oid = a.shadow WHERE a.cutover = p_id LIMIT 1;
  IF v_shadow IS NULL OR EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.direction <> 'none') THEN RETURN; END IF;
  EXECUTE format('SELECT NOT EXISTS (SELECT FROM %s)', v_shadow) INTO v_empty;
  RETURN QUERY SELECT a.name FROM crossfade.key_aside a
    WHERE a.cutover = p_id AND (v_empty OR a.key ->> 'onDelete' IN ('c', 'n')) ORDER BY 1;
END $$;
COMMENT ON FUNCTION crossfade.keys_to_give_back IS 'Foreign keys that can go back to a shadow that does not follow: all while it is empty, else those that let rows go.';

CREATE FUNCTION crossfade.name_list(p_names jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT string_agg(quote_ident(x), ', ' ORDER BY place) FROM jsonb_array_elements_text(CASE jsonb_typeof(p_names) WHEN 'array' THEN p_names ELSE '[]' END) WITH ORDINALITY y(x, place)
$$;

-- NOT VALID, since validating reads the table and needs a transaction of its own: the statement for that is returned.
CREATE FUNCTION crossfade.give_key_back(p_id text, p_name text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  c_actions CONSTANT jsonb := '{"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}';
  c_matches CONSTANT jsonb := '{"f": "FULL", "p": "PARTIAL", "s": "SIMPLE"}';
  v crossfade.key_aside%ROWTYPE;
  v_key jsonb;
BEGIN
  PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
  IF EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.direction <> 'none') THEN
    RAISE EXCEPTION 'cutover % is under way: its promotion or rollback gives foreign keys back', p_id USING ERRCODE = 'CF001';
  END IF;
  SELECT * INTO v FROM crossfade.key_aside a WHERE a.cutover = p_id AND a.name = p_name;
  IF NOT FOUND THEN RETURN NULL; END IF;
  v_key := crossfade.key_now(v.key, p_id, false);
  EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I FOREIGN KEY (%s) REFERENCES %s (%s) MATCH %s ON UPDATE %s ON DELETE %s%s%s NOT VALID', v.shadow, v.name,
    crossfade.name_list(v_key -> 'columns'), (v_key -> 'references' ->> 'oid')::oid::regclass, crossfade.name_list(v_key -> 'referencedColumns'),
    c_matches ->> (v_key ->> 'match'), c_actions ->> (v_key ->> 'onUpdate'), c_actions ->> (v_key ->> 'onDelete'), ' (' || crossfade.name_list(v_key -> 'setColumns') || ')',
    CASE WHEN (v_key ->> 'deferrable')::boolean THEN ' DEFERRABLE INITIALLY ' || CASE WHEN (v_key ->> 'deferred')::boolean THEN 'DEFERRED' ELSE 'IMMEDIATE' END END);
  IF v.key ->> 'comment' IS NOT NULL THEN EXECUTE format('COMMENT ON CONSTRAINT %I ON %s IS %L', v.name, v.shadow, v.key ->> 'comment'); END IF;
  DELETE FROM crossfade.key_aside a WHERE a.cutover = p_id AND a.name = p_name;
  RETURN CASE WHEN (v.key ->> 'validated')::boolean THEN format('ALTER TABLE %s VALIDATE CONSTRAINT %I', v.shadow, v.name) END;
END $$;
COMMENT ON FUNCTION crossfade.give_key_back IS 'Makes a foreign key again that was set aside, NOT VALID. Returns the statement that validates it.';

-- One transaction: the other direction, the other names, the other epoch. Either all of it is there, or none.
--
--   advisory lock, epoch, fingerprint, drain ─┬─ LOCK TABLE … drain the rest, statements, mirror ─┬─ commit
--   the application works                     └─ the application waits: a few milliseconds        ┘
--
-- p_views (names) are locked first and in their order: a view before what it reads, since its users take it first. Then
-- p_tables; what was not to be had in one round comes first in the next.
-- CF001 another epoch, CF002 the catalog is not what the plan was made from, CF003 not now, 55P03 no lock in time, 40P01: these
-- are answers, {kind: postponed, sqlstate, why, holders}, and whatever had been done by then is undone.
CREATE OR REPLACE FUNCTION crossfade.swap(
  p_id text, p_from bigint, p_to bigint, p_direction text, p_stage text, p_version bigint,
  p_views text[], p_tables oid[], p_statements text[], p_fingerprint text, p_plan jsonb, p_most integer
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
  v_drained integer;
  v_views oid[] := coalesce((SELECT array_agg(coalesce(to_regclass(n), 0)::oid ORDER BY place) FROM unnest(p_views) WITH ORDINALITY x(n, place)), '{}');
  v_order oid[] := p_tables;
  v_locked oid[] := v_views || p_tables;
  -- Milliseconds that all locks of a round may take, and so the application waits: far below deadlock_timeout (1 s), so that it is
  -- always the swap that lets go. Short ones mostly: a round in which a transaction under way needs them in another order is lost from
  -- its beginning, and any other one is over when the transactions that were under way are.
  v_patience integer[] := '{30,60,100,30,60,200,30,60,100,30,60,200}';
BEGIN
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
    -- Before the lock: to fail early, and so that the same calls are quick under it.
    IF crossfade.catalog_fingerprint(v.primary_oid, v.shadow_oid) IS DISTINCT FROM p_fingerprint THEN
      RAISE EXCEPTION 'the tables were changed after the plan was made' USING ERRCODE = 'CF002';
    END IF;
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
        IF v_table = ANY (v_order) THEN v_order := v_table || array_remove(v_order, v_table); END IF;
      END;
      -- Whoever queued behind us works on, and what they write meanwhile is not left for the time under the lock.
      PERFORM pg_sleep(0.01 + 0.04 * random());
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
    IF crossfade.catalog_fingerprint(v.primary_oid, v.shadow_oid) IS DISTINCT FROM p_fingerprint THEN
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

REVOKE ALL ON FUNCTION crossfade.keys_to_set_aside, crossfade.set_key_aside, crossfade.key_now, crossfade.keys_aside,
  crossfade.keys_to_give_back, crossfade.name_list, crossfade.give_key_back FROM PUBLIC;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'crossfade_runtime') THEN
    GRANT SELECT ON crossfade.key_aside TO crossfade_runtime;
  END IF;
END $$;
