/** Criteria of each kind, and what the answers of their sources mean, at their edges. */

import { expect, it } from 'vitest';
import type { Criterion, InvariantReading, MetricSum, Observation } from '../../../lib/core/cutover/criterion.ts';
import { criteriaDemands, isDue } from '../../../lib/core/holds/criteria.ts';
import { alarmFinding, invariantFinding, problemFinding, statusFinding } from '../../../lib/core/holds/findings.ts';
import { metricFinding } from '../../../lib/core/holds/metric-finding.ts';
import { combinations, said } from '../../helpers/said.ts';
import { declarationOf, NOW, seeded, stateIn } from '../../property/samples.ts';

const MINUTE = 60_000;
const page = (name: string) => `../../fixtures/said/${name}.txt`;

const SOURCES: readonly Partial<Record<string, unknown>>[] = [
  { alarm: 'arn:aws:cloudwatch:eu-central-1:123456789012:alarm:slow' },
  { http: 'https://check.test/ok', timeoutMs: 1, privateHosts: [] },
  { empty: 'SELECT 1' },
  { value: 'basket', atMost: 3 },
  { flag: 'late', atLeast: { ofPrimary: 0.9 } },
];

it('criteria of each kind, and how old an answer counts', async () => {
  const ages = combinations({
    everyMinutes: [1, 7],
    minutes: [0, 0.5, 1, 3.9999, 4, 4.0001, 16, 16.0001],
    answer: ['passes', 'fails', 'unclear'] as const,
  });
  const observed = (criterion: Criterion, seen: Partial<Observation>, epoch = 3) => ({
    declaration: declarationOf('table', { criteria: [criterion] }),
    state: stateIn('r1', { started: { actor: 'a', atMs: NOW - 60 * MINUTE } }),
    observations: {
      c: { atMs: NOW, epoch, answer: 'fails', sinceMs: NOW, seen: 'x', says: 'Seen.', ...seen } as Observation,
    },
    nowMs: NOW,
  });
  const criterionOf = (source: object, over: object = {}) =>
    ({ name: 'c', onFailure: 'hold', everyMinutes: 1, ...source, ...over }) as Criterion;
  const kinds = combinations({
    source: SOURCES,
    onFailure: ['hold', 'rollback'],
    answer: ['passes', 'fails', 'unclear'] as const,
  });
  await expect(
    [
      said('each kind', kinds, ({ source, onFailure, answer }) =>
        criteriaDemands(observed(criterionOf(source, { onFailure }), { answer })),
      ),
      said('the age of an answer', ages, ({ everyMinutes, minutes, answer }) => {
        const of = observed(criterionOf(SOURCES[0]!, { everyMinutes }), { answer, atMs: NOW - minutes * MINUTE });
        return [isDue(criterionOf(SOURCES[0]!, { everyMinutes }), of), criteriaDemands(of).holds[0]!.says];
      }),
      said(
        'since when it fails',
        [0, MINUTE - 1, MINUTE, 61 * MINUTE],
        (ms) => criteriaDemands(observed(criterionOf(SOURCES[0]!), { sinceMs: NOW - ms })).holds[0]!.says,
      ),
      said(
        'one that was not asked',
        [1, 2],
        (everyMinutes) => criteriaDemands(observed(criterionOf(SOURCES[0]!, { everyMinutes }), {}, 2)).holds,
      ),
    ].join('\n'),
  ).toMatchFileSnapshot(page('criteria'));
});

