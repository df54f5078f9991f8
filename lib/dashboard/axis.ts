/** The upper end of an axis. One cold minute must not make a flat line of all others. Pure. */

type Drawn = {
  unit: 'ms' | 'rate' | 'count';
  lines: readonly { values: readonly (number | null)[] }[];
  limit: number | null;
};
type Axis = { top: number; cut: { index: number; value: number }[] };

/** So many minutes at most are cut off, when they lie so many times above all others; more of them are no exception. */
const MOST_CUT = 2;
const FAR_ABOVE = 3;
/** Of fewer minutes none is an exception. */
const FEWEST_MINUTES = 5;
/** A limit that is further away than this would flatten the lines: it is named, and not drawn. */
const LIMIT_WITHIN = { ms: 2, rate: 10, count: 2 } as const;
const ROOM_ABOVE = 1.15;

/** @param least the upper end where nothing lies above 0 */
export function axisOf({ unit, lines, limit }: Drawn, least: number): Axis {
  const length = Math.max(0, ...lines.map(({ values }) => values.length));
  const highest = Array.from({ length }, (_, index) => ({
    index,
    value: Math.max(...lines.map(({ values }) => values[index] ?? Number.NEGATIVE_INFINITY)),
  }))
    .filter(({ value }) => Number.isFinite(value))
    .sort((a, b) => b.value - a.value);
  // Of failures no minute is an exception.
  const many = unit === 'ms' ? exceptions(highest.map(({ value }) => value)) : 0;
  const most = highest[many]?.value || least;
  const drawn = limit !== null && limit <= LIMIT_WITHIN[unit] * most ? Math.max(most, limit) : most;
  return { top: Number((drawn * ROOM_ABOVE).toPrecision(4)), cut: highest.slice(0, many) };
}

/** How many of the highest. */
function exceptions(highest: readonly number[]): number {
  if (highest.length < FEWEST_MINUTES) return 0;
  for (let many = 1; many <= MOST_CUT; many += 1) {
    const next = highest[many]!;
    if (next > 0 && highest[many - 1]! > FAR_ABOVE * next) return many;
  }
  return 0;
}
