/**
 * Minute windows on DynamoDB. Many senders add to one window at once, none of them reads it; the gates read the sums.
 * A flush may be sent again after any failure: each of its parts is counted once.
 */

import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { inBatches } from '../../core/base/in-batches.ts';
import { DAY_MINUTES, MINUTE_MS } from '../../core/base/units.ts';
import type { CutoverId } from '../../core/cutover/cutover.ts';
import { mergeParts, wholeWindows } from '../../core/gates/minute-window.ts';
import type { Clock } from '../../ports/machine.ts';
import type { WindowStore } from '../../ports/windows.ts';
import { atMost, batchingLoader, named } from './batching-loader.ts';
import { DEFAULT_CALL_DEADLINE_MS } from './client.ts';
import { attempt, isConditionFailure, type Target } from './failures.ts';
import { WINDOW_SHARDS, windowKey, windowPartitions, windowPlace } from './keys.ts';
import { type Item, selectItems, stateInvalid } from './state-items.ts';
import {
  additionExpressions,
  flushesBeside,
  mergeByOperation,
  type Read,
  type Slice,
  slicesOf,
  type Taken,
  takenBy,
  windowOf,
} from './window-item.ts';
import { mergeAdditions, updatesOf } from './window-updates.ts';

export type DynamoWindowStoreOptions = Pick<Target, 'client' | 'tableName'> & {
  clock: Pick<Clock, 'now'>;
  requestTimeoutMs?: number;
  retentionDays?: number;
};

const WINDOW_RETENTION_DAYS = 30;

/** Updates in flight from one flush. */
const AT_ONCE = 8;

/** A selection takes 50 partition keys. */
const CUTOVERS_AT_ONCE = 50 / WINDOW_SHARDS;

/** The pages of a selection come one after the other: a long range is read in pieces beside each other. */
const PIECE_MINUTES = 720;
const SELECTIONS_AT_ONCE = 8;

type Range = { id: CutoverId; from: number; to: number };
type Update = { cutover: CutoverId; operation: string; slices: readonly Slice[]; taken: Taken; flushes: string };

export function dynamoWindowStore(options: DynamoWindowStoreOptions): WindowStore {
  const target: Target = { requestTimeoutMs: DEFAULT_CALL_DEADLINE_MS, ...options };
  const { client, tableName } = target;
  const retentionMinutes = (options.retentionDays ?? WINDOW_RETENTION_DAYS) * DAY_MINUTES;
  const oldestMinute = (nowMs: number) => Math.floor(nowMs / MINUTE_MS) - retentionMinutes;

  async function update(source: string, { cutover, operation, slices, taken, flushes }: Update): Promise<void> {
    const { minute, side } = slices[0]!.window;
    const expiresAt = (minute + retentionMinutes) * 60;
    const command = new UpdateCommand({
      TableName: tableName,
      Key: windowKey(cutover, { source, flushes }, { minute, side, operation }),
      ...additionExpressions(slices, operation, taken, expiresAt),
    });
    await attempt(target, `add to a window of cutover '${cutover}'`, (call) =>
      client.send(command, call).catch((error: unknown) => {
        // Counted before: this flush came again, or the SDK repeated a call whose answer was lost.
        if (!isConditionFailure(error)) throw error;
      }),
    );
  }

  const readAll = windowItems(target, options.clock, oldestMinute);

  function believed<T>(id: CutoverId, item: Item, read: (item: Item) => Read<T>): T {
    const answer = read(item);
    if (answer.ok) return answer;
    const key = { pk: String(item.pk), sk: String(item.sk) };
    throw stateInvalid(target, `window of cutover '${id}'`, key, answer.problems);
  }

  return {
    async add(flushId, source, additions, nowMs) {
      const oldest = oldestMinute(nowMs);
      const updates = mergeAdditions(additions.filter(({ window }) => window.minute > oldest)).flatMap(
        ({ cutover, operation, slices }) =>
          updatesOf(slices).map((some, index) => ({
            cutover,
            operation,
            slices: some,
            taken: takenBy(source, flushId, `${some[0]!.slice}.${index}`),
            flushes: flushesBeside(flushId, some, index),
          })),
      );
      for (const some of inBatches(updates, AT_ONCE)) await Promise.all(some.map((one) => update(source, one)));
    },

    async read(id, fromMinute, toMinute) {
      const items = await readAll(id, fromMinute, toMinute);
      return wholeWindows(items.map((item) => believed(id, item, windowOf).window));
    },

    async readByOperation(id, fromMinute, toMinute) {
      const items = await readAll(id, fromMinute, toMinute);
      return mergeByOperation(items.map((item) => ({ ...operationOf(item), ...believed(id, item, windowOf) })));
    },

    async readParts(id, fromMinute, toMinute) {
      const items = await readAll(id, fromMinute, toMinute);
      return mergeParts(
        items.flatMap((item) =>
          believed(id, item, slicesOf).slices.map((slice) => ({ ...operationOf(item), ...slice })),
        ),
      );
    },
  };
}

/** The items of a range of minutes. */
function windowItems(target: Target, clock: Pick<Clock, 'now'>, oldestMinute: (nowMs: number) => number) {
  const select = batchingLoader<Range, Item[]>(
    CUTOVERS_AT_ONCE,
    atMost(SELECTIONS_AT_ONCE, async (ranges: readonly Range[]) => {
      const { from, to } = ranges[0]!;
      const ids = [...new Set(ranges.map(({ id }) => id))];
      const { items } = await selectItems(target, `read the windows of ${named(ids)}`, {
        key: 'pk',
        partitions: ids.flatMap(windowPartitions),
        between: [windowPlace(from), windowPlace(to + 1)],
      });
      const found = new Map<unknown, Item[]>(ids.flatMap(windowPartitions).map((pk) => [pk, []]));
      for (const item of items) found.get(item.pk)?.push(item);
      return ({ id }) => windowPartitions(id).flatMap((pk) => found.get(pk)!);
    }),
    ({ from, to }) => `${from}-${to}`,
  );

  return async function readAll(id: CutoverId, fromMinute: number, to: number): Promise<Item[]> {
    // TTL removes late, by days at worst: expired windows are left out here.
    const from = Math.max(fromMinute, oldestMinute(clock.now()) + 1, 0);
    const pieces: Promise<Item[]>[] = [];
    for (let start = from; start <= to; start += PIECE_MINUTES)
      pieces.push(select({ id, from: start, to: Math.min(to, start + PIECE_MINUTES - 1) }));
    return (await Promise.all(pieces)).flat();
  };
}

const operationOf = (item: Item) => ({ operation: String(item.operation) });
