/**
 * The guards on seeded traffic, one look a minute: how seldom a healthy shadow is rolled back, and how soon a bad one is.
 * A failure prints the seeds of the runs that went wrong; `run(seed, …)` replays one.
 */

import { describe, expect, it } from 'vitest';
import { DEFAULT_POLICY, type Policy } from '../../lib/core/cutover/cutover.ts';
import { evaluateGates } from '../../lib/core/gates/evaluate.ts';
import type { Evidence } from '../../lib/core/gates/evidence.ts';
import type { MinuteWindow } from '../../lib/core/gates/minute-window.ts';
import { resume } from '../../lib/core/gates/seen.ts';
import { partsOf } from '../helpers/parts.ts';
import { seeded, stateIn } from './samples.ts';
import { minuteOf, type Traffic } from './traffic.ts';

const MINUTE = 60_000;
const ENTERED = 29_473_920;
const HISTORY = 30;
const STATE = stateIn('r1', { enteredAtMs: ENTERED * MINUTE }, 'component');

type Scenario = { minutes: number; primary: Traffic; shadow: Traffic; policy?: Partial<Policy> };

/** Minutes of the primary, drawn once and dealt at random: it is large, and its noise is not what is measured here. */
const dealt = new Map<Traffic, MinuteWindow[]>();
function primaryMinute(random: () => number, minute: number, traffic: Traffic): MinuteWindow {
  let deck = dealt.get(traffic);
  if (!deck) {
    const dealer = seeded(4_711);
    deck = Array.from({ length: 1_000 }, () => minuteOf(dealer, 0, 'primary', traffic));
    dealt.set(traffic, deck);
  }
  return { ...deck[Math.floor(random() * deck.length)]!, minute };
}

/** The minute of the stage in which it was rolled back, or null. */
function run(seed: number, { minutes, primary, shadow, policy }: Scenario): { minute: number; codes: string[] } | null {
  const random = seeded(seed);
  let windows: MinuteWindow[] = [];
  let evidence: Evidence | null = null;
  for (let i = -HISTORY; i <= 0; i += 1) windows.push(primaryMinute(random, ENTERED + i, primary));
  for (let i = 1; i <= minutes; i += 1) {
    windows.push(primaryMinute(random, ENTERED + i, primary), minuteOf(random, ENTERED + i, 'shadow', shadow));
    const asked = { ...DEFAULT_POLICY, ...policy };
    const nowMs = (ENTERED + i + 1) * MINUTE;
    const { fromMinute } = resume(evidence, STATE, asked, nowMs);
    windows = windows.filter((window) => window.minute >= fromMinute);
    const judged = evaluateGates({
      state: STATE,
      policy: asked,
      evidence,
      parts: partsOf(windows),
      table: null,
      flagsDeployed: true,
      nowMs,
    });
    evidence = judged.evidence;
    const { verdict, reasons } = judged.verdict;
    if (verdict === 'rollback') return { minute: i, codes: reasons.map((reason) => reason.code) };
  }
  return null;
}

const seeds = (n: number) => Array.from({ length: n }, (_, i) => i + 1);
const HEALTHY: Traffic = { perMinute: 396, errorRate: 0.001, medianMs: 20, spread: 0.2 };
const AT_1_PERCENT: Traffic = { ...HEALTHY, perMinute: 4 };

describe('a healthy shadow at 1 % of about 400 operations a minute', () => {
  it('is rolled back in at most 1 % of 100 runs of two hours with a look every minute', () => {
    const gone = seeds(100)
      .map((seed) => ({ seed, end: run(seed, { minutes: 120, primary: HEALTHY, shadow: AT_1_PERCENT }) }))
      .filter(({ end }) => end !== null);
    expect(gone.length, JSON.stringify(gone)).toBeLessThanOrEqual(1);
  });

  it('and with a heavy tail of latencies in none of 20', () => {
    const primary = { ...HEALTHY, spread: 1 };
    const shadow = { ...AT_1_PERCENT, spread: 1 };
    const gone = seeds(20).filter((seed) => run(seed, { minutes: 120, primary, shadow }));
    expect(gone).toEqual([]);
  });
});

describe('a healthy shadow that serves most of very little', () => {
  it('is not convicted by the few operations that the primary has left', () => {
    const tail = { ...HEALTHY, spread: 1 };
    const gone = seeds(30)
      .map((seed) =>
        run(seed, { minutes: 120, primary: { ...tail, perMinute: 5 }, shadow: { ...tail, perMinute: 15 } }),
      )
      .filter((end) => end !== null);
    expect(gone).toEqual([]);
  });
});

describe('a shadow that fails one in ten of its four operations a minute', () => {
  const bad = { ...AT_1_PERCENT, errorRate: 0.1 };

  it('is rolled back for its errors: in three of five runs within 20 minutes, in nineteen of twenty within 40', () => {
    const ends = seeds(100).map((seed) => run(seed, { minutes: 120, primary: HEALTHY, shadow: bad }));
    const minutes = ends.map((end) => (end?.codes.includes('errors') ? end.minute : 999)).sort((x, y) => x - y);
    expect(minutes[59], `minutes ${minutes.join(' ')}`).toBeLessThanOrEqual(20);
    expect(minutes[95], `minutes ${minutes.join(' ')}`).toBeLessThanOrEqual(40);
  });

  it('negative control: with an error limit of 60 % it stays', () => {
    const lax = { minutes: 60, primary: HEALTHY, shadow: bad, policy: { errorRateRollback: 0.6 } };
    expect(
      seeds(20)
        .map((seed) => run(seed, lax))
        .filter((end) => end?.codes.includes('errors')),
    ).toHaveLength(0);
  });
});

describe('a shadow that is twice as slow', () => {
  it('is rolled back for its latency within 20 minutes at four operations a minute', () => {
    const ends = seeds(60).map((seed) =>
      run(seed, { minutes: 60, primary: HEALTHY, shadow: { ...AT_1_PERCENT, medianMs: 40 } }),
    );
    const late = ends.filter((end) => end === null || end.minute > 20 || !end.codes.join().includes('latency'));
    expect(late, JSON.stringify(late)).toEqual([]);
  });
});
