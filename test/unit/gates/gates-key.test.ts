/** What a change of the policy may keep of the evidence: everything that the changed field takes no part in. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { MINUTE_MS } from '../../../lib/core/base/units.ts';
import { type CutoverState, DEFAULT_POLICY, initialState, type Policy } from '../../../lib/core/cutover/cutover.ts';
import type { Evidence } from '../../../lib/core/gates/evidence.ts';
import { collect, evidenceKey } from '../../../lib/core/gates/seen.ts';
import { readTrace } from '../../../lib/schemas/replay.ts';

const OTHERS: { readonly [Field in keyof Policy]: Policy[Field] } = {
  errorRateRollback: 0.04,
  errorRateAdvance: 0.004,
  latencyIncreaseRollback: 0.9,
  latencyIncreaseAdvance: 0.05,
  latencyFloorMs: 9,
  validationScoreRollback: 0.9,
  validationScoreAdvance: 0.999,
  consecutiveFailures: 5,
  warmUpMinutes: 7,
  minSamples: 7,
  lagAdvanceMs: 1,
  keylessAdvance: 0.5,
  holdBackPercent: 7,
  autoAdvance: false,
  autoRollback: false,
  approvalRequired: true,
  twoPersonApproval: true,
  deadlineMinutes: 900,
  onDeadline: 'rollback',
  p95LimitMs: 1_000,
  availabilityMin: 0.5,
  connectionDropsMax: 0.2,
  memoryMax: 0.7,
};

const file = join(import.meta.dirname, '../../fixtures/replay/latency-plus-30.json');
const trace = readTrace(readFileSync(file), file);
const rows = Array.from({ length: trace.rows.length }, (_, index) => trace.rows.row(index));
const stage = { name: 'step', kind: 'ramp', sharePpm: 500_000, dwellMinutes: 0 } as const;
const state: CutoverState = {
  ...initialState({ id: 'item', kind: 'component', plan: { name: 'one', stages: [stage] } }),
  stage: stage.name,
  stageKind: 'ramp',
};

/** The fold of an hour, without its key. */
function folded(changed: Partial<Policy>): Omit<Evidence, 'key'> {
  const { key, ...evidence } = collect({
    state,
    policy: { ...DEFAULT_POLICY, ...changed },
    parts: rows.map(({ part }) => part).filter(({ window }) => window.minute < 60),
    table: null,
    flagsDeployed: true,
    nowMs: 60 * MINUTE_MS,
  }).evidence;
  return evidence;
}
const usual = folded({});

describe('another value of a field of the policy', () => {
  it.each(Object.keys(OTHERS) as (keyof Policy)[])(
    '%s: asks for another fold just when the fold is another',
    (field) => {
      expect(OTHERS[field]).not.toEqual(DEFAULT_POLICY[field]);
      const changed = { [field]: OTHERS[field] };
      const otherKey = evidenceKey(state, { ...DEFAULT_POLICY, ...changed }) !== evidenceKey(state, DEFAULT_POLICY);
      expect(!isDeepStrictEqual(folded(changed), usual)).toBe(otherKey);
    },
  );
});
