/** The gates: everything that must hold to advance, each failing alone; the guards; and what is done without data. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { conditionText } from '../../../lib/core/conditions/show.ts';
import type { Verdict } from '../../../lib/core/conditions/verdict.ts';
import { DEFAULT_POLICY, type Policy } from '../../../lib/core/cutover/cutover.ts';
import { evaluateGates } from '../../../lib/core/gates/evaluate.ts';
import { latencyLimit } from '../../../lib/core/gates/limits.ts';
import type { MinuteWindow } from '../../../lib/core/gates/minute-window.ts';
import type { TableStatus, VerificationResult } from '../../../lib/core/gates/table-status.ts';
import { gateInput, type WholeInput } from '../../helpers/parts.ts';
import { SAYS_WHAT_RELEASES, type StageName, stateIn } from '../../property/samples.ts';
import { exactMinute } from '../../property/traffic.ts';

/** All at once, from the windows alone. */
const evaluate = (input: WholeInput) => evaluateGates(gateInput(input)).verdict;

const MINUTE = 60_000;
/** The stage was entered at the start of this minute; its own first minute is the next one. */
const ENTERED = 29_473_920;
const MINUTES = 20;
const OPEN = ENTERED + MINUTES;

const VERIFIED: VerificationResult = {
  rowsCompared: 1_000,
  divergences: 0,
  score: 1,
  atMs: ENTERED * MINUTE + 1,
  samples: [],
};
const TABLE: TableStatus = {
  armed: 'forward',
  mirror: { epoch: 3, version: 7, stage: 'r1' },
  lagMs: 100,
  outboxRows: 2,
  quarantined: 0,
  quarantine: [],
  backfill: { state: 'done', rowsDone: 1_000, rowsTotal: 1_000, rowsPerSecond: 0 },
  verification: VERIFIED,
};

type Healthy = { stage?: StageName; table?: Partial<TableStatus> | null; policy?: Partial<Policy> };

/** Windows of both sides for the minutes of the stage that are closed, and half an hour of the primary before. */
function traffic(
  stage: StageName,
  minutes = MINUTES,
  served = stage === 'r1' ? 20 : stage === 'r2' ? 1_000 : 200,
): MinuteWindow[] {
  const windows: MinuteWindow[] = [];
  for (let minute = ENTERED - 30; minute < ENTERED + minutes; minute += 1) {
    const inStage = minute > ENTERED;
    if (!inStage || stage !== 'full_100') windows.push(exactMinute(minute, 'primary', 1_000, { errors: 1 }));
    if (inStage && stage !== 'dual_write') windows.push(exactMinute(minute, 'shadow', served));
  }
  return windows;
}

/** Everything as it should be. */
function healthy({ stage = 'r1', table = {}, policy = {} }: Healthy = {}, over: Partial<WholeInput> = {}): WholeInput {
  return {
    state: stateIn(stage, { enteredAtMs: ENTERED * MINUTE }),
    policy: { ...DEFAULT_POLICY, ...policy },
    windows: traffic(stage),
    table: table === null ? null : { ...TABLE, ...table },
    flagsDeployed: true,
    nowMs: OPEN * MINUTE,
    ...over,
  };
}

const codes = (verdict: Verdict) => verdict.reasons.map((reason) => reason.code);
const change = (
  input: WholeInput,
  side: 'primary' | 'shadow',
  of: (window: MinuteWindow) => Partial<MinuteWindow>,
) => ({
  ...input,
  windows: input.windows.map((w) => (w.side === side && w.minute > ENTERED ? { ...w, ...of(w) } : w)),
});
/** Other latencies for the shadow, all of its operations alike. */
const slower = (input: WholeInput, latencyMs: number) =>
  change(input, 'shadow', (w) => ({ latency: exactMinute(w.minute, 'shadow', w.count, { latencyMs }).latency }));

