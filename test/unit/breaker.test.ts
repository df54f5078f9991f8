/** The local circuit breaker: open at ten failures of the last twenty, for five seconds. */

import { describe, expect, it } from 'vitest';
import { circuitBreaker } from '../../lib/client/breaker.ts';

/** A breaker after outcomes at moment 0: F fails, S succeeds. */
function seenAfter(outcomes: string, nowMs = 0) {
  const breaker = circuitBreaker();
  for (const outcome of outcomes) breaker.record('customer', outcome === 'S', nowMs);
  return breaker;
}
const isOpen = (outcomes: string) => seenAfter(outcomes).isOpen('customer', 1);

describe('a breaker', () => {
  it('is closed before anything happened', () => expect(isOpen('')).toBe(false));

  it('opens with the tenth failure of twenty, not with the ninth', () => {
    expect(isOpen('F'.repeat(9))).toBe(false);
    expect(isOpen('F'.repeat(10))).toBe(true);
    expect(isOpen('SF'.repeat(9))).toBe(false);
    expect(isOpen('SF'.repeat(10))).toBe(true);
  });

  it('forgets what is more than twenty operations ago', () => {
    expect(isOpen(`${'F'.repeat(9)}${'S'.repeat(20)}${'F'.repeat(9)}`)).toBe(false);
    expect(isOpen(`${'F'.repeat(9)}${'S'.repeat(11)}F`)).toBe(false);
    expect(isOpen(`${'F'.repeat(9)}${'S'.repeat(10)}F`)).toBe(true);
  });

  it('closes after five seconds and then needs ten new failures', () => {
    const breaker = seenAfter('F'.repeat(10), 1_000);
    expect(breaker.isOpen('customer', 5_999)).toBe(true);
    expect(breaker.isOpen('customer', 6_000)).toBe(false);
    for (let i = 0; i < 9; i += 1) breaker.record('customer', false, 6_000);
    expect(breaker.isOpen('customer', 6_001)).toBe(false);
    breaker.record('customer', false, 6_000);
    expect(breaker.isOpen('customer', 6_001)).toBe(true);
  });

  it('of one cutover says nothing of another', () => {
    expect(seenAfter('F'.repeat(10)).isOpen('invoice', 1)).toBe(false);
  });
});
