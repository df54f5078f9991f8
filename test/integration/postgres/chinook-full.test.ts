/**
 * I1 I11 I12 Chinook in full: eight tables with foreign keys in and out, one to itself, one with a composite key, move while
 * three clients write all of them in transactions. All are promoted, all go back, all are promoted again and cleaned up. Each
 * transaction makes the same change to twins that nobody migrates.
 */

import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chinookCutovers } from '../../../infra/examples/chinook/full.ts';
import { defineCutovers } from '../../../lib/define/cutovers.ts';
import { tableCutover } from '../../../lib/flows/rows/table-of.ts';
import type { SwapResult } from '../../../lib/ports/swapping.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, eventually, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { catalogOf } from './zoo/catalog.ts';

/** Columns that both shapes have under one name and hold alike. */
const COLUMNS: Readonly<Record<string, string>> = {
  customer: 'customer_id::bigint, first_name, last_name, city, support_rep_id::bigint',
  employee: 'employee_id::bigint, first_name, last_name, reports_to::bigint, birth_date::timestamp',
  artist: 'artist_id::bigint, name::text',
  album: 'album_id::bigint, title::text, artist_id::bigint',
  track: 'track_id::bigint, name::text, album_id::bigint, milliseconds, bytes::bigint, unit_price::numeric',
  invoice: 'invoice_id::bigint, customer_id::bigint, invoice_date, total::numeric',
  invoice_line: 'invoice_line_id::bigint, invoice_id::bigint, track_id::bigint, unit_price::numeric, quantity',
  playlist_track: 'playlist_id::bigint, track_id::bigint',
};

/** Against a test that never ends: eight tables take a third of it on two cores that three files share. */
const HANGS_AFTER_MS = 180_000;

let db: OwnDatabase;
let plane: TestPlane;
let cutovers: readonly TableCutover[];
const writers: Writer[] = [];
const epochs = new Map<string, number>();
let applying: Promise<void> | null = null;
let stopped = false;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  for (const name of ['chinook.sql', 'shadow.sql', 'shadow-full.sql']) await db.sql.unsafe(script(name));
  const twins = Object.keys(COLUMNS).map(
    (name) =>
      `CREATE TABLE twins.${name} (LIKE public.${name} INCLUDING INDEXES); INSERT INTO twins.${name} SELECT * FROM public.${name};`,
  );
  await db.sql.unsafe(`CREATE SCHEMA twins; ${twins.join('\n')} ANALYZE`);
  cutovers = defineCutovers(chinookCutovers).flatMap((one) => (one.kind === 'table' ? [tableCutover(one)] : []));
});
afterAll(async () => {
  stopped = true;
  await Promise.all([applying, ...writers.map((writer) => writer.stop())]);
  await plane.close();
  await db.drop();
});

function script(name: string): string {
  const text = readFileSync(new URL(`../../../infra/examples/chinook/${name}`, import.meta.url), 'utf8');
  return text.replace(/^(DROP DATABASE|CREATE DATABASE|\\c).*$/gm, '');
}

// -------------------------------------------------------------------------------------------------------- writers

type Writer = { done: number; failures: string[]; stop(): Promise<void> };
/** As an application's client, which does not only write: at full speed three of them take the processor that the steps need. */
const BETWEEN_MS = 20;
type Send = (sql: postgres.Sql, statements: readonly string[]) => Promise<unknown>;

