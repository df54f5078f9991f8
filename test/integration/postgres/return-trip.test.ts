/** I13 whether a value goes back is decided by the value: cast there and back, whatever the types and their domains are called. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  await db.sql.unsafe(`ALTER DATABASE ${db.name} SET timezone = 'Europe/Berlin'; SET timezone = 'Europe/Berlin';
    CREATE DOMAIN qty AS integer CHECK (VALUE >= 0); CREATE DOMAIN stock AS qty; CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN tag AS varchar(4)`);
  plane = testPlane(db);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

/** Old type, new type, a value that comes back, one that does not (or null), both as SQL. */
const CASES: readonly [string, string, string, string, string | null][] = [
  ['money', 'money', 'numeric(19,4)', '10', '1.2345'],
  ['money_of_any', 'money', 'numeric', '10.5', '1.2345'],
  ['quantity', 'qty', 'numeric(10,2)', '7', '7.50'],
  ['domain_of_domain', 'stock', 'double precision', '7', '7.25'],
  ['list_of_domain', 'qty[]', 'numeric[]', "'{1,2}'", "'{1,2.5}'"],
  ['moment', 'timestamp', 'timestamptz', "'2026-10-25 12:00+01'", "'2026-10-25 02:30+02'"],
  ['whole_text', 'integer', 'text', "'7'", "'007'"],
  ['unique_text', 'uuid', 'text', "'a0000000-0000-0000-0000-000000000001'", "'A0000000-0000-0000-0000-000000000001'"],
  ['blanks', 'char(5)', 'text', "'ab'", "'ab '"],
  ['flag', 'boolean', 'text', "'true'", "'yes'"],
  ['span', 'time', 'interval', "'10:00'", "'34:00'"],
  ['address', 'cidr', 'inet', "'10.0.0.0/8'", "'10.0.0.1/8'"],
  ['documents', 'jsonb', 'json', `'{"b": 1,  "a": 1}'`, null],
  ['document_text', 'jsonb', 'text', `'{"b": 1,  "a": 1}'`, null],
  ['texts', 'json', 'jsonb', `'{"b": 1.10}'`, null],
  ['feeling', 'mood', 'text', "'ok'", null],
  ['tagged', 'tag', 'text', "'four'", null],
];

/** Every value of these comes back, but no rule over types says so: each is asked. */
const ALWAYS_SAID = new Set(['texts', 'feeling']);

describe('after promotion', () => {
  it.each(CASES)(
    '%s: %s from %s takes what comes back the same, and what does not waits with its key',
    async (id, old, now, same, other) => {
      const cutover: TableCutover = {
        id,
        validation: 'strict',
        table: { primary: `public.${id}`, shadow: `public.${id}_v2` },
      };
      await db.sql.unsafe(
        `CREATE TABLE ${id} (id integer PRIMARY KEY, v ${old}); CREATE TABLE ${id}_v2 (id bigint PRIMARY KEY, v ${now})`,
      );
      // The preview says what the way back does, since both are decided by the same look at the types.
      const told = (await plane.preview(cutover)).items.filter(
        ({ object, text }) => object === `public.${id}.v` && /does not go back by itself/.test(text),
      );
      expect(told.length).toBe(other !== null || ALWAYS_SAID.has(id) ? 1 : 0);
      await plane.start(cutover);
      await plane.copy(id, 1);
      expect(await plane.promote(cutover, { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 20 })).toMatchObject(
        { kind: 'swapped' },
      );
      await db.sql.unsafe(`INSERT INTO ${id} VALUES (1, ${same}), (3, NULL)${other === null ? '' : `, (2, ${other})`}`);
      await plane.converge(id, 2, 10);
      await db.sql.unsafe(`UPDATE crossfade.outbox_${id} SET attempts = 4, not_before = NULL`);
      await plane.settle(id, 2);
      expect([...(await db.sql.unsafe(`SELECT id FROM ${id}_old ORDER BY id`))]).toEqual([{ id: 1 }, { id: 3 }]);
      const held = (await plane.quarantined(id, { limit: 9 })).keys;
      expect(held.map(({ key, sqlstate }) => [key, sqlstate])).toEqual(other === null ? [] : [['{"id": 2}', '22003']]);
      expect(await plane.rollbackReady(id)).toMatchObject({ ready: other === null });
      expect(await plane.verify(id, 2, 0)).toMatchObject({ result: { divergences: 0 } });
      if (other !== null) await db.sql.unsafe(`UPDATE ${id} SET v = ${same} WHERE id = 2`);
      await plane.settle(id, 2);
      expect(await plane.rollbackReady(id)).toEqual({ ready: true });
    },
  );

  it('misses nothing that the way there has lost, and finds what somebody else wrote', async () => {
    const columns = {
      doc: ['json', 'jsonb', `'{"b": 1,   "a":2}'`, `'{"b": 3}'`],
      list: ['json[]', 'jsonb[]', `ARRAY['{"b":1}'::json]`, `ARRAY['{"b":2}'::json]`],
      ratio: ['float8', 'numeric', '0.1::float8 + 0.2', '5'],
      price: ['numeric', 'numeric(10,2)', '1.555', '1e12'],
      truth: ['integer', 'boolean', '7', '0'],
      name: ['text', 'uuid', "'A0000000-0000-0000-0000-000000000001'", "'nobody'"],
      moment: ['timestamptz', 'date', "'2026-10-25 12:00+01'", "'2000-01-01'"],
    };
    const names = Object.keys(columns);
    const all = (which: 0 | 1) => Object.entries(columns).map(([name, types]) => `${name} ${types[which]}`);
    const values = Object.values(columns).map(([, , value]) => value);
    await db.sql.unsafe(`CREATE TABLE lost (id integer PRIMARY KEY, ${all(0)}); INSERT INTO lost SELECT i, ${values} FROM generate_series(1, 9) i;
      CREATE TABLE lost_v2 (id bigint PRIMARY KEY, ${all(1)})`);
    const cutover: TableCutover = {
      id: 'lost',
      validation: 'strict',
      table: { primary: 'public.lost', shadow: 'public.lost_v2' },
    };
    await plane.start(cutover);
    await plane.copy('lost', 1);
    await plane.promote(cutover, { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 20 });
    const diverged = async (tier: 'fast' | 'proof' = 'fast') => {
      const step = await plane.verify('lost', 2, 0, { tier });
      return (step as unknown as { result: { samples: { key: string; columns: string[] }[] } }).result.samples;
    };
    expect([await diverged(), await diverged('proof')]).toEqual([[], []]);
    expect(await plane.consistency('lost')).toMatchObject({ consistent: 9, diverged: 0 });
    await db.sql.unsafe(`ALTER TABLE lost_old DISABLE TRIGGER ALL;
      ${names.map((name, i) => `UPDATE lost_old SET ${name} = ${columns[name as keyof typeof columns][3]} WHERE id = ${i + 1}`).join(';')};
      ALTER TABLE lost_old ENABLE TRIGGER ALL`);
    const found = await diverged();
    for (const [i, name] of names.entries()) {
      expect(found).toContainEqual({ key: `{"id": ${i + 1}}`, columns: expect.arrayContaining([name]) });
      expect(await plane.compareRow('lost', String(i + 1))).toMatchObject({ equal: false });
    }
    await plane.repair('lost');
    await plane.settle('lost', 2);
    expect([await diverged(), await diverged('proof')]).toEqual([[], []]);
  });
});
