/** What passed is the larger of both clocks: a freeze counts, a wall clock that is put back takes nothing away. */

import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../lib/adapters/system.ts';
import { elapsedClock } from '../../../lib/core/base/elapsed-clock.ts';

/** Both clocks of a machine, moved by hand. */
function machine() {
  const at = { monotonicMs: 5_000, wallMs: 1_764_000_000_000 };
  const now = elapsedClock(
    () => at.monotonicMs,
    () => at.wallMs,
  );
  return {
    now,
    pass: (ms: number) => {
      at.monotonicMs += ms;
      at.wallMs += ms;
    },
    freeze: (ms: number) => {
      at.wallMs += ms;
    },
    putBack: (ms: number) => {
      at.wallMs -= ms;
    },
    run: (ms: number) => {
      at.monotonicMs += ms;
    },
  };
}

const turn = () => Promise.resolve();

describe('the elapsed clock', () => {
  it('counts an hour in which the process was frozen', async () => {
    const { now, pass, freeze } = machine();
    const startedMs = now();
    pass(100);
    freeze(3_600_000);
    pass(7);
    await turn();
    expect(now() - startedMs).toBe(3_600_107);
  });

  it.each([3_600_000, 20_000, 0])('counts what passed while the wall clock was put back by %i ms', async (step) => {
    const { now, run, putBack, pass } = machine();
    const startedMs = now();
    run(20_000);
    putBack(step);
    pass(5);
    await turn();
    expect(now() - startedMs).toBe(20_005);
  });

  it('never goes back, leaves no time out, and adds none but freezes and steps', async () => {
    const move = fc.oneof(
      fc.record({ kind: fc.constant('pass' as const), ms: fc.double({ min: 0, max: 400, noNaN: true }) }),
      fc.record({ kind: fc.constantFrom('freeze' as const, 'putBack' as const), ms: fc.nat(7_200_000) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(move, { maxLength: 60 }), async (moves) => {
        const on = machine();
        const startedMs = on.now();
        let last = startedMs;
        let passedMs = 0;
        let steppedMs = 0;
        for (const { kind, ms } of moves) {
          on[kind](ms);
          if (kind === 'pass') passedMs += ms;
          else steppedMs += ms;
          await turn();
          const at = on.now();
          expect(at).toBeGreaterThanOrEqual(last);
          last = at;
        }
        expect(last - startedMs).toBeGreaterThanOrEqual(passedMs - 0.001);
        expect(last - startedMs).toBeLessThanOrEqual(passedMs + steppedMs + 0.001);
      }),
    );
  });
});

describe('the clock of the functions', () => {
  afterEach(() => vi.useRealTimers());

  it('counts a freeze, so that what was kept open before it is not taken for fresh', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'Date'] });
    const { monotonicMs } = systemClock();
    const beforeMs = monotonicMs();
    vi.setSystemTime(Date.now() + 3_600_000);
    await turn();
    expect(monotonicMs() - beforeMs).toBe(3_600_000);
  });
});
