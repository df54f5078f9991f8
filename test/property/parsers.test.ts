/**
 * Whatever is read from outside: an event of the stream, flags as they are served, a recorded trace, a configuration. Each begins as one
 * that is right, and gets parts that are missing, doubled, of other types, nested, or broken as text. A reader gives what its type
 * promises, or refuses with a code of its own; never anything else.
 *
 * More of them: CROSSFADE_FUZZ=100000 npx vitest run --project unit test/property/parsers.test.ts
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCrossfadeError } from '../../lib/core/base/errors.ts';
import { CUTOVER_ID } from '../../lib/core/cutover/cutover.ts';
import { servedForm } from '../../lib/core/routing/flags.ts';
import { defineCutovers } from '../../lib/define/cutovers.ts';
import { checkFlagText } from '../../lib/routing/flag-check.ts';
import { parseFlags } from '../../lib/schemas/flags.ts';
import { readTrace } from '../../lib/schemas/replay.ts';
import { parseWakeUps } from '../../lib/schemas/stream.ts';
import { someFlags } from '../helpers/contracts/flags.ts';
import { sourceMutant } from '../helpers/source-mutant.ts';

const RUNS = Number(process.env.CROSSFADE_FUZZ ?? 300);
const SEED = process.env.CROSSFADE_SEED === undefined ? {} : { seed: Number(process.env.CROSSFADE_SEED) };

// ------------------------------------------------------------------------------------------------------ what is changed

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
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

function changed(json: Json, { at, how, odd, key }: Change): Json {
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

const documents = (seeds: readonly Json[]): fc.Arbitrary<Json> =>
  fc
    .tuple(fc.constantFrom(...seeds), fc.array(change, { maxLength: 4 }))
    .map(([seed, some]) => some.reduce(changed, seed));

/** As text: cut, or with something put in, now and then. */
const texts = (seeds: readonly Json[]): fc.Arbitrary<string> =>
  fc
    .tuple(
      documents(seeds),
      fc.option(fc.tuple(fc.nat(), fc.string({ unit: 'binary', maxLength: 4 }), fc.boolean()), { freq: 4 }),
    )
    .map(([json, broken]) => {
      const text = JSON.stringify(json);
      if (broken === null) return text;
      const at = broken[0] % (text.length + 1);
      return text.slice(0, at) + broken[1] + (broken[2] ? text.slice(at) : '');
    });

/** The value, or null where it is refused with one of these codes. */
function refusedOr<T>(codes: readonly string[], read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (!isCrossfadeError(error)) throw error;
    expect(codes).toContain(error.code);
    return null;
  }
}

const fuzz = <T>(given: fc.Arbitrary<T>, holds: (value: T) => void) =>
  fc.assert(fc.property(given, holds), { numRuns: RUNS, ...SEED });

// ----------------------------------------------------------------------------------------------------------- what is read

const stream = (id: string, image: Json = { id: { S: id } }): Json => ({
  eventSource: 'aws:dynamodb',
  eventName: 'INSERT',
  dynamodb: { SequenceNumber: '111', NewImage: image },
});
const READ = { method: 'GET', path: '/a', query: '', headers: { accept: '*/*' }, slice: 1 };
const comparing = (read: Json): Json => ({
  Records: [stream('compare#orders', { id: { S: 'compare#orders' }, read: { S: JSON.stringify(read) } })],
});
const EVENTS: readonly Json[] = [
  { Records: [stream('orders'), stream('invoice')] },
  { Records: [stream('orders#3', { id: { S: 'orders#3' }, status: { S: 'ready' }, attempts: { N: '0' } })] },
  comparing(READ),
];
const events = fc.oneof(documents(EVENTS), documents([READ]).map(comparing));
const FLAGS = [servedForm(someFlags()) as unknown as Json];
const TRACES: readonly Json[] = [
  {
    id: 'orders',
    config: { errorRateRollback: 0.05, consecutiveFailures: 3, minDwellMinutes: 5 },
    stage: { share: 0.5, startsAtMinute: 0 },
    rows: [0, 1, 2].map((minute) => ({ minute, side: 'shadow', operations: 10, errors: 0, latencies: { '12': 10 } })),
  },
];
const CONFIGURATIONS: readonly Json[] = [
  [
    {
      id: 'orders',
      kind: 'table',
      primary: 'public.orders',
      shadow: 'public.orders_v2',
      columns: { total: { from: 'sum' } },
    },
  ],
  [{ id: 'planner', kind: 'component', plan: 'gradual', dwellMinutes: 5, policy: { minSamples: 20 } }],
  [
    {
      id: 'billing',
      kind: 'service',
      primary: 'https://a.example',
      shadow: 'https://b.example',
      allow: ['group:staff'],
    },
  ],
];

