-- Why: functions that run with the owner's rights had the schemas of the tables in their path. Where somebody else may create in such a schema, a function
-- or an operator that fits better than the one of the catalog was called, with the rights of the owner. Now nothing but pg_catalog is in the path of anything of ours:
-- these functions say which operators the types of a table have, to which objects the names of a declared expression lead, and whose code
-- runs when rows are written.
--
-- Lock: none; functions are made and replaced. Duration: milliseconds. What was armed before keeps its functions until it is armed or
-- adopted again: crossfade adopt.
-- Undo: DROP FUNCTION of each new one; crossfade.check_roles, crossfade.set_indexes_aside, crossfade.lock_key and crossfade.multiply_32 as they were before.

-- Small enough to become part of the statement that calls them, and so without a path of their own.
CREATE OR REPLACE FUNCTION crossfade.lock_key(id text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT pg_catalog.hashtextextended('crossfade:'::pg_catalog.text OPERATOR(pg_catalog.||) id, 0::pg_catalog.int8) $$;
CREATE OR REPLACE FUNCTION crossfade.multiply_32(a bigint, b bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
  SELECT ((a OPERATOR(pg_catalog.&) 65535::pg_catalog.int8) OPERATOR(pg_catalog.*) b OPERATOR(pg_catalog.+)
    ((((a OPERATOR(pg_catalog.>>) 16) OPERATOR(pg_catalog.*) (b OPERATOR(pg_catalog.&) 65535::pg_catalog.int8))
      OPERATOR(pg_catalog.&) 65535::pg_catalog.int8) OPERATOR(pg_catalog.<<) 16)) OPERATOR(pg_catalog.&) 4294967295::pg_catalog.int8
$$;

CREATE FUNCTION crossfade.operator_schemas(p_table oid) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  WITH RECURSIVE under AS (
    -- Types of the catalog have its operators.
    SELECT a.attname, a.atttypid AS type FROM pg_attribute a WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384
    UNION ALL
    SELECT u.attname, y.typbasetype FROM under u JOIN pg_type y ON y.oid = u.type WHERE y.typtype = 'd'
  )
  SELECT coalesce(jsonb_object_agg(u.attname, n.nspname), '{}') FROM under u JOIN pg_opclass o ON o.opcintype = u.type AND o.opcdefault
  JOIN pg_am m ON m.oid = o.opcmethod AND m.amname = 'btree'
  JOIN pg_amop a ON a.amopfamily = o.opcfamily AND a.amoplefttype = o.opcintype AND a.amoprighttype = o.opcintype AND a.amopstrategy = 3
  JOIN pg_operator e ON e.oid = a.amopopr JOIN pg_namespace n ON n.oid = e.oprnamespace AND n.nspname <> 'pg_catalog'
$$;
COMMENT ON FUNCTION crossfade.operator_schemas IS
  'Schema of the operators of each column''s type, by its default btree class: {column: schema}, without those of pg_catalog.';

CREATE FUNCTION crossfade.is_trusted(p_role oid, p_tables oid[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT p_role = 'pg_database_owner'::regrole OR EXISTS (
    SELECT FROM pg_roles r CROSS JOIN (
      SELECT o.oid FROM pg_roles o WHERE o.rolname = current_user
      UNION ALL SELECT d.datdba FROM pg_database d WHERE d.datname = current_database()
      UNION ALL SELECT c.relowner FROM pg_class c WHERE c.oid = ANY (p_tables)) trusted
    WHERE r.oid = p_role AND pg_has_role(r.oid, trusted.oid, 'MEMBER'))
$$;
COMMENT ON FUNCTION crossfade.is_trusted IS
  'Whether a role has the rights of the caller, of the database or of one of these tables anyway: a superuser, one of their owners, or a member of one.';

CREATE FUNCTION crossfade.creators(p_schema oid, p_tables oid[]) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT array_agg(DISTINCT CASE x.grantee WHEN 0 THEN 'everybody' ELSE pg_get_userbyid(x.grantee)::text END) FROM pg_namespace n
  CROSS JOIN LATERAL (
    SELECT a.grantee FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a WHERE a.privilege_type = 'CREATE' UNION ALL SELECT n.nspowner) x
  WHERE n.oid = p_schema AND (x.grantee = 0 OR NOT crossfade.is_trusted(x.grantee, p_tables))
$$;
COMMENT ON FUNCTION crossfade.creators IS
  'Roles that are not trusted (crossfade.is_trusted) and may create in a schema, its owner among them; NULL when there is none.';

CREATE FUNCTION crossfade.names_lost(p_function oid) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  WITH body AS (
    SELECT regexp_replace(f.prosrc, '--[^\n]*|/\*.*?\*/|''(?:[^'']|'''')*''', ' ', 'g') AS code
    FROM pg_proc f JOIN pg_language l ON l.oid = f.prolang
    WHERE f.oid = p_function AND l.lanname IN ('sql', 'plpgsql') AND f.prosqlbody IS NULL
      AND NOT EXISTS (SELECT FROM unnest(f.proconfig) s WHERE s LIKE 'search\_path=%')
  ), named AS (
    SELECT CASE WHEN m[2] LIKE '"%' THEN replace(trim(BOTH '"' FROM m[2]), '""', '"') ELSE lower(m[2]) END AS name, m[1] IS NOT NULL AS relation
    FROM body b CROSS JOIN LATERAL (
      SELECT r AS m FROM regexp_matches(b.code, '\m(from|join|into|update|only|table)\s+("(?:[^"]|"")+"|[a-z_]\w*)(?![\w."])', 'gi') r
      UNION ALL SELECT ARRAY[NULL, r[1]] FROM regexp_matches(b.code, '(?<![.\w"])("(?:[^"]|"")+"|[a-z_]\w*)\s*\(', 'gi') r) x
  )
  SELECT array_agg(DISTINCT n.name) FROM named n WHERE CASE WHEN n.relation
    THEN EXISTS (SELECT FROM pg_class c WHERE c.relname = n.name AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'crossfade'::regnamespace))
      AND NOT EXISTS (SELECT FROM pg_class c WHERE c.relname = n.name AND c.relnamespace = 'pg_catalog'::regnamespace)
    ELSE EXISTS (SELECT FROM pg_proc f WHERE f.proname = n.name AND f.pronamespace NOT IN ('pg_catalog'::regnamespace, 'crossfade'::regnamespace))
      AND NOT EXISTS (SELECT FROM pg_proc f WHERE f.proname = n.name AND f.pronamespace = 'pg_catalog'::regnamespace) END
$$;
COMMENT ON FUNCTION crossfade.names_lost IS
  'Tables and functions that the body of a function names without their schema, and does not find where only pg_catalog is in the path: it has no path of its own. NULL when there is none.';

CREATE FUNCTION crossfade.resolved(p_query text, p_path text, p_tables oid[]) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET quote_all_identifiers = off AS $$
DECLARE
  v_view CONSTANT text := 'crossfade.look_' || pg_backend_pid();
  v_parse CONSTANT text := format('CREATE VIEW %s AS %s', v_view, p_query);
  v_found jsonb;
BEGIN
  PERFORM set_config('search_path', p_path, true);
  -- Parsed and not planned: a plan would already run what is immutable. Nothing else is said under this path.
  EXECUTE v_parse;
  PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  WITH tree AS (
    -- Beside a relation of this name, what is selected is all that counts: the rows have columns that are not used.
    SELECT coalesce(substring(r.ev_action::text FROM ':aliasname crossfade_beside.*?:targetList \((.*)$'), r.ev_action::text) AS nodes
    FROM pg_rewrite r WHERE r.ev_class = v_view::regclass
  ), named AS (
    SELECT m[1] AS field, unnest(regexp_matches(m[2], '\d+', 'g'))::oid AS oid FROM tree r
    CROSS JOIN LATERAL regexp_matches(r.nodes, ':(funcid|aggfnoid|winfnoid|opno|opnos|eqop|sortop|resulttype|consttype|vartype|relid) (\(o[\d ]*\)|\d+)', 'g') m
  ), object AS (
    SELECT DISTINCT CASE WHEN n.field IN ('funcid', 'aggfnoid', 'winfnoid') THEN 'function' WHEN n.field IN ('opno', 'opnos', 'eqop', 'sortop') THEN 'operator'
      WHEN n.field = 'relid' THEN 'relation' ELSE 'type' END AS kind, n.oid FROM named n
  ), described AS (
    SELECT o.kind, f.oid::regprocedure::text AS name, f.pronamespace AS schema, f.proowner AS owner, f.oid AS function,
      f.provariadic <> 0 OR f.pronargdefaults > 0 OR EXISTS (SELECT FROM unnest(f.proargtypes) a(type) JOIN pg_type y ON y.oid = a.type WHERE y.typtype = 'p') AS loose
    FROM object o JOIN pg_proc f ON o.kind = 'function' AND f.oid = o.oid
    UNION ALL
    SELECT o.kind, p.oid::regoperator::text, p.oprnamespace, p.oprowner, p.oprcode::oid,
      EXISTS (SELECT FROM pg_type y WHERE y.oid IN (p.oprleft, p.oprright) AND y.typtype = 'p')
    FROM object o JOIN pg_operator p ON o.kind = 'operator' AND p.oid = o.oid
    UNION ALL
    SELECT 'function', f.oid::regprocedure::text, f.pronamespace, f.proowner, f.oid, false
    FROM object o JOIN pg_operator p ON o.kind = 'operator' AND p.oid = o.oid JOIN pg_proc f ON f.oid = p.oprcode
    UNION ALL
    SELECT o.kind, y.oid::regtype::text, y.typnamespace, y.typowner, NULL, false
    FROM object o JOIN pg_type y ON o.kind = 'type' AND y.oid = o.oid WHERE NOT y.typrelid = ANY (p_tables)
    UNION ALL
    SELECT 'view', c.oid::regclass::text, c.relnamespace, c.relowner, NULL, false
    FROM object o JOIN pg_class c ON o.kind = 'relation' AND c.oid = o.oid WHERE c.relkind = 'v' AND c.oid <> v_view::regclass
  )
  SELECT jsonb_build_object('definition', pg_get_viewdef(v_view::regclass),
    'meaning', (SELECT string_agg(n.field || ' ' || n.oid, ',') FROM named n WHERE n.field <> 'relid'),
    'outside', coalesce((SELECT jsonb_agg(jsonb_build_object('kind', d.kind, 'name', d.name, 'owner', pg_get_userbyid(d.owner),
        'trusted', crossfade.is_trusted(d.owner, p_tables), 'replaceable', CASE WHEN d.loose THEN to_jsonb(crossfade.creators(d.schema, p_tables)) END,
        'lost', to_jsonb(crossfade.names_lost(d.function))) ORDER BY d.kind, d.name)
      FROM described d WHERE d.schema NOT IN ('pg_catalog'::regnamespace, 'crossfade'::regnamespace, 'information_schema'::regnamespace)), '[]'))
  INTO v_found;
  RAISE EXCEPTION 'seen' USING ERRCODE = 'CF012';
EXCEPTION WHEN SQLSTATE 'CF012' THEN
  RETURN v_found;
END $$;
COMMENT ON FUNCTION crossfade.resolved IS
  'What a query means under a path: {definition: the query with each name in full, meaning: the objects in their order, outside: those that are not of the catalog}. It is neither planned nor run, and the view that it is parsed by is rolled back.';

CREATE FUNCTION crossfade.written_code(p_primary oid, p_shadow oid) RETURNS TABLE (object text, name text, owner text, foisted boolean, lost text[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  WITH RECURSIVE domain AS (
    SELECT a.atttypid AS type FROM pg_attribute a WHERE a.attrelid IN (p_primary, p_shadow) AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384
    UNION SELECT y.typbasetype FROM domain d JOIN pg_type y ON y.oid = d.type WHERE y.typtype = 'd'
  ), part AS (
    SELECT 'pg_attrdef'::regclass AS class, e.oid FROM pg_attrdef e WHERE e.adrelid IN (p_primary, p_shadow)
    UNION ALL SELECT 'pg_constraint'::regclass, c.oid FROM pg_constraint c WHERE c.conrelid IN (p_primary, p_shadow) AND c.contype IN ('c', 'x')
    UNION ALL SELECT 'pg_constraint'::regclass, c.oid FROM domain d JOIN pg_constraint c ON c.contypid = d.type
    UNION ALL SELECT 'pg_class'::regclass, x.indexrelid FROM pg_index x WHERE x.indrelid IN (p_primary, p_shadow)
    -- Those of the table in use never run for a row that Crossfade writes.
    UNION ALL SELECT 'pg_trigger'::regclass, g.oid FROM pg_trigger g WHERE g.tgrelid = p_shadow AND NOT g.tgisinternal AND g.tgenabled IN ('O', 'A')
  ), called AS (
    SELECT p.class, p.oid, coalesce(o.oprcode::oid, d.refobjid) AS function FROM part p
    CROSS JOIN LATERAL (SELECT x.refclassid, x.refobjid FROM pg_depend x WHERE x.classid = p.class AND x.objid = p.oid
      AND x.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass) OFFSET 0) d
    LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
  )
  SELECT DISTINCT pg_describe_object(c.class, c.oid, 0), f.oid::regprocedure::text, pg_get_userbyid(f.proowner)::text,
    c.class = 'pg_trigger'::regclass AND NOT crossfade.is_trusted(f.proowner, ARRAY[p_primary, p_shadow]), crossfade.names_lost(f.oid)
  FROM called c JOIN pg_proc f ON f.oid = c.function
  WHERE f.pronamespace NOT IN ('pg_catalog'::regnamespace, 'crossfade'::regnamespace)
$$;
COMMENT ON FUNCTION crossfade.written_code IS
  'Functions that run when Crossfade writes a row of these tables, and by what: triggers of the shadow that are on, defaults, constraints, domains, indexes. `foisted`: by a trigger whose function is of a role that is not trusted (crossfade.is_trusted). `lost`: crossfade.names_lost.';

CREATE OR REPLACE FUNCTION crossfade.check_roles(p_primary oid, p_shadow oid) RETURNS SETOF crossfade.finding
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
WITH t AS (SELECT c.relname, c.relowner, c.relnamespace FROM pg_class c WHERE c.oid IN (p_primary, p_shadow)),
runtime AS (SELECT r.oid, (SELECT array_agg(x) FROM pg_db_role_setting g, unnest(g.setconfig) x
    WHERE g.setrole = r.oid AND g.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))) AS settings
  FROM pg_roles r WHERE r.rolname = 'crossfade_runtime'),
-- Of the tables and of the types of their columns, and the one that most sessions have in their path.
schema AS (
  SELECT n.nspname, crossfade.creators(n.oid, ARRAY[p_primary, p_shadow]) AS roles FROM pg_namespace n
  WHERE n.oid IN (SELECT t.relnamespace FROM t) OR n.nspname IN ('public', 'crossfade')
    OR n.oid IN (SELECT y.typnamespace FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid WHERE a.attrelid IN (p_primary, p_shadow) AND y.typnamespace <> 'pg_catalog'::regnamespace))
SELECT crossfade.finding('owner of the tables', count(*) FILTER (WHERE NOT pg_has_role(t.relowner, 'USAGE')) > 0, 'fail', string_agg(DISTINCT pg_get_userbyid(t.relowner), ', '), current_user::text, 'The owner role of Crossfade must be a member of the role that owns the tables: GRANT owner TO crossfade_owner.') FROM t
UNION ALL SELECT crossfade.finding('right to rename', count(*) FILTER (WHERE NOT (has_schema_privilege(t.relowner, t.relnamespace, 'CREATE') AND has_schema_privilege(t.relnamespace, 'CREATE'))) > 0, 'fail',
  CASE WHEN bool_and(has_schema_privilege(t.relowner, t.relnamespace, 'CREATE') AND has_schema_privilege(t.relnamespace, 'CREATE')) THEN 'CREATE in the schema' ELSE 'no CREATE in the schema' END, 'CREATE in the schema', 'GRANT CREATE ON SCHEMA … TO the owner of the table and the owner role of Crossfade.') FROM t
UNION ALL SELECT crossfade.finding('schemas in which others may create', count(*) > 0, 'warn', coalesce(string_agg(format('%s: %s', s.nspname, array_to_string(s.roles, ', ')), '; ' ORDER BY s.nspname), 'none'), 'none',
  'What others create there can take the place of a function or an operator in statements of the application and of its functions. Crossfade names its own in full. ' || coalesce(string_agg(format('REVOKE CREATE ON SCHEMA %I FROM %s', s.nspname, (
    SELECT string_agg(CASE r WHEN 'everybody' THEN 'PUBLIC' ELSE quote_ident(r) END, ', ') FROM unnest(s.roles) r)), '; ' ORDER BY s.nspname), ''))
  FROM schema s WHERE s.roles IS NOT NULL
UNION ALL SELECT crossfade.finding('runtime role', NOT EXISTS (SELECT FROM runtime), 'warn', CASE WHEN EXISTS (SELECT FROM runtime) THEN 'crossfade_runtime' ELSE 'none' END, 'crossfade_runtime',
  'CREATE ROLE crossfade_runtime LOGIN, then crossfade migrate on a new database, or grant what 0001 grants: functions should own nothing.')
UNION ALL SELECT crossfade.finding(s.name || ' of the runtime role', NOT coalesce((SELECT r.settings::text LIKE '%' || s.name || '=%' AND r.settings::text NOT LIKE '%' || s.name || '=0%' FROM runtime r), false), 'warn',
  coalesce((SELECT split_part(x, '=', 2) FROM runtime r, unnest(r.settings) x WHERE x LIKE s.name || '=%' LIMIT 1), 'not set'), s.wanted, format('ALTER ROLE crossfade_runtime SET %s = ''%s'';', s.name, s.wanted))
  FROM (VALUES ('statement_timeout', '5s'), ('lock_timeout', '1s'), ('idle_in_transaction_session_timeout', '10s')) s (name, wanted)
$$;

-- An index is built again by a statement of its own, which has the path of the session. One stays whose expression or condition calls what takes values of any
-- type, where something that fits better could be found then; and each that has one, where the path has the catalog behind others.
CREATE OR REPLACE FUNCTION crossfade.set_indexes_aside(p_id text, p_shadow oid) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v record;
  v_count integer := 0;
BEGIN
  DELETE FROM crossfade.index_aside a WHERE a.cutover = p_id AND a.shadow <> p_shadow;
  FOR v IN
    SELECT c.oid, c.relname, n.nspname, pg_get_indexdef(c.oid) AS definition, obj_description(c.oid, 'pg_class') AS comment
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE i.indrelid = p_shadow AND c.relkind = 'i' AND c.reltablespace = 0 AND i.indisvalid
      AND (i.indexprs IS NULL AND i.indpred IS NULL OR (SELECT s.reset_val !~ 'pg_catalog' FROM pg_settings s WHERE s.name = 'search_path') AND NOT EXISTS (
        SELECT FROM regexp_matches(concat(i.indexprs::text, i.indpred::text), ':(funcid|opno|opnos) (\(o[\d ]*\)|\d+)', 'g') m
        CROSS JOIN LATERAL regexp_matches(m[2], '\d+', 'g') x LEFT JOIN pg_operator o ON m[1] <> 'funcid' AND o.oid = x[1]::oid
        JOIN pg_proc f ON f.oid = CASE m[1] WHEN 'funcid' THEN x[1]::oid ELSE o.oprcode::oid END
        WHERE f.provariadic <> 0 OR f.pronargdefaults > 0 OR EXISTS (SELECT FROM unnest(f.proargtypes) a(type) JOIN pg_type y ON y.oid = a.type WHERE y.typtype = 'p')))
      AND NOT (i.indisunique OR i.indisexclusion OR i.indisprimary OR i.indisreplident OR i.indisclustered)
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid)
      AND NOT EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid = c.oid AND (to_jsonb(t) ->> 'attstattarget')::integer >= 0)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'x'))
  LOOP
    INSERT INTO crossfade.index_aside AS a (cutover, shadow, name, schema, definition, comment)
    VALUES (p_id, p_shadow, v.relname, v.nspname, v.definition, v.comment)
    ON CONFLICT (cutover, name) DO UPDATE SET definition = EXCLUDED.definition, comment = EXCLUDED.comment;
    EXECUTE format('DROP INDEX %I.%I', v.nspname, v.relname);
    v_count := v_count + 1;
  END LOOP;
  RETURN v_count;
END $$;

REVOKE ALL ON FUNCTION crossfade.operator_schemas, crossfade.is_trusted, crossfade.creators, crossfade.names_lost, crossfade.resolved, crossfade.written_code FROM PUBLIC;
