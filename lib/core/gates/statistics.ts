/** The little statistics the gates need. */

/** ln Γ(x) for x > 0, Lanczos approximation (g = 7, n = 9), relative error below 1e-13. */
export function logGamma(x: number): number {
  const z = x - 1;
  let sum = LANCZOS[0]!;
  for (let i = 1; i < LANCZOS.length; i += 1) sum += LANCZOS[i]! / (z + i);
  const t = z + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (z + 0.5) * Math.log(t) - t + Math.log(sum);
}

const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

/**
 * P(X ≥ k) for X ~ Binomial(n, p): how surprising k or more bad outcomes of n are when each is bad with probability p.
 * Sums the upper tail from its largest term; 1 for k ≤ 0, 0 for k > n.
 */
export function binomialTail(n: number, k: number, p: number): number {
  if (k <= 0) return 1;
  if (k > n || p <= 0) return 0;
  if (p >= 1) return 1;
  if (k <= n * p) return 1 - lowerTail(n, k - 1, p);
  let term = Math.exp(logPmf(n, k, p));
  let sum = term;
  for (let i = k; i < n && term > sum * 1e-17; i += 1) {
    term *= ((n - i) / (i + 1)) * (p / (1 - p));
    sum += term;
  }
  return Math.min(1, sum);
}

/** P(X ≤ k), summed downwards from k; used where k lies below the mean, so the terms fall. */
function lowerTail(n: number, k: number, p: number): number {
  if (k < 0) return 0;
  let term = Math.exp(logPmf(n, k, p));
  let sum = term;
  for (let i = k; i > 0 && term > sum * 1e-17; i -= 1) {
    term *= (i / (n - i + 1)) * ((1 - p) / p);
    sum += term;
  }
  return Math.min(1, sum);
}

/**
 * Wilson's score interval: the rates that one seen in n > 0 operations is within `z` standard errors of. Never leaves 0–1,
 * but for rounding.
 */
export function wilsonInterval(rate: number, n: number, z: number): { low: number; high: number } {
  const z2 = z * z;
  const middle = rate + z2 / (2 * n);
  const half = Math.sqrt(z2 * ((rate * (1 - rate)) / n + z2 / (4 * n * n)));
  return { low: (middle - half) / (1 + z2 / n), high: (middle + half) / (1 + z2 / n) };
}

type Rate = { rate: number; n: number };

/** Newcombe's interval of the difference of two rates that were seen, b over a, from their two Wilson intervals. */
export function differenceInterval(a: Rate, b: Rate, z: number): { low: number; high: number } {
  const [ia, ib] = [wilsonInterval(a.rate, a.n, z), wilsonInterval(b.rate, b.n, z)];
  const difference = b.rate - a.rate;
  return {
    low: difference - Math.hypot(b.rate - ib.low, ia.high - a.rate),
    high: difference + Math.hypot(ib.high - b.rate, a.rate - ia.low),
  };
}

/** Half of what an interval of 95 % is wide, in standard errors. */
export const Z_95 = 1.959964;

function logPmf(n: number, k: number, p: number): number {
  return logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1) + k * Math.log(p) + (n - k) * Math.log1p(-p);
}
