/**
 * Recorded minutes of many kinds, drawn anew with every seed and written in the replay format: what is bad is rolled back
 * by its minute, what is healthy never, and nothing advances without data.
 */

import { describe, expect, it } from 'vitest';
import { bucketUpperMs } from '../../lib/core/gates/histogram.ts';
import { replay } from '../../lib/core/replay/replay.ts';
import { readTrace } from '../../lib/schemas/replay.ts';
import { binomial, drawnMinute, type Hump, latenciesOf, type Random, randomFrom } from '../helpers/gate-traffic.ts';

type Row = {
  minute: number;
  path: 'primary' | 'shadow';
  count: number;
  errors: number;
  latency: number[];
  checks?: number;
  mismatches?: number;
  confirmedCorruption?: boolean;
};

/** A side in one minute: requests a second of both sides together, its errors, its latencies, its comparisons. */
type Side = { rps: number; errorRate: number; humps: readonly Hump[]; mismatchRate: number; tries: number };

type Family = {
  name: string;
  share?: number;
  rps?: number;
  minutes?: number;
  config?: object;
  primary?: (minute: number) => Partial<Side>;
  shadow?: (minute: number) => Partial<Side>;
  /** Applied to all rows in delivery order. */
  delivered?: (rows: Row[], random: Random) => Row[];
  wanted: Wanted;
};
type Wanted =
  | { kind: 'stays'; advancesBy?: number }
  /** Rolled back in these minutes; what is bad from its first minute on is never free to advance. */
  | { kind: 'goes'; from: number; by: number }
  | { kind: 'never advances'; mayGo?: boolean };

const HUMP: Hump = { medianMs: 100, spread: 0.6, weight: 1 };
const HEALTHY: Omit<Side, 'rps'> = { errorRate: 0.0005, humps: [HUMP], mismatchRate: 0.0005, tries: 1 };
const slower = (factor: number) => ({ humps: [{ ...HUMP, medianMs: 100 * factor }] });
const from = (minute: number, bad: Partial<Side>) => (now: number) => (now >= minute ? bad : {});
const within = (first: number, last: number, bad: Partial<Side>) => (now: number) =>
  now >= first && now <= last ? bad : {};

const HISTORY_MINUTES = 30;
const FILE_LOG_GAMMA = Math.log(1.2) / 4;
const fileIndex = (ms: number) => Math.ceil(Math.log(ms) / FILE_LOG_GAMMA);

/** Where a bucket is in the file. Worked out once: it is asked a million times for a few hundred of them. */
const places = new Map<string, number>();
function placeOf(bucket: string): number {
  const place = places.get(bucket) ?? fileIndex(bucketUpperMs(Number(bucket) - 0.5));
  places.set(bucket, place);
  return place;
}

function rowOf(random: Random, minute: number, path: Row['path'], share: number, side: Side): Row {
  const perMinute = side.rps * 60 * share;
  const drawn = drawnMinute(random, minute, path, {
    perMinute,
    errorRate: side.errorRate,
    latencies: known(side.humps),
  });
  const more = drawn.errors * (side.tries - 1);
  const inFile = new Map<number, number>();
  for (const [bucket, count] of Object.entries(drawn.latency)) {
    const at = placeOf(bucket);
    inFile.set(at, (inFile.get(at) ?? 0) + count);
  }
  const hundred = fileIndex(100);
  if (more > 0) inFile.set(hundred, (inFile.get(hundred) ?? 0) + more);
  const indexes = [...inFile.keys()];
  const first = Math.min(...indexes);
  const latency =
    indexes.length === 0
      ? []
      : [first, ...Array.from({ length: Math.max(...indexes) - first + 1 }, (_, i) => inFile.get(first + i) ?? 0)];
  return {
    minute,
    path,
    count: drawn.count + more,
    errors: drawn.errors + more,
    latency,
    ...(path === 'shadow' ? { checks: 60, mismatches: binomial(random, 60, side.mismatchRate) } : {}),
  };
}

const made = new Map<string, ReturnType<typeof latenciesOf>>();
function known(humps: readonly Hump[]) {
  const key = JSON.stringify(humps);
  const there = made.get(key) ?? latenciesOf(humps);
  made.set(key, there);
  return there;
}

