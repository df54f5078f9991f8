import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { atMost, batchingLoader } from '../../../lib/adapters/dynamodb/batching-loader.ts';

describe('asking together', () => {
  it('what is asked in one turn goes out at once, by kind and so many at a time, and each gets its own answer or error', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 7 }),
        async (asks, most) => {
          const sent: (readonly number[])[] = [];
          const kind = (ask: number) => String(ask % 3);
          const ask = batchingLoader<number, number>(
            most,
            async (some) => {
              sent.push(some);
              if (some.includes(20)) throw new Error('all of them');
              return (one) => {
                if (one % 5 === 4) throw new Error(`not ${one}`);
                return one * 2;
              };
            },
            kind,
          );
          const answers = await Promise.allSettled(asks.map(ask));
          expect(sent.flat().sort()).toEqual([...asks].sort());
          for (const some of sent) expect([some.length <= most, new Set(some.map(kind)).size]).toEqual([true, 1]);
          for (const k of ['0', '1', '2']) {
            const alike = asks.filter((one) => kind(one) === k).length;
            expect(sent.filter(([one]) => kind(one!) === k).length).toBe(Math.ceil(alike / most));
          }
          for (const [n, answer] of answers.entries()) {
            const one = asks[n]!;
            const doomed =
              kind(one) === kind(20) && answer.status === 'rejected' && answer.reason.message !== `not ${one}`;
            if (doomed) expect(sent.some((some) => some.includes(20) && some.includes(one))).toBe(true);
            else if (one % 5 === 4) expect(answer).toMatchObject({ reason: { message: `not ${one}` } });
            else expect(answer).toEqual({ status: 'fulfilled', value: one * 2 });
          }
        },
      ),
    );
  });

  it('what is asked while an answer is on its way goes out with the next turn', async () => {
    const sent: (readonly string[])[] = [];
    const ask = batchingLoader<string, string>(9, async (some) => {
      sent.push(some);
      return (one) => one;
    });
    await Promise.all([ask('a').then(() => ask('c')), ask('b')]);
    expect(sent).toEqual([['a', 'b'], ['c']]);
  });
});

describe('work with a bound on how many at once', () => {
  it('is all done, never more at once than there are lanes, and each hears of its own, failures included', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.boolean(), { maxLength: 12 }),
        async (scheduler, lanes, fails) => {
          let running = 0;
          let most = 0;
          const work = atMost(lanes, async (n: number) => {
            running += 1;
            most = Math.max(most, running);
            await scheduler.schedule(Promise.resolve(), `work ${n}`);
            running -= 1;
            if (fails[n]) throw new Error(`${n}`);
            return n;
          });
          const answers = await scheduler.waitFor(Promise.allSettled(fails.map((_, n) => work(n))));
          expect(most).toBe(Math.min(lanes, fails.length));
          expect(answers.map((one) => (one.status === 'fulfilled' ? one.value : one.reason.message))).toEqual(
            fails.map((failed, n) => (failed ? `${n}` : n)),
          );
        },
      ),
    );
  });
});
