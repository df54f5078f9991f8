/** What every window store must do. Run against the one in memory and the one on DynamoDB. */

import { describe, expect, it } from 'vitest';
import { bucketIndex, histogramCount, MAX_BUCKET, MIN_BUCKET } from '../../../lib/core/gates/histogram.ts';
import { emptyWindow, type MinuteWindow } from '../../../lib/core/gates/minute-window.ts';
import type { WindowAddition, WindowStore } from '../../../lib/ports/windows.ts';
import type { TestClock } from './state.ts';

export type WindowHarness = {
  store: WindowStore;
  /** The clock the store was given; it stands at a minute that `MINUTE` names. */
  clock: TestClock;
};

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;

export function windowOf(minute: number, fields: Partial<MinuteWindow> = {}): MinuteWindow {
  return { ...emptyWindow(minute, 'primary'), ...fields };
}

/** Operations with these latencies, and nothing else. */
export function latencies(minute: number, ...ms: number[]): MinuteWindow {
  const latency: Record<number, number> = {};
  for (const each of ms) latency[bucketIndex(each)] = (latency[bucketIndex(each)] ?? 0) + 1;
  return windowOf(minute, { count: ms.length, latency });
}

function additionOf(window: MinuteWindow, operation = 'read', cutover = 'customer'): WindowAddition {
  return { cutover, operation, window };
}

/** Twenty senders add one operation each to the same window at once, each to a bucket of three. The sum they leave. */
async function twentySendersAtOnce({ store, clock }: WindowHarness): Promise<MinuteWindow[]> {
  const minute = Math.floor(clock.nowMs / MINUTE_MS);
  await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      store.add(`flush-${n}`, `sender-${n}`, [additionOf(latencies(minute, [1, 10, 100][n % 3]!))], clock.nowMs),
    ),
  );
  return [...(await store.read('customer', minute, minute))];
}

export function windowContract(name: string, make: () => Promise<WindowHarness>): void {
  const prepared = async () => {
    const harness = await make();
    const { store, clock } = harness;
    const minute = Math.floor(clock.nowMs / MINUTE_MS);
    let flushes = 0;
    const add = (...additions: WindowAddition[]) => store.add(`f${flushes++}`, 'sender', additions, clock.nowMs);
    const read = (from = minute - 10, to = minute + 10) => store.read('customer', from, to);
    return { ...harness, minute, add, read };
  };

  describe(`window store contract: ${name}`, () => {
    adding(prepared);
    slicing(prepared);
    flushing(prepared);
    readingAtOnce(prepared);
    expiring(prepared);
  });
}

type Prepared = () => Promise<
  WindowHarness & {
    minute: number;
    add(...additions: WindowAddition[]): Promise<void>;
    read(from?: number, to?: number): Promise<readonly MinuteWindow[]>;
  }
>;

