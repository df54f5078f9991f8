/**
 * What the gates say of seeded traffic of every sort, minute by minute, and which evidence is left: any figure of the statistics that
 * comes out otherwise changes a line. Whether the figures are right is asked elsewhere (gates-reference, gate-laws).
 */

import { expect, it } from 'vitest';
import { idOf } from '../../../lib/core/conditions/condition.ts';
import { DEFAULT_POLICY } from '../../../lib/core/cutover/cutover.ts';
import { bucketedWindow } from '../../../lib/core/gates/bucketed-window.ts';
import { evaluateGates } from '../../../lib/core/gates/evaluate.ts';
import { type Evidence, newEvidence } from '../../../lib/core/gates/evidence.ts';
import { testedMetrics } from '../../../lib/core/gates/guards.ts';
import type { Metric } from '../../../lib/core/gates/metrics.ts';
import { emptyWindow, type WindowPart } from '../../../lib/core/gates/minute-window.ts';
import { weightsOf } from '../../../lib/core/gates/mix.ts';
import { recentMinute } from '../../../lib/core/gates/recent.ts';
import { resume, unfoldedFrom } from '../../../lib/core/gates/seen.ts';
import { minutesToSamples, minutesToShare, timeTo } from '../../../lib/core/gates/time-to-proof.ts';
import { combinations, said } from '../../helpers/said.ts';
import { seeded, stateIn } from '../../property/samples.ts';
import { exactMinute } from '../../property/traffic.ts';

const MINUTE_MS = 60_000;
const ENTERED = 29_473_920;
const ENDS = [0.01, 0.5, 1] as const;
const STATE = stateIn('r2', { enteredAtMs: ENTERED * MINUTE_MS }, 'component');
const BEFORE = 20;

type Traffic = { perMinute: number; errors: number; slower: number; mismatches: number; pairs: number; jump?: boolean };
const TRAFFIC: Readonly<Record<string, Traffic>> = {
  alike: { perMinute: 60, errors: 0.01, slower: 1, mismatches: 0, pairs: 0 },
  few: { perMinute: 3, errors: 0.1, slower: 1, mismatches: 0, pairs: 0 },
  failing: { perMinute: 60, errors: 0.2, slower: 1, mismatches: 0, pairs: 5 },
  slower: { perMinute: 60, errors: 0.01, slower: 1.4, mismatches: 0, pairs: 0 },
  'wrong rows': { perMinute: 60, errors: 0, slower: 1, mismatches: 2, pairs: 9 },
  'with a jump on both sides': { perMinute: 200, errors: 0.01, slower: 1, mismatches: 0, pairs: 0, jump: true },
};

function partsOf(
  seed: number,
  { perMinute, errors, slower, mismatches, pairs, jump = false }: Traffic,
  minutes: number,
) {
  const random = seeded(seed);
  const parts: WindowPart[] = [];
  for (let minute = 1 - BEFORE; minute <= minutes; minute += 1)
    for (const [slice] of ENDS.entries())
      for (const operation of ['read', 'list']) {
        const shadow = minute > 0 && slice < 2;
        const count = Math.floor(perMinute * (0.7 + 0.6 * random()));
        const failed = (rate: number) => Math.min(count, Math.floor(count * rate * 2 * random()));
        const latencyMs =
          (operation === 'list' ? 80 : 20) *
          (shadow ? slower : 1) *
          (jump && minute > 15 ? 3 : 1) *
          (0.8 + 0.4 * random());
        const window = exactMinute(ENTERED + minute, shadow ? 'shadow' : 'primary', count, {
          errors: failed(shadow ? errors : 0.01),
          latencyMs,
        });
        if (count > 0)
          parts.push({ slice, operation, window: { ...window, ...(shadow ? { checks: 10, mismatches, pairs } : {}) } });
      }
  return parts;
}

it('of traffic of every sort', async () => {
  const lives = Object.entries(TRAFFIC).map(([name, traffic], seed) => {
    const parts = partsOf(seed, traffic, 40);
    let evidence: Evidence | null = null;
    const lines = [2, 15, 40].map((minute) => {
      const judged = evaluateGates({
        state: STATE,
        policy: DEFAULT_POLICY,
        parts: parts.filter(({ window }) => window.minute <= ENTERED + minute),
        ends: ENDS,
        checksRequired: true,
        table: null,
        evidence,
        flagsDeployed: true,
        nowMs: (ENTERED + minute + 1) * MINUTE_MS + 7_000,
      });
      evidence = judged.evidence;
      const { verdict, conditions, reasons } = judged.verdict;
      return [
        minute,
        verdict,
        reasons.map(idOf),
        conditions.map((one) => [idOf(one), one.ok, one.seen, one.limit, one.says, one.release]),
      ] as const;
    });
    return (
      said(name, lines, ([, ...rest]) => rest) +
      said(`${name}: the evidence`, Object.entries(evidence ?? {}), ([, value]) => value === null)
    );
  });
  await expect(lives.join('\n')).toMatchFileSnapshot('../../fixtures/said/gates.txt');
});

