-- Why: a table gets a new key while foreign keys of other tables point at the old one. Those tables have a companion column, which a
-- trigger keeps equal and the copy fills. The triggers are watched, made again and taken off with those of capture, a sweep fills the
-- columns again, and a table that has such a trigger does not cross over itself meanwhile.
--
-- Lock: ACCESS EXCLUSIVE on crossfade.backfill for two columns with constant defaults; none on tables of the application.
-- Duration: milliseconds.
-- Undo: first end every cutover with companions; then captures_now as in 0028, record_shape as in 0023, begin_sweep as in 0019 and
-- other_cutovers as in 0024; DROP FUNCTION crossfade.drop_companion_triggers; ALTER TABLE crossfade.backfill DROP COLUMN companion,
-- DROP COLUMN companion_page.

ALTER TABLE crossfade.backfill ADD COLUMN companion integer NOT NULL DEFAULT 0, ADD COLUMN companion_page bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN crossfade.backfill.companion IS 'How many companion columns are filled. companion_page: pages of the next one''s table that are.';

CREATE FUNCTION crossfade.drop_companion_triggers(p_id text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v record;
BEGIN
  FOR v IN SELECT g.tgname AS name, g.tgrelid::regclass AS relation FROM pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid
    WHERE f.pronamespace = 'crossfade'::regnamespace AND f.proname = 'companion_' || p_id ORDER BY g.tgrelid
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', v.name, v.relation);
  END LOOP;
END $$;
COMMENT ON FUNCTION crossfade.drop_companion_triggers IS 'Takes the triggers that fill the companion columns of a cutover off the tables that have them.';
REVOKE ALL ON FUNCTION crossfade.drop_companion_triggers FROM PUBLIC;

CREATE OR REPLACE FUNCTION crossfade.captures_now(p_ids text[]) RETURNS TABLE(id text, capture jsonb)
 LANGUAGE plpgsql
 STABLE
 SET search_path = pg_catalog, pg_temp
 SET quote_all_identifiers TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
 SET jit TO 'off'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $$
BEGIN
  RETURN QUERY
  SELECT i.id, coalesce(jsonb_object_agg(o.object, o.state) FILTER (WHERE o.object IS NOT NULL), '{}') FROM unnest(p_ids) i(id) LEFT JOIN (
    SELECT c.id, format('trigger %I of table %s', g.tgname, g.tgrelid) AS object,
      jsonb_build_object('enabled', g.tgenabled, 'function', f.proname, 'type', g.tgtype, 'version', g.xmin::text) AS state
    FROM crossfade.cutover c CROSS JOIN LATERAL (VALUES (c.primary_oid), (c.shadow_oid)) t(oid) JOIN pg_trigger g ON g.tgrelid = t.oid JOIN pg_proc f ON f.oid = g.tgfoid
    WHERE c.id = ANY (p_ids) AND NOT g.tgisinternal AND f.pronamespace = 'crossfade'::regnamespace AND f.proname <> 'read_only_guard'
    UNION ALL
    SELECT x.id, format('trigger %I of table %s', g.tgname, g.tgrelid),
      jsonb_build_object('enabled', g.tgenabled, 'function', f.proname, 'type', g.tgtype, 'version', g.xmin::text)
    FROM unnest(p_ids) x(id) JOIN pg_proc f ON f.proname = ('companion_' || x.id)::name AND f.pronamespace = 'crossfade'::regnamespace
    JOIN pg_depend d ON d.refclassid = 'pg_proc'::regclass AND d.refobjid = f.oid AND d.classid = 'pg_trigger'::regclass JOIN pg_trigger g ON g.oid = d.objid
    UNION ALL
    SELECT x.id, 'unrecorded', jsonb_build_object('number', pg_sequence_last_value('crossfade.unrecorded')) FROM unnest(p_ids) x(id)
    UNION ALL
    SELECT x.id, format('function crossfade.%I', f.proname),
      jsonb_build_object('body', md5(f.prosrc), 'settings', f.proconfig, 'definer', f.prosecdef, 'owner', pg_get_userbyid(f.proowner))
    FROM unnest(p_ids) x(id) CROSS JOIN LATERAL (VALUES ('capture_'), ('truncated_'), ('guard_'), ('inline_'), ('computed_'), ('companion_')) k(kind)
    JOIN pg_proc f ON f.proname = (k.kind || x.id)::name AND f.pronamespace = 'crossfade'::regnamespace) o ON o.id = i.id
  GROUP BY i.id;
END $$;

CREATE OR REPLACE FUNCTION crossfade.record_shape(p_id text) RETURNS void
 LANGUAGE sql
 SET search_path = pg_catalog, pg_temp
 SET quote_all_identifiers TO 'off'
AS $$
  INSERT INTO crossfade.shape AS s (cutover, database, armed, capture, made, stamps)
  SELECT p_id, crossfade.database_oid(), crossfade.shape_now(p_id), crossfade.capture_now(p_id), jsonb_build_object(
    'triggers', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', g.tgname, 'table', g.tgrelid::bigint, 'enabled', g.tgenabled,
        'before', split_part(pg_get_triggerdef(g.oid), ' ON ' || g.tgrelid::regclass::text || ' ', 1),
        'after', split_part(pg_get_triggerdef(g.oid), ' ON ' || g.tgrelid::regclass::text || ' ', 2)) ORDER BY g.tgname), '[]')
      FROM pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid
      WHERE (g.tgrelid IN (c.primary_oid, c.shadow_oid) OR f.proname = 'companion_' || p_id) AND NOT g.tgisinternal AND f.pronamespace = 'crossfade'::regnamespace AND f.proname <> 'read_only_guard'),
    'functions', (SELECT coalesce(jsonb_agg(pg_get_functiondef(f.oid) ORDER BY f.proname DESC), '[]') FROM pg_proc f WHERE f.pronamespace = 'crossfade'::regnamespace
      AND f.proname IN ('capture_' || p_id, 'truncated_' || p_id, 'guard_' || p_id, 'inline_' || p_id, 'computed_' || p_id, 'companion_' || p_id))), crossfade.columns_stamp(p_id)
  FROM crossfade.cutover c WHERE c.id = p_id
  ON CONFLICT (cutover) DO UPDATE SET database = EXCLUDED.database, armed = EXCLUDED.armed, capture = EXCLUDED.capture, made = EXCLUDED.made,
    stamps = EXCLUDED.stamps, armed_at = clock_timestamp(), differences = '[]', since = NULL, stopped = false, gap = NULL, gap_at = NULL