function adding(prepared: Prepared): void {
  describe('adding', () => {
    it('nothing is there before', async () => {
      const { read } = await prepared();
      expect(await read()).toEqual([]);
    });

    it('a window is read back as it was added', async () => {
      const { add, read, minute } = await prepared();
      const window: MinuteWindow = {
        ...latencies(minute, 0.01, 1, 1, 250, 3_000_000),
        side: 'shadow',
        errors: 2,
        keyless: 1,
        checks: 7,
        mismatches: 3,
      };
      await add(additionOf(window));
      expect(await read()).toEqual([window]);
    });

    it('reads that left the shadow add up, and are not there where none did', async () => {
      const { add, read, minute } = await prepared();
      await add(additionOf({ ...latencies(minute, 1, 1), left: 2 }));
      await add(additionOf({ ...latencies(minute, 1), left: 1 }), additionOf(latencies(minute - 1, 1)));
      expect((await read()).map(({ left }) => left)).toEqual([undefined, 3]);
    });

    it('what newer senders tell is read back, adds up, and is not there where nobody told it', async () => {
      const { add, read, minute } = await prepared();
      const told = { ...latencies(minute, 1, 1), errors: 1, drops: 1, told: 2, memory: { 0: 1, 41: 1 } };
      await add(additionOf(told));
      expect(await read()).toEqual([told]);
      await add(additionOf(latencies(minute, 1)), additionOf(latencies(minute - 1, 1)));
      await add(additionOf({ ...latencies(minute, 1), told: 1, memory: { 41: 1, 100: 1 } }));
      const sum = { errors: 1, drops: 1, told: 3, memory: { 0: 1, 41: 2, 100: 1 } };
      expect(await read()).toEqual([latencies(minute - 1, 1), { ...latencies(minute, 1, 1, 1, 1), ...sum }]);
    });

    it('pairs add up, and are not there where none were', async () => {
      const { add, read, minute } = await prepared();
      await add(
        additionOf({ ...latencies(minute), pairs: 5, onlyShadow: 2, incomparable: 3 }),
        additionOf(latencies(minute - 1, 1)),
      );
      await add(additionOf({ ...latencies(minute, 1), pairs: 3, onlyShadow: 1, onlyPrimary: 1, incomparable: 1 }));
      const sum = { pairs: 8, onlyShadow: 3, onlyPrimary: 1, incomparable: 4 };
      expect(await read()).toEqual([latencies(minute - 1, 1), { ...latencies(minute, 1), ...sum }]);
    });

    it('an empty flush and an empty window are fine', async () => {
      const { add, read, minute } = await prepared();
      await add();
      await add(additionOf(windowOf(minute)));
      expect(await read()).toEqual([windowOf(minute)]);
    });

    it('senders and operations add up to one window per minute and side', async () => {
      const { store, clock, read, minute } = await prepared();
      for (const source of ['a', 'b', 'c', 'd'])
        for (const operation of ['read', 'write', 'list#by name', 'größe 🚀'])
          await store.add('flush', source, [additionOf(latencies(minute, 5), operation)], clock.nowMs);
      expect(await read()).toEqual([windowOf(minute, { count: 16, latency: { [bucketIndex(5)]: 16 } })]);
    });

    it('operations are kept apart on request, over senders, oldest first, then by side and name', async () => {
      const { store, clock, minute } = await prepared();
      for (const source of ['a', 'b'])
        for (const operation of ['write', 'größe 🚀', 'read'])
          await store.add('flush', source, [additionOf(latencies(minute, 5), operation)], clock.nowMs);
      await store.add('late', 'a', [additionOf(windowOf(minute - 1, { side: 'shadow', count: 1 }))], clock.nowMs);
      const found = await store.readByOperation('customer', minute - 1, minute);
      expect(found.map(({ operation, window }) => [operation, window.minute, window.side, window.count])).toEqual([
        ['read', minute - 1, 'shadow', 1],
        ['größe 🚀', minute, 'primary', 2],
        ['read', minute, 'primary', 2],
        ['write', minute, 'primary', 2],
      ]);
      expect(await store.readByOperation('invoice', minute - 1, minute)).toEqual([]);
    });

    it('minutes and sides stay apart and come oldest first', async () => {
      const { add, read, minute } = await prepared();
      const at = (offset: number, side: 'primary' | 'shadow') => windowOf(minute + offset, { side, count: 1 });
      await add(...[at(0, 'shadow'), at(-2, 'primary'), at(0, 'primary'), at(-1, 'shadow')].map((w) => additionOf(w)));
      expect(await read()).toEqual([at(-2, 'primary'), at(-1, 'shadow'), at(0, 'primary'), at(0, 'shadow')]);
    });

    it('the first and the last minute asked for are included, their neighbours are not', async () => {
      const { add, read, minute } = await prepared();
      for (const offset of [-4, -3, -2, -1]) await add(additionOf(windowOf(minute + offset, { count: 1 })));
      expect((await read(minute - 3, minute - 2)).map((window) => window.minute)).toEqual([minute - 3, minute - 2]);
      expect(await read(minute - 2, minute - 3)).toEqual([]);
    });

    it('cutovers whose ids begin alike stay apart', async () => {
      const { add, read, minute } = await prepared();
      await add(additionOf(windowOf(minute, { count: 1 }), 'read', 'customer_note'));
      expect(await read()).toEqual([]);
    });

    it('a histogram with every bucket there is adds up exactly', async () => {
      const { add, read, minute } = await prepared();
      const latency: Record<number, number> = {};
      for (let index = MIN_BUCKET; index <= MAX_BUCKET; index += 1) latency[index] = (index - MIN_BUCKET) % 7 || 1;
      const count = histogramCount(latency);
      const window = windowOf(minute, { count, errors: count - 1, keyless: 5, checks: 9, mismatches: 1, latency });
      await add(additionOf(window));
      expect(await read()).toEqual([window]);
      await add(additionOf(window));
      const [twice] = await read();
      expect(twice).toMatchObject({ count: 2 * count, errors: 2 * count - 2, checks: 18 });
      expect(histogramCount(twice!.latency)).toBe(2 * count);
    });

    it('twenty senders at once add up exactly', async () => {
      const harness = await prepared();
      const latency = { [bucketIndex(1)]: 7, [bucketIndex(10)]: 7, [bucketIndex(100)]: 6 };
      expect(await twentySendersAtOnce(harness)).toEqual([windowOf(harness.minute, { count: 20, latency })]);
    });
  });
}

