-- Why: after promotion a trigger computes columns for an application that does not know them. Its function is watched, and made again, as those
-- of capture are: a trigger whose function is gone could not be made again, and with it none.
-- Lock: none on existing objects. Duration: milliseconds. Undo: crossfade.capture_now and crossfade.record_shape as in 0018.

CREATE OR REPLACE FUNCTION crossfade.capture_now(p_id text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off SET jit = off AS $$
  SELECT coalesce(jsonb_object_agg(o.object, o.state), '{}') FROM (
    SELECT format('trigger %I of table %s', g.tgname, g.tgrelid) AS object,
      jsonb_build_object('enabled', g.tgenabled, 'function', f.proname, 'type', g.tgtype, 'version', g.xmin::text) AS state
    FROM crossfade.cutover c JOIN pg_trigger g ON g.tgrelid IN (c.primary_oid, c.shadow_oid) JOIN pg_proc f ON f.oid = g.tgfoid
    WHERE c.id = p_id AND NOT g.tgisinternal AND f.pronamespace = 'crossfade'::regnamespace AND f.proname <> 'read_only_guard'
    UNION ALL
    SELECT format('function crossfade.%I', f.proname),
      jsonb_build_object('body', md5(f.prosrc), 'settings', f.proconfig, 'definer', f.prosecdef, 'owner', pg_get_userbyid(f.proowner))
    FROM pg_proc f WHERE f.pronamespace = 'crossfade'::regnamespace
      AND f.proname IN ('capture_' || p_id, 'truncated_' || p_id, 'guard_' || p_id, 'inline_' || p_id, 'computed_' || p_id)) o
$$;

CREATE OR REPLACE FUNCTION crossfade.record_shape(p_id text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $$
  INSERT INTO crossfade.shape AS s (cutover, database, armed, capture, made, stamps)
  SELECT p_id, crossfade.database_oid(), crossfade.shape_now(p_id), crossfade.capture_now(p_id), jsonb_build_object(
    'triggers', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', g.tgname, 'table', g.tgrelid::bigint, 'enabled', g.tgenabled,
        'before', split_part(pg_get_triggerdef(g.oid), ' ON ' || g.tgrelid::regclass::text || ' ', 1),
        'after', split_part(pg_get_triggerdef(g.oid), ' ON ' || g.tgrelid::regclass::text || ' ', 2)) ORDER BY g.tgname), '[]')
      FROM pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid
      WHERE g.tgrelid IN (c.primary_oid, c.shadow_oid) AND NOT g.tgisinternal AND f.pronamespace = 'crossfade'::regnamespace AND f.proname <> 'read_only_guard'),
    'functions', (SELECT coalesce(jsonb_agg(pg_get_functiondef(f.oid) ORDER BY f.proname DESC), '[]') FROM pg_proc f WHERE f.pronamespace = 'crossfade'::regnamespace
      AND f.proname IN ('capture_' || p_id, 'truncated_' || p_id, 'guard_' || p_id, 'inline_' || p_id, 'computed_' || p_id))), crossfade.columns_stamp(p_id)
  FROM crossfade.cutover c WHERE c.id = p_id
  ON CONFLICT (cutover) DO UPDATE SET database = EXCLUDED.database, armed = EXCLUDED.armed, capture = EXCLUDED.capture, made = EXCLUDED.made,
    stamps = EXCLUDED.stamps, armed_at = clock_timestamp(), differences = '[]', since = NULL, stopped = false, gap = NULL, gap_at = NULL
$$;

COMMENT ON TABLE crossfade.inline_failure IS
  'Keys whose row could not be written, or a column of it computed, in the transaction of the application, with the reason. Before promotion they are left to converge; after it the column stays as the application wrote it. Whoever is here has the row of the key locked, so nobody waits for anybody.';
