/**
 * I1 I11 nothing that was acknowledged is lost, and no statement of the application fails, across promotion, the way back
 * and a second promotion. Every transaction makes the same change to `account`, which crosses over, and to `account_twin`,
 * which nobody migrates; at the end both hold the same rows.
 */

import type postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SwapResult } from '../../../lib/ports/swapping.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { type Writer, writer } from '../../helpers/writer.ts';

const ACCOUNT: TableCutover = {
  id: 'account',
  validation: 'strict',
  table: {
    primary: 'public.account',
    shadow: 'public.account_v2',
    columns: { organisation: { from: 'company' }, shout: { sql: 'upper(name)' }, tier: { added: true } },
  },
};
const KEYS = 300;
/** Transactions of each client, and rows that were applied, in each part of the test. */
const PART = { transactions: 25, applied: 50 };

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(`
    CREATE TABLE account (id integer PRIMARY KEY, name varchar(40) NOT NULL, company text, fax text DEFAULT 'none', balance numeric(12, 2) NOT NULL DEFAULT 0);
    CREATE TABLE account_v2 (id bigint PRIMARY KEY, name varchar(40) NOT NULL, shout text GENERATED ALWAYS AS (upper(name)) STORED,
      organisation text, balance numeric(12, 2) NOT NULL DEFAULT 0, tier text NOT NULL DEFAULT 'standard');
    CREATE TABLE account_twin (id integer PRIMARY KEY, name text NOT NULL, balance numeric(12, 2) NOT NULL);
    CREATE TABLE payment (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account_id integer NOT NULL REFERENCES account ON DELETE CASCADE);
    INSERT INTO account (id, name) SELECT i, 'seed' FROM generate_series(1, ${KEYS / 2}) i;
    INSERT INTO account_twin SELECT id, name, balance FROM account`);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

const keyOf = (i: number, index: number) => 1 + ((i * 7919 + index * 104_729) % KEYS);

function change(i: number, key: number, index: number, table: string): string {
  if (i % 7 === 6) return `DELETE FROM ${table} WHERE id = ${key}`;
  return `INSERT INTO ${table} (id, name, balance) VALUES (${key}, 'w${index}.${i}', ${i % 100})
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, balance = ${table}.balance + 1`;
}

/** Writers of one key take turns: deleting an absent row locks nothing, so two tables could see two orders without any cutover. */
const turn = (key: number) => `SELECT pg_advisory_xact_lock(4711, ${key})`;

/** Simple protocol: the whole transaction in one message. */
function simple(sql: postgres.Sql, index: number): Writer {
  return writer((i) => {
    const key = keyOf(i, index);
    const both = ['account', 'account_twin'].map((table) => change(i, key, index, table));
    return sql.unsafe(['BEGIN', turn(key), ...both, i % 11 === 5 ? 'ROLLBACK' : 'COMMIT'].join('; ')).simple();
  });
}

/** Extended protocol, with and without statements that the server keeps. */
function extended(sql: postgres.Sql, index: number, prepare: boolean): Writer {
  return writer((i) =>
    sql.begin(async (tx) => {
      const key = keyOf(i, index);
      await tx.unsafe(turn(key));
      for (const table of ['account', 'account_twin']) {
        if (i % 7 === 6) await tx.unsafe(`DELETE FROM ${table} WHERE id = $1`, [key], { prepare });
        else
          await tx.unsafe(
            `INSERT INTO ${table} (id, name, balance) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET name = excluded.name, balance = ${table}.balance + 1`,
            [key, `w${index}.${i}`, i % 100],
            { prepare },
          );
      }
      await tx.unsafe('SELECT name, balance FROM account WHERE id = $1', [key], { prepare });
    }),
  );
}

async function untilSwapped(attempt: () => Promise<SwapResult>): Promise<{ lockHeldMs: number; calls: number }> {
  for (let calls = 1; calls <= 30; calls += 1) {
    const result = await attempt();
    if (result.kind === 'swapped') return { lockHeldMs: result.lockHeldMs, calls };
    expect(result.kind).toBe('postponed');
  }
  throw new Error('not swapped in 30 calls');
}

