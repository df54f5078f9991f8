/** A write to the side that takes writes: whichever that is, and whatever the flags say, it is taken once, or refused after its time. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../../lib/client/outcome.ts';
import { type OneSideWrite, writeOneSide } from '../../../lib/client/write-one-side.ts';
import type { Side } from '../../../lib/core/cutover/cutover.ts';

const REFUSAL = Object.assign(new Error('takes no writes'), { code: '25006' });
const TRY_MS = 3;
const PAUSE_MS = 10;

/** @param open the side that takes writes, by the time that has passed; null: none */
function world(open: (atMs: number) => Side | null, flags: Side = 'primary') {
  let nowMs = 0;
  const seen = { outcomes: [] as Outcome[], taken: [] as Side[], tries: [] as Side[] };
  const side = (one: Side) => async () => {
    nowMs += TRY_MS;
    seen.tries.push(one);
    if (open(nowMs) !== one) throw REFUSAL;
    seen.taken.push(one);
    return one;
  };
  const parts = {
    route: () => ({ side: flags, slice: 4 }),
    record: (outcome: Outcome) => void seen.outcomes.push(outcome),
    now: () => nowMs,
    sleep: async (ms: number) => {
      nowMs += ms;
    },
  };
  const write = (how: Partial<OneSideWrite<Side>> = {}) =>
    writeOneSide(parts, 'orders', { key: 7, primary: side('primary'), shadow: side('shadow'), ...how });
  return { ...seen, write, nowMs: () => nowMs };
}

describe('a write that one side takes', () => {
  it('is taken once by the side that takes writes, or refused when its time is over, whenever one hands over to the other', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Side>('primary', 'shadow'),
        fc.nat(3_000),
        fc.nat(3_000),
        fc.nat(2_500),
        async (flags, closedMs, gapMs, withinMs) => {
          const openedMs = closedMs + gapMs;
          const it_ = world((atMs) => (atMs < closedMs ? 'primary' : atMs >= openedMs ? 'shadow' : null), flags);
          const taken = await it_.write({ withinMs }).catch((error: unknown) => {
            expect(error).toBe(REFUSAL);
            return null;
          });
          expect(it_.taken).toEqual(taken === null ? [] : [taken]);
          expect(it_.outcomes).toHaveLength(1);
          expect(it_.outcomes[0]).toMatchObject({ cutover: 'orders', operation: 'write', success: taken !== null });
          if (taken !== null) expect(it_.outcomes[0]!.side).toBe(taken);
          else expect([it_.nowMs() >= withinMs, new Set(it_.tries).size]).toEqual([true, 2]);
          expect(it_.nowMs()).toBeLessThan(withinMs + 2 * TRY_MS + PAUSE_MS);
        },
      ),
    );
  });

  it('fails with what its side throws, and is not tried on the other one', async () => {
    const it_ = world(() => 'shadow');
    const wrong = Object.assign(new Error('duplicate key'), { code: '23505' });
    await expect(it_.write({ primary: () => Promise.reject(wrong) })).rejects.toBe(wrong);
    expect([it_.tries, it_.outcomes]).toEqual([
      [],
      [expect.objectContaining({ side: 'primary', success: false, error: wrong })],
    ]);
  });

  it('knows a refusal in what is built on a driver, or by what it is told', async () => {
    const wrapped = new Error('query failed', { cause: new Error('of the driver', { cause: REFUSAL }) });
    const other = { meta: { code: '25006' } };
    for (const [error, isRefused] of [[wrapped], [other, (one: unknown) => one === other]] as const)
      expect(
        await world(() => 'shadow').write({
          primary: () => Promise.reject(error),
          ...(isRefused ? { isRefused } : {}),
        }),
      ).toBe('shadow');
    await expect(world(() => 'shadow').write({ primary: () => Promise.reject(other) })).rejects.toBe(other);
  });

  it.each([-1, Number.NaN])('is not begun with %s ms', async (withinMs) => {
    const it_ = world(() => 'primary');
    await expect(it_.write({ withinMs })).rejects.toMatchObject({ code: 'invalid_config' });
    expect(it_.tries).toEqual([]);
  });
});
