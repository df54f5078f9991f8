-- Why: the health check of tables that another cutover has advised `crossfade stop CUTOVER`, which stops all of them and takes no cutover.
-- What ends one is a rollback.
--
-- Lock: none; a function is replaced. Duration: milliseconds.
-- Undo: crossfade.check_foreign as in 0029.

CREATE OR REPLACE FUNCTION crossfade.check_foreign(p_cutover text, p_primary oid, p_shadow oid)
 RETURNS SETOF crossfade.finding
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $$
DECLARE
  v_of_schema text;
  v_elsewhere text;
BEGIN
  RETURN QUERY SELECT (crossfade.finding('publications of all tables', count(*) > 0, 'warn', coalesce(string_agg(p.pubname, ', ' ORDER BY p.pubname), 'none'), 'none',
    'They publish the tables of Crossfade, too. To leave these out: DROP PUBLICATION …, CREATE PUBLICATION … FOR TABLE … (15 and newer: FOR TABLES IN SCHEMA …), then ALTER SUBSCRIPTION … REFRESH PUBLICATION.')).*
    FROM pg_publication p WHERE p.puballtables;
  IF current_setting('server_version_num')::integer >= 150000 THEN
    EXECUTE 'SELECT string_agg(p.pubname, '', '' ORDER BY p.pubname) FROM pg_publication p WHERE EXISTS (SELECT FROM pg_publication_namespace n, pg_class c
      WHERE n.pnpubid = p.oid AND n.pnnspid = c.relnamespace AND c.oid IN ($1, $2))' INTO v_of_schema USING p_primary, p_shadow;
  END IF;
  RETURN QUERY SELECT (crossfade.finding('publications of the schema', v_of_schema IS NOT NULL, 'warn', coalesce(v_of_schema, 'none'), 'none',
    'They publish primary and shadow: a subscriber gets each row twice, and needs both tables. Name the tables instead: ALTER PUBLICATION … DROP TABLES IN SCHEMA …, then ADD TABLE ….')).*;
  -- A dump that was restored has the rows of the mirror with numbers of tables that are not there; a table may have been made again.
  RETURN QUERY SELECT (crossfade.finding('remains on these tables', count(*) > 0, 'fail', coalesce(string_agg(format('%s on %s', t.tgname, t.tgrelid::regclass), ', '), 'none'), 'none',
    coalesce(string_agg(format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass), '; '), '') || '. It is of a cutover that this database does not know: of another database that this one is a copy of, or of a table that was made again.')).*
    FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid AND f.pronamespace = 'crossfade'::regnamespace AND f.proname <> 'refuse_older_snapshot'
    WHERE NOT t.tgisinternal AND t.tgrelid IN (p_primary, p_shadow)
      AND NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.direction <> 'none' AND t.tgrelid IN (c.primary_oid, c.shadow_oid));
  RETURN QUERY SELECT (crossfade.finding('remains on other tables', count(*) > 0, 'warn', coalesce(string_agg(format('%s on %s', t.tgname, t.tgrelid::regclass), ', '), 'none'), 'none',
    coalesce(string_agg(format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass), '; '), '') || '. It writes into an outbox that nobody empties.')).*
    FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid AND f.pronamespace = 'crossfade'::regnamespace AND f.proname <> 'refuse_older_snapshot'
    WHERE NOT t.tgisinternal AND t.tgrelid NOT IN (p_primary, p_shadow)
      AND NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.direction <> 'none' AND t.tgrelid IN (c.primary_oid, c.shadow_oid));
  RETURN QUERY SELECT (crossfade.finding('other cutovers of these tables', count(*) > 0, 'fail', coalesce(string_agg(format('%s (%s, %s)', c.id, c.direction, c.stage), ', ' ORDER BY c.id), 'none'), 'none',
    coalesce('crossfade rollback ' || min(c.id) || ' --reason …', '') || ': one table is kept equal with one other at a time.')).*
    FROM crossfade.cutover c WHERE c.id <> p_cutover AND c.direction <> 'none' AND ARRAY[c.primary_oid, c.shadow_oid] && ARRAY[p_primary, p_shadow];
  -- Recorded when it was armed, where that is recorded; a copy by CREATE DATABASE … TEMPLATE keeps the numbers of tables, not of the database.
  IF to_regclass('crossfade.shape') IS NOT NULL THEN
    EXECUTE 'SELECT string_agg(s.cutover, '', '' ORDER BY s.cutover) FROM crossfade.shape s JOIN crossfade.cutover c ON c.id = s.cutover AND c.direction <> ''none''
      WHERE s.database <> (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())' INTO v_elsewhere;
  END IF;
  RETURN QUERY SELECT (crossfade.finding('database of the cutovers', v_elsewhere IS NOT NULL, 'fail', CASE WHEN v_elsewhere IS NULL THEN 'this one' ELSE format('%s: armed in another database, of which this one is a copy', v_elsewhere) END, 'this one',
    'Only the original goes on. To make this copy free of it: DROP SCHEMA crossfade CASCADE, which drops the triggers, too; then crossfade migrate.')).*;
END $$;
