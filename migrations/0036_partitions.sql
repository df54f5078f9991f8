-- Why: a partitioned table crosses over like any other. Rows of its partitions fire the triggers that it has for rows, which Postgres
-- clones to each of them, but a TRUNCATE of a partition does not fire the one of the table: each partition gets one of its own. What is
-- attached with rows, or detached, changes the table without a trigger: partitions are looked at on every tick and inside the swap,
-- and such a change is answered by a sweep. A partition that is made empty, as those of the next month are, needs none.
--
-- Lock: none on existing objects. follow_partitions takes SHARE ROW EXCLUSIVE on a partition that is new. Duration: milliseconds.
-- Undo: first end every cutover of partitioned tables; then DROP FUNCTION crossfade.follow_partitions, crossfade.drop_partition_triggers,
-- crossfade.partition_gap, crossfade.partition_stamps, crossfade.partitions_of, crossfade.never_filled; table_dependents as in 0030,
-- table_shapes and columns_stamps as in 0028, capture_gap as in 0027, watch_shape as in 0018, check_shape as in 0021, and way_back
-- and misfit as in 0007; table_facts as in 0020, keys_to_give_back and give_key_back as in 0005.

-- Partitions of a table are part of it; only its being a partition of another one is something that hangs on it.
CREATE OR REPLACE FUNCTION crossfade.table_dependents(p_table oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN RETURN (
  SELECT crossfade.attached(t.oid) || jsonb_build_object(
    'oid', t.oid::bigint, 'schema', n.nspname, 'name', t.relname, 'relkind', t.relkind, 'persistence', t.relpersistence,
    'owner', quote_ident(pg_get_userbyid(t.relowner)), 'ours', pg_has_role(t.relowner, 'USAGE'),
    -- A view and a table are only given to an owner who may create in the schema, unless a superuser does it.
    'mayCreate', has_schema_privilege(n.oid, 'CREATE') AND (has_schema_privilege(t.relowner, n.oid, 'CREATE')
      OR (SELECT u.rolsuper FROM pg_roles u WHERE u.rolname = current_user)),
    'rowSecurity', t.relrowsecurity, 'forced', t.relforcerowsecurity,
    'bypassed', (SELECT u.rolsuper OR u.rolbypassrls FROM pg_roles u WHERE u.rolname = current_user), 'replicaIdentity', t.relreplident,
    'options', coalesce(to_jsonb(t.reloptions), '[]'), 'comment', obj_description(t.oid, 'pg_class'),
    'grants', crossfade.grants(t.relacl, 'r', t.relowner),
    'columns', (
      SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'notNull', a.attnotnull,
        'default', pg_get_expr(d.adbin, d.adrelid), 'identity', a.attidentity, 'generated', a.attgenerated,
        'collation', a.attcollation::regcollation::text, 'comment', col_description(t.oid, a.attnum),
        'grants', crossfade.grants(a.attacl, 'c', t.relowner)) ORDER BY a.attnum), '[]')
      FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'indexes', (
      SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', i.relname, 'definition', pg_get_indexdef(x.indexrelid), 'unique', x.indisunique, 'valid', x.indisvalid,
        'immediate', x.indimmediate AND x.indpred IS NULL, 'identifies', x.indisreplident, 'clustered', x.indisclustered,
        'constraint', EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.oid AND c.contype IN ('p', 'u', 'x')),
        'columns', (SELECT coalesce(jsonb_agg(a.attname ORDER BY k.place), '[]') FROM unnest(x.indkey::int2[]) WITH ORDINALITY k(attnum, place)
          LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum AND k.attnum > 0
          WHERE k.place <= x.indnkeyatts)) ORDER BY i.relname), '[]')
      FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = t.oid),
    'constraints', (
      SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', c.conname, 'type', c.contype, 'definition', pg_get_constraintdef(c.oid),
        'columns', (SELECT coalesce(jsonb_agg(a.attname ORDER BY k.place), '[]') FROM unnest(c.conkey) WITH ORDINALITY k(attnum, place)
          JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum)) ORDER BY c.conname), '[]')
      FROM pg_constraint c WHERE c.conrelid = t.oid),
    'outgoing', (
      SELECT coalesce(jsonb_agg(crossfade.foreign_key(c.oid) ORDER BY c.conname), '[]')
      FROM pg_constraint c WHERE c.conrelid = t.oid AND c.contype = 'f'),
    'inbound', (
      SELECT coalesce(jsonb_agg(crossfade.foreign_key(c.oid) ORDER BY c.conrelid, c.conname), '[]')
      FROM pg_constraint c WHERE c.confrelid = t.oid AND c.contype = 'f'),
    'sequences', (
      SELECT coalesce(jsonb_agg(jsonb_build_object(
        'schema', sn.nspname, 'name', s.relname, 'column', a.attname, 'increment', q.seqincrement,
        'source', CASE WHEN u.identity THEN 'identity' ELSE 'default' END,
        'ownedBy', (SELECT jsonb_build_object('table', o.refobjid::bigint, 'column', oa.attname) FROM pg_depend o
          JOIN pg_attribute oa ON oa.attrelid = o.refobjid AND oa.attnum = o.refobjsubid
          WHERE o.classid = 'pg_class'::regclass AND o.objid = s.oid AND o.refclassid = 'pg_class'::regclass AND o.deptype IN ('a', 'i') LIMIT 1),
        'owner', quote_ident(pg_get_userbyid(s.relowner)),
        'grants', crossfade.grants(s.relacl, 's', s.relowner)) ORDER BY a.attnum, s.relname), '[]')
      FROM (
        SELECT d.objid AS sequence, d.refobjsubid AS attnum, true AS identity FROM pg_depend d
        WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'i' AND d.refobjsubid > 0
        UNION
        SELECT d.refobjid, e.adnum, false FROM pg_attrdef e JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = e.oid
        WHERE e.adrelid = t.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> t.oid
      ) u
      JOIN pg_class s ON s.oid = u.sequence AND s.relkind = 'S' JOIN pg_namespace sn ON sn.oid = s.relnamespace
      JOIN pg_sequence q ON q.seqrelid = s.oid
      JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = u.attnum),
    'partitionedBy', pg_get_partkeydef(t.oid),
    'partitionColumns', (
      SELECT coalesce(jsonb_agg(a.attname ORDER BY k.place), '[]') FROM pg_partitioned_table p CROSS JOIN unnest(p.partattrs::int2[]) WITH ORDINALITY k(attnum, place)
      JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum WHERE p.partrelid = t.oid AND k.attnum > 0),
    'partitions', (
      SELECT coalesce(jsonb_agg(jsonb_build_object('oid', x.oid::bigint, 'schema', m.nspname, 'name', x.relname, 'leaf', p.isleaf,
        'persistence', x.relpersistence, 'ours', pg_has_role(x.relowner, 'USAGE'), 'bound', pg_get_expr(x.relpartbound, x.oid),
        'triggers', (SELECT coalesce(jsonb_agg(g.tgname ORDER BY g.tgname), '[]') FROM pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid WHERE g.tgrelid = x.oid
          AND NOT g.tgisinternal AND g.tgparentid = 0 AND g.tgenabled IN ('O', 'A') AND f.pronamespace <> 'crossfade'::regnamespace)) ORDER BY p.level, x.oid), '[]')
      FROM pg_partition_tree(t.oid) p JOIN pg_class x ON x.oid = p.relid JOIN pg_namespace m ON m.oid = x.relnamespace WHERE p.level > 0 AND t.relkind = 'p'),
    -- What can only be described: {kind, object, detail}, in a stable order.
    'others', (
      SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_object('kind', o.kind, 'object', o.object, 'detail', o.detail)), '[]') FROM (
        SELECT CASE WHEN c.relispartition THEN 'partition' ELSE 'inheritance' END AS kind,
          x.oid::regclass::text AS object, '' AS detail
        FROM pg_inherits h JOIN pg_class x ON x.oid = CASE h.inhrelid WHEN t.oid THEN h.inhparent ELSE h.inhrelid END
        JOIN pg_class c ON c.oid = h.inhrelid WHERE t.oid = h.inhrelid OR (t.oid = h.inhparent AND NOT c.relispartition)
        UNION ALL
        SELECT 'extension', e.extname::text, '' FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = t.oid AND d.refclassid = 'pg_extension'::regclass
        UNION ALL
        SELECT 'security label', l.provider, l.label FROM pg_seclabel l WHERE l.classoid = 'pg_class'::regclass AND l.objoid = t.oid
        UNION ALL
        -- All that pg_depend knows beyond the above: functions, columns and domains of the row type, policies of other tables.
        SELECT CASE d.classid WHEN 'pg_proc'::regclass THEN 'function' WHEN 'pg_class'::regclass THEN 'column' ELSE substr(d.classid::regclass::text, 4) END,
          pg_describe_object(d.classid, d.objid, d.objsubid), ''
        FROM (VALUES ('pg_class'::regclass::oid, t.oid), ('pg_type'::regclass, t.reltype),
          ('pg_type'::regclass, (SELECT y.typarray FROM pg_type y WHERE y.oid = t.reltype))) r(class, oid)
        CROSS JOIN LATERAL (SELECT e.classid, e.objid, e.objsubid, e.refclassid FROM pg_depend e WHERE e.refclassid = r.class AND e.refobjid = r.oid OFFSET 0) d
        WHERE CASE d.classid
            WHEN 'pg_rewrite'::regclass THEN false
            WHEN 'pg_publication_rel'::regclass THEN false
            WHEN 'pg_class'::regclass THEN d.objid <> t.oid
              AND NOT (d.refclassid = 'pg_class'::regclass AND (
                EXISTS (SELECT FROM pg_class c WHERE c.oid = d.objid AND c.relkind IN ('i', 'I', 't', 'S'))
                OR EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = d.objid AND h.inhparent = t.oid)))
            WHEN 'pg_constraint'::regclass THEN NOT EXISTS (SELECT FROM pg_constraint c WHERE c.oid = d.objid AND t.oid IN (c.conrelid, c.confrelid))
            WHEN 'pg_attrdef'::regclass THEN NOT EXISTS (SELECT FROM pg_attrdef e WHERE e.oid = d.objid AND e.adrelid = t.oid)
            WHEN 'pg_trigger'::regclass THEN NOT EXISTS (SELECT FROM pg_trigger g WHERE g.oid = d.objid AND (g.tgrelid = t.oid OR g.tgisinternal))
            WHEN 'pg_policy'::regclass THEN d.refclassid <> 'pg_class'::regclass
            WHEN 'pg_proc'::regclass THEN d.refclassid <> 'pg_class'::regclass OR NOT EXISTS (SELECT FROM pg_proc f WHERE f.oid = d.objid AND f.prosqlbody IS NOT NULL)
            WHEN 'pg_statistic_ext'::regclass THEN NOT EXISTS (SELECT FROM pg_statistic_ext s WHERE s.oid = d.objid AND s.stxrelid = t.oid)
            WHEN 'pg_type'::regclass THEN NOT EXISTS (SELECT FROM pg_type y WHERE y.oid = d.objid AND (y.oid = t.reltype OR y.typelem = t.reltype))
            ELSE true END
      ) o))
  FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace WHERE t.oid = p_table
); END $$;

