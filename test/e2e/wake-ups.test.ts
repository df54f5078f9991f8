/**
 * Wake-ups may be lost, doubled, late or in any order, and still the shadow ends equal, of a plain table and of a partitioned one. Records
 * come from a real stream; what happens to them between the stream and the shadow-writer is drawn from a seed.
 *
 * Replay one run with: CROSSFADE_SEED=<seed> npx vitest run --project e2e test/e2e/wake-ups.test.ts
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { outcomeBuffer } from '../../lib/flows/forwards/outcome-buffer.ts';
import { relay } from '../../lib/flows/rows/relay.ts';
import { serveWakeUps } from '../../lib/flows/rows/serve-wake-ups.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { parseWakeUps } from '../../lib/schemas/stream.ts';
import { seeded } from '../helpers/stack-parts.ts';
import { type Items, items, startAll, unequal } from '../helpers/stack-parts-items.ts';
import { type StreamReader, type StreamRecord, servedOf, streamReader } from '../helpers/stack-parts-stream.ts';

const SEED = Number(process.env.CROSSFADE_SEED ?? Math.floor(Math.random() * 2 ** 31));
const FATES = ['dropped', 'doubled', 'reordered', 'late', 'all lost', 'everything'] as const;
type Fate = (typeof FATES)[number];
const ROUNDS = 5;
const KEYS = 40;
const LONG_MS = 30_000;

let it1: Items;
let reader: StreamReader;
let writers: Ports[];

beforeAll(async () => {
  it1 = await items(['item', 'part']);
  await startAll(it1);
  reader = streamReader(it1.on.endpoint, it1.on.tables.changes);
  writers = [it1.another(), it1.another()];
});
afterAll(async () => {
  reader?.close();
  await it1?.stop();
});

const later = () => it1.ports.clock.monotonicMs() + LONG_MS;
const wake = () => relay(it1.ports, it1.ports.clock.monotonicMs(), it1.declarations);

async function serve(ports: Ports, records: readonly StreamRecord[], deadlineMs = later()) {
  const wakeUps = parseWakeUps({ Records: records });
  const serving = { ...ports, outcomes: outcomeBuffer(ports, 0) };
  const { firstFailure, ...counts } = await serveWakeUps(serving, it1.declarations, wakeUps, { deadlineMs });
  return { ...counts, batchItemFailures: firstFailure === null ? [] : [{ itemIdentifier: firstFailure }] };
}

/** Inserts, updates and deletes in the old table. */
async function writeSome(table: string, random: () => number, mark: string): Promise<void> {
  for (let i = 0; i < 8; i += 1) {
    const key = 1 + Math.floor(random() * KEYS);
    await it1.db.sql.unsafe(
      random() < 0.3
        ? `DELETE FROM ${table} WHERE id = ${key}`
        : `INSERT INTO ${table} VALUES (${key}, '${mark}.${i}') ON CONFLICT (id) DO UPDATE SET value = EXCLUDED.value`,
    );
  }
}

// ---------------------------------------------------------------------------------------------------------- fates

/** What arrives of what was sent, and what will arrive later. */
function meet(fate: Fate, sent: StreamRecord[], random: () => number): { now: StreamRecord[]; later: StreamRecord[] } {
  switch (fate) {
    case 'dropped':
      return { now: sent.filter(() => random() < 0.5), later: [] };
    case 'doubled':
      return { now: [...sent, ...sent.filter(() => random() < 0.7)], later: [] };
    case 'reordered':
      return { now: shuffled(sent, random), later: [] };
    case 'late':
      return { now: [], later: shuffled(sent, random) };
    case 'all lost':
      return { now: [], later: [] };
    case 'everything': {
      const left = shuffled([...sent, ...sent], random).filter(() => random() < 0.5);
      return { now: left.filter((_, i) => i % 2 === 0), later: left.filter((_, i) => i % 2 === 1) };
    }
  }
}

function shuffled<T>(list: readonly T[], random: () => number): T[] {
  return list
    .map((value) => ({ value, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ value }) => value);
}

/** Writes, wakes and delivers in rounds. The records that are still under way at the end arrive then. */
async function live(fate: Fate, random: () => number): Promise<{ sent: number; arrived: number }> {
  const count = { sent: 0, arrived: 0 };
  let underWay: StreamRecord[] = [];
  const deliver = async (records: StreamRecord[]) => {
    count.arrived += records.length;
    const middle = Math.floor(records.length / 2);
    // Two instances beside each other.
    await Promise.all([serve(writers[0]!, records.slice(0, middle)), serve(writers[1]!, records.slice(middle))]);
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const table of ['item', 'part']) {
      await writeSome(table, random, `${fate} ${round}`);
      await wake();
    }
    const sent = await reader.next();
    count.sent += sent.length;
    const { now, later: delayed } = meet(fate, sent, random);
    await Promise.all([deliver([...underWay, ...now]), writeSome('item', random, `${fate} ${round} beside`)]);
    underWay = delayed;
  }
  await deliver(underWay);
  return count;
}

