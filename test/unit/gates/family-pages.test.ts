/** What a bench counts as pages is what the alert rules of a tick say: of a shadow that fails, and of one that does not. */

import { describe, expect, it } from 'vitest';
import { pagesOf } from '../../helpers/family-pages.ts';
import { FAMILIES, type Fault } from '../../helpers/gate-families.ts';

const SLICES = [0.01, 0.09, 0.4, 0.49, 0.01] as const;
const told = (faults: readonly Fault[]) =>
  pagesOf(1, { rps: 100, slices: SLICES, onShadow: 2, minutes: 5, family: FAMILIES[0]!, faults });

describe('pages', () => {
  it('of a shadow that fails 10 % more are critical: it is rolled back', () => {
    const { pages, minutes } = told([{ fromMinute: 1, moreErrors: 0.1 }]);
    expect(minutes).toBeLessThan(5);
    expect(pages).toContainEqual({ minute: minutes, rule: 'rolled_back', severity: 'critical', change: 'fired' });
  });

  it('of a shadow with one bad minute are of the rule that watches it: the stage goes on', () => {
    const { pages } = told([
      { fromMinute: 1, moreErrors: 0.03 },
      { fromMinute: 2, moreErrors: 0 },
    ]);
    expect(pages).toEqual([expect.objectContaining({ rule: 'errors', severity: 'critical', change: 'fired' })]);
  });

  it('of one that does not fail are none', () => {
    expect(told([])).toEqual({ pages: [], minutes: 5 });
  });
});
