-- Why: a table may move to another schema. Its shadow has the same name there, and takes its indexes and sequences along into the
-- schema of the primary, so their names must be free there. Names of the other schema are of no interest.
--
-- Lock: none; a function is replaced. Duration: milliseconds.
-- Undo: crossfade.dependents as in 0026.

CREATE OR REPLACE FUNCTION crossfade.dependents(p_primary oid, p_shadow oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN RETURN (
  SELECT jsonb_build_object(
    'primary', crossfade.table_facts(p_primary), 'shadow', crossfade.table_facts(p_shadow),
    -- Names that are taken where new ones will be needed: relations and types share one space per schema. A cut name keeps 50 bytes or more.
    'taken', (
      SELECT coalesce(jsonb_agg(DISTINCT x.name), '[]') FROM pg_class t JOIN pg_class h ON h.oid = p_primary
      JOIN LATERAL (
        SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = h.relnamespace
        UNION SELECT y.typname FROM pg_type y WHERE y.typnamespace = h.relnamespace
      ) x ON starts_with(x.name::text, CASE WHEN octet_length(t.relname::text) > 50 THEN left(t.relname::text, 12) ELSE t.relname::text END)
        -- What a shadow of another schema takes along into that of the primary.
        OR (t.relnamespace <> h.relnamespace AND x.name IN (SELECT c.relname FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind IN ('i', 'I', 'S')
          WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
          UNION SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = t.oid))
      WHERE t.oid IN (p_primary, p_shadow)))
); END $$;
