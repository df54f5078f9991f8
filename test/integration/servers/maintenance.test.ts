/**
 * I1 what people do to a table under way with the tools of Postgres, on the distribution's server and with an owner that is no
 * superuser: a load by pg_restore, the statements of an ORM's migration, CLUSTER, VACUUM FULL, REINDEX, and a table that is
 * made again beside itself. Nothing is lost, the application's statements succeed, and what holds the swap names the object.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { debianBinaries } from '../../helpers/debian-postgres.ts';
import { type ServedDatabase, servedDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { type Writer, writer } from '../../helpers/writer.ts';

const STOCK: TableCutover = {
  id: 'stock',
  validation: 'strict',
  table: { primary: 'public.stock', shadow: 'public.stock_v2' },
};
const LOADED = 100_000;
const SCHEMA = `CREATE TABLE stock (id integer PRIMARY KEY, label text, amount integer NOT NULL DEFAULT 0);
  CREATE TABLE stock_v2 (id bigint PRIMARY KEY, label text, amount numeric NOT NULL DEFAULT 0);
  CREATE TABLE stock_twin (LIKE stock INCLUDING ALL); CREATE INDEX stock_label ON stock (label);
  INSERT INTO stock SELECT i, 'n' || i, i FROM generate_series(1, 60) i; INSERT INTO stock_twin TABLE stock;
  GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO application`;
const PROMOTION = { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 2 };

describe.skipIf(inject('servers') === null)('I1 a table under way', () => {
  let db: ServedDatabase;
  let plane: TestPlane;
  let application: Writer | null;
  beforeEach(async () => {
    db = await servedDatabase('debian', 'direct');
    plane = testPlane(db);
    application = null;
    await db.owner.unsafe(SCHEMA);
    await plane.start(STOCK, 1);
    await plane.copy('stock', 1);
    await plane.settle('stock', 1);
  });
  afterEach(async () => {
    await application?.stop();
    await plane.close();
    await db.drop();
  });

  const writing = () => {
    const sql = db.connect(1, db.application);
    application = writer((i) => {
      const change = (table: string) =>
        `INSERT INTO ${table} (id, label, amount) VALUES (${1_000 + (i % 50)}, 'w${i}', ${i}) ON CONFLICT (id) DO UPDATE SET label = excluded.label;
         UPDATE ${table} SET amount = amount + 1 WHERE id = ${1 + (i % 60)}; DELETE FROM ${table} WHERE id = ${1_000 + ((i + 25) % 50)}`;
      return sql.unsafe(`BEGIN; ${change('stock')}; ${change('stock_twin')}; COMMIT`).simple();
    });
    return application;
  };
  const wrong = (table: string) => {
    const rows = (name: string) => `SELECT id::bigint, label, amount::numeric FROM ${name}`;
    return differences(db, rows(table), rows('stock_twin'));
  };
  /** A whole pass of verification, in as many calls as it takes. */
  const compared = async (): Promise<number> => {
    for (;;) {
      const pass = await plane.verify('stock', 1, Date.now());
      if (pass.kind === 'verified') return pass.result.divergences;
      expect(pass.kind).toBe('running');
    }
  };
  const why = async () => {
    const result = await plane.promote(STOCK, PROMOTION);
    expect(result.kind).not.toBe('swapped');
    return 'why' in result ? result.why : '';
  };

  it(`a load of ${LOADED} rows by pg_restore --disable-triggers is noticed, and every row arrives`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'crossfade-dump-'));
    const source = await servedDatabase('debian', 'direct');
    const run = (program: string, words: string[], url: string) => {
      const done = spawnSync(join(debianBinaries()!, program), [...words, '-d', url], { encoding: 'utf8' });
      expect(`${done.stderr}${done.error ?? ''}`).toBe('');
    };
    try {
      await source.sql.unsafe(`CREATE TABLE stock (id integer PRIMARY KEY, label text, amount integer NOT NULL);
        INSERT INTO stock SELECT i, 'loaded ' || i, i FROM generate_series(10001, ${10_000 + LOADED}) i`);
      const file = join(folder, 'stock.dump');
      run('pg_dump', ['-Fc', '--data-only', '-t', 'stock', '-f', file], source.url);
      const busy = writing();
      await busy.after(5);
      const url = new URL(db.url).href;
      const restored = spawnSync(
        join(debianBinaries()!, 'pg_restore'),
        ['--data-only', '--disable-triggers', '-d', url, file],
        { encoding: 'utf8' },
      );
      expect(restored.stderr).toBe('');
      await db.sql.unsafe(
        `INSERT INTO stock_twin SELECT i, 'loaded ' || i, i FROM generate_series(10001, ${10_000 + LOADED}) i`,
      );
      await busy.after(5);
      expect(await why()).toMatch(/changes may have been missed.*crossfade_capture/);
      await plane.watch('stock', { epoch: 1_000_000, version: 1_000_000 });
      await plane.copy('stock', 1, 20_000);
      await busy.stop();
      await plane.settle('stock', 1);
      expect(busy.failures).toEqual([]);
      // One pass that began after capture was made again; the one that was under way does not count.
      for (let pass = 0; pass < 2; pass += 1) expect(await compared()).toBe(0);
      expect(await wrong('stock_v2')).toEqual([]);
      expect(await plane.promote(STOCK, PROMOTION)).toMatchObject({ kind: 'swapped' });
      expect(await wrong('stock')).toEqual([]);
    } finally {
      await source.drop();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it.each([
    ['adds a column', 'ALTER TABLE stock ADD COLUMN discount integer', /discount/],
    ['renames a column', 'ALTER TABLE stock RENAME COLUMN label TO title', /label|title/],
    ['drops a column', 'ALTER TABLE stock DROP COLUMN label', /label/],
    ['widens the key', 'ALTER TABLE stock ALTER id TYPE bigint', /id/],
    [
      'is made again beside itself and takes the name',
      `CREATE TABLE stock_new (LIKE stock INCLUDING ALL); GRANT ALL ON stock_new TO application;
      INSERT INTO stock_new TABLE stock; ALTER TABLE stock RENAME TO stock_gone; ALTER TABLE stock_new RENAME TO stock`,
      /public\.stock/,
    ],
  ])('a migration that %s: the application writes on, and the swap is held by name', async (_, ddl, name) => {
    const sql = db.connect(1, db.application);
    const busy = writer((i) => sql.unsafe(`INSERT INTO stock (id, amount) VALUES (${5_000 + i}, 1)`));
    application = busy;
    await busy.after(5);
    await db.owner.unsafe(ddl);
    await busy.after(10);
    expect(await why()).toMatch(name);
    await busy.stop();
    expect(busy.failures).toEqual([]);
  });

  it('CLUSTER, VACUUM FULL, REINDEX CONCURRENTLY and ANALYZE change nothing', async () => {
    const busy = writing();
    for (const act of [
      'CLUSTER stock USING stock_label',
      'VACUUM FULL stock',
      'REINDEX TABLE CONCURRENTLY stock',
      'VACUUM FULL stock_v2',
      'REINDEX TABLE CONCURRENTLY stock_v2',
      'ANALYZE stock',
    ]) {
      await db.owner.unsafe(act);
      await busy.after(5);
    }
    await busy.stop();
    await plane.settle('stock', 1);
    expect(busy.failures).toEqual([]);
    expect(await wrong('stock_v2')).toEqual([]);
    expect(await plane.promote(STOCK, PROMOTION)).toMatchObject({ kind: 'swapped' });
    expect(await wrong('stock')).toEqual([]);
  });
});
