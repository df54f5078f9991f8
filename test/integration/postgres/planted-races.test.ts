/**
 * Each rule of the data plane that two transactions can break between them, in the one order of events that shows it: with
 * the rule both sides end equal, with a variant that breaks it a row is wrong for good. Nothing here is left to chance.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../lib/adapters/system.ts';
import type { Sabotage } from '../../../lib/core/sql/sabotage.ts';
import type { TableCutover } from '../../../lib/ports.ts';
import { type Breakpoints, breakpoints, overOrWaiting } from '../../helpers/breakpoints.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';

const COIN: TableCutover = {
  id: 'coin',
  validation: 'disabled',
  table: { primary: 'public.coin', shadow: 'public.coin_v2', columns: { label: { from: 'name' } } },
};
const FUNCTIONS = ['capture', 'apply', 'converge', 'backfill', 'verify'];
const OUTBOX = 'crossfade."outbox_coin"';

let db: OwnDatabase;
let plane: TestPlane;
/** A further instance of the shadow writer. */
let other: TestPlane;
/** Another function: each has one connection, on which one call runs after the other. */
let copier: TestPlane;
let points: Breakpoints;

beforeAll(async () => {
  db = await ownDatabase();
  const clock = { ...systemClock(), sleep: async () => {} };
  plane = testPlane(db, clock);
  other = testPlane(db, clock);
  copier = testPlane(db, clock);
  points = await breakpoints(db);
  await db.sql.unsafe(`CREATE TABLE coin (id integer PRIMARY KEY, name text); CREATE TABLE coin_v2 (id bigint PRIMARY KEY, label text CHECK (label <> 'bad'));
    CREATE TABLE test.cursor (last bigint); INSERT INTO test.cursor VALUES (0);
    CREATE TABLE test.image (seq bigint GENERATED ALWAYS AS IDENTITY, xid xid8 DEFAULT pg_current_xact_id(), id integer, name text);
    CREATE FUNCTION test.keep_image() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO test.image (id, name) VALUES (NEW.id, NEW.name); RETURN NULL; END $$;
    CREATE TRIGGER keep_image AFTER INSERT OR UPDATE ON coin FOR EACH ROW EXECUTE FUNCTION test.keep_image()`);
  await plane.start(COIN);
  await plane.copy('coin', 1);
});
afterAll(async () => {
  for (const one of [plane, other, copier]) await one.close();
  await db.drop();
});

const write = (sql: string) => db.sql.unsafe(sql).simple();
const converge = (who = plane) => who.converge('coin', 1, 100);
/** I2 speaks of the keys that are not in quarantine. */
const left = () =>
  differences(
    db,
    `SELECT id::bigint, name FROM coin WHERE NOT EXISTS (SELECT FROM crossfade.quarantine q WHERE q.key::jsonb = jsonb_build_object('id', id))`,
    `SELECT id, label FROM coin_v2 WHERE NOT EXISTS (SELECT FROM crossfade.quarantine q WHERE q.key::jsonb = jsonb_build_object('id', id))`,
  );

type Plant = {
  rule: string;
  omit?: Sabotage['omit'];
  /** [function, what is generated, what is broken]: there must be exactly one such place. */
  rewrite?: readonly (readonly [string, string | RegExp, string])[];
  /** @param broken where the broken variant has its moment somewhere else */
  race(broken: boolean): Promise<void>;
  /** Rows that are wrong then. */
  wrong: readonly { side: 'left' | 'right'; row: string }[];
};

/** Applies what there is until a call finds nothing: a hint that such calls pass over is passed over for good. */
async function convergeAll(): Promise<void> {
  await db.sql.unsafe(`UPDATE ${OUTBOX} SET attempts = 4, not_before = NULL WHERE attempts > 0`);
  for (;;) {
    const step = await converge();
    if (step.kind !== 'converged') throw new Error(step.kind);
    if (step.claimed === 0) return;
  }
}

