/** How long a proof takes at the present rate: as it is computed, as it is said, and against when it is really there. */

import { describe, expect, it } from 'vitest';
import type { Condition } from '../../../lib/core/conditions/condition.ts';
import { releaseText, waitsAbout } from '../../../lib/core/conditions/release.ts';
import { conditionText, figuresOf, show } from '../../../lib/core/conditions/show.ts';
import type { Verdict } from '../../../lib/core/conditions/verdict.ts';
import { evaluateGates } from '../../../lib/core/gates/evaluate.ts';
import type { RecentMinute } from '../../../lib/core/gates/evidence.ts';
import {
  minutesToProof,
  minutesToSamples,
  minutesToShare,
  type Watched,
} from '../../../lib/core/gates/time-to-proof.ts';
import * as scenes from '../../helpers/dashboard-reports.ts';
import { runFamily } from '../../helpers/family-run.ts';
import { FAMILIES, type Run } from '../../helpers/gate-families.ts';
import { sourceMutant } from '../../helpers/source-mutant.ts';

// ----------------------------------------------------------------------------------------------------------- computed

const FIRST = 1_000;
const LN_PROOF = Math.log(20);

/** A stage of so many minutes, in which the evidence for health stood at `sum(n)` after the n-th. */
function watched(minutes: number, sum: (n: number) => number, over: Partial<RecentMinute> = {}): Watched {
  const minute = (n: number): RecentMinute => ({
    minute: FIRST + n - 1,
    n0: 0,
    e0: 0,
    n1: 20,
    e1: 0,
    p95Primary: null,
    p95Shadow: null,
    checks: 20,
    mismatches: 0,
    good: [sum(n), sum(n), sum(n), sum(n)],
    ...over,
  });
  const good = { errors: sum(minutes), latency_p50: sum(minutes), latency_p95: sum(minutes), validation: sum(minutes) };
  return {
    evidence: {
      recent: Array.from({ length: minutes }, (_, i) => minute(i + 1)).slice(-30),
      good,
      usuallyGood: { errors: 0, latency_p50: -9, latency_p95: -9, validation: 0 },
    },
    firstMinute: FIRST,
    openMinute: FIRST + minutes,
    input: { policy: { warmUpMinutes: 5 } },
  };
}

describe('the time to a proof', () => {
  it('is what is missing over what the last ten minutes have gained', () => {
    const steady = watched(20, (n) => n / 20);
    expect(minutesToProof('errors', steady)).toBeCloseTo((LN_PROOF - 1) * 20, 9);
    const slowAtFirst = watched(25, (n) => (n <= 15 ? 0 : (n - 15) / 5));
    expect(minutesToProof('errors', slowAtFirst)).toBeCloseTo((LN_PROOF - 2) * 5, 9);
  });

  it('is known from the first minute on, and of latencies from the first one after the warm-up', () => {
    expect(
      minutesToProof(
        'errors',
        watched(1, () => 0.5),
      ),
    ).toBeCloseTo((LN_PROOF - 0.5) * 2, 9);
    expect(
      minutesToProof(
        'latency_p50',
        watched(5, () => 0),
      ),
    ).toBeUndefined();
    expect(
      minutesToProof(
        'latency_p50',
        watched(7, (n) => Math.max(0, n - 5) / 2),
      ),
    ).toBeCloseTo((LN_PROOF - 1) * 2, 9);
  });

  it('looks back further where there are few operations, half an hour at most', () => {
    const few = watched(60, (n) => (n < 35 ? 0 : (n - 35) / 25), { n1: 1, checks: 1 });
    expect(minutesToProof('errors', few)).toBeCloseTo((LN_PROOF - 1) * 29, 9);
  });

  it('is none while the evidence stands still or falls', () => {
    expect(
      minutesToProof(
        'errors',
        watched(20, () => 1),
      ),
    ).toBeNull();
    expect(
      minutesToProof(
        'errors',
        watched(20, (n) => -n),
      ),
    ).toBeNull();
  });

  it('grows where nothing has come for a while', () => {
    const silent = { ...watched(20, (n) => n / 20), openMinute: FIRST + 26 };
    expect(minutesToProof('errors', silent)).toBeCloseTo(((LN_PROOF - 1) * 11) / 0.25, 9);
  });

  it('is that of the whole stage where minutes do not remember the evidence yet', () => {
    const { evidence, ...rest } = watched(20, (n) => n / 20);
    const recent = evidence.recent.map(({ good: _, ...minute }) => minute);
    expect(minutesToProof('errors', { ...rest, evidence: { ...evidence, recent } })).toBeCloseTo(
      (LN_PROOF - 1) * 20,
      9,
    );
  });

  it('of operations is how fast they come', () => {
    expect(
      minutesToSamples(
        300,
        watched(20, () => 0),
      ),
    ).toBeCloseTo(15, 9);
    expect(
      minutesToSamples(
        300,
        watched(20, () => 0, { n1: 0 }),
      ),
    ).toBeNull();
    expect(
      minutesToSamples(
        300,
        watched(0, () => 0),
      ),
    ).toBeUndefined();
  });

  it('of a pooled share is when good ones have made up for bad ones', () => {
    const good = watched(20, () => 0);
    const failed = ({ n1, e1 }: RecentMinute) => ({ n: n1, bad: e1 });
    // 20 of 500 are 4 %; 167 good ones more, 20 a minute, make them 3 %.
    expect(minutesToShare({ n: 500, bad: 20 }, 0.03, failed, good)).toBeCloseTo((20 - 15) / 0.6, 9);
    expect(
      minutesToShare(
        { n: 500, bad: 20 },
        0.03,
        failed,
        watched(20, () => 0, { e1: 1 }),
      ),
    ).toBeNull();
  });
});

