-- Why: under REPEATABLE READ and SERIALIZABLE a transaction reads all tables as of one moment. One that began before the tables were exchanged,
-- and uses the table first after it, reads the other table as of that moment: rows that were committed before it began, and applied to the
-- other table only after it, are not there for it. A DELETE would leave them, an INSERT would find their keys taken. Such a transaction
-- is asked to begin again, as Postgres asks whenever it cannot give what it promised: 40001, which applications at these levels repeat.
-- A trigger for statements sees those, too, that find no row. Under READ COMMITTED its condition is all that is evaluated.
--
-- Lock: none on existing objects. Duration: milliseconds.
-- Undo: DROP TRIGGER crossfade_snapshot ON each table that has it; DROP FUNCTION crossfade.demand_newer_snapshots, crossfade.end_newer_snapshots,
-- crossfade.refuse_older_snapshot;
-- check_foreign as in 0021.

CREATE FUNCTION crossfade.refuse_older_snapshot() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT pg_visible_in_snapshot(TG_ARGV[0]::xid8, pg_current_snapshot()) THEN
    RAISE EXCEPTION 'could not serialize access due to a concurrent exchange of tables' USING ERRCODE = 'serialization_failure',
      HINT = 'The transaction began before the table was exchanged. Begin it again.';
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION crossfade.refuse_older_snapshot IS 'Trigger: raises 40001 for a snapshot that does not see the transaction that exchanged the tables, whose id is the argument.';

CREATE FUNCTION crossfade.demand_newer_snapshots(p_table oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('DROP TRIGGER IF EXISTS crossfade_snapshot ON %s', p_table::regclass);
  EXECUTE format($t$CREATE TRIGGER crossfade_snapshot BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT
    WHEN (pg_catalog.current_setting('transaction_isolation') <> 'read committed') EXECUTE FUNCTION crossfade.refuse_older_snapshot(%L)$t$,
    p_table::regclass, pg_current_xact_id()::text);
END $$;
COMMENT ON FUNCTION crossfade.demand_newer_snapshots IS 'In the transaction that exchanges the tables, for the one that is used from then on: older snapshots write it no more.';

-- After a way back nothing of ours is to stay. Whoever drops the trigger queues for a moment, as whoever makes one does.
CREATE FUNCTION crossfade.end_newer_snapshots(p_table oid, p_elders text[]) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
BEGIN
  IF EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'virtualxid' AND l.virtualtransaction = ANY (p_elders)) THEN RETURN false; END IF;
  EXECUTE format('DROP TRIGGER IF EXISTS crossfade_snapshot ON %s', p_table::regclass);
  RETURN true;
EXCEPTION WHEN lock_not_available THEN
  RETURN false;
END $$;
COMMENT ON FUNCTION crossfade.end_newer_snapshots IS 'Takes the trigger of demand_newer_snapshots off again when none of these transactions is open any more; false when it could not.';

-- As in 0021, but for the trigger that a way back leaves while older transactions go on, and then until the cutover is reset.
CREATE OR REPLACE FUNCTION crossfade.check_foreign(p_cutover text, p_primary oid, p_shadow oid) RETURNS SETOF crossfade.finding
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    coalesce('crossfade stop ' || min(c.id), '') || ': one table is kept equal with one other at a time.')).*
    FROM crossfade.cutover c WHERE c.id <> p_cutover AND c.direction <> 'none' AND ARRAY[c.primary_oid, c.shadow_oid] && ARRAY[p_primary, p_shadow];
  -- Recorded when it was armed, where that is recorded; a copy by CREATE DATABASE … TEMPLATE keeps the numbers of tables, not of the database.
  IF to_regclass('crossfade.shape') IS NOT NULL THEN
    EXECUTE 'SELECT string_agg(s.cutover, '', '' ORDER BY s.cutover) FROM crossfade.shape s JOIN crossfade.cutover c ON c.id = s.cutover AND c.direction <> ''none''
      WHERE s.database <> (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())' INTO v_elsewhere;
  END IF;
  RETURN QUERY SELECT (crossfade.finding('database of the cutovers', v_elsewhere IS NOT NULL, 'fail', CASE WHEN v_elsewhere IS NULL THEN 'this one' ELSE format('%s: armed in another database, of which this one is a copy', v_elsewhere) END, 'this one',
    'Only the original goes on. To make this copy free of it: DROP SCHEMA crossfade CASCADE, which drops the triggers, too; then crossfade migrate.')).*;
END $$;

REVOKE ALL ON FUNCTION crossfade.refuse_older_snapshot, crossfade.demand_newer_snapshots, crossfade.end_newer_snapshots FROM PUBLIC;
