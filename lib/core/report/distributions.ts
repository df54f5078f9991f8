/**
 * The distributions that reports need: normal, t, beta, chi-square; tails and quantiles. Tails are computed as such, never
 * as 1 − something, so that small ones keep their digits. Checked to 1e-9 relative against closed forms, published values
 * and a second implementation.
 *
 * Incomplete beta: continued fraction, modified Lentz (DLMF 8.17.22). Incomplete gamma: series and continued fraction
 * (DLMF 8.11.4, 8.9.2). The factors before them are taken around their maximum with Stirling's correction Δ, since
 * differences of ln Γ lose all digits for large arguments.
 */

import { logGamma } from '../gates/statistics.ts';

const HALF_LOG_TAU = 0.5 * Math.log(2 * Math.PI);
const TINY = 1e-300;
const EPSILON = 1e-16;
const MAX_STEPS = 200_000;

/** Δ(x) = ln Γ(x) − ((x − ½) ln x − x + ½ ln 2π), DLMF 5.11.1. */
function stirling(x: number): number {
  if (x < 12) return logGamma(x) - ((x - 0.5) * Math.log(x) - x + HALF_LOG_TAU);
  const z = 1 / (x * x);
  return (1 / 12 - z * (1 / 360 - z * (1 / 1260 - z * (1 / 1680 - z * (1 / 1188 - (z * 691) / 360360))))) / x;
}

/** n · ln(value / n), exact where value is close to n. */
function aroundLog(n: number, value: number): number {
  const deviation = (value - n) / n;
  return n * (Math.abs(deviation) < 0.5 ? Math.log1p(deviation) : Math.log(value / n));
}

/** xᵃ yᵇ / B(a, b) with y = 1 − x. */
function betaFactor(x: number, y: number, a: number, b: number): number {
  const s = a + b;
  return Math.exp(
    aroundLog(a, x * s) +
      aroundLog(b, y * s) +
      0.5 * Math.log((a / s) * b) -
      HALF_LOG_TAU +
      stirling(s) -
      stirling(a) -
      stirling(b),
  );
}

/**
 * Iₓ(a, b), the lower tail of Beta(a, b). `y` is 1 − x, given apart where x is so close to 1 that it would be lost.
 * @example betaCdf(0.5, 2, 2) // 0.5
 */
export function betaCdf(x: number, a: number, b: number, y = 1 - x): number {
  if (!(a > 0 && b > 0) || Number.isNaN(x)) return Number.NaN;
  if (x <= 0) return 0;
  if (y <= 0) return 1;
  return x <= (a + 1) / (a + b + 2)
    ? (betaFactor(x, y, a, b) * betaFraction(x, a, b)) / a
    : 1 - (betaFactor(y, x, b, a) * betaFraction(y, b, a)) / b;
}

/** 1 − Iₓ(a, b), with all its digits. */
export const betaTail = (x: number, a: number, b: number, y = 1 - x): number => betaCdf(y, b, a, x);

function betaFraction(x: number, a: number, b: number): number {
  let c = 1;
  let d = 1 / nonZero(1 - ((a + b) * x) / (a + 1));
  let h = d;
  for (let m = 1; m < MAX_STEPS; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonZero(1 + even * d);
    c = nonZero(1 + even / c);
    h *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonZero(1 + odd * d);
    c = nonZero(1 + odd / c);
    h *= d * c;
    if (Math.abs(d * c - 1) < EPSILON * 10) return h;
  }
  return h;
}

const nonZero = (value: number) => (Math.abs(value) < TINY ? TINY : value);

/** xᵃ e⁻ˣ / Γ(a) */
function gammaFactor(a: number, x: number): number {
  return Math.exp(aroundLog(a, x) - (x - a) + 0.5 * Math.log(a) - HALF_LOG_TAU - stirling(a));
}

/** P(a, x), the lower tail of the gamma distribution with shape a. */
export function gammaCdf(a: number, x: number): number {
  if (!(a > 0) || Number.isNaN(x)) return Number.NaN;
  if (x <= 0) return 0;
  return x < a + 1 ? gammaSeries(a, x) : 1 - gammaFraction(a, x);
}

