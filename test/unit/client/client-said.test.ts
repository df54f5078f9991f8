/** What the parts of the SDK that only count and sort make of whatever they are given, at the edges of each. */

import { expect, it } from 'vitest';
import { comparisonBudget } from '../../../lib/client/comparison-budget.ts';
import { comparisonCounts } from '../../../lib/client/comparison-report.ts';
import { isKeyless, operationOf, timerMs } from '../../../lib/client/cutover-run.ts';
import { metricSums } from '../../../lib/client/metric-sums.ts';
import { minutesOf } from '../../../lib/client/minutes.ts';
import { mismatchGroups, redactPath } from '../../../lib/client/mismatch-groups.ts';
import type { OutcomeBatch } from '../../../lib/client/outcome.ts';
import { problemTeller } from '../../../lib/client/problems.ts';
import { Recorder } from '../../../lib/client/recorder.ts';
import { readSwitches } from '../../../lib/client/switches.ts';
import { isUsable } from '../../../lib/client/usable-outcome.ts';
import { combinations, said } from '../../helpers/said.ts';
import { NOW, systemFlagOf } from '../../property/samples.ts';

const of = { cutover: 'customer', side: 'shadow' } as const;

it('of figures, mismatches and switches', async () => {
  const values = [undefined, null, 'text', { a: 1, A: 2, b_1: -1e9, c: 1e9 + 1, d: Number.NaN, e: '1' }, [1]];
  const flags = [undefined, null, 'a', [], ['a', 'a', 'B', 7, 'b']];
  const sides = [undefined, null, 1, 'abc', Symbol('s'), [1, 2], { a: 1 }, new Uint8Array([1, 2]), 'x'.repeat(70), 5n];
  const difference = (path: string, primary: unknown, shadow: unknown) => ({
    path,
    kind: 'value' as const,
    primary,
    shadow,
  });
  const mismatch = (path: string, over: object = {}) => ({
    cutover: 'customer',
    operation: 'read',
    kind: 'difference' as const,
    differences: [difference(path, 1, 2)],
    atMs: NOW,
    ...over,
  });
  const steps: (readonly [number, number])[][] = [
    [
      [0, 0],
      [0, 0],
      [0, 0],
    ],
    [
      [0, 60],
      [0, 0],
      [900, 0],
      [300, 0],
    ],
    [
      [0, 0],
      [499, 0],
      [1, 0],
      [5_000, 0],
      [0, 0],
      [0, 0],
    ],
    [
      [0, 50],
      [0, 0],
    ],
    [
      [0, 49],
      [0, 1],
      [0, 0],
    ],
  ];
  const environments = [
    {},
    { CROSSFADE_READONLY: '1' },
    { CROSSFADE_READONLY: 'true' },
    { CROSSFADE_READONLY: '0' },
    { CROSSFADE_READONLY: 'yes' },
    { CROSSFADE_MIGRATION_PHASE: 'phase1' },
    { CROSSFADE_MIGRATION_PHASE: 'phase0' },
    { CROSSFADE_MIGRATION_PHASE: 'cleanup' },
    { CROSSFADE_CUSTOMER: 'shadow' },
    { CROSSFADE_CUSTOMER: 'other' },
  ];
  const clocks = combinations({ speed: [undefined, '0', '1', '60'], origin: [undefined, '0', '1000'] });
  await expect(
    [
      said('own figures', combinations({ values, flags }), (outcome) => {
        const sums = metricSums();
        for (const minute of [1, 1, 2]) sums.add({ ...of, ...outcome } as never, minute);
        return [sums.take(), sums.take().length];
      }),
      said('as many names as are taken', [199, 200, 201], (names) => {
        const sums = metricSums();
        for (let i = 0; i < names; i += 1) sums.add({ ...of, values: { [`v${i}`]: 1 } }, 1);
        return sums.take().length;
      }),
      said(
        'a sample',
        combinations({ values: [true, false], primary: sides.map((_, i) => i) }),
        ({ values: shown, primary }) => {
          const groups = mismatchGroups({ values: shown });
          groups.add(
            mismatch('user.4711.name', {
              differences: [difference('user.4711.name', sides[primary], sides[(primary + 1) % sides.length])],
              key: 'k',
            }),
          );
          return groups.list();
        },
      ),
      said('groups', [1, 3, 4, 50, 51], (many) => {
        const groups = mismatchGroups({ values: true });
        for (let i = 0; i < many; i += 1) groups.add(mismatch(`p${i}`, { atMs: NOW + i }));
        for (let i = 0; i < many; i += 1)
          groups.add(mismatch('p0', { atMs: NOW + i, cutover: i % 2 ? 'other' : 'customer' }));
        const [first] = groups.list('customer');
        return [
          groups.list().length,
          groups.list('other').length,
          first!.count,
          first!.samples.length,
          first!.lastSeenMs - NOW,
          groups.ungrouped(),
        ];
      }),
      said('paths of one', [9, 10, 11], (many) => {
        const groups = mismatchGroups({ values: true });
        groups.add(mismatch('', { differences: Array.from({ length: many }, (_, i) => difference(`p${i}`, 1, 2)) }));
        return [groups.list()[0]!.paths.length, groups.list()[0]!.samples[0]!.differences.length];
      }),
      said(
        'a path',
        ['$', 'a.b', 'a[*].b', 'a b', 'a12', 'a123', 'x'.repeat(40), 'x'.repeat(41), Array(40).fill('abcd').join('.')],
        redactPath,
      ),
      said('counts', [0, 1, 50, 51], (kinds) => {
        const counts = comparisonCounts();
        counts.ran({ side: 'primary', latencyMs: 5 }, { side: 'shadow', latencyMs: 50 });
        counts.ran({ side: 'primary', latencyMs: 500 }, null);
        for (const mismatched of [true, false, null]) counts.compared(mismatched);
        for (let i = 0; i < kinds; i += 1)
          counts.compared(null, [
            { path: `p${i}`, what: 'w' },
            { path: 'p0', what: 'w' },
          ]);
        for (const reason of ['rate', 'thread', 'thread'] as const) counts.shed(reason);
        const { unseen, ...rest } = counts.report();
        return [unseen.length, unseen[0], rest];
      }),
      said(
        'what may be compared',
        combinations({ perSecond: [0.5, 2], concurrency: [1, 2], steps }),
        ({ perSecond, concurrency, steps: some }) => {
          const budget = comparisonBudget({ perSecond, concurrency, threadShare: 0.05 });
          let nowMs = 1_000;
          return some.map(([waitMs, threadMs], i) => {
            nowMs += waitMs;
            budget.spend(threadMs);
            const begun = budget.begin(nowMs);
            if (i === 1) budget.again();
            if (i > 1 && begun === null) budget.end();
            return [begun, budget.running()];
          });
        },
      ),
      said(
        'problems',
        [
          [0, 599_999],
          [0, 600_000],
          [1, 999],
          [1, 1_000],
        ] as const,
        ([another, waitMs]) => {
          let nowMs = 5;
          const tell = problemTeller(
            () => {},
            () => nowMs,
          );
          const first = tell({ code: 'c', message: 'm' });
          nowMs += waitMs;
          return [first, tell({ code: 'c', message: another ? 'n' : 'm' }), tell({ code: 'd', message: 'm' })];
        },
      ),
      said('switches', environments, (environment) => {
        const { isReadonly, migrationPhase, invalid } = readSwitches(environment);
        return [undefined, systemFlagOf({ readonly: true, migration_phase: 'p' })].map((system) => [
          isReadonly(system),
          migrationPhase(system),
          invalid(['customer']),
        ]);
      }),
      said('minutes', clocks, ({ speed, origin }) => {
        const minutes = minutesOf(
          { CROSSFADE_CLOCK_SPEED: speed, CROSSFADE_CLOCK_ORIGIN_MS: origin } as never,
          () => 2_001,
        );
        return [minutes.speed, minutes.now()];
      }),
      said(
        'what can be counted',
        combinations({
          cutover: ['customer', 'C', 7],
          side: ['primary', 'other'],
          latencyMs: [-1, 0, Number.NaN],
          slice: [undefined, null, 0, 8],
        }) as never[],
        isUsable,
      ),
      said('nothing', [null, undefined, {}] as never[], isUsable),
      said('a timer', [0, 0.1, 2 ** 31 - 1, 2 ** 31], timerMs),
      said(
        'a request',
        [{}, { operation: 'list' }, { key: '' }, { key: null }, { key: 0 }, { key: 'a' }] as never[],
        (request) => [operationOf(request), isKeyless(request)],
      ),
    ].join('\n'),
  ).toMatchFileSnapshot('../../fixtures/said/client.txt');
});

