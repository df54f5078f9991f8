/** `crossfade dev` and a database that knows more than what is kept of it: told apart, and begun anew. */

import { afterAll, beforeAll, expect, it } from 'vitest';
import { installSchema } from '../../../infra/local/install-schema.ts';
import { ahead, forgetAll, installationOf, readMirrored } from '../../../infra/local/kept/mirrored.ts';
import type { PgConnection } from '../../../lib/adapters/postgres/connection/connection.ts';
import { ROOT } from '../../helpers/imports.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

const ID = 'orders';
const cutover = {
  id: ID,
  validation: 'strict',
  table: { primary: 'public.orders', shadow: 'public.orders_v2' },
} as const;
const STAGE = { direction: 'forward', stage: 'dual_write' };

let db: OwnDatabase;
let plane: TestPlane;
let owner: PgConnection;
beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  owner = plane.connection();
  await db.sql.unsafe(`CREATE TABLE orders (id integer PRIMARY KEY, note text);
    CREATE TABLE orders_v2 (id bigint PRIMARY KEY, note text);
    INSERT INTO orders SELECT n, 'note' FROM generate_series(1, 50) n`);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

const triggers = () =>
  db.sql.unsafe(
    `SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid IN ('orders'::regclass, 'orders_v2'::regclass)`,
  );

it('a cutover that nothing is kept of is named, and begins again at its first epoch after what is there is forgotten', async () => {
  await plane.arm(cutover, { epoch: 7, version: 9 });
  await plane.fence(ID, 7, { version: 9 });
  await plane.copy(ID, 7);
  expect(await readMirrored(owner)).toEqual([{ id: ID, epoch: 7, version: 9, ...STAGE }]);
  expect(ahead(await readMirrored(owner), [])).toHaveLength(1);
  expect(await plane.arm(cutover, { epoch: 1, version: 1 })).toMatchObject({ kind: 'stale' });

  expect(await forgetAll(owner)).toEqual([ID]);
  expect(await readMirrored(owner)).toEqual([]);
  expect(await triggers()).toEqual([]);
  expect(await db.sql.unsafe('SELECT count(*)::int AS rows FROM orders_v2')).toEqual([{ rows: 50 }]);

  expect(await plane.arm(cutover, { epoch: 1, version: 1 })).toEqual({ kind: 'armed' });
  await plane.fence(ID, 1);
  expect(await plane.copy(ID, 1)).toBe(50);
  expect(ahead(await readMirrored(owner), [{ id: ID, epoch: 1, version: 1 }])).toEqual([]);
});

it('one that is promoted is for a rollback: nothing is forgotten', async () => {
  await db.sql.unsafe(`UPDATE crossfade.cutover SET direction = 'reverse' WHERE id = '${ID}'`);
  const before = await triggers();
  await expect(forgetAll(owner)).rejects.toThrow('orders is promoted in this database');
  expect(await triggers()).toEqual(before);
  await db.sql.unsafe(`UPDATE crossfade.cutover SET direction = 'forward' WHERE id = '${ID}'`);
});

it('a schema that was installed again, and a database with the same name, are others', async () => {
  const before = await installationOf(owner);
  expect(await installationOf(owner)).toBe(before);
  await forgetAll(owner);
  await db.sql.unsafe('DROP SCHEMA crossfade CASCADE');
  await installSchema(ROOT, db.url);
  expect(await installationOf(owner)).not.toBe(before);
});
