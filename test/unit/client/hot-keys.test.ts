/** A key that has a large share of the requests is said, by its bucket; keys that many have are not. */

import { describe, expect, it } from 'vitest';
import { hotKeys } from '../../../lib/client/hot-keys.ts';
import type { Problem } from '../../../lib/client/problems.ts';
import { bucketOf, prepareRoute } from '../../../lib/core/routing/routing.ts';
import { bench, PROMOTED } from '../../helpers/cutover-client.ts';
import { flagOf, seeded, systemFlagOf } from '../../property/samples.ts';

const HALF = { read_ppm: 500_000 };
const REQUESTS = 20_000;

/** What is said of requests with these keys, where `take` says whether it is said at all. */
function said(keyOf: (n: number) => string, flag = HALF, take: (problem: Problem) => boolean = () => true): Problem[] {
  const problems: Problem[] = [];
  const prepared = prepareRoute(flagOf({ salt: 'planner', ...flag }), systemFlagOf());
  const hot = hotKeys(
    () => prepared,
    (problem) => {
      const taken = take(problem);
      if (taken) problems.push(problem);
      return taken;
    },
  );
  for (let n = 0; n < REQUESTS; n += 1) hot.routed('planner', { key: keyOf(n) });
  return problems;
}

/** One tenant with this share, and users who come once. */
function tenant(share: number, seed = 1): (n: number) => string {
  const random = seeded(seed);
  return (n) => (random() < share ? 'tenant-1' : `user-${n}`);
}

describe('a key with a large share of the requests', () => {
  it('is said once, with its share and its bucket, and not by itself', () => {
    const [problem, ...more] = said(tenant(0.4));
    expect(more).toEqual([]);
    expect(problem).toMatchObject({ code: 'hot_key', message: expect.stringContaining("'planner'") });
    expect(problem!.message).toContain(` ${bucketOf('planner', 'tenant-1')}`);
    expect(problem!.message).not.toContain('tenant-1');
    const share = Number(/has ([\d.]+) %/.exec(problem!.message)![1]);
    expect(share).toBeGreaterThan(30);
    expect(share).toBeLessThan(50);
  });

  it('is said again where it was not heard', () => {
    let tries = 0;
    const heard = said(tenant(0.4), HALF, () => {
      tries += 1;
      return tries === 2;
    });
    expect([heard.length, tries]).toEqual([1, 2]);
  });

  it('is met whatever turn it comes in', () => {
    for (const every of [2, 3, 4])
      expect(said((n) => (n % every === 0 ? 'tenant-1' : `user-${n}`)).map(({ code }) => code)).toEqual(['hot_key']);
  });

  it.each([0, 0.05, 0.1])('is not said where the largest has %d of them', (share) => {
    for (let seed = 1; seed <= 20; seed += 1) expect(said(tenant(share, seed))).toEqual([]);
  });

  it('is not said once the cutover is promoted', () => {
    expect(said(tenant(0.4), PROMOTED)).toEqual([]);
  });

  it.each(['read', 'timed'] as const)('is seen by %s', async (call) => {
    const problems: Problem[] = [];
    const { client } = await bench(HALF, { onProblem: (problem) => void problems.push(problem) });
    const one = () => 1;
    for (let n = 0; n < REQUESTS / 2; n += 1) {
      if (call === 'timed') await client.timed('planner', { key: 'k' }, one);
      else await client.read('planner', { key: 'k', primary: one, shadow: one });
    }
    expect(problems).toMatchObject([{ code: 'hot_key', message: expect.stringContaining('100 %') }]);
    await client.close();
  });
});
