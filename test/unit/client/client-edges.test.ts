/** The edges of the SDK: flags over HTTP, the life of a Lambda, and work that no side could finish. */

import middy from '@middy/core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createClient } from '../../../lib/client/client.ts';
import { crossfadeMiddleware, withCrossfade } from '../../../lib/client/lambda.ts';
import { RunCall } from '../../../lib/client/run-call.ts';
import { type QueuedWork, workQueue } from '../../../lib/client/work-queue.ts';
import { flagTag, servedForm } from '../../../lib/core/routing/flags.ts';
import { flagCache } from '../../../lib/routing/flag-cache.ts';
import { httpSource } from '../../../lib/routing/http-source.ts';
import { someFlags } from '../../helpers/contracts/flags.ts';

afterEach(() => vi.useRealTimers());
const signal = new AbortController().signal;
const FLAGS = someFlags({ version: 3 });

describe('the signal of a call', () => {
  const call = () =>
    new RunCall({ isReadonly: () => false, nextId: () => 'id', simulated: () => {} }, 'customer', 'shadow');

  it('fires at its end, also for who asks for it afterwards', () => {
    const [early, late] = [call(), call()];
    const given = early.signal;
    expect([given.aborted, early.signal === given]).toEqual([false, true]);
    early.end();
    late.end();
    expect([given.aborted, late.signal.aborted]).toEqual([true, true]);
  });
});

describe('flags over HTTP', () => {
  /** A server that answers conditionally, like the function does. */
  function server(over: { status?: number; text?: string; age?: string } = {}) {
    const asked: Record<string, string>[] = [];
    const etag = flagTag(FLAGS);
    const fetch = async (_url: unknown, init?: RequestInit) => {
      const headers = init!.headers as Record<string, string>;
      asked.push(headers);
      const age = over.age ?? '0';
      if (headers['if-none-match'] === etag) return new Response(null, { status: 304, headers: { etag, age } });
      const text = over.text ?? JSON.stringify(servedForm(FLAGS));
      return new Response(text, { status: over.status ?? 200, headers: { etag, age } });
    };
    const source = httpSource({
      url: 'https://api.test/v1/flags/served',
      token: async () => 'now',
      fetch: fetch as never,
    });
    return { asked, source };
  }

  it('are asked for with a token, then only if they changed', async () => {
    const { asked, source } = server();
    expect(await source.fetch(signal)).toMatchObject({ document: FLAGS, ageMs: 0 });
    expect(await source.fetch(signal)).toEqual({ unchanged: true, ageMs: 0 });
    expect(asked[0]).toMatchObject({ authorization: 'Bearer now' });
    expect(asked[1]).toHaveProperty('if-none-match');
  });

  it('are as old as the server says they are', async () => {
    const { source } = server({ age: '40' });
    const cache = flagCache({ source, now: () => 100_000 });
    await cache.refreshIfStale();
    expect(cache.current()).toMatchObject({ ageMs: 40_000 });
  });

  it('that are old already are asked for again soon, but not by every request', async () => {
    const { asked, source } = server({ age: '40' });
    let nowMs = 100_000;
    const cache = flagCache({ source, now: () => nowMs });
    for (let i = 0; i < 50; i += 1) await cache.refreshIfStale();
    expect(asked).toHaveLength(1);
    nowMs += 100;
    await cache.refreshIfStale();
    expect(asked).toHaveLength(2);
  });

  it.each([
    ['an error', { status: 500 }, 'flags_unavailable'],
    ['a login page', { text: '<html>' }, 'flags_invalid'],
    ['more than 1 MB', { text: 'x'.repeat(1_048_577) }, 'flags_unavailable'],
  ])('are refused when they are %s', async (_, over, code) => {
    await expect(server(over).source.fetch(signal)).rejects.toMatchObject({ code });
  });

  it('are unavailable when there is no server, or no token', async () => {
    const down = httpSource({ url: 'https://api.test', fetch: () => Promise.reject(new TypeError('fetch failed')) });
    await expect(down.fetch(signal)).rejects.toMatchObject({ code: 'flags_unavailable', retryable: true });
  });
});

