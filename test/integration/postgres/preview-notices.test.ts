/** What the preview says of a swap before anything is armed, and what the start refuses in the same words. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

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

const cutoverOf = (id: string, table: Partial<TableCutover['table']> = {}): TableCutover => ({
  id,
  validation: 'strict',
  table: { primary: `public.${id}`, shadow: `public.${id}_v2`, ...table },
});
const run = (sql: string) => db.sql.unsafe(sql).simple();

async function itemsOf(cutover: TableCutover, kind: string) {
  return (await plane.preview(cutover)).items.filter((item) => item.kind === kind);
}

/** What the preview refuses, the start refuses, with the same text. */
async function refusedBoth(cutover: TableCutover, kind: string): Promise<string> {
  const refused = (await itemsOf(cutover, kind)).filter(({ action }) => action === 'refuse');
  expect(refused.length).toBeGreaterThan(0);
  const error = await plane.arm(cutover).then(
    () => null,
    (caught: Error) => caught,
  );
  for (const { object, text } of refused) expect(error?.message).toContain(`${object}: ${text}`);
  return refused.map(({ text }) => text).join(' ');
}

async function starts(cutover: TableCutover): Promise<void> {
  expect((await plane.preview(cutover)).items.filter(({ action }) => action === 'refuse')).toEqual([]);
  await plane.start(cutover);
  await plane.disarm(cutover.id);
}

describe('another order of columns', () => {
  type Order = { what: string; id: string; old: string; now: string };
  const SILENT: readonly Order[] = [
    {
      what: 'two texts',
      id: 'o1',
      old: 'id integer PRIMARY KEY, last_name text, first_name text',
      now: 'id bigint PRIMARY KEY, first_name text, last_name text',
    },
    {
      what: 'numbers of two widths',
      id: 'o2',
      old: 'id integer PRIMARY KEY, paid numeric(9,2), due integer',
      now: 'id bigint PRIMARY KEY, due bigint, paid numeric(9,2)',
    },
    {
      what: 'a new column before others',
      id: 'o3',
      old: 'id integer PRIMARY KEY, a text, b text',
      now: 'id bigint PRIMARY KEY, z text, a text, b text',
    },
    {
      what: 'a moment and a date',
      id: 'o4',
      old: 'id integer PRIMARY KEY, day date, at timestamptz',
      now: 'id bigint PRIMARY KEY, at timestamptz, day date',
    },
  ];
  it.each(SILENT)(
    'in which a row is stored wrong without an error is refused, unless declared: $what',
    async ({ id, old, now }) => {
      await run(`CREATE TABLE ${id} (${old}); CREATE TABLE ${id}_v2 (${now})`);
      expect(await refusedBoth(cutoverOf(id), 'column order')).toMatch(
        /stores values in the wrong columns.*columnOrder: 'notice'/,
      );
      const declared = cutoverOf(id, { columnOrder: 'notice' });
      expect(await itemsOf(declared, 'column order')).toMatchObject([{ action: 'notice' }]);
      await starts(declared);
    },
  );

  it('in which Postgres refuses the row is a notice, and can be refused', async () => {
    await run(`CREATE TABLE o5 (id integer PRIMARY KEY, made timestamptz, name text); CREATE TABLE o5_v2 (id bigint PRIMARY KEY, name text, made timestamptz);
      CREATE TABLE o6 (id integer PRIMARY KEY, a text, b text, c text); CREATE TABLE o6_v2 (id bigint PRIMARY KEY, c text, a text)`);
    for (const id of ['o5', 'o6']) {
      expect(await itemsOf(cutoverOf(id), 'column order')).toMatchObject([
        { action: 'notice', text: expect.stringMatching(/fails after promotion/) },
      ]);
      await starts(cutoverOf(id));
      await refusedBoth(cutoverOf(id, { columnOrder: 'refuse' }), 'column order');
    }
  });

  it('is none where columns are only added at the end, renamed or dropped there', async () => {
    await run(
      'CREATE TABLE o7 (id integer PRIMARY KEY, a text, b text, c text); CREATE TABLE o7_v2 (id bigint PRIMARY KEY, a text, bb text, z text)',
    );
    const columns = { bb: { from: 'b' }, z: { added: true } } as const;
    expect(await itemsOf(cutoverOf('o7', { columns, columnOrder: 'refuse' }), 'column order')).toEqual([]);
  });
});

