/**
 * Traffic as it really is, for the evidence engine: keys that are sticky and differ, minutes that jitter together, days, deploys,
 * outages, batches, cold caches, late and missing reports. Seeded: the same seed and family give the same minutes everywhere.
 */

import type { Side } from '../../lib/core/cutover/cutover.ts';
import type { WindowPart } from '../../lib/core/gates/minute-window.ts';
import { emptyWindow, type MinuteWindow } from '../../lib/core/gates/minute-window.ts';
import { binomial, latenciesOf, normal, placeAt, poisson, type Random, randomFrom } from './gate-traffic.ts';

const LOG_GAMMA = Math.log(1.2) / 9;
const DAY = 1_440;
export const HISTORY_MINUTES = 60;

/** How the keys differ. */
type Keys = {
  count: (rps: number) => number;
  /** Standard deviation of the logarithm of a key's usual latency. */
  sigma: number;
  /** Shape of the gamma distribution of a key's error rate; null when all are alike. */
  errorShape: number | null;
  /** Activity falls with the rank of a key. */
  zipf?: boolean;
};

export type Family = {
  name: string;
  keys?: Keys;
  /** Latency of each side has a factor of its own, minute by minute. */
  jitter?: { sd: number; rho: number };
  /** Latency and traffic over the day, as a fraction. */
  rhythm?: number;
  /** Everybody is slower by this fraction from some minute on. */
  deploy?: number;
  /** So many of all operations fail for some minutes. */
  away?: { share: number };
  /** One slice has so many times its traffic, so many times as slow, for some minutes. */
  batch?: { traffic: number; slower: number; minutes: number };
  /** Which slice; drawn when left out. */
  batchIn?: number;
  /** The shadow begins slower, and gets better over so many minutes. */
  cold?: { slower: number; minutes: number };
  /** Half of the reports come so many minutes late. */
  lateMinutes?: number;
  tries?: number;
  /** Share of the reports that never come. */
  missing?: number;
  errorRate?: number;
  /** Operation types, their shares together 1; one when left out. */
  types?: readonly OperationType[];
  /** One type comes so many times as often, from some minute on: everywhere, or in one slice. */
  mix?: { operation: string; times: number; slice?: number; fromMinute: number };
};

/** `slower`: so many times as slow as the others. */
type OperationType = { operation: string; share: number; slower: number };

const users = (sigma: number, errorShape: number): Keys => ({
  count: (rps) => Math.max(500, Math.min(100 * rps, 20_000)),
  sigma,
  errorShape,
});

export const FAMILIES: readonly Family[] = [
  { name: 'independent' },
  { name: 'sticky mild', keys: users(0.5, 2) },
  { name: 'sticky strong', keys: users(1, 0.5) },
  { name: 'tenants', keys: { count: () => 200, sigma: 0.5, errorShape: 2, zipf: true } },
  { name: 'jitter 5 %', jitter: { sd: 0.05, rho: 0.7 } },
  { name: 'jitter 10 %', jitter: { sd: 0.1, rho: 0.7 } },
  { name: 'rhythm', rhythm: 0.3 },
  { name: 'deploy', deploy: 0.25 },
  { name: 'away', away: { share: 0.6 } },
  { name: 'batch', batch: { traffic: 4, slower: 2.5, minutes: 45 } },
  { name: 'cold', cold: { slower: 0.6, minutes: 8 } },
  { name: 'late', lateMinutes: 1 },
  { name: 'retries', tries: 4, errorRate: 0.004 },
  { name: 'missing', missing: 0.2 },
];

/** What is wrong with the shadow, from a minute of the stage on. */
export type Fault = {
  fromMinute: number;
  moreErrors?: number;
  slower?: number;
  /** An operation of this share of the traffic fails always. */
  operation?: number;
  /** Only this type is slower. */
  slow?: { operation: string; by: number };
};

export type Run = {
  rps: number;
  /** Shares of the slices, together 1; the first `onShadow` of them are served by the shadow. */
  slices: readonly number[];
  onShadow: number;
  minutes: number;
  family: Family;
  faults?: readonly Fault[];
  checksPerMinute?: number;
};

/** What arrives in a minute: parts, each with the minute in which it is there. */
export type Arrival = { part: WindowPart; at: number };

const BASE = latenciesOf([{ medianMs: 100, spread: 0.6, weight: 1 }]);
const PAD = 260;
const WIDTH = BASE.shares.length + 2 * PAD;
const FIRST = BASE.first - PAD;

type Slice = { weight: number; errorRate: number; shares: Float64Array };

