/** I15 a key is one key, however long it is and however many are held: quarantine, foreign writes and inline failures find it by a hash. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  // Does not compress: it fits a btree index of its own, and not with `{"url": "…"}` around it.
  await db.sql.unsafe(`CREATE FUNCTION long_key(n integer) RETURNS text LANGUAGE sql AS $$
    SELECT substr(translate(string_agg(encode(sha512((n || ':' || i)::bytea), 'base64'), ''), E'\\n', 'z'), 1, 2685) FROM generate_series(1, 60) i $$`);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

const cutoverOf = (id: string, more: Partial<TableCutover['table']> = {}): TableCutover => ({
  id,
  validation: 'strict',
  table: { primary: `public.${id}`, shadow: `public.${id}_v2`, ...more },
});
const create = (id: string) =>
  db.sql.unsafe(
    `CREATE TABLE ${id} (url text PRIMARY KEY, n text); CREATE TABLE ${id}_v2 (url text PRIMARY KEY, n integer)`,
  );
const held = async (id: string) => (await plane.quarantined(id, { limit: 9 })).keys.map(({ key }) => key.length);
async function lastTry(id: string): Promise<void> {
  await plane.converge(id, 1, 500);
  await db.sql.unsafe(`UPDATE crossfade.outbox_${id} SET attempts = 4, not_before = NULL`);
  await plane.settle(id, 1);
}

describe('a key of 2,685 bytes', () => {
  it('whose row does not fit is held, alone, can be asked for, tried again, given up, and leaves when it fits', async () => {
    await create('page');
    await plane.start(cutoverOf('page'));
    await plane.copy('page', 1);
    await db.sql.unsafe("INSERT INTO page VALUES (long_key(1), 'none'), (long_key(2), 'none'), ('short', '7')");
    await lastTry('page');
    expect(await held('page')).toEqual([2_685 + '{"url": ""}'.length, 2_685 + '{"url": ""}'.length]);
    expect([...(await db.sql.unsafe('SELECT url FROM page_v2'))]).toEqual([{ url: 'short' }]);
    expect(await plane.verify('page', 1, 0)).toMatchObject({ result: { divergences: 0, rowsCompared: 3 } });
    const [{ key }] = (await plane.quarantined('page', { limit: 1 })).keys as unknown as [{ key: string }];
    expect(await plane.retryQuarantined('page', key)).toEqual({ enqueued: 1 });
    await lastTry('page');
    expect(await held('page')).toHaveLength(2);
    expect(await plane.discardQuarantined('page', key)).toEqual({ discarded: 1 });
    await db.sql.unsafe("UPDATE page SET n = '8'");
    await plane.settle('page', 1);
    expect(await held('page')).toEqual([]);
    expect(await plane.verify('page', 1, 0)).toMatchObject({ result: { divergences: 0 } });
  });

  it('never fails a write of the application: inline, and by hand on the other side', async () => {
    await create('inlined');
    await plane.start(cutoverOf('inlined', { mode: 'inline' }));
    await plane.copy('inlined', 1);
    await db.sql.unsafe(
      "INSERT INTO inlined VALUES (long_key(1), 'none'); INSERT INTO inlined VALUES (long_key(2), '5')",
    );
    expect((await db.sql.unsafe('SELECT sqlstate, times::int FROM crossfade.inline_failure'))[0]).toEqual({
      sqlstate: '22P02',
      times: 1,
    });
    await db.sql.unsafe('UPDATE inlined_v2 SET n = 6');
    await db.sql.unsafe('UPDATE inlined_v2 SET n = 7');
    const seen = await db.sql.unsafe(
      "SELECT length(key) AS length, writes::int FROM crossfade.foreign_write WHERE cutover = 'inlined'",
    );
    expect([...seen]).toEqual([{ length: 2_696, writes: 2 }]);
  });

  it('negative control: under the old primary key the whole table would stop', async () => {
    await create('stopped');
    await plane.start(cutoverOf('stopped'));
    await plane.copy('stopped', 1);
    await db.sql.unsafe(
      "DELETE FROM crossfade.quarantine; CREATE UNIQUE INDEX old_key ON crossfade.quarantine (cutover, key); INSERT INTO stopped VALUES (long_key(1), 'none'), ('short', '7')",
    );
    await plane.converge('stopped', 1, 500);
    await db.sql.unsafe('UPDATE crossfade.outbox_stopped SET attempts = 4, not_before = NULL');
    await expect(plane.converge('stopped', 1, 500)).rejects.toMatchObject({ details: { sqlstate: '54000' } });
    await db.sql.unsafe('DROP INDEX crossfade.old_key');
  });
});

describe('many keys in quarantine', () => {
  it('are found by an index, not read by each call', async () => {
    await db.sql.unsafe(
      `CREATE TABLE many (id integer PRIMARY KEY, n text); CREATE TABLE many_v2 (id bigint PRIMARY KEY, n integer)`,
    );
    await plane.start(cutoverOf('many'));
    await plane.copy('many', 1);
    await db.sql.unsafe(`INSERT INTO crossfade.quarantine (cutover, key, key_hash, sqlstate, reason, attempts)
        SELECT 'many', k, crossfade.key_hash(k), '22P02', 'x', 5 FROM generate_series(1, 50000) i, LATERAL (SELECT jsonb_build_object('id', i)::text) x(k); ANALYZE crossfade.quarantine`);
    const read = async () => {
      await db.sql.unsafe('SELECT pg_stat_force_next_flush()').catch(() => {});
      const [row] = await db.sql.unsafe(
        `SELECT seq_tup_read::int AS rows FROM pg_stat_all_tables WHERE relid = 'crossfade.quarantine'::regclass`,
      );
      return row!.rows as number;
    };
    await db.sql.unsafe("INSERT INTO many SELECT i, '1' FROM generate_series(1, 300) i");
    const before = await read();
    for (let call = 0; call < 3; call += 1) await plane.converge('many', 1, 100);
    expect((await read()) - before).toBeLessThan(50_000);
    expect((await plane.status('many'))!.quarantined).toBe(49_700);
  });
});
