/**
 * What is no JSON: of every kind of value two that are equal, and two that are not. What is not the same is never found to
 * be equal, and what cannot be looked into is found to be neither.
 */

import { describe, expect, it } from 'vitest';
import { compileRules, diffJson } from '../../../lib/core/forwards/json-diff.ts';
import { sourceMutant } from '../../helpers/source-mutant.ts';

type Verdict = 'equal' | 'different' | 'incomparable';
type Diffing = typeof diffJson;

function verdict(primary: unknown, shadow: unknown, diff: Diffing = diffJson): Verdict {
  const { differences, unseen } = diff(primary, shadow);
  if (differences.length > 0) return 'different';
  return unseen.length > 0 ? 'incomparable' : 'equal';
}

class Money {
  currency = 'EUR';
  #amount: number;
  constructor(amount: number) {
    this.#amount = amount;
  }
  plus = undefined;
  amount() {
    return this.#amount;
  }
}
class Row {
  constructor(fields: object) {
    Object.assign(this, fields);
  }
  save() {}
}
class Model {
  id = 1;
  get total() {
    return 5;
  }
}
const amounts = new WeakMap<object, number>();
class Compiled {
  currency = 'EUR';
  constructor(amount: number) {
    amounts.set(this, amount);
  }
}
class Ok {
  value = 1;
}
class Failed {
  value = 1;
}
class Bag extends Map<string, number> {}
class Json {
  #all: object;
  constructor(all: object) {
    this.#all = all;
  }
  toJSON() {
    return this.#all;
  }
}
const SECRET = Symbol('secret');
const hidden = (value: number) => Object.defineProperty({}, 'value', { value });
const problem = (fields: object, message = 'no', name = 'Error') => Object.assign(new Error(message), { name }, fields);
const throwing = (n: number) => ({
  n,
  get trap(): never {
    throw new Error('no');
  },
});
const hostile = (of: object) =>
  new Proxy(of, {
    ownKeys() {
      throw new Error('no');
    },
  });
const ring = (length: number, at = 1) => {
  const first: Record<string, unknown> = { at };
  let last = first;
  for (let i = 1; i < length; i += 1) last = { at, next: last };
  first.next = last;
  return first;
};
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const sparse = (length: number) => Object.assign([], { length });
const form = (value: string) => {
  const made = new FormData();
  made.append('a', value);
  return made;
};
const keyed = (value: number) => new Map([[{ id: 1 }, value]]);
const inherited = (value: unknown, name = 'value') => Object.create({ [name]: value });