const PLANTS: readonly Plant[] = [
  {
    rule: 'hints are claimed, not counted: one that commits late is not passed over by a cursor',
    rewrite: [
      [
        'converge',
        /WHERE not_before IS NULL OR not_before <= clock_timestamp\(\)\s+ORDER BY seq LIMIT p_limit FOR UPDATE SKIP LOCKED/,
        'WHERE seq > (SELECT c.last FROM test.cursor c) ORDER BY seq LIMIT p_limit',
      ],
      [
        'converge',
        `DELETE FROM ${OUTBOX} o WHERE o.seq = ANY (v_seqs)`,
        `UPDATE test.cursor SET last = (SELECT max(s) FROM unnest(v_seqs) s); DELETE FROM ${OUTBOX} o WHERE o.seq = ANY (v_seqs)`,
      ],
    ],
    async race() {
      const late = db.connect();
      await late.unsafe("BEGIN; UPDATE coin SET name = 'late' WHERE id = 10").simple();
      await write("UPDATE coin SET name = 'early' WHERE id = 20");
      await converge();
      await late.unsafe('COMMIT');
    },
    wrong: [
      { side: 'left', row: '(10,late)' },
      { side: 'right', row: '(10,n10)' },
    ],
  },
  {
    rule: 'the row is read again, not taken from the event in the order of transaction ids',
    rewrite: [
      [
        'apply',
        /FROM "public"\."coin" AS p WHERE p\."id" = k\.k1\s+\) s ON true/,
        'FROM (SELECT DISTINCT ON (i.id) i.* FROM test.image i ORDER BY i.id, i.xid DESC, i.seq DESC) AS p WHERE p.id = k.k1) s ON true',
      ],
    ],
    async race() {
      const early = db.connect();
      await early.unsafe('BEGIN; SELECT pg_current_xact_id()').simple();
      await write("UPDATE coin SET name = 'first' WHERE id = 10");
      await early.unsafe("UPDATE coin SET name = 'last' WHERE id = 10; COMMIT").simple();
    },
    wrong: [
      { side: 'left', row: '(10,last)' },
      { side: 'right', row: '(10,first)' },
    ],
  },
  {
    rule: 'who writes a key excludes the others from before the read until the commit',
    omit: 'key-lock',
    async race() {
      await write("UPDATE coin SET name = 'first' WHERE id = 10");
      const reader = await points.halt('apply: read', () => converge());
      await write("UPDATE coin SET name = 'second' WHERE id = 10");
      const [overtaking] = await overOrWaiting(db, 'converge_coin', () => converge(other));
      await reader.release();
      await overtaking;
    },
    wrong: [
      { side: 'left', row: '(10,second)' },
      { side: 'right', row: '(10,first)' },
    ],
  },
  {
    rule: 'exclusion comes first, and the read in a later statement',
    omit: 'key-lock',
    rewrite: [
      [
        'apply',
        'WITH k AS (SELECT * FROM unnest(p_k1) AS k(k1))',
        "WITH k AS MATERIALIZED (SELECT k.k1 FROM unnest(p_k1) AS k(k1), LATERAL (SELECT test.breakpoint('apply: to lock'), pg_advisory_xact_lock(7, k.k1) OFFSET 0) l)",
      ],
    ],
    async race(broken) {
      await write("UPDATE coin SET name = 'first' WHERE id = 10");
      const slow = await points.halt(broken ? 'apply: to lock' : 'converge: claimed', () => converge());
      await write("UPDATE coin SET name = 'second' WHERE id = 10");
      await converge(other);
      await slow.release();
    },
    wrong: [
      { side: 'left', row: '(10,second)' },
      { side: 'right', row: '(10,first)' },
    ],
  },
  {
    rule: 'a call deletes the hints that it claimed, not all hints of the keys that it applied',
    rewrite: [['converge', 'WHERE o.seq = ANY (v_seqs) AND NOT o.seq = ANY (v_kept);', 'WHERE o.k1 = ANY (v_k1);']],
    async race() {
      await write("UPDATE coin SET name = 'first' WHERE id = 10");
      const slow = await points.halt('converge: written', () => converge());
      await write("UPDATE coin SET name = 'second' WHERE id = 10");
      await slow.release();
    },
    wrong: [
      { side: 'left', row: '(10,second)' },
      { side: 'right', row: '(10,first)' },
    ],
  },
  {
    rule: 'hints are deleted in the transaction that applied them',
    async race(broken) {
      await write("UPDATE coin SET name = 'once' WHERE id = 10");
      if (!broken) {
        await (await points.halt('apply: read', () => converge())).kill();
        return;
      }
      const [{ k1 }] = (await db.sql.unsafe(`DELETE FROM ${OUTBOX} RETURNING k1`)) as unknown as [{ k1: number }];
      const apply = () => db.connect().unsafe(`SELECT crossfade.apply_coin(ARRAY[${k1}], ARRAY[false])`);
      await (await points.halt('apply: read', async () => apply())).kill();
    },
    wrong: [
      { side: 'left', row: '(10,once)' },
      { side: 'right', row: '(10,n10)' },
    ],
  },
  {
    rule: 'backfill overwrites nothing: what it read may be older than what is there',
    rewrite: [['backfill', 'ON CONFLICT ("id") DO NOTHING', 'ON CONFLICT ("id") DO UPDATE SET label = EXCLUDED.label']],
    async race() {
      await copyAnew();
      await write("UPDATE coin SET name = 'x' WHERE id = 10");
      // Key 10 is being written: the copy has its snapshot and waits there.
      const writer = await points.halt('converge: written', () => converge());
      const [copying] = await overOrWaiting(db, 'backfill_coin', () => copier.backfill('coin', 1, 100));
      await write("UPDATE coin SET name = 'newer' WHERE id = 50");
      await converge(other);
      await writer.release();
      await copying;
      await plane.copy('coin', 1);
    },
    wrong: [
      { side: 'left', row: '(50,newer)' },
      { side: 'right', row: '(50,n50)' },
    ],
  },
  {
    rule: 'ghosts get hints: none is deleted by a statement that looks for its source itself',
    rewrite: [
      [
        'backfill',
        /INSERT INTO crossfade\."outbox_coin" \(k1\)\s+SELECT \(t\."id"\)::integer FROM "public"\."coin_v2" AS t\s+WHERE \(v_row/,
        'DELETE FROM "public"."coin_v2" AS t WHERE (v_row',
      ],
    ],
    async race() {
      await copyAnew();
      await plane.backfill('coin', 1, 100);
      await write("INSERT INTO coin_v2 VALUES (14, 'ghost'), (15, 'ghost')");
      const holder = db.connect();
      await holder.unsafe('BEGIN; SELECT FROM coin_v2 WHERE id = 14 FOR UPDATE').simple();
      const [sweeping] = await overOrWaiting(db, 'backfill_coin', () => copier.backfill('coin', 1, 100));
      await write("INSERT INTO coin VALUES (15, 'live')");
      // With the rule it has a hint of the row that is held, and waits, too.
      const [converging] = await overOrWaiting(db, 'converge_coin', () => converge(other));
      await holder.unsafe('COMMIT');
      await Promise.all([sweeping, converging]);
      await plane.copy('coin', 1);
    },
    wrong: [{ side: 'left', row: '(15,live)' }],
  },
  {
    rule: 'a key that was given up is kept with its reason',
    omit: 'quarantine',
    async race() {
      await write("UPDATE coin SET name = 'bad' WHERE id = 10");
      await converge();
    },
    wrong: [
      { side: 'left', row: '(10,bad)' },
      { side: 'right', row: '(10,n10)' },
    ],
  },
];