/** Q(a, x) = 1 − P(a, x). */
export function gammaTail(a: number, x: number): number {
  if (!(a > 0) || Number.isNaN(x)) return Number.NaN;
  if (x <= 0) return 1;
  return x < a + 1 ? 1 - gammaSeries(a, x) : gammaFraction(a, x);
}

function gammaSeries(a: number, x: number): number {
  let term = 1 / a;
  let sum = term;
  for (let n = 1; n < MAX_STEPS && term > sum * EPSILON; n += 1) {
    term *= x / (a + n);
    sum += term;
  }
  return gammaFactor(a, x) * sum;
}

function gammaFraction(a: number, x: number): number {
  let b = x + 1 - a;
  let c = 1 / TINY;
  let d = 1 / nonZero(b);
  let h = d;
  for (let i = 1; i < MAX_STEPS; i += 1) {
    const an = -i * (i - a);
    b += 2;
    d = 1 / nonZero(an * d + b);
    c = nonZero(b + an / c);
    h *= d * c;
    if (Math.abs(d * c - 1) < EPSILON * 10) break;
  }
  return gammaFactor(a, x) * h;
}

// --------------------------------------------------------------------------------------------- tails by their names

/** P(Z > z) */
export function normalTail(z: number): number {
  if (Number.isNaN(z)) return Number.NaN;
  const half = 0.5 * (z * z > 3 ? gammaTail(0.5, (z * z) / 2) : 1 - gammaCdf(0.5, (z * z) / 2));
  return z >= 0 ? half : 1 - half;
}

/** P(T > t) with `df` degrees of freedom, which need not be whole. */
export function studentTail(t: number, df: number): number {
  if (!(df > 0) || Number.isNaN(t)) return Number.NaN;
  if (!Number.isFinite(t)) return t > 0 ? 0 : 1;
  const sum = df + t * t;
  const half = 0.5 * betaCdf(df / sum, df / 2, 0.5, (t * t) / sum);
  return t >= 0 ? half : 1 - half;
}

/** P(X > x) of the chi-square distribution. */
export const chiSquareTail = (x: number, df: number): number => gammaTail(df / 2, x / 2);

// -------------------------------------------------------------------------------------------------------- quantiles

/** z with P(Z > z) = p. */
export const normalUpper = (p: number): number => symmetricUpper(p, normalTail);

/** t with P(T > t) = p. */
export const studentUpper = (p: number, df: number): number =>
  df > 0 ? symmetricUpper(p, (t) => studentTail(t, df)) : Number.NaN;

/** x with P(X > x) = p. */
export function chiSquareUpper(p: number, df: number): number {
  if (!(p > 0 && p < 1 && df > 0)) return Number.NaN;
  let high = df + 1;
  while (chiSquareTail(high, df) > p) high *= 2;
  return falling((x) => chiSquareTail(x, df), p, 0, high);
}

/** x with Iₓ(a, b) = p. */
export function betaLower(p: number, a: number, b: number): number {
  if (!(p > 0 && p < 1 && a > 0 && b > 0)) return Number.NaN;
  return falling((x) => -betaCdf(x, a, b), -p, 0, 1);
}

function symmetricUpper(p: number, tail: (z: number) => number): number {
  if (!(p > 0 && p < 1)) return Number.NaN;
  if (p === 0.5) return 0;
  if (p > 0.5) return -symmetricUpper(1 - p, tail);
  let high = 1;
  while (tail(high) > p) high *= 2;
  return falling(tail, p, 0, high);
}

/** Where a falling function takes a value: bisection until neighbouring numbers, so nothing has to converge well. */
function falling(of: (x: number) => number, value: number, from: number, to: number): number {
  let [low, high] = [from, to];
  for (;;) {
    const middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) return middle;
    if (of(middle) > value) low = middle;
    else high = middle;
  }
}