CREATE OR REPLACE FUNCTION crossfade.table_shapes(p_tables oid[]) RETURNS TABLE(relation oid, object text, definition text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET quote_all_identifiers = off SET DateStyle = 'ISO, MDY' SET TimeZone = UTC SET IntervalStyle = postgres SET bytea_output = hex SET extra_float_digits = 1 AS $$
BEGIN
  RETURN QUERY
  SELECT t.oid, x.object, x.definition FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace CROSS JOIN LATERAL (VALUES
    ('name', format('%I.%I', n.nspname, t.relname)),
    ('kind', CASE t.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view' ELSE t.relkind::text END
      || CASE t.relpersistence WHEN 'u' THEN ', unlogged' WHEN 't' THEN ', temporary' ELSE '' END),
    ('owner', pg_get_userbyid(t.relowner)::text),
    ('row security', CASE WHEN t.relrowsecurity AND t.relforcerowsecurity THEN 'forced' WHEN t.relrowsecurity THEN 'on'
      WHEN t.relforcerowsecurity THEN 'off, to be forced' ELSE 'off' END)) x(object, definition)
  WHERE t.oid = ANY (p_tables)
  UNION ALL
  SELECT a.attrelid, format('column %s', a.attnum), concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attcollation <> 0 AND a.attcollation <> 100 THEN 'COLLATE ' || a.attcollation::regcollation::text END,
    CASE WHEN a.attnotnull THEN 'NOT NULL' END,
    CASE a.attidentity WHEN 'a' THEN 'GENERATED ALWAYS AS IDENTITY' WHEN 'd' THEN 'GENERATED BY DEFAULT AS IDENTITY' END,
    CASE WHEN d.oid IS NOT NULL THEN format(CASE a.attgenerated WHEN '' THEN 'DEFAULT %s' WHEN 's' THEN 'GENERATED ALWAYS AS (%s) STORED' ELSE 'GENERATED ALWAYS AS (%s)' END,
      pg_get_expr(d.adbin, d.adrelid)) END)
  FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = ANY (p_tables) AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT k.conrelid, format('constraint %I', k.conname), CASE k.contype
    WHEN 'f' THEN format('FOREIGN KEY (%s) %s%s%s%s%s', (SELECT string_agg(a.attnum::text, ', ' ORDER BY c.place) FROM unnest(k.conkey) WITH ORDINALITY c(attnum, place)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.attnum), k.confmatchtype, k.confupdtype, k.confdeltype,
      CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END, CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END)
    ELSE regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '') END
  FROM pg_constraint k WHERE k.conrelid = ANY (p_tables) AND k.contype IN ('c', 'f', 'p', 'u', 'x')
  UNION ALL
  SELECT x.indrelid, format('unique index %I', i.relname), regexp_replace(pg_get_indexdef(i.oid), '^.*? USING ', '')
  FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
  WHERE x.indrelid = ANY (p_tables) AND x.indisunique AND x.indisvalid AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.oid AND k.conrelid = x.indrelid)
  UNION ALL
  SELECT g.tgrelid, format('trigger %I', g.tgname), replace(pg_get_triggerdef(g.oid), ' ON ' || g.tgrelid::regclass::text || ' ', ' ')
    || CASE g.tgenabled WHEN 'O' THEN '' WHEN 'D' THEN ', disabled' WHEN 'R' THEN ', on replicas only' ELSE ', always' END
  FROM pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid
  WHERE g.tgrelid = ANY (p_tables) AND NOT g.tgisinternal AND f.pronamespace <> 'crossfade'::regnamespace
  UNION ALL
  SELECT r.ev_class, format('rule %I', r.rulename), regexp_replace(pg_get_ruledef(r.oid), '^.*? AS ', '') || CASE r.ev_enabled WHEN 'O' THEN '' ELSE ', ' || r.ev_enabled::text END
  FROM pg_rewrite r WHERE r.ev_class = ANY (p_tables) AND r.rulename <> '_RETURN'
  UNION ALL
  SELECT t.oid, format('publication %I', p.pubname), CASE WHEN p.puballtables THEN 'all tables' ELSE 'this table' END
  FROM pg_publication p CROSS JOIN unnest(p_tables) t(oid)
  WHERE p.puballtables OR EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = t.oid)
  UNION ALL
  SELECT h.inhrelid, format('inheritance with %s', h.inhparent::regclass), 'child' FROM pg_inherits h WHERE h.inhrelid = ANY (p_tables)
  UNION ALL
  SELECT h.inhparent, format('inheritance with %s', h.inhrelid::regclass), 'parent' FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
  WHERE h.inhparent = ANY (p_tables) AND NOT c.relispartition
  UNION ALL
  SELECT t.oid, 'partition key', pg_get_partkeydef(t.oid) FROM pg_class t WHERE t.oid = ANY (p_tables) AND t.relkind = 'p'
  UNION ALL
  -- A foreign key that each partition has by itself, until all are validated and the table has it.
  SELECT DISTINCT t.oid, format('constraint %I', k.conname), format('FOREIGN KEY (%s) %s%s%s%s%s', (SELECT string_agg(a.attnum::text, ', ' ORDER BY c.place)
      FROM unnest(k.conkey) WITH ORDINALITY c(attnum, place) JOIN pg_attribute l ON l.attrelid = k.conrelid AND l.attnum = c.attnum
      JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = l.attname AND NOT a.attisdropped), k.confmatchtype, k.confupdtype, k.confdeltype,
    CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END, CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END)
  FROM pg_class t CROSS JOIN LATERAL (SELECT p.relid FROM pg_partition_tree(t.oid) p WHERE p.isleaf OFFSET 0) p
    JOIN pg_constraint k ON k.conrelid = p.relid AND k.contype = 'f' AND k.conparentid = 0 WHERE t.oid = ANY (p_tables) AND t.relkind = 'p';
  -- Publications of whole schemas came with version 15.
  IF current_setting('server_version_num')::integer >= 150000 THEN
    RETURN QUERY SELECT t.oid, format('publication %I', p.pubname), 'tables of the schema'::text FROM pg_publication p JOIN pg_publication_namespace s ON s.pnpubid = p.oid
      JOIN pg_class t ON t.relnamespace = s.pnnspid WHERE t.oid = ANY (p_tables);
  END IF;
