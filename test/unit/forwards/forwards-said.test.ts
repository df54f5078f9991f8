/** Where two answers differ, and what later writes say of an earlier one, at the edges of each. */

import { expect, it } from 'vitest';
import { comparable } from '../../../lib/core/forwards/comparable.ts';
import type { ForwardHead } from '../../../lib/core/forwards/forward.ts';
import { compileRules, diffJson, type IgnoreRule } from '../../../lib/core/forwards/json-diff.ts';
import { isMoot, isRemoved, isReplaced, sameInDoubt, stepInDoubt } from '../../../lib/core/forwards/later-writes.ts';
import { combinations, said } from '../../helpers/said.ts';
import { NOW } from '../../property/samples.ts';

class Money {
  cents = 5;
  toJSON() {
    return { amount: this.cents };
  }
}

it('of two answers', async () => {
  const values = [
    undefined,
    null,
    0,
    1,
    1.05,
    Number.NaN,
    'a',
    '1',
    true,
    [],
    [1],
    [1, 2],
    [2, 1],
    {},
    { a: 1 },
    { a: undefined },
    { a: 1, b: [{ c: 1 }] },
    { a: 1, b: [{ c: 2 }, { c: 3 }] },
  ];
  const rules: IgnoreRule[][] = [
    ['a'],
    ['$.b[*].c'],
    ['b.*'],
    ['**.c'],
    [{ path: 'a', tolerance: 0.05 }],
    [{ path: '', unordered: true }],
    [{ path: 'b', unordered: true }],
  ];
  const pairs = [
    [{ a: 1 }, { a: 1.05 }],
    [{ a: 1 }, { a: 1.06 }],
    [
      [1, 2, 3],
      [3, 2, 1],
    ],
    [{ b: [{ c: 1 }, { c: 2 }] }, { b: [{ c: 2 }, { c: 1 }] }],
    [
      { a: 1, b: { c: 5 } },
      { a: 2, b: { c: 6, d: 7 } },
    ],
  ];
  const special: Record<string, unknown> = {
    date: new Date(0),
    'invalid date': new Date(Number.NaN),
    later: new Date(1),
    big: 5n,
    bytes: new Uint8Array([1, 2]),
    set: new Set([1]),
    map: new Map([['a', 1]]),
    json: new Money(),
    plain: { amount: 5 },
    url: new URL('https://a.test/'),
    pattern: /a/g,
    error: new Error('x'),
    function: () => 1,
    symbol: Symbol('s'),
    nothing: Object.create(null),
    promise: Promise.resolve(1),
    'weak map': new WeakMap(),
  };
  const kinds = Object.keys(special);
  const sizes = combinations({ items: [49_997, 49_998, 49_999, 50_000, 50_001], same: [false, true] });
  const nested = (depth: number, end: unknown): unknown => (depth === 0 ? end : { a: nested(depth - 1, end) });
  await expect(
    [
      said(
        'without rules',
        combinations({ primary: values, shadow: values }).filter((_, i) => i % 3 === 0),
        ({ primary, shadow }) => diffJson(primary, shadow),
      ),
      said(
        'with rules',
        combinations({ rule: rules, pair: pairs }),
        ({ rule, pair }) => diffJson(pair[0], pair[1], compileRules(rule)).differences,
      ),
      said(
        'of another kind',
        combinations({ one: kinds, other: kinds }).filter(({ one, other }, i) => one === other || i % 7 === 0),
        ({ one, other }) => {
          const { differences, unseen } = diffJson(special[one], special[other]);
          return [differences.map(({ kind }) => kind), unseen];
        },
      ),
      said(
        'as it is compared',
        kinds.filter((kind) => kind !== 'promise' && kind !== 'function'),
        (kind) => {
          const { text, ...rest } = comparable(special[kind]) as { text?: unknown };
          return [text ?? null, Object.keys(rest)];
        },
      ),
      said('of many', sizes, ({ items, same }) => {
        const { differences, unseen } = diffJson(
          Array.from({ length: items }, (_, i) => i),
          Array.from({ length: items }, (_, i) => (same ? i : i + 1)),
        );
        return [differences.length, unseen];
      }),
      said('of so many differences', [99, 100, 101], (length) => {
        const of = (by: number) => Object.fromEntries(Array.from({ length }, (_, i) => [`k${i}`, i + by]));
        return diffJson(of(0), of(1)).differences.length;
      }),
      said('of so many that are not seen', [19, 20, 21], (length) => {
        const of = () => Object.fromEntries(Array.from({ length }, (_, i) => [`k${i}`, new WeakMap()]));
        return diffJson(of(), of()).unseen.length;
      }),
      said('so deep', [62, 63, 64, 65, 66], (depth) => diffJson(nested(depth, 1), nested(depth, 2)).unseen.length),
    ].join('\n'),
  ).toMatchFileSnapshot('../../fixtures/said/differences.txt');
});

it('of later writes', async () => {
  const AGE = 60_000;
  const head = (over: object, request: object): ForwardHead =>
    ({
      id: 'f',
      side: 'shadow',
      status: 'ready',
      idempotencyKey: 'k',
      bodyBytes: 3,
      createdAtMs: NOW - AGE,
      problem: null,
      request: { method: 'PUT', path: '/t/7', query: '', ...request },
      ...over,
    }) as never;
  const laters = combinations({
    method: ['PUT', 'PATCH', 'DELETE'],
    path: ['/t/7', '/t', '/t/77', '/t/7/x'],
    query: ['', 'a=1'],
  });
  const statuses = combinations({
    status: ['intended', 'unsettled', 'ready', 'quarantined'] as const,
    code: [null, 'outcome_unknown'],
    laterStatus: ['intended', 'unsettled', 'ready'] as const,
    key: ['k', 'l'],
    bodyBytes: [3, 4],
    keysKnown: [true, false],
  });
  const doubts = combinations({
    laterStatus: ['intended', 'unsettled', 'ready'] as const,
    method: ['PUT', 'PATCH'],
    key: ['k', 'l'],
    age: [0, 29_999, 30_000, 30_001, 119_999, 120_000, 120_001, 10_000_000],
    known: [true, false],
  });
  await expect(
    [
      said('that replace it', laters, (request) => {
        const later = [head({}, request)];
        return [
          isReplaced(head({}, {}), later),
          isRemoved(head({}, {}), later),
          isReplaced(head({}, { query: 'a=1' }), later),
          isRemoved(head({ side: 'primary' }, {}), later),
        ];
      }),
      said('that make it moot', statuses, ({ status, code, laterStatus, key, bodyBytes, keysKnown }) => {
        const of = head({ status, problem: code && { code } }, { method: 'POST' });
        const later = [head({ status: laterStatus, idempotencyKey: key, bodyBytes }, { method: 'POST' })];
        return [isMoot(of, later, keysKnown), sameInDoubt(of, later).length];
      }),
      said('in doubt', doubts, ({ laterStatus, method, key, age, known }) => {
        const of = head({ status: 'unsettled', createdAtMs: NOW - age }, { method: 'PATCH' });
        return stepInDoubt(
          of,
          [head({ status: laterStatus, idempotencyKey: key, createdAtMs: NOW - age }, { method })],
          known,
          NOW,
        ).kind;
      }),
      said('in doubt, with none after it', [true, false], (known) =>
        stepInDoubt(head({ status: 'unsettled' }, {}), [], known, NOW),
      ),
    ].join('\n'),
  ).toMatchFileSnapshot('../../fixtures/said/later-writes.txt');
});
