/**
 * Sums of what the application records with its operations. So many names are taken at a time, the rest is left out: a
 * name is one of a criterion, never made of an id.
 */

import type { Side } from '../core/cutover/cutover.ts';

/** One metric of one side in one minute: `value.NAME`, `flag.NAME`, or `flags` for how many could have had one. */
export type RecordedMetric = {
  cutover: string;
  minute: number;
  side: Side;
  metric: string;
  n: number;
  sum: number;
  squares: number;
};

/** What an application records of an operation, besides how it went. */
export type OwnFigures = {
  /** Figures by name: what a criterion with `value` asks for. */
  values?: Readonly<Record<string, number>> | undefined;
  /** Marks of this operation, or none of them: what a criterion with `flag` asks for the share of. */
  flags?: readonly string[] | undefined;
};

type Recorded = OwnFigures & { cutover: string; side: Side };

const NAME = /^[a-z][a-z0-9_]{0,39}$/;
/** What the receiver takes in one batch. */
const MOST_SUMS = 200;
/** Of a figure: its square must still be a number that can be added up. */
const LARGEST = 1e9;

export function metricSums() {
  let sums = new Map<string, RecordedMetric>();

  const add = ({ cutover, side }: Recorded, minute: number, metric: string, value: number): void => {
    const key = `${cutover} ${side} ${minute} ${metric}`;
    let known = sums.get(key);
    if (!known) {
      if (sums.size >= MOST_SUMS) return;
      known = { cutover, minute, side, metric, n: 0, sum: 0, squares: 0 };
      sums.set(key, known);
    }
    known.n += 1;
    known.sum += value;
    known.squares += value * value;
  };

  return {
    /** Whatever an application hands in: what is no figure, and no name, is left out. */
    add(outcome: Recorded, minute: number): void {
      const { values, flags } = outcome;
      if (values !== null && typeof values === 'object')
        for (const [name, value] of Object.entries(values))
          if (NAME.test(name) && Number.isFinite(value) && Math.abs(value) <= LARGEST)
            add(outcome, minute, `value.${name}`, value);
      if (!Array.isArray(flags)) return;
      add(outcome, minute, 'flags', 0);
      for (const name of new Set(flags as unknown[]))
        if (typeof name === 'string' && NAME.test(name)) add(outcome, minute, `flag.${name}`, 0);
    },
    take(): RecordedMetric[] {
      const taken = [...sums.values()];
      sums = new Map();
      return taken;
    },
  };
}
