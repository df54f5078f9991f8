/** Operation types one by one: a rare one that always fails, one that the shadow has hardly served, one that it never gets. */

import { describe, expect, it } from 'vitest';
import type { Verdict } from '../../../lib/core/conditions/verdict.ts';
import { DEFAULT_POLICY } from '../../../lib/core/cutover/cutover.ts';
import { evaluateGates } from '../../../lib/core/gates/evaluate.ts';
import type { Evidence } from '../../../lib/core/gates/evidence.ts';
import type { WindowPart } from '../../../lib/core/gates/minute-window.ts';
import {
  learnOperations,
  MOST_OPERATIONS,
  type OperationEvidence,
  testedOperations,
  testOperations,
} from '../../../lib/core/gates/operations.ts';
import { stateIn } from '../../property/samples.ts';
import { exactMinute } from '../../property/traffic.ts';

const MINUTE_MS = 60_000;
const ENTERED = 29_473_920;
/** Operations of the primary in the 1 % stage, of the shadow, and failures of the shadow, a minute. */
type Course = Readonly<Record<string, readonly [primary: number, shadow: (n: number) => number, fails: number]>>;

function looks(minutes: number, course: Course): { verdicts: Verdict[]; evidence: Evidence } {
  const parts: WindowPart[] = [];
  const state = stateIn('r1', { enteredAtMs: ENTERED * MINUTE_MS }, 'component');
  let evidence: Evidence | null = null;
  const verdicts: Verdict[] = [];
  for (let n = -10; n <= minutes; n += 1) {
    for (const [operation, [primary, shadow, fails]] of Object.entries(course)) {
      const add = (side: 'primary' | 'shadow', count: number, errors: number) =>
        count > 0 && parts.push({ slice: null, operation, window: exactMinute(ENTERED + n, side, count, { errors }) });
      add('primary', primary, 0);
      if (n > 0) add('shadow', shadow(n), Math.min(fails, shadow(n)));
    }
    if (n < 1) continue;
    const nowMs = (ENTERED + n + 1) * MINUTE_MS;
    const policy = DEFAULT_POLICY;
    const judged = evaluateGates({ state, policy, parts, table: null, evidence, flagsDeployed: true, nowMs });
    evidence = judged.evidence;
    verdicts.push(judged.verdict);
  }
  return { verdicts, evidence: evidence! };
}

const held = (verdict: Verdict | undefined, code: string) => verdict?.reasons.find((reason) => reason.code === code);

describe('one operation type of several', () => {
  it('that fails every time rolls back by its name, though the sum hardly changes', () => {
    const { verdicts } = looks(12, {
      read: [1_000, () => 200, 0],
      export: [10, (n) => (n % 2 === 0 ? 1 : 0), 1],
    });
    const at = verdicts.findIndex(({ verdict }) => verdict === 'rollback');
    expect(at + 1).toBe(6);
    expect(verdicts[at]!.reasons.map(({ code }) => code)).toEqual(['operation_errors']);
    expect(verdicts[at]!.reasons[0]!.says).toBe(
      "The shadow fails 100 % of the operations 'export' (3 of 3), the primary 0 %. The limit is 1 % more.",
    );
  });

  it('does not roll back for a failure in one minute, however many they are', () => {
    const { verdicts } = looks(8, { read: [1_000, () => 200, 0], export: [10, (n) => (n === 3 ? 3 : 1), 0] });
    expect(verdicts.every(({ verdict }) => verdict !== 'rollback')).toBe(true);
    const once = looks(8, { read: [1_000, () => 200, 0], export: [10, (n) => (n === 3 ? 4 : 0), 4] });
    expect(once.verdicts.every(({ verdict }) => verdict !== 'rollback')).toBe(true);
  });

  it('holds while the shadow has served too few of it, and says which', () => {
    const { verdicts } = looks(30, { read: [1_000, () => 10, 0], list: [60, (n) => (n % 5 === 0 ? 1 : 0), 0] });
    expect(held(verdicts[23], 'operation_samples')).toMatchObject({
      seen: 4,
      limit: 5,
      says: expect.stringContaining("'list' (4)"),
    });
    expect(held(verdicts[24], 'operation_samples')).toBeUndefined();
  });

  it('that is never routed to the shadow is not waited for', () => {
    const { verdicts } = looks(30, { read: [1_000, () => 10, 0], write: [5_000, () => 0, 0] });
    expect(held(verdicts.at(-1), 'operation_samples')).toBeUndefined();
  });

  it('is not waited for where it is rare', () => {
    const { verdicts } = looks(10, { read: [1_000, () => 10, 0], export: [1, () => 0, 0] });
    expect(held(verdicts.at(-1), 'operation_samples')).toBeUndefined();
  });

  it('alone has no evidence of its own: the sum is the same', () => {
    const { evidence } = looks(10, { read: [1_000, () => 10, 3] });
    expect(evidence.operations[0]!.tested.excursions.every(({ g }) => g === 0)).toBe(true);
  });
});

