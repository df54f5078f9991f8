-- Why: promotion and its way back. What hangs on the two tables is read in one place (crossfade.dependents), a plan is made from
-- it, and crossfade.swap carries the plan out in one transaction, unless anything in the catalog is different by then.
-- Lock: none on existing objects; a call of crossfade.swap takes ACCESS EXCLUSIVE on the tables of its plan for milliseconds.
-- Duration: milliseconds.
-- Undo: ALTER TABLE crossfade.cutover DROP COLUMN abandoned, DROP COLUMN keys_aside; DROP FUNCTION crossfade.set_keys_aside,
-- crossfade.give_keys_back, crossfade.swap, crossfade.abandon, crossfade.catalog_fingerprint, crossfade.dependents, crossfade.table_dependents, crossfade.attached,
-- crossfade.views, crossfade.rules, crossfade.triggers, crossfade.columns_used, crossfade.give_privileges, crossfade.foreign_key,
-- crossfade.grants, crossfade.drain, crossfade.lock_holders, when no cutover is running.

CREATE FUNCTION crossfade.grants(p_acl aclitem[], p_kind "char", p_owner oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN RETURN (
  SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_object(
    'grantee', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
    'privilege', a.privilege_type, 'grantable', a.is_grantable)), '[]')
  FROM aclexplode(coalesce(p_acl, acldefault(p_kind, p_owner))) a WHERE a.grantee <> p_owner
); END $$;
COMMENT ON FUNCTION crossfade.grants IS 'Privileges that others than the owner have: [{grantee, privilege, grantable}].';

CREATE FUNCTION crossfade.foreign_key(p_constraint oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN RETURN (
  SELECT jsonb_build_object(
    'name', c.conname,
    'table', jsonb_build_object('oid', r.oid::bigint, 'schema', rn.nspname, 'name', r.relname, 'relkind', r.relkind,
      'ours', pg_has_role(r.relowner, 'USAGE')),
    'columns', (SELECT jsonb_agg(a.attname ORDER BY k.place) FROM unnest(c.conkey) WITH ORDINALITY k(attnum, place)
      JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum),
    'types', (SELECT jsonb_agg(format_type(a.atttypid, NULL) ORDER BY k.place) FROM unnest(c.conkey) WITH ORDINALITY k(attnum, place)
      JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum),
    'references', jsonb_build_object('oid', f.oid::bigint, 'schema', fn.nspname, 'name', f.relname, 'ours', pg_has_role(f.relowner, 'USAGE')),
    'referencedColumns', (SELECT jsonb_agg(a.attname ORDER BY k.place) FROM unnest(c.confkey) WITH ORDINALITY k(attnum, place)
      JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum),
    'match', c.confmatchtype, 'onUpdate', c.confupdtype, 'onDelete', c.confdeltype,
    -- SET NULL (columns) came with version 15, NOT ENFORCED and PERIOD with 18.
    'setColumns', (SELECT jsonb_agg(a.attname ORDER BY a.attnum) FROM jsonb_array_elements_text(
        CASE jsonb_typeof(to_jsonb(c) -> 'confdelsetcols') WHEN 'array' THEN to_jsonb(c) -> 'confdelsetcols' ELSE '[]' END) s(attnum)
      JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = s.attnum::int2),
    'enforced', coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true),
    'period', coalesce((to_jsonb(c) ->> 'conperiod')::boolean, false),
    'inherited', c.conparentid <> 0,
    'deferrable', c.condeferrable, 'deferred', c.condeferred, 'validated', c.convalidated,
    'comment', obj_description(c.oid, 'pg_constraint'))
  FROM pg_constraint c
  JOIN pg_class r ON r.oid = c.conrelid JOIN pg_namespace rn ON rn.oid = r.relnamespace
  JOIN pg_class f ON f.oid = c.confrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace
  WHERE c.oid = p_constraint
); END $$;

