-- Why: secondary indexes of a shadow can be built after the copy of its rows, which is faster than keeping them up to date while it runs.
-- Lock: none on existing objects. Duration: milliseconds.
-- Undo: DROP TABLE crossfade.index_aside, once it is empty, and its functions.

CREATE TABLE crossfade.index_aside (
  cutover text NOT NULL,
  shadow oid NOT NULL,
  name text NOT NULL,
  schema text NOT NULL,
  definition text NOT NULL,
  comment text,
  since timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (cutover, name)
);
COMMENT ON TABLE crossfade.index_aside IS
  'Indexes that were taken off a shadow until its rows are copied. The cutover counts as not copied while one is left.';

-- Left in place: whatever says which rows may be (unique, constraints), and what a definition does not say (identity, clustering, tablespace, statistics).
CREATE FUNCTION crossfade.set_indexes_aside(p_id text, p_shadow oid) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v record;
  v_count integer := 0;
BEGIN
  DELETE FROM crossfade.index_aside a WHERE a.cutover = p_id AND a.shadow <> p_shadow;
  FOR v IN
    SELECT c.oid, c.relname, n.nspname, pg_get_indexdef(c.oid) AS definition, obj_description(c.oid, 'pg_class') AS comment
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE i.indrelid = p_shadow AND c.relkind = 'i' AND c.reltablespace = 0 AND i.indisvalid
      AND NOT (i.indisunique OR i.indisexclusion OR i.indisprimary OR i.indisreplident OR i.indisclustered)
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid)
      AND NOT EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid = c.oid AND (to_jsonb(t) ->> 'attstattarget')::integer >= 0)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'x'))
  LOOP
    INSERT INTO crossfade.index_aside AS a (cutover, shadow, name, schema, definition, comment)
    VALUES (p_id, p_shadow, v.relname, v.nspname, v.definition, v.comment)
    ON CONFLICT (cutover, name) DO UPDATE SET definition = EXCLUDED.definition, comment = EXCLUDED.comment;
    EXECUTE format('DROP INDEX %I.%I', v.nspname, v.relname);
    v_count := v_count + 1;
  END LOOP;
  RETURN v_count;
END $$;
COMMENT ON FUNCTION crossfade.set_indexes_aside IS 'Takes secondary indexes off a shadow and remembers them, in one transaction with whatever else is done.';

-- One index, and how far it is: absent, building (by whom ever), broken (a build that ended half way), or there.
CREATE FUNCTION crossfade.next_index(p_id text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT jsonb_build_object('name', a.name, 'left', (SELECT count(*) FROM crossfade.index_aside o WHERE o.cutover = p_id),
    'create', regexp_replace(a.definition, '^CREATE INDEX', 'CREATE INDEX CONCURRENTLY'),
    'drop', format('DROP INDEX CONCURRENTLY IF EXISTS %I.%I', a.schema, a.name),
    'state', CASE WHEN i.indexrelid IS NOT NULL AND i.indisvalid THEN 'there'
      WHEN EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.relid = a.shadow) THEN 'building'
      WHEN i.indexrelid IS NOT NULL THEN 'broken' ELSE 'absent' END)
  FROM crossfade.index_aside a JOIN pg_class t ON t.oid = a.shadow
  LEFT JOIN pg_index i ON i.indrelid = a.shadow AND i.indexrelid = to_regclass(format('%I.%I', a.schema, a.name))
  WHERE a.cutover = p_id ORDER BY a.name LIMIT 1
$$;

CREATE FUNCTION crossfade.index_given_back(p_id text, p_name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v crossfade.index_aside%ROWTYPE;
BEGIN
  SELECT * INTO v FROM crossfade.index_aside a WHERE a.cutover = p_id AND a.name = p_name FOR UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  IF v.comment IS NOT NULL THEN EXECUTE format('COMMENT ON INDEX %I.%I IS %L', v.schema, v.name, v.comment); END IF;
  DELETE FROM crossfade.index_aside a WHERE a.cutover = p_id AND a.name = p_name;
END $$;

REVOKE ALL ON FUNCTION crossfade.set_indexes_aside, crossfade.next_index, crossfade.index_given_back FROM PUBLIC;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'crossfade_runtime') THEN
    GRANT SELECT ON crossfade.index_aside TO crossfade_runtime;
  END IF;
END $$;
