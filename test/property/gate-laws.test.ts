/**
 * Laws of the evidence, on drawn minutes of several slices and operation types: it is the same however the minutes are split into looks and in
 * whatever order reports come within the time that a minute waits; no figure is ever anything but a number; one more failure of the
 * shadow never helps it. Other seeds: CROSSFADE_SEED=7 npx vitest run test/property/gate-laws.test.ts
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_POLICY, type Policy } from '../../lib/core/cutover/cutover.ts';
import { evaluateGates } from '../../lib/core/gates/evaluate.ts';
import type { Evidence } from '../../lib/core/gates/evidence.ts';
import { GRACE_MINUTES } from '../../lib/core/gates/fold.ts';
import type { WindowPart } from '../../lib/core/gates/minute-window.ts';
import { declaredPolicy } from '../../lib/schemas/policy.ts';
import { stateIn } from './samples.ts';
import { exactMinute } from './traffic.ts';

const SEED = { ...(process.env.CROSSFADE_SEED ? { seed: Number(process.env.CROSSFADE_SEED) } : {}) };
const MINUTE_MS = 60_000;
const ENTERED = 29_473_920;
const ENDS = [0.01, 0.1, 0.5, 1] as const;
/** Minutes of the stage, and of the time before it. */
const STAGE = 10;
const BEFORE = 7;

type Cell = { count: number; errors: number; latencyMs: number; checks: number; mismatches: number; pairs: number };
const cell: fc.Arbitrary<Cell> = fc
  .record({
    count: fc.nat(40),
    errors: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(40) }),
    latencyMs: fc.constantFrom(5, 20, 21, 24, 60),
    checks: fc.constantFrom(0, 0, 10),
    mismatches: fc.constantFrom(0, 0, 0, 1),
    pairs: fc.constantFrom(0, 0, 4),
  })
  .map((drawn) => ({ ...drawn, errors: Math.min(drawn.errors, drawn.count) }));

/** By minute: what each slice did in each operation type. */
const course = fc.array(fc.array(cell, { minLength: ENDS.length * 2, maxLength: ENDS.length * 2 }), {
  minLength: STAGE + BEFORE,
  maxLength: STAGE + BEFORE,
});

function partsOf(minutes: readonly (readonly Cell[])[]): WindowPart[] {
  return minutes.flatMap((cells, i) => {
    const n = i + 1 - BEFORE;
    return cells.flatMap(({ count, errors, latencyMs, checks, mismatches, pairs }, at): WindowPart[] => {
      const slice = at % ENDS.length;
      const side = n > 0 && slice < 2 ? 'shadow' : 'primary';
      if (count === 0) return [];
      const compared = side === 'shadow' ? { checks, mismatches: Math.min(mismatches, checks), pairs } : {};
      const window = { ...exactMinute(ENTERED + n, side, count, { errors, latencyMs }), ...compared };
      return [{ slice, operation: at < ENDS.length ? 'read' : 'list', window }];
    });
  });
}

const STATE = stateIn('r2', { enteredAtMs: ENTERED * MINUTE_MS }, 'component');

type Look = {
  parts: readonly WindowPart[];
  minute: number;
  evidence: Evidence | null;
  policy?: Policy;
  flagsDeployed?: boolean;
};

// Whether reads come is asked only of minutes that are looked at in time.
const look = ({ parts, minute, evidence, policy = DEFAULT_POLICY, flagsDeployed = false }: Look) =>
  evaluateGates({
    state: STATE,
    policy,
    parts,
    ends: ENDS,
    table: null,
    evidence,
    flagsDeployed,
    nowMs: (ENTERED + minute + 1) * MINUTE_MS,
  });

const END = STAGE + GRACE_MINUTES;
const whole = (parts: readonly WindowPart[], policy?: Policy) =>
  look({ parts, minute: END, evidence: null, ...(policy ? { policy } : {}) });