/** What two equal ones are found to be, and two different ones. */
const KINDS: readonly [kind: string, of: (n: 1 | 2) => unknown, equal: Verdict, different: Verdict][] = [
  ['dates', (n) => new Date(n), 'equal', 'different'],
  ['a date that is none', (n) => new Date(n === 1 ? Number.NaN : 1), 'equal', 'different'],
  ['maps', (n) => new Map([['a', n]]), 'equal', 'different'],
  ['maps with keys of two types', (n) => new Map([[n === 1 ? n : String(n - 1), 'a']]), 'equal', 'different'],
  ['maps whose keys are objects', keyed, 'equal', 'different'],
  ['maps whose keys are symbols', (n) => new Map([[Symbol('a'), n]]), 'incomparable', 'different'],
  ['sets', (n) => new Set(['a', n]), 'equal', 'different'],
  ['sets of objects', (n) => new Set([{ n }, { n: 1n }]), 'equal', 'different'],
  ['weak maps', () => new WeakMap(), 'incomparable', 'incomparable'],
  ['weak references', (n) => new WeakRef({ n }), 'incomparable', 'incomparable'],
  ['buffers', (n) => Buffer.from([n]), 'equal', 'different'],
  ['bytes of another length', (n) => new Uint8Array(n), 'equal', 'different'],
  ['numbers in two formats', (n) => (n === 1 ? new Float32Array([1]) : new Float64Array([1])), 'equal', 'different'],
  ['numbers that are none', (n) => new Float64Array([n === 1 ? Number.NaN : 0]), 'equal', 'different'],
  ['large integers', (n) => new BigInt64Array([BigInt(n)]), 'equal', 'different'],
  ['an ArrayBuffer', (n) => new Uint8Array([n]).buffer, 'equal', 'different'],
  ['a SharedArrayBuffer', (n) => new SharedArrayBuffer(n), 'equal', 'different'],
  ['a DataView', (n) => new DataView(new Uint8Array([7, n]).buffer, 1), 'equal', 'different'],
  ['regular expressions', (n) => new RegExp(`a${n}`), 'equal', 'different'],
  ['their flags', (n) => new RegExp('a', n === 1 ? 'g' : 'i'), 'equal', 'different'],
  ['their last index', (n) => Object.assign(/a/g, { lastIndex: n }), 'equal', 'different'],
  ['the message of an error', (n) => problem({}, `no ${n}`), 'equal', 'different'],
  ['the name of an error', (n) => problem({}, 'no', `E${n}`), 'equal', 'different'],
  ['the status of an error', (n) => problem({ status: n }), 'equal', 'different'],
  ['the code of an error', (n) => problem({ code: n }), 'equal', 'different'],
  ['the cause of an error', (n) => new Error('no', { cause: problem({ code: n }) }), 'equal', 'different'],
  ['the errors of an error', (n) => new AggregateError([problem({ code: n })]), 'equal', 'different'],
  [
    'errors of the platform',
    (n) => new DOMException('no', n === 1 ? 'AbortError' : 'TimeoutError'),
    'equal',
    'different',
  ],
  [
    'a map of names and objects',
    (n) =>
      new Map<unknown, unknown>([
        ['a', 1],
        [{ n }, 2],
      ]),
    'equal',
    'different',
  ],
  ['URLs', (n) => new URL(`https://example.com/${n}`), 'equal', 'different'],
  ['queries', (n) => new URLSearchParams({ a: String(n) }), 'equal', 'different'],
  ['headers', (n) => new Headers({ a: String(n) }), 'equal', 'different'],
  ['forms', (n) => form(String(n)), 'equal', 'different'],
  ['blobs', (n) => new Blob([String(n)]), 'incomparable', 'incomparable'],
  ['responses', (n) => new Response(String(n)), 'incomparable', 'incomparable'],
  ['requests', (n) => new Request(`https://example.com/${n}`), 'incomparable', 'incomparable'],
  ['private fields', (n) => new Money(n), 'incomparable', 'incomparable'],
  ['private fields of a compiler', (n) => new Compiled(n), 'incomparable', 'incomparable'],
  ['getters of a class', () => new Model(), 'incomparable', 'incomparable'],
  ['what a prototype holds', (n) => inherited(n), 'incomparable', 'incomparable'],
  ['two classes', (n) => (n === 1 ? new Ok() : new Failed()), 'equal', 'incomparable'],
  ['a class and no class', (n) => (n === 1 ? new Ok() : { value: 1 }), 'equal', 'incomparable'],
  ['rows of a class', (n) => new Row({ n }), 'equal', 'different'],
  ['a subclass of a data type', (n) => new Bag([['a', n]]), 'incomparable', 'different'],
  ['fields beside those of a data type', (n) => Object.assign(new Map(), { n }), 'incomparable', 'incomparable'],
  ['fields of a list', (n) => Object.assign([1, 2], { n }), 'equal', 'different'],
  ['symbols as names', (n) => ({ [SECRET]: n }), 'incomparable', 'incomparable'],
  ['fields that are not enumerable', hidden, 'incomparable', 'incomparable'],
  ['toJSON', (n) => new Json({ n }), 'equal', 'different'],
  [
    'toJSON that gives the object',
    (n) => ({
      n,
      toJSON() {
        return this;
      },
    }),
    'incomparable',
    'different',
  ],
  [
    'toJSON that throws',
    (n) => ({
      n,
      toJSON: () => {
        throw new Error('no');
      },
    }),
    'incomparable',
    'incomparable',
  ],
  ['toJSON that gives what is hidden', (n) => new Json(new Money(n)), 'incomparable', 'incomparable'],
  ['functions', (n) => () => n, 'incomparable', 'incomparable'],
  ['symbols', (n) => Symbol(String(n)), 'incomparable', 'incomparable'],
  [
    'generators',
    (n) =>
      (function* () {
        yield n;
      })(),
    'incomparable',
    'incomparable',
  ],
  [
    'async generators',
    (n) =>
      (async function* () {
        yield n;
      })(),
    'incomparable',
    'incomparable',
  ],
  ['iterators', (n) => [n].values(), 'incomparable', 'incomparable'],
  ['iterators by hand', (n) => ({ next: () => n }), 'incomparable', 'incomparable'],
  ['streams', (n) => new Blob([String(n)]).stream(), 'incomparable', 'incomparable'],
  ['promises', (n) => Promise.resolve(n), 'incomparable', 'incomparable'],
  [
    'thenables',
    (n) =>
      Object.assign(
        inherited(() => {}, 'then'),
        { n },
      ),
    'incomparable',
    'incomparable',
  ],
  ['formats', (n) => new Intl.NumberFormat(n === 1 ? 'de' : 'en'), 'incomparable', 'incomparable'],
  ['boxed numbers', (n) => new Number(n), 'equal', 'different'],
  ['boxed texts', (n) => new String(n), 'equal', 'different'],
  ['boxed booleans', (n) => new Boolean(n === 1), 'equal', 'different'],
  ['a large integer and its text', (n) => (n === 1 ? 1n : '1n'), 'equal', 'different'],
  ['a large integer and a number', (n) => (n === 1 ? 1n : 1), 'equal', 'different'],
  ['no number and its text', (n) => (n === 1 ? Number.NaN : 'NaN'), 'equal', 'different'],
  ['no number and null', (n) => (n === 1 ? Number.NaN : null), 'equal', 'different'],
  ['objects without a prototype', (n) => Object.assign(Object.create(null), { n }), 'equal', 'different'],
  ['lists with holes', sparse, 'equal', 'different'],
  ['getters that throw', throwing, 'incomparable', 'different'],
  ['proxies that throw', (n) => hostile({ n }), 'incomparable', 'incomparable'],
  ['proxies of nothing', revoked, 'incomparable', 'incomparable'],
  ['rings', (n) => ring(3, n), 'equal', 'different'],
  ['rings of another length', (n) => ring(n + 1), 'equal', 'incomparable'],
];

