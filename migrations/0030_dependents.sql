-- Why: what hangs on the two tables is read before a swap and once more under its lock. One expression named every kind of object, so all of it was
-- planned in each new session, and looking for views and rules read all of them that the database has. Now a kind that nothing of
-- depends on the table is not asked for, and views and rules are found from the table on, by index: the time depends on what hangs on the table, and no
-- longer on how many views the database has.
--
-- Lock: none; functions are replaced. Duration: milliseconds.
-- Undo: crossfade.views, crossfade.rules, crossfade.attached and crossfade.table_dependents as in 0002.

CREATE OR REPLACE FUNCTION crossfade.views(p_table oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN RETURN (
  WITH RECURSIVE uses AS (
    SELECT r.ev_class AS oid, 1 AS depth FROM pg_class t LEFT JOIN pg_type y ON y.oid = t.reltype
    CROSS JOIN LATERAL (VALUES ('pg_class'::regclass::oid, t.oid), ('pg_type'::regclass, y.oid), ('pg_type'::regclass, y.typarray)) o(class, oid)
    JOIN pg_depend d ON d.refclassid = o.class AND d.refobjid = o.oid AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite r ON r.oid = d.objid
    WHERE t.oid = p_table AND r.rulename = '_RETURN' AND r.ev_class <> p_table
    UNION
    SELECT r.ev_class, u.depth + 1 FROM uses u JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = u.oid
    JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    WHERE r.rulename = '_RETURN' AND r.ev_class <> u.oid
  ), found AS MATERIALIZED (SELECT u.oid, max(u.depth) AS depth FROM uses u GROUP BY u.oid)
  SELECT coalesce(jsonb_agg(jsonb_build_object(
    'schema', n.nspname, 'name', v.relname, 'relkind', v.relkind, 'definition', pg_get_viewdef(v.oid), 'options', coalesce(to_jsonb(v.reloptions), '[]'),
    'owner', quote_ident(pg_get_userbyid(v.relowner)), 'ours', pg_has_role(v.relowner, 'USAGE'), 'comment', obj_description(v.oid, 'pg_class'),
    'grants', crossfade.grants(v.relacl, 'r', v.relowner), 'uses', crossfade.columns_used('pg_rewrite', r.oid, p_table),
    'columns', (SELECT jsonb_agg(jsonb_build_object('name', a.attname, 'default', pg_get_expr(e.adbin, e.adrelid), 'comment', col_description(v.oid, a.attnum),
        'grants', crossfade.grants(a.attacl, 'c', v.relowner)) ORDER BY a.attnum)
      FROM pg_attribute a LEFT JOIN pg_attrdef e ON e.adrelid = a.attrelid AND e.adnum = a.attnum WHERE a.attrelid = v.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'populated', v.relispopulated, 'tablespace', (SELECT s.spcname FROM pg_tablespace s WHERE s.oid = v.reltablespace),
    'method', (SELECT m.amname FROM pg_am m WHERE m.oid = v.relam),
    'small', v.relkind <> 'm' OR (SELECT coalesce(sum(pg_relation_size(c.oid)), 0) <= 16777216 FROM pg_class c WHERE c.relkind IN ('r', 'm') AND (c.oid = p_table
      OR c.oid IN (SELECT d.refobjid FROM pg_depend d WHERE d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid))),
    'indexes', (SELECT coalesce(jsonb_agg(pg_get_indexdef(x.indexrelid) ORDER BY x.indexrelid::regclass::text), '[]') FROM pg_index x WHERE x.indrelid = v.oid),
    'triggers', crossfade.triggers(v.oid),
    'rules', (SELECT coalesce(jsonb_agg(o ORDER BY o ->> 'name'), '[]') FROM jsonb_array_elements(crossfade.rules(v.oid)) o WHERE (o ->> 'own')::boolean),
    -- What would be lost with the view, or keeps it from being dropped.
    'blockers', (SELECT coalesce(jsonb_agg(DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid)), '[]') FROM (
        SELECT e.classid, e.objid, e.objsubid, e.refclassid
        FROM (VALUES ('pg_class'::regclass::oid, v.oid), ('pg_type'::regclass, v.reltype),
          ('pg_type'::regclass, (SELECT y.typarray FROM pg_type y WHERE y.oid = v.reltype))) o(class, oid)
        CROSS JOIN LATERAL (SELECT x.classid, x.objid, x.objsubid, x.refclassid FROM pg_depend x WHERE x.refclassid = o.class AND x.refobjid = o.oid OFFSET 0) e
        UNION ALL
        SELECT e.classid, e.objid, e.objsubid, e.refclassid FROM pg_depend e
        WHERE e.classid = 'pg_class'::regclass AND e.objid = v.oid AND e.refclassid = 'pg_extension'::regclass) d
      WHERE CASE d.classid
          WHEN 'pg_rewrite'::regclass THEN coalesce((SELECT w.ev_class <> v.oid AND w.ev_class NOT IN (SELECT f.oid FROM found f) FROM pg_rewrite w WHERE w.oid = d.objid), true)
          WHEN 'pg_class'::regclass THEN d.refclassid = 'pg_extension'::regclass OR EXISTS (SELECT FROM pg_class c WHERE c.oid = d.objid AND c.relkind NOT IN ('i', 't'))
          WHEN 'pg_type'::regclass THEN NOT EXISTS (SELECT FROM pg_type y WHERE y.oid = d.objid AND (y.oid = v.reltype OR y.typelem = v.reltype))
          WHEN 'pg_trigger'::regclass THEN NOT EXISTS (SELECT FROM pg_trigger g WHERE g.oid = d.objid AND g.tgrelid = v.oid)
          WHEN 'pg_attrdef'::regclass THEN NOT EXISTS (SELECT FROM pg_attrdef e WHERE e.oid = d.objid AND e.adrelid = v.oid)
          ELSE true END)) ORDER BY f.depth, n.nspname, v.relname), '[]')
  FROM found f JOIN pg_class v ON v.oid = f.oid JOIN pg_namespace n ON n.oid = v.relnamespace
  JOIN pg_rewrite r ON r.ev_class = v.oid AND r.rulename = '_RETURN'
); END $$;

CREATE OR REPLACE FUNCTION crossfade.rules(p_table oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN RETURN (
  SELECT coalesce(jsonb_agg(jsonb_build_object(
    'name', r.rulename, 'own', r.ev_class = p_table, 'definition', pg_get_ruledef(r.oid), 'enabled', r.ev_enabled,
    'table', jsonb_build_object('oid', CASE WHEN w.relkind IN ('v', 'm') THEN 0 ELSE w.oid::bigint END, 'schema', n.nspname, 'name', w.relname,
      'relkind', w.relkind, 'ours', pg_has_role(w.relowner, 'USAGE')),
    'comment', obj_description(r.oid, 'pg_rewrite'), 'uses', crossfade.columns_used('pg_rewrite', r.oid, p_table)) ORDER BY w.relname, r.rulename), '[]')
  -- A rule depends on its own table, too.
  FROM (SELECT DISTINCT e.objid FROM pg_depend e WHERE e.classid = 'pg_rewrite'::regclass AND e.refclassid = 'pg_class'::regclass AND e.refobjid = p_table) d
  CROSS JOIN LATERAL (SELECT x.oid, x.rulename, x.ev_class, x.ev_enabled FROM pg_rewrite x WHERE x.oid = d.objid OFFSET 0) r
  JOIN pg_class w ON w.oid = r.ev_class JOIN pg_namespace n ON n.oid = w.relnamespace WHERE r.rulename <> '_RETURN'
); END $$;

CREATE OR REPLACE FUNCTION crossfade.attached(p_table oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v jsonb := '{"views": [], "rules": [], "triggers": [], "policies": [], "publications": [], "statistics": [], "functions": []}';
  -- The catalogs of what depends on the table or on its row type.
  v_kinds CONSTANT oid[] := ARRAY(
    SELECT DISTINCT d.classid FROM pg_class t LEFT JOIN pg_type y ON y.oid = t.reltype
    CROSS JOIN LATERAL (VALUES ('pg_class'::regclass::oid, t.oid), ('pg_type'::regclass, y.oid), ('pg_type'::regclass, y.typarray)) o(class, oid)
    CROSS JOIN LATERAL (SELECT e.classid FROM pg_depend e WHERE e.refclassid = o.class AND e.refobjid = o.oid OFFSET 0) d WHERE t.oid = p_table);
BEGIN
  IF 'pg_rewrite'::regclass = ANY (v_kinds) THEN
    v := v || jsonb_build_object('views', crossfade.views(p_table), 'rules', crossfade.rules(p_table));
  END IF;
  IF (SELECT t.relhastriggers FROM pg_class t WHERE t.oid = p_table) THEN
    v := v || jsonb_build_object('triggers', crossfade.triggers(p_table));
  END IF;
  IF 'pg_policy'::regclass = ANY (v_kinds) THEN
    v := v || jsonb_build_object('policies', (
      SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', p.polname, 'own', p.polrelid = p_table, 'permissive', p.polpermissive, 'command', p.polcmd,
        'roles', (SELECT jsonb_agg(CASE r.oid WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r.oid)) END) FROM unnest(p.polroles) r(oid)),
        'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid), 'comment', obj_description(p.oid, 'pg_policy'),
        'table', jsonb_build_object('oid', w.oid::bigint, 'schema', n.nspname, 'name', w.relname, 'relkind', w.relkind, 'ours', pg_has_role(w.relowner, 'USAGE')),
        'uses', crossfade.columns_used('pg_policy', p.oid, p_table)) ORDER BY w.relname, p.polname), '[]')
      FROM pg_policy p JOIN pg_class w ON w.oid = p.polrelid JOIN pg_namespace n ON n.oid = w.relnamespace
      WHERE p.polrelid = p_table OR p.oid IN (SELECT d.objid FROM pg_depend d
        WHERE d.classid = 'pg_policy'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p_table)));
  END IF;
  IF EXISTS (SELECT FROM pg_publication) THEN
    -- Column lists, filters and schemas came with version 15.
    v := v || jsonb_build_object('publications', (
      SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', p.pubname, 'direct', r.oid IS NOT NULL, 'ours', pg_has_role(p.pubowner, 'USAGE'), 'changes', p.pubupdate OR p.pubdelete,
        'columns', (SELECT jsonb_agg(a.attname ORDER BY a.attnum) FROM jsonb_array_elements_text(
            CASE jsonb_typeof(to_jsonb(r) -> 'prattrs') WHEN 'array' THEN to_jsonb(r) -> 'prattrs' ELSE '[]' END) k(attnum)
          JOIN pg_attribute a ON a.attrelid = p_table AND a.attnum = k.attnum::int2),
        'filter', CASE WHEN r.oid IS NOT NULL THEN (SELECT to_jsonb(l) ->> 'rowfilter' FROM pg_publication_tables l JOIN pg_class t ON t.oid = p_table
          JOIN pg_namespace n ON n.oid = t.relnamespace WHERE l.pubname = p.pubname AND l.schemaname = n.nspname AND l.tablename = t.relname) END,
        'uses', crossfade.columns_used('pg_publication_rel', r.oid, p_table)) ORDER BY p.pubname), '[]')
      FROM pg_publication p LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = p_table
      WHERE r.oid IS NOT NULL OR p.puballtables OR p.pubname IN (SELECT l.pubname FROM pg_publication_tables l JOIN pg_class t ON t.oid = p_table
        JOIN pg_namespace n ON n.oid = t.relnamespace WHERE l.schemaname = n.nspname AND l.tablename = t.relname)));
  END IF;
  IF 'pg_statistic_ext'::regclass = ANY (v_kinds) THEN
    v := v || jsonb_build_object('statistics', (
      SELECT coalesce(jsonb_agg(jsonb_build_object(
        'schema', n.nspname, 'name', s.stxname, 'definition', pg_get_statisticsobjdef(s.oid), 'owner', quote_ident(pg_get_userbyid(s.stxowner)),
        'ours', pg_has_role(s.stxowner, 'USAGE'), 'target', nullif((to_jsonb(s) ->> 'stxstattarget')::integer, -1), 'comment', obj_description(s.oid, 'pg_statistic_ext'),
        'uses', crossfade.columns_used('pg_statistic_ext', s.oid, p_table)) ORDER BY n.nspname, s.stxname), '[]')
      FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE s.stxrelid = p_table));
  END IF;
  IF 'pg_proc'::regclass = ANY (v_kinds) THEN
    -- Functions whose body is parsed when they are made. Others name tables in a text, which is read anew in each session.
    v := v || jsonb_build_object('functions', (
      SELECT coalesce(jsonb_agg(jsonb_build_object('signature', f.oid::regprocedure::text, 'definition', pg_get_functiondef(f.oid),
        'ours', pg_has_role(f.proowner, 'USAGE'), 'uses', crossfade.columns_used('pg_proc', f.oid, p_table)) ORDER BY f.oid::regprocedure::text), '[]')
      FROM pg_proc f WHERE f.prosqlbody IS NOT NULL AND f.oid IN (SELECT d.objid FROM pg_depend d
        WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p_table)));
  END IF;
  RETURN v;
END $$;

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
    -- What can only be described: {kind, object, detail}, in a stable order.
    'others', (
      SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_object('kind', o.kind, 'object', o.object, 'detail', o.detail)), '[]') FROM (
        SELECT CASE WHEN c.relispartition OR x.relkind = 'p' THEN 'partition' ELSE 'inheritance' END AS kind,
          x.oid::regclass::text AS object, '' AS detail
        FROM pg_inherits h JOIN pg_class x ON x.oid = CASE h.inhrelid WHEN t.oid THEN h.inhparent ELSE h.inhrelid END
        JOIN pg_class c ON c.oid = h.inhrelid WHERE t.oid IN (h.inhrelid, h.inhparent)
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
