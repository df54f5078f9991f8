-- Why: a foreign key of or to a partitioned table has a copy in the catalog for each partition. They were taken for constraints of the table, which Postgres
-- lets nobody rename or drop: a table with a foreign key to a partitioned one could not be promoted, and a new partition over there held it as a changed shape.
-- Lock: none on existing objects. Duration: milliseconds.
-- Undo: table_dependents and table_shapes as in 0036.

CREATE OR REPLACE FUNCTION crossfade.table_dependents(p_table oid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
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
      FROM pg_constraint c WHERE c.conrelid = t.oid AND NOT (c.contype = 'f' AND c.conparentid <> 0)),
    'outgoing', (
      SELECT coalesce(jsonb_agg(crossfade.foreign_key(c.oid) ORDER BY c.conname), '[]')
      FROM pg_constraint c WHERE c.conrelid = t.oid AND c.contype = 'f' AND c.conparentid = 0),
    'inbound', (
      SELECT coalesce(jsonb_agg(crossfade.foreign_key(c.oid) ORDER BY c.conrelid, c.conname), '[]')
      FROM pg_constraint c WHERE c.confrelid = t.oid AND c.contype = 'f' AND c.conparentid = 0),
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
); END $function$;

CREATE OR REPLACE FUNCTION crossfade.table_shapes(p_tables oid[])
 RETURNS TABLE(relation oid, object text, definition text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET jit TO 'off'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET quote_all_identifiers TO 'off'
 SET "DateStyle" TO 'ISO, MDY'
 SET "TimeZone" TO 'utc'
 SET "IntervalStyle" TO 'postgres'
 SET bytea_output TO 'hex'
 SET extra_float_digits TO '1'
AS $function$
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
  -- A foreign key to a partitioned table has a copy for each of its partitions: they come and go with the partitions of the other table.
  FROM pg_constraint k WHERE k.conrelid = ANY (p_tables) AND k.contype IN ('c', 'f', 'p', 'u', 'x') AND NOT (k.contype = 'f' AND k.conparentid <> 0)
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
END $function$;

UPDATE crossfade.shape s SET armed = s.armed - coalesce((
  SELECT array_agg(x.side || '/' || format('constraint %I', k.conname)) FROM crossfade.cutover c
  CROSS JOIN LATERAL (VALUES ('primary', c.primary_oid), ('shadow', c.shadow_oid)) x(side, oid)
  JOIN pg_constraint k ON k.conrelid = x.oid AND k.contype = 'f' AND k.conparentid <> 0 WHERE c.id = s.cutover), '{}');
