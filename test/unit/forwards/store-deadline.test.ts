/** A call of the store ends at its deadline, and a call that was answered hears nothing of it afterwards. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { withDeadline } from '../../../lib/adapters/dynamodb/failures.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const until = (abortSignal: AbortSignal) =>
  new Promise<never>((_, reject) => abortSignal.addEventListener('abort', () => reject(abortSignal.reason)));

describe('a call with a deadline', () => {
  it('is aborted then, as by a time-out', async () => {
    const called = withDeadline({ requestTimeoutMs: 3_000 }, ({ abortSignal }) => until(abortSignal));
    const ended = called.catch((error: Error) => error.name);
    await vi.advanceTimersByTimeAsync(2_999);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await ended).toBe('TimeoutError');
  });

  it.each([
    ['was answered', async () => 'answered'],
    ['failed', () => Promise.reject(new Error('failed'))],
  ])('that %s leaves no timer and no signal behind', async (_name, answer: () => Promise<string>) => {
    let signal: AbortSignal | undefined;
    await withDeadline({ requestTimeoutMs: 3_000 }, ({ abortSignal }) => {
      signal = abortSignal;
      return answer();
    }).catch(() => {});
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(signal!.aborted).toBe(false);
  });
});
