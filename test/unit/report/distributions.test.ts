/**
 * Distributions against closed forms, published values, and a second implementation that shares nothing with them:
 * densities without their constants, integrated numerically, above the point over everywhere.
 */

import { describe, expect, it } from 'vitest';
import { binomialTail } from '../../../lib/core/gates/statistics.ts';
import {
  betaCdf,
  betaLower,
  betaTail,
  chiSquareTail,
  chiSquareUpper,
  gammaCdf,
  gammaTail,
  normalTail,
  normalUpper,
  studentTail,
  studentUpper,
} from '../../../lib/core/report/distributions.ts';

const close = (seen: number, wanted: number, relative = 1e-9) =>
  expect(Math.abs(seen - wanted), `${seen}, not ${wanted}`).toBeLessThanOrEqual(relative * Math.abs(wanted));

describe('published values', () => {
  it.each([
    [0, 0.5],
    [1, 0.15865525393145705],
    [1.96, 0.024997895148220435],
    [3, 0.0013498980316300946],
    [5, 2.8665157187919391e-7],
    [8, 6.220960574271784e-16],
    [-1, 0.841344746068543],
  ])('P(Z > %f)', (z, p) => close(normalTail(z), p));

  it.each([
    [0.025, 1.9599639845400545],
    [0.05, 1.6448536269514722],
    [0.005, 2.5758293035489004],
    [0.9, -1.2815515655446004],
  ])('z at %f', (p, z) => close(normalUpper(p), z));

  it.each([
    [0.025, 1, 12.706204736432095],
    [0.025, 5, 2.5705818356363146],
    [0.025, 10, 2.2281388519649385],
    [0.005, 30, 2.7499956535672259],
    [0.05, 120, 1.6576508993500836],
  ])('t at %f with %i degrees of freedom', (p, df, t) => close(studentUpper(p, df), t, 1e-8));

  it.each([
    [0.05, 1, 3.8414588206941236],
    [0.05, 10, 18.307038053275146],
    [0.01, 5, 15.086272469388987],
  ])('chi-square at %f with %i degrees of freedom', (p, df, x) => close(chiSquareUpper(p, df), x));
});

describe('closed forms', () => {
  const points = [1e-9, 1e-4, 0.03, 0.2, 0.5, 0.77, 0.999, 1 - 1e-9];
  it('Beta(a, 1), Beta(1, b) and Beta(½, ½)', () => {
    for (const x of points) {
      for (const a of [0.5, 1, 3, 40, 1_000]) {
        close(betaCdf(x, a, 1), x ** a, 1e-10);
        close(betaTail(x, 1, a), Math.exp(a * Math.log1p(-x)), 1e-10);
      }
      close(betaCdf(x, 0.5, 0.5), (2 / Math.PI) * Math.asin(Math.sqrt(x)));
    }
  });

  it('t with 1, 2 and 4 degrees of freedom', () => {
    for (const t of [0.001, 0.5, 1, 3, 30, 1e4]) {
      close(studentTail(t, 1), Math.atan2(1, t) / Math.PI);
      const s = Math.sqrt(t * t + 2);
      // ½(1 − t/s) without the difference of two numbers close to each other.
      close(studentTail(t, 2), 1 / (s * (s + t)));
    }
  });

  it('chi-square with 2 and 4 degrees of freedom', () => {
    for (const x of [1e-6, 0.1, 1, 10, 100, 600]) {
      close(chiSquareTail(x, 2), Math.exp(-x / 2));
      close(chiSquareTail(x, 4), Math.exp(-x / 2) * (1 + x / 2));
    }
  });

  it('binomial tails are beta tails', () => {
    for (const [n, k, p] of [
      [10, 3, 0.2],
      [1_000, 20, 0.01],
      [200, 199, 0.9],
      [50, 1, 1e-6],
    ] as const)
      close(betaCdf(p, k, n - k + 1), binomialTail(n, k, p));
  });
});