describe.each([
  ['an answer', (value: unknown) => value],
  ['a part of it', (value: unknown) => ({ rows: [{ value }] })],
  ['an entry of a set', (value: unknown) => new Set([value, 'other'])],
])('as %s', (_, place) => {
  it.each(KINDS)('%s', (kind, of, equal, different) => {
    // The entries of a set are paired by what is in them: here there is no end of it.
    if (place(1) instanceof Set && /^(rings|getters)/.test(kind)) return;
    expect([1, 2].map((n) => verdict(place(of(n as 1)), place(of(n as 1))))).toEqual([equal, equal]);
    const found = [verdict(place(of(1)), place(of(2))), verdict(place(of(2)), place(of(1)))];
    expect(found).toEqual([different, different]);
  });
});

describe('values of two types', () => {
  it('are never equal, but for those that JSON writes alike', () => {
    const alike = new Set(['boxed numbers', 'boxed texts', 'boxed booleans', 'objects without a prototype']);
    const others = KINDS.filter(([kind]) => !alike.has(kind) && !kind.startsWith('a date'));
    for (const [one, of] of others)
      for (const [other, by] of others)
        if (one !== other) {
          const [a, b] = [of(2), by(2)];
          if (verdict(a, b) === 'equal')
            expect([one, other, JSON.stringify(a)]).toEqual([one, other, JSON.stringify(b)]);
        }
  });

  it.each<[string, unknown, unknown]>([
    ['a box and what is in it', new Number(1), 1],
    ['a class with toJSON and what it gives', new Json({ n: 1 }), { n: 1 }],
    ['a buffer and its bytes', Buffer.from([1]), new Uint8Array([1])],
    ['0 and −0', [0], [-0]],
    ['a hole and undefined', sparse(1), [undefined]],
    ['the same function', { f: Math.max }, { f: Math.max }],
    [
      'maps in another order',
      new Map([
        ['a', 1],
        ['b', 2],
      ]),
      new Map([
        ['b', 2],
        ['a', 1],
      ]),
    ],
  ])('are equal: %s', (_, a, b) => expect([verdict(a, b), verdict(b, a)]).toEqual(['equal', 'equal']));
});

describe('what is not compared', () => {
  it('is named, with its path, unless a rule ignores it', () => {
    const of = () => ({ rows: [{ cost: new Money(1), open: () => 1 }], at: Promise.resolve(1) });
    expect(diffJson(of(), of()).unseen).toEqual([
      { path: 'rows[*].cost', what: 'Money' },
      { path: 'rows[*].open', what: 'function' },
      { path: 'at', what: 'Promise' },
    ]);
    expect(diffJson(of(), of(), compileRules(['rows', '**.at'])).unseen).toEqual([]);
  });

  it('would be taken for equal by a diff that takes every class for open', async () => {
    const mutant = await sourceMutant<{ diffJson: Diffing }>(
      ['lib/core/forwards/json-diff.ts'],
      [['lib/core/forwards/comparable.ts', 'let isOpen = true;', 'return true; let isOpen = true;']],
    );
    expect(verdict(new Money(1), new Money(2), mutant.diffJson)).toBe('equal');
  });
});
