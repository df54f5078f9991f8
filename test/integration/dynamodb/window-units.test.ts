/** What a flush costs: write units as the engine counts them, one for each KB of the item that it changes. */

import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, describe, expect, it } from 'vitest';
import { windowPartition, windowPlace } from '../../../lib/adapters/dynamodb/keys.ts';
import { additionExpressions, takenBy } from '../../../lib/adapters/dynamodb/window-item.ts';
import { dynamoWindowStore } from '../../../lib/adapters/dynamodb/window-store.ts';
import { bucketIndex, histogramCount } from '../../../lib/core/gates/histogram.ts';
import { emptyWindow } from '../../../lib/core/gates/minute-window.ts';
import type { WindowAddition } from '../../../lib/ports/windows.ts';
import { START_MS, testClock } from '../../helpers/contracts/state.ts';
import { localClient, ownTables, PATIENT_CALL_MS } from '../../helpers/dynamodb.ts';
import { seeded } from '../../property/samples.ts';

const MINUTE = START_MS / 60_000;
const SLICES = 8;
const OPERATION = 'read';

const client = localClient();
afterAll(() => client.destroy());
let units = 0;
client.middlewareStack.add(
  (next) => async (args) => {
    const answer = await next({ ...args, input: { ...args.input, ReturnConsumedCapacity: 'TOTAL' } });
    units += (answer.output as { ConsumedCapacity?: { CapacityUnits?: number } }).ConsumedCapacity?.CapacityUnits ?? 0;
    return answer;
  },
  { step: 'initialize' },
);

const random = seeded(16);
const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** Latencies around 20 ms, in all slices of the plan. */
function drawnFlush(operations: number): WindowAddition[] {
  const latencies = Array.from({ length: SLICES }, (): Record<number, number> => ({}));
  for (let n = 0; n < operations; n += 1) {
    const latency = latencies[Math.floor(random() * SLICES)]!;
    const bucket = bucketIndex(20 * Math.exp(0.4 * normal()));
    latency[bucket] = (latency[bucket] ?? 0) + 1;
  }
  return latencies.flatMap((latency, slice) => {
    const count = histogramCount(latency);
    const window = { ...emptyWindow(MINUTE, 'primary'), count, told: count, latency };
    return count > 0 ? [{ cutover: 'customer', operation: OPERATION, slice, window }] : [];
  });
}

type Load = { senders: number; flushes: number; operations: number };
type Send = (tableName: string, flushId: string, source: string, flush: WindowAddition[]) => Promise<unknown>;

/** Units a flush, over one minute of one cutover. */
async function unitsPerFlush({ senders, flushes, operations }: Load, send: Send): Promise<number> {
  const { state: tableName } = await ownTables(client);
  const before = units;
  for (let number = 1; number <= flushes; number += 1)
    await Promise.all(
      Array.from({ length: senders }, (_, n) =>
        send(tableName, `process-${n}~${number}`, `process-${n}`, drawnFlush(operations)),
      ),
    );
  return (units - before) / (senders * flushes);
}

const asStored: Send = (tableName, flushId, source, flush) =>
  dynamoWindowStore({ client, tableName, clock: testClock(), requestTimeoutMs: PATIENT_CALL_MS }).add(
    flushId,
    source,
    flush,
    START_MS,
  );

/** Every flush of the minute into one item. */
const inOneItem: Send = (TableName, flushId, source, flush) => {
  const Key = { pk: windowPartition('customer', 0), sk: `${windowPlace(MINUTE)}#primary#${OPERATION}` };
  const slices = flush.map(({ slice = null, window }) => ({ slice, window }));
  const update = additionExpressions(slices, OPERATION, takenBy(source, flushId, '0.0'), START_MS / 1_000 + 86_400);
  return client.send(new UpdateCommand({ TableName, Key, ...update }));
};

describe('a flush', () => {
  it.each([
    ['of a few processes', { senders: 2, flushes: 6, operations: 10 }],
    ['of ten processes with two reads a second', { senders: 10, flushes: 6, operations: 20 }],
    ['of one read each, hundreds of them in the minute', { senders: 10, flushes: 15, operations: 1 }],
  ])('%s costs no more than 1.2 units', async (_, load) => {
    expect(await unitsPerFlush(load, asStored)).toBeLessThanOrEqual(1.2);
  });

  it.each([
    ['100 reads, whose item has more than a KB', { senders: 1, flushes: 6, operations: 100 }, 2],
    ['500 reads, in two updates', { senders: 1, flushes: 6, operations: 500 }, 5],
  ])('of %s costs no more than what it writes itself', async (_, load, units) => {
    expect(await unitsPerFlush(load, asStored)).toBeLessThanOrEqual(units);
  });

  it('would cost what all flushes of the minute have left, if they shared an item', async () => {
    expect(await unitsPerFlush({ senders: 10, flushes: 6, operations: 20 }, inOneItem)).toBeGreaterThan(2);
  });
});
