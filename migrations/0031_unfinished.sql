-- Why: whether there is anything to copy was found from the whole status of all tables, at some milliseconds of the server each. Where the copy is looked for
-- every second, as on a laptop, 200 tables took a quarter of a processor for nothing.
--
-- Lock: none on existing objects. Duration: milliseconds.
-- Undo: DROP FUNCTION crossfade.unfinished_backfills.

CREATE FUNCTION crossfade.unfinished_backfills() RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT c.id FROM crossfade.cutover c JOIN crossfade.backfill b ON b.cutover = c.id
  WHERE c.direction <> 'none' AND b.state <> 'done' ORDER BY c.id
$$;
COMMENT ON FUNCTION crossfade.unfinished_backfills IS 'Cutovers whose capture is armed and whose copy is not done, paused and cancelled ones among them.';

REVOKE ALL ON FUNCTION crossfade.unfinished_backfills FROM PUBLIC;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'crossfade_runtime') THEN
    GRANT EXECUTE ON FUNCTION crossfade.unfinished_backfills TO crossfade_runtime;
  END IF;
END $$;