/** What the relay does every minute, with nothing in its way. */
async function heal(): Promise<void> {
  for (let rounds = 0; rounds < 20; rounds += 1) {
    await wake();
    const records = await reader.next();
    if (records.length === 0) return;
    expect((await serve(writers[0]!, records)).batchItemFailures).toEqual([]);
  }
  throw new Error('There are still hints after 20 rounds.');
}

const differing = async () => [
  ...(await unequal(it1.db, 'item', 'item_v2')),
  ...(await unequal(it1.db, 'part', 'part_v2')),
];

describe(`I5 wake-ups of seed ${SEED}`, () => {
  it.each(FATES.flatMap((fate) => [1, 2, 3, 4].map((run) => [fate, run] as const)))(
    '%s (%i): the shadow ends equal to the primary',
    async (fate, run) => {
      const random = seeded(SEED + run * 1_009 + FATES.indexOf(fate));
      const { sent, arrived } = await live(fate, random);
      if (fate === 'all lost') expect(await differing()).not.toEqual([]);
      await heal();
      expect(await differing()).toEqual([]);
      for (const id of ['item', 'part'])
        expect(await it1.ports.inspecting.status(id)).toMatchObject({ outboxRows: 0, lagMs: 0 });
      expect(sent).toBeGreaterThan(ROUNDS);
      if (fate === 'all lost') expect(arrived).toBe(0);
    },
  );

  it('what is lost stays lost without the relay, so these tests would notice', async () => {
    await it1.db.sql.unsafe("UPDATE item SET value = 'changed' WHERE id = (SELECT min(id) FROM item)");
    await wake();
    await reader.next();
    expect(await differing()).not.toEqual([]);
    expect((await it1.ports.inspecting.status('item'))?.lagMs).toBeGreaterThan(0);
    await heal();
    expect(await differing()).toEqual([]);
  });
});

describe('I34 the record reported to the stream', () => {
  /** Wake-ups of both cutovers in turn, and two that name none. */
  async function mixedBatch(): Promise<StreamRecord[]> {
    for (const id of ['item', 'part', 'item', 'part', 'nobody', 'item']) await it1.ports.wakeUps.wake(id);
    return reader.next();
  }

  it('is the first one not served, nothing after it is touched, and the rest is served when it comes again', async () => {
    await heal();
    for (const table of ['item', 'part']) await writeSome(table, seeded(SEED), 'mixed');
    const batch = await mixedBatch();
    expect(batch).toHaveLength(6);
    const touched: string[] = [];
    const partly: Ports = {
      ...it1.ports,
      converging: {
        ...it1.ports.converging,
        converge: async (id, epoch, limit) => {
          touched.push(id);
          if (id === 'part') throw new Error('the database is away');
          return it1.ports.converging.converge(id, epoch, limit);
        },
      },
    };
    const answer = await serve(partly, batch);
    expect(answer.batchItemFailures).toEqual([{ itemIdentifier: batch[1]!.dynamodb!.SequenceNumber }]);
    expect(touched.lastIndexOf('item')).toBeLessThan(touched.indexOf('part'));
    expect(touched.filter((id) => id === 'part')).toHaveLength(1);
    expect(await unequal(it1.db, 'item', 'item_v2')).toEqual([]);
    expect(await unequal(it1.db, 'part', 'part_v2')).not.toEqual([]);

    const again = batch.slice(servedOf(batch, answer));
    expect(again).toHaveLength(5);
    expect(await serve(it1.ports, again)).toEqual({ served: 4, malformed: 1, batchItemFailures: [] });
    expect(await differing()).toEqual([]);
  });

  it('is the very first one when there is no time for a single call', async () => {
    await writeSome('item', seeded(SEED + 1), 'late');
    const batch = await mixedBatch();
    const answer = await serve(it1.ports, batch, it1.ports.clock.monotonicMs() + 500);
    expect(answer).toMatchObject({
      served: 0,
      batchItemFailures: [{ itemIdentifier: batch[0]!.dynamodb!.SequenceNumber }],
    });
    expect(await unequal(it1.db, 'item', 'item_v2')).not.toEqual([]);
    await heal();
    expect(await differing()).toEqual([]);
  });
});
