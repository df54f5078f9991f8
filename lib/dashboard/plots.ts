/**
 * What is drawn of one cutover: lines over the last sixty minutes, with the limit that they are held against and the interval that a
 * figure of few operations leaves open. Everything is computed here, the ends of the axes too. Pure.
 */

import { MINUTE_MS } from '../core/base/units.ts';
import type { Side } from '../core/cutover/cutover.ts';
import type { Look } from '../core/gates/evidence.ts';
import { quantileMs } from '../core/gates/histogram.ts';
import { emptyWindow, type MinuteWindow, mergeWindows } from '../core/gates/minute-window.ts';
import { wilsonInterval, Z_95 } from '../core/gates/statistics.ts';
import type { AuditEntry } from '../core/stage/audit.ts';
import type { Event } from '../core/stage/events.ts';
import type { CutoverReport } from '../flows/report/report.ts';
import { axisOf } from './axis.ts';
import { plannedShares } from './planned-share.ts';

/** One for each minute; null where nothing is known. */
type Values = readonly (number | null)[];

export type PlotLine = {
  name: string;
  /** What of it, where there are several. @example 'p95' */
  label: string;
  ink: 'old' | 'new' | 'quiet' | 'wait' | 'bad';
  look: 'strong' | 'medium' | 'thin';
  values: Values;
  /** 95 % confidence: what the figure may be, as few operations as it comes from. */
  band?: { low: Values; high: Values };
};

export type Plot = {
  title: string;
  unit: 'ms' | 'rate' | 'count';
  lines: readonly PlotLine[];
  limit: number | null;
  /** Upper end of the axis. */
  top: number;
  /** Minutes that lie far above all others, by their index. They are cut off, and named. */
  cut: readonly { index: number; value: number }[];
};

export type Plots = {
  /** The minute of index 0 of every list, in minutes since 1970. */
  startMinute: number;
  plots: readonly Plot[];
};

const MINUTES = 60;

type Drawn = Pick<CutoverReport, 'windows' | 'looks' | 'limits' | 'table' | 'plan' | 'stage' | 'sharePpm'>;
type Sides = Readonly<Record<Side, readonly MinuteWindow[]>>;
type Draft = Omit<Plot, 'top' | 'cut'> & { least: number };

/**
 * The last sixty closed minutes before `atMs`. The open minute is left out: half a minute looks like a drop.
 * @param audit of this cutover, newest first
 * @param isWhole there are no older entries
 */
export function plotsOf(
  report: Drawn,
  { entries, isWhole }: { entries: readonly AuditEntry<Event>[]; isWhole: boolean },
  atMs: number,
): Plots {
  const startMinute = Math.floor(atMs / MINUTE_MS) - MINUTES;
  const minutes = Array.from({ length: MINUTES }, (_, index) => startMinute + index);
  const sides = { primary: minutesOf(report, 'primary', minutes), shadow: minutesOf(report, 'shadow', minutes) };
  const ends = minutes.map((minute) => (minute + 1) * MINUTE_MS);
  const planned = plannedShares(report, entries, ends, isWhole);
  const looks = minutes.map((minute) => report.looks.find((look) => look.minute === minute));
  const drafts = [
    latency(sides, report),
    errors(sides, report),
    split(sides, planned),
    mismatches(sides),
    ...ofDatabase(looks, report),
  ];
  const plots = drafts.filter(({ lines }) => lines.some(({ values }) => values.some((value) => value !== null)));
  return { startMinute, plots: plots.map(({ least, ...plot }) => ({ ...plot, ...axisOf(plot, least) })) };
}

const minutesOf = ({ windows }: Drawn, side: Side, minutes: readonly number[]): MinuteWindow[] =>
  minutes.map((minute) =>
    windows
      .filter((window) => window.side === side && window.minute === minute)
      .reduce(mergeWindows, emptyWindow(minute, side)),
  );

const SIDES = [
  { side: 'primary', name: 'Primary (old)', ink: 'old' },
  { side: 'shadow', name: 'Shadow (new)', ink: 'new' },
] as const;
const QUANTILES = [
  { q: 0.5, label: 'p50', look: 'medium' },
  { q: 0.95, label: 'p95', look: 'strong' },
  { q: 0.99, label: 'p99', look: 'thin' },
] as const;

