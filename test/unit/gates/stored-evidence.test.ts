/** Evidence as it is stored: histograms as text, and figures to seven digits. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digits } from '../../../lib/core/gates/settled.ts';
import { bucketsIn, countsIn, countsText, storedEvidence } from '../../../lib/core/gates/stored-evidence.ts';
import { foldedEvidence } from '../../../lib/schemas/evidence.ts';
import { EVIDENCE } from '../../helpers/contracts/state.ts';

describe('figures to four digits', () => {
  it.each([0, 0.5, 123.35, 123.45, 1.0005, 9_999.5, 0.99995, 99_995, 1e-9, 3e15, -1.23456, -123.45])(
    '%d is what its text says, half ways included',
    (figure) => expect(digits(figure)).toBe(Number(figure.toPrecision(4))),
  );

  it('and so is every other', () =>
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.integer({ min: 0, max: 1e7 }),
        (any, cents) => {
          expect(digits(any) + 0).toBe(Number(any.toPrecision(4)) + 0);
          expect(digits(cents / 100)).toBe(Number((cents / 100).toPrecision(4)));
        },
      ),
    ));
});

describe('counts as text', () => {
  it('are the same again, whatever they are', () => {
    const count = fc.oneof(
      fc.integer({ min: -40, max: 40 }),
      fc.maxSafeNat().map((n) => Math.floor(n / 4)),
    );
    fc.assert(
      fc.property(fc.array(count), (counts) => {
        expect(countsIn(countsText(counts))).toEqual(counts);
      }),
    );
  });

  it('of neighbours take a letter each', () => expect(countsText([0, 3, 5, 5, 4, 1, 0])).toBe('AGEABFB'));

  it.each(['G!', 'é', 'g', '________________'])('%j are none', (text) => expect(countsIn(text)).toBeNull());

  it('that fall below zero make no histogram', () => {
    expect(bucketsIn({ first: 3, counts: countsText([1, -1]) })).toBeNull();
    expect(bucketsIn({ first: 3, counts: countsText([1, 0, 4]) })).toEqual({ first: 3, counts: [1, 0, 4], total: 5 });
  });
});

describe('stored evidence', () => {
  const stored = () => JSON.parse(JSON.stringify(storedEvidence(EVIDENCE)));

  it('is read as it was', () => expect(foldedEvidence.parse(stored())).toEqual(EVIDENCE));

  it('whose histogram cannot be is not believed (negative control)', () => {
    const { baseline, ...rest } = stored();
    const spoilt = { ...baseline, latency: { ...baseline.latency, counts: 'B' } };
    expect(foldedEvidence.safeParse({ ...rest, baseline: spoilt }).success).toBe(false);
  });
});
