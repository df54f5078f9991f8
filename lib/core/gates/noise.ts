/**
 * How much a share of the operations scatters from minute to minute beyond what counting explains: garbage collections, neighbours,
 * clients that come and go. Half the squared difference of neighbouring minutes, less the binomial part, estimates that variance
 * whatever the trend is (von Neumann 1941); the same of neighbouring batches of five minutes shows how long a deviation lasts.
 */

/** So many of `n` operations lay above the edge. */
export type Share = { n: number; above: number };

/** Weighted sums over pairs of neighbours: weights, squares of weights, excess variance, binomial variance. */
type Sums = { weight: number; squares: number; excess: number; binomial: number };

export type Noise = {
  minute: number | null;
  last: Share;
  batch: Share & { minutes: number };
  lastBatch: Share;
  minutes: Sums;
  batches: Sums;
};

const NO_SUMS: Sums = { weight: 0, squares: 0, excess: 0, binomial: 0 };
const NOTHING: Share = { n: 0, above: 0 };

export const NO_NOISE: Noise = {
  minute: null,
  last: NOTHING,
  batch: { ...NOTHING, minutes: 0 },
  lastBatch: NOTHING,
  minutes: NO_SUMS,
  batches: NO_SUMS,
};

const BATCH_MINUTES = 5;
/** A pair of neighbours weighs 1/e of a new one after this many minutes. */
const MEMORY_MINUTES = 240;
/** Pairs whose binomial variance is far below this weigh alike; beyond it they tell little, and weigh little. */
const PRECISE = 1e-4;
/** A pair counts at most as so many standard deviations of what was found so far, or of counting: an incident is no habit. */
const MOST_DEVIATIONS = 4;

/** One more minute of one side. A gap begins a new row of neighbours. */
export function withShare(noise: Noise, minute: number, share: Share): Noise {
  if (share.n === 0) return noise;
  const next = noise.minute !== null && minute === noise.minute + 1;
  const batch = next ? noise.batch : { ...NOTHING, minutes: 0 };
  const grown = { n: batch.n + share.n, above: batch.above + share.above, minutes: batch.minutes + 1 };
  const full = grown.minutes === BATCH_MINUTES;
  return {
    minute,
    last: share,
    batch: full ? { ...NOTHING, minutes: 0 } : grown,
    lastBatch: full ? { n: grown.n, above: grown.above } : next ? noise.lastBatch : NOTHING,
    minutes: next ? paired(noise.minutes, noise.last, share, 1) : noise.minutes,
    batches: full && next ? paired(noise.batches, noise.lastBatch, grown, BATCH_MINUTES) : noise.batches,
  };
}

function paired(sums: Sums, a: Share, b: Share, minutes: number): Sums {
  if (a.n === 0 || b.n === 0) return sums;
  const rate = (a.above + b.above) / (a.n + b.n);
  const binomial = ((rate * (1 - rate)) / 2) * (1 / a.n + 1 / b.n);
  if (!(binomial > 0)) return sums;
  const usual = sums.weight > 0 ? Math.max(0, sums.excess / sums.weight) : Number.POSITIVE_INFINITY;
  const square = Math.min((a.above / a.n - b.above / b.n) ** 2 / 2, MOST_DEVIATIONS ** 2 * (usual + binomial));
  const weight = 1 / (binomial + PRECISE) ** 2;
  const kept = Math.exp(-minutes / MEMORY_MINUTES);
  return {
    weight: sums.weight * kept + weight,
    squares: sums.squares * kept * kept + weight * weight,
    excess: sums.excess * kept + weight * (square - binomial),
    binomial: sums.binomial * kept + weight * binomial,
  };
}

/** What two of its standard errors make of the excess where there is none, the pairs of neighbours overlapping by half. */
const standardError = ({ binomial, weight, squares }: Sums) =>
  (binomial / weight) * Math.sqrt((3 * squares) / weight ** 2);

/**
 * The variance that a minute's share has beyond the binomial one, as it counts over many minutes: that of a minute, times how long
 * deviations last. 0 where chance explains what was seen.
 *
 * Where minutes are independent, the excess of batches of 5 is a fifth of that of minutes; where they hold together (an
 * autoregression with ρ = 0.7) it is 1.3 times as much, and 2.8 times of it lies beyond the batches.
 */
export function excessVariance({ minutes, batches }: Noise): number {
  if (batches.weight === 0) return 0;
  const five = batches.excess / batches.weight;
  if (five <= 1.5 * standardError(batches)) return 0;
  const one = minutes.weight > 0 ? minutes.excess / minutes.weight : 0;
  const ratio = one > 0 ? five / one : 1 / BATCH_MINUTES;
  const beyond = Math.min(4, Math.max(1, 1 + 1.63 * (ratio - 1 / BATCH_MINUTES)));
  const uncertain = 1 + Math.sqrt((3 * batches.squares) / batches.weight ** 2);
  return BATCH_MINUTES * five * beyond * uncertain;
}
