/** Sides, flags and permissions of many requests and states, at the edges of each. */

import { expect, it } from 'vitest';
import { makePlan, withHoldBack } from '../../../lib/core/cutover/plan.ts';
import { compareFlagAge, cutoverFlag, sharePpmOf } from '../../../lib/core/routing/flags.ts';
import { rateLimit } from '../../../lib/core/routing/rate-limit.ts';
import { bucketOf, decideRoute, keyOf, mayBeLeft, prepareRoute, sliceIn } from '../../../lib/core/routing/routing.ts';
import { isSlice, placeAmong, shareThreshold, sliceOf, slicesOf } from '../../../lib/core/routing/slices.ts';
import { intent } from '../../helpers/judged.ts';
import { combinations, said } from '../../helpers/said.ts';
import {
  declarationOf,
  flagOf,
  PLAN,
  STAGES,
  type StageName,
  stateIn,
  systemFlagOf,
  systemOf,
} from '../../property/samples.ts';

const STAGE_NAMES = Object.keys(STAGES) as StageName[];

it('of requests', async () => {
  const flags = {
    half: flagOf({ read_ppm: 500_000 }),
    none: flagOf({ read_ppm: 0, allow: ['a'] }),
    all: flagOf({ read_ppm: 1_000_000, deny: ['a'] }),
    'rest held back': flagOf({ read_ppm: 900_000, hold_back_ppm: 100_000 }),
    'less held back': flagOf({ read_ppm: 900_000, hold_back_ppm: 99_999 }),
    'none but held back': flagOf({ read_ppm: 0, hold_back_ppm: 1_000_000 }),
    lists: flagOf({ read_ppm: 1, allow: ['a', 'group:staff', 'environment:test'], deny: ['b', 'group:guests'] }),
    'sliced, off': flagOf({ enabled: false, slices: [10_000] }),
    sliced: flagOf({ slices: [10_000, 500_000] }),
    promoted: flagOf({ shadow_is_primary: true }),
  };
  const names = Object.keys(flags) as (keyof typeof flags)[];
  const requests = [
    {},
    { key: 'a' },
    { key: 'b' },
    { key: 'c' },
    { key: 'c', groups: ['staff'] },
    { key: 'c', groups: ['guests', 'staff'] },
    { key: 'c', environment: 'test' },
    { key: 'c', environment: 'est' },
    { key: 'a', operation: 'insert' },
  ] as const;
  const systems = {
    normal: systemFlagOf(),
    stopped: systemFlagOf({ emergency_stop: true }),
    off: systemFlagOf({ enabled: false }),
  };
  const overrides = [undefined, '', 'primary', 'shadow', 'other'];
  const route = (name: keyof typeof flags, request: object, system = systems.normal, override?: string) => {
    const prepared = prepareRoute(flags[name], system, override);
    const decided = decideRoute(prepared, request);
    return [
      decided.side,
      decided.reason,
      mayBeLeft(prepared, decided),
      prepared.slices,
      sliceIn(prepared, 4_000_000_000),
    ];
  };
  const steps = combinations({
    rate: [0.5, 1, 3],
    waits: [
      [0, 0, 0],
      [0, 0, 0, 100, 300],
      [0, 5_000, 0, 0],
      [0, 0, 0, 0, 0, 0, 0, 333],
    ],
  });
  await expect(
    [
      said('by flag and request', combinations({ flag: names, request: requests }), ({ flag, request }) =>
        route(flag, request),
      ),
      said(
        'by system and override',
        combinations({
          flag: ['half', 'promoted', 'sliced, off'] as const,
          system: Object.keys(systems) as (keyof typeof systems)[],
          override: overrides,
        }),
        ({ flag, system, override }) => route(flag, { key: 'a' }, systems[system], override),
      ),
      said('buckets', ['a', 'b', 'ä', 'a'.repeat(40)], (key) => [
        bucketOf('salt', key),
        sliceOf(bucketOf('salt', key), [10_000, 500_000, 1_000_000].map(shareThreshold)),
      ]),
      said('thresholds', [0, 1, 500_000, 999_999, 1_000_000], (ppm) => [
        shareThreshold(ppm),
        placeAmong(shareThreshold(ppm), [shareThreshold(1), shareThreshold(500_000)]),
        placeAmong(shareThreshold(ppm) - 1, [shareThreshold(1), shareThreshold(500_000)]),
      ]),
      said('a key', ['a', '', 0, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 5n, true, null, undefined, {}], keyOf),
      said('slices', [-1, 0, 0.5, 7, 8, 9, '1', null], isSlice),
      said('permissions', steps, ({ rate, waits }) => {
        const limit = rateLimit();
        let nowMs = 1_000;
        return waits.map((wait) => {
          nowMs += wait;
          return limit.take('a', rate, nowMs);
        });
      }),
      said('a forgotten caller', [999, 1_000, 1_001], (callers) => {
        const limit = rateLimit();
        limit.take('first', 0.5, 0);
        for (let i = 1; i < callers; i += 1) limit.take(`${i}`, 1, 0);
        return limit.take('first', 0.5, 0);
      }),
    ].join('\n'),
  ).toMatchFileSnapshot('../../fixtures/said/routes.txt');
});

it('of states', async () => {
  const pendings = {
    none: null,
    promote: intent('promote'),
    withdrawn: intent('promote', true),
    revert: intent('revert'),
  };
  const plans = { whole: PLAN, 'held back': withHoldBack(PLAN, 5), 'one step': makePlan('one', [['full_100', 100]]) };
  const cases = combinations({
    stage: STAGE_NAMES,
    pending: Object.keys(pendings) as (keyof typeof pendings)[],
    reads: [true, false],
  });
  const flags = combinations({
    stage: STAGE_NAMES,
    plan: Object.keys(plans) as (keyof typeof plans)[],
    stop: [false, true],
  });
  const ages = combinations({ epoch: [2, 3, 4], version: [6, 7, 8] });
  await expect(
    [
      said('shares', cases, ({ stage, pending, reads }) =>
        sharePpmOf(
          stateIn(stage, {
            pending: pendings[pending],
            switches: { shadowReads: reads, shadowWrites: true, sinceMs: 0 },
          }),
        ),
      ),
      said('flags', flags, ({ stage, plan, stop }) =>
        cutoverFlag(
          declarationOf(),
          stateIn(stage, { plan: plans[plan] }),
          systemOf({ emergencyStop: stop as never }),
          true,
        ),
      ),
      said(
        'lists',
        combinations({ entries: [0, 100, 101], letters: [1_024, 1_025] }),
        ({ entries, letters }) =>
          cutoverFlag(
            declarationOf('table', { deny: Array.from({ length: entries }, () => 'x'.repeat(letters)) }),
            stateIn('r1'),
            systemOf(),
          ).deny.length,
      ),
      said('ages', ages, (age) => Math.sign(compareFlagAge(age, { epoch: 3, version: 7 }))),
      said(
        'slices of plans',
        combinations({ plan: Object.keys(plans) as (keyof typeof plans)[], back: [0, 50_000, 600_000] }),
        ({ plan, back }) => slicesOf(plans[plan], back),
      ),
    ].join('\n'),
  ).toMatchFileSnapshot('../../fixtures/said/flags.txt');
});
