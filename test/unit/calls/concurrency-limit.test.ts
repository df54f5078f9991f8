import { describe, expect, it } from 'vitest';
import { inBatches } from '../../../lib/core/base/in-batches.ts';
import { withConcurrencyLimit } from '../../../lib/flows/calls/concurrency-limit.ts';

describe('work on many things', () => {
  it('in lanes comes back in the order of the items', async () => {
    const done: number[] = [];
    const later = (n: number) => new Promise((resolve) => setImmediate(resolve, n));
    const work = async (n: number) => {
      if (n === 0) await later(n);
      done.push(n);
      return n * 2;
    };
    expect(await withConcurrencyLimit([0, 1, 2, 3], 2, work)).toEqual([0, 2, 4, 6]);
    expect(done.at(-1)).toBe(0);
  });

  it('in batches leaves nothing out', () => {
    expect(inBatches([1, 2, 3, 4, 5], 2)).toEqual([[1, 2], [3, 4], [5]]);
    expect(inBatches([], 2)).toEqual([]);
  });
});
