-- Why: where capture may write neither the outbox nor crossfade.missed, as when rights on them or on the schema were taken from the owner of its
-- functions, a change left no trace: when the rights came back nobody knew that rows were missing. Now a sequence is counted up, which
-- is found in the catalog and so asks for no right on the schema. Each tick compares it with what it was, and a difference is a gap of capture.
-- It is one for all cutovers, and a transaction that is rolled back counts it up, too: a sweep too many does no harm.
-- Lock: none on existing objects. Duration: milliseconds. Cutovers that are armed use it from their next start or adopt on.
-- Undo: capture_now as in 0023, capture_gap as in 0018; DROP SEQUENCE crossfade.unrecorded.

CREATE SEQUENCE crossfade.unrecorded;
COMMENT ON SEQUENCE crossfade.unrecorded IS 'Counted up by capture when a change could be written nowhere. Every cutover is swept then.';

CREATE OR REPLACE FUNCTION crossfade.capture_now(p_id text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off SET jit = off AS $$
  SELECT coalesce(jsonb_object_agg(o.object, o.state), '{}') FROM (
    SELECT format('trigger %I of table %s', g.tgname, g.tgrelid) AS object,
      jsonb_build_object('enabled', g.tgenabled, 'function', f.proname, 'type', g.tgtype, 'version', g.xmin::text) AS state
    FROM crossfade.cutover c JOIN pg_trigger g ON g.tgrelid IN (c.primary_oid, c.shadow_oid) JOIN pg_proc f ON f.oid = g.tgfoid
    WHERE c.id = p_id AND NOT g.tgisinternal AND f.pronamespace = 'crossfade'::regnamespace AND f.proname <> 'read_only_guard'
    UNION ALL
    SELECT 'unrecorded', jsonb_build_object('number', pg_sequence_last_value('crossfade.unrecorded'))
    UNION ALL
    SELECT format('function crossfade.%I', f.proname),
      jsonb_build_object('body', md5(f.prosrc), 'settings', f.proconfig, 'definer', f.prosecdef, 'owner', pg_get_userbyid(f.proowner))
    FROM pg_proc f WHERE f.pronamespace = 'crossfade'::regnamespace
      AND f.proname IN ('capture_' || p_id, 'truncated_' || p_id, 'guard_' || p_id, 'inline_' || p_id, 'computed_' || p_id)) o
$$;

CREATE OR REPLACE FUNCTION crossfade.capture_gap(p_id text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
  v crossfade.shape%ROWTYPE;
  v_now CONSTANT jsonb := crossfade.capture_now(p_id);
  v_stamp CONSTANT jsonb := crossfade.columns_stamp(p_id);
  v_why text;
BEGIN
  SELECT * INTO v FROM crossfade.shape s WHERE s.cutover = p_id;
  IF NOT FOUND OR NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.direction <> 'none') THEN RETURN NULL; END IF;
  IF v.capture <> v_now THEN
    SELECT string_agg(CASE o.key WHEN 'unrecorded' THEN 'a change' ELSE regexp_replace(o.key, ' of table \d+$', '') END || CASE
      WHEN o.key = 'unrecorded' THEN ' could not be recorded anywhere'
      WHEN o.is IS NULL THEN ' was dropped'
      WHEN o.was IS NULL THEN ' was added'
      WHEN o.was ->> 'enabled' IS DISTINCT FROM o.is ->> 'enabled' THEN CASE o.is ->> 'enabled' WHEN 'D' THEN ' is switched off' ELSE ' was switched off, or is not always on' END
      WHEN o.was ->> 'version' IS DISTINCT FROM o.is ->> 'version' THEN ' was altered, or made again'
      ELSE ' was replaced' END, ', ' ORDER BY o.key) INTO v_why
    FROM (SELECT key, a.value AS was, n.value AS is FROM jsonb_each(v.capture) a FULL JOIN jsonb_each(v_now) n USING (key) WHERE a.value IS DISTINCT FROM n.value) o;
  END IF;
  IF v.stamps = v_stamp THEN RETURN v_why; END IF;
  RETURN nullif(concat_ws(', ', v_why, (SELECT string_agg(format('column %I of %s was rewritten', a.attname, a.attrelid::regclass), ', ' ORDER BY a.attrelid, a.attnum)
    FROM jsonb_each(v.stamps) w JOIN jsonb_each(v_stamp) n ON n.key = w.key CROSS JOIN LATERAL jsonb_each_text(w.value -> 'columns') c
    JOIN pg_attribute a ON a.attrelid = w.key::oid AND a.attnum = c.key::int2
    WHERE w.value -> 'file' <> n.value -> 'file' AND c.value <> (n.value -> 'columns' ->> c.key))), '');
END $$;

UPDATE crossfade.shape SET capture = capture || '{"unrecorded": {"number": null}}';