/** The minutes of a run, one call a minute, from −59 on. */
export function traffic(seed: number, run: Run): { minute(minute: number): Arrival[] } {
  const random = randomFrom(seed);
  const { family, rps } = run;
  const slices = slicesOf(random, run);
  const side = { primary: 0, shadow: 0 };
  const some = (most: number) => Math.floor(random() * most);
  const deployAt = 60 + some(Math.max(1, run.minutes - 120));
  const awayAt = 30 + some(Math.max(1, run.minutes - 60));
  const awayFor = 6 + some(5);
  const batchAt = -20 + some(Math.max(1, run.minutes - 60));
  const batchIn = family.batchIn ?? some(slices.length);
  const phase = some(DAY);
  return {
    minute(minute) {
      for (const name of ['primary', 'shadow'] as const) {
        const { sd, rho } = family.jitter ?? { sd: 0, rho: 0 };
        side[name] = rho * side[name] + Math.sqrt(1 - rho * rho) * sd * normal(random);
      }
      const day = (family.rhythm ?? 0) * Math.sin((2 * Math.PI * (minute + phase)) / DAY);
      const arrivals: Arrival[] = [];
      for (const [index, slice] of slices.entries()) {
        const on: Side = minute > 0 && index < run.onShadow ? 'shadow' : 'primary';
        const fault = on === 'shadow' ? faultOf(run, minute) : null;
        const inBatch =
          family.batch && index === batchIn && minute >= batchAt && minute < batchAt + family.batch.minutes;
        const away = family.away && minute >= awayAt && minute < awayAt + awayFor ? family.away.share : 0;
        const log =
          side[on] +
          Math.log(1 + day) +
          (family.deploy && minute >= deployAt ? Math.log(1 + family.deploy) : 0) +
          (inBatch ? Math.log(family.batch!.slower) : 0) +
          (fault ? Math.log(1 + (fault.slower ?? 0)) : 0) +
          (family.cold && on === 'shadow'
            ? Math.log(1 + family.cold.slower * Math.max(0, 1 - (minute - 1) / family.cold.minutes))
            : 0);
        const mean = rps * 60 * slice.weight * (1 + day) * (inBatch ? family.batch!.traffic : 1);
        const failing = Math.min(1, slice.errorRate + (fault?.moreErrors ?? 0));
        const errorRate = 1 - (1 - failing) * (1 - away);
        for (const { operation, share, fails = 0, slower = 1 } of kindsOf(run, minute, index)) {
          const rate = fault?.operation && fails ? 1 : errorRate;
          const slow = fault?.slow?.operation === operation ? 1 + fault.slow.by : 1;
          let window = drawn(random, minute, on, mean * share, rate, slice.shares, log + Math.log(slower * slow));
          window = triedAgain(window, family.tries ?? 1);
          if (on === 'shadow' && operation === 'read' && run.checksPerMinute)
            window = { ...window, checks: Math.round(run.checksPerMinute * slice.weight * 20), mismatches: 0 };
          for (const [half, some] of halves(random, window, family).entries()) {
            if (family.missing && random() < family.missing) continue;
            arrivals.push({
              part: { slice: index, operation, window: some },
              at: minute + (half === 1 ? (family.lateMinutes ?? 0) : 0),
            });
          }
        }
      }
      return arrivals;
    },
  };
}

type Kind = { operation: string; share: number; fails?: number; slower?: number };

function kindsOf({ faults = [], family: { types, mix } }: Run, minute: number, slice: number): readonly Kind[] {
  const share = faults.find(({ operation }) => operation)?.operation;
  if (share)
    return [
      { operation: 'read', share: 0.7 * (1 - share) },
      { operation: 'list', share: 0.3 * (1 - share) },
      { operation: 'rare', share, fails: 1 },
    ];
  if (!types) return ONE_KIND;
  if (!mix || minute < mix.fromMinute || (mix.slice !== undefined && mix.slice !== slice)) return types;
  const more = types.find(({ operation }) => operation === mix.operation)!.share * (mix.times - 1);
  return types.map((type) => {
    const share = type.operation === mix.operation ? type.share * mix.times : type.share;
    return { ...type, share: share / (1 + more) };
  });
}

const ONE_KIND: readonly Kind[] = [{ operation: 'read', share: 1 }];

function faultOf({ faults = [] }: Run, minute: number): Fault | null {
  return faults.findLast(({ fromMinute }) => minute >= fromMinute) ?? null;
}