function latency(sides: Sides, { limits }: Drawn): Draft {
  const lines = SIDES.flatMap(({ side, ...drawn }) =>
    QUANTILES.map(({ q, ...of }): PlotLine => {
      const at = (rank: (n: number) => number) =>
        sides[side].map(({ latency, count }) => short(count > 0 ? quantileMs(latency, rank(count)) : null));
      // So many operations leave open which of them is the one at the quantile.
      const interval = (end: 'low' | 'high') => at((n) => Math.min(1, wilsonInterval(q, n, Z_95)[end]));
      const band = side === 'shadow' && q === 0.95 ? { band: { low: interval('low'), high: interval('high') } } : {};
      return { ...drawn, ...of, values: at(() => q), ...band };
    }),
  );
  return { title: 'Latency', unit: 'ms', lines, limit: limits.p95Ms, least: 1 };
}

function errors(sides: Sides, { limits }: Drawn): Draft {
  const lines = SIDES.map(({ side, ...drawn }): PlotLine => {
    const { values, band } = rates(sides[side].map(({ errors, count }) => ({ part: errors, of: count })));
    return { ...drawn, label: '', look: 'strong', values, ...(side === 'shadow' ? { band } : {}) };
  });
  return { title: 'Errors', unit: 'rate', lines, limit: limits.errorRate, least: 0.01 };
}

/** Where the reads went, beside where they were to go. */
function split({ primary, shadow }: Sides, planned: Values): Draft {
  const observed = rates(shadow.map(({ count }, i) => ({ part: count, of: count + primary[i]!.count })));
  const lines: PlotLine[] = [
    { name: 'Planned', label: '', ink: 'quiet', look: 'medium', values: planned },
    { name: 'Observed', label: '', ink: 'new', look: 'strong', ...observed },
  ];
  return {
    title: 'Reads on the shadow',
    unit: 'rate',
    lines: observed.values.some((value) => value !== null) ? lines : [],
    limit: null,
    least: 0.01,
  };
}

const KINDS = [
  { name: 'Answers differ', ink: 'bad', of: ({ mismatches }: MinuteWindow) => mismatches },
  { name: 'Not comparable', ink: 'wait', of: ({ incomparable = 0 }: MinuteWindow) => incomparable },
  { name: 'Shadow alone failed', ink: 'new', of: ({ onlyShadow = 0 }: MinuteWindow) => onlyShadow },
  { name: 'Primary alone failed', ink: 'old', of: ({ onlyPrimary = 0 }: MinuteWindow) => onlyPrimary },
] as const;

/** By kind, a minute. A kind that never was is not drawn, but for the first. */
function mismatches({ shadow }: Sides): Draft {
  const isCompared = ({ checks, incomparable = 0, pairs = 0 }: MinuteWindow) => checks + incomparable + pairs > 0;
  const lines = KINDS.map(({ name, ink, of }): PlotLine => {
    const values = shadow.map((window) => (isCompared(window) ? of(window) : null));
    return { name, label: '', ink, look: 'strong', values };
  });
  return {
    title: 'Comparisons that failed, a minute',
    unit: 'count',
    lines: lines.filter(({ values }, index) => index === 0 || values.some((value) => value !== null && value > 0)),
    limit: null,
    least: 5,
  };
}

/** What the database said each minute of this stage: how far the shadow is behind, what waits, how far the copy is. */
function ofDatabase(looks: readonly (Look | undefined)[], { limits, table }: Drawn): Draft[] {
  const line = (name: string, of: (look: Look) => number | undefined): PlotLine[] => [
    { name, label: '', ink: 'new', look: 'strong', values: looks.map((look) => (look && of(look)) ?? null) },
  ];
  const copied = looks.flatMap((look) => look?.rowsCopied ?? []);
  const isCopying = table?.backfill.state !== 'done' || copied[0] !== copied.at(-1);
  return [
    { title: 'Lag', unit: 'ms', lines: line('Oldest change', ({ lagMs }) => lagMs), limit: limits.lagMs, least: 1_000 },
    {
      title: 'Outbox',
      unit: 'count',
      lines: line('Changes waiting', ({ outboxRows }) => outboxRows),
      limit: null,
      least: 10,
    },
    {
      title: 'Copy',
      unit: 'count',
      lines: isCopying ? line('Rows copied', ({ rowsCopied }) => rowsCopied) : [],
      limit: null,
      least: 10,
    },
  ];
}

function rates(seen: readonly { part: number; of: number }[]): { values: Values; band: { low: Values; high: Values } } {
  const end = (side: 'low' | 'high') =>
    seen.map(({ part, of }) =>
      of > 0 ? short(Math.min(1, Math.max(0, wilsonInterval(part / of, of, Z_95)[side]))) : null,
    );
  return {
    values: seen.map(({ part, of }) => (of > 0 ? short(part / of) : null)),
    band: { low: end('low'), high: end('high') },
  };
}

/** Four digits: the histogram knows no more, and the answer stays small. */
function short(value: number): number;
function short(value: number | null): number | null;
function short(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(4));
}