/** A family of rows in every table, changed, and partly or wholly deleted again, children first. `n` names it. */
function transactions(n: number): string[][] {
  const insert = [
    `INSERT INTO artist VALUES (${n}, 'artist ${n}')`,
    `INSERT INTO album (album_id, title, artist_id) VALUES (${n}, 'album', ${n})`,
    `INSERT INTO track (track_id, name, album_id, media_type_id, genre_id, milliseconds, bytes, unit_price) VALUES (${n}, 'track', ${n}, 1, 1, 1000, 5, 0.99)`,
    `INSERT INTO employee (employee_id, first_name, last_name, reports_to, birth_date) VALUES (${n}, 'E', 'One', ${1 + (n % 8)}, '1990-01-01'), (${n + 1}, 'F', 'Two', ${n}, NULL)`,
    `INSERT INTO customer (customer_id, first_name, last_name, email, support_rep_id) VALUES (${n}, 'C', 'Three', 'c@example.org', ${n + 1})`,
    `INSERT INTO invoice (invoice_id, customer_id, invoice_date, total) VALUES (${n}, ${n}, '2026-01-01', 1.98)`,
    `INSERT INTO invoice_line (invoice_line_id, invoice_id, track_id, unit_price, quantity) VALUES (${n}, ${n}, ${n}, 0.99, 2), (${n + 1}, ${n}, 1, 0.99, 1)`,
    `INSERT INTO playlist_track (playlist_id, track_id) VALUES (1, ${n}), (2, ${n})`,
  ];
  const update = [
    `UPDATE track SET unit_price = 1.29, bytes = 7 WHERE track_id = ${n}`,
    `UPDATE employee SET reports_to = ${n + 1} WHERE employee_id = ${n}`,
    `UPDATE customer SET city = 'x${n}', support_rep_id = NULL WHERE customer_id = ${n}`,
    `UPDATE playlist_track SET playlist_id = 3 WHERE playlist_id = 2 AND track_id = ${n}`,
    `UPDATE invoice SET total = 2.58 WHERE invoice_id = ${n}`,
  ];
  const remove = [
    `DELETE FROM invoice_line WHERE invoice_id = ${n}`,
    `DELETE FROM playlist_track WHERE track_id = ${n}`,
    `DELETE FROM invoice WHERE invoice_id = ${n}`,
    `DELETE FROM customer WHERE customer_id = ${n}`,
    `DELETE FROM employee WHERE employee_id IN (${n}, ${n + 1})`,
    `DELETE FROM track WHERE track_id = ${n}`,
    `DELETE FROM album WHERE album_id = ${n}`,
    `DELETE FROM artist WHERE artist_id = ${n}`,
  ];
  return n % 3 === 0 ? [insert, update] : [insert, update, remove];
}

const onTwin = (statement: string) => statement.replace(/^(INSERT INTO|UPDATE|DELETE FROM) /, '$1 twins.');

function writer(index: number, send: Send): Writer {
  const sql = db.connect();
  const state = { done: 0, failures: [] as string[], stopping: false };
  const running = (async () => {
    for (let i = 0; !state.stopping; i += 1) {
      for (const statements of transactions(100_000 * (index + 1) + 2 * i)) {
        const both = statements.flatMap((statement) => [statement, onTwin(statement)]);
        await send(sql, both).then(
          () => {
            state.done += 1;
          },
          (error: unknown) => state.failures.push(error instanceof Error ? error.message : String(error)),
        );
        await pause(BETWEEN_MS);
      }
    }
  })();
  return Object.assign(state, {
    stop: async () => {
      state.stopping = true;
      await running;
    },
  });
}

const simple: Send = (sql, statements) => sql.unsafe(['BEGIN', ...statements, 'COMMIT'].join('; ')).simple();
const extended: Send = (sql, statements) =>
  sql.begin(async (tx) => {
    for (const statement of statements) await tx.unsafe(statement, [], { prepare: false });
  });

// ---------------------------------------------------------------------------------------------------------- steps

