/**
 * Which keys move together: those of one cohort always, those of two salts by chance alone. Keys are fixed, so that a right
 * hash passes every time; a hash that mixes the salt in too weakly is shown to fail.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createClient } from '../../lib/client/client.ts';
import { initialState } from '../../lib/core/cutover/cutover.ts';
import { cutoverFlag } from '../../lib/core/routing/flags.ts';
import { murmur3 } from '../../lib/core/routing/murmur3.ts';
import { bucketOf, inShare } from '../../lib/core/routing/routing.ts';
import { shareThreshold } from '../../lib/core/routing/slices.ts';
import { defineCutovers } from '../../lib/define/cutovers.ts';
import { systemFlagOf, systemOf } from './samples.ts';

const MILLION = 1_000_000;
const KEYS = Array.from({ length: 40_000 }, (_, i) => `${['user', 'cust-', 'größe', '🙂'][i % 4]}${i * 7919}`);
const SHARES = [10_000, 100_000, 500_000, 900_000];
/** 99.9 % of a chi-square with one degree of freedom. */
const CHI_SQUARE = 10.828;

type In = (salt: string, key: string, ppm: number) => boolean;
/** Key by key, whether it is in the share. */
type Members = (salt: string, ppm: number) => readonly boolean[];

function membersBy(isIn: In): Members {
  const known = new Map<string, readonly boolean[]>();
  return (salt, ppm) => {
    const name = `${salt} ${ppm}`;
    const members = known.get(name) ?? KEYS.map((key) => isIn(salt, key, ppm));
    known.set(name, members);
    return members;
  };
}

/** Independence of "in the share of a" and "in the share of b" over all keys, by the 2 × 2 table. */
function chiSquare(ofA: readonly boolean[], ofB: readonly boolean[]): number {
  const seen = { both: 0, a: 0, b: 0, none: 0 };
  for (let i = 0; i < KEYS.length; i += 1) seen[ofA[i] ? (ofB[i] ? 'both' : 'a') : ofB[i] ? 'b' : 'none'] += 1;
  const { both, a, b, none } = seen;
  return (KEYS.length * (both * none - a * b) ** 2) / ((both + a) * (b + none) * (both + b) * (a + none));
}

const PAIRS = SHARES.flatMap((ppmA) => SHARES.map((ppmB) => [ppmA, ppmB] as const));

describe('I31 two cutovers with salts of their own', () => {
  it.each([
    ['customer', 'invoice'],
    ['a', 'b'],
    ['planner', 'planner_v2'],
  ])('%s and %s move keys independently of each other, at every two shares', (a, b) => {
    const members = membersBy(inShare);
    for (const [ppmA, ppmB] of PAIRS) {
      const value = chiSquare(members(a, ppmA), members(b, ppmB));
      expect([ppmA, ppmB, value]).toEqual([ppmA, ppmB, expect.toSatisfy(isChance)]);
    }
  });

  it('negative control: one salt is found out, and so are salts that only shift the buckets', () => {
    const right = membersBy(inShare);
    const shifted = membersBy((salt, key, ppm) => (murmur3(key) + murmur3(salt)) >>> 0 < shareThreshold(ppm));
    for (const [ppmA, ppmB] of PAIRS) expect(isChance(chiSquare(right('same', ppmA), right('same', ppmB)))).toBe(false);
    const caught = PAIRS.filter(
      ([ppmA, ppmB]) => !isChance(chiSquare(shifted('customer', ppmA), shifted('invoice', ppmB))),
    );
    expect(caught.length).toBeGreaterThan(PAIRS.length / 2);
  });
});

const isChance = (value: number) => value < CHI_SQUARE;

// ------------------------------------------------------------------------------------------------------------ cohorts

/** A client whose flags say the given shares. */
async function clientAt(shares: Readonly<Record<string, number>>) {
  const declared = defineCutovers([
    { id: 'planner', kind: 'component', cohort: 'pipeline' },
    { id: 'bundler', kind: 'component', cohort: 'pipeline' },
    { id: 'alone', kind: 'component' },
  ]);
  const cutovers = Object.fromEntries(
    declared.map((declaration) => {
      const state = { ...initialState(declaration), version: 1, stage: 'test_10', stageKind: 'ramp' as const };
      const flag = cutoverFlag(declaration, state, systemOf());
      return [declaration.id, { ...flag, read_ppm: shares[declaration.id] ?? 0 }];
    }),
  );
  const client = createClient({
    flags: { fetch: async () => ({ document: { system: systemFlagOf(), cutovers } }) },
    outcomes: async () => {},
    environment: {},
  });
  await client.refresh();
  return (cutover: string, key: string) => client.route(cutover, { key }).side;
}

describe('a cohort', () => {
  it.each(SHARES)('at %i ppm sends the very same keys, and another cutover does not', async (ppm) => {
    const side = await clientAt({ planner: ppm, bundler: ppm, alone: ppm });
    const differing = (a: string, b: string) => KEYS.filter((key) => side(a, key) !== side(b, key)).length;
    expect(differing('planner', 'bundler')).toBe(0);
    expect(differing('planner', 'alone')).toBeGreaterThan(KEYS.length / 100);
  });

  it('one step apart, a key that the later member sends is sent by the one ahead', async () => {
    const side = await clientAt({ planner: 500_000, bundler: 100_000 });
    expect(KEYS.filter((key) => side('bundler', key) === 'shadow' && side('planner', key) === 'primary')).toEqual([]);
  });
});

// -------------------------------------------------------------------------------------------------------------- ramps

describe('I30 over random ramps', () => {
  const share = fc.integer({ min: 0, max: MILLION });
  const ramp = fc.uniqueArray(share, { minLength: 2, maxLength: 12 }).map((list) => list.sort((a, b) => a - b));

  it('no key ever moves the wrong way, up or down, and each enters at the share of its bucket', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ unit: 'binary' }), ramp, (salt, key, up) => {
        const sides = up.map((ppm) => inShare(salt, key, ppm));
        expect(sides).toEqual([...sides].sort());
        expect([...up].reverse().map((ppm) => inShare(salt, key, ppm))).toEqual([...sides].reverse());
        const bucket = bucketOf(salt, key);
        expect(sides).toEqual(up.map((ppm) => BigInt(bucket) < (BigInt(ppm) << 32n) / BigInt(MILLION)));
      }),
      { numRuns: 200 },
    );
  });

  it('as many keys as planned are on the shadow at each step, within the 99.9 % interval', () => {
    for (let i = 0; i < 6; i += 1) {
      const salt = `ramp-${i}`;
      for (const ppm of [1_000, ...SHARES]) {
        const planned = ppm / MILLION;
        const seen = KEYS.filter((key) => inShare(salt, key, ppm)).length / KEYS.length;
        const width = 3.2905 * Math.sqrt((planned * (1 - planned)) / KEYS.length);
        expect([salt, ppm, Math.abs(seen - planned) <= width]).toEqual([salt, ppm, true]);
      }
    }
  });
});
