/** Reports of minutes that were judged already: kept in their own minute, and counted as late in the one in which they come. */

import { expect, it } from 'vitest';
import { recordOutcomes } from '../../../lib/flows/forwards/record-outcomes.ts';
import { inMemoryCustomMetrics } from '../../helpers/fakes/custom-metrics.ts';
import { inMemoryWindows } from '../../helpers/fakes/windows.ts';
import { declarationOf, NOW } from '../../property/samples.ts';
import { exactMinute } from '../../property/traffic.ts';

const MINUTE = Math.floor(NOW / 60_000);

it.each([
  [0, 0],
  [1, 0],
  [2, 0],
  [3, 5],
  [9, 5],
])('what comes %i minutes after its own: %i operations are late', async (age, late) => {
  const windows = inMemoryWindows({ clock: { now: () => NOW } });
  const ports = {
    clock: { now: () => NOW },
    windows,
    customMetrics: inMemoryCustomMetrics(),
    metrics: { record: () => {}, flush: () => {} },
  };
  const report = {
    flushId: 'f1',
    source: 'me',
    windows: [{ cutover: 'customer', operation: 'read', slice: 1, ...exactMinute(MINUTE - age, 'shadow', 5) }],
  };
  for (const _ of ['sent', 'sent again'])
    expect(await recordOutcomes(ports as never, [declarationOf('component')], report)).toEqual({
      accepted: 1,
      refused: [],
    });
  const found = await windows.read('customer', MINUTE - 10, MINUTE);
  expect(found.reduce((sum, { count }) => sum + count, 0)).toBe(5);
  expect(found.map(({ minute, late: some = 0 }) => [MINUTE - minute, some]).filter(([, some]) => some! > 0)).toEqual(
    late > 0 ? [[0, late]] : [],
  );
});
