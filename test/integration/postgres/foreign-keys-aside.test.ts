/**
 * I1 I12 foreign keys of a shadow: taken off while it follows, remembered where people can see it, given back by promotion, and
 * never lost, whenever somebody is cut off. What a key refers to may be promoted meanwhile.
 */

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

const cutover = (id: string, columns: TableCutover['table']['columns'] = {}): TableCutover => ({
  id,
  validation: 'strict',
  table: { primary: `public.${id}`, shadow: `public.${id}_v2`, columns },
});
const CREW = cutover('crew');
const SHIP = cutover('ship', { number: { from: 'id' } });
const swap = (fromEpoch: number, stage: string) => ({
  fromEpoch,
  toEpoch: fromEpoch + 1,
  stage,
  version: 10 * fromEpoch,
});

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

beforeEach(async () => {
  for (const id of ['crew', 'ship']) await plane.disarm(id).then(() => plane.forget(id));
  await db.sql.unsafe(`DROP SCHEMA public CASCADE; CREATE SCHEMA public; DELETE FROM crossfade.cutover; DELETE FROM crossfade.key_aside;
    CREATE TABLE port (id integer PRIMARY KEY); CREATE TABLE ship (id integer PRIMARY KEY, name text); CREATE TABLE ship_v2 (number bigint PRIMARY KEY, name text);
    CREATE TABLE crew (id integer PRIMARY KEY, ship integer REFERENCES ship, port integer, boss integer REFERENCES crew);
    CREATE TABLE crew_v2 (id bigint PRIMARY KEY, ship bigint CONSTRAINT crew_v2_ship_fkey REFERENCES ship DEFERRABLE, port integer CONSTRAINT crew_v2_port_fkey REFERENCES port ON DELETE SET NULL,
      boss bigint CONSTRAINT crew_v2_boss_fkey REFERENCES crew_v2);
    COMMENT ON CONSTRAINT crew_v2_ship_fkey ON crew_v2 IS 'sails on';
    INSERT INTO port VALUES (1); INSERT INTO ship VALUES (1, 'a'), (2, 'b'); INSERT INTO crew VALUES (1, 1, 1, NULL), (2, 2, 1, 1)`);
});

async function keys(): Promise<string[]> {
  const rows =
    await db.sql.unsafe(`SELECT conname || ' on ' || conrelid::regclass || ' to ' || confrelid::regclass || CASE WHEN convalidated THEN '' ELSE ' not valid' END
    || coalesce(' ' || obj_description(oid, 'pg_constraint'), '') AS line FROM pg_constraint WHERE contype = 'f' ORDER BY 1`);
  return rows.map(({ line }) => line as string);
}
const aside = async () =>
  (await db.sql.unsafe('SELECT name FROM crossfade.key_aside ORDER BY name')).map(({ name }) => name as string);
const OF_SHADOW = ['crew_v2_boss_fkey', 'crew_v2_port_fkey', 'crew_v2_ship_fkey'];

async function follow(one: TableCutover, epoch = 1): Promise<void> {
  await plane.start(one, epoch);
  await plane.copy(one.id, epoch);
  await plane.settle(one.id, epoch);
}