describe('readers of what comes from outside', () => {
  it('an event: each wake-up names a record of it, and a cutover or none', () => {
    fuzz(events, (event) => {
      const wakeUps = refusedOr(['invalid_event'], () => parseWakeUps(event)) ?? [];
      const numbers = new Set(
        wakeUps.length === 0
          ? []
          : (event as { Records: { dynamodb: Json }[] }).Records.map(
              (one) => (one.dynamodb as { SequenceNumber: string }).SequenceNumber,
            ),
      );
      for (const { sequenceNumber, cutover, read } of wakeUps) {
        expect(numbers).toContain(sequenceNumber);
        if (cutover !== null) expect(cutover).toMatch(CUTOVER_ID);
        if (read) expect([typeof read.path, read.method, isTexts(read.headers)]).toEqual(['string', 'GET', true]);
      }
    });
  });

  it('flags: what an application believes of a cutover the strict reader believes as well', () => {
    const [system] = [someFlags().system];
    fuzz(texts(FLAGS), (text) => {
      const seen = refusedOr(['flags_invalid'], () => checkFlagText(text));
      for (const [id, flag] of Object.entries(seen?.cutovers ?? {}))
        expect(parseFlags(JSON.parse(JSON.stringify({ system, [id]: flag }))).cutovers).toEqual({ [id]: flag });
    });
  });

  it('a trace: every row that it promises can be delivered', () => {
    fuzz(texts(TRACES), (text) => {
      const trace = refusedOr(['invalid_json', 'invalid_input'], () => readTrace(text, 'a.json'));
      for (let index = 0; index < (trace?.rows.length ?? 0); index += 1) {
        expect(Number.isInteger(trace!.rows.minute(index))).toBe(true);
        expect(trace!.rows.row(index)).toBeTypeOf('object');
      }
    });
  });

  it('a configuration: its plans rise, its ids are ids, and it is the same when it is read once more', () => {
    const codes = ['invalid_config', 'invalid_identifier', 'invalid_plan'];
    fuzz(documents(CONFIGURATIONS), (input) => {
      const cutovers = refusedOr(codes, () => defineCutovers(input as never)) ?? [];
      for (const { id, plan } of cutovers) {
        expect(id).toMatch(CUTOVER_ID);
        const shares = plan.stages.map(({ sharePpm }) => sharePpm);
        expect(shares).toEqual(shares.toSorted((a, b) => a - b));
      }
      if (cutovers.length > 0) expect(defineCutovers(input as never)).toEqual(cutovers);
    });
  });

  it('would be noticed if one did not look at what it is given (negative control)', async () => {
    const file = 'lib/schemas/stream.ts';
    const careless = await sourceMutant<Pick<typeof import('../../lib/schemas/stream.ts'), 'parseWakeUps'>>(
      [file],
      [[file, 'image?.id?.S', 'image.id.S']],
    );
    expect(() =>
      fuzz(documents(EVENTS), (event) => void refusedOr(['invalid_event'], () => careless.parseWakeUps(event))),
    ).toThrow(/Property failed/);
  });
});

const isTexts = (value: unknown) =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((one) => typeof one === 'string');
