/**
 * Code of others in the place of ours: what a declared expression names is decided when it is stored, code of a role that is not trusted with
 * the tables is refused, and what was created later is never run. Nothing but the catalog is in the path.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { LOOTED, putOverloads } from '../../helpers/overloads.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

let db: OwnDatabase;
let plane: TestPlane;
let mallory: string;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  mallory = `mallory_${db.name}`;
  await db.sql.unsafe(`CREATE SCHEMA extensions; CREATE EXTENSION citext SCHEMA extensions; CREATE EXTENSION hstore SCHEMA extensions;
    GRANT USAGE ON SCHEMA extensions TO PUBLIC; GRANT CREATE ON SCHEMA public TO PUBLIC; CREATE ROLE ${mallory};
    CREATE TABLE rates (factor numeric);
    CREATE FUNCTION twice(anyelement) RETURNS anyelement LANGUAGE sql IMMUTABLE AS 'SELECT $1';
    CREATE FUNCTION half(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 / 2';
    CREATE FUNCTION rated(numeric) RETURNS numeric LANGUAGE plpgsql STABLE AS 'BEGIN RETURN $1 * (SELECT max(factor) FROM rates); END';
    CREATE FUNCTION known(text) RETURNS boolean LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM rates)'`);
  await asMallory(`CREATE FUNCTION public.mine(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
    CREATE FUNCTION public.mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`);
});
afterAll(async () => {
  await plane.close();
  await db.sql.unsafe(`DROP OWNED BY ${mallory} CASCADE; DROP ROLE ${mallory}`);
  await db.drop();
});

const asMallory = (statements: string) => db.sql.unsafe(`SET ROLE ${mallory}; ${statements}; RESET ROLE`).simple();
const looted = async () => (await db.sql.unsafe(LOOTED)).map(({ what }) => what as string);

/** Both tables, where the shadow has one more column. */
async function made(id: string, sql: string, more = ''): Promise<TableCutover> {
  const columns = 'n integer, note text, mail extensions.citext, other extensions.citext, tags extensions.hstore';
  await db.sql.unsafe(`CREATE TABLE ${id} (id integer PRIMARY KEY, ${columns}); CREATE TABLE ${id}_v2 (id bigint PRIMARY KEY, ${columns}, made text);
    ${more.replaceAll(':id', id)}`);
  const table = { primary: `public.${id}`, shadow: `public.${id}_v2`, columns: { made: { sql } } };
  return { id, validation: 'strict', table };
}

describe('what would run with the rights of the owner is refused by preview and start', () => {
  it.each<[id: string, what: string, sql: string, says: RegExp, more?: string]>([
    ['e0', 'a function of a role that is not trusted', 'public.mine(note)', /public\.mine\(text\) belongs to mallory_/],
    [
      'e1',
      'a function that others can put a better one beside',
      'twice(n)::text',
      /twice\(anyelement\) .* everybody could/,
    ],
    [
      'e2',
      'a comparison that cannot name its operator',
      '(mail IS DISTINCT FROM other)::text',
      /OPERATOR\(extensions\.=\)/,
    ],
    [
      'e3',
      'a body that finds its tables by the path',
      'rated(n)::text',
      /names rates without a schema.*ALTER FUNCTION public\.rated/,
    ],
    [
      'e4',
      'a check whose function does',
      'note',
      /constraint knows on table public\.e4_v2: .*public\.known\(text\) names rates/,
      'ALTER TABLE :id_v2 ADD CONSTRAINT knows CHECK (known(note))',
    ],
    [
      'e5',
      'a trigger that somebody put on the shadow',
      'note',
      /trigger foisted on table public\.e5_v2: .*public\.mine\(\) of role mallory_/,
      'CREATE TRIGGER foisted BEFORE INSERT ON :id_v2 FOR EACH ROW EXECUTE FUNCTION public.mine()',
    ],
  ])('%s: %s', async (id, _, sql, says, more) => {
    const cutover = await made(id, sql, more);
    const shown = await plane.preview(cutover).then(
      ({ items }) =>
        items
          .filter(({ action }) => action === 'refuse')
          .map(({ object, text }) => `${object}: ${text}`)
          .join('; '),
      (error: Error) => error.message,
    );
    expect(shown).toMatch(says);
    await expect(plane.arm(cutover)).rejects.toMatchObject({
      code: 'refused_table',
      message: expect.stringMatching(says),
    });
  });
});