describe('evidence', () => {
  it('is the same however the minutes are split into looks', () => {
    fc.assert(
      fc.property(course, fc.array(fc.boolean(), { minLength: END, maxLength: END }), (minutes, looks) => {
        const parts = partsOf(minutes);
        let evidence: Evidence | null = null;
        for (const [i, looked] of looks.entries())
          if (looked || i === END - 1) evidence = look({ parts, minute: i + 1, evidence }).evidence;
        const { active, reported, ...rest } = evidence!;
        const { active: _, reported: __, ...together } = whole(parts).evidence;
        expect(rest).toEqual(together);
      }),
      { numRuns: 40, ...SEED },
    );
  });

  it('does not depend on the order in which reports come, within the time that a minute waits', () => {
    const order = fc.array(fc.nat(GRACE_MINUTES), { minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(course, order, fc.nat(100), (minutes, late, turn) => {
        const parts = partsOf(minutes);
        const arrives = (part: WindowPart, i: number) => part.window.minute - ENTERED + late[(i * 7 + turn) % 16]!;
        let evidence: Evidence | null = null;
        for (let minute = 1; minute <= END; minute += 1) {
          const there = parts.filter((part, i) => arrives(part, i) <= minute).reverse();
          evidence = look({ parts: there, minute, evidence }).evidence;
        }
        expect(evidence!.metrics).toEqual(whole(parts).evidence.metrics);
        expect(evidence!.operations).toEqual(whole(parts).evidence.operations);
      }),
      { numRuns: 40, ...SEED },
    );
  });

  it('of whether reads come is taken from minutes that are closed in time, or one look late, and from no older one', () => {
    const minute = (n: number, slice: number, count: number): WindowPart => {
      const side = n > 0 && slice < 2 ? 'shadow' : 'primary';
      return { slice, operation: 'read', window: exactMinute(ENTERED + n, side, count, {}) };
    };
    const usual = Array.from({ length: BEFORE }, (_, i) => ENDS.map((_, slice) => minute(-i, slice, 500))).flat();
    const parts = [...usual, ...ENDS.map((_, slice) => minute(1, slice, slice < 2 ? 1 : 500))];
    const speaks = (after: number) => {
      const shares = [true, false].map(
        (flagsDeployed) => look({ parts, minute: after, evidence: null, flagsDeployed }).evidence.metrics.share,
      );
      return JSON.stringify(shares[0]) !== JSON.stringify(shares[1]);
    };
    // A minute is closed when those that it waits for are over.
    expect([0, 1, 2, 3].map((late) => speaks(1 + GRACE_MINUTES + late))).toEqual([true, true, false, false]);
  });

  it('is only numbers, for every policy that can be declared', () => {
    const rate = fc.double({ min: 1e-9, max: 1 - 1e-9, noNaN: true });
    const increase = fc.oneof(fc.double({ min: 1e-9, max: 1, noNaN: true }), fc.constantFrom(1e-9, 100));
    const policies = fc.record({
      errorRateRollback: rate,
      errorRateAdvance: rate,
      latencyIncreaseRollback: increase,
      latencyIncreaseAdvance: increase,
      latencyFloorMs: fc.constantFrom(0, 1, 60_000),
      validationScoreRollback: rate,
      validationScoreAdvance: rate,
      warmUpMinutes: fc.constantFrom(0, 5),
    });
    fc.assert(
      fc.property(course, policies, (minutes, limits) => {
        expect(declaredPolicy.safeParse(limits).success).toBe(true);
        const { verdict, evidence } = whole(partsOf(minutes), { ...DEFAULT_POLICY, ...limits });
        expect(strange(verdict)).toEqual([]);
        expect(strange(evidence)).toEqual([]);
      }),
      { numRuns: 300, ...SEED },
    );
  });

  it('negative control: a figure that is none is found', () => {
    expect(strange({ a: [1, { b: Number.NaN }], c: Number.POSITIVE_INFINITY })).toEqual(['a.1.b', 'c']);
  });
});

describe('keys that were always slower than the others', () => {
  /** The first two slices, which the shadow has from the first minute of the stage on. */
  const reasons = (latencyMs: number) => {
    const minutes = Array.from({ length: 30 + STAGE }, (_, i) => i + 1 - 30);
    const parts = minutes.flatMap((n) =>
      ENDS.map((_, slice): WindowPart => {
        const isOurs = slice < 2;
        const now = isOurs ? (n > 0 ? latencyMs : 60) : 5;
        const side = n > 0 && isOurs ? 'shadow' : 'primary';
        return { slice, operation: 'read', window: exactMinute(ENTERED + n, side, 200, { latencyMs: now }) };
      }),
    );
    return whole(parts).verdict.reasons.filter(({ code }) => code === 'latency_p50');
  };

  it('are compared with what they were themselves on the primary', () => {
    expect(reasons(60)).toEqual([]);
    expect(reasons(68)).toEqual([
      expect.objectContaining({
        code: 'latency_p50',
        says: expect.stringContaining('slower than the same keys were on the primary'),
      }),
    ]);
  });
});

const RANK = { advance: 0, hold: 1, rollback: 2 } as const;

describe('one operation of the shadow that takes longer', () => {
  it('never helps it, however little is known of its keys', () => {
    fc.assert(
      fc.property(course, fc.nat(), fc.nat(BEFORE + 1), (minutes, which, unknown) => {
        // So many minutes of the past are not known.
        const parts = partsOf(minutes).filter(({ window }) => window.minute - ENTERED > unknown - BEFORE);
        const ofShadow = parts.flatMap(({ window }, i) => (window.side === 'shadow' ? [i] : []));
        if (ofShadow.length === 0) return;
        const at = ofShadow[which % ofShadow.length]!;
        const { window, ...part } = parts[at]!;
        const [[bucket, count]] = Object.entries(window.latency) as [[string, number]];
        const latency = { ...window.latency, [bucket]: count - 1, [Number(bucket) + 400]: 1 };
        const slower = whole(parts.with(at, { ...part, window: { ...window, latency } })).evidence;
        const before = whole(parts).evidence;
        for (const metric of ['latency_p50', 'latency_p95', 'latency_p99'] as const)
          for (const [k, logA] of before.metrics[metric].logA.entries())
            expect(slower.metrics[metric].logA[k], metric).toBeGreaterThanOrEqual(logA - 1e-9);
        for (const metric of ['latency_p50', 'latency_p95'] as const)
          expect(slower.good[metric]).toBeLessThanOrEqual(before.good[metric] + 1e-9);
      }),
      { numRuns: 150, ...SEED },
    );
  });
});

describe('one more failure of the shadow', () => {
  it('never helps it', () => {
    fc.assert(
      fc.property(course, fc.nat(), (minutes, which) => {
        const parts = partsOf(minutes);
        const ofShadow = parts.flatMap(({ window }, i) =>
          window.side === 'shadow' && window.errors < window.count ? [i] : [],
        );
        if (ofShadow.length === 0) return;
        const at = ofShadow[which % ofShadow.length]!;
        const { window, ...part } = parts[at]!;
        const worse = parts.with(at, { ...part, window: { ...window, errors: window.errors + 1 } });
        const [before, after] = [whole(parts), whole(worse)];
        expect(RANK[after.verdict.verdict]).toBeGreaterThanOrEqual(RANK[before.verdict.verdict]);
        for (const [k, logA] of before.evidence.metrics.errors.logA.entries())
          expect(after.evidence.metrics.errors.logA[k]).toBeGreaterThanOrEqual(logA - 1e-9);
        expect(after.evidence.good.errors).toBeLessThanOrEqual(before.evidence.good.errors + 1e-9);
      }),
      { numRuns: 150, ...SEED },
    );
  });
});

/** Paths of figures that are not finite. */
function strange(value: unknown, path: string[] = []): string[] {
  if (typeof value === 'number') return Number.isFinite(value) ? [] : [path.join('.')];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => strange(inner, [...path, name]));
}