it('of outcomes that are sent, and sent again', async () => {
  const courses = combinations({ fails: [0, 1, 2], names: [1, 65], slices: [[undefined], [0, 3]] });
  const courseOf = async ({ fails, names, slices }: (typeof courses)[number]) => {
    const sent: OutcomeBatch[] = [];
    let left = fails;
    let ids = 0;
    const sink = async (batch: OutcomeBatch) => {
      sent.push(structuredClone(batch));
      if (left-- > 0) throw new Error('away');
    };
    const recorder = new Recorder({
      sink,
      source: 's',
      nextId: () => `${++ids}`,
      now: () => NOW,
      elapsedMs: () => 0,
      flushIntervalMs: 1e6,
    });
    for (let i = 0; i < names; i += 1)
      for (const slice of slices)
        recorder.record({
          cutover: 'customer',
          side: 'shadow',
          operation: `o${i}`,
          latencyMs: i + 1,
          success: i % 3 > 0,
          keyless: i % 5 === 0,
          left: i % 7 === 0,
          slice,
        });
    for (const mismatch of [true, false, null, undefined])
      recorder.compared({
        cutover: 'customer',
        operation: 'o0',
        slice: slices[0],
        mismatch,
        alone: mismatch ? 'onlyShadow' : null,
      } as never);
    const flushed: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      await recorder.flush();
      flushed.push(sent.length);
    }
    const windows = sent[0]!.windows.map(({ latency, ...window }) => [Object.keys(latency).length, window]);
    return {
      flushed,
      ids: sent.map(({ flushId }) => flushId),
      dropped: recorder.dropped,
      windows: [windows.length, windows[0], windows.at(-1)],
    };
  };
  const seen = new Map(await Promise.all(courses.map(async (course) => [course, await courseOf(course)] as const)));
  await expect(said('outcomes', courses, (course) => seen.get(course))).toMatchFileSnapshot(
    '../../fixtures/said/outcomes.txt',
  );
});