describe('the life of a Lambda', () => {
  function bench() {
    const done: string[] = [];
    const client = createClient({
      flags: {
        fetch: async () => {
          done.push('flags');
          return { document: FLAGS };
        },
      },
      outcomes: async ({ windows }) => void done.push(`sent ${windows.length}`),
      environment: {},
      flushIntervalMs: 0,
    });
    const handle = async (event: { fails?: boolean }) => {
      done.push('handled');
      client.record({ cutover: 'customer', side: 'primary', latencyMs: 1, success: true });
      if (event.fails) throw new Error('its own');
      return 'answer';
    };
    return { client, done, handle };
  }
  const context = {} as never;

  it('in middy: flags before, outcomes after, also after a failure', async () => {
    const { client, done, handle } = bench();
    const handler = middy(handle).use(crossfadeMiddleware(client));
    expect(await handler({}, context)).toBe('answer');
    await expect(handler({ fails: true }, context)).rejects.toThrow('its own');
    expect(done).toEqual(['flags', 'handled', 'sent 1', 'handled', 'sent 1']);
  });

  it('without middy, the same', async () => {
    const { client, done, handle } = bench();
    const handler = withCrossfade(client, handle);
    expect(await handler({})).toBe('answer');
    await expect(handler({ fails: true })).rejects.toThrow('its own');
    expect(done).toEqual(['flags', 'handled', 'sent 1', 'handled', 'sent 1']);
  });

  it('ends at most 50 ms later, once in ten seconds, while the API hangs: no invocation waits for the one before', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'Date', 'setTimeout', 'clearTimeout'] });
    let asked = 0;
    const outcomes = () => {
      asked += 1;
      return new Promise<never>(() => {});
    };
    const flags = { fetch: async () => ({ document: FLAGS }) };
    const client = createClient({ flags, outcomes, environment: {}, onProblem: () => {} });
    const handler = withCrossfade(client, async () => {
      client.record({ cutover: 'customer', side: 'primary', latencyMs: 1, success: true });
      return 'answer';
    });
    const took: number[] = [];
    for (let invocation = 0; invocation < 30; invocation += 1) {
      const startedMs = performance.now();
      let endedMs = Number.NaN;
      const answered = handler().then(() => {
        endedMs = performance.now();
      });
      await vi.advanceTimersByTimeAsync(500);
      await answered;
      took.push(endedMs - startedMs);
    }
    expect(took.filter((ms) => ms > 0)).toEqual([50, 50]);
    expect([took[0], asked]).toEqual([50, 3]);
  });

  it('sends at the end of an invocation after a freeze, although only the wall clock has gone on', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'Date', 'setTimeout', 'clearTimeout'] });
    const sent: number[] = [];
    const flags = { fetch: async () => ({ document: FLAGS }) };
    const client = createClient({
      flags,
      outcomes: async ({ windows }) => void sent.push(windows.length),
      environment: {},
    });
    const handler = withCrossfade(client, async () => {
      client.record({ cutover: 'customer', side: 'primary', latencyMs: 1, success: true });
    });
    await handler();
    await handler();
    expect(sent).toEqual([1]);
    vi.setSystemTime(Date.now() + 60_000);
    await handler();
    expect(sent).toEqual([1, 2]);
  });

  it('waits for comparisons only as long as it is told to', async () => {
    const { client } = bench();
    const flush = vi.spyOn(client, 'flush');
    await crossfadeMiddleware(client).after();
    await crossfadeMiddleware(client, { comparisonsMs: 50 }).after();
    const end = { waitMs: 50, ifDue: true };
    expect(flush.mock.calls).toEqual([[{ comparisonsMs: 0, ...end }], [{ comparisonsMs: 50, ...end }]]);
  });
});

describe('row 9: work that no side could finish', () => {
  it('is stored before it counts as accepted, tried again, and forgotten when it is done', async () => {
    let nowMs = 0;
    let isDown = true;
    const done: string[] = [];
    let stored: readonly QueuedWork<string>[] = [];
    const queue = workQueue<string>({
      run: async ({ id }) => {
        if (isDown) throw new Error('down');
        done.push(id);
      },
      keep: async (all) => {
        stored = all;
      },
      now: () => nowMs,
    });
    await queue.put('a', 'first');
    await queue.put('a', 'first');
    await queue.put('b', 'second');
    expect(stored.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(await queue.drain()).toBe(2);
    isDown = false;
    // Not before its pause is over.
    expect([await queue.drain(), done]).toEqual([2, []]);
    nowMs += 500;
    expect([await queue.drain(), done, stored]).toEqual([0, ['a', 'b'], []]);
  });

  it('of a process that died is taken up by the next', async () => {
    let stored: readonly QueuedWork<string>[] = [];
    const keep = async (all: readonly QueuedWork<string>[]) => {
      stored = structuredClone(all);
    };
    await workQueue<string>({ run: () => Promise.reject(new Error('down')), keep }).put('a', 'work');
    const done: string[] = [];
    const next = workQueue<string>({ run: async ({ work }) => void done.push(work), keep, kept: stored });
    expect([await next.drain(), done, stored]).toEqual([0, ['work'], []]);
  });

  it('that keeps failing delays no other, and waits twice as long each time', async () => {
    let nowMs = 0;
    const tries: [string, number][] = [];
    const queue = workQueue<string>({
      run: async ({ id }) => {
        tries.push([id, nowMs]);
        if (id === 'poison') throw new Error('always');
      },
      now: () => nowMs,
    });
    await queue.put('poison', '');
    await queue.put('good', '');
    await queue.drain();
    for (; nowMs < 8_000; nowMs += 100) await queue.drain();
    expect(tries).toEqual([
      ['poison', 0],
      ['good', 0],
      ['poison', 500],
      ['poison', 1_500],
      ['poison', 3_500],
      ['poison', 7_500],
    ]);
  });

  it('is refused when it cannot be kept or there is too much, so that its caller knows', async () => {
    const full = workQueue<string>({ run: async () => {}, limit: 1 });
    await full.put('a', '');
    await expect(full.put('b', '')).rejects.toThrow('not taken');
    const broken = workQueue<string>({ run: async () => {}, keep: () => Promise.reject(new Error('disk full')) });
    await expect(broken.put('a', '')).rejects.toThrow('disk full');
    expect(broken.waiting()).toEqual([]);
  });

  it('is drained by one caller at a time', async () => {
    let running = 0;
    let most = 0;
    const queue = workQueue<string>({
      run: async () => {
        running += 1;
        most = Math.max(most, running);
        await Promise.resolve();
        running -= 1;
      },
    });
    for (const id of ['a', 'b', 'c']) await queue.put(id, '');
    await Promise.all([queue.drain(), queue.drain()]);
    expect(most).toBe(1);
  });
});