it('of how long it takes', async () => {
  const minute = (n1: number) => ({ n1 }) as never;
  const watched = (recent: readonly number[]) =>
    ({
      evidence: { recent: recent.map((n1, i) => ({ ...(minute(n1) as object), minute: ENTERED + i + 1, good: null })) },
      openMinute: ENTERED + recent.length + 1,
      firstMinute: ENTERED + 1,
    }) as never;
  await expect(
    [
      said(
        'from what was gained',
        combinations({ missing: [-1, 0, 0.1, 3], gained: [-1, 0, 0.5, 2], minutes: [-1, 0, 1, 4] }),
        ({ missing, gained, minutes }) => timeTo(missing, gained, minutes),
      ),
      said(
        'to samples',
        combinations({ missing: [0, 5], recent: [[], [0], [1], [2, 0, 1], Array.from({ length: 40 }, (_, i) => i)] }),
        ({ missing, recent }) => minutesToSamples(missing, watched(recent)),
      ),
      said('to a share', [[], [0], [4], [1, 2, 3]], (recent) =>
        minutesToShare({ n: 10, bad: 3 }, 0.1, ({ n1 }) => ({ n: n1, bad: n1 / 20 }), watched(recent)),
      ),
    ].join('\n'),
  ).toMatchFileSnapshot('../../fixtures/said/time-to-proof.txt');
});

it('of what is folded again', async () => {
  const day = 24 * 60;
  const cases = combinations({
    stage: ['r2', 'completed'] as const,
    minutes: [0, 1, 59, 60, 61, day - 1, day, day + 1, 2 * day],
  });
  await expect(
    said(
      'the first minute that is wanted, from the one of the stage',
      cases,
      ({ stage, minutes }) =>
        unfoldedFrom(
          null,
          stateIn(stage, { enteredAtMs: ENTERED * MINUTE_MS + 7 }, 'component'),
          DEFAULT_POLICY,
          (ENTERED + minutes) * MINUTE_MS + 7,
        ) - ENTERED,
    ) +
      said(
        'after a look at a minute, of which so much was folded',
        combinations({
          kept: ['all', 'of another stage', 'none'] as const,
          folded: [-100, 58],
          lookedAt: [20, 59, 60, 70],
        }),
        ({ kept, folded, lookedAt }) => {
          const state = stateIn('r2', { enteredAtMs: ENTERED * MINUTE_MS + 7 }, 'component');
          const nowMs = (ENTERED + 60) * MINUTE_MS + 7;
          const { evidence } = resume(null, kept === 'all' ? state : { ...state, epoch: 99 }, DEFAULT_POLICY, nowMs);
          const stored = kept === 'none' ? null : { ...evidence, closedThrough: ENTERED + folded };
          const last = { evidence: stored, atMs: (ENTERED + lookedAt) * MINUTE_MS + 7 };
          return unfoldedFrom(last, state, DEFAULT_POLICY, nowMs) - ENTERED;
        },
      ),
  ).toMatchFileSnapshot('../../fixtures/said/folded-again.txt');
});

it('of minutes that only one side has', async () => {
  const window = (over: object) => ({ ...bucketedWindow(emptyWindow(ENTERED, 'shadow')), ...over });
  const windows = [
    null,
    window({}),
    window({ count: 9, errors: 2, checks: 3, mismatches: 1, late: 4, left: 5, incomparable: 6 }),
    window({ count: 1, told: 7 }),
    window({ count: 1, told: 7, drops: 8, memory: { 70: 1, 93: 2 } }),
  ];
  await expect(
    said('of both', combinations({ primary: [0, 1, 2, 3, 4], shadow: [0, 1, 2, 3, 4] }), ({ primary, shadow }) =>
      recentMinute(ENTERED, windows[primary]!, windows[shadow]!),
    ),
  ).toMatchFileSnapshot('../../fixtures/said/recent-minutes.txt');
});

it('of how far something lies beyond the limit', async () => {
  const evidence = newEvidence('key');
  const counts = {
    none: [0, 0, 0, 0, 0],
    few: [100, 10, 100, 12, 12],
    many: [100, 1, 100, 30, 30],
    'none above': [100, 0, 100, 0, 0],
  };
  const cases = combinations({
    cold: [true, false],
    at: [0, 3.29, 3.3, 3.99, 4, 5.99, 6],
    bad: [DEFAULT_POLICY.consecutiveFailures - 1, DEFAULT_POLICY.consecutiveFailures],
    of: Object.keys(counts) as (keyof typeof counts)[],
  });
  const each = <One>(of: Readonly<Record<Metric, One>>, change: (one: One) => One) =>
    Object.fromEntries(Object.entries(of).map(([name, one]) => [name, change(one)])) as Record<Metric, One>;
  await expect(
    said('by metric', cases, ({ cold, at, bad, of }) =>
      testedMetrics({
        evidence: {
          ...evidence,
          cold,
          sizes: each(evidence.sizes, () => ({ at, bad })),
          metrics: each(evidence.metrics, (one) => ({
            ...one,
            excursions: one.excursions.map((excursion) => ({ ...excursion, bad, sums: counts[of] })),
          })),
        },
        input: { policy: DEFAULT_POLICY },
      } as never)
        .filter(({ beyond }) => beyond)
        .map(({ metric }) => metric),
    ),
  ).toMatchFileSnapshot('../../fixtures/said/beyond.txt');
});

it('of a mix of operations that is not the usual one', async () => {
  const shadows = [0, 10, 40, 90, 146, 148, 150, 152, 154, 156, 158, 160];
  const cases = combinations({ one: shadows, other: [20], usually: [0, 20], elsewhere: [0, 30], primary: [30, 60] });
  await expect(
    said('weights', cases, ({ one, other, ...mix }) => [
      ...weightsOf([
        { name: 'one', mix: { ...mix, shadow: one } },
        { name: 'other', mix: { usually: 20, elsewhere: 30, shadow: other, primary: 30 } },
      ] as never),
    ]),
  ).toMatchFileSnapshot('../../fixtures/said/mix.txt');
});
