/** What has arrived of each minute and side, put together; what cannot be true is left out, and said. */

import { type BucketedWindow, bucketedWindow, impossible, summedWindows } from './bucketed-window.ts';
import { added } from './buckets.ts';
import type { SideMinute } from './ground.ts';
import type { WindowPart } from './minute-window.ts';
import type { TypeMinute, TypeWindow } from './mix.ts';
import type { Tally } from './operations.ts';

export type ArrivedMinute = {
  minute: number;
  primary: SideMinute | null;
  shadow: SideMinute | null;
  /** The shadow reported what cannot be true: somebody is there, and nothing is known of how many. */
  spoiled: boolean;
  /** Why a window of this minute cannot be true. */
  impossible: string | null;
  /** Operations and failures by operation type. */
  operations: ReadonlyMap<string, Tally>;
  /** Their latencies. */
  latencies: ReadonlyMap<string, TypeMinute>;
};

type Range = {
  closedThrough: number;
  openMinute: number;
  ends: readonly number[];
  /** What came earlier is of a run with a plan of its own: its slices are others. */
  runMinute: number | null;
};

/** What can be true of the minutes that are not closed yet, oldest first. */
export function arrivedMinutes(parts: readonly WindowPart[], range: Range): ArrivedMinute[] {
  const { closedThrough, openMinute } = range;
  type Found = { primary: WindowPart[]; shadow: WindowPart[] };
  const found = new Map<number, Found>();
  for (const part of parts) {
    const { minute, side } = part.window;
    if (minute <= closedThrough || minute >= openMinute) continue;
    const sides = found.get(minute) ?? { primary: [], shadow: [] };
    found.set(minute, sides);
    sides[side].push(part);
  }
  return [...found]
    .sort((a, b) => a[0] - b[0])
    .map(([minute, sides]): ArrivedMinute => {
      const primary = sideMinute(minute, 'primary', sides.primary, range);
      const shadow = sideMinute(minute, 'shadow', sides.shadow, range);
      return {
        minute,
        primary: primary.side,
        shadow: shadow.side,
        spoiled: shadow.impossible !== null,
        impossible: primary.impossible ?? shadow.impossible,
        operations: operationsOf(primary.possible, shadow.possible),
        latencies: latenciesOf(primary.possible, shadow.possible),
      };
    });
}

type Possible = { place: number; operation: string; window: BucketedWindow };

function sideMinute(
  minute: number,
  side: 'primary' | 'shadow',
  parts: readonly WindowPart[],
  { ends, runMinute }: Range,
): { side: SideMinute | null; impossible: string | null; possible: readonly Possible[] } {
  const possible: Possible[] = [];
  const bySlice: BucketedWindow[][] = [];
  for (let slice = 0; slice <= ends.length; slice += 1) bySlice.push([]);
  let why: string | null = null;
  for (const { slice, operation, window } of parts) {
    const bucketed = bucketedWindow(window);
    const problem = impossible(bucketed);
    if (problem !== null) {
      why = `${side} of minute ${minute}: ${problem}`;
      continue;
    }
    const isKnown = slice !== null && slice < ends.length && minute >= (runMinute ?? minute);
    const place = isKnown ? slice : ends.length;
    possible.push({ place, operation, window: bucketed });
    bySlice[place]!.push(bucketed);
  }
  if (possible.length === 0) return { side: null, impossible: why, possible };
  const slices = bySlice.map((own) => (own.length > 0 ? summedWindows(own) : null));
  const all = summedWindows(slices.filter((slice) => slice !== null));
  return { side: { all, slices: ends.length === 0 ? [] : slices }, impossible: why, possible };
}

function operationsOf(primary: readonly Possible[], shadow: readonly Possible[]): ReadonlyMap<string, Tally> {
  const found = new Map<string, Tally>();
  const tallyOf = (operation: string) => {
    const there = found.get(operation);
    if (there) return there;
    const tally = { n0: 0, e0: 0, n1: 0, e1: 0 };
    found.set(operation, tally);
    return tally;
  };
  for (const { operation, window } of primary) {
    if (window.count === 0) continue;
    const tally = tallyOf(operation);
    tally.n0 += window.count;
    tally.e0 += window.errors;
  }
  for (const { operation, window } of shadow) {
    if (window.count === 0) continue;
    const tally = tallyOf(operation);
    tally.n1 += window.count;
    tally.e1 += window.errors;
  }
  return found;
}

function latenciesOf(primary: readonly Possible[], shadow: readonly Possible[]): ReadonlyMap<string, TypeMinute> {
  const found = new Map<string, { primary: (TypeWindow | null)[]; shadow: (TypeWindow | null)[] }>();
  for (const [side, possible] of [
    ['primary', primary],
    ['shadow', shadow],
  ] as const) {
    for (const { place, operation, window } of possible) {
      if (window.count === 0) continue;
      let sides = found.get(operation);
      if (!sides) {
        sides = { primary: [], shadow: [] };
        found.set(operation, sides);
      }
      const slices = sides[side];
      while (slices.length <= place) slices.push(null);
      const before = slices[place];
      const { latency, errors } = window;
      slices[place] = before ? { latency: added(before.latency, latency), errors: before.errors + errors } : window;
    }
  }
  return found;
}