it('what the answer of a source means', async () => {
  const long = (letters: number) => 'x'.repeat(letters);
  const reasons = ['', '  ', 'High', 'High.', 'High!?', `${long(300)}`, long(301), ` ${long(298)} yz `];
  const readings: InvariantReading[] = [
    { kind: 'unready', why: 'not yet.' },
    { kind: 'too_slow', limitMs: 4_000 },
    { kind: 'too_many', limit: 10 },
    { kind: 'refused', why: 'denied' },
    ...[0, 1, 2, 5, 6].map((rows) => ({
      kind: 'found' as const,
      rows,
      samples: Array.from({ length: Math.min(rows, 6) }, (_, i) => [String(i), i === 1 ? null : long(59 + i)]),
    })),
    ...combinations({ rows: [0, 1, 7], differing: [0, 1, 3] }).map((of) => ({
      kind: 'compared' as const,
      ...of,
      primary:
        of.differing === 0
          ? []
          : [
              ['a', '1'],
              ['b', '2'],
            ],
      shadow:
        of.differing === 0
          ? []
          : [
              ['a', '3'],
              ['c', '4'],
            ],
    })),
    {
      kind: 'compared',
      rows: 3,
      differing: 2,
      primary: [
        ['a', 'x', '1'],
        ['a', 'y', '2'],
      ],
      shadow: [
        ['a', 'x', '1'],
        ['b', 'y', '9'],
      ],
    },
    { kind: 'compared', rows: 3, differing: 2, primary: [], shadow: [['b', 'y']] },
    { kind: 'compared', rows: 3, differing: 2, primary: [['7']], shadow: [['7'], ['8']] },
  ];
  const statuses = Array.from({ length: 420 }, (_, i) => 190 + i);
  const answered = statuses.filter(
    (one) =>
      ![one - 1, one + 1].every(
        (next) => statusFinding('https://a.test', next).answer === statusFinding('https://a.test', one).answer,
      ),
  );
  await expect(
    [
      said(
        'an alarm',
        combinations({ state: ['OK', 'ALARM', 'INSUFFICIENT_DATA'] as const, reason: reasons }),
        ({ state, reason }) =>
          alarmFinding('arn:aws:cloudwatch:eu-central-1:123456789012:alarm:slow', { state, reason, sinceMs: 5 }),
      ),
      said('an alarm that cannot be read', [undefined, { problem: 'Denied.' }], (reading) =>
        alarmFinding('slow', reading),
      ),
      said('a check, at each status that is not as its neighbours', answered, (status) =>
        statusFinding('https://a.test:8443/x', status),
      ),
      said('an invariant', combinations({ reading: readings, quarantined: [0, 1] }), ({ reading, quarantined }) =>
        invariantFinding('i', reading, quarantined),
      ),
      said('a problem', ['', 'No way!'], (problem) => problemFinding('i', problem)),
    ].join('\n'),
  ).toMatchFileSnapshot(page('findings'));
});

it('a metric beside its limit, of few and many operations, of minutes that scatter', async () => {
  const random = seeded(7);
  const sum = (
    side: 'primary' | 'shadow',
    metric: string,
    minute: number,
    n: number,
    mean: number,
    spread: number,
  ): MetricSum => ({ side, metric, minute, n, sum: n * mean, squares: n * (mean ** 2 + spread ** 2) }) as MetricSum;
  const rounds = combinations({
    n: [0, 1, 2, 3, 40],
    minutes: [1, 2, 4],
    apart: [0, 0.1, 3],
    limit: [{ atMost: 10 }, { atLeast: 10 }, { atMost: { ofPrimary: 1.1 } }],
  });
  const rule = { windowMinutes: 60, minSamples: 2 };
  const flags = combinations({
    n: [0, 1, 2, 50],
    marked: [0, 1, 2, 50, 60],
    limit: [{ atMost: 0.02 }, { atLeast: 0.5 }, { atLeast: { ofPrimary: 0.9 } }],
  });
  await expect(
    [
      said('a value', rounds, ({ n, minutes, apart, limit }) => {
        const sums = Array.from({ length: minutes }, (_, minute) => [
          sum('primary', 'value.v', minute, n, 10 + random(), 1),
          sum('shadow', 'value.v', minute, n, 10 + apart + (minute % 2) * apart, 1),
          sum('shadow', 'value.other', minute, 9, 1, 1),
          sum('shadow', 'flags', minute, 9, 1, 1),
        ]).flat();
        return metricFinding({ value: 'v', ...rule, ...limit }, sums);
      }),
      said('a flag', flags, ({ n, marked, limit }) =>
        metricFinding({ flag: 'f', ...rule, ...limit }, [
          sum('primary', 'flags', 1, 50, 1, 0),
          sum('primary', 'flag.f', 1, 25, 1, 0),
          ...[1, 2].flatMap((minute) => [
            sum('shadow', 'flags', minute, n, 1, 0),
            sum('shadow', 'flag.f', minute, marked * (minute - 1), 1, 0),
          ]),
        ]),
      ),
    ].join('\n'),
  ).toMatchFileSnapshot(page('metrics'));
});
