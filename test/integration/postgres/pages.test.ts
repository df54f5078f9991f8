/** SQL that pages show is executed: blocks, and statements in running text. Each runs in a transaction that is undone. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPages } from '../../../infra/docs/pages.ts';
import { ROOT } from '../../helpers/imports.ts';
import { type ShownSql, sqlOf } from '../../helpers/page-sql.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

/** What the pages speak of: the database, the roles of the account, and a cutover that is under way. */
const DATABASE = 'app';
const ROLES = ['rds_iam', 'app_owner', 'crossfade_owner', 'crossfade_runtime'];
const TABLES = `
  CREATE TABLE customer (customer_id integer PRIMARY KEY, name text);
  CREATE TABLE customer_v2 (customer_id bigint PRIMARY KEY, name text, _shadow_sync_status text);
  CREATE TABLE orders_by_month (id bigint, created_at timestamptz) PARTITION BY RANGE (created_at);
  INSERT INTO customer VALUES (5, 'Ada')`;

/** Executed, and refused for the reason that the page gives. */
const REFUSED: Readonly<Record<string, string>> = {
  // It is for after a rollback.
  "SELECT crossfade.give_key_back('customer', 'NAME')": 'CF001',
};

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(TABLES);
  await plane.start({
    id: 'customer',
    validation: 'strict',
    table: { primary: 'public.customer', shadow: 'public.customer_v2' },
  });
  await plane.copy('customer', 1);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

/** Roles belong to the whole server: they are called otherwise here, and those that the text does not make are there before. */
function own(text: string): { before: string; statements: string } {
  const given = ROLES.filter((role) => text.includes(role) && !text.includes(`CREATE ROLE ${role}`));
  const renamed = ROLES.reduce((all, role) => all.replaceAll(role, `${role}_${db.name}`), text);
  return {
    before: given.map((role) => `CREATE ROLE ${role}_${db.name};`).join(' '),
    statements: renamed.replaceAll(`ON DATABASE ${DATABASE} `, `ON DATABASE ${db.name} `),
  };
}

/** What Postgres says against it, with page and line; empty when it runs, or is refused as it should be. */
async function wrongSql({ page, line, text }: ShownSql): Promise<string[]> {
  const { before, statements } = own(text);
  const undone = new Error('undone');
  try {
    await db.sql.begin(async (sql) => {
      if (before !== '') await sql.unsafe(before);
      await sql.unsafe(statements);
      throw undone;
    });
    return [];
  } catch (error) {
    if (error === undone) return REFUSED[text] ? [`${page}:${line} is not refused with ${REFUSED[text]}`] : [];
    const { code, message, position } = error as { code?: string; message: string; position?: string };
    if (code !== undefined && code === REFUSED[text]) return [];
    const linesBefore = statements.slice(0, Number(position ?? 1) - 1).split('\n').length - 1;
    return [`${page}:${line + linesBefore} ${message}`];
  }
}

async function allWrong(shown: readonly ShownSql[]): Promise<string[]> {
  const wrong: string[] = [];
  for (const one of shown) wrong.push(...(await wrongSql(one)));
  return wrong;
}

describe('SQL in pages', () => {
  const shown = readPages(ROOT).flatMap(sqlOf);

  it('is executed: none of it fails, and what is for later is refused with that reason', async () => {
    expect(shown.length).toBeGreaterThan(12);
    expect(Object.keys(REFUSED).filter((text) => !shown.some((one) => one.text === text))).toEqual([]);
    expect(await allWrong(shown)).toEqual([]);
  });

  it('gives people what the page of the table promises them', async () => {
    const rows = (text: string) => db.sql.unsafe(shown.find((one) => one.text.startsWith(text))!.text);
    expect(await rows('SELECT * FROM crossfade.status')).toHaveLength(1);
    expect(await rows('SELECT * FROM crossfade.sync_status')).toHaveLength(1);
    expect((await rows('SELECT * FROM crossfade.pre_migration_health_check')).length).toBeGreaterThan(50);
  });

  it.each([
    ['a block', 'text\n```sql\nSELECT 1;\nSELEC 2;\n```\n', ['x.md:4 syntax error at or near "SELEC"']],
    [
      'a block in a list',
      '1. x\n\n   ```sql\n   GRANT nothing TO app_owner;\n   ```\n',
      ['x.md:4 role "nothing" does not exist'],
    ],
    [
      'a statement in running text',
      'Ask `SELECT * FROM crossfade.stats` for it.',
      ['x.md:1 relation "crossfade.stats" does not exist'],
    ],
    [
      'a role in running text',
      "Set `ALTER ROLE crossfade_runtime SET statement_timout = '5s'`.",
      ['x.md:1 unrecognized configuration parameter "statement_timout"'],
    ],
  ])('is noticed with its page and line where it does not run: %s', async (_, text, wrong) => {
    expect(await allWrong(sqlOf({ file: 'x.md', text }))).toEqual(wrong);
  });

  it('in running text is a whole statement, not a form of one', () => {
    const text =
      'A `SELECT *`, an `INSERT … ON CONFLICT DO NOTHING` and `ALTER TABLE … SET LOGGED` are none; `SELECT 1` is.';
    expect(sqlOf({ file: 'x.md', text }).map((one) => one.text)).toEqual(['SELECT 1']);
  });
});
