/** Which stages are said to see what, and at which traffic. */

import { describe, expect, it } from 'vitest';
import { DEFAULT_POLICY } from '../../../lib/core/cutover/cutover.ts';
import { EMPTY_BASELINE, withMinute } from '../../../lib/core/gates/baseline.ts';
import { bucketedWindow } from '../../../lib/core/gates/bucketed-window.ts';
import { newEvidence } from '../../../lib/core/gates/evidence.ts';
import { stageSights } from '../../../lib/core/report/stage-sights.ts';
import { NOW, stateIn } from '../../property/samples.ts';
import { exactMinute } from '../../property/traffic.ts';

const MINUTE = Math.floor(NOW / 60_000);
const windows = Array.from({ length: 30 }, (_, i) => exactMinute(MINUTE - 30 + i, 'primary', 600, { errors: 1 }));
const evidence = {
  ...newEvidence('key'),
  baseline: windows.map(bucketedWindow).reduce(withMinute, EMPTY_BASELINE),
};

function sightsIn(stage: Parameters<typeof stateIn>[0], over: Partial<Parameters<typeof stageSights>[0]> = {}) {
  const state = stateIn(stage, {});
  const declaration = { id: state.id, kind: 'table', policy: DEFAULT_POLICY, plan: state.plan } as never;
  return stageSights({ declaration, state, evidence, windows, nowMs: NOW, ...over });
}

describe('what stages can see', () => {
  it('is said of the one that comes next before the first one serves', () => {
    const sights = sightsIn('dual_write');
    expect(sights).toMatchObject([{ stage: 'r1', perSecond: 10, share: 0.01, text: expect.stringMatching(/^at 10 /) }]);
  });

  it('is said of the one that serves and of the next one, which sees more', () => {
    const [now, next] = sightsIn('r1');
    expect([now!.stage, next!.stage]).toEqual(['r1', 'r2']);
    expect(next!.errors.minutes!).toBeLessThan(now!.errors.minutes!);
  });

  it('is not said where nothing comes or nothing serves', () => {
    expect(sightsIn('r1', { windows: [] })).toEqual([]);
    expect(sightsIn('r1', { windows: windows.slice(0, 10) })).toEqual([]);
    expect(sightsIn('completed')).toEqual([]);
  });

  it('depends on the policy that a stage has of its own', () => {
    const declaration = { policy: DEFAULT_POLICY, stages: { r2: { errorRateRollback: 0.2 } } } as never;
    expect(sightsIn('r1', { declaration }).map(({ errors }) => errors.more)).toEqual([0.02, 0.4]);
  });
});
