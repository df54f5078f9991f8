/** O1: an estimate is called one, and nothing is computed from one that is known to be wrong. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { copyProgress } from '../../../lib/core/gates/copy-progress.ts';

it.each([
  ['running', 896_000, 2_240_000, 3_120, 0.4, '896,000 of about 2,240,000 rows; 3,120/s; about 7 min left'],
  ['running', 545_000, 3_500, 35_000, null, '545,000 rows, more than the 3,500 estimated; 35,000/s; no ETA yet'],
  ['running', 10, 0, 5, null, '10 rows, none estimated; 5/s; no ETA yet'],
  ['running', 10, 100, 0, 0.1, '10 of about 100 rows; not moving just now'],
  ['paused', 10, 100, 5, 0.1, '10 of about 100 rows; paused'],
  ['done', 545_000, 3_500, 0, 1, '545,000 rows copied'],
  ['none', 0, 0, 0, null, 'not begun'],
] as const)('%s, %d of %d', (state, rowsDone, rowsTotal, rowsPerSecond, fraction, text) => {
  expect(copyProgress({ state, rowsDone, rowsTotal, rowsPerSecond }, ',')).toMatchObject({ fraction, text });
});

it('has no share and no time beyond the estimate, and a share of at most 1 within it', () => {
  const rows = fc.nat(10_000_000);
  fc.assert(
    fc.property(rows, rows, rows, (rowsDone, rowsTotal, rowsPerSecond) => {
      const { fraction, etaSeconds } = copyProgress({ state: 'running', rowsDone, rowsTotal, rowsPerSecond });
      if (rowsDone > rowsTotal) expect([fraction, etaSeconds]).toEqual([null, null]);
      else if (fraction !== null) expect(fraction).toBeLessThanOrEqual(1);
      if (etaSeconds !== null) expect(etaSeconds).toBeGreaterThanOrEqual(0);
    }),
  );
});