describe('a healthy cutover', () => {
  it.each(['dual_write', 'r1', 'r2', 'full_100'] as const)('may leave %s', (stage) => {
    const verdict = evaluate(healthy({ stage }));
    expect(verdict).toMatchObject({ verdict: 'advance', reasons: [] });
    expect(verdict.conditions.every((condition) => condition.ok)).toBe(true);
  });

  it('needs no table when it moves code or a service', () => {
    const state = stateIn('r1', { enteredAtMs: ENTERED * MINUTE }, 'component');
    expect(evaluate(healthy({ table: null }, { state })).verdict).toBe('advance');
  });

  it('shows the figures it was judged by', () => {
    expect(evaluate(healthy()).evidence).toMatchObject({
      primary: { count: 19_000, errors: 19 },
      shadow: { count: 380, errors: 0, errorRate: 0 },
      badMinutes: 0,
      minutesInStage: MINUTES,
      minutesToEligibility: 0,
    });
  });
});

describe('I21 each condition alone holds the cutover and says value and limit', () => {
  const alone: readonly [name: string, input: WholeInput, code: string, value: unknown, limit: unknown][] = [
    [
      'the dwell is not over',
      healthy({ stage: 'r2' }, { nowMs: (ENTERED + 9) * MINUTE, windows: traffic('r2', 9, 500) }),
      'dwell',
      9,
      10,
    ],
    [
      'it is paused',
      healthy({}, { state: stateIn('r1', { enteredAtMs: ENTERED * MINUTE, paused: true }) }),
      'paused',
      'paused',
      'running',
    ],
    ['the flags are not deployed', healthy({}, { flagsDeployed: false }), 'flags', 'old', 'deployed'],
    ['approval is missing', healthy({ policy: { approvalRequired: true } }), 'approval', 'missing', 'given'],
    ['the database cannot be asked', healthy({ table: null }), 'database', null, 'reachable'],
    ['the outbox is too old', healthy({ table: { lagMs: 30_001 } }), 'lag', 30_001, 30_000],
    ['a key is in quarantine', healthy({ table: { quarantined: 1 } }), 'quarantine', 1, 0],
    ['nothing was verified', healthy({ table: { verification: null } }), 'verification', null, 0.995],
    [
      'a row differs',
      healthy({ table: { verification: { ...VERIFIED, divergences: 1, score: 0.999 } } }),
      'verification',
      0.999,
      1,
    ],
    [
      'the verification is a day old',
      healthy({ table: { verification: { ...VERIFIED, atMs: OPEN * MINUTE - 86_400_001 } } }),
      'verification',
      1,
      0.995,
    ],
    [
      'the shadow was quiet',
      healthy(
        {},
        {
          windows: traffic('r1', 16).concat(
            traffic('r1').filter((w) => w.side === 'primary' && w.minute >= ENTERED + 16),
          ),
        },
      ),
      'data_missing',
      5,
      3,
    ],
    ['the shadow served too little', healthy({ policy: { minSamples: 381 } }), 'samples', 380, 381],
    [
      'the shadow fails more',
      change(healthy({}, { windows: traffic('r1', MINUTES, 100) }), 'shadow', (w) => ({
        errors: w.minute <= ENTERED + 6 ? 1 : 0,
      })),
      'errors',
      6 / 1_900 - 0.001,
      0.001,
    ],
    [
      'a checked row differs',
      change(healthy(), 'shadow', (w) => ({ checks: 10, mismatches: w.minute === ENTERED + 1 ? 1 : 0 })),
      'mismatches',
      1 / 190,
      1 - 0.995,
    ],
    [
      'too many reads have no key',
      change(healthy(), 'primary', () => ({ keyless: 11 })),
      'keyless',
      209 / 19_380,
      0.01,
    ],
  ];

  it.each(alone)('%s', (_name, input, code, value, limit) => {
    const verdict = evaluate(input);
    expect(verdict.verdict).toBe('hold');
    expect(codes(verdict)).toEqual([code]);
    const [reason] = verdict.reasons;
    if (typeof value === 'number') expect(reason!.seen).toBeCloseTo(value, 9);
    else expect(reason!.seen).toBe(value);
    expect(reason!.limit).toBe(limit);
    expect(conditionText(reason!)).toMatch(SAYS_WHAT_RELEASES);
  });

  it('the backfill is running, and then no verification counts either', () => {
    const backfill = { state: 'running', rowsDone: 600, rowsTotal: 1_000, rowsPerSecond: 100 } as const;
    const verdict = evaluate(healthy({ table: { backfill } }));
    expect(codes(verdict)).toEqual(['backfill', 'verification']);
    expect(verdict.reasons[0]).toMatchObject({ seen: 600, limit: 1_000, release: [{ aboutMinutes: 0.1 }] });
    expect(conditionText(verdict.reasons[0]!)).toMatch(/releases it, within a minute at the present rate\.$/);
  });

  it.each([
    [
      'falls',
      180_000,
      6.3,
      /released when the writer has caught up to within the limit, in about 7 min at the present rate\.$/,
    ],
    ['grows', 420_000, null, /caught up to within the limit\. It does not come nearer at present\.$/],
  ])('a lag that %s says how long it takes to catch up', (_, lagMs, aboutMinutes, text) => {
    const before = evaluateGates(
      gateInput(healthy({ table: { lagMs: 300_000 } }, { nowMs: (OPEN - 5) * MINUTE })),
    ).evidence;
    const { verdict } = evaluateGates({ ...gateInput(healthy({ table: { lagMs } })), evidence: before });
    const lag = verdict.reasons.find(({ code }) => code === 'lag')!;
    expect(lag.release).toEqual([{ wait: 'catch_up', aboutMinutes }]);
    expect(conditionText(lag)).toMatch(text);
  });

  it('the time in which more errors are made up for is said where no more come', () => {
    const failing = change(healthy({}, { windows: traffic('r1', MINUTES, 100) }), 'shadow', (w) => ({
      errors: w.minute <= ENTERED + 6 ? 1 : 0,
    }));
    const errors = evaluate(failing).reasons.find(({ code }) => code === 'errors')!;
    // 6 of 1900 beside 0.1 % of the primary: 0.2 % may be, so 3000 operations are enough, 100 a minute.
    expect(errors.release).toEqual([{ wait: 'fewer_errors', aboutMinutes: expect.closeTo(11, 0) }]);
    const more = change(failing, 'shadow', () => ({ errors: 1 }));
    expect(evaluate(more).conditions.findLast(({ code }) => code === 'errors')!.release).toEqual([
      { wait: 'fewer_errors', aboutMinutes: null },
    ]);
  });

  it('latency beyond the limit of advancing holds p50 and p95, and is no reason to go back below the other limit', () => {
    const verdict = evaluate(slower(healthy({ policy: { latencyFloorMs: 0 } }), 11.5));
    expect(verdict.verdict).toBe('hold');
    expect(codes(verdict)).toEqual(expect.arrayContaining(['latency_p50', 'latency_p95', 'proven_regression']));
  });

  it('given approval lets it go', () => {
    const state = stateIn('r1', { enteredAtMs: ENTERED * MINUTE, approved: true });
    expect(evaluate(healthy({ policy: { approvalRequired: true } }, { state })).verdict).toBe('advance');
  });

  it('nothing advances from a stage that needs a person or is at rest', () => {
    for (const stage of ['disabled', 'completed', 'cleaned', 'rolled_back'] as const) {
      expect(evaluate(healthy({ stage }))).toMatchObject({ verdict: 'hold', reasons: [{ code: 'stage' }] });
    }
  });

  it('every condition that fails is named, not just the first', () => {
    const verdict = evaluate(healthy({ table: { quarantined: 2, lagMs: 1e9 } }, { flagsDeployed: false }));
    expect(codes(verdict)).toEqual(['flags', 'lag', 'quarantine']);
  });
});

