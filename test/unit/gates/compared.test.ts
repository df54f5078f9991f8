/** One minute of both sides, made comparable: what is counted, what is left out, and what is not held against the shadow. */

import { describe, expect, it } from 'vitest';
import { bucketedWindow } from '../../../lib/core/gates/bucketed-window.ts';
import { compare, type Traffic, trafficAfter } from '../../../lib/core/gates/compared.ts';
import type { Ground, Part, SideMinute } from '../../../lib/core/gates/ground.ts';
import { emptyWindow } from '../../../lib/core/gates/minute-window.ts';

/** The shadow has the first slice, the primary the second one. */
const part = (slice: number, over: Partial<Part> = {}): Part => ({
  slice,
  of: (side) => side.slices[slice] ?? null,
  edges: [null],
  weight: 0.5,
  most: 0.5,
  uncertain: [0],
  errorRate: null,
  errorUncertain: 0,
  ...over,
});
const ground = (over: Partial<Ground> = {}): Ground => ({
  control: [part(1)],
  served: [part(0)],
  usualErrors: 0,
  usual: [null],
  past: null,
  fewLeft: false,
  ...over,
});
function minuteOf(slice: number, count: number, errors = 0): SideMinute {
  const window = bucketedWindow({ ...emptyWindow(1, slice === 0 ? 'shadow' : 'primary'), count, errors });
  return { all: window, slices: slice === 0 ? [window] : [null, window] };
}
const compared = (primary: number, shadow: number, over: Partial<Ground> = {}, traffic: readonly Traffic[] = []) =>
  compare(minuteOf(1, primary), minuteOf(0, shadow, 90), ground(over), traffic);

describe('a minute of both sides', () => {
  it('leaves few on the primary in a stage that does, where the shadow has more than twenty times as many', () => {
    const unknown = { control: [part(1, { weight: 0 })], served: [part(0, { weight: 0 })] };
    const few = (shadow: number, fewLeft: boolean) => compared(5, shadow, { ...unknown, fewLeft }).fewLeft;
    expect([few(100, true), few(101, true), few(101, false), few(5, false)]).toEqual([false, true, false, false]);
  });

  it('leaves out what is far beyond what the others let expect, of failures and of latencies', () => {
    // Of a hundred: 1.5 · 100 + 2.5 · √(100 + 100² / 100) + 1 = 186.4.
    expect(compared(100, 186)).toMatchObject({ n0: 100, n1: 186, timed: 186, errors: { shadow: 90 } });
    expect(compared(100, 187)).toMatchObject({ n1: 100, timed: 0, errors: { shadow: 3 } });
    expect(compared(0, 187)).toMatchObject({ n0: 0, n1: 187, timed: 187, expected: null, arrived: 187 });
    expect(compared(100, 187)).toMatchObject({ expected: 100, arrived: 187 });
  });

  it('leaves out what lasts, for an hour: then the keys have more to do', () => {
    // 400 came before where 200 were expected: 1.5 · 300 + 2.5 · √(300 + 300² / 100) + 1 = 537.6.
    const before = (more: number): Traffic[] => [{ came: 400, expected: 200, more }];
    const counted = (shadow: number, more: number) => compared(100, shadow, {}, before(more)).n1;
    expect([counted(137, 0), counted(138, 0), counted(138, 59), counted(138, 60)]).toEqual([137, 100, 100, 138]);
  });

  it('holds nothing against the shadow that its slice always did, or that is not known of it', () => {
    const offset = (shadow: Partial<Part>, control: Partial<Part> = {}) =>
      compared(100, 100, { usualErrors: 0.01, served: [part(0, shadow)], control: [part(1, control)] }).errors.offset;
    expect(offset({})).toBe(0);
    expect(offset({ errorRate: 0.03, errorUncertain: 0.002 }, { errorRate: 0.01, errorUncertain: 0.001 })).toBeCloseTo(
      0.023,
      12,
    );
    expect(offset({ errorRate: 0 }, { errorRate: 0.01 })).toBe(-0.005);
  });
});

describe('the traffic of a slice', () => {
  const nextOf = (before: readonly Traffic[], shadow: number | null, over: Partial<Ground> = {}) =>
    trafficAfter(before, minuteOf(1, 100), shadow === null ? null : minuteOf(0, shadow), ground(over));

  it('fades by a fifth a minute, and counts the minutes with half as much again', () => {
    expect(nextOf([], 150)).toEqual([{ came: 150, expected: 100, more: 0 }]);
    const once = nextOf([], 151);
    expect(once).toEqual([{ came: 151, expected: 100, more: 1 }]);
    expect(nextOf(once, 160)).toEqual([{ came: expect.closeTo(280.8, 9), expected: expect.closeTo(180, 9), more: 2 }]);
    expect(nextOf(once, null)).toEqual([{ came: expect.closeTo(120.8, 9), expected: expect.closeTo(180, 9), more: 0 }]);
  });

  it('is as it was where nothing is known of the others, or of the slice', () => {
    const before = [{ came: 1, expected: 2, more: 3 }];
    expect(nextOf(before, 9, { control: [part(1, { weight: 0 })] })).toEqual(before);
    expect(nextOf(before, 9, { served: [part(0, { weight: 0 })] })).toEqual(before);
  });
});
