/**
 * What is measured, cell by cell: a family and a fault at a rate, for some minutes, and the figure that is wanted of it where there is
 * one. The figures wanted are those that the project has set itself for the engine.
 */

import { FAMILIES, type Fault } from '../../helpers/gate-families.ts';
import type { Job, Outcome } from './jobs.ts';

const DAY = 1_440;
export const RATES: readonly number[] = [5, 100, 1_000];
/** Nothing is wanted at other rates. */
const wantedAt = (rps: number, wanted: readonly (number | null)[]) => wanted[RATES.indexOf(rps)] ?? null;

export type Cell = Omit<Job, 'cell' | 'seed'> & {
  title: string;
  /** Told in words from the outcomes of its runs. */
  figure: Figure;
  /** At most; null: it is told, and nothing is wanted of it. */
  wanted: number | null;
};

/** `share` of the runs, `pages` a day, or `minutes` to the rollback, counted from a minute on. */
type Figure = { of: 'share' } | { of: 'pages' } | { of: 'minutes'; from: number };

/** Faults from the first minute on, with the median minutes wanted at 5, 100 and 1,000 rps; sticky strong keys apart. */
const FAULTS: readonly [title: string, Omit<Fault, 'fromMinute'>, wanted: number[], sticky: (number | null)[]][] = [
  ['+2 pp errors', { moreErrors: 0.02 }, [70, 5, 3], [null, 10, 5]],
  ['+10 pp errors', { moreErrors: 0.1 }, [11, 3, 3], [null, 4, 3]],
  ['twice as slow', { slower: 1 }, [10, 3, 3], [null, 5, 3]],
  ['+30 % latency', { slower: 0.3 }, [110, 6, 3], [null, 30, 10]],
];

const names = FAMILIES.map(({ name }) => name);
type Where = { rps: number; onShadow: number };

export const healthy = ({ rps, onShadow }: Where, kind: 'gates' | 'peers' = 'gates'): Cell[] =>
  names.map((family) => ({
    title: 'healthy, rolled back',
    kind,
    family,
    faults: [],
    rps,
    onShadow,
    minutes: DAY,
    figure: { of: 'share' },
    wanted: 0.02,
  }));

export const pages = (where: Where): Cell[] =>
  healthy(where).map((cell) => ({
    ...cell,
    title: 'critical pages a day',
    kind: 'pages',
    figure: { of: 'pages' },
    wanted: 0.15,
  }));

export const faulty = ({ rps, onShadow }: Where, families: readonly string[] = names): Cell[] =>
  families.flatMap((family) =>
    FAULTS.map(
      ([title, fault, independent, sticky]): Cell => ({
        title,
        kind: 'gates',
        family,
        faults: [{ fromMinute: 1, ...fault }],
        rps,
        onShadow,
        minutes: 600,
        figure: { of: 'minutes', from: 0 },
        wanted: wantedAt(rps, family === 'independent' ? independent : family === 'sticky strong' ? sticky : []),
      }),
    ),
  );

/** A step up after a day of a mild regression, beside the same fault when it is fresh; an operation that always fails. */
const slow = ({ rps, onShadow }: Where): Cell[] => {
  const shared = { kind: 'gates' as const, family: 'independent', rps, onShadow };
  const worse = { moreErrors: 0.03 };
  const fresh = wantedAt(rps, FAULTS[0]![2]);
  return [
    {
      ...shared,
      title: '+3 pp, fresh',
      faults: [{ fromMinute: 1, ...worse }],
      minutes: 600,
      figure: { of: 'minutes', from: 0 },
      wanted: null,
    },
    {
      ...shared,
      title: '+3 pp after a day of +0.75',
      faults: [
        { fromMinute: 1, moreErrors: 0.0075 },
        { fromMinute: DAY + 1, ...worse },
      ],
      minutes: DAY + 600,
      figure: { of: 'minutes', from: DAY },
      // As fresh, and a minute more; the fresh figures are those of +2 pp.
      wanted: fresh === null ? null : fresh + 1,
    },
    {
      ...shared,
      title: 'one operation of 1 % fails',
      faults: [{ fromMinute: 1, operation: 0.01 }],
      minutes: 600,
      figure: { of: 'minutes', from: 0 },
      wanted: wantedAt(rps, [60, 6, 4]),
    },
  ];
};

/** Every cell, at one rate. */
export const everyCell = (where: Where): Cell[] => [
  ...healthy(where),
  ...pages(where),
  ...faulty(where, ['independent', 'sticky strong']),
  ...slow(where),
];

/** What was measured, to be held against what is wanted. */
export function measured({ figure }: Cell, outcomes: readonly Outcome[]): number {
  if (figure.of === 'pages') return pagesADay(outcomes, 'critical');
  const minutes = outcomes.map(({ ours }) => ours!.rollback);
  if (figure.of === 'share') return minutes.filter((minute) => minute !== null).length / minutes.length;
  // Gone before the fault is no sign of it.
  const after = minutes.map((minute) => (minute !== null && minute > figure.from ? minute - figure.from : null));
  return quantile(
    after.map((minute) => minute ?? Number.POSITIVE_INFINITY),
    0.5,
  );
}

export function pagesADay(outcomes: readonly Outcome[], severity: string, change = 'fired'): number {
  const told = outcomes.map(({ told }) => told!);
  const days = told.reduce((sum, { minutes }) => sum + minutes, 0) / DAY;
  return (
    told.flatMap(({ pages }) => pages.filter((page) => page.severity === severity && page.change === change)).length /
    days
  );
}

export const quantile = (values: readonly number[], q: number): number =>
  [...values].sort((a, b) => a - b)[Math.ceil(q * values.length) - 1]!;
