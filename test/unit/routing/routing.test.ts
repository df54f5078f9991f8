/** Routing: thresholds, monotone shares, and the order of the rules with every reason there is. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bucketOf,
  decideRoute,
  inShare,
  prepareRoute,
  type RouteReason,
  type RouteRequest,
} from '../../../lib/core/routing/routing.ts';
import { shareThreshold } from '../../../lib/core/routing/slices.ts';
import { EDGE_KEYS } from '../../helpers/edge-keys.ts';
import { route } from '../../helpers/route.ts';
import { flagOf, seeded, systemFlagOf } from '../../property/samples.ts';

const MILLION = 1_000_000;

describe('the threshold of a share', () => {
  it('is exact at 0, at 1 ppm and at 100 %', () => {
    expect(shareThreshold(0)).toBe(0);
    expect(shareThreshold(1)).toBe(4_294);
    expect(shareThreshold(MILLION)).toBe(2 ** 32);
    expect(shareThreshold(500_000)).toBe(2 ** 31);
  });

  it('is floor(ppm · 2³² / 1,000,000) in exact arithmetic for every ppm', () => {
    const wrong: number[] = [];
    for (let ppm = 0; ppm <= MILLION; ppm += 1) {
      const exact = Number((BigInt(ppm) << 32n) / BigInt(MILLION));
      if (shareThreshold(ppm) !== exact) wrong.push(ppm);
    }
    expect(wrong).toEqual([]);
  });

  it('lets nobody in at 0 and everybody at 100 %', () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ unit: 'binary' }), (salt, key) => {
        expect(inShare(salt, key, 0)).toBe(false);
        expect(inShare(salt, key, MILLION)).toBe(true);
      }),
    );
  });
});

describe('a key at the edge of what 32 bits hold', () => {
  it.each(EDGE_KEYS)('%s has bucket %i and is in from %i ppm on', (key, bucket, firstPpm) => {
    expect(bucketOf('customer', key)).toBe(bucket);
    const flag = (read_ppm: number) => flagOf({ salt: 'customer', read_ppm });
    for (const [ppm, isIn] of [
      [firstPpm - 1, false],
      [firstPpm, true],
    ] as const) {
      expect([ppm, inShare('customer', key, ppm)]).toEqual([ppm, isIn]);
      expect([ppm, route(flag(ppm), systemFlagOf(), { key }).side]).toEqual([ppm, isIn ? 'shadow' : 'primary']);
    }
  });

  it('goes by the bucket that is known already, which is not worked out again', () => {
    const prepared = prepareRoute(flagOf({ salt: 'customer', read_ppm: 500_000 }), systemFlagOf());
    const sides = [0, 2 ** 31 - 1, 2 ** 31, null].map((bucket) => decideRoute(prepared, { key: 'a' }, bucket));
    expect(sides.map(({ side, reason }) => `${side} ${reason}`)).toEqual([
      'shadow share',
      'shadow share',
      'primary share',
      'primary no_key',
    ]);
    expect(decideRoute(prepared, { key: 'a' })).toEqual(decideRoute(prepared, { key: 'a' }, bucketOf('customer', 'a')));
  });

  it('negative control: a hash with a sign would let the upper half in first', () => {
    const signed = (key: string, ppm: number) => (bucketOf('customer', key) | 0) < shareThreshold(ppm);
    expect(EDGE_KEYS.filter(([key, , firstPpm]) => signed(key, firstPpm - 1)).length).toBe(2);
  });
});

describe('I30 a share that grows', () => {
  it('never moves a key back, and one that falls gives back the newest first', () => {
    const ppm = fc.integer({ min: 0, max: MILLION });
    fc.assert(
      fc.property(fc.string(), fc.string({ unit: 'binary' }), ppm, ppm, (salt, key, a, b) => {
        const [low, high] = a < b ? [a, b] : [b, a];
        expect(inShare(salt, key, low) && !inShare(salt, key, high)).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  it('holds for route as well, whatever else the request says', () => {
    const ppm = fc.integer({ min: 0, max: MILLION });
    const request = fc.record({
      key: fc.option(fc.string({ unit: 'binary' })),
      groups: fc.array(fc.constantFrom('beta', 'staff')),
      operation: fc.constantFrom('read', 'list'),
    });
    fc.assert(
      fc.property(request, ppm, ppm, (asked, a, b) => {
        const at = (share: number) =>
          route(flagOf({ read_ppm: share, allow: ['group:beta'], deny: ['group:staff'] }), systemFlagOf(), asked).side;
        if (at(Math.min(a, b)) === 'shadow') expect(at(Math.max(a, b))).toBe('shadow');
      }),
      { numRuns: 2_000 },
    );
  });

  it('negative control: another salt at the next stage does move keys back', () => {
    const keys = Array.from({ length: 1_000 }, (_, i) => `user-${i}`);
    const back = keys.filter((key) => inShare('monday', key, 100_000) && !inShare('tuesday', key, 500_000));
    expect(back.length).toBeGreaterThan(10);
  });
});

describe('I31 the observed share', () => {
  const KEYS = 200_000;
  const random = seeded(31);
  const keys = Array.from({ length: KEYS }, (_, i) => `${i % 2 ? 'user' : 'cust'}-${i}-${Math.floor(random() * 1e9)}`);
  /** Half width of the 99.9 % interval of a binomial share, normal approximation. */
  const width = (p: number) => 3.2905 * Math.sqrt((p * (1 - p)) / KEYS);

  it.each([100, 1_000, 10_000, 100_000, 500_000, 900_000])(
    'of %i ppm lies in the 99.9 %% interval over 200,000 keys',
    (ppm) => {
      const shadow = keys.filter((key) => inShare('customer', key, ppm)).length;
      const planned = ppm / MILLION;
      expect(Math.abs(shadow / KEYS - planned)).toBeLessThanOrEqual(width(planned));
    },
  );

  it('is that of plain counting keys, too', () => {
    const shadow = Array.from({ length: KEYS }, (_, i) => String(i)).filter((key) => inShare('c', key, 100_000)).length;
    expect(Math.abs(shadow / KEYS - 0.1)).toBeLessThanOrEqual(width(0.1));
  });

  it('of two salts is independent', () => {
    const both = keys.filter((key) => inShare('customer', key, 100_000) && inShare('invoice', key, 100_000)).length;
    expect(Math.abs(both / KEYS - 0.01)).toBeLessThanOrEqual(width(0.01));
  });

  it('of one salt only grows, key by key, so a cohort moves together', () => {
    const salt = 'cohort';
    expect(keys.every((key) => inShare(salt, key, 1_000) <= inShare(salt, key, 10_000))).toBe(true);
  });

  it('negative control: a modulo of the key length would be found out', () => {
    const shadow = keys.filter((key) => key.length % 10 === 0).length;
    expect(Math.abs(shadow / KEYS - 0.1)).toBeGreaterThan(width(0.1));
  });
});

