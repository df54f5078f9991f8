/** Documents that are right, with parts that are missing, doubled, of other types, nested, or broken as text. */

import fc from 'fast-check';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Change = { at: number; how: number; odd: Json; key: string };

const KEYS = [
  '__proto__',
  'constructor',
  'toString',
  '',
  'id',
  'S',
  'N',
  'epoch',
  'enabled',
  'kind',
  'rows',
  'plan',
  'sql',
];
const ODD: readonly Json[] = [
  ...[null, true, false, 0, -1, 0.5, -0, 2 ** 53, 1e308, [], {}, [null], [[]], '', '0', 'null', '\0', '\ud800', 'é'],
  ...['public.orders', "x'; --", 'group:a', 'orders#3', 'compare#orders', 'body#orders', '{}', 'x'.repeat(5_000)],
  { __proto__: null, constructor: { prototype: 1 } } as unknown as Json,
];
const change: fc.Arbitrary<Change> = fc.record({
  at: fc.nat(),
  how: fc.nat({ max: 4 }),
  odd: fc.oneof(fc.constantFrom(...ODD), fc.jsonValue() as fc.Arbitrary<Json>),
  key: fc.oneof(fc.constantFrom(...KEYS), fc.string({ maxLength: 8 })),
});

/** Every place of a document: the whole, and what is below. */
function places(json: Json, at: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof json !== 'object' || json === null) return [at];
  return [at, ...Object.entries(json).flatMap(([key, value]) => places(value, [...at, key]))];
}

function changedIn(json: Json, { at, how, odd, key }: Change): Json {
  const all = places(json);
  return changedAt(json, all[at % all.length]!, (value) => {
    if (how === 0) return odd;
    if (how === 1) return undefined;
    if (how === 2) return [value, value];
    if (Array.isArray(value)) return how === 3 ? [...value, ...value] : [odd, ...value];
    if (typeof value === 'object' && value !== null) return own([...Object.entries(value), [key, odd]]);
    return { [key]: value };
  });
}

function changedAt(
  json: Json,
  [first, ...rest]: readonly (string | number)[],
  put: (at: Json) => Json | undefined,
): Json {
  if (first === undefined) return put(json) ?? null;
  if (Array.isArray(json))
    return json.flatMap((value, i) => (String(i) === first ? asList(below(value, rest, put)) : [value]));
  const entries = Object.entries(json as Record<string, Json>);
  return own(
    entries.flatMap(([key, value]) =>
      key === first ? asList(below(value, rest, put)).map((v) => [key, v] as [string, Json]) : [[key, value]],
    ),
  );
}

const below = (
  value: Json,
  rest: readonly (string | number)[],
  put: (at: Json) => Json | undefined,
): Json | undefined => (rest.length === 0 ? put(value) : changedAt(value, rest, put));
const asList = (value: Json | undefined): Json[] => (value === undefined ? [] : [value]);
/** Also where a key is called `__proto__`, as JSON may say. */
const own = (entries: readonly (readonly [string, Json])[]): Json =>
  entries.reduce<Record<string, Json>>((made, [key, value]) => {
    Object.defineProperty(made, key, { value, enumerable: true, configurable: true, writable: true });
    return made;
  }, {});

/** A text that is put in at some place, and whether the rest is cut off. */
type Splice = readonly [at: number, put: string, cuts: boolean];
const splice: fc.Arbitrary<Splice> = fc.tuple(fc.nat(), fc.string({ unit: 'binary', maxLength: 4 }), fc.boolean());

/** What is done to a document that is there. */
export type Breaking = { changes: readonly Change[]; splice: Splice | null };

/** @param cut whether some are broken as text, too: else they stay JSON */
export const breaking = (cut: boolean): fc.Arbitrary<Breaking> =>
  fc.record({
    changes: fc.array(change, { maxLength: 4 }),
    splice: cut ? fc.option(splice, { freq: 4 }) : fc.constant(null),
  });

/** A text that is no JSON is broken as text only. */
export function broken(text: string, { changes, splice }: Breaking): string {
  const json = asJson(text);
  const changed = json === undefined ? text : JSON.stringify(changes.reduce(changedIn, json));
  if (splice === null) return changed;
  const [place, put, cuts] = splice;
  const at = place % (changed.length + 1);
  return changed.slice(0, at) + put + (cuts ? '' : changed.slice(at));
}

function asJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
