/**
 * The rules of other tools that a bench runs beside ours: each against minutes made for it, equal sides and a shadow that is plainly
 * worse, and its figures against ones worked out otherwise. A rule that is wrong here would flatter ours there.
 */

import { describe, expect, it } from 'vitest';
import { bucketIndex } from '../../../lib/core/gates/histogram.ts';
import { emptyWindow, type MinuteWindow } from '../../../lib/core/gates/minute-window.ts';
import { normalUpper } from '../../../lib/core/report/distributions.ts';
import { PEER_RULES } from '../../bench/peer-rules/all.ts';
import { halfWidth, TUNING } from '../../bench/peer-rules/confidence-sequence.ts';
import type { BothSides, PeerRule } from '../../bench/peer-rules/rule.ts';

type Worse = { errors?: number; slower?: number };
const SPREAD = [40, 60, 80, 90, 100, 100, 110, 125, 160, 250];

/** Minutes differ a little from one another, as the same on both sides. */
function windowOf(minute: number, side: MinuteWindow['side'], scale: number, { errors = 0, slower = 1 }: Worse) {
  const latency: Record<number, number> = {};
  for (const [i, ms] of SPREAD.entries()) {
    const bucket = bucketIndex(ms * (1 + 0.02 * ((minute + i) % 5)) * slower);
    latency[bucket] = (latency[bucket] ?? 0) + scale;
  }
  const count = scale * SPREAD.length;
  return { ...emptyWindow(minute, side), count, errors: Math.round(count * (0.01 + errors)), latency };
}

const minuteOf = (minute: number, worse: Worse): BothSides => ({
  minute,
  primary: windowOf(minute, 'primary', 100, {}),
  shadow: windowOf(minute, 'shadow', 20, worse),
});

/** An hour of each kind, made once. */
const hours = new Map<string, readonly BothSides[]>();
function hourOf(worse: Worse): readonly BothSides[] {
  const key = JSON.stringify(worse);
  const hour = hours.get(key) ?? Array.from({ length: 60 }, (_, i) => minuteOf(i + 1, worse));
  hours.set(key, hour);
  return hour;
}

function rolledBack(rule: PeerRule, worse: Worse): number | null {
  const look = rule.start();
  return hourOf(worse).find((minute) => look(minute))?.minute ?? null;
}

const named = (name: string) => PEER_RULES.find((rule) => rule.name === name)!;

/** By when: Kayenta has a judgement an hour. */
const latest = ({ name }: PeerRule) => (name === 'Kayenta' ? 60 : 5);
const NAMED = PEER_RULES.map((rule) => [rule.name, rule] as const);

describe('a rule', () => {
  it.each(NAMED)('lets a shadow be that is as the primary: %s', (_, rule) => {
    expect(rolledBack(rule, {})).toBeNull();
  });

  it.each(NAMED)('rolls back a shadow that is twice as slow: %s', (_, rule) => {
    expect(rolledBack(rule, { slower: 2 })).toBeLessThanOrEqual(latest(rule));
  });

  it.each(NAMED.filter(([name]) => name !== 'Mann–Whitney'))(
    'that looks at errors rolls back a shadow that fails 10 %% more: %s',
    (_, rule) => expect(rolledBack(rule, { errors: 0.1 })).toBeLessThanOrEqual(latest(rule)),
  );
});

describe('a margin', () => {
  const small = { errors: 0.005, slower: 1.1 };

  it('is none for GrowthBook, which proves what is small', () =>
    expect(rolledBack(named('GrowthBook'), small)).toBeLessThanOrEqual(60));

  it.each(['confidence seq.', 'Mann–Whitney', 'Argo, all day'])('of %s tolerates what is small', (name) =>
    expect(rolledBack(named(name), small)).toBeNull(),
  );
});

describe('an analysis of five minutes', () => {
  it('says nothing of the sixth, and one without an end does', () => {
    const looks = ['Argo, 5 min', 'Argo, all day'].map((name) => named(name).start());
    const said = [1, 2, 3, 4, 5, 6].map((minute) =>
      looks.map((look) => look(minuteOf(minute, minute === 6 ? { slower: 2 } : {}))),
    );
    expect(said.flat().filter(Boolean)).toHaveLength(1);
    expect(said[5]).toEqual([false, true]);
  });
});

describe('the confidence sequence', () => {
  const ratio = (n: number) => halfWidth(1 / n, n) / (normalUpper(0.025) / Math.sqrt(n));

  it('is wider than an interval for one look, and least so about where it is tuned to', () => {
    const tuned = ratio(TUNING);
    expect(tuned).toBeGreaterThan(1.4);
    expect(tuned).toBeLessThan(1.6);
    for (const n of [TUNING / 100, TUNING / 10, TUNING * 10, TUNING * 100]) expect(ratio(n)).toBeGreaterThan(tuned);
  });
});
