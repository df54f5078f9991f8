-- Why: how many rows of a shadow say synced, pending or diverged, where it has the tracking column for that.
-- Lock: none. Duration: milliseconds. Undo: DROP FUNCTION crossfade.sync_status.

-- By OID: after promotion the table has another name.
CREATE FUNCTION crossfade.sync_status(p_cutover text) RETURNS TABLE (sync_status text, rows bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v crossfade.cutover%ROWTYPE := crossfade.known_cutover(p_cutover);
BEGIN
  IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = v.shadow_oid AND a.attname = '_shadow_sync_status' AND NOT a.attisdropped) THEN
    RAISE EXCEPTION 'the rows of %, the shadow of cutover %, do not say how it stands with them', v.shadow_name, p_cutover USING ERRCODE = 'CF010',
      HINT = 'They do in a column _shadow_sync_status text. SELECT * FROM crossfade.validate_table_consistency(' || quote_literal(p_cutover) || ') compares every row now.';
  END IF;
  RETURN QUERY EXECUTE format('SELECT t._shadow_sync_status::text, count(*) FROM %s t GROUP BY 1 ORDER BY 1', v.shadow_oid::regclass);
END $$;
COMMENT ON FUNCTION crossfade.sync_status IS
  'Rows of a shadow by _shadow_sync_status: synced (as Crossfade wrote them), diverged (verification found them to differ, or their key is in quarantine), pending or whatever else others wrote there. Reads the table whole, takes no lock. Error CF010: unknown cutover, or a shadow without that column.';

REVOKE ALL ON FUNCTION crossfade.sync_status FROM PUBLIC;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'crossfade_runtime') THEN
    GRANT EXECUTE ON FUNCTION crossfade.sync_status TO crossfade_runtime;
  END IF;
END $$;
