/** I16 what holds a start, a swap or a verification says what is seen, what the limit is, and what ends it. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PgConnection } from '../../../lib/adapters/postgres/connection/connection.ts';
import { systemClock } from '../../../lib/adapters/system.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import type { OwnDatabase } from '../../helpers/postgres.ts';
import { differences, eventually, type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { recycledDatabase } from '../../helpers/recycled-database.ts';
import { asGenerated, edited } from '../../helpers/sql-plants.ts';

const ID = 'seat';
const SEAT: TableCutover = {
  id: ID,
  validation: 'strict',
  table: { primary: 'public.seat', shadow: 'public.seat_v2' },
};
const PROMOTE = { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 2 };

let db: OwnDatabase;
let plane: TestPlane;
let owner: PgConnection;

/** Positions that are unique at the end of a statement in the primary, at once in the shadow. */
beforeEach(async () => {
  db = await recycledDatabase();
  plane = testPlane(db, { ...systemClock(), sleep: async () => {} });
  owner = plane.connection();
  await db.sql.unsafe(`CREATE TABLE seat (id integer PRIMARY KEY, pos integer, v text); ALTER TABLE seat ADD UNIQUE (pos) DEFERRABLE;
    CREATE TABLE seat_v2 (id bigint PRIMARY KEY, pos integer UNIQUE, v text); INSERT INTO seat SELECT i, i, 'x' FROM generate_series(1, 90) i`);
});
afterEach(async () => {
  for (const { gid } of await prepared()) await db.sql.unsafe(`ROLLBACK PREPARED '${gid}'`);
  await plane.close();
  await db.drop();
});

const prepared = () => db.sql.unsafe('SELECT gid FROM pg_prepared_xacts WHERE database = current_database()');
const prepare = (gid: string, statement: string) =>
  db.sql.unsafe(`BEGIN; ${statement}; PREPARE TRANSACTION '${gid}'`).simple();
async function ready(): Promise<void> {
  await plane.start(SEAT);
  await plane.copy(ID, 1);
  await plane.settle(ID, 1);
}
/** Breaks a rule of an installed function, in this database only. */
async function rewrite(name: string, rule: string, broken: string): Promise<void> {
  const asked = `SELECT pg_get_functiondef('crossfade.${name}'::regproc) AS text`;
  const [{ text }] = (await db.sql.unsafe(asked)) as unknown as [{ text: string }];
  expect(text.split(rule)).toHaveLength(2);
  await db.sql.unsafe(text.replace(rule, broken));
}
const whyNot = async () => {
  const result = await plane.promote(SEAT, PROMOTE);
  return result.kind === 'postponed' ? result.why : result.kind;
};

describe('a prepared transaction', () => {
  it('that keeps a start waiting is named with what ends it', async () => {
    await prepare('ddl', 'LOCK TABLE seat IN SHARE UPDATE EXCLUSIVE MODE');
    const asked = db.sql
      .unsafe("SET deadlock_timeout = '10ms'; SELECT crossfade.hold_shape(ARRAY['seat'::regclass::oid])")
      .simple();
    await expect(asked).rejects.toThrow(
      "seat is locked: prepared transaction ddl of postgres (COMMIT PREPARED 'ddl' or ROLLBACK PREPARED 'ddl' ends it)",
    );
    await db.sql.unsafe("COMMIT PREPARED 'ddl'");
    expect(await plane.arm(SEAT)).toEqual({ kind: 'armed' });
  });

  it('that keeps a swap waiting is named with what ends it, and how old it is', async () => {
    await ready();
    await prepare('pay', "UPDATE seat SET v = 'paid' WHERE id = 1");
    expect(await whyNot()).toMatch(
      /Held by prepared transaction pay of postgres \(COMMIT PREPARED 'pay' or ROLLBACK PREPARED 'pay' ends it, its transaction is \d+ s old\)/,
    );
    await db.sql.unsafe("COMMIT PREPARED 'pay'");
    await plane.settle(ID, 1);
    expect(await whyNot()).toBe('swapped');
    expect(await db.sql.unsafe('SELECT v FROM seat WHERE id = 1')).toEqual([{ v: 'paid' }]);
  });

  it.each([
    ['lock_holders', 'x.database = current_database()', 'false'],
    ['holding_transactions', 'l.pid IS DISTINCT FROM pg_backend_pid()', 'l.pid <> pg_backend_pid()'],
  ])('is in the answer of %s; one that looks for processes does not see it', async (name, rule, broken) => {
    await ready();
    await prepare('pay', "UPDATE seat SET v = 'paid' WHERE id = 1");
    const seen = async () =>
      (
        await db.sql.unsafe(
          name === 'lock_holders'
            ? "SELECT FROM crossfade.lock_holders('seat', ARRAY['seat'::regclass::oid])"
            : "SELECT FROM unnest(crossfade.holding_transactions(ARRAY['seat'::regclass::oid], NULL))",
        )
      ).length;
    expect(await seen()).toBe(1);
    await rewrite(name, rule, broken);
    expect(await seen()).toBe(0);
  });
});

