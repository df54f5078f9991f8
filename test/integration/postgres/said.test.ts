/**
 * What the functions of one cutover answer, and what they leave behind, at the edges of every case: a page that is kept. A case is undone before
 * the next one, so that each begins with the same tables.
 */

import type postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BEFORE_THE_COPY, type Cases, CONVERGE, COPY, swap, VERIFY } from '../../helpers/database-cases.ts';
import { AFTER_THE_COPY } from '../../helpers/database-cases-copied.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(`
    CREATE TABLE seat (id integer PRIMARY KEY, place varchar(20), price integer);
    CREATE TABLE seat_v2 (id bigint PRIMARY KEY, place text UNIQUE, price integer CHECK (price >= 0), tier text DEFAULT 'second');
    INSERT INTO seat SELECT n, 'p' || n, n FROM generate_series(1, 9) n`);
  await plane.start({
    id: 'seat',
    validation: 'strict',
    table: { primary: 'public.seat', shadow: 'public.seat_v2', columns: { tier: { added: true } } },
  });
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

/** What is there, in an order of its own, without times. */
const STANDING = `SELECT jsonb_build_object(
  'cutover', (SELECT jsonb_build_array(epoch, version, stage, direction, shadow_writes, read_ppm, salt, abandoned, inline_writes, inline_version) FROM crossfade.cutover WHERE id = 'seat'),
  'outbox', (SELECT jsonb_agg(concat_ws(' ', op, k1, nullif(attempts, 0), CASE WHEN not_before > clock_timestamp() THEN 'later' END, CASE tableoid WHEN 'crossfade.outbox1_seat'::regclass THEN 'other table' END) ORDER BY seq) FROM crossfade.outbox_seat),
  'missed', (SELECT jsonb_agg(why) FROM crossfade.missed),
  'quarantine', (SELECT jsonb_agg(concat_ws(' ', key, sqlstate, reason, attempts, CASE WHEN deleted THEN 'deleted' END) ORDER BY key) FROM crossfade.quarantine),
  'backfill', (SELECT jsonb_build_array(state, copied_key, swept_key, upper_key, rows_done, shadow_had_rows, sweep_why, rate IS NULL) FROM crossfade.backfill),
  'segments', (SELECT jsonb_agg(jsonb_build_array(place, l1, h1, rows, size, divergences, samples, verified_at IS NULL, pass) ORDER BY place) FROM crossfade.segment_seat),
  'touched', (SELECT jsonb_agg(place ORDER BY place) FROM crossfade.touched_seat),
  'pass', (SELECT jsonb_build_array(number, state, epoch, tier, scope, counted_pages, counted_rows, unproven) FROM crossfade.verification_pass),
  'verification', (SELECT jsonb_build_array(epoch, rows_compared, divergences, score, at_ms, samples, tier) FROM crossfade.verification),
  'shadow', (SELECT jsonb_agg(concat_ws(' ', id, place, price, nullif(tier, 'second')) ORDER BY id) FROM seat_v2),
  'foreign', (SELECT jsonb_agg(concat_ws(' ', key, operation, writes) ORDER BY key) FROM crossfade.foreign_write)) AS standing`;

type Standing = Record<string, unknown>;

/** How long something took is no part of what is said; how old something is, in tens of seconds. */
const written = (answer: unknown) =>
  JSON.stringify(answer, (name, value) => {
    if (/^(tookMs|startedMs|calledMs|lockHeldMs|waitedMs|readOnlyUntilMs|rowsPerSecond)$/.test(name))
      return value === null ? null : 'some';
    return /^(lagMs|lag_ms)$/.test(name) ? Math.round(Number(value) / 10_000) : value;
  });

async function standing(sql: postgres.TransactionSql): Promise<Standing> {
  const [row] = await sql.unsafe<[{ standing: Standing }]>(STANDING);
  return row.standing;
}

/** Each statement, what it answers, and what is another one after it. */
async function said(statements: readonly string[], isolation = 'read committed'): Promise<string> {
  const lines: string[] = [];
  const over = new Error('undone');
  try {
    await db.sql.begin(`isolation level ${isolation}`, async (sql) => {
      await sql.unsafe('ALTER SEQUENCE crossfade."segment_seat~place" RESTART');
      let before = await standing(sql);
      for (const statement of statements) {
        lines.push(statement.replace('SELECT crossfade.', ''));
        try {
          const rows = await sql.savepoint((inner) => inner.unsafe<Record<string, unknown>[]>(statement));
          const answers = rows.flatMap((row) => Object.values(row));
          if (answers.length > 0) lines.push(`  → ${answers.map(written).join('; ')}`);
        } catch (error) {
          const { code, message } = error as postgres.PostgresError;
          lines.push(`  → ${code} ${message}`);
        }
        const after = await standing(sql);
        for (const [name, value] of Object.entries(after))
          if (JSON.stringify(value) !== JSON.stringify(before[name])) lines.push(`  ${name} ${JSON.stringify(value)}`);
        before = after;
      }
      throw over;
    });
  } catch (error) {
    if (error !== over) throw error;
  }
  return lines.join('\n');
}

async function page([about, cases]: [string, Cases[string]]): Promise<void> {
  const lines: string[] = [];
  for (const statements of cases) lines.push(await said(statements));
  await expect(`## ${about}\n\n${lines.join('\n\n')}\n`).toMatchFileSnapshot(
    `../../fixtures/said/database/${about.replaceAll(/[^a-z]+/g, '-')}.txt`,
  );
}

describe('before the copy', () => {
  it.each(Object.entries(BEFORE_THE_COPY))('%s', (...one) => page(one));
});

describe('after it', () => {
  beforeAll(() => plane.copy('seat', 1));

  it.each(Object.entries(AFTER_THE_COPY))('%s', (...one) => page(one));
});

it('in a transaction of another isolation nothing is done', async () => {
  const calls = [CONVERGE, COPY, VERIFY, 'SELECT crossfade.turn_seat()', swap()];
  const lines = await said(calls, 'repeatable read');
  expect(lines.match(/CF011 crossfade needs READ COMMITTED/g)).toHaveLength(calls.length);
});
