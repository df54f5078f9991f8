/** Negative controls: each broken rule of the data plane leaves something that the oracle, or verification, finds. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Sabotage } from '../../../lib/core/sql/sabotage.ts';
import type { TableCutover } from '../../../lib/ports.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';

const SEAT: TableCutover = {
  id: 'seat',
  validation: 'disabled',
  table: { primary: 'public.seat', shadow: 'public.seat_v2' },
};

let db: OwnDatabase;
let plane: TestPlane;

beforeEach(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(`CREATE TABLE seat (id integer PRIMARY KEY, place text NOT NULL UNIQUE DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE seat_v2 (id bigint PRIMARY KEY, place text NOT NULL UNIQUE); INSERT INTO seat VALUES (1, 'a'), (2, 'b'), (3, 'c')`);
  await plane.start(SEAT);
  await plane.copy('seat', 1, 2);
});
afterEach(async () => {
  await plane.close();
  await db.drop();
});

const left = () => differences(db, 'SELECT id::bigint, place FROM seat', 'SELECT id, place FROM seat_v2');

/** [what is broken, the function it is in, the switch, what the application does, rows that differ then] */
const PLANTS: readonly (readonly [string, string, Sabotage['omit'], string, number])[] = [
  ['a changed key leaves one hint', 'capture', 'old-key', "UPDATE seat SET id = 9 WHERE place = 'a'", 2],
  ['TRUNCATE leaves no hint', 'truncated', 'truncate', 'TRUNCATE seat', 3],
  [
    'unique values that circle wait for each other',
    'converge',
    'exchange',
    "UPDATE seat SET place = CASE id WHEN 1 THEN 'b' ELSE 'a' END WHERE id < 3",
    4,
  ],
];

describe('I2 I3 with the rule everything ends equal, without it the oracle notices', () => {
  it.each(PLANTS)('%s', async (_, name, omit, change, rows) => {
    const run = async () => {
      await db.sql.unsafe(change);
      await plane.converge('seat', 1, 100);
      // Whatever is put off now would be put off for good.
      await db.sql.unsafe('UPDATE crossfade.outbox_seat SET attempts = 4, not_before = NULL');
      await plane.settle('seat', 1);
    };
    await tamper(db, plane.gateway(), SEAT, [name], { omit });
    await run();
    expect(await left()).toHaveLength(rows);
    const pass = await plane.verify('seat', 1, 1);
    if (pass.kind !== 'verified') throw new Error(pass.kind);
    const { quarantined } = (await plane.status('seat'))!;
    expect(pass.result.divergences + quarantined).toBeGreaterThan(0);

    await db.sql.unsafe(
      "DELETE FROM seat; DELETE FROM seat_v2; DELETE FROM crossfade.quarantine; INSERT INTO seat VALUES (1, 'a'), (2, 'b'), (3, 'c')",
    );
    await tamper(db, plane.gateway(), SEAT, [name], {});
    await plane.settle('seat', 1);
    await run();
    expect(await left()).toEqual([]);
    expect((await plane.status('seat'))!.quarantined).toBe(0);
  });
});
