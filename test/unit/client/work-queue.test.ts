/** Work that waits: what is done leaves the queue, and nothing else does. */

import { expect, it } from 'vitest';
import { workQueue } from '../../../lib/client/work-queue.ts';

it('takes out what is done, and keeps what failed beside it', async () => {
  const kept: string[][] = [];
  const ids = ['a', 'b', 'c', 'd'];
  const queue = workQueue<string>({
    run: async ({ work }) => {
      if (work === 'b' || work === 'd') throw new Error('not yet');
    },
    keep: async (all) => void kept.push(all.map(({ work }) => work)),
    kept: ids.map((work) => ({ id: work, work, attempts: 0 })),
    now: () => 1,
  });
  expect(await queue.drain()).toBe(2);
  expect(kept.at(-1)).toEqual(['b', 'd']);
});

it('waits twice as long after each failure, a minute at most, and no longer', async () => {
  let [nowMs, tries] = [0, 0];
  const queue = workQueue<string>({
    run: async () => {
      tries += 1;
      throw new Error('not yet');
    },
    now: () => nowMs,
  });
  await queue.put('a', 'a');
  await queue.put('a', 'again');
  await queue.drain();
  const pauses = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000];
  for (const [failures, pauseMs] of pauses.entries()) {
    nowMs += pauseMs - 1;
    await queue.drain();
    expect(tries).toBe(failures + 1);
    nowMs += 1;
    await queue.drain();
    expect(queue.waiting()).toEqual([{ id: 'a', work: 'a', attempts: failures + 2 }]);
  }
});

it('refuses what is beyond its limit, and what cannot be kept leaves no trace', async () => {
  let keeps = true;
  const keep = async () => {
    if (!keeps) throw new Error('the disk is full');
  };
  const queue = workQueue<string>({ run: async () => {}, keep, limit: 3 });
  await queue.put('a', 'a');
  keeps = false;
  const refused = queue.put('b', 'b').catch((error: Error) => error.message);
  keeps = true;
  await queue.put('c', 'c');
  expect(await refused).toBe('the disk is full');
  expect(queue.waiting().map(({ id }) => id)).toEqual(['a', 'c']);
  await queue.put('d', 'd');
  await expect(queue.put('e', 'e')).rejects.toThrow('3 pieces of work wait already');
});
