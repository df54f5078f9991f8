/** A declared expression whose value the row does not decide is refused before anything is armed: no two looks at it would agree. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTable } from '../../../lib/adapters/postgres/capture/catalog.ts';
import { changing } from '../../../lib/adapters/postgres/capture/check-transform.ts';
import { resolveExpressions } from '../../../lib/adapters/postgres/capture/resolve.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { replaceOnce } from '../../helpers/replace-once.ts';

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(`CREATE TABLE bill (id integer PRIMARY KEY, cents integer, at timestamptz DEFAULT now()); CREATE TABLE bill_v2 (id bigint PRIMARY KEY, cents bigint, at timestamptz, word text);
    CREATE FUNCTION rate() RETURNS integer LANGUAGE sql AS 'SELECT 7'; CREATE FUNCTION steady(n integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT n + 1'`);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

const billOf = (sql: string, reverse?: TableCutover['table']['reverse']): TableCutover => ({
  id: 'bill',
  validation: 'strict',
  table: { primary: 'public.bill', shadow: 'public.bill_v2', columns: { word: { sql } }, reverse },
});

describe('an expression', () => {
  it.each([
    ['random()::text', 'random\\(\\)'],
    ['now()::text', 'now\\(\\)'],
    ["(at > CURRENT_TIMESTAMP - interval '1 day')::text", 'the time or the user of the moment'],
    ['clock_timestamp()::text', 'clock_timestamp\\(\\)'],
    ['gen_random_uuid()::text', 'gen_random_uuid\\(\\)'],
    ['(cents * nextval(pg_get_serial_sequence(null, null)::regclass))::text', 'nextval\\(\\)'],
    ['(SELECT count(*) FROM bill)::text', 'a sub-select'],
    ['CURRENT_USER::text', '(the time or the user of the moment|current_user)'],
    ["upper(coalesce(nullif(cents::text, ''), current_setting('app.x', true)))", 'current_setting\\(\\)'],
  ])('%s is refused by preview and start', async (sql, what) => {
    const refused = {
      code: 'refused_table',
      message: expect.stringMatching(
        new RegExp(`column 'word' of public.bill_v2: its expression has .*${what}.*not decided by the row`),
      ),
    };
    await expect(plane.preview(billOf(sql))).rejects.toMatchObject(refused);
    await expect(plane.arm(billOf(sql))).rejects.toMatchObject(refused);
  });

  it.each([
    'cents::text',
    "to_char(at AT TIME ZONE 'UTC', 'YYYY')",
    'steady(cents)::text',
    // Volatile only since nothing was said when it was made.
    '(cents * rate())::text',
    "left('random() now() SELECT', cents)",
    'upper(cents::text)',
  ])('%s is taken, and nothing is left of the look', async (sql) => {
    expect((await plane.preview(billOf(sql))).ok).toBe(true);
    expect([...(await db.sql.unsafe("SELECT relname FROM pg_class WHERE relname LIKE 'look%'"))]).toEqual([]);
  });

  it('on the way back, too, but for a value that is written once', async () => {
    await expect(plane.preview(billOf('cents::text', { at: { sql: 'now()' } }))).rejects.toMatchObject({
      message: expect.stringContaining("column 'at' of public.bill: its expression has now()"),
    });
  });
});

/**
 * What changes and what is watched are found by two readers of the same tree: one in the adapter, which refuses, and one in the schema,
 * which writes down what an expression calls. A function that only one of them sees is used and not watched, or watched and not refused.
 */
describe('crossfade.functions_of', () => {
  const PATH = 'public, pg_catalog';
  const MOMENTARY = 'now transaction_timestamp statement_timestamp pg_backend_pid current_setting';

  beforeAll(async () => {
    await db.sql.unsafe(`CREATE SEQUENCE tickets; CREATE OPERATOR public.@!! (RIGHTARG = regclass, FUNCTION = nextval);
      CREATE OPERATOR public.@+ (RIGHTARG = integer, FUNCTION = steady)`);
  });

  /** Names of functions, of those that the schema finds: all of them, and those whose value changes by itself. */
  async function found(expression: string): Promise<{ all: string[]; changing: string[] }> {
    const [row] = await db.sql.unsafe(
      `SELECT coalesce(jsonb_agg(DISTINCT p.proname), '[]') AS all, coalesce(jsonb_agg(DISTINCT p.proname) FILTER
         (WHERE p.provolatile = 'v' AND l.lanname IN ('internal', 'c') OR p.proname = ANY (string_to_array($3, ' '))), '[]') AS changing
       FROM unnest(crossfade.functions_of('bill'::regclass, ARRAY[$1::text], $2)) f(oid) JOIN pg_proc p USING (oid) JOIN pg_language l ON l.oid = p.prolang`,
      [expression, PATH, MOMENTARY],
    );
    return { all: row!.all, changing: row!.changing };
  }
  async function refused(expression: string): Promise<string[]> {
    const owner = plane.connection();
    const bill = (await readTable(owner, 'public.bill'))!;
    const scope = { rows: 'public.bill AS p', path: PATH, tables: [bill.oid] };
    const { stored } = await resolveExpressions(owner, scope, [{ name: 'made', sql: expression }]);
    const answer = (await changing(owner, bill, stored.get(expression) ?? expression)) ?? '';
    return [...answer.matchAll(/(\w+)\(\)/g)].map(([, name]) => name!).sort();
  }

  it.each([
    ['cents::text', [], []],
    ['random() + cents', ['random'], ['float8pl', 'random']],
    ['upper(cents::text) || clock_timestamp()::text', ['clock_timestamp'], ['clock_timestamp', 'textcat', 'upper']],
    ["@!! 'tickets'::regclass", ['nextval'], ['nextval']],
    ['@+ cents * rate()', [], ['int4mul', 'rate', 'steady']],
    [
      "now(), gen_random_uuid(), current_setting('app.x', true)",
      ['current_setting', 'gen_random_uuid', 'now'],
      ['now'],
    ],
    ['CASE WHEN cents > 3 THEN random() END, cents', ['random'], ['int4gt', 'random']],
    ['(SELECT max(random() + b.cents) FROM public.bill b)', ['random'], ['random']],
  ] as const)('and what is refused are about the same functions: %s', async (expression, changes, among) => {
    const seen = await found(expression);
    expect(seen.all).toEqual(expect.arrayContaining([...among]));
    expect(seen.changing).toEqual([...changes]);
    expect(await refused(expression)).toEqual([...changes]);
  });

  it('would miss what is behind an operator if it read calls only (negative control)', async () => {
    const [schema] = await db.sql.unsafe("SELECT pg_get_functiondef('crossfade.functions_of'::regproc) AS text");
    await db.sql.unsafe(replaceOnce(schema!.text, [':(funcid|opno)', ':(funcid)'], 'functions_of'));
    try {
      expect((await found("@!! 'tickets'::regclass")).changing).toEqual([]);
    } finally {
      await db.sql.unsafe(schema!.text);
    }
  });
});
