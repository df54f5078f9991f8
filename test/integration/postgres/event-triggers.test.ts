/**
 * Event triggers of others run for each DDL statement of ours: one that raises or is slow is named before anything is armed or
 * locked; one that could not be foreseen cannot keep the application waiting.
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import type { OwnDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { recycledDatabase } from '../../helpers/recycled-database.ts';

const ITEM: TableCutover = {
  id: 'item',
  validation: 'strict',
  table: { primary: 'public.item', shadow: 'public.item_v2' },
};
const PROMOTE = { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 20 };
const REVERT = { fromEpoch: 2, toEpoch: 3, stage: 'rolled_back', version: 30 };

let db: OwnDatabase;
let plane: TestPlane;
const sql = (text: string) => db.sql.unsafe(text);

beforeEach(async () => {
  db = await recycledDatabase();
  plane = testPlane(db);
  await sql(`CREATE TABLE item (id integer PRIMARY KEY, v text); CREATE TABLE item_v2 (id bigint PRIMARY KEY, v text);
    INSERT INTO item SELECT i, 'x' FROM generate_series(1, 20) i`);
});
afterEach(async () => {
  await plane.close();
  await db.drop();
});

const FUNCTION = (body: string) =>
  `CREATE FUNCTION look() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN ${body} END $$;`;
const TRIGGER = (on: string, when = '') => `CREATE EVENT TRIGGER watcher ON ${on} ${when} EXECUTE FUNCTION look()`;
const items = async () => (await plane.preview(ITEM)).items.filter(({ kind }) => kind === 'event trigger');

const REFUSED: readonly [string, string, RegExp][] = [
  ['raises at the beginning', FUNCTION("RAISE 'no DDL';") + TRIGGER('ddl_command_start'), /look refuses DDL.*P0001/],
  [
    'raises at the end',
    FUNCTION('RAISE insufficient_privilege;') + TRIGGER('ddl_command_end'),
    /look refuses DDL.*42501/,
  ],
  [
    'raises for one command only',
    FUNCTION("RAISE 'no';") + TRIGGER('ddl_command_start', "WHEN TAG IN ('CREATE TRIGGER')"),
    /look refuses DDL/,
  ],
  ['raises when something is dropped', FUNCTION("RAISE 'no';") + TRIGGER('sql_drop'), /look refuses DDL/],
  ['fails by its own fault', FUNCTION('PERFORM 1 / 0;') + TRIGGER('ddl_command_end'), /look refuses DDL.*22012/],
  [
    'is slow',
    FUNCTION('PERFORM pg_sleep(0.03);') + TRIGGER('ddl_command_end'),
    /ms for each DDL statement, the limit is 5 ms/,
  ],
];

describe('an event trigger that', () => {
  it.each(REFUSED)('%s is named by the preview and refused by the start', async (_, made, text) => {
    await sql(made);
    expect(await items()).toEqual([
      {
        action: 'refuse',
        kind: 'event trigger',
        object: 'watcher (function public.look)',
        text: expect.stringMatching(text),
      },
    ]);
    await expect(plane.arm(ITEM)).rejects.toMatchObject({
      code: 'refused_table',
      message: expect.stringMatching(text),
    });
    expect(await sql('SELECT FROM crossfade.cutover')).toHaveLength(0);
  });

  it.each([REFUSED[2]!, REFUSED[5]!])(
    '%s, made while the cutover runs, holds the swap until it is off',
    async (_, made, text) => {
      await plane.start(ITEM);
      await plane.copy('item', 1);
      await sql(made);
      const swap = await plane.promote(ITEM, PROMOTE);
      expect(swap).toMatchObject({ kind: 'postponed', why: expect.stringMatching(text) });
      await sql('ALTER EVENT TRIGGER watcher DISABLE');
      expect(await plane.promote(ITEM, PROMOTE)).toMatchObject({ kind: 'swapped' });
      await sql('ALTER EVENT TRIGGER watcher ENABLE');
      expect(await plane.revert(ITEM, REVERT)).toMatchObject({ kind: 'postponed', why: expect.stringMatching(text) });
    },
  );

  it('is quick is a notice, and one that is off is none', async () => {
    await sql(FUNCTION('NULL;') + TRIGGER('ddl_command_end'));
    expect(await items()).toMatchObject([{ action: 'notice' }]);
    await sql('ALTER EVENT TRIGGER watcher ENABLE REPLICA');
    expect(await items()).toEqual([]);
    await sql('ALTER EVENT TRIGGER watcher ENABLE ALWAYS');
    await plane.start(ITEM);
    await plane.copy('item', 1);
    expect(await plane.promote(ITEM, PROMOTE)).toMatchObject({ kind: 'swapped' });
  });

  it('is slow for the application’s own tables alone keeps its statements waiting for a second, not for the whole swap', async () => {
    await plane.start(ITEM);
    await plane.copy('item', 1);
    await sql(
      FUNCTION(
        `IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() c WHERE c.schema_name = 'public') THEN PERFORM pg_sleep(0.3); END IF;`,
      ) + TRIGGER('ddl_command_end'),
    );
    expect(await items()).toMatchObject([{ action: 'notice' }]);
    const swap = await plane.promote(ITEM, PROMOTE);
    expect(swap).toMatchObject({ kind: 'postponed' });
    expect('why' in swap && swap.why).toMatch(
      /the tables were locked for 1[0-9]{3} ms after \d+ of \d+ statements, the limit is 1000 ms/,
    );
    expect(await sql("SELECT FROM pg_class WHERE relname = 'item_old'")).toHaveLength(0);
    await sql('ALTER EVENT TRIGGER watcher DISABLE');
    expect(await plane.promote(ITEM, PROMOTE)).toMatchObject({ kind: 'swapped' });
  });
});

describe('a role whose statements give up sooner than a swap may take', () => {
  it('is named by the preview, with its setting', async () => {
    const [{ name }] = (await sql('SELECT current_user AS name')) as unknown as [{ name: string }];
    const limits = async () =>
      (await plane.preview(ITEM)).items.filter(({ kind }) => kind === 'time limit').map(({ object }) => object);
    expect(await limits()).toEqual([]);
    await sql(`ALTER ROLE ${name} IN DATABASE ${db.name} SET lock_timeout = '10ms'`);
    await sql(`ALTER DATABASE ${db.name} SET statement_timeout = 200`);
    expect(await limits()).toEqual([`database ${db.name}`, `role ${name} in database ${db.name}`]);
    await sql(`ALTER ROLE ${name} IN DATABASE ${db.name} SET lock_timeout = '2s'`);
    await sql(`ALTER DATABASE ${db.name} SET statement_timeout = 0`);
    expect(await limits()).toEqual([]);
  });
});