async function copyAnew(): Promise<void> {
  await write(`SET crossfade.writing = 'on'; DELETE FROM coin_v2; RESET crossfade.writing;
    UPDATE crossfade.backfill SET state = 'running', copied_key = NULL, swept_key = NULL, upper_key = NULL, rows_done = 0`);
}

async function install({ omit, rewrite = [] }: Pick<Plant, 'omit' | 'rewrite'>): Promise<void> {
  await tamper(db, plane.gateway(), COIN, FUNCTIONS, { ...(omit ? { omit } : {}), breakpoints: true }, (text, name) =>
    rewrite.reduce((broken, [which, found, put]) => {
      if (which !== name) return broken;
      expect(broken.split(found), `one place in ${name} for: ${put}`).toHaveLength(2);
      return broken.replace(found, () => put);
    }, text),
  );
}

/** Ten rows, both sides equal, nothing waiting. */
async function begin(): Promise<void> {
  await install({});
  await write(`DELETE FROM coin; DELETE FROM test.image; DELETE FROM crossfade.quarantine; UPDATE test.cursor SET last = 0;
    DELETE FROM ${OUTBOX}; DELETE FROM coin_v2;
    INSERT INTO coin SELECT 10 * i, 'n' || 10 * i FROM generate_series(1, 10) i`);
  await plane.settle('coin', 1);
}

describe('I2 I3 I4 two transactions in the worst order', () => {
  it.each(PLANTS)('$rule', async ({ omit, rewrite, race, wrong }) => {
    await begin();
    await race(false);
    await convergeAll();
    expect(await left()).toEqual([]);

    await begin();
    await install({ omit, rewrite });
    await race(true);
    await convergeAll();
    expect(await left()).toEqual(wrong);
  });
});

describe('I9 a call that is late by an epoch', () => {
  const late = async (broken: Pick<Plant, 'omit'>) => {
    await begin();
    await install(broken);
    await copyAnew();
    await write("UPDATE coin SET name = 'x' WHERE id = 10");
    await plane.fence('coin', 2);
    const kinds = [await plane.backfill('coin', 1, 5), await converge(), await plane.verify('coin', 1, 1)].map(
      ({ kind }) => kind,
    );
    await db.sql.unsafe('UPDATE crossfade.cutover SET epoch = 1, version = 1');
    return { kinds, rows: (await db.sql.unsafe('SELECT FROM coin_v2')).length };
  };

  it('changes no row; one that does not compare it does', async () => {
    expect(await late({})).toEqual({ kinds: ['stale', 'stale', 'stale'], rows: 0 });
    expect(await late({ omit: 'fence' })).toEqual({ kinds: ['copied', 'converged', 'unready'], rows: 5 });
  });
});
