-- Why: a health check that ignores what is Crossfade's own, sees what others do to the tables at this moment, and never fails for a
-- right that its role has not. What the plan and the start refuse of a declaration is added by whoever calls it from outside.
-- Lock: none on existing objects. Duration: milliseconds.
-- Undo: DROP FUNCTION crossfade.check_foreign, crossfade.is_ours, crossfade.session_shown, crossfade.table_named; the other functions as in 0004.

-- Sessions of Crossfade are known by how their name begins; of other roles that is visible to everybody.
CREATE FUNCTION crossfade.is_ours(p_pid integer) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(p_pid IS NOT NULL AND (p_pid = pg_backend_pid()
    OR EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = p_pid AND a.application_name LIKE 'crossfade%')), false)
$$;
COMMENT ON FUNCTION crossfade.is_ours IS 'Whether a session is one of Crossfade''s own, by its application_name.';

-- Literals are masked: they may be values of rows.
CREATE FUNCTION crossfade.session_shown(p_pid integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce((SELECT format('pid %s', a.pid)
      || CASE WHEN a.usename IS NOT NULL THEN format(', role %s', a.usename) ELSE '' END
      || CASE WHEN a.application_name <> '' THEN format(', application %s', a.application_name) ELSE '' END
      || CASE WHEN a.xact_start IS NOT NULL THEN format(', for %s s', round(extract(epoch FROM clock_timestamp() - a.xact_start))) ELSE '' END
      || CASE WHEN a.query IS NOT NULL AND a.query NOT IN ('', '<insufficient privilege>') THEN format(': %s', left(regexp_replace(regexp_replace(a.query, '''[^'']*''|[0-9]+', '…', 'g'), '[[:space:]]+', ' ', 'g'), 60)) ELSE '' END
    FROM pg_stat_activity a WHERE a.pid = p_pid), CASE WHEN p_pid IS NULL THEN 'a prepared transaction' ELSE format('pid %s', p_pid) END)
$$;
COMMENT ON FUNCTION crossfade.session_shown IS 'A session for people: pid, role, application, age of its transaction and the beginning of its query without literals.';

-- Exactly as the catalog spells it, the schema ending at the first dot; else as SQL would read it.
CREATE FUNCTION crossfade.table_named(p_name text) RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v oid := (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = split_part(p_name, '.', 1) AND c.relname = substr(p_name, length(split_part(p_name, '.', 1)) + 2));
BEGIN
  RETURN coalesce(v, to_regclass(p_name)::oid);
EXCEPTION WHEN invalid_name OR syntax_error OR invalid_parameter_value OR feature_not_supported OR insufficient_privilege THEN
  RETURN v;
END $$;
COMMENT ON FUNCTION crossfade.table_named IS 'A relation by schema.name as the catalog spells it, or as SQL would read it; null when there is none.';

CREATE OR REPLACE FUNCTION crossfade.check_shape(p_primary oid, p_shadow oid) RETURNS SETOF crossfade.finding
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
WITH pair AS (SELECT p.*, s.relkind AS s_kind, s.relpersistence AS s_persistence, s.relrowsecurity AS s_security
  FROM pg_class p, pg_class s WHERE p.oid = p_primary AND s.oid = p_shadow),
columns AS (
  SELECT a.attrelid = p_primary AS old, a.attname AS name, a.attnotnull AS required, a.atthasdef OR a.attidentity <> '' AS filled,
    a.attgenerated <> '' AS generated, a.atttypid AS type, a.attcollation AS collation, format_type(a.atttypid, a.atttypmod) AS shown
  FROM pg_attribute a WHERE a.attrelid IN (p_primary, p_shadow) AND a.attnum > 0 AND NOT a.attisdropped),
keys AS (
  SELECT i.indrelid, bool_or(i.indisprimary) AS is_primary FROM pg_index i
  WHERE i.indrelid IN (p_primary, p_shadow) AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place) JOIN pg_attribute a ON a.attrelid = i.indrelid
      AND a.attnum = k.attnum WHERE k.place <= i.indnkeyatts AND NOT a.attnotnull)
  GROUP BY i.indrelid),
key_types AS (
  SELECT DISTINCT a.attname AS name, a.atttypid AS type FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])
  WHERE i.indrelid = p_primary AND i.indisprimary),
indexes AS (
  SELECT i.indrelid = p_primary AS old, c.relname AS name, i.indisvalid AS valid,
    (SELECT string_agg(a.attname, ', ' ORDER BY k.place) FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum) AS over
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid IN (p_primary, p_shadow))
SELECT crossfade.finding('ordinary tables', relkind <> 'r' OR s_kind <> 'r', 'fail', format('%s and %s', relkind, s_kind), 'r and r',
  'Only ordinary tables cross over: views, foreign and partitioned tables do not.') FROM pair
UNION ALL SELECT crossfade.finding('partitioning and inheritance', EXISTS (SELECT FROM pg_inherits h WHERE p_primary IN (h.inhrelid, h.inhparent) OR p_shadow IN (h.inhrelid, h.inhparent)),
  'fail', (SELECT count(*)::text FROM pg_inherits h WHERE p_primary IN (h.inhrelid, h.inhparent) OR p_shadow IN (h.inhrelid, h.inhparent)) || ' relations', '0 relations',
  'Detach partitions, or end inheritance with ALTER TABLE … NO INHERIT, and move each table on its own.')
UNION ALL SELECT crossfade.finding('permanent tables', relpersistence <> 'p' OR s_persistence <> 'p', 'fail', format('%s and %s', relpersistence, s_persistence), 'p and p',
  'Rows of an unlogged or temporary table are lost in a crash: ALTER TABLE … SET LOGGED.') FROM pair
UNION ALL SELECT crossfade.finding('key of the primary', NOT coalesce(k.is_primary, false), CASE WHEN k.indrelid IS NULL THEN 'fail' ELSE 'warn' END,
  CASE WHEN k.is_primary THEN 'primary key' WHEN k.indrelid IS NULL THEN 'none' ELSE 'unique index' END, 'primary key',
  'Give it a primary key; a unique index over NOT NULL columns without a condition does, too.') FROM pair LEFT JOIN keys k ON k.indrelid = p_primary
UNION ALL SELECT crossfade.finding('key of the shadow', k.indrelid IS NULL, 'fail', CASE WHEN k.indrelid IS NULL THEN 'none' ELSE 'there' END, 'there',
  'The shadow needs the key that the primary''s key becomes: ALTER TABLE … ADD PRIMARY KEY (…).') FROM pair LEFT JOIN keys k ON k.indrelid = p_shadow
UNION ALL SELECT crossfade.finding('types of the key', count(*) FILTER (WHERE NOT sortable) > 0, 'fail', coalesce(string_agg(name, ', ') FILTER (WHERE NOT sortable), 'all sortable'), 'all sortable',
  'A key column needs a type with an order (a btree operator class). Key the table by another column.')
  FROM (SELECT t.name, EXISTS (SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod AND m.amname = 'btree' WHERE o.opcdefault
    AND (o.opcintype = t.type OR EXISTS (SELECT FROM pg_type y WHERE y.oid = t.type AND (o.opcintype = y.typbasetype OR y.typtype IN ('e', 'd', 'r', 'c') OR y.typcategory IN ('S', 'A'))))) AS sortable FROM key_types t) k
UNION ALL SELECT crossfade.finding('types without equality', count(*) > 0, 'warn', coalesce(string_agg(format('%s %s', c.name, c.shown), ', ' ORDER BY c.name), 'none'), 'none',
  'They are compared byte by byte, which is exact; only your own queries cannot use = or DISTINCT on them. jsonb in place of json helps.')
  FROM columns c JOIN pg_type t ON t.oid = c.type WHERE NOT c.old AND t.typname IN ('json', 'xml', 'point', 'line', 'lseg', 'box', 'path', 'polygon', 'circle')
UNION ALL SELECT crossfade.finding('columns', count(*) FILTER (WHERE n.required AND NOT n.filled AND NOT n.generated) > 0, 'warn',
  format('%s new, without a source or default: %s', count(*), coalesce(string_agg(n.name, ', ' ORDER BY n.name) FILTER (WHERE n.required AND NOT n.filled AND NOT n.generated), 'none')), 'none without',
  'Say where they come from (columns: { name: { from | sql } }), or give them a default. crossfade plan checks it.')
  FROM columns n WHERE NOT n.old AND NOT EXISTS (SELECT FROM columns o WHERE o.old AND o.name = n.name)
UNION ALL SELECT crossfade.finding('columns that are dropped', count(*) > 0, 'warn', coalesce(string_agg(o.name, ', ' ORDER BY o.name), 'none'), 'none or renamed',
  'Renamed? Then declare { from }. Dropped on purpose? Rows born after promotion get its default when they go back.')
  FROM columns o WHERE o.old AND NOT EXISTS (SELECT FROM columns n WHERE NOT n.old AND n.name = o.name)
UNION ALL SELECT crossfade.finding('stricter columns', count(*) > 0, 'warn', coalesce(string_agg(n.name, ', ' ORDER BY n.name), 'none'), 'none',
  'NULL is allowed today and not in the new shape: such rows go into quarantine. Count them first, or use { sql: "coalesce(…)" }.')
  FROM columns n JOIN columns o ON o.old AND o.name = n.name WHERE NOT n.old AND n.required AND NOT o.required
UNION ALL SELECT crossfade.finding('constraints', count(*) > 0, 'warn', coalesce(string_agg(c.conname, ', ' ORDER BY c.conname), 'none new'), 'none new',
  'Rows that break them go into quarantine and hold the cutover. Count them first: SELECT count(*) FROM primary WHERE NOT (condition).')
  FROM pg_constraint c WHERE c.conrelid = p_shadow AND c.contype IN ('c', 'u', 'x') AND NOT EXISTS (SELECT FROM pg_constraint o
    WHERE o.conrelid = p_primary AND o.contype = c.contype AND pg_get_constraintdef(o.oid) = pg_get_constraintdef(c.oid))
UNION ALL SELECT crossfade.finding('constraints that are not valid', count(*) > 0, 'warn', coalesce(string_agg(c.conname, ', ' ORDER BY c.conname), 'none'), 'none',
  'ALTER TABLE … VALIDATE CONSTRAINT …: old rows may break it, and the planner does not trust it.')
  FROM pg_constraint c WHERE c.conrelid IN (p_primary, p_shadow) AND NOT c.convalidated
UNION ALL SELECT crossfade.finding('indexes', count(*) > 0, 'warn', coalesce(string_agg(format('%s (%s)', o.name, o.over), ', ' ORDER BY o.name), 'all have a counterpart'), 'all have a counterpart',
  'Queries that use them would be slower on the new table: create an index that begins with the same columns.')
  FROM indexes o WHERE o.old AND o.over IS NOT NULL
  -- Indexes that Crossfade has set aside until the copy is done are missing on purpose.
  AND NOT EXISTS (SELECT FROM crossfade.index_aside a WHERE a.shadow = p_shadow) AND NOT EXISTS (SELECT FROM indexes n WHERE NOT n.old AND n.over LIKE o.over || '%')
UNION ALL SELECT crossfade.finding('invalid indexes', count(*) > 0, 'warn', coalesce(string_agg(name, ', ' ORDER BY name), 'none'), 'none', 'A CREATE INDEX CONCURRENTLY failed: drop it, or REINDEX INDEX CONCURRENTLY.')
  FROM indexes WHERE NOT valid
UNION ALL SELECT crossfade.finding('room for keys', count(*) > 0, 'warn', coalesce(string_agg(format('%s %s %%', q.name, q.used), ', '), 'enough'), '80 % of the type',
  'The numbers end soon: let the new column be bigint, and its sequence AS bigint.')
  FROM (SELECT s.relname AS name, round(100.0 * CASE WHEN has_sequence_privilege(s.oid, 'USAGE') OR has_sequence_privilege(s.oid, 'SELECT') THEN pg_sequence_last_value(s.oid) END / least(x.seqmax, CASE a.atttypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647 ELSE x.seqmax END), 1) AS used
    FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_sequence x ON x.seqrelid = s.oid
      JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p_primary AND d.deptype IN ('a', 'i') AND x.seqincrement > 0) q
  WHERE q.used > 80
UNION ALL SELECT crossfade.finding('sequences that end before their column', count(*) > 0, 'warn', coalesce(string_agg(format('%s ends at %s', q.name, q.seqmax), ', ' ORDER BY q.name), 'none'), 'none',
  'nextval would fail there, although the column holds more: ALTER SEQUENCE … AS bigint MAXVALUE 9223372036854775807. crossfade plan says whether promotion does it.')
  FROM (SELECT DISTINCT s.oid::regclass::text AS name, x.seqmax FROM pg_attrdef f JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
      JOIN pg_depend d ON (d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass)
      JOIN pg_class s ON s.oid = d.refobjid AND s.relkind = 'S' JOIN pg_sequence x ON x.seqrelid = s.oid
    WHERE f.adrelid = p_shadow AND a.atttypid = 'int8'::regtype AND x.seqtypid <> 'int8'::regtype AND x.seqincrement > 0) q
UNION ALL SELECT crossfade.finding('collation versions', count(*) > 0, 'warn', coalesce(string_agg(l.collname, ', '), 'as they were made'), 'as they were made',
  'The library that sorts text changed after the indexes were made: REINDEX, then ALTER COLLATION … REFRESH VERSION.')
  FROM pg_collation l WHERE l.oid IN (SELECT c.collation FROM columns c) AND l.collversion IS DISTINCT FROM pg_collation_actual_version(l.oid)
UNION ALL SELECT crossfade.finding('types of extensions', false, 'warn', coalesce(string_agg(DISTINCT format('%s in schema %s', e.extname, e.extnamespace::regnamespace), ', '), 'none'), 'installed', 'The extension must be there wherever a backup is restored, in the same version.')
  FROM columns c JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = c.type AND d.deptype = 'e' JOIN pg_extension e ON e.oid = d.refobjid
UNION ALL SELECT crossfade.finding('empty shadow', NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.shadow_oid = p_shadow AND c.direction <> 'none')
  AND ((SELECT s.reltuples FROM pg_class s WHERE s.oid = p_shadow) > 0 OR pg_relation_size(p_shadow) > 0), 'warn', pg_relation_size(p_shadow) || ' bytes', '0 bytes',
  'Rows that are in the shadow are compared and corrected, which is slower than copying. TRUNCATE it if they are leftovers.')
$$;

CREATE OR REPLACE FUNCTION crossfade.check_dependents(p_primary oid, p_shadow oid) RETURNS SETOF crossfade.finding
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
WITH fk AS (SELECT c.*, r.relname FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid WHERE c.contype = 'f' AND (c.conrelid IN (p_primary, p_shadow) OR c.confrelid = p_primary))
SELECT crossfade.finding('triggers of the primary', count(*) > 0, 'warn', coalesce(string_agg(t.tgname, ', ' ORDER BY t.tgname), 'none'), 'none', 'crossfade plan says what becomes of each at promotion.')
  FROM pg_trigger t WHERE t.tgrelid = p_primary AND NOT t.tgisinternal AND NOT EXISTS (SELECT FROM pg_proc f WHERE f.oid = t.tgfoid AND f.pronamespace = 'crossfade'::regnamespace)
UNION ALL SELECT crossfade.finding('triggers of the shadow', count(*) > 0, 'fail', coalesce(string_agg(t.tgname, ', ' ORDER BY t.tgname), 'none'), 'none',
  'They would fire for every row that is mirrored and could change it: ALTER TABLE … DISABLE TRIGGER …, and enable it after promotion. Triggers of the primary move by themselves.')
  FROM pg_trigger t WHERE t.tgrelid = p_shadow AND NOT t.tgisinternal AND t.tgenabled NOT IN ('D', 'R') AND NOT EXISTS (SELECT FROM pg_proc f WHERE f.oid = t.tgfoid AND f.pronamespace = 'crossfade'::regnamespace)
UNION ALL SELECT crossfade.finding('rules', count(*) > 0, 'fail', coalesce(string_agg(r.rulename, ', '), 'none'), 'none', 'Rules rewrite the statements that capture and mirror rows. Drop them, or use a trigger.')
  FROM pg_rewrite r WHERE r.ev_class IN (p_primary, p_shadow)
UNION ALL SELECT crossfade.finding('foreign keys that come in', count(*) FILTER (WHERE r.reltuples > 10000000) > 0, 'warn', format('%s, the largest table has about %s rows', count(*), greatest(0, coalesce(max(r.reltuples), 0))::bigint), '10000000 rows each',
  'Each is made again at promotion and validated after it, which reads the table once. Choose a quiet hour.')
  FROM fk JOIN pg_class r ON r.oid = fk.conrelid WHERE fk.confrelid = p_primary AND fk.conrelid <> p_shadow
UNION ALL SELECT crossfade.finding('foreign keys that go out', count(*) > 0, 'warn', coalesce(string_agg(o.conname, ', '), 'all have a counterpart'), 'all have a counterpart', 'The new shape drops them. Create them on the shadow if that is not meant.')
  FROM fk o WHERE o.conrelid = p_primary AND NOT EXISTS (SELECT FROM fk n WHERE n.conrelid = p_shadow AND n.confrelid = o.confrelid)
    -- Nor those that Crossfade took off the shadow while it follows.
    AND NOT EXISTS (SELECT FROM crossfade.key_aside a WHERE a.shadow = p_shadow AND (a.key -> 'references' ->> 'oid')::oid = o.confrelid)
UNION ALL SELECT crossfade.finding('deletes that the shadow would forbid', count(*) > 0, CASE WHEN count(*) FILTER (WHERE n.conname::text NOT IN (SELECT crossfade.keys_to_set_aside(p_primary, p_shadow))) > 0 THEN 'fail' ELSE 'warn' END,
  coalesce(string_agg(n.conname, ', '), 'none'), 'none',
  'The primary lets referenced rows go, the shadow does not. Crossfade takes such a foreign key off while the shadow follows, where it owns the referenced table; from promotion on it forbids the application''s DELETE. Give it the same ON DELETE if that is not meant.')
  FROM fk n WHERE n.conrelid = p_shadow AND n.confdeltype IN ('a', 'r') AND NOT EXISTS (SELECT FROM fk o
    WHERE o.conrelid = p_primary AND o.confrelid = n.confrelid AND o.confdeltype IN ('a', 'r'))
UNION ALL SELECT crossfade.finding('foreign keys without an index', count(*) > 0, 'warn', coalesce(string_agg(n.conname, ', '), 'none'), 'none', 'A delete of a referenced row reads the whole shadow: create an index on the columns.')
  FROM fk n WHERE n.conrelid = p_shadow AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = p_shadow AND i.indpred IS NULL AND i.indkey[0] = n.conkey[1])
UNION ALL SELECT crossfade.finding('row-level security', c.relrowsecurity OR s.relrowsecurity, 'warn', format('primary %s, shadow %s', c.relrowsecurity, s.relrowsecurity), 'off on both', 'crossfade plan says whether its policies can be carried over.')
  FROM pg_class c, pg_class s WHERE c.oid = p_primary AND s.oid = p_shadow
UNION ALL SELECT crossfade.finding('row-level security for the owner', bool_or(c.relforcerowsecurity) AND NOT (SELECT r.rolsuper OR r.rolbypassrls FROM pg_roles r WHERE r.rolname = current_user), 'fail',
  coalesce(string_agg(c.oid::regclass::text, ', ') FILTER (WHERE c.relforcerowsecurity), 'not forced'), 'not forced, or a role with BYPASSRLS',
  'Rows would be hidden from Crossfade and taken for deleted: ALTER TABLE … NO FORCE ROW LEVEL SECURITY, or ALTER ROLE … BYPASSRLS.')
  FROM pg_class c WHERE c.oid IN (p_primary, p_shadow)
UNION ALL SELECT crossfade.finding('replica identity', c.relreplident <> 'd', 'warn', c.relreplident::text, 'd', 'Subscribers may depend on it; crossfade plan says what becomes of it.') FROM pg_class c WHERE c.oid = p_primary
UNION ALL SELECT crossfade.finding('publications', count(*) > 0, 'warn', coalesce(string_agg(p.pubname, ', '), 'none'), 'none', 'Subscribers go on getting the old table unless the publication is changed: crossfade plan says what becomes of each.')
  FROM pg_publication p WHERE p.puballtables OR EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid IN (p_primary, p_shadow))
UNION ALL SELECT crossfade.finding('subscriptions', count(*) > 0, 'warn', count(*) || ' feed one of the tables', '0', 'Rows that a subscription applies are captured, too; but after promotion it does not know the new table and skips its rows: ALTER SUBSCRIPTION … REFRESH PUBLICATION then, or move the table on the publisher.')
  FROM pg_subscription_rel r WHERE r.srrelid IN (p_primary, p_shadow)
UNION ALL SELECT crossfade.finding('tables of extensions', count(*) > 0, 'fail', count(*)::text, '0', 'An extension counts the table as its own: ALTER EXTENSION … DROP TABLE first.')
  FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid IN (p_primary, p_shadow) AND d.deptype = 'e'
UNION ALL SELECT crossfade.finding('views', count(DISTINCT w.ev_class) > 0, 'warn', count(DISTINCT w.ev_class) || ' read one of the tables', '0', 'A view knows the table, not its name. crossfade plan says which can be carried over.')
  FROM pg_depend d JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid IN (p_primary, p_shadow) AND w.ev_class NOT IN (p_primary, p_shadow)
$$;

CREATE OR REPLACE FUNCTION crossfade.check_size(p_primary oid, p_shadow oid) RETURNS SETOF crossfade.finding
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
WITH t AS (SELECT c.reltuples, pg_total_relation_size(c.oid) AS bytes, age(c.relfrozenxid) AS frozen, s.n_live_tup, s.n_dead_tup, s.last_vacuum, s.last_autovacuum,
    s.last_analyze, s.last_autoanalyze, coalesce(array_to_string(c.reloptions, ' ') LIKE '%autovacuum_enabled=false%', false) AS off
  FROM pg_class c LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid WHERE c.oid = p_primary)
SELECT crossfade.finding('size of the table', bytes > 100::bigint << 30, 'warn', pg_size_pretty(bytes), '100 GB', 'Verification reads both tables whole. Leave the stages time for it.') FROM t
UNION ALL SELECT crossfade.finding('time of the copy', greatest(reltuples, n_live_tup) / 100000 > 6 * 3600, 'warn', format('about %s s', ceil(greatest(reltuples, n_live_tup, 0) / 100000)), '21600 s at 100000 rows/s',
  'Create secondary indexes after the copy, or begin before a quiet night; it can be stopped and goes on.') FROM t
UNION ALL SELECT crossfade.finding('room on disk', bytes > 10::bigint << 30, 'warn', format('about %s will be needed: the shadow and its WAL', pg_size_pretty(2 * bytes)), 'free space, which SQL cannot see', 'Compare with the free space of the volume; keep a fifth of it free.') FROM t
UNION ALL SELECT crossfade.finding('dead rows', n_dead_tup > 10000 AND n_dead_tup > 0.2 * (n_live_tup + n_dead_tup), 'warn', format('%s of %s rows', n_dead_tup, n_live_tup + n_dead_tup), '20 %', 'VACUUM it first: the copy reads dead rows, too.') FROM t
UNION ALL SELECT crossfade.finding('statistics', coalesce(last_analyze, last_autoanalyze) IS NULL AND reltuples < 0, 'warn', coalesce(to_char(greatest(last_analyze, last_autoanalyze), 'YYYY-MM-DD HH24:MI'), CASE WHEN reltuples < 0 THEN 'never' ELSE 'there' END), 'analysed once', 'ANALYZE it: without statistics nobody knows how many rows there are.') FROM t
UNION ALL SELECT crossfade.finding('autovacuum', off OR current_setting('autovacuum') <> 'on' OR current_setting('track_counts') <> 'on', 'warn', CASE WHEN off THEN 'off for the table' ELSE current_setting('autovacuum') END, 'on', 'The outbox is written and deleted all the time and needs it. Switch it on.') FROM t
UNION ALL SELECT crossfade.finding('age of transaction ids', frozen > 1500000000, 'warn', frozen::text, '1500000000', 'VACUUM (FREEZE) first: a vacuum against wraparound in the middle of the copy slows everything.') FROM t
UNION ALL SELECT crossfade.finding('locks on the tables', count(*) > 0, 'warn', coalesce(string_agg(format('pid %s waits for %s', l.pid, l.mode), ', '), 'none waits'), 'none waits', 'Somebody waits for a lock on one of the tables; capture would queue behind: SELECT pid, pg_blocking_pids(pid) FROM pg_locks WHERE NOT granted.')
  FROM pg_locks l WHERE l.relation IN (p_primary, p_shadow) AND NOT l.granted AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) AND NOT crossfade.is_ours(l.pid)
UNION ALL SELECT crossfade.finding('locks held on the tables', count(*) > 0, 'warn', coalesce(string_agg(format('%s on %s by %s', l.mode, l.relation::regclass, crossfade.session_shown(l.pid)), ', '), 'none'), 'none',
  'A VACUUM, an ANALYZE, an index that is being built or DDL is at work: the start waits for it. Let it end, or SELECT pg_cancel_backend(pid).')
  FROM pg_locks l WHERE l.relation IN (p_primary, p_shadow) AND l.granted AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) AND l.pid IS DISTINCT FROM pg_backend_pid() AND NOT crossfade.is_ours(l.pid)
$$;

CREATE OR REPLACE FUNCTION crossfade.check_server() RETURNS SETOF crossfade.finding
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_replica boolean := pg_is_in_recovery();
  v_wal pg_lsn := CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END;
  -- Without it the transactions of other roles are hidden, and a check that sees nothing must not say that nothing is there.
  v_sees boolean := pg_has_role('pg_read_all_stats', 'USAGE');
  v_collation boolean := false;
  v_oldest numeric;
  v_pid integer;
  -- Of the whole server, and visible to everybody, unlike the rows of pg_stat_activity.
  v_connections bigint := (SELECT sum(d.numbackends) FROM pg_stat_database d);
  v_locks bigint := current_setting('max_locks_per_transaction')::bigint * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint);
BEGIN
  SELECT extract(epoch FROM clock_timestamp() - a.xact_start), a.pid INTO v_oldest, v_pid FROM pg_stat_activity a
  WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.backend_type = 'client backend' AND a.xact_start IS NOT NULL AND NOT crossfade.is_ours(a.pid)
  ORDER BY a.xact_start LIMIT 1;
  IF current_setting('server_version_num')::integer >= 150000 THEN
    EXECUTE 'SELECT datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid) FROM pg_database WHERE datname = current_database()' INTO v_collation;
  END IF;
  RETURN QUERY
  SELECT f.* FROM (
    SELECT crossfade.finding('version of the server', current_setting('server_version_num')::integer < 140000, 'fail', current_setting('server_version'), '14', 'Upgrade the server first.') AS x
    UNION ALL SELECT crossfade.finding('writable server', v_replica OR current_setting('default_transaction_read_only') = 'on', 'fail', CASE WHEN v_replica THEN 'replica' ELSE 'read only ' || current_setting('default_transaction_read_only') END, 'writable', CASE WHEN v_replica THEN 'Name the primary server: pg_is_in_recovery() is false there.' ELSE 'ALTER ROLE … RESET default_transaction_read_only, and ALTER DATABASE … RESET default_transaction_read_only.' END)
    UNION ALL SELECT crossfade.finding('collation of the database', v_collation, 'warn', CASE WHEN v_collation THEN 'changed' ELSE 'as it was made' END, 'as it was made', 'The library that sorts text changed: REINDEX DATABASE, then ALTER DATABASE … REFRESH COLLATION VERSION.')
    UNION ALL SELECT crossfade.finding('level of the WAL', current_setting('wal_level') = 'minimal', 'warn', current_setting('wal_level'), 'replica', 'Without replica there is no point-in-time recovery, the only way back after cleanup.')
    UNION ALL SELECT crossfade.finding('size of the WAL', pg_size_bytes(current_setting('max_wal_size')) < 512::bigint << 20, 'warn', current_setting('max_wal_size'), '512MB', 'The copy would force checkpoints all the time: raise max_wal_size.')
    UNION ALL SELECT crossfade.finding('replication slots', count(*) FILTER (WHERE NOT s.active OR s.wal_status IN ('unreserved', 'lost') OR s.held > 1::bigint << 30) > 0, 'warn',
      coalesce(string_agg(format('%s holds %s', s.slot_name, pg_size_pretty(s.held)), ', ') FILTER (WHERE NOT s.active OR s.wal_status IN ('unreserved', 'lost') OR s.held > 1::bigint << 30), 'none lags'), 'active, 1 GB',
      'Each keeps WAL until the disk is full; the copy writes much of it. Let it catch up, or drop it.')
      FROM (SELECT r.slot_name, r.active, r.wal_status, coalesce(pg_wal_lsn_diff(v_wal, r.restart_lsn), 0)::bigint AS held FROM pg_replication_slots r) s
    UNION ALL SELECT crossfade.finding('replicas', coalesce(max(extract(epoch FROM r.replay_lag)), 0) > 10, 'warn', format('%s, the slowest %s s behind', count(*), round(coalesce(max(extract(epoch FROM r.replay_lag)), 0), 1)), '10 s', 'They will fall further behind while rows are copied. Find out why first.')
      FROM pg_stat_replication r
    UNION ALL SELECT crossfade.finding('old transactions', CASE WHEN v_oldest > 60 THEN true WHEN v_sees THEN false END, CASE WHEN v_oldest > 600 THEN 'fail' ELSE 'warn' END,
      CASE WHEN v_sees OR v_oldest IS NOT NULL THEN round(coalesce(v_oldest, 0)) || ' s' || CASE WHEN v_oldest > 60 THEN ', ' || crossfade.session_shown(v_pid) ELSE '' END ELSE 'hidden from this role' END, '60 s',
      CASE WHEN v_sees THEN format('Start and the swap wait for it: let it end, or SELECT pg_terminate_backend(%s).', v_pid) ELSE format('GRANT pg_read_all_stats TO %I, and look again.', current_user) END)
    UNION ALL SELECT crossfade.finding('prepared transactions', count(*) > 0, 'fail', coalesce(string_agg(format('%L', p.gid), ', '), 'none'), 'none', 'They hold locks and old snapshots: COMMIT PREPARED or ROLLBACK PREPARED with each name.')
      FROM pg_prepared_xacts p WHERE p.database = current_database()
    UNION ALL SELECT crossfade.finding('connections', v_connections > 0.8 * current_setting('max_connections')::integer, CASE WHEN v_connections > 0.95 * current_setting('max_connections')::integer THEN 'fail' ELSE 'warn' END,
      format('%s of %s', v_connections, current_setting('max_connections')), '80 %', 'Leave about 20 for the functions: ALTER SYSTEM SET max_connections = … and restart, or close some.')
    UNION ALL SELECT crossfade.finding('locks per transaction', current_setting('max_locks_per_transaction')::integer < 64, 'warn', current_setting('max_locks_per_transaction'), '64', 'Keys are locked while they are converged: ALTER SYSTEM SET max_locks_per_transaction = 64, and restart.')
    UNION ALL SELECT crossfade.finding('free locks', v_locks - count(*) < 2000, 'warn', format('about %s of %s', v_locks - count(*), v_locks), '2000', 'Other sessions hold many locks (SELECT pid, count(*) FROM pg_locks GROUP BY pid ORDER BY 2 DESC): ALTER SYSTEM SET max_locks_per_transaction = 256, and restart.')
      FROM pg_locks l WHERE NOT l.fastpath
    UNION ALL SELECT crossfade.finding('snapshots of replication', count(*) > 0, 'warn', coalesce(string_agg(format('%s holds rows back by %s transactions', s.slot_name, age(s.xmin)), ', '), 'none is old'), '100000 transactions',
      'Dead rows of the outbox stay until it moves on: let the replica catch up, or SELECT pg_drop_replication_slot(name).')
      FROM pg_replication_slots s WHERE s.xmin IS NOT NULL AND age(s.xmin) > 100000
    UNION ALL SELECT crossfade.finding('settings of role and database', false, 'warn', coalesce(string_agg(DISTINCT x, ', '), 'none that matters'), 'Crossfade states its own in every session', '')
      FROM pg_db_role_setting g, unnest(g.setconfig) x WHERE g.setrole IN (0, (SELECT r.oid FROM pg_roles r WHERE r.rolname = session_user)) AND g.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
        AND x ~ '^(default_transaction_|statement_timeout|lock_timeout|idle_in_transaction_session_timeout|transaction_timeout|jit|search_path|row_security|session_replication_role|plan_cache_mode|enable_|synchronous_commit)'
    UNION ALL SELECT crossfade.finding('event triggers', count(*) > 0, 'warn', coalesce(string_agg(format('%s at %s', e.evtname, e.evtevent), ', ' ORDER BY e.evtname), 'none'), 'none',
      'They run for what Crossfade creates, renames and drops, and may refuse it. If one does: ALTER EVENT TRIGGER … DISABLE while a cutover starts, completes or is cleaned up.')
      FROM pg_event_trigger e WHERE e.evtenabled <> 'D' AND e.evtevent <> 'login' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_event_trigger'::regclass AND d.objid = e.oid AND d.deptype = 'e')
  ) q, LATERAL (SELECT (q.x).*) f;
END $$;

-- What another Crossfade, a copy of a database or a program for replication has left or set up here.
CREATE FUNCTION crossfade.check_foreign(p_cutover text, p_primary oid, p_shadow oid) RETURNS SETOF crossfade.finding
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
    FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid AND f.pronamespace = 'crossfade'::regnamespace
    WHERE NOT t.tgisinternal AND t.tgrelid IN (p_primary, p_shadow)
      AND NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.direction <> 'none' AND t.tgrelid IN (c.primary_oid, c.shadow_oid));
  RETURN QUERY SELECT (crossfade.finding('remains on other tables', count(*) > 0, 'warn', coalesce(string_agg(format('%s on %s', t.tgname, t.tgrelid::regclass), ', '), 'none'), 'none',
    coalesce(string_agg(format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass), '; '), '') || '. It writes into an outbox that nobody empties.')).*
    FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid AND f.pronamespace = 'crossfade'::regnamespace
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
COMMENT ON FUNCTION crossfade.check_foreign IS 'Checks of publications, of other cutovers, and of what another Crossfade or a copy of a database left. One row each, see crossfade.finding.';

CREATE OR REPLACE FUNCTION crossfade.pre_migration_health_check(p_cutover text, p_primary text DEFAULT NULL, p_shadow text DEFAULT NULL) RETURNS SETOF crossfade.finding
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v crossfade.cutover%ROWTYPE;
  v_primary oid;
  v_shadow oid;
  v_group text;
  v_groups text[];
BEGIN
  SELECT * INTO v FROM crossfade.cutover c WHERE c.id = p_cutover;
  IF p_primary IS NULL OR p_shadow IS NULL THEN v := crossfade.known_cutover(p_cutover); END IF;
  -- While rows follow, the tables are known by number: promotion changes their names.
  IF p_primary IS NULL OR p_shadow IS NULL OR v.direction <> 'none' THEN
    v_primary := (SELECT c.oid FROM pg_class c WHERE c.oid = v.primary_oid);
    v_shadow := (SELECT c.oid FROM pg_class c WHERE c.oid = v.shadow_oid);
  ELSE
    v_primary := crossfade.table_named(p_primary);
    v_shadow := crossfade.table_named(p_shadow);
  END IF;
  RETURN QUERY SELECT (crossfade.finding('primary exists', v_primary IS NULL, 'fail', CASE WHEN v_primary IS NULL THEN format('%s is missing', coalesce(p_primary, v.primary_name)) ELSE v_primary::regclass::text END, 'there', 'Is the name in the declaration right, with its schema?')).*;
  RETURN QUERY SELECT (crossfade.finding('shadow exists', v_shadow IS NULL, 'fail', CASE WHEN v_shadow IS NULL THEN format('%s is missing', coalesce(p_shadow, v.shadow_name)) ELSE v_shadow::regclass::text END, 'there', 'Create it in your own migrations; Crossfade fills it and never creates it.')).*;
  -- After promotion the tables are not those of a beginning: the plan says what stands in the way back.
  v_groups := CASE WHEN v_primary IS NULL OR v_shadow IS NULL THEN '{}' WHEN v.direction = 'reverse' THEN ARRAY['size', 'roles', 'foreign']
    ELSE ARRAY['shape', 'dependents', 'size', 'roles', 'foreign'] END || '{server}'::text[];
  FOREACH v_group IN ARRAY v_groups LOOP
    BEGIN
      CASE v_group
        WHEN 'shape' THEN RETURN QUERY SELECT * FROM crossfade.check_shape(v_primary, v_shadow);
        WHEN 'dependents' THEN RETURN QUERY SELECT * FROM crossfade.check_dependents(v_primary, v_shadow);
        WHEN 'size' THEN RETURN QUERY SELECT * FROM crossfade.check_size(CASE WHEN v.direction = 'reverse' THEN v_shadow ELSE v_primary END, CASE WHEN v.direction = 'reverse' THEN v_primary ELSE v_shadow END);
        WHEN 'roles' THEN RETURN QUERY SELECT * FROM crossfade.check_roles(v_primary, v_shadow);
        WHEN 'foreign' THEN RETURN QUERY SELECT * FROM crossfade.check_foreign(p_cutover, v_primary, v_shadow);
        ELSE RETURN QUERY SELECT * FROM crossfade.check_server();
      END CASE;
    EXCEPTION WHEN insufficient_privilege THEN
      RETURN QUERY SELECT (crossfade.finding('checks of ' || v_group, NULL, 'warn', format('hidden from this role: %s', SQLERRM), 'visible',
        format('GRANT pg_monitor TO %I, and look again.', current_user))).*;
    END;
  END LOOP;
END $$;
COMMENT ON FUNCTION crossfade.pre_migration_health_check IS
  'About 60 checks, one row each: (check, status pass|warn|fail, value, limit, remedy). For a cutover that was started once its id is enough; before, name both tables: (''customer'', ''public.customer'', ''public.customer_v2''). fail: do not start. crossfade health adds what its plan and its start refuse of the declaration. Changes nothing. Error CF010: unknown cutover and no tables named.';

REVOKE ALL ON FUNCTION crossfade.is_ours, crossfade.session_shown, crossfade.table_named, crossfade.check_foreign FROM PUBLIC;
