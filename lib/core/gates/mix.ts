/**
 * What keys ask for changes: a morning of exports makes a slice slower, and nothing is wrong. Of a type that comes far more often among the
 * shadow's operations than it usually does there, and than it now does on the primary, each operation counts for less, so that the type has its
 * usual part of the sum. A power below 1 of an e-variable is one, too (Jensen), so the bound stays. By itself the type is judged in full.
 */

import type { BucketedWindow } from './bucketed-window.ts';
import { type Buckets, summed } from './buckets.ts';
import { beginsOnShadow, onShadow, type Planned, type SideMinute } from './ground.ts';

/** One type among all: its part as the stage began, of the slices that the shadow has and of the others; and operations of the last minutes. */
export type Mix = { usually: number; elsewhere: number; shadow: number; primary: number };

export const NO_MIX: Mix = { usually: 0, elsewhere: 0, shadow: 0, primary: 0 };

/** One type in one slice in one minute. */
export type TypeWindow = { latency: Buckets; errors: number };
/** By slice; the last one is what came without. */
export type TypeMinute = { primary: readonly (TypeWindow | null)[]; shadow: readonly (TypeWindow | null)[] };

type Mixed = { name: string; mix: Mix };
type Slices = Pick<Planned, 'ends' | 'share'>;

/** Minutes weigh less by this from one to the next: about five count. */
const KEPT = 0.8;
/** So many operations of a type stand for what is usual where few were seen. */
const PRIOR = 5;

/** The parts of each type as a stage begins. @param usual operations by type and slice in the past of the primary */
export function mixOf(usual: readonly (readonly number[])[], slices: Slices): readonly Mix[] {
  const isIn = (served: boolean) => (slice: number) =>
    slice === slices.ends.length || onShadow(slices, slice) === served || (served && beginsOnShadow(slices, slice));
  const of = (isThere: (slice: number) => boolean) =>
    usual.map((n) => n.reduce((sum, count, slice) => (isThere(slice) ? sum + count : sum), 0));
  const [served, control] = [of(isIn(true)), of(isIn(false))];
  const [all, others] = [total(served), total(control)];
  return usual.map((_, i): Mix => {
    const elsewhere = others > 0 ? control[i]! / others : 0;
    // Of few operations the parts are those of all.
    const usually = (served[i]! + PRIOR * elsewhere) / Math.max(1, all + PRIOR * (others > 0 ? 1 : 0));
    return { ...NO_MIX, usually, elsewhere };
  });
}

/** After one more minute. */
export function mixAfter({ mix }: Mixed, came: TypeMinute | undefined): Mix {
  const next = (before: number, side: readonly (TypeWindow | null)[] = []) =>
    Math.round((before * KEPT + countOf(side)) * 100) / 100;
  return { ...mix, shadow: next(mix.shadow, came?.shadow), primary: next(mix.primary, came?.primary) };
}

/** Operations of one side in one minute. */
export const countOf = (side: readonly (TypeWindow | null)[]): number =>
  side.reduce((sum, one) => sum + (one?.latency.total ?? 0), 0);

/** How much an operation of a type counts in the sum of all: 1 where the type does not come far more often than it should. */
export function weightsOf(types: readonly Mixed[]): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  const [all, others] = (['shadow', 'primary'] as const).map((side) => total(types.map(({ mix }) => mix[side])));
  const parts = types.map(({ mix: { usually, elsewhere, primary } }) =>
    // By how much more often the type comes on the primary than it did.
    usually > 0 && elsewhere > 0 ? (usually * (primary + PRIOR)) / (others! * elsewhere + PRIOR) : usually,
  );
  const sum = total(parts);
  if (!(sum > 0)) return weights;
  const tooMany = types.map(
    ({ mix: { usually, shadow } }, i) => usually > 0 && shadow > most((all! * parts[i]!) / sum),
  );
  const rest = types.filter((_, i) => !tooMany[i]);
  const came = total(rest.map(({ mix }) => mix.shadow));
  const part = total(parts.filter((_, i) => !tooMany[i]));
  for (const [i, { name, mix }] of types.entries())
    if (tooMany[i] && part > 0) weights.set(name, Math.min(1, (came * parts[i]!) / part / mix.shadow));
  return weights;
}

const most = (expected: number): number => 1.5 * expected + 2.5 * Math.sqrt(expected) + 1;

/** The shadow's minute with its usual mix. */
export function asUsual(
  shadow: SideMinute | null,
  types: ReadonlyMap<string, TypeMinute>,
  weights: ReadonlyMap<string, number>,
): SideMinute | null {
  if (!shadow || weights.size === 0) return shadow;
  const last = shadow.slices.length === 0 ? 0 : shadow.slices.length - 1;
  const places = Array.from({ length: last + 1 }, (_, slice) => {
    const found: TypeWindow[] = [];
    for (const [name, type] of types) {
      const one = type.shadow[slice];
      if (one) found.push(lighter(one, weights.get(name) ?? 1));
    }
    return found;
  });
  const slices = shadow.slices.map((window, slice) => window && of(window, places[slice]!));
  return { all: of(shadow.all, places.flat()), slices };
}

function lighter({ latency: { first, counts, total }, errors }: TypeWindow, weight: number): TypeWindow {
  const latency = { first, counts: counts.map((count) => count * weight), total: total * weight };
  return { latency, errors: errors * weight };
}

function of(window: BucketedWindow, types: readonly TypeWindow[]): BucketedWindow {
  const latency = summed(types.map((one) => one.latency));
  return { ...window, latency, count: latency.total, errors: total(types.map(({ errors }) => errors)) };
}

function total(figures: readonly number[]): number {
  let sum = 0;
  for (const figure of figures) sum += figure;
  return sum;
}
