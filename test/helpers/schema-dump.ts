/**
 * Schema `crossfade` as text that people can read and compare: each table, view and function with its columns or arguments,
 * constraints, comment and grants. Of a function's body only a hash is said: its text is in the migrations.
 */

import type postgres from 'postgres';

type Query = (text: string) => Promise<Record<string, unknown>[]>;
type Entry = { head: string; lines: string[] };

const SCHEMA = "'crossfade'::regnamespace";

/** Grants to others than the owner, a line each; `kind` is that of acldefault. */
const grants = (acl: string, kind: string, owner: string) =>
  `ARRAY(SELECT format('grant %s to %s', string_agg(x.privilege_type, ', ' ORDER BY x.privilege_type),
    CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END)
    FROM aclexplode(coalesce(${acl}, acldefault('${kind}', ${owner}))) x WHERE x.grantee <> ${owner} GROUP BY x.grantee ORDER BY 1)`;
const comment = (oid: string, of: string) =>
  `ARRAY(SELECT 'comment ' || d FROM obj_description(${oid}, '${of}') d WHERE d IS NOT NULL)`;

const NAMESPACE = `SELECT 'schema crossfade' AS head, ${comment('n.oid', 'pg_namespace')} || ${grants('n.nspacl', 'n', 'n.nspowner')} AS lines
  FROM pg_namespace n WHERE n.oid = ${SCHEMA}`;

const RELATIONS = `SELECT format('%s %s', CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' WHEN 'c' THEN 'type' ELSE c.relkind::text END, c.oid::regclass)
    || CASE WHEN c.reloptions IS NULL THEN '' ELSE ' with ' || array_to_string(c.reloptions, ', ') END AS head,
  ${comment('c.oid', 'pg_class')}
  || ARRAY(SELECT concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END,
      CASE a.attidentity WHEN 'a' THEN 'identity always' WHEN 'd' THEN 'identity default' END,
      CASE WHEN d.oid IS NOT NULL THEN CASE a.attgenerated WHEN '' THEN 'default ' ELSE 'generated ' END || pg_get_expr(d.adbin, d.adrelid) END,
      '-- ' || col_description(a.attrelid, a.attnum))
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
  || ARRAY(SELECT format('constraint %s %s', k.conname, pg_get_constraintdef(k.oid)) FROM pg_constraint k
    WHERE k.conrelid = c.oid AND k.contype <> 'n' ORDER BY k.conname)
  || ARRAY(SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i WHERE i.indrelid = c.oid
    AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid) ORDER BY 1)
  || ARRAY(SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal ORDER BY t.tgname)
  || CASE c.relkind WHEN 'v' THEN regexp_split_to_array(pg_get_viewdef(c.oid, true), E'\\n') ELSE '{}' END
  || ${grants('c.relacl', 'r', 'c.relowner')} AS lines
FROM pg_class c WHERE c.relnamespace = ${SCHEMA} AND c.relkind <> 'i' ORDER BY c.relkind, c.relname`;

const FUNCTIONS = `SELECT format('function %s(%s)', p.oid::regproc, pg_get_function_arguments(p.oid)) AS head,
  ARRAY[format('returns %s', pg_get_function_result(p.oid)),
    concat_ws(', ', l.lanname, CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
      CASE WHEN p.proisstrict THEN 'strict' END, CASE p.proparallel WHEN 's' THEN 'parallel safe' WHEN 'r' THEN 'parallel restricted' END,
      CASE WHEN p.prosecdef THEN 'security definer' END, array_to_string(p.proconfig, ', ')),
    format('body %s', left(encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex'), 12))]
  || ${comment('p.oid', 'pg_proc')} || ${grants('p.proacl', 'f', 'p.proowner')} AS lines
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.pronamespace = ${SCHEMA} ORDER BY p.oid::regprocedure::text`;

const TYPES = `SELECT format('type %s', t.oid::regtype) AS head, ARRAY[t.typtype::text] AS lines FROM pg_type t
  WHERE t.typnamespace = ${SCHEMA} AND t.typelem = 0 AND t.typrelid = 0 ORDER BY 1`;

/** @param sql in a transaction or not; nothing is changed */
export async function dumpSchema(sql: postgres.Sql | postgres.TransactionSql): Promise<string> {
  const ask: Query = async (text) => [...(await sql.unsafe(text))];
  const entries: Entry[] = [];
  for (const text of [NAMESPACE, TYPES, RELATIONS, FUNCTIONS])
    entries.push(...((await ask(`SELECT head, to_jsonb(lines) AS lines FROM (${text}) e`)) as Entry[]));
  return entries.map(({ head, lines }) => `${[head, ...lines.map((line) => `  ${line}`)].join('\n')}\n`).join('\n');
}