function traceOf(family: Family, seed: number): string {
  const random = randomFrom(seed);
  const { share = 0.01, rps = 100, minutes = 180, primary = () => ({}), shadow = () => ({}) } = family;
  let rows: Row[] = [];
  for (let minute = 1 - HISTORY_MINUTES; minute <= minutes; minute += 1) {
    const before = { rps, ...HEALTHY, ...primary(minute) };
    rows.push(rowOf(random, minute, 'primary', minute < 1 ? 1 : 1 - share, before));
    if (minute >= 1) rows.push(rowOf(random, minute, 'shadow', share, { rps, ...HEALTHY, ...shadow(minute) }));
  }
  if (family.delivered) rows = family.delivered(rows, random);
  return JSON.stringify({ id: family.name, stage: { share, startsAtMinute: 1 }, config: family.config ?? {}, rows });
}

const shadowOnly = (change: (row: Row, random: Random) => Row | null) => (rows: Row[], random: Random) =>
  rows.flatMap((row) => (row.path === 'shadow' ? (change(row, random) ?? []) : row));

const both = (change: Partial<Side>, first: number, last: number) => ({
  primary: within(first, last, change),
  shadow: within(first, last, change),
});

const FAMILIES: readonly Family[] = [
  // ------------------------------------------------------------------------------------------------ never rolled back
  ...[1, 5, 20, 100, 1_000].flatMap((rps): Family[] => [
    { name: `healthy, 1 % of ${rps} rps`, rps, minutes: 300, wanted: { kind: 'stays' } },
    { name: `healthy, 10 % of ${rps} rps`, rps, share: 0.1, minutes: 180, wanted: { kind: 'stays' } },
    { name: `healthy, 50 % of ${rps} rps`, rps, share: 0.5, minutes: 120, wanted: { kind: 'stays' } },
  ]),
  { name: 'healthy, 100 %', share: 1, minutes: 120, wanted: { kind: 'stays' } },
  { name: 'healthy at 100 rps advances', wanted: { kind: 'stays', advancesBy: 120 } },
  { name: 'one minute with 20 % errors', shadow: within(30, 30, { errorRate: 0.2 }), wanted: { kind: 'stays' } },
  {
    name: 'two minutes with 10 % errors, then none',
    shadow: (now) => ({ errorRate: now === 30 || now === 31 ? 0.1 : now > 31 && now < 45 ? 0 : HEALTHY.errorRate }),
    wanted: { kind: 'stays' },
  },
  { name: 'one minute three times as slow', shadow: within(30, 30, slower(3)), wanted: { kind: 'stays' } },
  { name: 'one minute twenty times as slow', shadow: within(60, 60, slower(20)), wanted: { kind: 'stays' } },
  { name: 'both twice as slow', ...both(slower(2), 40, 180), wanted: { kind: 'stays' } },
  { name: 'both slower for ten minutes', ...both(slower(5), 40, 50), wanted: { kind: 'stays' } },
  { name: 'both fail a tenth for ten minutes', ...both({ errorRate: 0.1 }, 40, 50), wanted: { kind: 'stays' } },
  { name: 'both fail half for five minutes', ...both({ errorRate: 0.5 }, 40, 45), wanted: { kind: 'stays' } },
  { name: 'both fail everything for five minutes', ...both({ errorRate: 1 }, 40, 45), wanted: { kind: 'stays' } },
  { name: 'both fail 2 % always', ...both({ errorRate: 0.02 }, -100, 500), wanted: { kind: 'stays' } },
  { name: 'both fail 20 % always', ...both({ errorRate: 0.2 }, -100, 500), wanted: { kind: 'stays' } },
  { name: 'neither ever fails', ...both({ errorRate: 0 }, -100, 500), wanted: { kind: 'stays' } },
  { name: 'only the shadow ever fails, rarely', primary: () => ({ errorRate: 0 }), wanted: { kind: 'stays' } },
  {
    name: 'both have a heavy tail',
    ...both(
      {
        humps: [
          { ...HUMP, weight: 0.97 },
          { medianMs: 3_000, spread: 1, weight: 0.03 },
        ],
      },
      -100,
      500,
    ),
    wanted: { kind: 'stays' },
  },
  {
    name: 'both have two humps',
    ...both(
      {
        humps: [
          { medianMs: 5, spread: 0.3, weight: 0.5 },
          { medianMs: 400, spread: 0.4, weight: 0.5 },
        ],
      },
      -100,
      500,
    ),
    wanted: { kind: 'stays' },
  },
  {
    name: 'all latencies are alike',
    ...both({ humps: [{ medianMs: 50, spread: 0.001, weight: 1 }] }, -100, 500),
    wanted: { kind: 'stays' },
  },
  {
    name: 'the day goes on',
    primary: (minute) => ({ rps: 100 * (1 + 0.8 * Math.sin(minute / 40)), ...slower(1 + 0.3 * Math.sin(minute / 40)) }),
    shadow: (minute) => ({ rps: 100 * (1 + 0.8 * Math.sin(minute / 40)), ...slower(1 + 0.3 * Math.sin(minute / 40)) }),
    minutes: 300,
    wanted: { kind: 'stays' },
  },
  { name: '5 % slower', shadow: () => slower(1.05), minutes: 300, wanted: { kind: 'stays' } },
  { name: 'faster', shadow: () => slower(0.5), wanted: { kind: 'stays', advancesBy: 120 } },
  { name: 'failures tried four times', ...both({ tries: 4 }, -100, 500), minutes: 300, wanted: { kind: 'stays' } },
  {
    name: 'failures tried three times, 20 rps',
    rps: 20,
    ...both({ tries: 3 }, -100, 500),
    minutes: 300,
    wanted: { kind: 'stays' },
  },
  { name: 'nothing for ten minutes', ...both({ rps: 0 }, 40, 50), wanted: { kind: 'stays' } },
  { name: 'nights without traffic', ...both({ rps: 0.02 }, 40, 160), minutes: 240, wanted: { kind: 'stays' } },
  { name: 'a burst of ten times the traffic', ...both({ rps: 1_000 }, 60, 65), wanted: { kind: 'stays' } },
  {
    name: 'every row twice',
    delivered: (rows) => rows.flatMap((row) => [row, row]),
    wanted: { kind: 'stays', advancesBy: 120 },
  },
  {
    name: 'every shadow row comes again, all failed',
    delivered: (rows) => rows.flatMap((row) => (row.path === 'shadow' ? [row, { ...row, errors: row.count }] : [row])),
    wanted: { kind: 'stays' },
  },
  {
    name: 'a tenth of the rows is lost',
    delivered: (rows, random) => rows.filter(({ minute }) => minute < 1 || random() > 0.1),
    wanted: { kind: 'stays' },
  },
  {
    name: 'rows swapped with their neighbours',
    delivered: (rows) => rows.map((_, i) => rows[i ^ 1] ?? rows[i]!),
    wanted: { kind: 'stays' },
  },
  { name: '0.2 % mismatches', shadow: () => ({ mismatchRate: 0.002 }), wanted: { kind: 'stays' } },
  { name: 'one minute with 10 % mismatches', shadow: within(30, 30, { mismatchRate: 0.1 }), wanted: { kind: 'stays' } },
  // ------------------------------------------------------------------------------------------------------ rolled back
  { name: '+2 pp errors', shadow: () => ({ errorRate: 0.0205 }), wanted: { kind: 'goes', from: 1, by: 20 } },
  {
    name: '+2 pp errors at 1,000 rps',
    rps: 1_000,
    minutes: 60,
    shadow: () => ({ errorRate: 0.0205 }),
    wanted: { kind: 'goes', from: 1, by: 5 },
  },
  { name: '+10 pp errors', shadow: () => ({ errorRate: 0.1005 }), wanted: { kind: 'goes', from: 1, by: 6 } },
  {
    name: '+10 pp errors at 5 rps',
    rps: 5,
    shadow: () => ({ errorRate: 0.1005 }),
    wanted: { kind: 'goes', from: 1, by: 60 },
  },
  {
    name: '+10 pp errors from minute 90',
    shadow: from(90, { errorRate: 0.1005 }),
    wanted: { kind: 'goes', from: 90, by: 96 },
  },
  {
    name: '+10 pp errors beside a primary with 1 %',
    primary: () => ({ errorRate: 0.01 }),
    shadow: () => ({ errorRate: 0.11 }),
    wanted: { kind: 'goes', from: 1, by: 8 },
  },
  { name: '+30 % latency', shadow: () => slower(1.3), wanted: { kind: 'goes', from: 1, by: 30 } },
  { name: '+30 % latency from minute 60', shadow: from(60, slower(1.3)), wanted: { kind: 'goes', from: 60, by: 95 } },
  { name: 'twice as slow', shadow: () => slower(2), wanted: { kind: 'goes', from: 1, by: 6 } },
  { name: 'twice as slow at 5 rps', rps: 5, shadow: () => slower(2), wanted: { kind: 'goes', from: 1, by: 40 } },
  {
    name: 'a tenth of the shadow is ten times as slow',
    shadow: () => ({
      humps: [
        { ...HUMP, weight: 0.9 },
        { medianMs: 1_000, spread: 0.3, weight: 0.1 },
      ],
    }),
    wanted: { kind: 'goes', from: 1, by: 40 },
  },
  { name: 'everything fails', shadow: from(30, { errorRate: 1 }), wanted: { kind: 'goes', from: 30, by: 31 } },
  {
    name: 'everything fails at 5 rps',
    rps: 5,
    shadow: from(30, { errorRate: 1 }),
    wanted: { kind: 'goes', from: 30, by: 35 },
  },
  { name: 'half fails', shadow: from(30, { errorRate: 0.5 }), wanted: { kind: 'goes', from: 30, by: 32 } },
  {
    name: 'everything fails after an incident of both',
    primary: within(20, 25, { errorRate: 1 }),
    shadow: (now) => ((now >= 20 && now <= 25) || now >= 60 ? { errorRate: 1 } : {}),
    wanted: { kind: 'goes', from: 60, by: 62 },
  },
  {
    name: '+10 pp errors after an incident of both',
    primary: within(20, 25, { errorRate: 0.3 }),
    shadow: (now) => (now >= 60 ? { errorRate: 0.1 } : now >= 20 && now <= 25 ? { errorRate: 0.3 } : {}),
    wanted: { kind: 'goes', from: 60, by: 70 },
  },
  {
    name: '+10 pp errors among failures tried four times',
    primary: () => ({ tries: 4 }),
    shadow: from(60, { errorRate: 0.1, tries: 4 }),
    wanted: { kind: 'goes', from: 60, by: 70 },
  },
  {
    name: '3 % mismatches from minute 60',
    shadow: from(60, { mismatchRate: 0.03 }),
    wanted: { kind: 'goes', from: 60, by: 105 },
  },
  { name: '10 % mismatches', shadow: () => ({ mismatchRate: 0.1 }), wanted: { kind: 'goes', from: 1, by: 10 } },
  { name: 'half mismatches', shadow: from(30, { mismatchRate: 0.5 }), wanted: { kind: 'goes', from: 30, by: 33 } },
  {
    name: 'one confirmed corruption',
    delivered: shadowOnly((row) => (row.minute === 45 ? { ...row, confirmedCorruption: true } : row)),
    wanted: { kind: 'goes', from: 45, by: 45 },
  },
  {
    name: 'nothing reaches the shadow',
    delivered: shadowOnly((row) => ({ ...row, count: 0, errors: 0, latency: [], checks: 0, mismatches: 0 })),
    wanted: { kind: 'never advances' },
  },
  {
    name: 'a tenth of its share reaches the shadow',
    share: 0.1,
    shadow: () => ({ rps: 10 }),
    wanted: { kind: 'never advances' },
  },
  {
    name: 'errors that grow, by 0.1 pp a minute',
    shadow: (now) => ({ errorRate: Math.min(1, 0.0005 + 0.001 * Math.max(0, now - 30)) }),
    wanted: { kind: 'goes', from: 31, by: 60 },
  },
  {
    name: '+10 pp errors, every row twice',
    shadow: () => ({ errorRate: 0.1 }),
    delivered: (rows) => rows.flatMap((row) => [row, row]),
    wanted: { kind: 'goes', from: 1, by: 6 },
  },
  {
    name: '+10 pp errors, rows swapped',
    shadow: () => ({ errorRate: 0.1 }),
    delivered: (rows) => rows.map((_, i) => rows[i ^ 1] ?? rows[i]!),
    wanted: { kind: 'goes', from: 1, by: 7 },
  },
  {
    name: '+10 pp errors, a third of the rows lost',
    shadow: () => ({ errorRate: 0.1 }),
    delivered: (rows, random) => rows.filter(({ minute }) => minute < 1 || random() > 0.33),
    wanted: { kind: 'goes', from: 1, by: 20 },
  },
  {
    name: '+10 pp errors at 99 %',
    share: 0.99,
    shadow: from(30, { errorRate: 0.1 }),
    wanted: { kind: 'goes', from: 30, by: 36 },
  },
  {
    name: '+10 pp errors at 100 %, with nothing to compare with',
    share: 1,
    shadow: from(1, { errorRate: 0.1 }),
    wanted: { kind: 'never advances' },
  },
  {
    name: '+50 % latency at 99 %',
    share: 0.99,
    shadow: from(30, slower(1.5)),
    wanted: { kind: 'goes', from: 30, by: 45 },
  },
  {
    name: '+10 pp errors at 50 %',
    share: 0.5,
    shadow: from(30, { errorRate: 0.1 }),
    wanted: { kind: 'goes', from: 30, by: 34 },
  },
  // ------------------------------------------------------------------------------------------- nothing without data
  { name: 'no shadow rows', delivered: shadowOnly(() => null), wanted: { kind: 'never advances', mayGo: true } },
  {
    name: 'no primary rows',
    delivered: (rows) => rows.filter(({ path }) => path === 'shadow'),
    wanted: { kind: 'never advances' },
  },
  {
    name: 'no primary rows in the stage',
    delivered: (rows) => rows.filter(({ path, minute }) => path === 'shadow' || minute < 1),
    wanted: { kind: 'never advances' },
  },
  { name: 'no rows', delivered: () => [], wanted: { kind: 'never advances' } },
  {
    name: 'nothing but history',
    delivered: (rows) => rows.filter(({ minute }) => minute < 1),
    wanted: { kind: 'never advances' },
  },
  { name: 'no operations on either side', ...both({ rps: 0 }, 1, 500), wanted: { kind: 'never advances' } },
  {
    name: 'rows end after four minutes',
    delivered: (rows) => rows.filter(({ minute }) => minute <= 4),
    wanted: { kind: 'never advances' },
  },
  {
    name: 'nothing was compared',
    delivered: shadowOnly((row) => ({ ...row, checks: 0, mismatches: 0 })),
    wanted: { kind: 'never advances' },
  },
  {
    name: 'more errors than operations',
    delivered: shadowOnly((row) => ({ ...row, errors: row.count + 1 })),
    wanted: { kind: 'never advances' },
  },
  {
    name: 'negative counts',
    delivered: shadowOnly((row) => ({ ...row, count: -row.count - 1 })),
    wanted: { kind: 'never advances' },
  },
  {
    name: 'empty histograms',
    delivered: shadowOnly((row) => ({ ...row, latency: [] })),
    wanted: { kind: 'never advances' },
  },
  { name: 'rows come ten minutes late', delivered: (rows) => late(rows, 10), wanted: { kind: 'never advances' } },
  {
    name: 'a shadow with three requests a minute for half an hour',
    rps: 5,
    minutes: 30,
    wanted: { kind: 'never advances' },
  },
];