function slicing(prepared: Prepared): void {
  describe('slices', () => {
    const of = (slice: number | null, window: MinuteWindow, operation = 'read'): WindowAddition => ({
      ...additionOf(window, operation),
      slice,
    });

    it('are kept apart on request, over senders, oldest first; without one comes before the first', async () => {
      const { store, clock, minute } = await prepared();
      for (const source of ['a', 'b'])
        await store.add(
          'flush',
          source,
          [of(2, latencies(minute, 5)), of(null, latencies(minute, 1, 1)), of(0, latencies(minute, 5, 9))],
          clock.nowMs,
        );
      const checks = { ...windowOf(minute - 1, { checks: 3, mismatches: 1, pairs: 3, onlyShadow: 1 }), side: 'shadow' };
      await store.add('late', 'a', [of(7, checks as MinuteWindow, 'write')], clock.nowMs);
      expect(await store.readParts('customer', minute - 1, minute)).toEqual([
        { slice: 7, operation: 'write', window: checks },
        { slice: null, operation: 'read', window: latencies(minute, 1, 1, 1, 1) },
        { slice: 0, operation: 'read', window: latencies(minute, 5, 9, 5, 9) },
        { slice: 2, operation: 'read', window: latencies(minute, 5, 5) },
      ]);
      expect(await store.readParts('invoice', minute - 1, minute)).toEqual([]);
    });

    it('are nothing to who reads the minute, or the minute by operation', async () => {
      const { add, read, store, minute } = await prepared();
      const told = { ...latencies(minute, 7), errors: 1, told: 1, drops: 1, memory: { 41: 1 } };
      await add(of(1, told), of(3, told), additionOf(told));
      const whole = { ...latencies(minute, 7, 7, 7), errors: 3, told: 3, drops: 3, memory: { 41: 3 } };
      expect(await read()).toEqual([whole]);
      expect(await store.readByOperation('customer', minute, minute)).toEqual([{ operation: 'read', window: whole }]);
    });

    it('with every bucket there is are counted once', async () => {
      const { store, clock, minute } = await prepared();
      const latency: Record<number, number> = {};
      for (let index = MIN_BUCKET; index <= MAX_BUCKET; index += 1) latency[index] = 1;
      const window = windowOf(minute, { count: histogramCount(latency), errors: 3, latency });
      const flush = [0, 7].map((slice) => of(slice, window));
      await store.add('flush', 'sender', flush, clock.nowMs);
      await store.add('flush', 'sender', flush, clock.nowMs);
      const parts = await store.readParts('customer', minute, minute);
      expect(parts).toEqual(flush.map(({ slice, operation }) => ({ slice, operation, window })));
    });
  });
}