describe('I22 no data is never good news', () => {
  it('no window at all holds, in every stage that serves', () => {
    for (const stage of ['dual_write', 'r1', 'r2', 'full_100'] as const) {
      const verdict = evaluate(healthy({ stage }, { windows: [] }));
      expect(verdict.verdict).toBe('hold');
      expect(codes(verdict)).toContain('data_missing');
    }
  });

  it('windows of zero operations are no data', () => {
    const silent = healthy().windows.map((w) => exactMinute(w.minute, w.side, 0));
    const verdict = evaluate(healthy({}, { windows: silent }));
    expect(codes(verdict)).toEqual(expect.arrayContaining(['data_missing', 'samples', 'latency_p50', 'latency_p95']));
  });

  it('either side missing holds', () => {
    for (const side of ['primary', 'shadow'] as const) {
      const windows = healthy().windows.filter((w) => w.side !== side || w.minute <= ENTERED);
      expect(codes(evaluate(healthy({}, { windows })))).toContain('data_missing');
    }
  });

  it('at 100 % the primary need not report, the shadow must', () => {
    const input = healthy({ stage: 'full_100' });
    expect(evaluate(input).verdict).toBe('advance');
    const windows = input.windows.filter((w) => w.side !== 'shadow');
    expect(codes(evaluate({ ...input, windows }))).toContain('data_missing');
  });

  it('four minutes of silence hold, three do not', () => {
    const at = (minutesLater: number) => evaluate(healthy({}, { nowMs: (OPEN - 1 + minutesLater) * MINUTE }));
    expect(at(3).verdict).toBe('advance');
    expect(codes(at(4))).toEqual(['data_missing', 'data_missing']);
  });

  it('a clock an hour ahead sees the dwell over and no fresh window', () => {
    expect(codes(evaluate(healthy({}, { nowMs: (OPEN + 60) * MINUTE })))).toContain('data_missing');
  });

  it('samples from before the stage prove nothing about it', () => {
    const before = Array.from({ length: 30 }, (_, i) => exactMinute(ENTERED - i, 'shadow', 1_000));
    const windows = [...before, ...healthy().windows.filter((w) => w.side === 'primary')];
    expect(codes(evaluate(healthy({}, { windows })))).toEqual(expect.arrayContaining(['samples']));
  });

  it('the minute that is still open is not looked at', () => {
    const open = exactMinute(OPEN, 'shadow', 1_000, { errors: 1_000, latencyMs: 5_000 });
    const input = healthy();
    expect(evaluate({ ...input, windows: [...input.windows, open] })).toEqual(evaluate(input));
  });

  it('no number that is not one ever advances within two minutes, and later it was not counted', () => {
    const field = fc.constantFrom('count', 'errors', 'keyless', 'mismatches' as const);
    const input = healthy();
    const served = input.windows
      .map((w, i) => [w, i] as const)
      .filter(([w]) => w.side === 'shadow' && w.minute > ENTERED);
    fc.assert(
      fc.property(field, fc.nat(), (name, which) => {
        const [window, at] = served[which % served.length]!;
        const windows = input.windows.with(at, { ...window, [name]: Number.NaN });
        const verdict = evaluate({ ...input, windows });
        if (window.minute >= OPEN - 2) expect(codes(verdict)).toContain('data_missing');
        expect(verdict.evidence.shadow.count).toBe(360);
      }),
    );
  });

  it('taking any minutes away never turns a hold into an advance', () => {
    const input = healthy({ policy: { minSamples: 381 } });
    fc.assert(
      fc.property(fc.func(fc.boolean()), (kept) => {
        const windows = input.windows.filter((window) => kept(window));
        expect(evaluate({ ...input, windows }).verdict).toBe('hold');
      }),
      { numRuns: 50 },
    );
  });

  it('negative control: the same without the rules on samples, freshness and proof would advance', () => {
    const verdict = evaluate(healthy({}, { windows: [] }));
    const ruled = /^(data_missing|samples|latency_p50|latency_p95|proof_.*)$/;
    expect(verdict.conditions.filter((c) => !ruled.test(c.code)).every((c) => c.ok)).toBe(true);
  });
});