$$;

CREATE OR REPLACE FUNCTION crossfade.begin_sweep(p_id text, p_why text) RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- Waits for the chunk that is being copied: what is read from now on is read after the cause.
  UPDATE crossfade.backfill b SET state = CASE b.state WHEN 'done' THEN 'running' ELSE b.state END, copied_key = NULL, swept_key = NULL,
    upper_key = NULL, companion = 0, companion_page = 0, rows_done = 0, rate = NULL, shadow_had_rows = true, sweep_why = p_why, updated_at = clock_timestamp()
  WHERE b.cutover = p_id;
  IF NOT FOUND THEN RETURN false; END IF;
  -- What was found equal before says nothing any more, and neither does a pass that is under way.
  DELETE FROM crossfade.verification r WHERE r.cutover = p_id;
  UPDATE crossfade.verification_pass v SET state = 'done' WHERE v.cutover = p_id AND v.state <> 'done';
  IF to_regclass(format('crossfade.%I', 'touched_' || p_id)) IS NOT NULL THEN
    EXECUTE format('INSERT INTO crossfade.%I (place) VALUES (NULL)', 'touched_' || p_id);
  END IF;
  RETURN true;
END $$;

CREATE OR REPLACE FUNCTION crossfade.other_cutovers(p_id text, p_tables oid[]) RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path = pg_catalog, pg_temp
 SET jit TO 'off'
AS $$
  SELECT string_agg(format('%s (%s of cutover %s, which is armed %s)', t.oid::regclass, t.side, c.id, c.direction), ', ' ORDER BY c.id, t.side)
  FROM crossfade.cutover c CROSS JOIN LATERAL (
    SELECT 'primary' AS side, c.primary_oid AS oid UNION ALL SELECT 'shadow', c.shadow_oid
    UNION ALL SELECT 'companions', g.tgrelid FROM pg_proc f JOIN pg_trigger g ON g.tgrelid = ANY (p_tables) AND g.tgfoid = f.oid
      WHERE f.proname = ('companion_' || c.id)::name AND f.pronamespace = 'crossfade'::regnamespace) t
  WHERE c.id <> p_id AND c.direction <> 'none' AND t.oid = ANY (p_tables)
$$;