function flushing(prepared: Prepared): void {
  describe('a flush', () => {
    it('that is sent again is counted once', async () => {
      const { store, clock, read, minute } = await prepared();
      const window = { ...latencies(minute, 1, 2, 3), errors: 1 };
      const again = () => store.add('flush', 'sender', [additionOf(window)], clock.nowMs);
      await again();
      await again();
      expect(await read()).toEqual([window]);
    });

    it('that is sent ten times at once is counted once', async () => {
      const { store, clock, read, minute } = await prepared();
      const window = latencies(minute, 1, 2, 3);
      await Promise.all(
        Array.from({ length: 10 }, () => store.add('flush', 'sender', [additionOf(window)], clock.nowMs)),
      );
      expect(await read()).toEqual([window]);
    });

    it('that was cut off is completed when it is sent again', async () => {
      const { store, clock, read, minute } = await prepared();
      const [first, second] = [windowOf(minute - 1, { count: 1 }), windowOf(minute, { count: 1 })];
      await store.add('flush', 'sender', [additionOf(first)], clock.nowMs);
      await store.add('flush', 'sender', [additionOf(first), additionOf(second)], clock.nowMs);
      expect(await read()).toEqual([first, second]);
    });

    it('may name the same window twice', async () => {
      const { add, read, minute } = await prepared();
      await add(additionOf(latencies(minute, 1)), additionOf(latencies(minute, 1, 50)));
      expect(await read()).toEqual([latencies(minute, 1, 1, 50)]);
    });

    it('that is numbered is counted once, also after later ones of its sender', async () => {
      const { store, clock, read, minute } = await prepared();
      const window = latencies(minute, 1, 2);
      const send = (flushId: string) => store.add(flushId, 'source', [additionOf(window)], clock.nowMs);
      for (const flushId of ['a~1', 'a~1', 'a~2', 'a~10', 'a~1', 'a~2', 'a~10', 'b~1', 'b~1']) await send(flushId);
      expect(await read()).toEqual([latencies(minute, 1, 1, 1, 1, 2, 2, 2, 2)]);
    });

    it('that is numbered and sent again is counted where a later one brought other slices of the minute', async () => {
      const { store, clock, read, minute } = await prepared();
      const send = (flushId: string, slice: number) =>
        store.add(flushId, 'source', [{ ...additionOf(latencies(minute, 1)), slice }], clock.nowMs);
      for (const [flushId, slice] of [
        ['a~2', 1],
        ['a~1', 0],
        ['a~1', 0],
      ] as const)
        await send(flushId, slice);
      expect(await read()).toEqual([latencies(minute, 1, 1)]);
    });

    it('of another id from the same sender is counted as well', async () => {
      const { add, read, minute } = await prepared();
      await add(additionOf(latencies(minute, 1)));
      await add(additionOf(latencies(minute, 1)));
      expect(await read()).toEqual([latencies(minute, 1, 1)]);
    });
  });
}

function readingAtOnce(prepared: Prepared): void {
  describe('reading at once', () => {
    it('each gets its own windows, in its own range', async () => {
      const { store, clock, minute } = await prepared();
      const ids = Array.from({ length: 12 }, (_, n) => `table_${n}`);
      const of = (n: number, at: number) => windowOf(at, { count: n + 1, latency: { [n]: n + 1 } });
      for (const [n, id] of ids.entries())
        await store.add(
          'flush',
          `sender-${n}`,
          [0, 1, 2].map((back) => additionOf(of(n, minute - back), 'read', id)),
          clock.nowMs,
        );
      const back = (n: number) => (n % 4 === 3 ? 0 : n % 3);
      const asked = [...ids.keys(), 5, 5];
      const found = await Promise.all(asked.map((n) => store.read(ids[n]!, minute - back(n), minute)));
      const wanted = asked.map((n) => Array.from({ length: back(n) + 1 }, (_, i) => of(n, minute - back(n) + i)));
      expect(found).toEqual(wanted);
    });

    it('long ranges come whole', async () => {
      const { store, clock, minute } = await prepared();
      const long = Array.from({ length: 140 }, (_, n) => n * 12)
        .flatMap((back) =>
          (['shadow', 'primary'] as const).map((side) => windowOf(minute - back, { side, count: back + 1 })),
        )
        .reverse();
      const send = (id: string, part: number) =>
        store.add(
          'flush',
          `sender-${part}`,
          long.filter((_, n) => n % 3 === part).map((window) => additionOf(window, 'read', id)),
          clock.nowMs,
        );
      await Promise.all([send('long', 0), send('long', 1), send('long', 2), send('part', 1)]);
      const [all, part, none] = await Promise.all(
        ['long', 'part', 'none'].map((id) => store.read(id, minute - 1_700, minute)),
      );
      expect(all).toEqual(long);
      expect(part).toEqual(long.filter((_, n) => n % 3 === 1));
      expect(none).toEqual([]);
    });
  });
}

function expiring(prepared: Prepared): void {
  describe('after 30 days', () => {
    it('a window is not read any more, although nothing has removed it yet', async () => {
      const { add, read, clock, minute } = await prepared();
      const [older, newer] = [windowOf(minute, { count: 1 }), windowOf(minute + 1, { count: 1 })];
      await add(additionOf(older), additionOf(newer));
      clock.nowMs += (30 * DAY_MINUTES - 1) * MINUTE_MS;
      expect(await read()).toEqual([older, newer]);
      clock.nowMs += MINUTE_MS;
      expect(await read()).toEqual([newer]);
    });

    it('a window is not added any more', async () => {
      const { add, read, clock, minute } = await prepared();
      await add(additionOf(windowOf(minute - 30 * DAY_MINUTES, { count: 1 })));
      clock.nowMs -= 20 * DAY_MINUTES * MINUTE_MS;
      expect(await read(minute - 31 * DAY_MINUTES, minute)).toEqual([]);
    });
  });
}
