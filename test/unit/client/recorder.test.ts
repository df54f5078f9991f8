/** The recorder: adds up what happened, sends it without blocking anybody, and counts what is lost. */

import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { httpSink } from '../../../lib/client/http-sink.ts';
import type { Outcome, OutcomeBatch, OutcomeSink } from '../../../lib/client/outcome.ts';
import { Recorder } from '../../../lib/client/recorder.ts';
import { bucketIndex } from '../../../lib/core/gates/histogram.ts';
import { outcomeReport } from '../../../lib/schemas/http.ts';

const NOW = 29_473_920 * 60_000;

/** A recorder on a clock of its own whose sink fails as often as told. */
function bench(options: { sink?: OutcomeSink; flushIntervalMs?: number } = {}) {
  const sent: OutcomeBatch[] = [];
  const clock = { ms: NOW };
  let failures = 0;
  let ids = 0;
  const sink: OutcomeSink = async (batch) => {
    sent.push(structuredClone(batch));
    if (failures > 0) {
      failures -= 1;
      throw new Error('the network is down');
    }
  };
  const recorder = new Recorder({
    sink: options.sink ?? sink,
    source: 'test',
    nextId: () => `flush-${++ids}`,
    now: () => clock.ms,
    elapsedMs: () => clock.ms,
    flushIntervalMs: options.flushIntervalMs ?? 1_000_000,
  });
  return {
    recorder,
    sent,
    clock,
    failNext: (times: number) => {
      failures = times;
    },
  };
}
const outcome = (over: Partial<Outcome> = {}): Outcome => ({
  cutover: 'customer',
  side: 'primary',
  latencyMs: 12,
  success: true,
  ...over,
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('recording', () => {
  it('sends at once when much is waiting, and not for one outcome less', async () => {
    const { recorder, sent } = bench();
    const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
    for (let round = 0; round < 2; round += 1) {
      for (let count = 1; count < 50_000; count += 1) recorder.record(outcome());
      await turn();
      expect(sent).toHaveLength(round);
      recorder.record(outcome());
      await turn();
      expect(sent).toHaveLength(round + 1);
    }
    await recorder.flush();
  });

  it('keeps the slices of a minute apart, and what has none', async () => {
    const { recorder, sent } = bench();
    for (const slice of [2, undefined, 0, 2, null]) recorder.record(outcome({ slice }));
    recorder.compared({ cutover: 'customer', operation: 'read', slice: 2, mismatch: true, alone: undefined });
    await recorder.flush();
    const windows = sent.flatMap((batch) => batch.windows);
    expect(windows.map(({ slice, side, count, checks }) => [slice, side, count, checks])).toEqual([
      [2, 'primary', 2, 0],
      [undefined, 'primary', 2, 0],
      [0, 'primary', 1, 0],
      [2, 'shadow', 0, 1],
    ]);
    expect(() => outcomeReport.read(JSON.parse(JSON.stringify(sent[0])))).not.toThrow();
  });

  it.each([-1, 8, 0.5, Number.NaN, '1'])('drops an outcome of slice %j, which no receiver takes', async (slice) => {
    const { recorder, sent } = bench();
    recorder.record(outcome({ slice: slice as number }));
    await recorder.flush();
    expect([sent, recorder.dropped]).toEqual([[], 1]);
  });

  it('adds one minute of one side and operation up', async () => {
    const { recorder, sent } = bench();
    recorder.record(outcome());
    recorder.record(outcome({ success: false, keyless: true, latencyMs: 40 }));
    await recorder.flush();
    expect(sent).toEqual([
      {
        flushId: 'flush-1',
        source: 'test',
        windows: [
          {
            cutover: 'customer',
            operation: 'read',
            minute: 29_473_920,
            side: 'primary',
            count: 2,
            errors: 1,
            keyless: 1,
            drops: 0,
            latency: { [bucketIndex(12)]: 1, [bucketIndex(40)]: 1 },
            checks: 0,
            mismatches: 0,
            pairs: 0,
          },
        ],
      },
    ]);
  });

  it('counts failures that lost their connection among the errors, and no success', async () => {
    const { recorder, sent } = bench();
    const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    recorder.record(outcome({ success: false, error: reset }));
    recorder.record(outcome({ success: false, error: new TypeError('fetch failed', { cause: reset }) }));
    recorder.record(outcome({ success: false, error: new Error('no such customer') }));
    recorder.record(outcome({ success: false }));
    recorder.record(outcome({ success: true, error: reset }));
    await recorder.flush();
    expect(sent[0]!.windows).toEqual([expect.objectContaining({ count: 5, errors: 4, drops: 2 })]);
    expect(() => outcomeReport.read(JSON.parse(JSON.stringify(sent[0])))).not.toThrow();
  });

  it('gives what plain counting gives, for any outcomes', async () => {
    const any = fc.record({
      cutover: fc.constantFrom('customer', 'invoice'),
      side: fc.constantFrom('primary', 'shadow' as const),
      operation: fc.constantFrom(undefined, 'read', 'search', 'NOT A NAME'),
      latencyMs: fc.double({ min: 0, max: 1e5, noNaN: true }),
      success: fc.boolean(),
      keyless: fc.boolean(),
      afterMs: fc.integer({ min: 0, max: 90_000 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(any, { maxLength: 60 }), async (outcomes) => {
        const { recorder, sent, clock } = bench();
        const naive = new Map<
          string,
          { count: number; errors: number; keyless: number; latency: Record<number, number> }
        >();
        for (const { afterMs, ...one } of outcomes) {
          clock.ms += afterMs;
          recorder.record(one as Outcome);
          const operation =
            one.operation === undefined ? 'read' : one.operation === 'NOT A NAME' ? 'other' : one.operation;
          const key = [one.cutover, operation, one.side, Math.floor(clock.ms / 60_000)].join();
          const sum = naive.get(key) ?? { count: 0, errors: 0, keyless: 0, latency: {} };
          const bucket = bucketIndex(one.latencyMs);
          naive.set(key, {
            count: sum.count + 1,
            errors: sum.errors + (one.success ? 0 : 1),
            keyless: sum.keyless + (one.keyless ? 1 : 0),
            latency: { ...sum.latency, [bucket]: (sum.latency[bucket] ?? 0) + 1 },
          });
        }
        await recorder.flush();
        const windows = sent.flatMap((batch) => batch.windows);
        const seen = windows.map((w) => [
          [w.cutover, w.operation, w.side, w.minute].join(),
          { count: w.count, errors: w.errors, keyless: w.keyless, latency: w.latency },
        ]);
        expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(naive));
        expect(seen).toHaveLength(naive.size);
        if (sent.length > 0) expect(() => outcomeReport.read(JSON.parse(JSON.stringify(sent[0])))).not.toThrow();
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ['a latency that is no number', { latencyMs: Number.NaN }],
    ['an infinite latency', { latencyMs: Number.POSITIVE_INFINITY }],
    ['a negative latency', { latencyMs: -1 }],
    ['no latency', { latencyMs: undefined }],
    ['an unknown side', { side: 'both' }],
    ['a name that is none', { cutover: 'Customer; DROP' }],
    ['no name', { cutover: undefined }],
  ])('of %s is counted as lost, and takes nothing else with it', async (_name, over) => {
    const { recorder, sent } = bench();
    recorder.record(outcome());
    recorder.record({ ...outcome(), ...over } as Outcome);
    await recorder.flush();
    expect(recorder.dropped).toBe(1);
    expect(sent[0]!.windows).toHaveLength(1);
    expect(() => outcomeReport.read(JSON.parse(JSON.stringify(sent[0])))).not.toThrow();
  });

  it('of nothing at all does not throw', () => {
    const { recorder } = bench();
    for (const junk of [null, undefined, 5, 'x', {}, [], Symbol('x')]) recorder.record(junk as never);
    expect(recorder.dropped).toBe(7);
  });

  it('row 61: keeps 64 names of operations, the rest is `other`', async () => {
    const { recorder, sent } = bench();
    for (let i = 0; i < 100_000; i += 1) recorder.record(outcome({ operation: `op_${i}` }));
    await recorder.flush();
    const windows = sent.flatMap((batch) => batch.windows);
    expect(windows).toHaveLength(65);
    expect(windows.find((window) => window.operation === 'other')!.count).toBe(100_000 - 64);
  });

  it('drops and counts the oldest windows when a thousand wait', async () => {
    const { recorder, sent, clock } = bench();
    for (let i = 0; i < 1_010; i += 1) {
      recorder.record(outcome());
      clock.ms += 60_000;
    }
    await recorder.flush();
    const windows = sent.flatMap((batch) => batch.windows);
    expect([windows.length, recorder.dropped, windows[0]!.minute]).toEqual([1_000, 10, 29_473_930]);
  });
});

describe('sending', () => {
  it('keeps what could not be sent and tries it once more under the same id', async () => {
    const { recorder, sent, failNext } = bench();
    recorder.record(outcome());
    failNext(1);
    await recorder.flush();
    await recorder.flush();
    expect(sent.map((batch) => batch.flushId)).toEqual(['flush-1', 'flush-1']);
    expect(sent[1]).toEqual(sent[0]);
    await recorder.flush();
    expect([sent.length, recorder.dropped]).toEqual([2, 0]);
  });

  it('gives up after the second failure and counts the operations that are lost', async () => {
    const { recorder, sent, failNext } = bench();
    for (let i = 0; i < 3; i += 1) recorder.record(outcome());
    failNext(2);
    await recorder.flush();
    await recorder.flush();
    await recorder.flush();
    expect([sent.length, recorder.dropped]).toEqual([2, 3]);
  });

  it('sends new outcomes although old ones fail again', async () => {
    const { recorder, sent, failNext } = bench();
    recorder.record(outcome());
    failNext(2);
    await recorder.flush();
    recorder.record(outcome({ side: 'shadow' }));
    await recorder.flush();
    expect(sent.map((batch) => batch.flushId)).toEqual(['flush-1', 'flush-1', 'flush-2']);
    expect(recorder.dropped).toBe(1);
    await recorder.flush();
    expect(sent).toHaveLength(3);
  });

  it('in parts that the receiver takes: none has more than 64 KB', async () => {
    const { recorder, sent, clock } = bench();
    for (let minute = 0; minute < 60; minute += 1) {
      for (let i = 0; i < 200; i += 1)
        recorder.record(outcome({ operation: `op_${minute % 10}`, latencyMs: 1.02 ** i }));
      clock.ms += 60_000;
    }
    await recorder.flush();
    expect(sent.length).toBeGreaterThan(1);
    for (const batch of sent) expect(JSON.stringify(batch).length).toBeLessThan(65_536);
    expect(new Set(sent.map((batch) => batch.flushId)).size).toBe(sent.length);
    const counted = sent.flatMap((batch) => batch.windows).reduce((sum, window) => sum + window.count, 0);
    expect([counted, recorder.dropped]).toEqual([12_000, 0]);
  });

  it('of nothing sends nothing', async () => {
    const { recorder, sent } = bench();
    await recorder.flush();
    expect(sent).toEqual([]);
  });

  it('happens by itself after the interval, and again for what failed', async () => {
    vi.useFakeTimers();
    const { recorder, sent, failNext } = bench({ flushIntervalMs: 1_000 });
    failNext(1);
    recorder.record(outcome());
    await vi.advanceTimersByTimeAsync(999);
    expect(sent).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(sent).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(sent.map((batch) => batch.flushId)).toEqual(['flush-1', 'flush-1']);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(sent).toHaveLength(2);
  });

  it('never blocks whoever records, also while the sink hangs; what comes meanwhile is in the next batch', async () => {
    const waiting: (() => void)[] = [];
    const sent: OutcomeBatch[] = [];
    const sink: OutcomeSink = (batch) => {
      sent.push(batch);
      return new Promise((resolve) => waiting.push(resolve));
    };
    const { recorder } = bench({ sink });
    recorder.record(outcome());
    const first = recorder.flush();
    for (let i = 0; i < 1_000; i += 1) recorder.record(outcome({ side: 'shadow' }));
    const second = recorder.flush();
    expect(sent).toHaveLength(1);
    waiting[0]!();
    await first;
    await vi.waitFor(() => expect(waiting).toHaveLength(2));
    waiting[1]!();
    await second;
    expect(sent.map((batch) => batch.windows[0]!.count)).toEqual([1, 1_000]);
  });

  it('gives a sink that ignores nothing its deadline', async () => {
    let aborted = false;
    const sink: OutcomeSink = (_batch, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          aborted = true;
          reject(signal.reason);
        });
      });
    const recorder = new Recorder({
      sink,
      source: 's',
      nextId: () => 'f',
      now: () => NOW,
      elapsedMs: () => NOW,
      deadlineMs: 20,
      flushIntervalMs: 1e6,
    });
    recorder.record(outcome());
    await recorder.flush();
    expect(aborted).toBe(true);
  });

  it('never throws, also when the sink throws before it promises anything', async () => {
    const { recorder } = bench({
      sink: (() => {
        throw new Error('no');
      }) as OutcomeSink,
    });
    recorder.record(outcome());
    await expect(recorder.flush()).resolves.toBeUndefined();
  });
});

describe('the HTTP sink', () => {
  const batch: OutcomeBatch = { flushId: 'f', source: 's', windows: [] };
  const answered = (status: number) =>
    vi.spyOn(globalThis, 'fetch').mockImplementation(async () => new Response('{}', { status }));

  it('posts the batch with a token of the moment', async () => {
    const fetched = answered(200);
    let tokens = 0;
    const sink = httpSink({ url: 'https://api.test/base', token: () => `token-${++tokens}` });
    await sink(batch, AbortSignal.timeout(1_000));
    await sink(batch, AbortSignal.timeout(1_000));
    const [url, init] = fetched.mock.calls[1]!;
    expect(String(url)).toBe('https://api.test/v1/outcomes');
    expect(init).toMatchObject({
      method: 'POST',
      body: JSON.stringify(batch),
      headers: { authorization: 'Bearer token-2' },
    });
  });

  it.each([400, 401, 403, 413, 429, 500, 503])(
    'an answer of %i is a failure, so that nothing is lost unseen',
    async (status) => {
      answered(status);
      const sink = httpSink({ url: 'https://api.test', token: () => 't' });
      await expect(sink(batch, AbortSignal.timeout(1_000))).rejects.toThrow(String(status));
    },
  );
});

it('figures and marks are sent, each without the other', async () => {
  const { recorder, sent } = bench();
  for (const figures of [{ values: { basket: 7 } }, { flags: ['late'] }, {}]) recorder.record(outcome(figures));
  await recorder.flush();
  const metrics = sent.flatMap((batch) => batch.metrics ?? []).map(({ metric, n, sum }) => [metric, n, sum]);
  expect(metrics).toEqual([
    ['value.basket', 1, 7],
    ['flags', 1, 0],
    ['flag.late', 1, 0],
  ]);
});

it('a process that has sent everything has nothing to send at its end', async () => {
  const { recorder, sent } = bench();
  let flushes = 0;
  const flush = recorder.flush.bind(recorder);
  recorder.flush = (options) => {
    flushes += 1;
    return flush(options);
  };
  recorder.record(outcome());
  await flush();
  process.emit('beforeExit', 0);
  expect(flushes).toBe(0);
  recorder.record(outcome());
  process.emit('beforeExit', 0);
  expect(flushes).toBe(1);
  await flush();
  expect(sent).toHaveLength(2);
});
