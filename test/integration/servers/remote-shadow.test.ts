/**
 * I1 I2 I3 I7 I9 I15 I16 a shadow in another cluster of another major version: Debian's 15 as primary, the embedded 18 as the new one. Its
 * life from the start to reads and back.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { compose } from '../../../lib/compose/ports.ts';
import { defineCutovers } from '../../../lib/define/cutovers.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { endPauses } from '../../helpers/postgres-tables.ts';
import {
  explaining,
  type RemotePlane,
  remotePlane,
  rowsApart,
  type TwoDatabases,
  twoDatabases,
} from '../../helpers/remote-plane.ts';

const ORDERS: TableCutover = {
  id: 'orders',
  validation: 'strict',
  table: {
    primary: 'public.orders',
    shadow: 'public.orders',
    connection: 'new',
    columns: { total: { sql: 'price * amount' }, placed: { from: 'at' } },
  },
};
const PRIMARY = `CREATE TABLE orders (id integer PRIMARY KEY, code varchar(20) UNIQUE, price numeric(10,2), amount integer NOT NULL, at timestamptz,
    tags text[], doc jsonb, raw bytea, note text);
  INSERT INTO orders SELECT i, 'c' || i, i / 3.0, i % 7, timestamptz '2024-01-01 UTC' + i * interval '1 hour', ARRAY['a', 'b, "' || i], jsonb_build_object('i', i, 'x', 1.10),
    decode(md5(i::text), 'hex'), E'tab\\t line\\n back\\\\ ' || i FROM generate_series(1, 3000) i`;
const TRIGGER =
  'CREATE TRIGGER orders_written BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()';
const SHADOW = `CREATE TABLE orders (id bigint PRIMARY KEY, code varchar(20) UNIQUE, price numeric(10,2), amount bigint NOT NULL CHECK (amount < 1000), total numeric, placed timestamptz,
    tags text[], doc jsonb, raw bytea, note text,
    UNIQUE (placed) DEFERRABLE INITIALLY DEFERRED)`;
const HERE = 'SELECT id::bigint, code, price, amount::bigint, price * amount, at, tags, doc, raw, note FROM orders';
const THERE = 'SELECT id, code, price, amount, total, placed, tags, doc, raw, note FROM orders';
const NONE = { left: [], right: [] };

describe.skipIf(inject('servers') === null)('a shadow in another cluster', () => {
  let two: TwoDatabases;
  let plane: RemotePlane;
  /** How the end of each range was found. */
  const ends: string[] = [];
  const apart = () => rowsApart(two, HERE, THERE);
  /** What is put off is due at once. */
  const settleNow = async () => {
    while ((await plane.status('orders'))!.outboxRows > 0) {
      await endPauses(plane.remote.primary.owner, 'orders');
      await plane.converge('orders', 1, 500);
    }
  };
  const write = (text: string) => two.primary.owner.unsafe(text).simple();

  beforeAll(async () => {
    two = await twoDatabases();
    await two.primary.owner.unsafe(`${PRIMARY}; ${TRIGGER}`).simple();
    await two.shadow.owner.unsafe(SHADOW).simple();
    plane = remotePlane(two, ORDERS, explaining(/ OFFSET \d+ LIMIT 1/, ends));
  });
  afterAll(async () => {
    await plane.close();
    await two.drop();
  });

  it('is copied, follows, and is compared', async () => {
    const preview = await plane.preview(ORDERS);
    expect(preview).toMatchObject({ ok: true, shadow: "public.orders of connection 'new'" });
    expect(preview.items.map(({ kind, object }) => ({ kind, object }))).toEqual([
      { kind: 'completion', object: preview.shadow },
      { kind: 'pools', object: preview.shadow },
      { kind: 'way back', object: 'trigger orders_written of public.orders' },
    ]);
    await plane.start();
    await write("UPDATE orders SET note = 'early' WHERE id % 10 = 0; DELETE FROM orders WHERE id % 11 = 0");
    expect(await plane.copy(1, 100)).toBe(2_728);
    await write(
      "INSERT INTO orders VALUES (9001, 'new', 1.5, 2); UPDATE orders SET id = 9002 WHERE id = 1; UPDATE orders SET price = price + 1 WHERE id < 500; DELETE FROM orders WHERE id = 2",
    );
    await plane.settle(1);
    expect(await apart()).toEqual(NONE);
    expect(await plane.verify('orders', 1, 1_000)).toMatchObject({
      kind: 'verified',
      result: { rowsCompared: 2_728, divergences: 0, score: 1 },
    });
    expect(await plane.verify('orders', 1, 1_000, { tier: 'proof' })).toMatchObject({
      kind: 'verified',
      result: { divergences: 0 },
    });
    expect(await plane.compareRow('orders', '{"id": 9001}')).toMatchObject({ equal: true, late: false });
  });

  it('finds the end of a range by the index of a shadow without statistics, and makes text of one key only', () => {
    // Of two chunks at least, of a comparison, and of a proof.
    expect(ends.length).toBeGreaterThan(3);
    for (const plan of ends) {
      expect(plan).toMatch(/Index (Only )?Scan using orders_pkey/);
      expect(plan).not.toMatch(/Seq Scan|Sort/);
      expect(plan.split('Limit')[1]).not.toContain('key_text');
    }
  });

  it('is found to differ where it does, and is repaired', async () => {
    await two.shadow.owner
      .unsafe(
        "UPDATE orders SET note = 'foreign' WHERE id = 30; DELETE FROM orders WHERE id = 31; INSERT INTO orders (id, amount) VALUES (77777, 1)",
      )
      .simple();
    // Late is not wrong.
    await write("UPDATE orders SET note = 'late' WHERE id = 40");
    const step = await plane.verify('orders', 1, 2_000);
    expect(step).toMatchObject({ kind: 'verified', result: { divergences: 3 } });
    expect((step as unknown as { result: { samples: unknown[] } }).result.samples).toEqual(
      expect.arrayContaining([
        { key: '{"id": 30}', columns: ['note'] },
        { key: '{"id": 31}', columns: [] },
        { key: '{"id": 77777}', columns: [] },
      ]),
    );
    expect(await plane.compareRow('orders', '30')).toMatchObject({ equal: false, differingColumns: ['note'] });
    const { columns } = (await plane.rowValues(ORDERS, '30'))!;
    expect(columns.find(({ shadow }) => shadow === 'note')).toMatchObject({ shadowValue: 'foreign' });
    expect(await plane.repair('orders')).toEqual({ enqueued: 3 });
    await plane.settle(1);
    expect(await apart()).toEqual(NONE);
  });

  it('keeps a row that does not fit in quarantine, and no other', async () => {
    await write("UPDATE orders SET amount = 5000 WHERE id = 50; UPDATE orders SET note = 'fits' WHERE id = 51");
    await settleNow();
    expect(await plane.quarantined('orders', { limit: 10 })).toMatchObject({
      total: 1,
      keys: [{ key: '{"id": 50}', sqlstate: '23514' }],
    });
    expect(await plane.verify('orders', 1, 3_000)).toMatchObject({ result: { divergences: 0 } });
    await write('UPDATE orders SET amount = 5 WHERE id = 50');
    await plane.settle(1);
    expect(await plane.quarantined('orders', { limit: 10 })).toMatchObject({ total: 0 });
    expect(await apart()).toEqual(NONE);
  });

  it('does so where the shadow checks a constraint at the end of a transaction', async () => {
    await write(
      'UPDATE orders SET at = (SELECT at FROM orders WHERE id = 53) WHERE id = 52; UPDATE orders SET amount = 6 WHERE id = 54',
    );
    await settleNow();
    const keys = [{ key: '{"id": 52}', sqlstate: '23505' }];
    expect(await plane.quarantined('orders', { limit: 10 })).toMatchObject({ total: 1, keys });
    await write("UPDATE orders SET at = '2001-01-01' WHERE id = 52");
    await plane.settle(1);
    expect(await apart()).toEqual(NONE);
  });

  it('exchanges unique values, and is emptied by a truncation', async () => {
    await write(
      "BEGIN; UPDATE orders SET code = 'x' WHERE id = 60; UPDATE orders SET code = 'c60' WHERE id = 61; UPDATE orders SET code = 'c61' WHERE id = 60; COMMIT",
    );
    await plane.settle(1);
    expect(await apart()).toEqual(NONE);
    await write("TRUNCATE orders; INSERT INTO orders VALUES (5, 'five', 1, 1)");
    await plane.settle(1);
    await plane.copy(1, 100);
    await plane.settle(1);
    expect(await apart()).toEqual(NONE);
  });

  it('refuses a caller with an old epoch, and leaves nothing behind', async () => {
    await plane.fence(2, 'rolled_back');
    await write("INSERT INTO orders VALUES (6, 'six', 1, 1)");
    expect(await plane.converge('orders', 1, 100)).toEqual({ kind: 'stale', have: 2, got: 1 });
    expect(await plane.disarm('orders', { epoch: 2, version: 2 })).toEqual({ kind: 'disarmed' });
    expect(await plane.forget('orders', { epoch: 2, version: 2 })).toEqual({ kind: 'forgotten' });
    const left = `SELECT proname FROM pg_proc WHERE pronamespace = 'crossfade'::regnamespace AND proname LIKE '%\\_orders'
      UNION ALL SELECT relname FROM pg_class WHERE relnamespace = 'crossfade'::regnamespace AND relname LIKE '%\\_orders'`;
    expect(await two.primary.sql.unsafe(left)).toHaveLength(0);
    expect(await two.shadow.sql.unsafe(left)).toHaveLength(0);
  });

  it('gets columns of every name, more than a function takes arguments, and XML with its declaration', async () => {
    const names = [
      'r',
      'i',
      'j',
      'image',
      'batch',
      'v_images',
      'v_free',
      ...Array.from({ length: 95 }, (_, n) => `c${n}`),
    ];
    const columns = `page xml, ${names.map((name) => `${name} integer`).join(', ')}`;
    await write(
      `CREATE TABLE wide (id integer PRIMARY KEY, ${columns}); INSERT INTO wide (id, page, r, c94) VALUES (1, '<?xml version="1.0"?><a/>', 1, 1)`,
    );
    await two.shadow.owner.unsafe(`CREATE TABLE wide (id bigint PRIMARY KEY, ${columns})`);
    const table = { primary: 'public.wide', shadow: 'public.wide', connection: 'new' };
    const wide = remotePlane(two, { id: 'wide', validation: 'strict', table });
    await wide.start();
    await wide.copy(1);
    await write(`INSERT INTO wide SELECT 2, page, 2, 3, 4, 5, 6, 7, 8 FROM wide; UPDATE wide SET r = 9 WHERE id = 1`);
    await wide.settle(1);
    expect(await wide.verify('wide', 1, 1)).toMatchObject({ result: { rowsCompared: 2, divergences: 0 } });
    const query = `SELECT id::bigint, page::text, ${names.join(', ')} FROM wide`;
    expect(await rowsApart(two, query, query)).toEqual(NONE);
    await wide.close();
  });

  it('has the values that the primary means, whatever each owner has set, and completed it misses nothing that the way there has lost', async () => {
    const settings = {
      primary: { timezone: 'America/New_York', intervalstyle: 'sql_standard', bytea_output: 'escape' },
      shadow: { timezone: 'Asia/Kolkata', intervalstyle: 'postgres_verbose', bytea_output: 'hex' },
    };
    for (const side of ['primary', 'shadow'] as const)
      for (const [name, value] of Object.entries(settings[side]))
        await two[side].sql.unsafe(`ALTER ROLE app_owner IN DATABASE ${two[side].name} SET ${name} = '${value}'`);
    const columns = (at: string, doc: string, price: string) =>
      `at ${at}, doc ${doc}, price ${price}, spans interval[], moments tstzrange, raw bytea, id integer PRIMARY KEY`;
    const row = (id: number) =>
      `('2024-07-01 12:00', '{"b":1,  "a":2}', 1.555, ARRAY['-1 day -02:03:04'::interval, '-1 year'], '[2024-07-01 12:00+00,)', '\\x00ff5c', ${id})`;
    await write(
      `CREATE TABLE forms (${columns('timestamp', 'json', 'numeric')}); INSERT INTO forms VALUES ${row(1)}, ${row(2)}, ${row(3)}`,
    );
    await two.shadow.owner.unsafe(`CREATE TABLE forms (${columns('timestamptz', 'jsonb', 'numeric(10,2)')})`);
    const table = { primary: 'public.forms', shadow: 'public.forms', connection: 'new' };
    const forms: TableCutover = { id: 'forms', validation: 'strict', table };
    const moved = remotePlane(two, forms);
    const diverged = async (epoch: number, tier: 'fast' | 'proof' = 'fast') => {
      const step = await moved.verify('forms', epoch, epoch, { tier });
      return (step as unknown as { result: { samples: unknown[] } }).result.samples;
    };
    await moved.start();
    await moved.copy(1);
    await write(`INSERT INTO forms VALUES ${row(4)}`);
    await moved.settle(1);
    const values = `extract(epoch FROM moments_from)::bigint AS "from", spans = ARRAY['-1 day -02:03:04'::interval, '-1 year'] AS spans, encode(raw, 'hex') AS raw`;
    const inForms = `(SELECT lower(moments) AS moments_from, spans, raw FROM forms ORDER BY id) f`;
    const meant = Array.from({ length: 4 }, () => ({ from: '1719835200', spans: true, raw: '00ff5c' }));
    expect(await two.shadow.sql.unsafe(`SELECT ${values} FROM ${inForms}`)).toEqual(meant);
    expect([await diverged(1), await diverged(1, 'proof')]).toEqual([[], []]);
    const step = { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 2 };
    expect(await moved.promote(forms, step)).toMatchObject({ kind: 'swapped' });
    expect([await diverged(2), await diverged(2, 'proof')]).toEqual([[], []]);
    await two.shadow.owner`UPDATE forms SET raw = raw WHERE id IN (2, 4)`;
    await moved.settle(2);
    expect(await two.primary.sql`SELECT at::text, price::float FROM forms ORDER BY id`).toEqual(
      [1.555, 1.56, 1.555, 1.56].map((price) => ({ at: '2024-07-01 12:00:00', price })),
    );
    expect(await diverged(2)).toEqual([]);
    // Others write past the guard: another value, and one that the new table could not hold.
    await two.primary.sql
      .unsafe(`ALTER TABLE forms DISABLE TRIGGER ALL; UPDATE forms SET doc = '{"b": 2}' WHERE id = 1`)
      .simple();
    expect(await diverged(2)).toEqual([{ key: '{"id": 1}', columns: ['doc'] }]);
    await two.primary.sql`UPDATE forms SET price = 1e12 WHERE id = 2`;
    expect(await diverged(2)).toContainEqual({ key: '{"id": 2}', columns: ['price'] });
    expect(await moved.compareRow('forms', '2')).toMatchObject({ equal: false, differingColumns: ['price'] });
    await moved.close();
  });

  it('is found by the name of its connection, and a name without an address is refused', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'crossfade-remote-'));
    const file = join(directory, 'cutovers.json');
    const shadow = { connection: 'new', table: 'public.orders' };
    const columns = ORDERS.table.columns!;
    const declared = defineCutovers([{ id: 'orders', kind: 'table', primary: 'public.orders', shadow, columns }]);
    writeFileSync(file, JSON.stringify(declared));
    const { owner, runtime } = two.primary.roles;
    const composed = (connections: Record<string, string>) =>
      compose({
        CROSSFADE_PROFILE: 'local',
        CROSSFADE_STATE_TABLE: 'state',
        CROSSFADE_CHANGES_TABLE: 'changes',
        CROSSFADE_APPCONFIG_APPLICATION: 'a',
        CROSSFADE_APPCONFIG_ENVIRONMENT: 'e',
        CROSSFADE_APPCONFIG_PROFILE: 'p',
        CROSSFADE_JWT_ISSUER: 'https://issuer.test',
        CROSSFADE_JWT_AUDIENCE: 'crossfade',
        CROSSFADE_LOG_LEVEL: 'silent',
        CROSSFADE_CUTOVERS: file,
        CROSSFADE_DATABASE_URL: runtime,
        CROSSFADE_OWNER_DATABASE_URL: owner,
        CROSSFADE_CONNECTIONS: JSON.stringify(connections),
      });
    const { ports, cutovers } = composed({ new: two.shadow.roles.owner });
    expect(await cutovers()).toEqual(declared);
    expect(await ports.inspecting.health(ORDERS)).toContainEqual(
      expect.objectContaining({ check: 'versions of both servers', status: 'pass' }),
    );
    await expect(composed({ nwe: two.shadow.roles.owner }).cutovers()).rejects.toThrow(
      "orders.shadow.connection 'new' has no address. Did you mean 'nwe'?",
    );
    rmSync(directory, { recursive: true });
  });
});
