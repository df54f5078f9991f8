/** `read`, the one way for reads of any kind, and `timed` for who picks the side by hand. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createClient } from '../../../lib/client/client.ts';
import type { RouteRequest } from '../../../lib/core/routing/routing.ts';
import { bench, failing, never, PRIMARY, SHADOW, stopTheClock } from '../../helpers/cutover-client.ts';
import { flagOf, systemFlagOf } from '../../property/samples.ts';

beforeEach(stopTheClock);
afterEach(() => vi.useRealTimers());

const key = 'user-1';
const old = () => 'old';
const documentOf = (stop: boolean) => ({
  system: systemFlagOf({ version: stop ? 9 : 8, emergency_stop: stop }),
  cutovers: { planner: flagOf({ salt: 'planner', ...SHADOW }) },
});

describe('a read', () => {
  it('is served by the side of its key, measured and counted, and compared only when it is asked to be', async () => {
    const { client, window } = await bench(SHADOW);
    expect(await client.read('planner', { key, primary: old, shadow: async () => 'new' })).toBe('new');
    expect(client.comparisons('planner')).toBeNull();
    await client.read('planner', { key, primary: old, shadow: async () => 'new', compare: true });
    await vi.advanceTimersByTimeAsync(1);
    expect(client.comparisons('planner')).toMatchObject({ mismatched: 1 });
    expect(await window('shadow')).toMatchObject({ count: 2, errors: 0, checks: 1 });
  });

  it.each([
    ['throws', () => Promise.reject(new Error('42703'))],
    ['throws at once', () => failing('broken')()],
    ['hangs', never],
  ])('of a new side that %s is answered by the old one, and counted as failed', async (_, shadow) => {
    const { client, window } = await bench(SHADOW);
    const answer = client.read<string>('planner', { key, primary: old, shadow });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await answer).toBe('old');
    expect(await window('shadow')).toMatchObject({ count: 1, errors: 1 });
    expect(client.health().fallbacks).toBe(1);
  });

  it('of an old side that hangs is counted as failed after the same time as a new one, and waited for', async () => {
    const { client, window } = await bench(PRIMARY);
    const slow = () => new Promise<string>((resolve) => setTimeout(resolve, 5_000, 'late'));
    const answer = client.read('planner', { key, primary: slow, shadow: old });
    await vi.advanceTimersByTimeAsync(2_300);
    expect(await window('primary')).toMatchObject({ count: 1, errors: 1 });
    await vi.advanceTimersByTimeAsync(3_000);
    expect(await answer).toBe('late');
  });

  it('waits for flags when the process has just started, and when it was frozen for longer than they may be old', async () => {
    let stop = false;
    let fetches = 0;
    const fetch = async () => {
      fetches += 1;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return { document: documentOf(stop) };
    };
    const client = createClient({ flags: { fetch }, outcomes: async () => {}, environment: {} });
    const side = async () => {
      const answer = client.read('planner', { key, primary: old, shadow: () => 'new' });
      await vi.advanceTimersByTimeAsync(200);
      return answer;
    };
    expect([await side(), fetches]).toEqual(['new', 1]);
    expect([await side(), fetches]).toEqual(['new', 1]);
    stop = true;
    // Only the wall clock goes on while a Lambda is frozen.
    vi.setSystemTime(Date.now() + 3_600_000);
    expect([await side(), fetches]).toEqual(['old', 2]);
  });

  it('is answered after 200 ms when flags do not come, by the old side', async () => {
    const client = createClient({
      flags: { fetch: never },
      outcomes: async () => {},
      environment: {},
      onProblem: () => {},
    });
    let answer: string | undefined;
    void client.read('planner', { key, primary: old, shadow: () => 'new' }).then((given) => {
      answer = given;
    });
    await vi.advanceTimersByTimeAsync(199);
    expect(answer).toBeUndefined();
    await vi.advanceTimersByTimeAsync(2);
    expect(answer).toBe('old');
  });
});

describe('timed', () => {
  it('records what the work did with the side that it was given', async () => {
    const { client, window } = await bench(SHADOW);
    const work = async ({ side }: { side: string }) => {
      await new Promise((resolve) => setTimeout(resolve, 40));
      return side;
    };
    const answer = client.timed('planner', { key }, work);
    await vi.advanceTimersByTimeAsync(40);
    expect(await answer).toBe('shadow');
    await expect(client.timed('planner', { key, operation: 'list' }, failing('its own'))).rejects.toThrow('its own');
    await client.flush();
    expect(await window('shadow')).toMatchObject({ operation: 'read', count: 1, errors: 0, keyless: 0 });
  });
});

describe('S5: a key', () => {
  const routed = async (request: RouteRequest, flag = {}) => {
    const { client } = await bench({ read_ppm: 500_000, ...flag });
    return client.route('planner', request);
  };

  it.each([
    ['a number', 7, '7'],
    ['a bigint', 12_345_678_901_234_567_890n, '12345678901234567890'],
    ['minus zero', -0, '0'],
  ])('that is %s is its text, in buckets and in lists', async (_, given, text) => {
    const { side, slice, reason } = await routed({ key: given });
    expect(await routed({ key: text })).toMatchObject({ side, slice, reason });
    expect(await routed({ key: given }, { deny: [text] })).toMatchObject({ side: 'primary', reason: 'denied' });
    expect(await routed({ key: given }, { allow: [text] })).toMatchObject({ side: 'shadow', reason: 'allowed' });
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['an empty text', ''],
    ['an object', { id: 7 }],
    ['a list', ['7']],
    ['no number', Number.NaN],
    ['infinite', Number.POSITIVE_INFINITY],
    ['a boolean', true],
    ['a symbol', Symbol('7')],
    ['a date', new Date(0)],
  ])('that is %s is none: the primary, and counted as keyless', async (_, given) => {
    const { client, window } = await bench({ read_ppm: 500_000 });
    expect(client.route('planner', { key: given as never })).toMatchObject({ side: 'primary', reason: 'no_key' });
    await client.read('planner', { key: given as never, primary: old, shadow: old });
    expect(await window('primary')).toMatchObject({ count: 1, keyless: 1 });
  });
});
