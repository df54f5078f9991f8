/** The steps of a rehearsal against an API that answers as given. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Life, lifeStep } from '../../../infra/local/rehearsal/life.ts';

const HELD = new Error("POST /v1/cutovers/orders/complete: held: Cutover 'orders' is held in stage 'full_100'.");

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Answers = { refusal: Error; readyAgain: boolean };

/** `complete` is refused for half a minute; the report is ready then, or at no time, or all the while. */
function lifeOf({ refusal, readyAgain }: Answers, readyAtOnce = false) {
  const startedMs = Date.now();
  const sinceMs = () => Date.now() - startedMs;
  let completed = false;
  const api = {
    async command() {
      if (!readyAgain || sinceMs() < 30_000) throw refusal;
      completed = true;
    },
    report: async () => ({
      health: readyAtOnce || (readyAgain && sinceMs() >= 30_000) ? 'ready' : 'healthy',
      stage: 'full_100',
      stageKind: completed ? 'completed' : 'full',
      pending: null,
      verdict: { conditions: [{ ok: false, label: 'proof: latency p95', says: 'Not proven.', text: 'Not proven.' }] },
    }),
    get: async () => ({ entries: [] }),
    verify: async () => ({ divergences: 0 }),
  };
  const load = {
    figures: () => ({
      reads: 0,
      shadowReads: 0,
      failed: 0,
      failures: [],
      writes: { updates: 0, inserts: 0, deletes: 0 },
    }),
    beforePromotion() {},
  };
  const observer = { see: async () => {}, lockHeld() {} };
  const life = {
    id: 'orders',
    api,
    load,
    observer,
    progress: { line: () => '' },
    show() {},
    deadlineMs: startedMs + 120_000,
  };
  const step = lifeStep(life as unknown as Life, 'complete').then(
    () => ({ afterMs: sinceMs(), error: null }),
    (error: Error) => ({ afterMs: sinceMs(), error }),
  );
  return { step, completed: () => completed };
}

describe('the promotion of a rehearsal', () => {
  it('waits for the evidence that a bad minute took back, longer than for a state that is on its way', async () => {
    const { step, completed } = lifeOf({ refusal: HELD, readyAgain: true });
    await vi.advanceTimersByTimeAsync(130_000);
    expect(await step).toMatchObject({ error: null });
    expect(completed()).toBe(true);
  });

  it('names what holds it where the evidence does not come within the time', async () => {
    const { step } = lifeOf({ refusal: HELD, readyAgain: false });
    await vi.advanceTimersByTimeAsync(130_000);
    const { error, afterMs } = await step;
    expect(error).toMatchObject({ failures: [{ about: 'proof: latency p95' }] });
    expect(afterMs).toBeGreaterThan(119_000);
  });

  it.each([
    ['a cutover that is ready and held all the same', HELD, true, 20_000],
    ['another refusal, at once', new Error('POST …: forbidden: The scope is missing.'), false, 0],
  ])('fails by %s', async (_, refusal, readyAtOnce, afterMs) => {
    const { step } = lifeOf({ refusal, readyAgain: false }, readyAtOnce);
    await vi.advanceTimersByTimeAsync(130_000);
    const ended = await step;
    expect(ended.error).toBe(refusal);
    expect(ended.afterMs).toBeGreaterThanOrEqual(afterMs);
    expect(ended.afterMs).toBeLessThan(afterMs + 2_000);
  });
});