// --------------------------------------------------------------------------------------------------------------- said

describe('a time is said', () => {
  it.each([
    [0, 'within a minute'],
    [0.4, 'within a minute'],
    [1.1, 'in about 2 min'],
    [11.6, 'in about 12 min'],
    [43, 'in about 45 min'],
    [89, 'in about 90 min'],
    [100, 'in about 1.5 h'],
    [175, 'in about 3 h'],
    [1_400, 'in about 23 h'],
    [1_441, 'in more than a day'],
    [Number.POSITIVE_INFINITY, 'in more than a day'],
  ])('%d minutes: %s', (minutes, words) => {
    const release = waitsAbout('samples', minutes);
    expect(releaseText([release])).toBe(`More operations of the shadow release it, ${words} at the present rate.`);
    expect(JSON.parse(JSON.stringify(release))).toEqual(release);
  });

  it('not to come nearer, or not at all where nothing is known', () => {
    expect(releaseText([waitsAbout('samples', null)])).toBe(
      'More operations of the shadow release it. It does not come nearer at present.',
    );
    expect(releaseText([waitsAbout('samples', undefined)])).toBe('More operations of the shadow release it.');
  });

  it('without a rate where the clock decides', () => {
    expect(releaseText([{ wait: 'time', etaMs: 11.5 * 60_000 }])).toBe('Time releases it, in about 12 min.');
    expect(releaseText([{ wait: 'time', etaMs: 72 * 3_600_000 }])).toBe('Time releases it, in about 3 days.');
  });
});

/** Every look at a run: its minute, and what was found. */
function looksAt(seed: number, run: Run, gates = { evaluateGates }): readonly { minute: number; verdict: Verdict }[] {
  const looks: { minute: number; verdict: Verdict }[] = [];
  const watching: typeof evaluateGates = (input) => {
    const judged = gates.evaluateGates(input);
    looks.push({ minute: looks.length + 1, verdict: judged.verdict });
    return judged;
  };
  runFamily(seed, run, { gates: { evaluateGates: watching } });
  return looks;
}

const INDEPENDENT: Run = {
  rps: 20,
  slices: [0.01, 0.09, 0.9],
  onShadow: 1,
  minutes: 45,
  family: FAMILIES[0]!,
  checksPerMinute: 60,
};

describe('a proof that waits', () => {
  it('says its claim, how far it is, how many operations it takes, and when it is there', () => {
    const looks = looksAt(1, INDEPENDENT);
    const at = (minute: number, code: string) =>
      conditionText(looks[minute - 1]!.verdict.conditions.find((one) => one.code === code)!);
    expect(at(12, 'proof_errors')).toMatch(
      /^Not proven yet that fewer than 1 % more of its operations fail \(errorRateRollback\): \d+ % of the way, \d+ of about \d+ operations that this takes\. More healthy operations release it, in about \d+ min at the present rate\.$/,
    );
    expect(at(2, 'proof_latency_p95')).toMatch(
      /% of the way, \d+ operations so far\. Latencies count from minute 6 of the stage on, when caches are warm \(warmUpMinutes\)\. More healthy operations release it\.$/,
    );
    const waitsForWarmth = [5, 6].map((minute) => at(minute, 'proof_latency_p95').includes('Latencies count'));
    expect(waitsForWarmth).toEqual([true, false]);
    const proven = looks.at(-1)!.verdict.conditions.find(({ code }) => code === 'proof_validation')!;
    expect(conditionText(proven)).toMatch(/^Proven that more than 99 % of .*: \d+ comparisons were seen\.$/);
  });

  it('shows people the part of the way, and programs the evidence', () => {
    const verdict = looksAt(1, INDEPENDENT)[11]!.verdict;
    const shown = show(verdict.conditions.find(({ code }) => code === 'proof_errors')!);
    expect(shown).toMatchObject({ limit: 20, unit: 'evidence', release: [{ aboutMinutes: expect.any(Number) }] });
    const part = Math.floor((100 * Math.log(shown.seen as number)) / LN_PROOF);
    expect(part).toBeGreaterThan(10);
    expect(figuresOf(shown, ',')).toMatchObject({ seen: `${part} %`, limit: '100 %', limitIs: 'needed' });
  });
});