function slicesOf(random: Random, { family, slices, rps }: Run): Slice[] {
  const usual = family.errorRate ?? 0.0005;
  const alike = slices.map((weight): Slice => ({ weight, errorRate: usual, shares: shifted(0) }));
  if (!family.keys) return alike;
  const { count, sigma, errorShape, zipf } = family.keys;
  const ends = slices.map((_, i) => slices.slice(0, i + 1).reduce((sum, share) => sum + share, 0));
  const found = slices.map((): Slice => ({ weight: 0, errorRate: 0, shares: new Float64Array(WIDTH) }));
  const n = count(rps);
  let total = 0;
  for (let key = 0; key < n; key += 1) {
    const activity = zipf ? 1 / (key + 1) : 1;
    const at = random();
    const slice =
      found[
        Math.min(
          slices.length - 1,
          ends.findIndex((end) => at < end),
        )
      ] ?? found.at(-1)!;
    const shift = Math.round((sigma * normal(random)) / LOG_GAMMA);
    for (let i = 0; i < BASE.shares.length; i += 1) {
      const place = Math.min(WIDTH - 1, Math.max(0, i + PAD + shift));
      slice.shares[place]! += activity * BASE.shares[i]!;
    }
    slice.errorRate +=
      activity * Math.min(0.5, errorShape === null ? 2 * usual : 2 * usual * gamma(random, errorShape));
    slice.weight += activity;
    total += activity;
  }
  for (const slice of found) {
    if (slice.weight === 0) continue;
    slice.errorRate /= slice.weight;
    for (let i = 0; i < WIDTH; i += 1) slice.shares[i]! /= slice.weight;
    slice.weight /= total;
  }
  return found;
}

/** Mean 1. Marsaglia and Tsang, for any shape. */
function gamma(random: Random, shape: number): number {
  if (shape < 1) return (gamma(random, shape + 1) * (shape + 1) * random() ** (1 / shape)) / shape;
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(random);
    const v = (1 + c * x) ** 3;
    if (v <= 0) continue;
    if (Math.log(1 - random()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return (d * v) / shape;
  }
}

function shifted(by: number): Float64Array {
  const shares = new Float64Array(WIDTH);
  for (let i = 0; i < BASE.shares.length; i += 1) shares[i + PAD + by]! += BASE.shares[i]!;
  return shares;
}

function drawn(
  random: Random,
  minute: number,
  side: Side,
  mean: number,
  errorRate: number,
  shares: Float64Array,
  log: number,
): MinuteWindow {
  const latency: Record<number, number> = {};
  let count = 0;
  const move = log / LOG_GAMMA;
  const add = (place: number, some: number) => {
    // The part of a bucket that a move leaves in the next one, drawn.
    const whole = Math.floor(move);
    const more = binomial(random, some, move - whole);
    const index = FIRST + place + whole;
    if (some > more) latency[index] = (latency[index] ?? 0) + some - more;
    if (more > 0) latency[index + 1] = (latency[index + 1] ?? 0) + more;
    count += some;
  };
  if (mean > 400) {
    for (let place = 0; place < WIDTH; place += 1) {
      const expected = mean * shares[place]!;
      if (expected <= 1e-9) continue;
      const some = poisson(random, expected);
      if (some > 0) add(place, some);
    }
  } else if (mean > 0) {
    const all = poisson(random, mean);
    const upTo = cumulated(shares);
    for (let i = 0; i < all; i += 1) add(placeAt(upTo, random()), 1);
  }
  return { ...emptyWindow(minute, side), count, errors: binomial(random, count, errorRate), latency };
}

const sums = new WeakMap<Float64Array, Float64Array>();
function cumulated(shares: Float64Array): Float64Array {
  const there = sums.get(shares);
  if (there) return there;
  let sum = 0;
  const upTo = shares.map((share) => (sum += share));
  sums.set(shares, upTo);
  return upTo;
}

function triedAgain(window: MinuteWindow, tries: number): MinuteWindow {
  const more = window.errors * (tries - 1);
  if (more === 0) return window;
  const bucket = BASE.first + (BASE.shares.length >> 1);
  return {
    ...window,
    count: window.count + more,
    errors: window.errors + more,
    latency: { ...window.latency, [bucket]: (window.latency[bucket] ?? 0) + more },
  };
}

/** Half of the hosts report apart from the others where they are late. */
function halves(random: Random, window: MinuteWindow, { lateMinutes }: Family): MinuteWindow[] {
  if (!lateMinutes) return [window];
  const second: MinuteWindow = { ...emptyWindow(window.minute, window.side), latency: {} };
  const first: MinuteWindow = { ...window, latency: {} };
  const [a, b] = [first.latency as Record<number, number>, second.latency as Record<number, number>];
  for (const index in window.latency) {
    const some = binomial(random, window.latency[index]!, 0.5);
    if (some > 0) b[index] = some;
    if (window.latency[index]! > some) a[index] = window.latency[index]! - some;
    second.count += some;
  }
  first.count -= second.count;
  second.errors = Math.min(second.count, binomial(random, window.errors, 0.5));
  first.errors = Math.min(first.count, window.errors - second.errors);
  return [first, second];
}