END $$;

CREATE FUNCTION crossfade.partition_stamps(p_table oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
  -- The table itself has no file, those of its partitions say whether a column was rewritten.
  RETURN (SELECT jsonb_build_object('file', md5(string_agg(c.relfilenode::text, ',' ORDER BY c.oid)),
    'partitions', coalesce(jsonb_object_agg(c.oid, jsonb_build_object('name', c.oid::regclass::text, 'attached', h.xmin::text,
      'triggers', (SELECT coalesce(jsonb_object_agg(g.tgname, format('%s %s', g.tgenabled, g.xmin)), '{}') FROM pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid
        WHERE g.tgrelid = c.oid AND NOT (g.tgisinternal AND g.tgparentid = 0) AND f.pronamespace = 'crossfade'::regnamespace AND f.proname <> 'read_only_guard')))
      FILTER (WHERE p.level > 0), '{}'))
    FROM pg_partition_tree(p_table) p JOIN pg_class c ON c.oid = p.relid LEFT JOIN pg_inherits h ON h.inhrelid = p.relid);
END $$;
COMMENT ON FUNCTION crossfade.partition_stamps IS
  'Of a partitioned table: {file, partitions: {oid: {name, attached, triggers}}}. It changes when a partition is attached, detached or rewritten, and when a trigger of ours on one is switched.';

CREATE FUNCTION crossfade.partitions_of(p_stamps jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(jsonb_object_agg(p.key, p.value), '{}') FROM jsonb_each(p_stamps) t CROSS JOIN LATERAL jsonb_each(coalesce(t.value -> 'partitions', '{}')) p
$$;
COMMENT ON FUNCTION crossfade.partitions_of IS 'The partitions of all tables in the stamps of a cutover: {oid: {name, attached, triggers}}.';

CREATE OR REPLACE FUNCTION crossfade.columns_stamps(p_ids text[]) RETURNS TABLE(id text, stamps jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
  RETURN QUERY
  SELECT i.id, coalesce(jsonb_object_agg(o.oid, o.stamp) FILTER (WHERE o.oid IS NOT NULL), '{}') FROM unnest(p_ids) i(id) LEFT JOIN (
    SELECT c.id, t.oid, jsonb_build_object('file', t.relfilenode, 'columns',
      (SELECT jsonb_object_agg(a.attnum, a.xmin::text) FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped))
      || CASE WHEN t.relkind = 'p' THEN crossfade.partition_stamps(t.oid) ELSE '{}' END AS stamp
    FROM crossfade.cutover c CROSS JOIN LATERAL (SELECT c.primary_oid UNION SELECT c.shadow_oid) x(oid) JOIN pg_class t ON t.oid = x.oid
    WHERE c.id = ANY (p_ids)) o ON o.id = i.id
  GROUP BY i.id;
END $$;

-- Rows that a table had before it became a partition were captured by nobody. One that has its first file and no row in it has had
-- none, or lost them by deletes, which were captured.
CREATE FUNCTION crossfade.never_filled(p_partition oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_filled boolean;
BEGIN
  IF EXISTS (SELECT FROM pg_class c WHERE c.oid = p_partition AND c.relkind = 'p') THEN RETURN true; END IF;
  IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p_partition AND c.relkind = 'r' AND c.relfilenode = c.oid) THEN RETURN false; END IF;
  EXECUTE format('SELECT EXISTS (SELECT FROM %s)', p_partition::regclass) INTO v_filled;
  RETURN NOT v_filled;
END $$;
COMMENT ON FUNCTION crossfade.never_filled IS 'True of a partition that has no row and was never truncated or rewritten: whatever was in it since it is a partition was captured.';

CREATE FUNCTION crossfade.partition_gap(p_was jsonb, p_is jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
  RETURN (SELECT string_agg(CASE
      WHEN x.is IS NULL THEN format('partition %s was detached or dropped', x.was ->> 'name')
      WHEN x.was IS NULL THEN format('partition %s was attached with rows', x.is ->> 'name')
      WHEN x.was -> 'attached' <> x.is -> 'attached' THEN format('partition %s was attached again', x.is ->> 'name')
      ELSE format('capture of partition %s was switched off, or made again', x.is ->> 'name') END, ', ' ORDER BY x.key)
    FROM (SELECT key, a.value AS was, n.value AS is FROM jsonb_each(crossfade.partitions_of(p_was)) a FULL JOIN jsonb_each(crossfade.partitions_of(p_is)) n USING (key)) x
    WHERE (x.was - 'name') IS DISTINCT FROM (x.is - 'name')
      AND CASE WHEN x.was IS NULL THEN NOT crossfade.never_filled(x.key::oid) ELSE true END);
END $$;
COMMENT ON FUNCTION crossfade.partition_gap IS 'Why rows of partitions may differ unseen between two stamps of a cutover; null when they cannot.';

CREATE OR REPLACE FUNCTION crossfade.capture_gap(p_id text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
  v crossfade.shape%ROWTYPE;
  v_now CONSTANT jsonb := crossfade.capture_now(p_id);
  v_stamp CONSTANT jsonb := crossfade.columns_stamp(p_id);
  v_why text;
BEGIN
  SELECT * INTO v FROM crossfade.shape s WHERE s.cutover = p_id;
  IF NOT FOUND OR NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.direction <> 'none') THEN RETURN NULL; END IF;
  IF v.capture <> v_now THEN
    SELECT string_agg(CASE o.key WHEN 'unrecorded' THEN 'a change' ELSE regexp_replace(o.key, ' of table \d+$', '') END || CASE
      WHEN o.key = 'unrecorded' THEN ' could not be recorded anywhere'
      WHEN o.is IS NULL THEN ' was dropped'
      WHEN o.was IS NULL THEN ' was added'
      WHEN o.was ->> 'enabled' IS DISTINCT FROM o.is ->> 'enabled' THEN CASE o.is ->> 'enabled' WHEN 'D' THEN ' is switched off' ELSE ' was switched off, or is not always on' END
      WHEN o.was ->> 'version' IS DISTINCT FROM o.is ->> 'version' THEN ' was altered, or made again'
      ELSE ' was replaced' END, ', ' ORDER BY o.key) INTO v_why
    FROM (SELECT key, a.value AS was, n.value AS is FROM jsonb_each(v.capture) a FULL JOIN jsonb_each(v_now) n USING (key) WHERE a.value IS DISTINCT FROM n.value) o;
  END IF;
  IF v.stamps = v_stamp THEN RETURN v_why; END IF;
  v_why := nullif(concat_ws(', ', v_why, crossfade.partition_gap(v.stamps, v_stamp)), '');
  RETURN nullif(concat_ws(', ', v_why, (SELECT string_agg(format('column %I of %s was rewritten', a.attname, a.attrelid::regclass), ', ' ORDER BY a.attrelid, a.attnum)
    FROM jsonb_each(v.stamps) w JOIN jsonb_each(v_stamp) n ON n.key = w.key CROSS JOIN LATERAL jsonb_each_text(w.value -> 'columns') c
    JOIN pg_attribute a ON a.attrelid = w.key::oid AND a.attnum = c.key::int2
    WHERE w.value -> 'file' <> n.value -> 'file' AND c.value <> (n.value -> 'columns' ->> c.key))), '');
END $$;

CREATE FUNCTION crossfade.follow_partitions(p_id text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $$
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
    -- 32: it is one for TRUNCATE.
    WHERE c.id = p_id AND f.proname <> 'read_only_guard' AND CASE WHEN o.oid IS NULL THEN g.tgtype & 32 <> 0 ELSE o.tgenabled <> g.tgenabled END
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
  'Gives each partition of the tables of a cutover the triggers for TRUNCATE that the table itself has, switches on those that were switched off, and takes them off what is no partition any more.';

-- Clones go with the trigger of the table.
CREATE FUNCTION crossfade.drop_partition_triggers(p_id text, p_strays boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v record;
BEGIN
  FOR v IN
    SELECT g.tgname AS name, g.tgrelid::regclass AS relation FROM crossfade.cutover c CROSS JOIN pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid AND f.pronamespace = 'crossfade'::regnamespace
    WHERE c.id = p_id AND f.proname IN ('truncated_' || p_id, 'guard_' || p_id) AND g.tgparentid = 0 AND g.tgrelid NOT IN (c.primary_oid, c.shadow_oid)
      AND NOT (p_strays AND coalesce(pg_partition_root(g.tgrelid)::oid IN (c.primary_oid, c.shadow_oid), false))
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', v.name, v.relation);
  END LOOP;
END $$;
COMMENT ON FUNCTION crossfade.drop_partition_triggers IS 'Takes the triggers of a cutover that are no clones off partitions; with true, only off what is no partition of its tables any more.';

CREATE OR REPLACE FUNCTION crossfade.watch_shape(p_id text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v crossfade.shape%ROWTYPE;
  v_differences jsonb;
  v_gap text;
  v_new boolean := false;
BEGIN
  IF NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.direction <> 'none') THEN RETURN; END IF;
  SELECT * INTO v FROM crossfade.shape s WHERE s.cutover = p_id;
  IF NOT FOUND THEN RETURN; END IF;
  IF v.database = crossfade.database_oid() THEN PERFORM crossfade.follow_partitions(p_id); END IF;
  v_differences := crossfade.shape_differences(p_id);
  -- In another database the numbers of tables and triggers mean nothing, so nothing is made there.
  IF v.database = crossfade.database_oid() THEN
    v_gap := coalesce(crossfade.capture_gap(p_id),
      CASE WHEN v_differences = '[]' AND v.differences <> '[]' THEN format('%s was another one for a while', v.differences -> 0 ->> 'object') END);
    IF v.capture <> crossfade.capture_now(p_id) THEN
      PERFORM crossfade.make_capture_again(p_id);
      PERFORM crossfade.follow_partitions(p_id);
    END IF;
    v_new := EXISTS (SELECT jsonb_object_keys(crossfade.partitions_of(crossfade.columns_stamp(p_id))) EXCEPT SELECT jsonb_object_keys(crossfade.partitions_of(v.stamps)));
  END IF;
  UPDATE crossfade.shape s SET differences = v_differences, since = CASE WHEN v_differences <> '[]' THEN coalesce(v.since, clock_timestamp()) END,
    stopped = EXISTS (SELECT FROM jsonb_array_elements(v_differences) d WHERE d ->> 'object' ~ '^(database|table |kind of )' OR d ->> 'is' = 'forced'),
    stamps = crossfade.columns_stamp(p_id), gap = CASE WHEN NOT crossfade.compared_again(p_id) THEN v.gap END
  WHERE s.cutover = p_id;
  -- A row that had no partition may have one now.
  IF v_new AND EXISTS (SELECT FROM crossfade.quarantine q WHERE q.cutover = p_id AND q.sqlstate = '23514') THEN
    EXECUTE format('SELECT crossfade.%I(NULL)', 'retry_' || p_id);
  END IF;
  IF v_gap IS NULL THEN RETURN; END IF;
  UPDATE crossfade.shape s SET gap = v_gap, gap_at = clock_timestamp() WHERE s.cutover = p_id;
  PERFORM crossfade.begin_sweep(p_id, v_gap);
END $$;

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
SELECT crossfade.finding('ordinary tables', relkind NOT IN ('r', 'p') OR s_kind NOT IN ('r', 'p'), 'fail', format('%s and %s', relkind, s_kind), 'r or p',
  'Only tables cross over, partitioned ones too: views and foreign tables do not.') FROM pair
UNION ALL SELECT crossfade.finding('partitioning and inheritance', count(*) > 0, 'fail', count(*) || ' relations', '0 relations',
  'Name the partitioned table in place of its partition, or end inheritance with ALTER TABLE … NO INHERIT, and move each table on its own.')
  FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid WHERE h.inhrelid IN (p_primary, p_shadow) OR (h.inhparent IN (p_primary, p_shadow) AND NOT c.relispartition)
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

DROP FUNCTION crossfade.misfit(text, text, tid, tid);
CREATE FUNCTION crossfade.misfit(p_judged text, p_crossed text, p_from tid, p_to tid, p_part oid) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
  v_seen jsonb;
  v_state text;
  v_why text;
  v_kind text := 'return';
BEGIN
  EXECUTE p_judged INTO v_seen USING p_from, p_to, p_part;
  RETURN v_seen;
EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
  -- Messages of class 22 quote the value; a reason must not show what is in a row.
  GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_why = MESSAGE_TEXT;
  v_why := format('SQLSTATE %s, %s', v_state, regexp_replace(v_why, ': ".*"', ''));
  BEGIN
    EXECUTE coalesce(p_crossed, 'SELECT $1, $2, $3') USING p_from, p_to, p_part;
  EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
    v_kind := 'cross';
  END;
  RETURN jsonb_build_object('kind', v_kind, 'why', v_why);
END $$;

CREATE OR REPLACE FUNCTION crossfade.way_back(p_table oid, p_path text, p_judged text, p_crossed text, p_key text, p_limit_ms integer, p_most integer) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_part oid;
  v_pages bigint;
  v_until CONSTANT timestamptz := clock_timestamp() + make_interval(secs => p_limit_ms / 1000.0);
  v_began timestamptz;
  v_from bigint;
  v_size bigint;
  v_failed boolean;
  v_row record;
  v_seen jsonb;
  v_rows bigint := 0;
  v_cross bigint := 0;
  v_return bigint := 0;
  v_changed bigint := 0;
  v_samples jsonb := '[]';
  v_cut boolean := false;
BEGIN
  PERFORM set_config('search_path', p_path, true);
  -- Pages are those of one file each.
  <<parts>>
  FOR v_part IN SELECT coalesce(p.relid, p_table) FROM (SELECT p_table) t(oid) LEFT JOIN pg_partition_tree(p_table) p ON p.isleaf ORDER BY 1 LOOP
    v_pages := pg_relation_size(v_part) / current_setting('block_size')::bigint;
    v_from := 0;
    v_size := 8;
    WHILE v_from < v_pages LOOP
      v_began := clock_timestamp();
      IF v_began > v_until THEN v_cut := true; EXIT parts; END IF;
      v_failed := false;
      BEGIN
        EXECUTE p_judged INTO v_seen USING format('(%s,0)', v_from)::tid, format('(%s,0)', v_from + v_size)::tid, v_part;
      EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
        v_failed := true;
      END;
      IF v_failed AND v_size > 1 THEN
        v_size := v_size / 2;
        CONTINUE;
      END IF;
      IF NOT v_failed THEN
        v_rows := v_rows + (v_seen ->> 'rows')::bigint;
        v_return := v_return + (v_seen ->> 'unfit')::bigint;
        v_changed := v_changed + (v_seen ->> 'changed')::bigint;
        v_samples := v_samples || (v_seen -> 'samples');
        v_from := v_from + v_size;
        v_size := CASE WHEN clock_timestamp() - v_began < interval '50 ms' THEN least(1024, v_size * 2) ELSE greatest(1, v_size / 2) END;
        CONTINUE;
      END IF;
      FOR v_row IN EXECUTE format('SELECT p.ctid AS at, (p.ctid::text::point)[1] + 1 AS next, %s AS key FROM %s AS p WHERE p.ctid >= $1 AND p.ctid < $2 AND p.tableoid = $3',
        p_key, p_table::regclass) USING format('(%s,0)', v_from)::tid, format('(%s,0)', v_from + 1)::tid, v_part
      LOOP
        IF clock_timestamp() > v_until THEN v_cut := true; EXIT parts; END IF;
        v_seen := crossfade.misfit(p_judged, p_crossed, v_row.at, format('(%s,%s)', v_from, v_row.next)::tid, v_part);
        v_rows := v_rows + 1;
        IF v_seen ->> 'kind' = 'cross' THEN v_cross := v_cross + 1; END IF;
        v_return := v_return + CASE WHEN v_seen ->> 'kind' = 'return' THEN 1 ELSE coalesce((v_seen ->> 'unfit')::bigint, 0) END;
        v_changed := v_changed + coalesce((v_seen ->> 'changed')::bigint, 0);
        v_samples := v_samples || CASE WHEN v_seen ? 'kind' THEN v_seen || jsonb_build_object('key', v_row.key) ELSE v_seen -> 'samples' END;
      END LOOP;
      v_from := v_from + 1;
    END LOOP;
  END LOOP;
  RETURN jsonb_build_object('rows', v_rows, 'complete', NOT v_cut, 'limitMs', p_limit_ms, 'cannotCross', v_cross, 'cannotReturn', v_return,
    'changed', v_changed, 'samples', (SELECT coalesce(jsonb_agg(s ORDER BY place), '[]') FROM jsonb_array_elements(v_samples) WITH ORDINALITY x(s, place)
      WHERE place <= p_most));
END $$;

CREATE OR REPLACE FUNCTION crossfade.table_facts(p_table oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v jsonb := crossfade.table_dependents(p_table);
BEGIN RETURN v || jsonb_build_object(
  'sequences', (
    SELECT coalesce(jsonb_agg(x.entry || jsonb_build_object('type', format_type(q.seqtypid, NULL), 'min', q.seqmin::text, 'max', q.seqmax::text,
        'cycle', q.seqcycle, 'ours', pg_has_role(s.relowner, 'USAGE'),
        'columnType', (WITH RECURSIVE under AS (SELECT a.atttypid AS oid FROM pg_attribute a WHERE a.attrelid = p_table AND a.attname = x.entry ->> 'column'
            UNION ALL SELECT d.typbasetype FROM under u JOIN pg_type d ON d.oid = u.oid WHERE d.typtype = 'd')
          SELECT format_type(u.oid, NULL) FROM under u JOIN pg_type y ON y.oid = u.oid WHERE y.typtype <> 'd')) ORDER BY x.place), '[]')
    FROM jsonb_array_elements(v -> 'sequences') WITH ORDINALITY x(entry, place)
    JOIN pg_namespace n ON n.nspname = x.entry ->> 'schema' JOIN pg_class s ON s.relnamespace = n.oid AND s.relname = x.entry ->> 'name'
    JOIN pg_sequence q ON q.seqrelid = s.oid),
  'publications', (
    SELECT coalesce(jsonb_agg(x.entry || jsonb_build_object('everything', p.puballtables, 'viaRoot', p.pubviaroot) ORDER BY x.place), '[]')
    FROM jsonb_array_elements(v -> 'publications') WITH ORDINALITY x(entry, place) JOIN pg_publication p ON p.pubname = x.entry ->> 'name'),
  'subscriptions', (
    SELECT coalesce(jsonb_agg(s.subname ORDER BY s.subname), '[]')
    FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid WHERE r.srrelid = p_table)
); END $$;

CREATE OR REPLACE FUNCTION crossfade.keys_to_give_back(p_id text) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_shadow regclass;
  v_empty boolean;
BEGIN
  SELECT a.shadow INTO v_shadow FROM crossfade.key_aside a JOIN pg_class t ON t.oid = a.shadow WHERE a.cutover = p_id LIMIT 1;
  IF v_shadow IS NULL OR EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.direction <> 'none') THEN RETURN; END IF;
  EXECUTE format('SELECT NOT EXISTS (SELECT FROM %s)', v_shadow) INTO v_empty;
  RETURN QUERY SELECT a.name FROM crossfade.key_aside a
    WHERE a.cutover = p_id AND (v_empty OR (a.key ->> 'onDelete' IN ('c', 'n') AND (SELECT c.relkind FROM pg_class c WHERE c.oid = v_shadow) = 'r')) ORDER BY 1;
END $$;

CREATE OR REPLACE FUNCTION crossfade.give_key_back(p_id text, p_name text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  c_actions CONSTANT jsonb := '{"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}';
  c_matches CONSTANT jsonb := '{"f": "FULL", "p": "PARTIAL", "s": "SIMPLE"}';
  v crossfade.key_aside%ROWTYPE;
  v_key jsonb;
BEGIN
  PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
  IF EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.direction <> 'none') THEN
    RAISE EXCEPTION 'cutover % is under way: its promotion or rollback gives foreign keys back', p_id USING ERRCODE = 'CF001';
  END IF;
  SELECT * INTO v FROM crossfade.key_aside a WHERE a.cutover = p_id AND a.name = p_name;
  IF NOT FOUND THEN RETURN NULL; END IF;
  v_key := crossfade.key_now(v.key, p_id, false);
  EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I FOREIGN KEY (%s) REFERENCES %s (%s) MATCH %s ON UPDATE %s ON DELETE %s%s%s%s', v.shadow, v.name,
    crossfade.name_list(v_key -> 'columns'), (v_key -> 'references' ->> 'oid')::oid::regclass, crossfade.name_list(v_key -> 'referencedColumns'),
    c_matches ->> (v_key ->> 'match'), c_actions ->> (v_key ->> 'onUpdate'), c_actions ->> (v_key ->> 'onDelete'), ' (' || crossfade.name_list(v_key -> 'setColumns') || ')',
    CASE WHEN (v_key ->> 'deferrable')::boolean THEN ' DEFERRABLE INITIALLY ' || CASE WHEN (v_key ->> 'deferred')::boolean THEN 'DEFERRED' ELSE 'IMMEDIATE' END END,
    -- On a partitioned table every row is read at once, so it comes back by itself only to one without rows.
    CASE WHEN (SELECT c.relkind FROM pg_class c WHERE c.oid = v.shadow) = 'r' THEN ' NOT VALID' END);
  IF v.key ->> 'comment' IS NOT NULL THEN EXECUTE format('COMMENT ON CONSTRAINT %I ON %s IS %L', v.name, v.shadow, v.key ->> 'comment'); END IF;
  DELETE FROM crossfade.key_aside a WHERE a.cutover = p_id AND a.name = p_name;
  RETURN CASE WHEN (v.key ->> 'validated')::boolean THEN format('ALTER TABLE %s VALIDATE CONSTRAINT %I', v.shadow, v.name) END;
END $$;

REVOKE ALL ON FUNCTION crossfade.partition_stamps, crossfade.partitions_of, crossfade.never_filled, crossfade.partition_gap, crossfade.follow_partitions,
  crossfade.drop_partition_triggers, crossfade.misfit FROM PUBLIC;