/** Shadow rows come so many minutes after the primary's. */
function late(rows: readonly Row[], minutes: number): Row[] {
  const at = ({ path, minute }: Row) => minute + (path === 'shadow' ? minutes : 0);
  return [...rows].sort((a, b) => at(a) - at(b));
}

/** `CROSSFADE_SEEDS=40 npx vitest run --project unit replay-families` tries more of them. */
const SEEDS = Array.from({ length: Number(process.env.CROSSFADE_SEEDS ?? 1) }, (_, i) => i + 1);

type Seen = { advances: number[]; rollback: { minute: number; codes: string[] } | null };

function seen(family: Family, seed: number): Seen {
  const minutes = [...replay(readTrace(traceOf(family, seed), family.name))];
  const rollback = minutes.find(({ verdict }) => verdict === 'rollback');
  return {
    advances: minutes.filter(({ verdict }) => verdict === 'advance').map(({ minute }) => minute),
    rollback: rollback ? { minute: rollback.minute, codes: rollback.reasons.map(({ code }) => code) } : null,
  };
}

function isWanted({ advances, rollback }: Seen, wanted: Wanted): boolean {
  switch (wanted.kind) {
    case 'stays':
      return !rollback && (wanted.advancesBy === undefined || advances.some((minute) => minute <= wanted.advancesBy!));
    case 'goes':
      return (
        rollback !== null &&
        rollback.minute >= wanted.from &&
        rollback.minute <= wanted.by &&
        (wanted.from > 1 || advances.length === 0)
      );
    case 'never advances':
      return advances.length === 0 && (!rollback || wanted.mayGo === true);
  }
}

describe('recorded minutes', () => {
  it.each(FAMILIES)('of $name: $wanted.kind', (family) => {
    const wrong = SEEDS.map((seed) => ({ seed, ...seen(family, seed) })).filter((one) => !isWanted(one, family.wanted));
    expect(wrong).toEqual([]);
  });

  it('of +10 pp errors stay where the limit is 90 % (negative control)', () => {
    const bad = FAMILIES.find(({ name }) => name === '+10 pp errors')!;
    const config = { errorRateRollback: 0.9, errorRateAdvance: 0.8 };
    expect(seen({ ...bad, config }, 1).rollback).toBeNull();
  });
});