// ---------------------------------------------------------------------------------------------------------------- true

const PROOFS = ['proof_errors', 'proof_latency_p95', 'proof_validation'] as const;

/** By proof: what was said of how long it takes, over how long it really took. */
function ratios(seeds: number, gates = { evaluateGates }): Readonly<Record<string, readonly number[]>> {
  const found: Record<string, number[]> = { proof_errors: [], proof_latency_p95: [], proof_validation: [] };
  for (let seed = 1; seed <= seeds; seed += 1) {
    const looks = looksAt(seed, INDEPENDENT, gates);
    for (const code of PROOFS) {
      const ofCode = looks.map(({ minute, verdict }) => ({
        minute,
        condition: verdict.conditions.find((one) => one.code === code),
      }));
      const reached = ofCode.find(({ condition }) => condition?.ok)?.minute ?? null;
      for (const { minute, condition } of ofCode) {
        const about = aboutOf(condition);
        if (reached !== null && minute < reached && about !== null) found[code]!.push(about / (reached - minute));
      }
    }
  }
  return found;
}

function aboutOf(condition: Condition | undefined): number | null {
  const [release] = condition?.release ?? [];
  return (release && 'wait' in release && release.aboutMinutes) || null;
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const withinAThird = (ratio: number) => ratio > 2 / 3 && ratio < 4 / 3;

describe('at a constant rate', () => {
  it('what is said is within a third of when the proof is really there', () => {
    const found = ratios(9);
    for (const code of PROOFS) {
      expect(found[code]!.length).toBeGreaterThan(100);
      expect([code, median(found[code]!)]).toEqual([code, expect.toSatisfy(withinAThird)]);
    }
    // Comparisons that agree come evenly: of them every word is true.
    expect(found.proof_validation!.filter((ratio) => !withinAThird(ratio))).toEqual([]);
  });

  it('would not be so with a rate that forgets how long it was looked at', async () => {
    const FILE = 'lib/core/gates/time-to-proof.ts';
    const mutant = await sourceMutant<{ evaluateGates: typeof evaluateGates }>(
      ['lib/core/gates/evaluate.ts'],
      [[FILE, '(missing * minutes) / gained', 'missing / gained']],
    );
    const found = ratios(3, mutant);
    for (const code of PROOFS) expect(withinAThird(median(found[code]!))).toBe(false);
  });
});

// ------------------------------------------------------------------------------------------------------ no raw evidence

/** Evidence means nothing to a person: its figures belong in JSON. */
const RAW_EVIDENCE = /vidence[^.]{0,20}\d/;

describe('sentences of conditions', () => {
  it('have no figure of evidence', async () => {
    const { report } = await scenes.scene([scenes.held, scenes.serving, scenes.copying, scenes.failing]);
    const shown = report.cutovers.flatMap((cutover) => ('verdict' in cutover ? cutover.verdict.conditions : []));
    const mild = { ...INDEPENDENT, rps: 200, onShadow: 2, faults: [{ fromMinute: 1, moreErrors: 0.004 }] };
    const grave = { ...INDEPENDENT, faults: [{ fromMinute: 1, slower: 0.4, moreErrors: 0.1 }] };
    const seen = [INDEPENDENT, mild, grave].flatMap((run) =>
      looksAt(5, run).flatMap(({ verdict }) => verdict.conditions),
    );
    const codes = new Set(seen.filter(({ ok }) => !ok).map(({ code }) => code));
    expect([...codes]).toEqual(expect.arrayContaining(['proof_errors', 'regression', 'proven_regression', 'errors']));
    const texts = [...shown.map(({ text }) => text), ...seen.map(conditionText)];
    expect(texts.filter((text) => RAW_EVIDENCE.test(text))).toEqual([]);
  });

  it.each([
    'Evidence 0.0000061 of 20 that fewer than 5 % more of its operations fail.',
    'The shadow is proven to be worse (errors, evidence 1200 of 267), but by less than what rolls back.',
    'Proven with evidence 1.2e+6 of 541 over 3 bad minutes.',
  ])('would be noticed in: %s', (old) => {
    expect(RAW_EVIDENCE.test(old)).toBe(true);
  });
});