describe('values that an application reads differently', () => {
  it('are named by column, with what a driver returns', async () => {
    await run(`CREATE TABLE v (id integer PRIMARY KEY, at timestamp, doc json, price double precision, code character(3), same bigint);
      CREATE TABLE v_v2 (id bigint PRIMARY KEY, at timestamptz, doc jsonb, price numeric, code text, same bigint)`);
    const items = await itemsOf(cutoverOf('v'), 'value');
    expect(items.map(({ object, text }) => [object, text])).toEqual([
      ['public.v.id', expect.stringMatching(/node-postgres.*as text/)],
      ['public.v.at', expect.stringMatching(/time zone of the session/)],
      ['public.v.doc', expect.stringMatching(/sorted keys/)],
      ['public.v.price', expect.stringMatching(/as text or as a decimal/)],
      ['public.v.code', expect.stringMatching(/spaces at the end/)],
    ]);
    expect(items.every(({ action }) => action === 'notice')).toBe(true);
  });
});

describe('what belongs to one partition', () => {
  const own = [
    ['a comment', "COMMENT ON TABLE part_1 IS 'of mine'"],
    ['a replica identity', 'ALTER TABLE part_1 REPLICA IDENTITY FULL'],
    ['constraints', "ALTER TABLE part_1 ADD CHECK (v <> 'z')"],
    ['defaults', "ALTER TABLE part_1 ALTER v SET DEFAULT 'y'"],
    ['extended statistics', 'CREATE STATISTICS part_stats ON id, v FROM part_1'],
    ['indexes', 'CREATE INDEX ON part_1 (v)'],
    ['privileges', 'GRANT SELECT ON part_1 TO PUBLIC'],
    ['publications', 'CREATE PUBLICATION part_published FOR TABLE part_1'],
    ['row security', "CREATE POLICY part_policy ON part_1 USING (v <> 'z')"],
    ['rules', 'CREATE RULE part_rule AS ON DELETE TO part_1 DO ALSO NOTHING'],
    ['storage parameters', 'ALTER TABLE part_1 SET (fillfactor = 70)'],
  ] as const;

  it('is named, with whoever uses it; a cleanup waits for these, and not for what goes with the partition', async () => {
    await run(`CREATE TABLE part (id integer, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id); CREATE TABLE part_1 PARTITION OF part DEFAULT;
      CREATE TABLE part_v2 (id integer PRIMARY KEY, v text)`);
    expect(await itemsOf(cutoverOf('part'), 'partition')).toEqual([]);
    await run(`${own.map(([, ddl]) => ddl).join('; ')}; CREATE VIEW part_seen AS SELECT id FROM part_1`);
    const items = await itemsOf(cutoverOf('part'), 'partition');
    expect(items.map(({ object }) => object)).toEqual(['view public.part_seen', ...own.map(([kind]) => kind)]);
    expect(items.every(({ action, text }) => action === 'notice' && text.includes('public.part_1'))).toBe(true);
    await plane.start(cutoverOf('part'));
    await plane.copy('part', 1);
    await plane.promote(cutoverOf('part'), { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 9 });
    const cleanup = () => plane.cleanup(cutoverOf('part'), 2, { version: 10 });
    expect(await cleanup()).toMatchObject({
      kind: 'refused',
      why: expect.stringMatching(/: view (public\.)?part_seen\./),
    });
    await run('DROP VIEW part_seen');
    expect(await cleanup()).toEqual({ kind: 'cleaned' });
    await run('DROP PUBLICATION part_published');
  });
});

describe('publications and subscriptions', () => {
  it('FOR ALL TABLES is named with what it publishes besides, and how to leave it out', async () => {
    await run(
      'CREATE TABLE p1 (id integer PRIMARY KEY, v text); CREATE TABLE p1_v2 (id bigint PRIMARY KEY, v text); CREATE PUBLICATION p1_all FOR ALL TABLES',
    );
    try {
      const [item] = await itemsOf(cutoverOf('p1'), 'publication');
      expect(item).toMatchObject({ action: 'notice', object: 'p1_all' });
      expect(item!.text).toMatch(/p1_v2 and the tables of schema crossfade.*CREATE PUBLICATION "p1_all" FOR TABLE/);
    } finally {
      await run('DROP PUBLICATION p1_all');
    }
  });

  it.each([
    [
      'FOR ALL TABLES, and a shadow with a unique index only',
      'p2',
      '',
      'FOR ALL TABLES',
      /REPLICA IDENTITY USING INDEX "p2_v2_id_key"/,
    ],
    ['FOR TABLE shadow', 'p3', '', 'FOR TABLE p3_v2', /p3_v2 has no replica identity/],
    [
      'FOR TABLE primary with REPLICA IDENTITY NOTHING',
      'p4',
      'ALTER TABLE p4 REPLICA IDENTITY NOTHING; ALTER TABLE p4_v2 REPLICA IDENTITY FULL',
      'FOR TABLE p4',
      /UPDATE and DELETE/,
    ],
  ])(
    'publish changes of a table that nothing identifies: %s: refused until it is identified',
    async (_, id, more, reach, says) => {
      await run(
        `CREATE TABLE ${id} (id integer PRIMARY KEY, v text); CREATE TABLE ${id}_v2 (id bigint NOT NULL UNIQUE, v text); ${more}; CREATE PUBLICATION ${id}_p ${reach}`,
      );
      try {
        const text = await refusedBoth(cutoverOf(id), 'publication');
        expect(text).toMatch(says);
        await run(/run (ALTER TABLE .*?)\.(?: |$)/.exec(text.replaceAll('"public"."', '"'))![1]!);
        await starts(cutoverOf(id));
      } finally {
        await run(`DROP PUBLICATION ${id}_p`);
      }
    },
  );

  it('a table that a subscription fills is refused by preview and start', async () => {
    await run(`CREATE TABLE s (id integer PRIMARY KEY, v text); CREATE TABLE s_v2 (id bigint PRIMARY KEY, v text);
      CREATE SUBSCRIPTION s_in CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false)`);
    // Without a server to ask, the table is entered by hand, as REFRESH PUBLICATION would.
    await run(
      `SET allow_system_table_mods = on; INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) SELECT oid, 's'::regclass, 'r' FROM pg_subscription WHERE subname = 's_in'; RESET allow_system_table_mods`,
    );
    try {
      expect(await refusedBoth(cutoverOf('s'), 'subscription')).toMatch(
        /ALTER SUBSCRIPTION "s_in" REFRESH PUBLICATION/,
      );
    } finally {
      await run('ALTER SUBSCRIPTION s_in SET (slot_name = NONE); ');
      await run('DROP SUBSCRIPTION s_in');
    }
    await starts(cutoverOf('s'));
  });
});