CREATE FUNCTION crossfade.columns_used(p_class regclass, p_object oid, p_table oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN RETURN (
  SELECT coalesce(jsonb_agg(DISTINCT a.attname), '[]') FROM pg_depend d
  JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
  WHERE d.classid = p_class AND d.objid = p_object AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p_table AND d.refobjsubid > 0
); END $$;
COMMENT ON FUNCTION crossfade.columns_used IS 'Columns of a table that an object names, as pg_depend knows them.';

-- Triggers of a table or view, but ours and those that Postgres makes for foreign keys. `reads`: fields of NEW and OLD in a
-- PL/pgSQL body, which nothing in the catalog remembers.
CREATE FUNCTION crossfade.triggers(p_table oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN RETURN (
  SELECT coalesce(jsonb_agg(jsonb_build_object(
    'name', g.tgname, 'definition', pg_get_triggerdef(g.oid), 'enabled', g.tgenabled, 'comment', obj_description(g.oid, 'pg_trigger'),
    'uses', crossfade.columns_used('pg_trigger', g.oid, p_table),
    'reads', (SELECT coalesce(jsonb_agg(DISTINCT CASE WHEN m[1] LIKE '"%' THEN replace(trim(BOTH '"' FROM m[1]), '""', '"') ELSE lower(m[1]) END), '[]')
      FROM regexp_matches(f.prosrc, '\m(?:new|old)\.("(?:[^"]|"")+"|\w+)', 'gi') m
      WHERE f.prolang = (SELECT l.oid FROM pg_language l WHERE l.lanname = 'plpgsql'))) ORDER BY g.tgname), '[]')
  FROM pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid
  WHERE g.tgrelid = p_table AND NOT g.tgisinternal AND f.pronamespace <> 'crossfade'::regnamespace
); END $$;

-- Rules that are no view: of a table itself, and of others whose text names it.
CREATE FUNCTION crossfade.rules(p_table oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN RETURN (
  SELECT coalesce(jsonb_agg(jsonb_build_object(
    'name', r.rulename, 'own', r.ev_class = p_table, 'definition', pg_get_ruledef(r.oid), 'enabled', r.ev_enabled,
    'table', jsonb_build_object('oid', CASE WHEN w.relkind IN ('v', 'm') THEN 0 ELSE w.oid::bigint END, 'schema', n.nspname, 'name', w.relname,
      'relkind', w.relkind, 'ours', pg_has_role(w.relowner, 'USAGE')),
    'comment', obj_description(r.oid, 'pg_rewrite'), 'uses', crossfade.columns_used('pg_rewrite', r.oid, p_table)) ORDER BY w.relname, r.rulename), '[]')
  FROM pg_rewrite r JOIN pg_class w ON w.oid = r.ev_class JOIN pg_namespace n ON n.oid = w.relnamespace
  WHERE r.rulename <> '_RETURN' AND (r.ev_class = p_table OR r.oid IN (
    SELECT d.objid FROM pg_depend d
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p_table))
); END $$;

-- Views and materialised views that read a table or a view of it, in an order in which they can be made. Nothing of an OID
-- is in it: a swap makes them anew. `small`: what a materialised view reads is little enough to be read under a lock.
CREATE FUNCTION crossfade.views(p_table oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN RETURN (
  WITH RECURSIVE uses AS (
    SELECT r.ev_class AS oid, 1 AS depth FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
    WHERE d.classid = 'pg_rewrite'::regclass AND r.rulename = '_RETURN' AND r.ev_class <> p_table
      AND ((d.refclassid = 'pg_class'::regclass AND d.refobjid = p_table) OR (d.refclassid = 'pg_type'::regclass
        AND d.refobjid IN (SELECT y.oid FROM pg_type y JOIN pg_class t ON y.oid = t.reltype OR y.typelem = t.reltype WHERE t.oid = p_table)))
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
    'blockers', (SELECT coalesce(jsonb_agg(DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid)), '[]') FROM pg_depend d
      WHERE ((d.refclassid = 'pg_class'::regclass AND d.refobjid = v.oid)
          OR (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (SELECT y.oid FROM pg_type y WHERE y.oid = v.reltype OR y.typelem = v.reltype))
          OR (d.classid = 'pg_class'::regclass AND d.objid = v.oid AND d.refclassid = 'pg_extension'::regclass))
        AND CASE d.classid
          WHEN 'pg_rewrite'::regclass THEN NOT EXISTS (SELECT FROM pg_rewrite w WHERE w.oid = d.objid AND (w.ev_class = v.oid OR w.ev_class IN (SELECT f.oid FROM found f)))
          WHEN 'pg_class'::regclass THEN d.refclassid = 'pg_extension'::regclass OR EXISTS (SELECT FROM pg_class c WHERE c.oid = d.objid AND c.relkind NOT IN ('i', 't'))
          WHEN 'pg_type'::regclass THEN NOT EXISTS (SELECT FROM pg_type y WHERE y.oid = d.objid AND (y.oid = v.reltype OR y.typelem = v.reltype))
          WHEN 'pg_trigger'::regclass THEN NOT EXISTS (SELECT FROM pg_trigger g WHERE g.oid = d.objid AND g.tgrelid = v.oid)
          WHEN 'pg_attrdef'::regclass THEN NOT EXISTS (SELECT FROM pg_attrdef e WHERE e.oid = d.objid AND e.adrelid = v.oid)
          ELSE true END)) ORDER BY f.depth, n.nspname, v.relname), '[]')
  FROM found f JOIN pg_class v ON v.oid = f.oid JOIN pg_namespace n ON n.oid = v.relnamespace
  JOIN pg_rewrite r ON r.ev_class = v.oid AND r.rulename = '_RETURN'
); END $$;

-- What knows a table by its OID and is made again on the one that gets its name.
CREATE FUNCTION crossfade.attached(p_table oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN RETURN jsonb_build_object(
  'views', crossfade.views(p_table), 'rules', crossfade.rules(p_table), 'triggers', crossfade.triggers(p_table),
  'policies', (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
      'name', p.polname, 'own', p.polrelid = p_table, 'permissive', p.polpermissive, 'command', p.polcmd,
      'roles', (SELECT jsonb_agg(CASE r.oid WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r.oid)) END) FROM unnest(p.polroles) r(oid)),
      'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid), 'comment', obj_description(p.oid, 'pg_policy'),
      'table', jsonb_build_object('oid', w.oid::bigint, 'schema', n.nspname, 'name', w.relname, 'relkind', w.relkind, 'ours', pg_has_role(w.relowner, 'USAGE')),
      'uses', crossfade.columns_used('pg_policy', p.oid, p_table)) ORDER BY w.relname, p.polname), '[]')
    FROM pg_policy p JOIN pg_class w ON w.oid = p.polrelid JOIN pg_namespace n ON n.oid = w.relnamespace
    WHERE p.polrelid = p_table OR p.oid IN (SELECT d.objid FROM pg_depend d
      WHERE d.classid = 'pg_policy'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p_table)),
  -- Column lists, filters and schemas came with version 15.
  'publications', (
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
      JOIN pg_namespace n ON n.oid = t.relnamespace WHERE l.schemaname = n.nspname AND l.tablename = t.relname)),
  'statistics', (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
      'schema', n.nspname, 'name', s.stxname, 'definition', pg_get_statisticsobjdef(s.oid), 'owner', quote_ident(pg_get_userbyid(s.stxowner)),
      'ours', pg_has_role(s.stxowner, 'USAGE'), 'target', nullif((to_jsonb(s) ->> 'stxstattarget')::integer, -1), 'comment', obj_description(s.oid, 'pg_statistic_ext'),
      'uses', crossfade.columns_used('pg_statistic_ext', s.oid, p_table)) ORDER BY n.nspname, s.stxname), '[]')
    FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE s.stxrelid = p_table),
  -- Functions whose body is parsed when they are made. Others name tables in a text, which is read anew in each session.
  'functions', (
    SELECT coalesce(jsonb_agg(jsonb_build_object('signature', f.oid::regprocedure::text, 'definition', pg_get_functiondef(f.oid),
      'ours', pg_has_role(f.proowner, 'USAGE'), 'uses', crossfade.columns_used('pg_proc', f.oid, p_table)) ORDER BY f.oid::regprocedure::text), '[]')
    FROM pg_proc f WHERE f.prosqlbody IS NOT NULL AND f.oid IN (SELECT d.objid FROM pg_depend d
      WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p_table))
); END $$;
COMMENT ON FUNCTION crossfade.attached IS 'Views, rules, triggers, policies, publications, statistics and parsed functions of a table, as jsonb.';

