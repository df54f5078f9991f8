/** Where two answers differ: laws over any JSON, the rules, and what is no JSON at all. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileRules, diffJson, type IgnoreRule } from '../../../lib/core/forwards/json-diff.ts';

const paths = (primary: unknown, shadow: unknown, rules: readonly IgnoreRule[] = []) =>
  diffJson(primary, shadow, compileRules(rules)).differences.map(({ path, kind }) => `${path} ${kind}`);

const MOST_LISTED = 100;

/** The same value with the keys of every object in another order. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, field]) => [name, turned(field)]),
  );
}

describe('two answers', () => {
  it('differ nowhere if and only if they are the same JSON, whatever the order of keys', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        expect(paths(a, turned(a))).toEqual([]);
        expect(paths(a, JSON.parse(JSON.stringify(a)))).toEqual([]);
        const same = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
        expect(paths(a, b).length === 0).toBe(same);
      }),
      { numRuns: 1_000 },
    );
  });

  it('differ in the same places from either side', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const bare = (text: string) => text.replace(/ (missing|added)$/, ' gone');
        // Only so many are listed, in the order of the keys of one side.
        fc.pre(paths(a, b).length < MOST_LISTED);
        expect(paths(a, b).map(bare).sort()).toEqual(paths(b, a).map(bare).sort());
      }),
    );
  });

  it.each<[string, unknown, unknown, string[]]>([
    ['a value', { a: { b: 1 } }, { a: { b: 2 } }, ['a.b value']],
    ['a type', { a: 1 }, { a: '1' }, ['a type']],
    ['a field that is gone', { a: 1, b: 2 }, { a: 1 }, ['b missing']],
    ['a field that is new', { a: 1 }, { a: 1, b: null }, ['b added']],
    ['a place in a list', { rows: [{ n: 1 }, { n: 2 }] }, { rows: [{ n: 1 }, { n: 3 }] }, ['rows[*].n value']],
    ['the order of a list', [1, 2], [2, 1], ['[*] value']],
    ['a length', { rows: [1, 2, 3] }, { rows: [1] }, ['rows length']],
    ['the whole', 'a', 'b', ['$ value']],
    ['null and nothing', { a: null }, {}, ['a missing']],
    [
      'what every object has',
      JSON.parse('{"constructor":1,"__proto__":null}'),
      {},
      ['constructor missing', '__proto__ missing'],
    ],
    ['0 and false', { a: 0 }, { a: false }, ['a type']],
  ])('differ in %s', (_, a, b, expected) => expect(paths(a, b)).toEqual(expected));

  it.each<[string, unknown, unknown]>([
    ['dates', { at: new Date(5) }, { at: new Date(5) }],
    ['a date and its text', { at: new Date(5) }, { at: new Date(5).toISOString() }],
    ['NaN', Number.NaN, Number.NaN],
    ['−0', -0, 0],
    ['big integers', 9007199254740993n, 9007199254740993n],
    [
      'names of what every object has',
      JSON.parse('{"constructor":1,"__proto__":{"a":1}}'),
      JSON.parse('{"__proto__":{"a":1},"constructor":1}'),
    ],
    ['a field that is undefined', { a: undefined }, {}],
  ])('may hold %s', (_, a, b) => expect(paths(a, b)).toEqual([]));
});

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return Object.is(value, -0) ? 0 : value;
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return { fields: fields.map(([name, field]) => [name, sorted(field)]) };
};

describe('rules', () => {
  const before = { id: 1, user: { name: 'a', seenAt: 1 }, rows: [{ score: 1, at: 1 }], tags: ['x', 'y'] };
  const after = { id: 2, user: { name: 'b', seenAt: 2 }, rows: [{ score: 1.0001, at: 2 }], tags: ['y', 'x'] };

  it.each<[IgnoreRule[], string[]]>([
    [['id'], ['user.name', 'user.seenAt', 'rows[*].score', 'rows[*].at', 'tags[*]']],
    [
      ['user', 'tags'],
      ['id', 'rows[*].score', 'rows[*].at'],
    ],
    [
      ['$.user.seenAt', 'rows[*].at', 'tags[*]'],
      ['id', 'user.name', 'rows[*].score'],
    ],
    [
      ['rows[0].at', 'tags[]', 'user.*'],
      ['id', 'rows[*].score'],
    ],
    [
      ['**.at', '**.seenAt', 'tags'],
      ['id', 'user.name', 'rows[*].score'],
    ],
    [['**'], []],
    [['user', 'id', { path: 'tags', unordered: true }, { path: 'rows[*].score', tolerance: 0.001 }], ['rows[*].at']],
    [
      ['user', 'id', '**.at', { path: 'tags', unordered: true }, { path: '**.score', tolerance: 0.00001 }],
      ['rows[*].score'],
    ],
    [
      ['use', 'userx', 'user.name.x', 'rows.at', 'tags'],
      ['id', 'user.name', 'user.seenAt', 'rows[*].score', 'rows[*].at'],
    ],
  ])('%j leave %j', (rules, left) => {
    expect(paths(before, after, rules).map((text) => text.split(' ')[0])).toEqual(left);
  });

  it('a tolerance never lets another type pass, and a rule that is none is passed over', () => {
    expect(paths({ a: 1 }, { a: '1' }, [{ path: 'a', tolerance: 10 }])).toEqual(['a type']);
    expect(paths({ a: 1 }, { a: 2 }, [null, 5, {}, { path: 7 }] as never)).toEqual(['a value']);
  });

  it.each([
    ['5', '6'],
    [true, false],
    [new Date(5), new Date(6)],
    [new Uint8Array([5]), new Uint8Array([6])],
  ])('a tolerance is of numbers: %o and %o differ all the same', (one, other) => {
    expect(paths({ a: one }, { a: other }, [{ path: 'a', tolerance: 10 }])).toEqual(['a value']);
    expect(paths({ a: other }, { a: one }, [{ path: 'a', tolerance: 10 }])).toEqual(['a value']);
  });

  it.each(['**', '$', '$.**'])('%s is the whole answer, whatever it is', (rule) => {
    for (const [one, other] of [
      [1, 2],
      [{ a: 1 }, [1]],
      [{ a: 1 }, { a: 2, b: 3 }],
      [undefined, null],
    ])
      expect(paths(one, other, [rule])).toEqual([]);
  });

  it('a list whose order means nothing still tells what it holds', () => {
    const rule: IgnoreRule[] = [{ path: 'tags', unordered: true }];
    expect(paths({ tags: [{ a: 1, b: 2 }, 3] }, { tags: [3, { b: 2, a: 1 }] }, rule)).toEqual([]);
    expect(paths({ tags: [1, 1, 2] }, { tags: [1, 2, 2] }, rule)).toEqual(['tags[*] value']);
  });
});

describe('a difference', () => {
  it.each([
    ['a list', [1, 2]],
    ['fields', { b: 1 }],
    ['elements', new Uint8Array([1, 2])],
    ['text', 'seven'],
    ['null', null],
  ])('shows %s as it is', (_, a) => {
    const [one, ...others] = diffJson({ a }, { a: 7 }).differences;
    expect([one, others]).toEqual([{ path: 'a', kind: 'type', primary: a, shadow: 7 }, []]);
    expect(diffJson({ a: 7 }, { a }).differences).toEqual([{ path: 'a', kind: 'type', primary: 7, shadow: a }]);
  });
});

describe('answers without bounds', () => {
  it('end at a hundred differences, each of which is another path', () => {
    const many = (n: number) => Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`f${i}`, n]));
    expect(paths(many(1), many(2))).toHaveLength(MOST_LISTED);
    const rows = (n: number) => Array.from({ length: 1_000 }, (_, i) => ({ at: n * i, total: i < 999 ? 1 : n }));
    expect(paths(rows(1), rows(2))).toEqual(['[*].at value', '[*].total value']);
  });

  it('that are too large or too deep are said not to be compared whole', () => {
    const unseen = [{ path: '$', what: 'more than is compared' }];
    const large = () => Array.from({ length: 200_000 }, (_, i) => ({ i }));
    expect(diffJson(large(), large())).toEqual({ differences: [], unseen });
    expect(diffJson({ a: large() }, { a: large() }, compileRules(['**.i']))).toEqual({ differences: [], unseen });
    expect(diffJson(new Set(large()), new Set(large()))).toEqual({ differences: [], unseen });
    expect(diffJson(new Uint8Array(6e6), new Uint8Array(6e6))).toEqual({ differences: [], unseen });
    const deep = (depth: number): unknown => (depth === 0 ? 1 : [deep(depth - 1)]);
    expect(diffJson(deep(100), deep(100))).toMatchObject({
      differences: [],
      unseen: [{ what: 'more than is compared' }],
    });
  });
});