describe('verification', () => {
  it('of an earlier run of this cutover does not count', () => {
    const earlier = { ...VERIFIED, atMs: ENTERED * MINUTE - 1 };
    const verdict = evaluate(healthy({ stage: 'dual_write', table: { verification: earlier } }));
    expect(codes(verdict)).toEqual(['verification']);
    expect(verdict.reasons[0]!.seen).toBeNull();
  });

  it('of an earlier run does not roll back either', () => {
    const earlier = { ...VERIFIED, atMs: ENTERED * MINUTE - 1, divergences: 900, score: 0.1 };
    expect(evaluate(healthy({ stage: 'dual_write', table: { verification: earlier } })).verdict).toBe('hold');
  });

  it('that finds the shadow wrong rolls back at once and names keys and columns', () => {
    const wrong = {
      ...VERIFIED,
      divergences: 20,
      score: 0.98,
      samples: [
        { key: '{"id":7}', columns: ['email', 'name'] },
        { key: '{"id":9}', columns: [] },
      ],
    };
    for (const stage of ['dual_write', 'r1', 'r2', 'full_100'] as const) {
      const verdict = evaluate(healthy({ stage, table: { verification: wrong } }));
      expect(verdict).toMatchObject({
        verdict: 'rollback',
        reasons: [{ code: 'validation', seen: 0.98, limit: 0.99 }],
      });
      expect(verdict.reasons[0]!.says).toMatch(/20 of 1000.*\{"id":7\} \(email, name\).*\{"id":9\} \(row\)/);
    }
  });

  it('that finds one row of a thousand different holds every stage and rolls none back', () => {
    const one = { ...VERIFIED, divergences: 1, score: 0.999 };
    for (const stage of ['dual_write', 'r1', 'r2', 'full_100'] as const) {
      const verdict = evaluate(healthy({ stage, table: { verification: one } }));
      expect([verdict.verdict, codes(verdict)]).toEqual(['hold', ['verification']]);
    }
  });

  it('during the backfill rolls nothing back: rows that are not copied yet are missing by nature', () => {
    const backfill = { ...TABLE.backfill, state: 'running' as const };
    const wrong = { ...VERIFIED, divergences: 500, score: 0.5 };
    expect(evaluate(healthy({ stage: 'dual_write', table: { backfill, verification: wrong } })).verdict).toBe('hold');
  });
});