describe('of a type that comes to the shadow once in half an hour', () => {
  /** So many of it came after half an hour each, with so many failures; `read` and `list` beside it. */
  const proven = (came: readonly (readonly [n1: number, e1: number])[]) => {
    const ground = { horizon: 1, margin: 0.001, clusters: 1 };
    const busy = { n0: 300, e0: 0, n1: 3, e1: 0 };
    const minutes = came.flatMap(([n1, e1]) =>
      Array.from({ length: 28 }, (_, i) => (i < 27 ? { n0: 3, e0: 0, n1: 0, e1: 0 } : { n0: 3, e0: 0, n1, e1 })),
    );
    const operations = minutes.reduce<readonly OperationEvidence[]>((before, rare, i) => {
      const seen = new Map([
        ['read', busy],
        ['list', busy],
        ['rare', rare],
      ]);
      return learnOperations(testOperations(before, seen, i, { ...ground, t: i + 1 }), seen, i);
    }, []);
    const tested = testedOperations({ operations, minutes: minutes.length, horizon: 1 }, 3);
    return tested.find(({ name }) => name === 'rare')!.proven;
  };

  it('two failures are a proof', () =>
    expect(
      proven([
        [1, 1],
        [1, 1],
      ]),
    ).toBe(true));

  it.each<[string, (readonly [number, number])[]]>([
    ['one failure', [[1, 1]]],
    ['two failures in one minute', [[2, 2]]],
    [
      'two failures beside as many that went well',
      [
        [2, 1],
        [2, 1],
      ],
    ],
    [
      'none',
      [
        [1, 0],
        [1, 0],
        [1, 0],
      ],
    ],
  ])('%s: no proof', (_, came) => expect(proven(came)).toBe(false));
});

describe('what came of one side is kept until the other has some, too', () => {
  const ground = { horizon: 1, margin: 0.001, clusters: 1 };
  const other = ['other', { n0: 5, e0: 0, n1: 5, e1: 0 }] as const;
  const tested = (minutes: readonly (readonly [number, number, number, number])[]) =>
    minutes
      .reduce<readonly OperationEvidence[]>(
        (before, [n0, e0, n1, e1], i) =>
          testOperations(before, new Map([['rare', { n0, e0, n1, e1 }], other]), i, { ...ground, t: i + 1 }),
        [],
      )
      .find(({ name }) => name === 'rare')!;

  it('and says the same as if it had come in one minute', () => {
    const apart = tested([
      [40, 0, 0, 0],
      [30, 1, 0, 0],
      [0, 0, 2, 1],
    ]);
    const at = tested([
      [0, 0, 0, 0],
      [0, 0, 0, 0],
      [70, 1, 2, 1],
    ]);
    expect(apart.tested).toEqual(at.tested);
    expect(apart.tested.excursions.some(({ g }) => g > 0)).toBe(true);
  });

  it('and only so many types are kept apart', () => {
    const many = new Map(Array.from({ length: 40 }, (_, i) => [`o${i}`, { n0: 1, e0: 0, n1: 1, e1: 0 }]));
    expect(testOperations([], many, 1, { ...ground, t: 1 })).toHaveLength(MOST_OPERATIONS);
  });
});

describe('of a type that the primary fails nearly always', () => {
  const counts = { n0: 100, e0: 100, n1: 10, e1: 10 };
  const seen = new Map([
    ['broken', counts],
    ['other', { n0: 100, e0: 0, n1: 10, e1: 0 }],
  ]);
  const evidence = (margin: number) => {
    const learned = Array.from({ length: 20 }).reduce<readonly OperationEvidence[]>(
      (before, _, i) => learnOperations(before, seen, i),
      [],
    );
    const tested = testOperations(learned, seen, 21, { horizon: 1, margin, clusters: 1, t: 1 });
    return tested.find(({ name }) => name === 'broken')!.tested.excursions;
  };

  it('nothing is said where the margin leaves no room for worse, and something where it does', () => {
    expect(evidence(0.01).map(({ g, bad }) => [g, bad])).toEqual(evidence(0.01).map(() => [0, 0]));
    expect(evidence(-0.5).some(({ g }) => g > 0)).toBe(true);
  });
});