describe('an expression is stored as it was resolved', () => {
  it.each([
    ['f0', 'half(n)::text', 'half((p.n)::numeric)'],
    ['f1', "tags -> 'plan'", "(p.tags OPERATOR(extensions.->) 'plan'::text)"],
    ['f2', '(mail = other)::text', '(p.mail OPERATOR(extensions.=) p.other)'],
    ['f3', 'upper(note)', '(upper(note))::text'],
  ])('%s: %s', async (id, sql, stored) => {
    await plane.start(await made(id, sql));
    const [row] = await db.sql.unsafe(`SELECT prosrc FROM pg_proc WHERE proname = 'apply_${id}'`);
    expect(row!.prosrc).toContain(stored);
  });

  it('and what fits better later is not run', async () => {
    await putOverloads(await attacker(), ['public'], 'upper( cardinality( jsonb_build_object( format( -> =');
    await asMallory(
      `CREATE FUNCTION public.half(integer) RETURNS numeric LANGUAGE plpgsql AS $$ BEGIN PERFORM public.loot('half'); RETURN 0; END $$`,
    );
    await db.sql.unsafe("INSERT INTO f0 (id, n) VALUES (1, 4); INSERT INTO f3 (id, note) VALUES (1, 'a')");
    for (const id of ['f0', 'f3']) await plane.settle(id, 1);
    expect([...(await db.sql.unsafe('SELECT f0_v2.made AS half, f3_v2.made AS upper FROM f0_v2, f3_v2'))]).toEqual([
      { half: '2.0000000000000000', upper: 'A' },
    ]);
    expect(await looted()).toEqual([]);
  });

  it.each([
    ['crossfade.converge_f3(bigint, integer)', () => plane.settle('f3', 1)],
    ['crossfade.table_status(text)', () => plane.status('f3')],
  ])('but is, once %s has the schema in its path (negative control)', async (name, run) => {
    await db.sql.unsafe(
      `ALTER FUNCTION ${name} SET search_path = pg_catalog, public, pg_temp; INSERT INTO f3 (id, note) VALUES (2, 'b') ON CONFLICT DO NOTHING`,
    );
    await run().catch(() => {});
    expect(await looted()).not.toEqual([]);
    await db.sql.unsafe(
      `ALTER FUNCTION ${name} SET search_path = pg_catalog, pg_temp; TRUNCATE looted; ALTER SEQUENCE loots RESTART`,
    );
  });
});

describe('health', () => {
  it('names the schemas in which others may create, and how to end it', async () => {
    const cutover = await made('h0', 'note');
    const found = async () =>
      (await plane.health(cutover)).find(({ check }) => check === 'schemas in which others may create');
    expect(await found()).toMatchObject({
      status: 'warn',
      value: 'public: everybody',
      remedy: expect.stringContaining('REVOKE CREATE ON SCHEMA public FROM PUBLIC'),
    });
    await db.sql.unsafe(`REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT CREATE ON SCHEMA extensions TO ${mallory}`);
    expect(await found()).toMatchObject({ status: 'warn', value: `extensions: ${mallory}` });
    await db.sql.unsafe(`REVOKE CREATE ON SCHEMA extensions FROM ${mallory}`);
    expect(await found()).toMatchObject({ status: 'pass', value: 'none', remedy: '' });
  });
});

/** A session that has given up the rights that it began with. */
async function attacker() {
  const sql = db.connect();
  await sql.unsafe(`SET SESSION AUTHORIZATION ${mallory}`);
  return sql;
}