describe('foreign keys of a shadow', () => {
  it('are set aside by the start, are visible, and let the application delete children and parents', async () => {
    const { items } = await plane.preview(CREW);
    expect(items.filter(({ kind, object }) => kind === 'foreign key' && object.includes('crew_v2'))).toHaveLength(3);
    await follow(CREW);
    expect((await keys()).filter((line) => line.startsWith('crew_v2'))).toEqual([]);
    expect(await aside()).toEqual(OF_SHADOW);
    await db.sql.unsafe('DELETE FROM crew WHERE id = 2; DELETE FROM ship WHERE id = 2');
    await plane.settle('crew', 1);
  });

  it('are on the promoted table, valid and with their comments; on the way back those that let rows go return at once', async () => {
    await follow(CREW);
    expect(await plane.promote(CREW, swap(1, 'completed'))).toMatchObject({ kind: 'swapped' });
    expect(await keys()).toEqual([
      'crew_boss_fkey on crew to crew',
      'crew_port_fkey on crew to port',
      'crew_ship_fkey on crew to ship sails on',
    ]);
    expect(await plane.revert(CREW, swap(2, 'rolled_back'))).toMatchObject({ kind: 'swapped' });
    expect(await keys()).toEqual([
      'crew_boss_fkey on crew to crew',
      'crew_ship_fkey on crew to ship',
      'crew_v2_port_fkey on crew_v2 to port',
    ]);
    expect(await aside()).toEqual(['crew_v2_boss_fkey', 'crew_v2_ship_fkey']);
    await db.sql.unsafe('DELETE FROM crew WHERE id = 2; DELETE FROM ship WHERE id = 2; TRUNCATE crew_v2');
    await plane.forget('crew');
    expect(await aside()).toEqual([]);
    expect(await keys()).toContain('crew_v2_ship_fkey on crew_v2 to ship sails on');
    await follow(CREW, 4);
    expect(await aside()).toEqual(OF_SHADOW);
  });

  it('refer to the table that took the place of theirs, by its key, and back again', async () => {
    await follow(CREW);
    await follow(SHIP);
    expect(await plane.promote(SHIP, swap(1, 'completed'))).toMatchObject({ kind: 'swapped' });
    expect(await plane.promote(CREW, swap(1, 'completed'))).toMatchObject({ kind: 'swapped' });
    const referenced = async () =>
      (
        await db.sql.unsafe(
          "SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint WHERE conname = 'crew_ship_fkey'",
        )
      ).map(({ text }) => text as string);
    expect(await referenced()).toEqual(['FOREIGN KEY (ship) REFERENCES ship(number) DEFERRABLE']);
    await plane.settle('ship', 2);
    expect(await plane.revert(SHIP, swap(2, 'rolled_back'))).toMatchObject({ kind: 'swapped' });
    expect(await referenced()).toEqual(['FOREIGN KEY (ship) REFERENCES ship(id) DEFERRABLE']);
    expect(await plane.revert(CREW, swap(2, 'rolled_back'))).toMatchObject({ kind: 'swapped' });
    expect(await referenced()).toEqual(['FOREIGN KEY (ship) REFERENCES ship(id)']);
  });

  it('that the primary has not got hold promotion while rows do not satisfy them', async () => {
    await db.sql.unsafe('INSERT INTO crew VALUES (3, 1, 7, NULL)');
    await follow(CREW);
    expect(await plane.promote(CREW, swap(1, 'completed'))).toMatchObject({
      kind: 'postponed',
      why: expect.stringMatching(/1 rows reference nothing in public\.port, as foreign key crew_port_fkey/),
    });
    await db.sql.unsafe('UPDATE crew SET port = NULL WHERE id = 3');
    await plane.settle('crew', 1);
    expect(await plane.promote(CREW, swap(1, 'completed'))).toMatchObject({ kind: 'swapped' });
    expect(await keys()).toContain('crew_port_fkey on crew to port');
  });

  it('are each on the table or remembered, whenever the start is cut off', { timeout: 30_000 }, async () => {
    for (let round = 0; round < 5; round += 1) {
      const starting = plane.arm(CREW).catch(() => {});
      await cutOff(round);
      await starting;
      const onTable = (await keys()).filter((line) => line.startsWith('crew_v2')).map((line) => line.split(' ')[0]!);
      expect([...onTable, ...(await aside())].sort()).toEqual(OF_SHADOW);
      await plane.disarm('crew');
      await plane.forget('crew');
      expect(await aside()).toEqual([]);
    }
  });

  /** Ends every other backend of this database some milliseconds after the start was seen at work. */
  async function cutOff(round: number): Promise<void> {
    await db.sql.unsafe(`DO $$ BEGIN
      FOR i IN 1 .. 1000 LOOP
        EXIT WHEN EXISTS (SELECT FROM pg_stat_get_activity(NULL) a JOIN pg_database d ON d.oid = a.datid WHERE d.datname = current_database()
          AND a.pid <> pg_backend_pid() AND a.query LIKE '%set_key_aside%' AND a.state = 'active');
        PERFORM pg_sleep(0.0005); PERFORM pg_stat_clear_snapshot();
      END LOOP;
      PERFORM pg_sleep(${round * 0.003});
      PERFORM pg_terminate_backend(a.pid) FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid();
    END $$`);
  }
});
