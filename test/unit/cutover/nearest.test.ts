/** The nearest known name to a misspelt one. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { didYouMean, nearest } from '../../../lib/core/base/nearest.ts';
import { cpuMs } from '../../helpers/cpu-time.ts';

describe('nearest', () => {
  it.each([
    ['custmer', ['customer', 'invoice'], 'customer'],
    ['customer', ['customer2', 'customer'], 'customer'],
    ['primry', ['primary', 'shadow'], 'primary'],
    ['zzzzz', ['customer', 'invoice'], null],
    ['customer', [], null],
    ['x', ['y'], 'y'],
  ])('of %j among %j is %j', (name, known, expected) => {
    expect(nearest(name, known)).toBe(expected);
  });

  it('of a known name is that name', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ maxLength: 20 }), { minLength: 1 }), fc.nat(), (known, at) => {
        const name = known[at % known.length]!;
        expect(nearest(name, known)).toBe(name);
      }),
    );
  });

  it('of 50 KB of text takes no time and suggests nothing', () => {
    const took = cpuMs(() => expect(nearest('a'.repeat(50_000), ['customer', 'invoice'])).toBeNull());
    expect(took).toBeLessThan(10);
  });

  it('is asked for as a sentence, or not at all', () => {
    expect(didYouMean('custmer', ['customer'])).toBe(" Did you mean 'customer'?");
    expect(didYouMean('qqqqqqqq', ['customer'])).toBe('');
    expect(didYouMean('primary', ['shadow', 'primary'])).toBe('');
  });
});
