-- Why: a trigger for statements fires for the table that a statement names. One that names a partition wrote it while its table was
-- read-only, and with a snapshot from before the tables were exchanged. Now each partition has these triggers, too, and one that is
-- attached gets them with the next tick. And the health check took partitions, and tables of companions, for remains of other cutovers.
--
-- Lock: none on existing objects. set_read_only, demand_newer_snapshots and follow_partitions lock partitions as they do the table.
-- Duration: milliseconds.
-- Undo: SELECT crossfade.end_read_only(id), crossfade.drop_partition_triggers(id) FROM crossfade.cutover; then set_read_only and drop_read_only as in
-- 0011, demand_newer_snapshots and end_newer_snapshots as in 0029, follow_partitions and drop_partition_triggers as in
-- 0036, check_foreign as in 0038; DROP FUNCTION crossfade.with_partitions.

CREATE FUNCTION crossfade.with_partitions(p_table oid) RETURNS SETOF oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT p_table UNION SELECT p.relid FROM pg_partition_tree(p_table) p ORDER BY 1
$$;
COMMENT ON FUNCTION crossfade.with_partitions IS 'A table and its partitions at any depth, in the order of their numbers.';

CREATE OR REPLACE FUNCTION crossfade.follow_partitions(p_id text) RETURNS void
 LANGUAGE plpgsql
 SET search_path = pg_catalog, pg_temp
 SET quote_all_identifiers TO 'off'
AS $$
DECLARE
  v record;
BEGIN
  -- A table that is no partition any more keeps what is not a clone.
  PERFORM crossfade.drop_partition_triggers(p_id, true);
  FOR v IN
    SELECT x.oid::regclass AS partition, g.tgname AS name, g.tgenabled AS enabled, o.oid IS NULL AS missing,
      split_part(pg_get_triggerdef(g.oid), format(' ON %s ', g.tgrelid::regclass), 1) AS before, split_part(pg_get_triggerdef(g.oid), format(' ON %s ', g.tgrelid::regclass), 2) AS after
    FROM crossfade.cutover c JOIN pg_class t ON t.oid IN (c.primary_oid, c.shadow_oid) AND t.relkind = 'p'
      CROSS JOIN LATERAL (SELECT p.relid AS oid FROM pg_partition_tree(t.oid) p WHERE p.level > 0) x JOIN pg_class k ON k.oid = x.oid AND k.relkind IN ('r', 'p')
      JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal JOIN pg_proc f ON f.oid = g.tgfoid AND f.pronamespace = 'crossfade'::regnamespace
      LEFT JOIN pg_trigger o ON o.tgrelid = x.oid AND o.tgname = g.tgname
    -- 1: it is one for rows, which Postgres clones.
    WHERE c.id = p_id AND CASE WHEN o.oid IS NULL THEN g.tgtype & 1 = 0 ELSE o.tgenabled <> g.tgenabled END
    ORDER BY x.oid, g.tgname
  LOOP
    IF v.missing THEN EXECUTE format('%s ON %s %s', v.before, v.partition, v.after); END IF;
    IF v.enabled = 'A' THEN
      EXECUTE format('ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER %I', v.partition, v.name);
    ELSIF NOT v.missing THEN
      EXECUTE format('ALTER TABLE ONLY %s ENABLE TRIGGER %I', v.partition, v.name);
    END IF;
  END LOOP;
END $$;

COMMENT ON FUNCTION crossfade.follow_partitions IS
  'Gives each partition of the tables of a cutover the triggers for statements that the table itself has, switches on those that were switched off, and takes them off what is no partition any more.';

CREATE OR REPLACE FUNCTION crossfade.drop_partition_triggers(p_id text, p_strays boolean DEFAULT false) RETURNS void
 LANGUAGE plpgsql
 SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v record;
BEGIN
  FOR v IN
    SELECT g.tgname AS name, g.tgrelid::regclass AS relation FROM crossfade.cutover c CROSS JOIN pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid AND f.pronamespace = 'crossfade'::regnamespace
    WHERE c.id = p_id AND (f.proname IN ('truncated_' || p_id, 'guard_' || p_id)
        OR (f.proname = 'read_only_guard' AND split_part(encode(g.tgargs, 'escape'), '\000', 1) = p_id)
        -- The transaction that exchanged the tables says of which they are.
        OR (f.proname = 'refuse_older_snapshot' AND g.tgargs IN (SELECT r.tgargs FROM pg_trigger r WHERE r.tgrelid IN (c.primary_oid, c.shadow_oid) AND r.tgfoid = f.oid)))
      AND g.tgparentid = 0 AND g.tgrelid NOT IN (c.primary_oid, c.shadow_oid)
      AND NOT (p_strays AND coalesce(pg_partition_root(g.tgrelid)::oid IN (c.primary_oid, c.shadow_oid), false))
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', v.name, v.relation);
  END LOOP;
END $$;

