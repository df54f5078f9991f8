/** A key that has a large share of the traffic is said, by its bucket; keys that many have are not. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Problem } from '../../../lib/client/problems.ts';
import { bucketOf } from '../../../lib/core/routing/routing.ts';
import { bench, PROMOTED, stopTheClock } from '../../helpers/cutover-client.ts';
import { seeded } from '../../property/samples.ts';

beforeEach(stopTheClock);
afterEach(() => vi.useRealTimers());

const HALF = { read_ppm: 500_000 };

/** What is said of so many requests whose hot key has this share. */
async function said(share: number, { flag = HALF, requests = 20_000, seed = 1 }: Parameters<typeof options>[0] = {}) {
  const problems: Problem[] = [];
  const { client } = await bench(flag, { onProblem: (problem) => void problems.push(problem) });
  const random = seeded(seed);
  for (let n = 0; n < requests; n += 1) {
    client.route('planner', { key: random() < share ? 'tenant-1' : `user-${n}` });
    vi.advanceTimersByTime(1);
  }
  return problems;
}
const options = (one: { flag?: object; requests?: number; seed?: number }) => one;

describe('a key with a large share of the requests', () => {
  it('is said once, with its share and its bucket, and not by itself', async () => {
    const [problem, ...more] = await said(0.4);
    expect(more).toEqual([]);
    expect(problem).toMatchObject({ code: 'hot_key', message: expect.stringContaining("'planner'") });
    expect(problem!.message).toContain(` ${bucketOf('planner', 'tenant-1')}`);
    expect(problem!.message).not.toContain('tenant-1');
    const share = Number(/has ([\d.]+) %/.exec(problem!.message)![1]);
    expect(share).toBeGreaterThan(30);
    expect(share).toBeLessThan(50);
  });

  it('is said of a constant key, such as one that was forgotten to be filled in', async () => {
    expect(await said(1)).toMatchObject([{ message: expect.stringContaining('100 %') }]);
  });

  it.each([0, 0.05, 0.1])('is not said where the largest has %d of them', async (share) => {
    for (let seed = 1; seed <= 5; seed += 1) expect(await said(share, { seed })).toEqual([]);
  });

  it('is not said once the cutover is promoted', async () => {
    expect(await said(0.4, { flag: PROMOTED })).toEqual([]);
  });

  it('is met whatever turn it comes in', async () => {
    const problems: Problem[] = [];
    const { client } = await bench(HALF, { onProblem: (problem) => void problems.push(problem) });
    for (let n = 0; n < 20_000; n += 1) client.route('planner', { key: n % 4 === 0 ? 'tenant-1' : `user-${n}` });
    expect(problems.map(({ code }) => code)).toEqual(['hot_key']);
  });
});