-- Everything that hangs on one table, without OIDs of what a swap makes anew and without positions of sequences: two calls
-- agree exactly when nothing was changed between them. search_path is fixed, so every name is written out in full. In plpgsql,
-- since that keeps its plans: the second call of a session, under the locks of a swap, takes a few milliseconds.
CREATE FUNCTION crossfade.table_dependents(p_table oid) RETURNS jsonb
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
        FROM pg_depend d
        WHERE ((d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid)
            OR (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (SELECT y.oid FROM pg_type y WHERE y.oid = t.reltype OR y.typelem = t.reltype)))
          AND CASE d.classid
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

-- After a table or view was made anew: exactly these privileges, whatever ALTER DEFAULT PRIVILEGES gave it.
CREATE FUNCTION crossfade.give_privileges(p_relation regclass, p_grants jsonb, p_columns jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_grant record;
BEGIN
  FOR v_grant IN SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee
    FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = p_relation AND a.grantee <> c.relowner
  LOOP
    EXECUTE format('REVOKE ALL ON TABLE %s FROM %s', p_relation, v_grant.grantee);
  END LOOP;
  FOR v_grant IN SELECT g.grantee, g.privilege, g.grantable, NULL AS name FROM jsonb_to_recordset(p_grants) g(grantee text, privilege text, grantable boolean)
    UNION ALL SELECT g.grantee, g.privilege, g.grantable, c.name FROM jsonb_to_recordset(p_columns) c(name text, grants jsonb),
      LATERAL jsonb_to_recordset(c.grants) g(grantee text, privilege text, grantable boolean)
  LOOP
    EXECUTE format('GRANT %s%s ON TABLE %s TO %s%s', v_grant.privilege, CASE WHEN v_grant.name IS NULL THEN '' ELSE format(' (%I)', v_grant.name) END, p_relation, v_grant.grantee,
      CASE WHEN v_grant.grantable THEN ' WITH GRANT OPTION' ELSE '' END);
  END LOOP;
END $$;

CREATE FUNCTION crossfade.dependents(p_primary oid, p_shadow oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN RETURN (
  SELECT jsonb_build_object(
    'primary', crossfade.table_dependents(p_primary), 'shadow', crossfade.table_dependents(p_shadow),
    -- Names that are taken where new ones will be needed: relations and types share one space per schema.
    'taken', (
      SELECT coalesce(jsonb_agg(DISTINCT x.name), '[]') FROM pg_class t
      JOIN LATERAL (
        SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = t.relnamespace
        UNION SELECT y.typname FROM pg_type y WHERE y.typnamespace = t.relnamespace
      ) x ON starts_with(x.name::text, t.relname::text)
      WHERE t.oid IN (p_primary, p_shadow)))
); END $$;
COMMENT ON FUNCTION crossfade.dependents IS 'Everything that hangs on the two tables of a cutover, as jsonb: what a plan for promotion is made from.';

CREATE FUNCTION crossfade.catalog_fingerprint(p_primary oid, p_shadow oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT md5(crossfade.dependents(p_primary, p_shadow)::text)
$$;
COMMENT ON FUNCTION crossfade.catalog_fingerprint IS 'Equal exactly when crossfade.dependents is.';

-- Applies what is in the outbox, and returns how many hints that were. Under the lock of a swap nobody adds any.
CREATE FUNCTION crossfade.drain(p_id text, p_epoch bigint, p_most integer) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_left integer;
  v_done integer := 0;
  v_result jsonb;
BEGIN
  LOOP
    EXECUTE format('SELECT count(*) FROM (SELECT FROM crossfade.%I LIMIT %s) o', 'outbox_' || p_id, p_most + 1) INTO v_left;
    EXIT WHEN v_left = 0;
    IF v_done + v_left > p_most THEN
      RAISE EXCEPTION 'more than % changes wait to be applied', p_most USING ERRCODE = 'CF003';
    END IF;
    EXECUTE format('SELECT crossfade.%I($1, $2)', 'converge_' || p_id) INTO v_result USING p_epoch, least(p_most, 500);
    IF (v_result ->> 'claimed')::integer IS DISTINCT FROM 0
      AND (v_result ->> 'postponed')::integer = 0 AND (v_result ->> 'quarantined')::integer = 0 THEN
      v_done := v_done + coalesce((v_result ->> 'claimed')::integer, v_left);
      CONTINUE;
    END IF;
    RAISE EXCEPTION '% changes could not be applied yet', v_left USING ERRCODE = 'CF003';
  END LOOP;
  RETURN v_done;
END $$;

ALTER TABLE crossfade.cutover ADD COLUMN abandoned bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN crossfade.cutover.abandoned IS 'No swap that was asked for with this version or a lower one may happen any more.';

ALTER TABLE crossfade.cutover ADD COLUMN keys_aside jsonb NOT NULL DEFAULT '[]';
COMMENT ON COLUMN crossfade.cutover.keys_aside IS 'Foreign keys that were taken off the shadow while it only follows: [{name, definition, …}].';

-- A foreign key of the shadow would make the application's deletes in the referenced table fail until the mirror has followed.
-- One that the primary has, too, tells nothing new about mirrored rows: it is kept here until the shadow is a table of its own.
CREATE FUNCTION crossfade.set_keys_aside(p_id text, p_names text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v record;
BEGIN
  FOR v IN SELECT k.oid, k.conname, k.conrelid::regclass AS shadow FROM crossfade.cutover c JOIN pg_constraint k ON k.conrelid = c.shadow_oid
    WHERE c.id = p_id AND k.contype = 'f' AND k.conname = ANY (p_names) ORDER BY k.conname
  LOOP
    UPDATE crossfade.cutover c SET keys_aside = c.keys_aside || jsonb_build_array(
      crossfade.foreign_key(v.oid) || jsonb_build_object('definition', pg_get_constraintdef(v.oid))) WHERE c.id = p_id;
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', v.shadow, v.conname);
  END LOOP;
END $$;

-- Not validated, which needs a transaction of its own.
CREATE FUNCTION crossfade.give_keys_back(p_id text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v record;
BEGIN
  FOR v IN SELECT k ->> 'name' AS name, regexp_replace(k ->> 'definition', ' NOT VALID$', '') AS definition, k ->> 'comment' AS comment, t.oid::regclass AS shadow
    FROM crossfade.cutover c JOIN pg_class t ON t.oid = c.shadow_oid, jsonb_array_elements(c.keys_aside) k
    WHERE c.id = p_id AND NOT EXISTS (SELECT FROM pg_constraint x WHERE x.conrelid = t.oid AND x.conname = k ->> 'name')
  LOOP
    EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s NOT VALID', v.shadow, v.name, v.definition);
    IF v.comment IS NOT NULL THEN EXECUTE format('COMMENT ON CONSTRAINT %I ON %s IS %L', v.name, v.shadow, v.comment); END IF;
  END LOOP;
  UPDATE crossfade.cutover c SET keys_aside = '[]' WHERE c.id = p_id;
END $$;

-- Giving up, under the lock that a swap holds from its first statement on: either it is over, or it will never be.
--
--   a late call   ·········· lock, version ≤ abandoned → nothing
--   whoever waits  lock, abandoned := version, given up
CREATE FUNCTION crossfade.abandon(p_id text, p_epoch bigint, p_version bigint) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_epoch bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
  SELECT c.epoch INTO v_epoch FROM crossfade.cutover c WHERE c.id = p_id;
  IF v_epoch >= p_epoch THEN RETURN jsonb_build_object('kind', 'swapped'); END IF;
  UPDATE crossfade.cutover c SET abandoned = greatest(c.abandoned, p_version) WHERE c.id = p_id;
  RETURN jsonb_build_object('kind', 'abandoned');
END $$;
COMMENT ON FUNCTION crossfade.abandon IS
  'Before the swap to this epoch is given up. Returns {kind: swapped} when it has happened, else {kind: abandoned}: no call for it with this version or a lower one will change anything.';

-- One transaction: the other direction, the other names, the other epoch. Either all of it is there, or none.
--
--   advisory lock, epoch, fingerprint, drain ─┬─ LOCK TABLE … drain the rest, statements, mirror ─┬─ commit
--   the application works                     └─ the application waits: a few milliseconds        ┘
--
-- p_views (names) are locked first and in their order: a view before what it reads, since its users take it first. Then
-- p_tables, by OID.
-- CF001 another epoch, CF002 the catalog is not what the plan was made from, CF003 not now, 55P03 no lock in time, 40P01: these
-- are answers, {kind: postponed, sqlstate, why, holders}, and whatever had been done by then is undone.
CREATE FUNCTION crossfade.swap(
  p_id text, p_from bigint, p_to bigint, p_direction text, p_stage text, p_version bigint,
  p_views text[], p_tables oid[], p_statements text[], p_fingerprint text, p_plan jsonb, p_most integer
) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
  v crossfade.cutover%ROWTYPE;
  v_table oid;
  v_statement text;
  v_key text;
  v_count bigint;
  v_asked timestamptz;
  v_since timestamptz;
  v_complete timestamptz;
  v_drained integer;
  v_locked oid[] := coalesce((SELECT array_agg(coalesce(to_regclass(n), 0)::oid ORDER BY place) FROM unnest(p_views) WITH ORDINALITY x(n, place)), '{}') || p_tables;
BEGIN
  BEGIN
    PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
    SELECT * INTO v FROM crossfade.cutover c WHERE c.id = p_id;
    IF v.epoch = p_to AND v.direction = p_direction THEN RETURN jsonb_build_object('kind', 'already'); END IF;
    IF v.epoch IS DISTINCT FROM p_from THEN
      RAISE EXCEPTION 'the database is at epoch %, not at %', coalesce(v.epoch::text, 'none'), p_from USING ERRCODE = 'CF001';
    END IF;
    IF p_version <= v.abandoned THEN
      RAISE EXCEPTION 'this swap was given up before it began' USING ERRCODE = 'CF001';
    END IF;
    SELECT count(*), min(q.key) INTO v_count, v_key FROM crossfade.quarantine q WHERE q.cutover = p_id;
    IF v_count > 0 THEN
      RAISE EXCEPTION '% keys are in quarantine, first %', v_count, v_key USING ERRCODE = 'CF003';
    END IF;
    -- Nothing else says that every row is there: a hint exists only for what was written since capture was armed.
    IF p_direction = 'reverse' AND NOT EXISTS (SELECT FROM crossfade.backfill b WHERE b.cutover = p_id AND b.state = 'done') THEN
      RAISE EXCEPTION 'the backfill is not done' USING ERRCODE = 'CF003';
    END IF;
    -- Before the lock: to fail early, and so that the same calls are quick under it.
    IF crossfade.catalog_fingerprint(v.primary_oid, v.shadow_oid) IS DISTINCT FROM p_fingerprint THEN
      RAISE EXCEPTION 'the tables were changed after the plan was made' USING ERRCODE = 'CF002';
    END IF;
    PERFORM crossfade.drain(p_id, p_from, 20 * p_most);

    v_asked := clock_timestamp();
    FOREACH v_table IN ARRAY v_locked LOOP
      IF v_since IS NOT NULL THEN
        PERFORM set_config('lock_timeout', greatest(1, 200 - round(1000 * extract(epoch FROM clock_timestamp() - v_since)))::text, true);
      END IF;
      -- LOCK TABLE on a view goes on to everything that it reads; an owner who stays the same only locks the view.
      SELECT CASE WHEN c.relkind IN ('v', 'm') THEN format('ALTER TABLE %s OWNER TO %I', c.oid::regclass, pg_get_userbyid(c.relowner))
        ELSE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', c.oid::regclass) END
      INTO v_statement FROM pg_class c WHERE c.oid = v_table;
      IF v_statement IS NULL THEN
        RAISE EXCEPTION 'a table or view was dropped after the plan was made' USING ERRCODE = 'CF002';
      END IF;
      EXECUTE v_statement;
      v_since := coalesce(v_since, clock_timestamp());
    END LOOP;
    v_complete := clock_timestamp();

    -- A transaction that reads one snapshot throughout would see the new table as of its beginning.
    SELECT count(*), min(format('%s (process %s)', coalesce(nullif(a.application_name, ''), 'a client'), a.pid)) INTO v_count, v_key
    FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
      AND a.state LIKE 'idle in transaction%' AND a.backend_xmin IS NOT NULL;
    IF v_count > 0 THEN
      RAISE EXCEPTION 'an open transaction holds an old snapshot: %', v_key USING ERRCODE = 'CF003';
    END IF;
    IF crossfade.catalog_fingerprint(v.primary_oid, v.shadow_oid) IS DISTINCT FROM p_fingerprint THEN
      RAISE EXCEPTION 'the tables were changed after the plan was made' USING ERRCODE = 'CF002';
    END IF;
    v_drained := crossfade.drain(p_id, p_from, p_most);
    -- A deferred constraint that is still to be checked keeps its table from being altered.
    SET CONSTRAINTS ALL IMMEDIATE;

    FOREACH v_statement IN ARRAY p_statements LOOP
      EXECUTE v_statement;
    END LOOP;
    UPDATE crossfade.cutover c SET direction = p_direction, epoch = p_to, version = greatest(c.version, p_version), stage = p_stage,
      plan = p_plan, shadow_writes = p_direction <> 'none', read_ppm = CASE p_direction WHEN 'none' THEN 0 ELSE 1000000 END
    WHERE c.id = p_id;
    RETURN jsonb_build_object('kind', 'swapped', 'drained', v_drained,
      'lockHeldMs', round((1000 * extract(epoch FROM clock_timestamp() - v_since))::numeric, 1),
      'waitedMs', round((1000 * extract(epoch FROM v_complete - v_asked))::numeric, 1));
  EXCEPTION WHEN SQLSTATE 'CF001' OR SQLSTATE 'CF002' OR SQLSTATE 'CF003' OR lock_not_available OR deadlock_detected THEN
    RETURN jsonb_build_object('kind', 'postponed', 'sqlstate', SQLSTATE, 'why', SQLERRM, 'holders', (
      SELECT coalesce(jsonb_agg(to_jsonb(h)), '[]') FROM crossfade.lock_holders(p_id, v_locked) h));
  END;
END $$;
COMMENT ON FUNCTION crossfade.swap IS 'Carries out a plan of promotion or its way back. Returns {kind: swapped, lockHeldMs, waitedMs, drained}, {kind: already} or {kind: postponed, why}.';

CREATE FUNCTION crossfade.lock_holders(p_id text, p_tables oid[]) RETURNS TABLE (pid integer, application text, state text, seconds integer)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT a.pid, a.application_name, a.state, round(extract(epoch FROM clock_timestamp() - a.xact_start))::integer
  FROM pg_stat_activity a
  WHERE a.pid <> pg_backend_pid() AND EXISTS (
    SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.granted
      AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
      AND (l.relation = ANY (p_tables) OR (l.locktype = 'advisory' AND l.objsubid = 1
        AND (l.classid::bigint << 32 | l.objid::bigint) = crossfade.lock_key(p_id))))
  ORDER BY a.xact_start NULLS LAST
$$;
COMMENT ON FUNCTION crossfade.lock_holders IS 'Who holds locks that a swap waits for, oldest transaction first.';

REVOKE ALL ON FUNCTION crossfade.columns_used, crossfade.triggers, crossfade.rules, crossfade.views, crossfade.attached,
  crossfade.give_privileges, crossfade.grants, crossfade.foreign_key, crossfade.table_dependents, crossfade.dependents,
  crossfade.catalog_fingerprint, crossfade.drain, crossfade.set_keys_aside,
  crossfade.give_keys_back, crossfade.abandon, crossfade.swap, crossfade.lock_holders FROM PUBLIC;