describe('I1 promote → roll back → promote under six clients', () => {
  it('loses nothing, and no statement fails', async () => {
    await plane.start(ACCOUNT, 1);
    await plane.copy('account', 1);
    const writers = [
      simple(db.connect(), 1),
      simple(db.connect(), 2),
      extended(db.connect(), 3, false),
      extended(db.connect(), 4, false),
      extended(db.connect(), 5, true),
      extended(db.connect(), 6, true),
    ];
    let epoch = 1;
    let stopped = false;
    let applied = 0;
    const applying = (async () => {
      while (!stopped) {
        const result = await plane.converge('account', epoch, 200);
        if (result.kind === 'converged') expect(result.mismatched).toBe(0);
        if (result.kind === 'converged') applied += result.written + result.deleted;
        if (result.kind === 'stale' || result.claimed === 0) await Promise.race(writers.map((one) => one.after(1)));
      }
    })();
    const swaps: string[] = [];
    const work = async ({ follows = true } = {}) => {
      const wanted = follows ? applied + PART.applied : 0;
      for (let rounds = 0; rounds === 0 || applied < wanted; rounds += 1) {
        if (rounds === 100) throw new Error(`Only ${applied} of ${wanted} rows were applied in ${rounds} rounds`);
        await Promise.race([Promise.all(writers.map((one) => one.after(PART.transactions))), applying]);
      }
    };
    const swap = async (name: 'promote' | 'revert') => {
      const stage = name === 'promote' ? 'completed' : 'rolled_back';
      const request = { fromEpoch: epoch, toEpoch: epoch + 1, stage, version: 10 * (epoch + 1) };
      const { lockHeldMs, calls } = await untilSwapped(() => plane[name](ACCOUNT, request));
      epoch += 1;
      swaps.push(`${name} held ${lockHeldMs} ms, ${calls} calls`);
    };
    const crossing = async () => {
      await work();
      await swap('promote');
      await work();
      expect(await plane.verify('account', epoch, 1)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
      await swap('revert');
      await work({ follows: false });
      await plane.forget('account');
      epoch += 1;
      await plane.start(ACCOUNT, epoch);
      await plane.copy('account', epoch);
      await work();
      await swap('promote');
      await work();
    };
    await crossing().finally(async () => {
      stopped = true;
      for (const one of writers) await one.stop();
    });
    await applying;
    await plane.settle('account', epoch);
    const done = writers.map(({ done }) => done);
    console.log(`twin: ${swaps.join('; ')}; transactions per client ${done.join(', ')}`);
    expect(writers.flatMap(({ failures }) => failures)).toEqual([]);
    for (const count of done) expect(count).toBeGreaterThan(5 * PART.transactions);
    expect(
      await differences(
        db,
        'SELECT id::bigint, name::text, balance FROM account',
        'SELECT id::bigint, name, balance FROM account_twin',
      ),
    ).toEqual([]);
    expect(
      await differences(
        db,
        'SELECT id, name, balance FROM account',
        'SELECT id::bigint, name, balance FROM account_old',
      ),
    ).toEqual([]);
    expect(await plane.verify('account', epoch, 2)).toMatchObject({
      kind: 'verified',
      result: { divergences: 0, score: 1 },
    });
    expect(await plane.rollbackReady('account')).toEqual({ ready: true });
  }, 90_000);

  it('keeps the foreign key, pointed at the table of that name', async () => {
    const [key] = await db.sql.unsafe(
      `SELECT confrelid::regclass::text AS table, convalidated FROM pg_constraint WHERE contype = 'f' AND conrelid = 'payment'::regclass`,
    );
    expect(key).toEqual({ table: 'account', convalidated: true });
    await expect(db.sql.unsafe('INSERT INTO payment (account_id) VALUES (987654)')).rejects.toMatchObject({
      code: '23503',
    });
  });

  it('without reverse capture the twin would notice: a row is lost on the way back', async () => {
    const epoch = (await plane.status('account'))!.mirror!.epoch;
    await db.sql.unsafe(`ALTER TABLE account DISABLE TRIGGER crossfade_capture;
      UPDATE account SET balance = balance + 1000 WHERE id = (SELECT min(id) FROM account);
      UPDATE account_twin SET balance = balance + 1000 WHERE id = (SELECT min(id) FROM account_twin)`);
    const step = { fromEpoch: epoch, toEpoch: epoch + 1, stage: 'rolled_back', version: 1_000 };
    // The watch over the shape sees it, unless it is told that all is well.
    expect(await plane.revert(ACCOUNT, step)).toMatchObject({ kind: 'postponed' });
    await db.sql.unsafe("SELECT crossfade.record_shape('account')");
    await plane.revert(ACCOUNT, step);
    const lost = await differences(
      db,
      'SELECT id::bigint, name::text, balance FROM account',
      'SELECT id::bigint, name, balance FROM account_twin',
    );
    expect(lost).toHaveLength(2);
  });
});
