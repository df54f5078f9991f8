/** What a rehearsal works on where it is made from a dump: by pg_dump and pg_restore as the distribution has them. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ownCopy } from '../../../infra/local/rehearsal/copy.ts';
import { createDatabase, type OwnDatabase } from '../../helpers/postgres.ts';

const TABLES = `CREATE TABLE orders (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text);
  CREATE TABLE items (id integer PRIMARY KEY, of integer NOT NULL REFERENCES orders);
  INSERT INTO orders (note) SELECT E'\\\\c ' || n || E'\\n' FROM generate_series(1, 200) n;
  INSERT INTO items SELECT id, id FROM orders;
  GRANT SELECT ON orders TO application; ALTER TABLE orders OWNER TO app_owner`;

describe.skipIf(inject('servers') === null)('a copy from a dump', () => {
  let db: OwnDatabase;
  let directory: string;
  const file = (name: string) => join(directory, name);
  const dump = (name: string, ...words: string[]) =>
    execFileSync('pg_dump', [...words, '--file', file(name), '--dbname', db.url]);
  const copyOf = (name: string, rows: number | null = null) => {
    const sample = rows === null ? null : { table: { schema: 'public', name: 'orders' }, rows };
    return ownCopy(db.url, { dump: file(name), sample }, { say: () => {}, running: [] });
  };
  const left = () => db.sql`SELECT datname FROM pg_database WHERE datname LIKE ${`crossfade_rehearsal_%${db.name}`}`;

  beforeAll(async () => {
    db = await createDatabase(inject('servers')!.debian.superuser, { empty: true });
    await db.sql.unsafe(TABLES).simple();
    directory = mkdtempSync(join(tmpdir(), 'crossfade-dump-'));
    dump('archive', '--format=custom');
    dump('plain.sql');
    dump('connects.sql', '--create');
  });
  afterAll(async () => {
    await db.drop();
    rmSync(directory, { recursive: true });
  });

  it.each(['archive', 'plain.sql'])(
    'in the form of %s has its rows, owners and privileges; the database may be in use',
    async (name) => {
      const copy = await copyOf(name);
      const sql = db.connect(1, copy.at(db.url));
      const seen = await sql`
      SELECT (SELECT count(*)::int FROM items) AS items, (SELECT md5(string_agg(o::text, ',' ORDER BY id)) FROM orders o) AS orders,
        (SELECT tableowner FROM pg_tables WHERE tablename = 'orders') AS owner, has_table_privilege('application', 'orders', 'SELECT') AS granted`;
      const [orders] = await db.sql`SELECT md5(string_agg(o::text, ',' ORDER BY id)) AS orders FROM orders o`;
      expect(seen).toEqual([{ items: 200, ...orders, owner: 'app_owner', granted: true }]);
      expect(copy).toMatchObject({ how: `a copy from the dump ${file(name)}`, differs: [] });
      await copy.drop();
      expect(await left()).toEqual([]);
    },
  );

  it('is cut to a sample, and says so', async () => {
    const copy = await copyOf('archive', 20);
    const [counted] = await db.connect(1, copy.at(db.url))`
      SELECT (SELECT count(*)::int FROM orders) AS orders, (SELECT count(*)::int FROM items) AS items`;
    expect(counted).toEqual({ orders: 20, items: 20 });
    expect(copy.differs.join()).toMatch(/20 of 200 rows of "public"."orders", 20 of 200 rows of items/);
    await copy.drop();
  });

  it.each([
    ['connects.sql', /it connects to another database \('\\connect test_\w+'\): make it without --create/],
    ['broken.sql', /psql ended with 3: .*syntax error at or near "nonsense"/s],
    ['denied.sql', /psql ended with 3: .*permission denied.*another one can: name it with '--admin-url'/s],
    ['no.dump', /cannot be restored: ENOENT.*--on 'postgres:/s],
  ])('of %s is refused, with what to do, and leaves nothing', async (name, why) => {
    writeFileSync(file('broken.sql'), 'nonsense');
    writeFileSync(file('denied.sql'), 'SET ROLE app_owner; CREATE PUBLICATION everything FOR ALL TABLES');
    await expect(copyOf(name)).rejects.toThrow(why);
    expect(await left()).toEqual([]);
    expect(await db.sql`SELECT count(*)::int AS orders FROM orders`).toEqual([{ orders: 200 }]);
  });
});