describe('the guards', () => {
  const failing = (input: WholeInput, errors: number, from = ENTERED + 1) =>
    change(input, 'shadow', (w) => (w.minute >= from ? { errors } : {}));
  const servedFor = (minutes: number) =>
    healthy({}, { windows: traffic('r1', minutes + 1), nowMs: (ENTERED + 1 + minutes) * MINUTE });

  it('wait for three minutes, then roll back with the evidence', () => {
    const verdicts = [1, 2, 3].map((minutes) => evaluate(failing(servedFor(minutes), 4)));
    expect(verdicts.map((verdict) => verdict.verdict)).toEqual(['hold', 'hold', 'rollback']);
    expect(verdicts.map((verdict) => verdict.evidence.badMinutes)).toEqual([1, 2, 3]);
    expect(verdicts[2]!.reasons).toEqual([
      expect.objectContaining({ code: 'errors', seen: 0.2, says: expect.stringContaining('12 of 60') }),
    ]);
  });

  it('wait for no minute when half of the operations fail', () => {
    const verdict = evaluate(failing(servedFor(1), 10));
    expect(verdict.reasons).toEqual([expect.objectContaining({ code: 'unavailable', seen: 0.5, limit: 0.5 })]);
  });

  it('tell failures that may be chance from a primary that fails, too', () => {
    const few = evaluate(
      change(servedFor(1), 'shadow', ({ minute }) => exactMinute(minute, 'shadow', 6, { errors: 3 })),
    );
    const both = evaluate(change(failing(healthy(), 10), 'primary', () => ({ errors: 500 })));
    const reason = (code: string) => expect.objectContaining({ code });
    expect(few.reasons).toContainEqual(reason('shadow_failing'));
    expect(both.reasons).toContainEqual(reason('primary_failing'));
    expect(both.reasons).not.toContainEqual(reason('shadow_failing'));
  });

  it('wait for as many bad minutes as the policy says', () => {
    const at = (consecutiveFailures: number) =>
      evaluate(
        failing(
          healthy({ policy: { consecutiveFailures } }, { windows: traffic('r1', 6), nowMs: (ENTERED + 6) * MINUTE }),
          4,
        ),
      ).verdict;
    expect([1, 5, 6].map(at)).toEqual(['rollback', 'rollback', 'hold']);
  });

  it('compare with the primary: when both fail alike, nothing is rolled back', () => {
    const both = change(failing(healthy(), 10), 'primary', () => ({ errors: 500 }));
    expect(evaluate(both).verdict).not.toBe('rollback');
  });

  it('do not fire for a share of errors that the limit explains', () => {
    expect(evaluate(change(healthy(), 'shadow', (w) => ({ errors: w.minute % 5 === 0 ? 1 : 0 }))).verdict).toBe('hold');
  });

  it('roll back a shadow that is slower by more than the limit', () => {
    const verdict = evaluate(slower(healthy({ policy: { latencyFloorMs: 0 } }), 14));
    expect(verdict.verdict).toBe('rollback');
    expect(codes(verdict)).toContain('latency_p50');
  });

  it('roll back a shadow whose slowest five in a hundred alone are slower', () => {
    const input = change(healthy(), 'shadow', () => ({
      latency: { ...exactMinute(0, 'shadow', 16).latency, ...exactMinute(0, 'shadow', 4, { latencyMs: 90 }).latency },
    }));
    expect(codes(evaluate(input))).toEqual(expect.arrayContaining(['latency_p95']));
  });

  it('say where the limit of a latency lies: at the floor only where that is more than the share', () => {
    const says = (latencyFloorMs: number) =>
      evaluate(slower(healthy({ policy: { latencyFloorMs, latencyIncreaseRollback: 1 } }), 90)).reasons.find(
        ({ code }) => code === 'latency_p50',
      )!.says;
    const input = slower(healthy({ policy: { latencyFloorMs: 0, latencyIncreaseRollback: 1 } }), 90);
    const { baseline: past } = evaluateGates(gateInput(input)).evidence;
    const baseline = latencyLimit(past, DEFAULT_POLICY, 'latency_p50').primaryMs;
    const atShare = `The limit is the primary's p50 of 9.9 ms and 100 % of it (latencyIncreaseRollback).`;
    for (const floor of [0, 5, baseline]) expect(says(floor)).toContain(atShare);
    expect(says(baseline + 2)).toContain(
      `The limit is the primary's p50 of 9.9 ms and the floor of 11.9 ms (latencyFloorMs), which is more than 100 % of it (latencyIncreaseRollback).`,
    );
  });

  it('below the floor of milliseconds no latency matters, whatever it is in per cent', () => {
    const fast = (latencyMs: number) => {
      const input = change(healthy(), 'primary', (w) => ({
        latency: exactMinute(0, 'primary', w.count, { latencyMs: 1 }).latency,
      }));
      const windows = input.windows.map((w) =>
        w.minute <= ENTERED ? exactMinute(w.minute, w.side, w.count, { latencyMs: 1 }) : w,
      );
      return evaluate(slower({ ...input, windows }, latencyMs)).verdict;
    };
    expect(fast(2.5)).toBe('advance');
    expect(fast(4)).toBe('rollback');
  });

  it('roll back rows that the writer itself found different', () => {
    const verdict = evaluate(change(healthy(), 'shadow', () => ({ checks: 100, mismatches: 5 })));
    expect(verdict.verdict).toBe('rollback');
    expect(codes(verdict)).toEqual(['validation']);
  });

  it('at 100 % compare with what the primary did before the stage, and hold: days differ', () => {
    const input = healthy({ stage: 'full_100' });
    for (const worse of [slower(input, 30), failing(input, 10)]) {
      const verdict = evaluate(worse);
      expect(verdict.verdict).toBe('hold');
      expect(codes(verdict)).toContain('proven_regression');
    }
    const unknown = { ...slower(input, 30), windows: slower(input, 30).windows.filter((w) => w.side === 'shadow') };
    expect(evaluate(unknown).verdict).toBe('hold');
    expect(codes(evaluate(unknown))).toEqual(expect.arrayContaining(['latency_p50', 'latency_p95']));
  });

  it('have nothing to say before reads are served', () => {
    const input = healthy({ stage: 'dual_write' });
    const bad = Array.from({ length: 10 }, (_, i) => exactMinute(ENTERED + 1 + i, 'shadow', 20, { errors: 20 }));
    expect(evaluate({ ...input, windows: [...input.windows, ...bad] }).verdict).not.toBe('rollback');
  });

  it('negative control: with a limit of everything even a dead shadow stays', () => {
    const lax = healthy({ policy: { errorRateRollback: 0.9999 } });
    expect(evaluate(failing(lax, 4)).verdict).not.toBe('rollback');
    expect(evaluate(failing(healthy(), 4)).verdict).toBe('rollback');
  });
});