/** ∫ f over (from, to) by the double-exponential rule: substitution tanh(π/2 sinh u), step halved until it stands still. */
function integral(f: (x: number) => number, from: number, to: number): number {
  let last = Number.NaN;
  for (let h = 0.25; h > 0.003; h /= 2) {
    let sum = 0;
    for (let u = -4; u <= 4; u += h) {
      const q = Math.exp(-2 * (Math.PI / 2) * Math.sinh(Math.abs(u)));
      const share = q / (1 + q);
      const x = u < 0 ? from + (to - from) * share : to - (to - from) * share;
      const weight = ((Math.PI / 2) * Math.cosh(u) * 2 * q) / (1 + q) ** 2;
      const y = f(x);
      if (x > from && x < to && Number.isFinite(y)) sum += weight * y;
    }
    const value = sum * h * (to - from);
    if (Math.abs(value - last) <= 1e-13 * Math.abs(value)) return value;
    last = value;
  }
  return last;
}

describe('a second implementation', () => {
  it('t: the density integrated', () => {
    for (const df of [1.5, 3, 7.25, 29, 400]) {
      const density = (t: number) => Math.exp((-(df + 1) / 2) * Math.log1p((t * t) / df));
      // t = v / (1 − v) brings infinity to 1.
      const above = (t: number) => integral((v) => density(t + v / (1 - v)) / (1 - v) ** 2, 0, 1);
      for (const t of [0.2, 1, 2.5, 6]) close(studentTail(t, df), above(t) / (2 * above(0)));
    }
  });

  it('beta: the density integrated', () => {
    for (const [a, b] of [
      [2.5, 3.5],
      [12, 90],
      [300, 41],
      [5_000, 5_100],
    ] as const) {
      const mode = (a - 1) / (a + b - 2);
      const density = (x: number) => Math.exp((a - 1) * Math.log(x / mode) + (b - 1) * Math.log((1 - x) / (1 - mode)));
      const spread = Math.sqrt((a * b) / (a + b) ** 3);
      const [from, to] = [Math.max(0, mode - 40 * spread), Math.min(1, mode + 40 * spread)];
      for (const at of [-2, -0.5, 0, 1, 3]) {
        const x = Math.min(0.999, Math.max(0.001, mode + at * spread));
        const [low, high] = [integral(density, from, x), integral(density, x, to)];
        close(betaCdf(x, a, b), low / (low + high));
        close(betaTail(x, a, b), high / (low + high));
      }
    }
  });

  it('gamma: the density integrated', () => {
    for (const a of [0.75, 2, 17.5, 900]) {
      const mode = Math.max(a - 1, 0.1);
      const density = (x: number) => Math.exp((a - 1) * Math.log(x / mode) - (x - mode));
      const far = a + 60 * Math.sqrt(a) + 60;
      for (const x of [a / 2, a, a + 2 * Math.sqrt(a)]) {
        const [low, high] = [integral(density, 0, x), integral(density, x, far)];
        close(gammaCdf(a, x), low / (low + high));
        close(gammaTail(a, x), high / (low + high));
      }
    }
  });

  it('notices a wrong constant: negative control', () => {
    const density = (t: number) => Math.exp(-2 * Math.log1p((t * t) / 3.001));
    const above = (t: number) => integral((v) => density(t + v / (1 - v)) / (1 - v) ** 2, 0, 1);
    expect(() => close(studentTail(2, 3), above(2) / (2 * above(0)))).toThrow();
  });
});

describe('quantiles', () => {
  it('are the points where tails have their value', () => {
    for (const p of [1e-12, 1e-4, 0.025, 0.4]) {
      close(normalTail(normalUpper(p)), p, 1e-11);
      close(studentTail(studentUpper(p, 7.5), 7.5), p, 1e-11);
      close(chiSquareTail(chiSquareUpper(p, 3), 3), p, 1e-11);
      close(betaCdf(betaLower(p, 2, 5_000), 2, 5_000), p, 1e-11);
    }
  });

  it.each([0, 1, -0.1, 1.5, Number.NaN])('of %f are none', (p) => {
    for (const of of [normalUpper(p), studentUpper(p, 5), chiSquareUpper(p, 2), betaLower(p, 2, 2)])
      expect(of).toBeNaN();
  });

  it('arguments that no distribution has give none', () => {
    const none = [
      betaCdf(0.5, 0, 1),
      betaCdf(Number.NaN, 1, 1),
      gammaTail(-1, 1),
      studentTail(1, 0),
      studentUpper(0.1, -1),
    ];
    for (const value of [...none, chiSquareUpper(0.1, 0), normalTail(Number.NaN)]) expect(value).toBeNaN();
  });
});