describe('a publication of every table', () => {
  it('lets the whole life pass: own tables can be changed although their changes are published', async () => {
    await run(
      'CREATE TABLE w (id integer PRIMARY KEY, v text); CREATE TABLE w_v2 (id bigint PRIMARY KEY, v text CHECK (v <> $$bad$$)); INSERT INTO w SELECT i, i::text FROM generate_series(1, 20) i; CREATE PUBLICATION w_all FOR ALL TABLES',
    );
    const cutover = cutoverOf('w');
    const at = (fromEpoch: number, stage: string) => ({
      fromEpoch,
      toEpoch: fromEpoch + 1,
      stage,
      version: fromEpoch + 1,
    });
    try {
      await plane.start(cutover);
      await plane.copy('w', 1);
      await run("UPDATE w SET v = 'bad' WHERE id = 1; DELETE FROM w WHERE id = 2");
      expect((await plane.settle('w', 1)).quarantined).toBe(1);
      await run("UPDATE w SET v = 'good' WHERE id = 1");
      await plane.settle('w', 1);
      expect(await plane.verify('w', 1, 0)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
      expect(await plane.promote(cutover, at(1, 'completed'))).toMatchObject({ kind: 'swapped' });
      await run("UPDATE w SET v = 'later' WHERE id = 3");
      await plane.settle('w', 2);
      expect(await plane.revert(cutover, at(2, 'rolled_back'))).toMatchObject({ kind: 'swapped' });
      expect(await db.sql.unsafe('SELECT v FROM w WHERE id = 3')).toEqual([{ v: 'later' }]);
      expect(await plane.forget('w')).toEqual({ kind: 'forgotten' });
    } finally {
      await run('DROP PUBLICATION w_all');
    }
  });
});

describe('who computes what after promotion, and what other tools do', () => {
  it('a computed column is named until the declaration says who writes it', async () => {
    await run(
      `CREATE TABLE c (id integer PRIMARY KEY, a text, b text); CREATE TABLE c_v2 (id bigint PRIMARY KEY, a text, b text, ab text, ba text GENERATED ALWAYS AS (b || a) STORED)`,
    );
    const ba = { sql: 'b || a' };
    const told = await itemsOf(cutoverOf('c', { columns: { ab: { sql: 'a || b' }, ba } }), 'computed column');
    expect(told).toMatchObject([
      { action: 'notice', object: 'public.c_v2.ab', text: expect.stringMatching(/after: 'application'/) },
    ]);
    const chosen = cutoverOf('c', { columns: { ab: { sql: 'a || b', after: 'application' }, ba } });
    expect(await itemsOf(chosen, 'computed column')).toEqual([]);
    await starts(chosen);
  });

  it('the preview says what schema tools see, and that old snapshots delay promotion', async () => {
    await run('CREATE TABLE h (id integer PRIMARY KEY, v text); CREATE TABLE h_v2 (id bigint PRIMARY KEY, v text)');
    expect((await itemsOf(cutoverOf('h'), 'schema tools'))[0]?.text).toMatch(/h_old.*drizzle.*ignore_tables/);
    expect((await itemsOf(cutoverOf('h'), 'old snapshots'))[0]?.text).toMatch(/REPEATABLE READ/);
  });
});
