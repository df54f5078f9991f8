/** The local circuit breaker: open at ten failures of the last twenty, then probed one at a time. */

import { describe, expect, it } from 'vitest';
import { circuitBreaker } from '../../../lib/routing/breaker.ts';

/** A breaker after outcomes at moment 0: F fails, S succeeds. */
function seenAfter(outcomes: string, nowMs = 0) {
  const breaker = circuitBreaker();
  for (const outcome of outcomes) breaker.record('customer', outcome === 'S', () => nowMs);
  return breaker;
}
const isOpen = (outcomes: string) => !seenAfter(outcomes).admits('customer', 1);

describe('a breaker', () => {
  it('is closed before anything happened', () => expect(isOpen('')).toBe(false));

  it('opens with the tenth failure of twenty, not with the ninth', () => {
    expect(isOpen('F'.repeat(9))).toBe(false);
    expect(isOpen('F'.repeat(10))).toBe(true);
    expect(isOpen('SF'.repeat(9))).toBe(false);
    expect(isOpen('FS'.repeat(9))).toBe(false);
    expect(isOpen('FS'.repeat(10))).toBe(true);
  });

  it('forgets what is more than twenty operations ago', () => {
    expect(isOpen(`${'F'.repeat(9)}${'S'.repeat(20)}${'F'.repeat(9)}`)).toBe(false);
    expect(isOpen(`${'F'.repeat(9)}${'S'.repeat(11)}F`)).toBe(false);
    expect(isOpen(`${'F'.repeat(9)}${'S'.repeat(10)}F`)).toBe(true);
  });

  it('of one cutover says nothing of another', () => {
    expect(seenAfter('F'.repeat(10)).admits('invoice', 1)).toBe(true);
  });

  it('reads no clock while it stays closed', () => {
    const breaker = circuitBreaker();
    const read: number[] = [];
    const clock = () => read.push(0);
    for (const outcome of 'SSFSFFFFSFFFF') breaker.record('customer', outcome === 'S', clock);
    expect(read).toHaveLength(0);
    breaker.record('customer', false, clock);
    expect([read.length, breaker.open]).toEqual([1, 1]);
  });

  it('counts the cutovers that are not closed', () => {
    const breaker = seenAfter('F'.repeat(10));
    expect(breaker.open).toBe(1);
    for (let i = 0; i < 3; i += 1) breaker.record('customer', true, () => 5_000);
    expect(breaker.open).toBe(0);
  });
});

describe('an open breaker', () => {
  it('after five seconds lets one probe at a time through, until three have passed', () => {
    const breaker = seenAfter('F'.repeat(10), 1_000);
    expect(breaker.admits('customer', 5_999)).toBe(false);
    for (let probe = 0; probe < 3; probe += 1) {
      expect([breaker.admits('customer', 6_000), breaker.admits('customer', 6_000)]).toEqual([true, false]);
      breaker.record('customer', true, () => 6_000);
    }
    expect([breaker.admits('customer', 6_000), breaker.admits('customer', 6_000)]).toEqual([true, true]);
  });

  it('opens again when a probe fails, each time for twice as long, at most for a minute', () => {
    const breaker = seenAfter('F'.repeat(10), 0);
    let nowMs = 0;
    for (const openMs of [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]) {
      expect(breaker.admits('customer', nowMs + openMs - 1)).toBe(false);
      nowMs += openMs;
      expect(breaker.admits('customer', nowMs)).toBe(true);
      breaker.record('customer', false, () => nowMs);
    }
  });

  it('does not wait for ever for a probe that nobody records', () => {
    const breaker = seenAfter('F'.repeat(10), 0);
    expect(breaker.admits('customer', 5_000)).toBe(true);
    expect(breaker.admits('customer', 5_999)).toBe(false);
    expect(breaker.admits('customer', 6_000)).toBe(true);
  });

  it('learns nothing from calls that were under way when it opened', () => {
    const breaker = seenAfter('F'.repeat(10), 0);
    for (let i = 0; i < 20; i += 1) breaker.record('customer', true, () => 4_999);
    expect(breaker.admits('customer', 4_999)).toBe(false);
    for (let i = 0; i < 20; i += 1) breaker.record('customer', false, () => 4_999);
    expect(breaker.admits('customer', 5_000)).toBe(true);
  });

  it('after it has closed needs ten new failures', () => {
    const breaker = seenAfter('F'.repeat(10), 0);
    for (let i = 0; i < 3; i += 1) breaker.record('customer', true, () => 5_000);
    for (let i = 0; i < 9; i += 1) breaker.record('customer', false, () => 5_000);
    expect(breaker.admits('customer', 5_001)).toBe(true);
    breaker.record('customer', false, () => 5_001);
    expect(breaker.admits('customer', 5_002)).toBe(false);
  });
});