CREATE OR REPLACE FUNCTION crossfade.set_read_only(p_id text, p_epoch bigint, p_seconds integer) RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path = pg_catalog, pg_temp
 SET lock_timeout TO '500ms'
 SET "DateStyle" TO 'ISO'
AS $$
DECLARE
  v crossfade.cutover%ROWTYPE;
  v_now timestamptz;
  v_until timestamptz;
  v_table oid;
BEGIN
  IF p_seconds IS NULL OR p_seconds NOT BETWEEN 1 AND 300 THEN
    RAISE EXCEPTION 'a primary is read-only for 1 to 300 seconds, not %', p_seconds USING ERRCODE = 'CF004';
  END IF;
  PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
  SELECT * INTO v FROM crossfade.cutover c WHERE c.id = p_id;
  IF v.epoch IS DISTINCT FROM p_epoch OR v.direction <> 'forward' OR v.stage = 'rolled_back' THEN
    RETURN jsonb_build_object('kind', 'stale', 'have', coalesce(v.epoch, -1), 'got', p_epoch);
  END IF;
  EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', v.primary_oid::regclass);
  v_now := clock_timestamp();
  v_until := v_now + make_interval(secs => p_seconds);
  FOR v_table IN SELECT t FROM crossfade.with_partitions(v.primary_oid) t LOOP
    EXECUTE format('CREATE OR REPLACE TRIGGER crossfade_read_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s
      FOR EACH STATEMENT EXECUTE FUNCTION crossfade.read_only_guard(%L, %L, %L)', v_table::regclass, p_id, v_now, v_until);
  END LOOP;
  UPDATE crossfade.cutover c SET read_only_until = v_until WHERE c.id = p_id;
  RETURN jsonb_build_object('kind', 'read_only', 'untilMs', floor(extract(epoch FROM v_until) * 1000));
END $$;

CREATE OR REPLACE FUNCTION crossfade.drop_read_only(p_id text) RETURNS void
 LANGUAGE plpgsql
 SET search_path = pg_catalog, pg_temp
 SET lock_timeout TO '100ms'
AS $$
DECLARE
  v_table oid;
BEGIN
  FOR v_table IN SELECT t.tgrelid FROM crossfade.cutover c CROSS JOIN LATERAL (VALUES (c.primary_oid), (c.shadow_oid)) x(oid)
    CROSS JOIN LATERAL crossfade.with_partitions(x.oid) w(oid) JOIN pg_trigger t ON t.tgrelid = w.oid
    WHERE c.id = p_id AND t.tgname = 'crossfade_read_only' AND c.read_only_until IS NULL
  LOOP
    EXECUTE format('DROP TRIGGER IF EXISTS crossfade_read_only ON %s', v_table::regclass);
  END LOOP;
EXCEPTION WHEN lock_not_available THEN
  NULL;
END $$;

CREATE OR REPLACE FUNCTION crossfade.demand_newer_snapshots(p_table oid) RETURNS void
 LANGUAGE plpgsql
 SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v_table oid;
BEGIN
  FOR v_table IN SELECT t FROM crossfade.with_partitions(p_table) t LOOP
    EXECUTE format('DROP TRIGGER IF EXISTS crossfade_snapshot ON %s', v_table::regclass);
    EXECUTE format($t$CREATE TRIGGER crossfade_snapshot BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT
      WHEN (pg_catalog.current_setting('transaction_isolation') <> 'read committed') EXECUTE FUNCTION crossfade.refuse_older_snapshot(%L)$t$,
      v_table::regclass, pg_current_xact_id()::text);
  END LOOP;
END $$;

CREATE OR REPLACE FUNCTION crossfade.end_newer_snapshots(p_table oid, p_elders text[]) RETURNS boolean
 LANGUAGE plpgsql
 SET search_path = pg_catalog, pg_temp
 SET lock_timeout TO '100ms'
AS $$
DECLARE
  v_table oid;
BEGIN
  IF EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'virtualxid' AND l.virtualtransaction = ANY (p_elders)) THEN RETURN false; END IF;
  FOR v_table IN SELECT t FROM crossfade.with_partitions(p_table) t LOOP
    EXECUTE format('DROP TRIGGER IF EXISTS crossfade_snapshot ON %s', v_table::regclass);
  END LOOP;
  RETURN true;
EXCEPTION WHEN lock_not_available THEN
  RETURN false;
END $$;

-- A table of companions, and a partition, are no remains.
CREATE OR REPLACE FUNCTION crossfade.check_foreign(p_cutover text, p_primary oid, p_shadow oid) RETURNS SETOF crossfade.finding
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path = pg_catalog, pg_temp
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
    WHERE NOT t.tgisinternal AND t.tgrelid NOT IN (p_primary, p_shadow) AND NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.direction <> 'none'
      AND (coalesce(pg_partition_root(t.tgrelid)::oid, t.tgrelid) IN (c.primary_oid, c.shadow_oid) OR f.proname = 'companion_' || c.id));
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

REVOKE ALL ON FUNCTION crossfade.with_partitions FROM PUBLIC;
