-- Why: a name that would be longer than Postgres takes is cut and marked when tables are swapped. Whether the cut one is taken must be known, and
-- it need not begin with the whole name of a table.
-- Lock: none on existing objects. Duration: milliseconds. Undo: crossfade.dependents as in 0020.

CREATE OR REPLACE FUNCTION crossfade.dependents(p_primary oid, p_shadow oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN RETURN (
  SELECT jsonb_build_object(
    'primary', crossfade.table_facts(p_primary), 'shadow', crossfade.table_facts(p_shadow),
    -- Names that are taken where new ones will be needed: relations and types share one space per schema. A cut name keeps 50 bytes or more.
    'taken', (
      SELECT coalesce(jsonb_agg(DISTINCT x.name), '[]') FROM pg_class t
      JOIN LATERAL (
        SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = t.relnamespace
        UNION SELECT y.typname FROM pg_type y WHERE y.typnamespace = t.relnamespace
      ) x ON starts_with(x.name::text, CASE WHEN octet_length(t.relname::text) > 50 THEN left(t.relname::text, 12) ELSE t.relname::text END)
      WHERE t.oid IN (p_primary, p_shadow)))
); END $$;