describe('changes that wait', () => {
  it('and are more than a swap takes are said with their number, the limit, and what releases it', async () => {
    await ready();
    await db.sql.unsafe("UPDATE seat SET v = 'y'");
    await expect(db.sql.unsafe("SELECT crossfade.drain('seat', 1, 80, 0)")).rejects.toThrow(
      /^81 or more changes came while it was tried, and a swap takes at most 80 with it\. It is tried again; .* releases it$/,
    );
    expect(await whyNot()).toBe('swapped');
  });

  it('of unique values that are more than one call exchanges are in quarantine with the limit in the reason', async () => {
    await ready();
    const few = edited([
      ['converge', 'LIMIT 20000 FOR UPDATE', 'LIMIT 20 FOR UPDATE'],
      ['converge', '>= 20000,', '>= 20,'],
    ]);
    await tamper(db, owner, SEAT, few);
    const reverse = () => db.sql.unsafe('UPDATE seat SET pos = 91 - pos');
    await reverse();
    for (let call = 0; call < 30; call += 1) {
      await plane.converge(ID, 1, 5);
      await db.sql.unsafe('UPDATE crossfade.outbox_seat SET attempts = 4, not_before = NULL');
    }
    const { keys } = await plane.quarantined(ID, { limit: 100 });
    expect(keys.map(({ reason }) => reason)).toContainEqual(
      expect.stringMatching(/duplicate key.* \(20000 or more changes waited, .* at most 20000 in one call; retry it/),
    );
    expect(await whyNot()).toMatch(/keys are in quarantine, first .*'crossfade quarantine seat' names them/);
    // With the rule as shipped the retry settles them.
    await tamper(db, owner, SEAT, { converge: asGenerated });
    await plane.retryQuarantined(ID, null);
    await plane.settle(ID, 1);
    expect(await differences(db, 'SELECT id::bigint, pos FROM seat', 'SELECT id, pos FROM seat_v2')).toEqual([]);
  });
});

describe('an error of the server', () => {
  const failing = (sqlstate: string, which: string) =>
    tamper(
      db,
      owner,
      SEAT,
      edited([
        [
          'apply',
          '\nBEGIN\n',
          `\nBEGIN\n  IF ${which} THEN RAISE EXCEPTION 'too much' USING ERRCODE = '${sqlstate}'; END IF;\n`,
        ],
      ]),
    );
  const tried = async () => {
    await db.sql.unsafe("UPDATE seat SET v = 'w' WHERE id IN (1, 2, 3)");
    await db.sql.unsafe('UPDATE crossfade.outbox_seat SET attempts = 4, not_before = NULL');
    const outcome = await plane.converge(ID, 1, 100).then(
      ({ kind }) => kind,
      (error: Error) => error.message,
    );
    return { outcome, quarantined: (await plane.status(ID))!.quarantined };
  };

  it.each(['54011', '54023', '42P01', '0A000', '53100', '55000', '58030', 'XX001'])(
    'that every row alike meets (%s) puts no key into quarantine',
    async (sqlstate) => {
      await ready();
      await failing(sqlstate, 'true');
      expect(await tried()).toEqual({ outcome: expect.stringContaining('too much'), quarantined: 0 });
    },
  );

  it.each(['54000', '54001', 'XX000', '38000', '2F000', '21000', 'P0004', 'ZZ001'])(
    'that one row alone meets (%s) holds that row and no other',
    async (sqlstate) => {
      await ready();
      await failing(sqlstate, '2 = ANY (p_k1)');
      expect(await tried()).toEqual({ outcome: 'converged', quarantined: 1 });
      expect(await db.sql.unsafe('SELECT id FROM seat_v2 WHERE v = $$w$$ ORDER BY id')).toEqual([
        { id: '1' },
        { id: '3' },
      ]);
    },
  );
});

describe('a limit of the role under which indexes are built after the copy', () => {
  const LATE: TableCutover = { ...SEAT, table: { ...SEAT.table, indexesAfterCopy: true } };
  const limited = async (limit: string) => {
    await db.sql.unsafe(`ALTER DATABASE ${db.name} SET statement_timeout = '${limit}'`);
    await plane.close();
    plane = testPlane(db, { ...systemClock(), sleep: async () => {} });
  };
  const build = async () => {
    for (;;) {
      const step = await plane.buildIndex(ID, 20_000);
      if (step.kind === 'built' && step.left === 0) return;
    }
  };

  it('is named by the preview, by the failure with what lifts it, and nothing broken is left when it is lifted', async () => {
    await db.sql
      .unsafe(`CREATE FUNCTION slow(v text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.02); RETURN v; END';
      CREATE INDEX seat_slow ON seat_v2 (slow(v))`)
      .simple();
    const limits = async () => (await plane.preview(LATE)).items.filter(({ object }) => object === 'role postgres');
    expect(await limits()).toEqual([]);
    await plane.start(LATE);
    await plane.copy(ID, 1);
    await plane.settle(ID, 1);
    await limited('500ms');
    for (let call = 0; call < 2; call += 1)
      await expect(build()).rejects.toMatchObject({
        code: 'refused_table',
        message: expect.stringMatching(
          /^Index seat_slow of the shadow could not be built within 500ms, the statement_timeout of role postgres, .*ALTER ROLE postgres SET statement_timeout = 0.*CREATE INDEX CONCURRENTLY/,
        ),
      });
    await limited('0');
    await build();
    const left = await db.sql.unsafe(
      "SELECT i.indisvalid AS valid FROM pg_index i WHERE i.indrelid = 'seat_v2'::regclass ORDER BY i.indexrelid",
    );
    expect(left.map(({ valid }) => valid)).toEqual([true, true, true]);
  });

  it('is no matter where it is long, or nothing is built', async () => {
    const limits = async (cutover: TableCutover) =>
      (await plane.preview(cutover)).items.filter(({ text }) => text.includes('built after the copy under that limit'));
    await limited('5s');
    expect(await limits(LATE)).toMatchObject([
      { action: 'notice', object: 'role postgres', text: expect.stringContaining('5000ms') },
    ]);
    expect(await limits(SEAT)).toEqual([]);
    await limited('1h');
    expect(await limits(LATE)).toEqual([]);
  });
});

describe('row security', () => {
  it('is refused by preview and start where the server knows no security_invoker (before 15), and nowhere else', async () => {
    await db.sql.unsafe('ALTER TABLE seat ENABLE ROW LEVEL SECURITY');
    const [{ old }] = (await db.sql.unsafe(
      "SELECT current_setting('server_version_num')::int < 150000 AS old",
    )) as unknown as [{ old: boolean }];
    const { items } = await plane.preview(SEAT);
    expect(items.some(({ action, text }) => action === 'refuse' && text.includes('security_invoker'))).toBe(old);
    const arming = plane.arm(SEAT);
    if (old) await expect(arming).rejects.toMatchObject({ code: 'refused_table' });
    else expect(await arming).toEqual({ kind: 'armed' });
  });
});

describe('a verification that proves nothing', () => {
  it('says why in the status, until one proves something', async () => {
    await ready();
    // Rows count as there all the time once no transaction is left, of other tests either, that began before them.
    await eventually(
      async () => {
        const [seen] = await db.sql.unsafe(
          'SELECT bool_and(age(xmin) > age(pg_snapshot_xmin(pg_current_snapshot())::xid)) AS by_all FROM seat',
        );
        return seen!.by_all;
      },
      'every transaction began after the rows were written',
      60_000,
    );
    expect((await plane.status(ID))!.unproven).toBeUndefined();
    await tamper(db, owner, SEAT, edited([['verify', 'v_rows < v_pass.counted_rows', 'true']]));
    expect(await plane.verify(ID, 1, 1)).toMatchObject({ kind: 'unready' });
    expect((await plane.status(ID))!.unproven).toMatch(
      /90 rows were compared, and at least 90 were there all the time/,
    );
    await tamper(db, owner, SEAT, { verify: asGenerated });
    expect(await plane.verify(ID, 1, 1)).toMatchObject({ kind: 'verified' });
    expect((await plane.status(ID))!.unproven).toBeUndefined();
  });
});

describe('a sweep', () => {
  it('shows with its reason in the status, and holds the swap, until every row was copied and compared again', async () => {
    await ready();
    await plane.verify(ID, 1, 1);
    await db.sql.unsafe("SELECT crossfade.begin_sweep('seat', 'a person asked')");
    expect((await plane.status(ID))!.backfill).toMatchObject({ state: 'running', sweep: 'a person asked' });
    // Every range is due, also to a pass that leaves out what was found equal.
    expect([...(await db.sql.unsafe('SELECT place FROM crossfade.touched_seat'))]).toEqual([{ place: null }]);
    expect(await whyNot()).toContain('a sweep of both tables is not done: a person asked');
    await plane.copy(ID, 1);
    await plane.settle(ID, 1);
    expect((await plane.status(ID))!.backfill).toMatchObject({ state: 'done', sweep: 'a person asked' });
    expect(await whyNot()).toContain('not every row was compared since');
    expect(await plane.verify(ID, 1, 2)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
    expect((await plane.status(ID))!.backfill.sweep).toBeUndefined();
    expect(await whyNot()).toBe('swapped');
  });

  const COPIES = ["CASE b.state WHEN 'done' THEN 'running' ELSE b.state END", 'b.state'] as const;
  const COMPARES = ['DELETE FROM crossfade.verification r WHERE r.cutover = p_id;', ''] as const;
  it.each([
    ['holds until every row was compared', [], /not every row was compared since/, 0],
    ['that does not copy again holds, and verification finds the row', [COPIES], /not every row was compared since/, 1],
    ['that lets an earlier verification count is promoted without proof', [COMPARES], /^swapped$/, null],
    ['that does neither is promoted without the row', [COPIES, COMPARES], /^swapped$/, 'x'],
  ] as const)('of a row that changed while capture was off %s', async (_, rules, why, seen) => {
    for (const [rule, broken] of rules) await rewrite('begin_sweep', rule, broken);
    await ready();
    await plane.verify(ID, 1, 1);
    await db.sql
      .unsafe(`BEGIN; ALTER TABLE seat DISABLE TRIGGER ALL; UPDATE seat SET v = 'missed' WHERE id = 5;
        ALTER TABLE seat ENABLE TRIGGER ALL; COMMIT`)
      .simple();
    await plane.watch(ID, { epoch: 1_000_000, version: 1_000_000 });
    await plane.copy(ID, 1);
    await plane.settle(ID, 1);
    expect(await whyNot()).toMatch(why);
    if (typeof seen === 'number') expect(await plane.verify(ID, 1, 2)).toMatchObject({ result: { divergences: seen } });
    else expect(await db.sql.unsafe('SELECT v FROM seat WHERE id = 5')).toEqual([{ v: seen ?? 'missed' }]);
  });
});