describe('the order of the rules', () => {
  const key = 'user-1';
  const inside = bucketOf('customer', key);
  /** The smallest share that takes the key, and the largest that does not. */
  const takes = Math.ceil(((inside + 1) * MILLION) / 2 ** 32);
  const leaves = takes - 1;

  type Case = {
    name: string;
    expected: readonly ['primary' | 'shadow', RouteReason];
    flag?: Parameters<typeof flagOf>[0] | null;
    stopped?: boolean;
    request?: RouteRequest;
    override?: string;
    circuitOpen?: boolean;
  };
  const everything = { allow: [key], deny: [key], read_ppm: MILLION };
  const cases: readonly Case[] = [
    {
      name: 'switched off by hand',
      expected: ['primary', 'switched_off'],
      flag: { enabled: false },
      override: 'shadow',
    },
    { name: 'no flag', expected: ['primary', 'unknown_cutover'], flag: null, override: 'shadow' },
    {
      name: 'stop before override',
      expected: ['primary', 'emergency_stop'],
      stopped: true,
      override: 'shadow',
      flag: everything,
    },
    {
      name: 'override before writes',
      expected: ['shadow', 'override'],
      override: 'shadow',
      request: { key, operation: 'write' },
    },
    { name: 'override before deny', expected: ['shadow', 'override'], override: 'shadow', flag: everything },
    {
      name: 'override to the primary',
      expected: ['primary', 'override'],
      override: 'primary',
      flag: { read_ppm: MILLION },
    },
    {
      name: 'row 68: an override in another case is ignored, and said',
      expected: ['primary', 'override_invalid'],
      override: 'SHADOW ',
      flag: { read_ppm: leaves },
    },
    {
      name: 'writes before deny and allow',
      expected: ['primary', 'write'],
      flag: everything,
      request: { key, operation: 'insert' },
    },
    { name: 'deny before allow', expected: ['primary', 'denied'], flag: everything },
    { name: 'deny before share', expected: ['primary', 'denied'], flag: { deny: [key], read_ppm: MILLION } },
    { name: 'allow before share', expected: ['shadow', 'allowed'], flag: { allow: [key], read_ppm: leaves } },
    {
      name: 'allow by group',
      expected: ['shadow', 'allowed'],
      flag: { allow: ['group:beta'], read_ppm: 1 },
      request: { key, groups: ['x', 'beta'] },
    },
    {
      name: 'deny by environment',
      expected: ['primary', 'denied'],
      flag: { deny: ['environment:ci'], read_ppm: MILLION },
      request: { key, environment: 'ci' },
    },
    {
      name: 'allow works without a key',
      expected: ['shadow', 'allowed'],
      flag: { allow: ['group:beta'] },
      request: { groups: ['beta'] },
    },
    { name: 'no key', expected: ['primary', 'no_key'], request: {} },
    {
      name: 'no key where a part is held back, and less than the rest is served',
      expected: ['primary', 'no_key'],
      flag: { read_ppm: 980_000, hold_back_ppm: 10_000 },
      request: {},
    },
    {
      name: 'no key where only what is held back is left',
      expected: ['shadow', 'share'],
      flag: { read_ppm: 990_000, hold_back_ppm: 10_000 },
      request: {},
    },
    {
      name: 'no key where reads are on the primary, however much is held back',
      expected: ['primary', 'no_key'],
      flag: { read_ppm: 0, hold_back_ppm: MILLION },
      request: {},
    },
    { name: 'an empty key is no key', expected: ['primary', 'no_key'], request: { key: '' } },
    { name: 'null is no key', expected: ['primary', 'no_key'], request: { key: null } },
    { name: 'no key is needed at 100 %', expected: ['shadow', 'share'], flag: { read_ppm: MILLION }, request: {} },
    { name: 'the last ppm that leaves the key', expected: ['primary', 'share'], flag: { read_ppm: leaves } },
    { name: 'the first ppm that takes the key', expected: ['shadow', 'share'], flag: { read_ppm: takes } },
    {
      name: 'the breaker after the share',
      expected: ['primary', 'circuit_open'],
      flag: { read_ppm: takes },
      circuitOpen: true,
    },
    {
      name: 'the breaker after the allow list',
      expected: ['primary', 'circuit_open'],
      flag: { allow: [key] },
      circuitOpen: true,
    },
    {
      name: 'the breaker is not the reason of a primary',
      expected: ['primary', 'share'],
      flag: { read_ppm: leaves },
      circuitOpen: true,
    },
    {
      name: 'dual_write stays closed for the allow list',
      expected: ['primary', 'share'],
      flag: { stage: 'dual_write', read_ppm: 0, allow: [key] },
    },
    {
      name: 'promoted',
      expected: ['shadow', 'share'],
      flag: { shadow_is_primary: true, read_ppm: MILLION },
      request: {},
    },
    {
      name: 'promoted, a write',
      expected: ['shadow', 'write'],
      flag: { shadow_is_primary: true },
      request: { operation: 'update' },
    },
    {
      name: 'promoted, a stop',
      expected: ['shadow', 'share'],
      flag: { shadow_is_primary: true, read_ppm: MILLION },
      stopped: true,
    },
    {
      name: 'promoted, a write during a stop',
      expected: ['shadow', 'write'],
      flag: { shadow_is_primary: true },
      request: { operation: 'delete' },
      stopped: true,
    },
    {
      name: 'promoted, an open breaker',
      expected: ['shadow', 'share'],
      flag: { shadow_is_primary: true, read_ppm: MILLION },
      circuitOpen: true,
    },
    {
      name: 'an override, an open breaker',
      expected: ['shadow', 'override'],
      flag: { read_ppm: MILLION },
      override: 'shadow',
      circuitOpen: true,
    },
    {
      name: 'promoted, a deny list',
      expected: ['shadow', 'share'],
      flag: { shadow_is_primary: true, deny: [key], read_ppm: MILLION },
    },
  ];

  it.each(cases)(
    '$name → $expected',
    ({ expected, flag, stopped = false, request = { key }, override, circuitOpen }) => {
      const system = systemFlagOf({ emergency_stop: stopped });
      const decided = route(flag === null ? undefined : flagOf(flag), system, request, override, circuitOpen);
      expect([decided.side, decided.reason]).toEqual(expected);
    },
  );

  it('a system flag that was switched off by hand stops reads as the emergency stop does, and no promoted table', () => {
    const off = systemFlagOf({ enabled: false });
    expect(route(flagOf({ read_ppm: MILLION }), off, { key })).toEqual({ side: 'primary', reason: 'emergency_stop' });
    expect(route(flagOf({ read_ppm: MILLION, shadow_is_primary: true }), off, { key }).side).toBe('shadow');
  });

  it('gives every reason there is but those of a reader without flags', () => {
    const reasons: Record<RouteReason, true> = {
      unknown_cutover: true,
      no_flags: true,
      default: true,
      switched_off: true,
      emergency_stop: true,
      override: true,
      override_invalid: true,
      write: true,
      denied: true,
      allowed: true,
      no_key: true,
      share: true,
      circuit_open: true,
    };
    const given = new Set<string>(cases.map(({ expected }) => expected[1]));
    expect(Object.keys(reasons).filter((reason) => !given.has(reason))).toEqual(['no_flags', 'default']);
  });

  it('every operation that writes goes to the side that is written', () => {
    for (const operation of ['write', 'insert', 'update', 'delete', 'upsert']) {
      expect(route(flagOf({ read_ppm: MILLION }), systemFlagOf(), { key, operation }).side).toBe('primary');
    }
    expect(route(flagOf({ read_ppm: MILLION }), systemFlagOf(), { key, operation: 'read' }).side).toBe('shadow');
  });

  it('without a system flag the cutover decides alone', () => {
    expect(route(flagOf({ read_ppm: takes }), undefined, { key }).side).toBe('shadow');
  });

  it('a cutover called like a property of every object is unknown like any other', () => {
    const cutovers: Record<string, ReturnType<typeof flagOf>> = {};
    expect(route(cutovers.constructor as never, systemFlagOf(), { key })).toEqual({
      side: 'primary',
      reason: 'unknown_cutover',
    });
  });
});
