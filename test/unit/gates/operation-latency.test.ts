/** Latencies by operation type: one that is slow among others that are not, and what keys ask for that has changed. */

import { describe, expect, it } from 'vitest';
import { DEFAULT_POLICY } from '../../../lib/core/cutover/cutover.ts';
import { evaluateGates } from '../../../lib/core/gates/evaluate.ts';
import type { Evidence } from '../../../lib/core/gates/evidence.ts';
import type { WindowPart } from '../../../lib/core/gates/minute-window.ts';
import { MOST_TIMED } from '../../../lib/core/gates/operation-latency.ts';
import { runFamily } from '../../helpers/family-run.ts';
import { FAMILIES, type Family, type Run } from '../../helpers/gate-families.ts';
import { type Fault as Mutation, sourceMutant } from '../../helpers/source-mutant.ts';
import { stateIn } from '../../property/samples.ts';
import { exactMinute } from '../../property/traffic.ts';

const EVALUATE = 'lib/core/gates/evaluate.ts';
const without = (...mutations: Mutation[]) =>
  sourceMutant<{ evaluateGates: typeof evaluateGates }>([EVALUATE], mutations);

const TYPES = [
  { operation: 'read', share: 0.7, slower: 1 },
  { operation: 'list', share: 0.27, slower: 1.5 },
  { operation: 'export', share: 0.03, slower: 8 },
];
const run = (minutes: number, more: Partial<Run>, family: Partial<Family> = {}): Run => ({
  rps: 100,
  slices: [0.01, 0.09, 0.4, 0.49, 0.01],
  onShadow: 1,
  minutes,
  family: { ...FAMILIES[0]!, types: TYPES, ...family },
  ...more,
});
const SEEDS = [2, 3];

describe('a shadow that is slow with one operation type of three', () => {
  const slow = run(15, { faults: [{ fromMinute: 1, slow: { operation: 'list', by: 1 } }] });

  it('is rolled back by its name', () => {
    const gone = SEEDS.map((seed) => runFamily(seed, slow));
    expect(gone.map(({ codes }) => codes)).toEqual(SEEDS.map(() => expect.arrayContaining(['operation_latency'])));
    expect(gone[0]!.says).toMatch(
      /The shadow is slow with the operations 'list': \d+(\.\d+)? % \(\d+ of \d+\) take longer than [\d.]+ (ms|s), beyond which \d+(\.\d+)? % may lie\. The limit is (20|75) % more than the primary takes \(latencyIncreaseRollback\)\. Proven over \d+ bad minutes\./,
    );
  });

  it('is not, looked at in the sum of all', async () => {
    const gates = await without([
      'lib/core/gates/operation-latency.ts',
      'return all.length > 1 ? all : [];',
      'return [];',
    ]);
    expect(SEEDS.map((seed) => runFamily(seed, slow, { gates }).codes)).not.toContainEqual(
      expect.arrayContaining(['operation_latency']),
    );
  });
});

describe('keys that ask for more of what is slow than they did', () => {
  const morning = (slice?: number) =>
    run(50, {}, { mix: { operation: 'export', times: 5, fromMinute: 15, ...(slice === undefined ? {} : { slice }) } });

  it.each([
    ['those of the shadow', 0],
    ['all', undefined],
  ])('%s: are no regression', (_, slice) =>
    expect(SEEDS.map((seed) => runFamily(seed, morning(slice)).rollback)).toEqual([null, null]),
  );

  it('look like one where each operation counts the same', async () => {
    const gates = await without(['lib/core/gates/mix.ts', 'if (tooMany[i] && part > 0)', 'if (false)']);
    expect(SEEDS.map((seed) => runFamily(seed, morning(0), { gates }).codes)).toContainEqual(['latency_p95']);
  });
});

const ENTERED = 29_473_920;
const ENDS = [0.01, 0.1, 0.5, 1];
type Judge = { evaluateGates: typeof evaluateGates };

/** A stage with one slice on the shadow, whose keys have always had lists twice as long as those of the others. */
function course(shadowMs: number, gates: Judge = { evaluateGates }, names = ['read', 'list']) {
  const state = stateIn('r1', { enteredAtMs: ENTERED * 60_000 }, 'component');
  const parts: WindowPart[] = [];
  let evidence: Evidence | null = null;
  for (let n = -60; n <= 20; n += 1) {
    for (const [slice] of ENDS.entries())
      for (const operation of names) {
        const isShadow = n > 0 && slice === 0;
        const latencyMs = operation === 'read' ? 20 : slice > 0 ? 40 : isShadow ? shadowMs : 80;
        const count = (slice > 0 ? 60 : 20) + (operation === 'read' ? 9 : n & 1);
        const window = exactMinute(ENTERED + n, isShadow ? 'shadow' : 'primary', count, { latencyMs });
        parts.push({ slice, operation, window });
      }
    if (n < 1) continue;
    const judged = gates.evaluateGates({
      ...{ state, policy: DEFAULT_POLICY, parts, ends: ENDS, table: null, evidence, flagsDeployed: true },
      nowMs: (ENTERED + n + 1) * 60_000,
    });
    evidence = judged.evidence;
    if (judged.verdict.verdict === 'rollback') return judged.verdict.reasons.map(({ code }) => code);
  }
  return evidence!.latencies.map(({ name }) => name);
}

describe('keys that have always had the long lists', () => {
  it('are no regression, and slower ones than theirs are', () => {
    expect(course(80)).toEqual(['read', 'list']);
    expect(course(160)).toContain('operation_latency');
  });

  it('are one where all slices are held to the same', async () => {
    const gates = await without([
      'lib/core/gates/operation-places.ts',
      'return common + believed * (mean - common);',
      'return common;',
    ]);
    expect(course(80, gates)).toContain('operation_latency');
  });
});

it('so many types have evidence, the most frequent ones', () => {
  const names = ['read', ...Array.from({ length: 12 }, (_, i) => `list${i}`)];
  const timed = course(40, { evaluateGates }, names);
  expect(timed).toHaveLength(MOST_TIMED);
  expect(timed[0]).toBe('read');
  expect(course(40, { evaluateGates }, ['read'])).toEqual([]);
});
