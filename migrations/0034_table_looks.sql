-- Why: what a table is like was read by one statement with many parts, which each call planned again: 15 ms of the server for 3 ms of reading,
-- at each start, preview, promotion and cleanup. As a function it is planned once in a session.
--
-- Lock: none; a function is made. Duration: milliseconds.
-- Undo: DROP FUNCTION crossfade.table_looks.

-- Types and defaults are written out with their schemas, since nothing but pg_catalog is in the path.
-- `OFFSET 0` has a type looked up by its oid. Without it the whole of pg_type is read for each column of a table.
CREATE FUNCTION crossfade.table_looks(p_oids oid[]) RETURNS TABLE (place integer, shape jsonb, readable boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN RETURN QUERY
  SELECT t.place::integer, jsonb_build_object(
    'oid', t.oid::bigint, 'schema', t.nspname, 'name', t.relname, 'relkind', t.relkind, 'estimatedRows', t.reltuples::float8,
    'columns', coalesce((
      SELECT jsonb_agg(jsonb_build_object(
        'name', a.attname,
        'number', a.attnum,
        'type', format_type(a.atttypid, a.atttypmod),
        'base', CASE WHEN under.oid <> a.atttypid OR item.oid <> e.oid THEN format_type(coalesce(item.array, under.oid), coalesce(item.typmod, under.typmod)) END,
        'kind', b.typtype,
        'schemas', (SELECT jsonb_agg(DISTINCT s.nspname) FROM pg_type x JOIN pg_namespace s ON s.oid = x.typnamespace
          WHERE x.oid IN (b.oid, item.oid, r.rngsubtype) AND s.nspname <> 'pg_catalog'),
        'hashes', EXISTS (
          SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod
          JOIN pg_amproc f ON f.amprocfamily = o.opcfamily AND f.amproclefttype = o.opcintype AND f.amprocrighttype = o.opcintype AND f.amprocnum = 2
          WHERE m.amname = 'hash' AND o.opcdefault AND (o.opcintype = b.oid
          OR o.opcintype = CASE b.typtype WHEN 'e' THEN 'anyenum'::regtype::oid WHEN 'r' THEN 'anyrange'::regtype::oid WHEN 'm' THEN 'anymultirange'::regtype::oid END
          OR EXISTS (SELECT FROM pg_cast k WHERE k.castsource = b.oid AND k.casttarget = o.opcintype AND k.castmethod = 'b' AND k.castcontext = 'i'))) AND (r.rngsubtype IS NULL OR EXISTS (SELECT FROM pg_type g WHERE g.oid = r.rngsubtype AND EXISTS (
          SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod
          JOIN pg_amproc f ON f.amprocfamily = o.opcfamily AND f.amproclefttype = o.opcintype AND f.amprocrighttype = o.opcintype AND f.amprocnum = 2
          WHERE m.amname = 'hash' AND o.opcdefault AND (o.opcintype = g.oid
          OR o.opcintype = CASE g.typtype WHEN 'e' THEN 'anyenum'::regtype::oid WHEN 'r' THEN 'anyrange'::regtype::oid WHEN 'm' THEN 'anymultirange'::regtype::oid END
          OR EXISTS (SELECT FROM pg_cast k WHERE k.castsource = g.oid AND k.casttarget = o.opcintype AND k.castmethod = 'b' AND k.castcontext = 'i'))))),
        'notNull', a.attnotnull,
        'defaultSql', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
        'generated', a.attgenerated <> '',
        'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'default' END,
        'deterministic', coalesce(l.collisdeterministic, true),
        'collation', CASE WHEN a.attcollation <> y.typcollation THEN a.attcollation::regcollation::text END
      ) ORDER BY a.attnum)
      FROM pg_attribute a
      JOIN pg_type y ON y.oid = a.atttypid
      CROSS JOIN LATERAL (
        WITH RECURSIVE under AS (
          SELECT a.atttypid AS oid, a.atttypmod AS typmod, 0 AS depth
          UNION ALL
          SELECT d.typbasetype, d.typtypmod, u.depth + 1 FROM under u
          CROSS JOIN LATERAL (SELECT y.typtype, y.typbasetype, y.typtypmod FROM pg_type y WHERE y.oid = u.oid OFFSET 0) d
          WHERE d.typtype = 'd'
        ) SELECT u.oid, u.typmod FROM under u ORDER BY u.depth DESC LIMIT 1) under
      JOIN pg_type b ON b.oid = under.oid
      LEFT JOIN pg_range r ON b.oid IN (r.rngtypid, r.rngmultitypid)
      LEFT JOIN pg_type e ON e.oid = b.typelem AND e.typarray = b.oid
      LEFT JOIN LATERAL (
        SELECT u.oid, u.typmod, w.typarray AS array FROM LATERAL (
        WITH RECURSIVE under AS (
          SELECT e.oid AS oid, under.typmod AS typmod, 0 AS depth
          UNION ALL
          SELECT d.typbasetype, d.typtypmod, u.depth + 1 FROM under u
          CROSS JOIN LATERAL (SELECT y.typtype, y.typbasetype, y.typtypmod FROM pg_type y WHERE y.oid = u.oid OFFSET 0) d
          WHERE d.typtype = 'd'
        ) SELECT u.oid, u.typmod FROM under u ORDER BY u.depth DESC LIMIT 1) u
        JOIN pg_type w ON w.oid = u.oid) item ON true
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      LEFT JOIN pg_collation l ON l.oid = a.attcollation
      WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    ), '[]'),
    'uniques', (
      SELECT coalesce(jsonb_agg(jsonb_build_object('names', u.names, 'unusable', u.unusable)
        ORDER BY u.indisprimary DESC, jsonb_array_length(u.names), u.indexrelid), '[]') FROM (
        SELECT i.indexrelid, i.indisprimary, CASE
          WHEN m.amname <> 'btree' THEN 'its index ' || c.relname || ' is of the kind ' || m.amname
          ELSE (
            SELECT 'its index ' || c.relname || CASE WHEN NOT l.collisdeterministic THEN ' has a nondeterministic collation'
              WHEN e.oprname <> '=' OR NOT less.named THEN ' is of a type whose order is not the one of <, = and >'
              WHEN NOT e.oprcanmerge THEN ' is of operator class ' || o.opcname || ', whose equality no merge join can use'
              ELSE ' is of operator class ' || o.opcname || ', whose equality is not the one of the type' END
            FROM ROWS FROM (unnest(i.indclass::oid[]), unnest(i.indcollation::oid[])) WITH ORDINALITY k(class, collated, place)
            JOIN pg_opclass o ON o.oid = k.class
            JOIN pg_amop a ON a.amopfamily = o.opcfamily AND a.amoplefttype = o.opcintype AND a.amoprighttype = o.opcintype AND a.amopstrategy = 3
            JOIN pg_operator e ON e.oid = a.amopopr
            LEFT JOIN pg_collation l ON l.oid = k.collated
            CROSS JOIN LATERAL (
              SELECT count(*) = 2 AS named FROM pg_opclass d
              JOIN pg_amop x ON x.amopfamily = d.opcfamily AND x.amoplefttype = d.opcintype AND x.amoprighttype = d.opcintype
              JOIN pg_operator n ON n.oid = x.amopopr
              WHERE d.opcmethod = o.opcmethod AND d.opcdefault AND d.opcintype = o.opcintype
                AND (x.amopstrategy, n.oprname) IN ((1, '<'), (5, '>'))) less
            WHERE k.place <= i.indnkeyatts AND (NOT l.collisdeterministic OR e.oprname <> '=' OR NOT less.named OR NOT e.oprcanmerge OR NOT EXISTS (
              SELECT FROM pg_opclass d JOIN pg_amop b ON b.amopfamily = d.opcfamily AND b.amoplefttype = d.opcintype AND b.amoprighttype = d.opcintype
              WHERE d.opcmethod = o.opcmethod AND d.opcdefault AND d.opcintype = o.opcintype AND b.amopstrategy = 3 AND b.amopopr = a.amopopr))
            ORDER BY k.place LIMIT 1)
          END AS unusable,
          (SELECT jsonb_agg(a.attname ORDER BY k.place)
           FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
           JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
           WHERE k.place <= i.indnkeyatts) AS names
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_am m ON m.oid = c.relam
        WHERE i.indrelid = t.oid AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
          AND NOT EXISTS (
            SELECT FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
            WHERE k.place <= i.indnkeyatts AND NOT a.attnotnull)
      ) u
    )
  ), has_table_privilege(t.oid, 'SELECT')
  FROM (SELECT a.place - 1 AS place, c.oid, n.nspname, c.relname, c.relkind, c.reltuples
    FROM unnest(p_oids) WITH ORDINALITY a(oid, place) JOIN pg_class c ON c.oid = a.oid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S')) t;
END $$;
COMMENT ON FUNCTION crossfade.table_looks IS
  'Tables as Crossfade looks at them: columns with their types, and unique keys, as jsonb. `place` counts from 0; a table that is not there has no row.';

REVOKE ALL ON FUNCTION crossfade.table_looks FROM PUBLIC;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'crossfade_runtime') THEN
    GRANT EXECUTE ON FUNCTION crossfade.table_looks TO crossfade_runtime;
  END IF;
END $$;
