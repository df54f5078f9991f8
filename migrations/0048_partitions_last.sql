-- Why: triggers of single partitions were dropped before the table that they belong to was locked. A statement of the application locks that table first and its
-- partitions afterwards, so each waited for the other until a limit of half a second ended it: under writes a cleanup or a disarming took many tries.
-- Lock: none on existing objects. Duration: milliseconds.
-- Undo: drop_partition_triggers as in 0040.

CREATE OR REPLACE FUNCTION crossfade.drop_partition_triggers(p_id text, p_strays boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v record;
  v_roots regclass[] := '{}';
BEGIN
  FOR v IN
    SELECT g.tgname AS name, g.tgrelid::regclass AS relation, pg_partition_root(g.tgrelid) AS root
    FROM crossfade.cutover c CROSS JOIN pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid AND f.pronamespace = 'crossfade'::regnamespace
    WHERE c.id = p_id AND (f.proname IN ('truncated_' || p_id, 'guard_' || p_id)
        OR (f.proname = 'read_only_guard' AND split_part(encode(g.tgargs, 'escape'), '\000', 1) = p_id)
        -- The transaction that exchanged the tables says of which they are.
        OR (f.proname = 'refuse_older_snapshot' AND g.tgargs IN (SELECT r.tgargs FROM pg_trigger r WHERE r.tgrelid IN (c.primary_oid, c.shadow_oid) AND r.tgfoid = f.oid)))
      AND g.tgparentid = 0 AND g.tgrelid NOT IN (c.primary_oid, c.shadow_oid)
      AND NOT (p_strays AND coalesce(pg_partition_root(g.tgrelid)::oid IN (c.primary_oid, c.shadow_oid), false))
  LOOP
    -- In the order in which a statement of the application takes both.
    IF v.root IS NOT NULL AND v.root <> ALL (v_roots) THEN
      EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', v.root);
      v_roots := v_roots || v.root;
    END IF;
    EXECUTE format('DROP TRIGGER %I ON %s', v.name, v.relation);
  END LOOP;
END $$;
