/**
 * Negative controls: each rule of the data plane in the one order of events that shows it. With the rule both sides end
 * equal; with a variant that breaks it a row is wrong for good, and verification finds it. Nothing here is left to chance.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PgConnection } from '../../../lib/adapters/postgres/connection/connection.ts';
import { systemClock } from '../../../lib/adapters/system.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type Breakpoints, breakpoints, overOrWaiting } from '../../helpers/breakpoints.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { type Edit, edited, HALTING, SQL_FAULTS } from '../../helpers/sql-plants.ts';

const COIN: TableCutover = {
  id: 'coin',
  validation: 'disabled',
  table: { primary: 'public.coin', shadow: 'public.coin_v2', columns: { label: { from: 'name' } } },
};
const FUNCTIONS = ['capture', 'truncated', 'apply', 'converge', 'backfill', 'verify'];
const OUTBOX = 'crossfade."outbox_coin"';

let db: OwnDatabase;
let plane: TestPlane;
/** A further instance of the shadow writer. */
let other: TestPlane;
/** Another function: each has one connection, on which one call runs after the other. */
let copier: TestPlane;
let owner: PgConnection;
let points: Breakpoints;

beforeAll(async () => {
  db = await ownDatabase();
  const clock = { ...systemClock(), sleep: async () => {} };
  plane = testPlane(db, clock);
  other = testPlane(db, clock);
  copier = testPlane(db, clock);
  owner = plane.connection();
  points = await breakpoints(db);
  await db.sql.unsafe(`CREATE TABLE coin (id integer PRIMARY KEY, name text); CREATE TABLE coin_v2 (id bigint PRIMARY KEY, label text UNIQUE CHECK (label <> 'bad'));
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
/** What is wrong: rows that only one side has, but for keys in quarantine (I2), and those. */
async function oracle(): Promise<unknown[]> {
  const aside = "SELECT q.key::jsonb FROM crossfade.quarantine q WHERE q.cutover = 'coin'";
  const rows = (columns: string, table: string) =>
    `SELECT ${columns} FROM ${table} WHERE jsonb_build_object('id', id) NOT IN (${aside})`;
  const different = await differences(db, rows('id::bigint, name', 'coin'), rows('id, label', 'coin_v2'));
  return [
    ...different,
    ...(await db.sql.unsafe(`SELECT 'aside' AS side, k ->> 'id' AS row FROM (${aside}) q(k) ORDER BY 2`)),
  ];
}

type Wrong = { side: 'left' | 'right' | 'aside'; row: string };
type Plant = {
  rule: string;
  /** None: what is broken is in the race. */
  fault?: readonly Edit[];
  /** @param broken where the broken variant has its moment somewhere else */
  race(broken: boolean): Promise<void>;
  /** Without the rule, and with it: nothing, mostly. */
  wrong: readonly Wrong[];
  right?: readonly Wrong[];
};

/** How one row is wrong that is there on both sides. */
const stale = (id: number, name: string, label: string): Wrong[] => [
  { side: 'left', row: `(${id},${name})` },
  { side: 'right', row: `(${id},${label})` },
];

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
    fault: [
      [
        'converge',
        /WHERE \(not_before IS NULL OR not_before <= clock_timestamp\(\)\) AND seq >= v_from\s+ORDER BY seq LIMIT p_limit FOR UPDATE SKIP LOCKED/,
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
    wrong: stale(10, 'late', 'n10'),
  },
  {
    rule: 'the row is read again, not taken from the event in the order of transaction ids',
    fault: [
      [
        'apply',
        /FROM "public"\."coin" AS p WHERE p\."id" = k\.k1 OFFSET 0\) s ON true/,
        'FROM (SELECT DISTINCT ON (i.id) i.* FROM test.image i ORDER BY i.id, i.xid DESC, i.seq DESC) AS p WHERE p.id = k.k1) s ON true',
      ],
    ],
    async race() {
      const early = db.connect();
      await early.unsafe('BEGIN; SELECT pg_current_xact_id()').simple();
      await write("UPDATE coin SET name = 'first' WHERE id = 10");
      await early.unsafe("UPDATE coin SET name = 'last' WHERE id = 10; COMMIT").simple();
    },
    wrong: stale(10, 'last', 'first'),
  },
  {
    rule: 'who writes a key excludes the others from before the read until the commit',
    fault: SQL_FAULTS['lock of the key'],
    async race() {
      await write("UPDATE coin SET name = 'first' WHERE id = 10");
      const reader = await points.halt('apply: read', () => converge());
      await write("UPDATE coin SET name = 'second' WHERE id = 10");
      const [overtaking] = await overOrWaiting(db, 'converge_coin', () => converge(other));
      await reader.release();
      await overtaking;
    },
    wrong: stale(10, 'second', 'first'),
  },
  {
    rule: 'exclusion comes first, and the read in a later statement',
    fault: [
      ...SQL_FAULTS['lock of the key'],
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
    wrong: stale(10, 'second', 'first'),
  },
  {
    rule: 'a call deletes the hints that it claimed, not all hints of the keys that it applied',
    fault: [['converge', 'WHERE o.seq = ANY (v_seqs) AND NOT o.seq = ANY (v_kept);', 'WHERE o.k1 = ANY (v_k1);']],
    async race() {
      await write("UPDATE coin SET name = 'first' WHERE id = 10");
      const slow = await points.halt('converge: written', () => converge());
      await write("UPDATE coin SET name = 'second' WHERE id = 10");
      await slow.release();
    },
    wrong: stale(10, 'second', 'first'),
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
    wrong: stale(10, 'once', 'n10'),
  },
  {
    rule: 'backfill overwrites nothing: what it read may be older than what is there',
    fault: [
      [
        'backfill',
        / AND NOT EXISTS \(SELECT FROM "public"\."coin_v2" AS t\s+WHERE [^;]*;/,
        ' ON CONFLICT ("id") DO UPDATE SET label = EXCLUDED.label;',
      ],
    ],
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
    wrong: stale(50, 'newer', 'n50'),
  },
  {
    rule: 'ghosts get hints: none is deleted by a statement that looks for its source itself',
    fault: [
      [
        'backfill',
        /INSERT INTO crossfade\."outbox_coin" \(k1\)\s+SELECT \(t\."id"\)::integer FROM "public"\."coin_v2" AS t\s+WHERE [^;]*\s+EXCEPT [^;]*;/,
        `DELETE FROM "public"."coin_v2" AS t WHERE (v_row.swept_key IS NULL OR t.id > v_row.swept_key[1]::bigint)
          AND t.id <= v_row.copied_key[1]::bigint AND NOT EXISTS (SELECT FROM "public"."coin" AS p WHERE p.id = t.id);`,
      ],
    ],
    async race() {
      await copyAnew();
      await plane.backfill('coin', 1, 100);
      await write("INSERT INTO coin_v2 VALUES (14, 'ghost a'), (15, 'ghost b')");
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
    fault: SQL_FAULTS.quarantine,
    async race() {
      await write("UPDATE coin SET name = 'bad' WHERE id = 10");
      await converge();
    },
    right: [{ side: 'aside', row: '10' }],
    wrong: stale(10, 'bad', 'n10'),
  },
  {
    rule: 'a changed key leaves two hints',
    fault: SQL_FAULTS['hint of the old key'],
    race: async () => void (await write('UPDATE coin SET id = 11 WHERE id = 10')),
    wrong: [
      { side: 'left', row: '(11,n10)' },
      { side: 'right', row: '(10,n10)' },
    ],
  },
  {
    rule: 'TRUNCATE leaves a hint',
    fault: SQL_FAULTS['hint of a truncation'],
    race: async () =>
      void (await write("TRUNCATE coin; INSERT INTO coin SELECT 10 * i, 'n' || 10 * i FROM generate_series(1, 9) i")),
    wrong: [{ side: 'right', row: '(100,n100)' }],
  },
  {
    rule: 'unique values that circle are exchanged',
    fault: SQL_FAULTS.exchange,
    async race() {
      await write("UPDATE coin SET name = CASE id WHEN 10 THEN 'n20' ELSE 'n10' END WHERE id IN (10, 20)");
      await converge();
    },
    wrong: [
      { side: 'aside', row: '10' },
      { side: 'aside', row: '20' },
    ],
  },
];

async function copyAnew(): Promise<void> {
  await write(`SET crossfade.writing = 'on'; DELETE FROM coin_v2; RESET crossfade.writing;
    UPDATE crossfade.backfill SET state = 'running', copied_key = NULL, swept_key = NULL, upper_key = NULL, rows_done = 0`);
}

/** Functions that are not as they are generated. */
let broken = new Set<string>(FUNCTIONS);

/** Halting at every named moment, and with the fault. */
async function install(fault: readonly Edit[], which: readonly string[]): Promise<void> {
  const rewrites = edited([...HALTING, ...fault], which);
  await tamper(db, owner, COIN, Object.fromEntries(which.map((name) => [name, rewrites[name]!])));
  broken = new Set(fault.length > 0 ? which : []);
}

/** Ten rows, both sides equal, nothing waiting. */
async function begin(): Promise<void> {
  if (broken.size > 0) await install([], [...broken]);
  await write(`DELETE FROM coin; DELETE FROM test.image; DELETE FROM crossfade.quarantine; UPDATE test.cursor SET last = 0;
    DELETE FROM ${OUTBOX}; DELETE FROM coin_v2;
    INSERT INTO coin SELECT 10 * i, 'n' || 10 * i FROM generate_series(1, 10) i`);
  await plane.settle('coin', 1);
}

describe('I2 I3 I4 I7 with the rule both sides end equal, without it the oracle and verification notice', () => {
  it.each(PLANTS)('$rule', async (plant) => {
    const { fault = [], race, wrong, right = [] } = plant;
    await begin();
    await race(false);
    await convergeAll();
    expect(await oracle()).toEqual(right);

    await begin();
    await install(fault, [...new Set(fault.map(([name]) => name))]);
    await race(true);
    await convergeAll();
    expect(await oracle()).toEqual(wrong);
    const keys = new Set(wrong.filter(({ side }) => side !== 'aside').map(({ row }) => row.split(',')[0]));
    const pass = await plane.verify('coin', 1, 1);
    if (pass.kind !== 'verified') throw new Error(pass.kind);
    // A hint that nobody will ever claim is no divergence, but a lag that grows.
    expect(pass.result.divergences + (await plane.status('coin'))!.outboxRows).toBe(keys.size);
  });
});

describe('I9 a call that is late by an epoch', () => {
  const late = async (fault: readonly Edit[]) => {
    await begin();
    await install(fault, ['converge', 'backfill', 'verify']);
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
    expect(await late([])).toEqual({ kinds: ['stale', 'stale', 'stale'], rows: 0 });
    expect(await late(SQL_FAULTS.fence)).toEqual({ kinds: ['copied', 'converged', 'unready'], rows: 5 });
  });
});
