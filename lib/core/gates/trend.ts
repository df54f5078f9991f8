/** Whether a series rises, and how fast, without assuming how it is distributed and without being led by single values. */

/** One value a minute at most, oldest first: `values[i]` is that of `minutes[i]`. */
export type Series = { minutes: readonly number[]; values: readonly number[] };

/**
 * Z of the Mann–Kendall test with the correction for ties (Kendall 1975): positive when the series rises. 0 for a series
 * of equal values or of fewer than two.
 *
 *   S = Σ_{i<j} sign(x_j − x_i)      Var S = (n(n−1)(2n+5) − Σ_ties t(t−1)(2t+5)) / 18      Z = (S ∓ 1) / √Var S
 */
export function mannKendallZ(values: readonly number[]): number {
  let s = 0;
  let variance = spread(values.length);
  for (let j = 0; j < values.length; j += 1) {
    const x = values[j]!;
    let equal = 0;
    for (let i = 0; i < j; i += 1) {
      const before = values[i]!;
      if (x > before) s += 1;
      else if (x < before) s -= 1;
      else equal += 1;
    }
    // One more of those that are equal.
    variance -= spread(equal + 1) - spread(equal);
  }
  return variance > 0 && s !== 0 ? (s - Math.sign(s)) / Math.sqrt(variance / 18) : 0;
}

const spread = (t: number) => t * (t - 1) * (2 * t + 5);

/** The Theil–Sen slope: the median of the slopes of all pairs, in units of the value a minute. `null` without a pair. */
export function theilSenSlope({ minutes, values }: Series): number | null {
  const slopes: number[] = [];
  for (let j = 1; j < values.length; j += 1) {
    for (let i = 0; i < j; i += 1) {
      const between = minutes[j]! - minutes[i]!;
      if (between > 0) slopes.push((values[j]! - values[i]!) / between);
    }
  }
  return slopes.length > 0 ? median(slopes) : null;
}

/** @param values at least one */
export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
