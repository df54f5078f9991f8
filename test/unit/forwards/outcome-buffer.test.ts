/** Outcomes that are summed up in memory: nothing is lost or counted twice, a difference is written at once. */

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { outcomeBuffer } from '../../../lib/flows/forwards/outcome-buffer.ts';
import type { WindowStore } from '../../../lib/ports/windows.ts';
import { inMemoryWindows } from '../../helpers/fakes/windows.ts';
import { NOW } from '../../property/samples.ts';

const EVERY_MS = 10_000;

/** A buffer on a clock whose two times are moved by hand, over a store that can lose the call or its answer. */
function bench(everyMs = EVERY_MS) {
  const time = { wallMs: NOW, monotonicMs: 0 };
  const clock = { now: () => time.wallMs, monotonicMs: () => time.monotonicMs, sleep: async () => {} };
  const windows = inMemoryWindows({ clock });
  let next: 'works' | 'call lost' | 'answer lost' = 'works';
  let calls = 0;
  const add: WindowStore['add'] = async (...flush) => {
    calls += 1;
    if (next !== 'call lost') await windows.add(...flush);
    if (next !== 'works') throw new Error(next);
  };
  let id = 0;
  const ids = { next: () => `id-${++id}` };
  const log = { event() {}, failure() {} };
  const buffer = outcomeBuffer({ clock, ids, windows: { ...windows, add }, log }, everyMs);
  const minute = Math.floor(NOW / 60_000);
  return {
    buffer,
    pass(ms: number, { frozen = false } = {}) {
      time.wallMs += ms;
      if (!frozen) time.monotonicMs += ms;
    },
    putBack(ms: number) {
      time.wallMs -= ms;
    },
    fails(how: typeof next) {
      next = how;
    },
    calls: () => calls,
    async written() {
      const found = await windows.read('customer', minute - 600, minute + 600);
      const total = (of: (one: (typeof found)[number]) => number) => found.reduce((sum, one) => sum + of(one), 0);
      return { checks: total((one) => one.checks), mismatches: total((one) => one.mismatches) };
    },
  };
}

const checks = (checked: number, mismatched = 0) => ['customer', 'converge', { checked, mismatched }] as const;

describe('what was compared', () => {
  it('is written by the first flush, and then once in ten seconds', async () => {
    const { buffer, pass, calls, written } = bench();
    for (let second = 0; second < 30; second += 1) {
      buffer.addChecks(...checks(2));
      await buffer.flushIfDue();
      pass(1_000);
    }
    expect([calls(), await written()]).toEqual([3, { checks: 42, mismatches: 0 }]);
    await buffer.flushIfDue();
    expect([calls(), await written()]).toEqual([4, { checks: 60, mismatches: 0 }]);
  });

  it('is written at once when it differs, and only then', async () => {
    const { buffer, pass, calls, written } = bench();
    for (const mismatched of [0, 0, 1, 0, 1]) {
      buffer.addChecks(...checks(5, mismatched));
      await buffer.flushIfDue();
      pass(1);
    }
    expect([calls(), await written()]).toEqual([3, { checks: 25, mismatches: 2 }]);
  });

  it('costs no call while there is nothing to write', async () => {
    const { buffer, pass, calls } = bench(0);
    for (let i = 0; i < 5; i += 1) {
      await buffer.flushIfDue();
      pass(60_000);
    }
    expect(calls()).toBe(0);
  });

  it('is written after the instance was frozen, and after the clock was put back', async () => {
    for (const later of [
      (on: ReturnType<typeof bench>) => on.pass(EVERY_MS, { frozen: true }),
      (on: ReturnType<typeof bench>) => {
        on.putBack(3_600_000);
        on.pass(EVERY_MS);
      },
    ]) {
      const on = bench();
      on.buffer.addChecks(...checks(1));
      await on.buffer.flushIfDue();
      on.buffer.addChecks(...checks(1));
      later(on);
      await on.buffer.flushIfDue();
      expect(on.calls()).toBe(2);
    }
  });

  it('is counted once, whatever calls and answers are lost on the way', async () => {
    const step = fc.record({
      checked: fc.integer({ min: 0, max: 20 }),
      differs: fc.boolean(),
      passes: fc.integer({ min: 0, max: 40_000 }),
      store: fc.constantFrom('works' as const, 'call lost' as const, 'answer lost' as const),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const on = bench();
        const added = { checks: 0, mismatches: 0 };
        for (const { checked, differs, passes, store } of steps) {
          const mismatched = differs ? Math.min(checked, 1) : 0;
          added.checks += checked;
          added.mismatches += mismatched;
          on.buffer.addChecks(...checks(checked, mismatched));
          on.fails(store);
          await on.buffer.flushIfDue();
          on.pass(passes);
          const { checks: so, mismatches: far } = await on.written();
          expect(so <= added.checks && far <= added.mismatches).toBe(true);
        }
        on.fails('works');
        // What is in doubt first, then what came after it.
        for (let i = 0; i < 2; i += 1) {
          on.pass(EVERY_MS);
          await on.buffer.flushIfDue();
        }
        expect(await on.written()).toEqual(added);
      }),
    );
  });
});