/** What the shadow-writer does, for all eight. */
async function applyAll(): Promise<void> {
  while (!stopped) {
    let claimed = 0;
    for (const { id } of cutovers) {
      const result = await plane.converge(id, epochs.get(id) ?? 0, 300);
      if (result.kind === 'converged') claimed += result.claimed;
    }
    if (claimed === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function working(count: number): Promise<void> {
  const before = writers.map(({ done }) => done);
  const went = async () => {
    expect(writers.flatMap(({ failures }) => failures)).toEqual([]);
    return writers.every(({ done }, i) => done >= before[i]! + count);
  };
  await eventually(went, `every client goes on for ${count} transactions`, 20_000);
}

async function startAll(epoch: number): Promise<void> {
  for (const cutover of cutovers) {
    await plane.start(cutover, epoch);
    epochs.set(cutover.id, epoch);
    await plane.copy(cutover.id, epoch, 2_000);
  }
}

async function swapAll(act: 'promote' | 'revert', order: readonly TableCutover[]): Promise<number[]> {
  const held: number[] = [];
  for (const cutover of order) {
    const fromEpoch = epochs.get(cutover.id)!;
    const step = {
      fromEpoch,
      toEpoch: fromEpoch + 1,
      stage: act === 'promote' ? 'completed' : 'rolled_back',
      version: 10 * (fromEpoch + 1),
    };
    const done = await untilSwapped(() => plane[act](cutover, step));
    epochs.set(cutover.id, fromEpoch + 1);
    held.push(done.lockHeldMs);
  }
  return held;
}

async function untilSwapped(act: () => Promise<SwapResult>): Promise<SwapResult & { kind: 'swapped' }> {
  for (let calls = 1; ; calls += 1) {
    const result = await act();
    if (result.kind === 'swapped') return result;
    if (result.kind !== 'postponed' || calls === 3) throw new Error(JSON.stringify(result));
  }
}

/** One moment: no transaction of the application is under way. */
async function pausedAnd(check: () => Promise<void>): Promise<void> {
  await Promise.all(
    writers.splice(0).map(async (one) => {
      await one.stop();
      expect(one.failures).toEqual([]);
    }),
  );
  await check();
}

let generation = 0;
function resume(): void {
  const sends = [simple, extended, extended];
  writers.push(...sends.map((send, i) => writer(sends.length * generation + i, send)));
  generation += 1;
}

const equalsTwin = async (name: string, suffix = '') =>
  expect(
    await differences(
      db,
      `SELECT ${COLUMNS[name]} FROM public.${name}${suffix}`,
      `SELECT ${COLUMNS[name]} FROM twins.${name}`,
    ),
    name + suffix,
  ).toEqual([]);

const foreignKeys = async () =>
  [
    ...(await db.sql.unsafe(
      `SELECT conrelid::regclass::text || ' ' || conname || ' ' || confrelid::regclass::text || ' ' || convalidated AS line FROM pg_constraint WHERE contype = 'f' ORDER BY 1`,
    )),
  ].map(({ line }) => line as string);

/** Of tables in use: those of the shadows come and go. */
const inUse = (keys: readonly string[]) => keys.filter((line) => !/^[a-z_]*_(v2|old) /.test(line));

/** Children first, then the parents, in one transaction, while the mirror is behind. */
async function deletesInOneTransaction(n: number): Promise<void> {
  const [insert, , remove] = transactions(n) as [string[], string[], string[]];
  const sql = db.connect();
  const both = (statements: readonly string[]) => statements.flatMap((statement) => [statement, onTwin(statement)]);
  await extended(sql, both(insert));
  for (const { id } of cutovers) await plane.settle(id, epochs.get(id)!).catch(() => {});
  await extended(sql, both(remove));
}

async function giveAllBack(): Promise<void> {
  const rows = await db.sql.unsafe(
    'SELECT crossfade.give_key_back(cutover, name) AS validate FROM crossfade.key_aside ORDER BY cutover, name',
  );
  for (const { validate } of rows) if (validate) await db.sql.unsafe(validate);
}

// ---------------------------------------------------------------------------------------------------------- tests

describe('I1 I12 eight tables that refer to each other, under three clients', () => {
  let before: { keys: string[]; catalog: string[] };
  const held: number[] = [];

  it('would fail the application with foreign keys left on a shadow (negative control)', async () => {
    before = { keys: await foreignKeys(), catalog: await catalogOf(db.sql, 'public') };
    const [real] = await db.sql.unsafe("SELECT pg_get_functiondef('crossfade.keys_to_set_aside'::regproc) AS text");
    await db.sql.unsafe(`CREATE OR REPLACE FUNCTION crossfade.keys_to_set_aside(p_primary oid, p_shadow oid) RETURNS SETOF text
      LANGUAGE sql STABLE AS 'SELECT NULL::text WHERE false'`);
    const album = cutovers.find(({ id }) => id === 'album')!;
    try {
      await plane.start(album, 1);
      await plane.copy('album', 1, 2_000);
      epochs.set('album', 1);
      await expect(deletesInOneTransaction(90_001)).rejects.toThrow(/album_v2_artist_id_fkey/);
    } finally {
      await db.sql.unsafe(real!.text);
    }
    for (const statement of transactions(90_001)[2]!)
      await db.sql.unsafe(`${onTwin(statement)}`).then(() => plane.settle('album', 1));
    for (const statement of transactions(90_001)[2]!) {
      await db.sql.unsafe(statement);
      await plane.settle('album', 1);
    }
    await plane.disarm('album');
    await plane.forget('album');
  });

  it('are all promoted: every row is there, on both sides, and every foreign key holds on the new tables', {
    timeout: HANGS_AFTER_MS,
  }, async () => {
    for (const cutover of cutovers)
      expect((await plane.preview(cutover)).items.filter(({ action }) => action === 'refuse')).toEqual([]);
    resume();
    await startAll(2);
    expect((await foreignKeys()).filter((line) => /^[a-z_]*_v2 /.test(line))).toEqual([]);
    applying = applyAll();
    await deletesInOneTransaction(90_004);
    await working(5);
    held.push(...(await swapAll('promote', cutovers)));
    await deletesInOneTransaction(90_007);
    await working(5);
    await pausedAnd(async () => {
      expect(inUse(await foreignKeys())).toEqual(inUse(before.keys));
      for (const { id } of cutovers) {
        await plane.settle(id, 3);
        await equalsTwin(id);
        await equalsTwin(id, '_old');
        expect(await plane.verify(id, 3, 0), id).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
        expect(await plane.rollbackReady(id)).toEqual({ ready: true });
      }
    });
  });

  it('all go back in another order: nothing is lost, and the catalog is what it was', {
    timeout: HANGS_AFTER_MS,
  }, async () => {
    resume();
    await working(5);
    held.push(...(await swapAll('revert', [...cutovers].reverse())));
    await deletesInOneTransaction(90_010);
    await working(5);
    await pausedAnd(async () => {
      for (const { id } of cutovers) await equalsTwin(id);
      expect(inUse(await foreignKeys())).toEqual(inUse(before.keys));
      await db.sql.unsafe(`TRUNCATE ${cutovers.map(({ id }) => `${id}_v2`).join(', ')}`);
      await giveAllBack();
      expect(await foreignKeys()).toEqual(before.keys);
      expect(await catalogOf(db.sql, 'public')).toEqual(before.catalog);
    });
  });

  it('are all promoted again, and cleanup leaves eight tables of the new shape', {
    timeout: HANGS_AFTER_MS,
  }, async () => {
    resume();
    await startAll(5);
    await working(3);
    held.push(...(await swapAll('promote', [...cutovers.slice(3), ...cutovers.slice(0, 3)])));
    await deletesInOneTransaction(90_013);
    await working(5);
    await pausedAnd(async () => {
      for (const { id } of cutovers) {
        await plane.settle(id, 6);
        await equalsTwin(id);
        await equalsTwin(id, '_old');
        expect(await plane.verify(id, 6, 0), id).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
      }
    });
    stopped = true;
    await applying;
    for (const cutover of cutovers) expect(await plane.cleanup(cutover, 6)).toEqual({ kind: 'cleaned' });
    expect(await foreignKeys()).toEqual(inUse(before.keys));
    const left =
      await db.sql.unsafe(`SELECT relname AS name FROM pg_class WHERE relname ~ '_(v2|old)' UNION ALL SELECT conname FROM pg_constraint WHERE conname ~ '_(v2|old)(_|$)' AND contype <> 'n'
      UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal UNION ALL SELECT name FROM crossfade.key_aside`);
    expect([...left]).toEqual([]);
    held.sort((a, b) => a - b);
    console.log(
      `chinook in full: ${held.length} swaps, locks held ${held.at(-1)} ms at most, median ${held[held.length >> 1]} ms`,
    );
  });
});
