/**
 * The catalog of one schema as text, written independently of the product: what pg_dump would write about it, in one query.
 * What Postgres itself brought has oids below 16384, and thousands of comments.
 */

import type postgres from 'postgres';

const RELATION = `c.relnamespace = s.oid`;

export async function catalogOf(sql: postgres.Sql, schema: string): Promise<string[]> {
  const [{ version }] = (await sql.unsafe(
    "SELECT current_setting('server_version_num')::int AS version",
  )) as unknown as [{ version: number }];
  // Columns and rows of a publication: from 15 on.
  const published = version >= 150_000 ? 'r.prattrs, pg_get_expr(r.prqual, r.prrelid)' : 'NULL, NULL';
  const rows = await sql.unsafe(
    `WITH s AS (SELECT oid FROM pg_namespace WHERE nspname = $1), c AS (SELECT c.* FROM pg_class c, s WHERE ${RELATION})
    SELECT line FROM (
      SELECT format('relation %s kind %s owner %s acl %s options %s persistence %s rls %s%s identity %s', c.relname, c.relkind, c.relowner::regrole,
        (SELECT array_agg(x::text ORDER BY x::text) FROM unnest(c.relacl) x WHERE x::text NOT LIKE c.relowner::regrole || '=%'), c.reloptions, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity, c.relreplident) AS line FROM c
      UNION ALL SELECT format('column %s.%s %s not null %s default %s identity %s generated %s collation %s acl %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
        pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated, a.attcollation::regcollation, a.attacl)
        FROM c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
      UNION ALL SELECT format('constraint %s.%s %s valid %s', c.relname, k.conname, pg_get_constraintdef(k.oid), k.convalidated) FROM c JOIN pg_constraint k ON k.conrelid = c.oid
        -- Rows that a foreign key has for each partition of what it references: before version 18 they are never called valid.
        WHERE NOT EXISTS (SELECT FROM pg_constraint p WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid)
      UNION ALL SELECT format('index %s valid %s clustered %s identity %s', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisclustered, i.indisreplident) FROM c JOIN pg_index i ON i.indrelid = c.oid
      UNION ALL SELECT format('trigger %s %s', pg_get_triggerdef(g.oid), g.tgenabled) FROM c JOIN pg_trigger g ON g.tgrelid = c.oid WHERE NOT g.tgisinternal
      UNION ALL SELECT format('rule %s %s', pg_get_ruledef(r.oid), r.ev_enabled) FROM c JOIN pg_rewrite r ON r.ev_class = c.oid
      UNION ALL SELECT format('policy %s.%s %s %s %s %s %s', c.relname, p.polname, p.polpermissive, p.polcmd, p.polroles::regrole[], pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) FROM c JOIN pg_policy p ON p.polrelid = c.oid
      UNION ALL SELECT format('published %s in %s %s %s', c.relname, p.pubname, ${published}) FROM c JOIN pg_publication_rel r ON r.prrelid = c.oid JOIN pg_publication p ON p.oid = r.prpubid
      UNION ALL SELECT format('statistics %s target %s owner %s', pg_get_statisticsobjdef(x.oid), x.stxstattarget, x.stxowner::regrole) FROM pg_statistic_ext x, s WHERE x.stxnamespace = s.oid
      UNION ALL SELECT format('function %s acl %s', pg_get_functiondef(f.oid), f.proacl) FROM pg_proc f, s WHERE f.pronamespace = s.oid AND f.prokind IN ('f', 'p')
      UNION ALL SELECT format('sequence %s of %s.%s', c.relname, d.refobjid::regclass, d.refobjsubid) FROM c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND c.relkind = 'S' AND d.refobjsubid > 0
      UNION ALL SELECT format('comment on %s %s: %s', d.classoid::regclass, pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description) FROM pg_description d
        WHERE d.objoid >= 16384 AND pg_describe_object(d.classoid, d.objoid, d.objsubid) ~ ('\\m' || $1 || '\\.')
      UNION ALL SELECT format('type %s', y.typname) FROM pg_type y, s WHERE y.typnamespace = s.oid
    ) all_lines ORDER BY 1`,
    [schema],
  );
  return rows.map(({ line }) => line as string);
}
