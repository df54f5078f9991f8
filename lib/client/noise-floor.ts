/**
 * How much of what differs is noise: times, ids, random order, rows that change meanwhile. A difference is looked at a second
 * time, by asking both sides again, and counts only where chance does not explain it. Rates are kept for each path, fade,
 * and are never final: a path that is noisy is still compared.
 *
 * Of a path that differs (a1 ≠ b1) the second look (a2, b2) is one of these, where two letters alike are two values alike:
 *
 *   a1 b1 a2 b2
 *   x  y  x  not x   straight   each side agrees with itself, or at least the primary does, and they differ twice
 *   x  y  …  x       crossed    the sides have changed places: noise
 *   x  y  x  x       shadow     the shadow alone was wrong, once
 *   x  y  y  y       primary    the primary alone was another, once: noise, or a row that changed after it was read
 *
 * If there is noise alone, the sides are exchangeable: straight is as likely as crossed (exchange a2 and b2), shadow as likely
 * as primary (exchange a1 and b1), whatever the noise is like. So the excess of one over the other is what the shadow did,
 * as in McNemar's test of paired proportions (McNemar 1947, Psychometrika 12: 153–157). Of n and m such pairs the excess is
 * n − m with the variance n + m, and at least
 *
 *   n − m − z·√(n + m)
 *
 * mismatches are counted in all. As long as nothing has crossed, straight ones count at once, or all but two where the path has
 * shown other noise.
 *
 * Where the shadow served, it was asked first, and a row that changed in between looks as if the shadow had been wrong. How
 * often a row does change is known from runs of the primary against itself (A/A), which is asked a third time where it differs:
 * in d of k runs the first answer was the odd one, in e the second. Of c comparisons c/k·(d − e) are explained by that, with the
 * variance (c/k)²·(d + e), and are taken off, too.
 */

import type { Side } from '../core/cutover/cutover.ts';

export type NoiseReport = {
  /** Runs of the primary against itself, and how many of them differed. */
  runs: number;
  differing: number;
  /** Comparisons that differed and did not count. */
  excused: number;
  /** The paths that differ most, of the last thousands of comparisons: how often, how much of it counted, and differed in A/A. */
  paths: readonly { path: string; differed: number; counted: number; alone: number }[];
};

/** What a second look shows of a path; null for what says nothing. */
export type Pattern = 'straight' | 'crossed' | Side | null;
/** Paths that differed in A/A, each with the answer that was the odd one. */
type Alone = ReadonlyMap<string, 'first' | 'second' | null>;

export type NoiseFloor = {
  /** A comparison was made that this side served. */
  compared(served: Side): void;
  /** The primary was run against itself. */
  alone(differing: Alone): void;
  /** Whether a difference that was looked at twice counts as a mismatch. */
  counts(path: string, pattern: Pattern, served: Side): boolean;
  excused(): void;
  /** Something waits for runs of the primary against itself. */
  isWanted(): boolean;
  report(): NoiseReport;
};

/** One-sided 99 %. */
const Z = 2.33;
const HALF_LIFE = 1_000;
/** So many may be chance before the first of them crosses, where a path is noisy. */
const DOUBT = 2;
/** Faded away. */
const ALMOST_NONE = 0.1;
const MAX_PATHS = 200;
const REPORTED_PATHS = 20;

const NONE = { differed: 0, counted: 0, alone: 0, noise: 0, first: 0, second: 0 };
type Pairs = { more: number; less: number; counted: number };
type Path = typeof NONE & { at: number } & Record<'twice' | Side, Pairs>;

export function noiseFloor(): NoiseFloor {
  const paths = fadingPaths();
  const seen = { runs: 0, differing: 0, excused: 0 };
  return {
    compared: (side) => paths.tick(side),
    alone(differing) {
      paths.tick('runs');
      seen.runs += 1;
      if (differing.size > 0) seen.differing += 1;
      for (const [name, odd] of differing) {
        const path = paths.of(name);
        path.alone += 1;
        path.noise += 1;
        if (odd) path[odd] += 1;
      }
    },
    counts(name, pattern, side) {
      const path = paths.of(name);
      const isOnce = pattern === 'primary' || pattern === 'shadow';
      const pairs = path[isOnce ? side : 'twice'];
      path.differed += 1;
      if (pattern !== 'straight' && pattern !== 'shadow') {
        // A row that changed does not make the sides change places.
        if (pattern !== 'primary') path.noise += 1;
        if (pattern) pairs.less += 1;
        return false;
      }
      pairs.more += 1;
      const sure = isOnce ? pairs.more - pairs.less - chance(path, side, paths.made) : ofTwice(path);
      const isCounted = pairs.counted + 1 <= sure;
      if (isCounted) {
        pairs.counted += 1;
        path.counted += 1;
      } else if (isOnce) paths.made.wanted += 1;
      return isCounted;
    },
    excused: () => {
      seen.excused += 1;
    },
    isWanted: () => paths.made.wanted > 1,
    report: () => ({ ...seen, paths: paths.most(REPORTED_PATHS) }),
  };
}

const counting = ({ more, less }: Pairs) => Z * Math.sqrt(more + less);

/** How many of the straight ones are more than chance. */
function ofTwice({ twice, noise }: Path): number {
  if (twice.less < ALMOST_NONE) return noise < ALMOST_NONE ? twice.more : twice.more - DOUBT;
  return twice.more - twice.less - counting(twice);
}

/**
 * How much of an excess chance explains. A row that changed speaks against the side that was asked first: against the
 * primary, less may be taken off for it; against the shadow, it must be.
 */
function chance(path: Path, side: Side, made: Made): number {
  const { more, less } = path[side];
  const isKnown = made.runs >= ALMOST_NONE;
  const scale = made[side] / made.runs;
  const changed = Math.max(0, scale * (path.first - path.second));
  // What was not seen yet may be.
  const spread = Z * Math.sqrt(more + less + scale ** 2 * (path.first + path.second + 1));
  if (side === 'primary') return isKnown ? Math.min(counting(path[side]), spread - changed) : counting(path[side]);
  return isKnown ? spread + changed : Number.POSITIVE_INFINITY;
}

/** Comparisons that either side served, A/A runs, and differences that wait for those: all faded. */
type Made = Record<Side | 'runs' | 'wanted', number>;

function fadingPaths() {
  const paths = new Map<string, Path>();
  const made: Made = { primary: 0, shadow: 0, runs: 0, wanted: 0 };
  let at = 0;

  /** Those that did not differ for longest make room. */
  function of(name: string): Path {
    const none = (): Pairs => ({ more: 0, less: 0, counted: 0 });
    const path = paths.get(name) ?? { ...NONE, at, twice: none(), primary: none(), shadow: none() };
    for (const figures of [path, path.twice, path.primary, path.shadow]) fade(figures, at - path.at);
    path.at = at;
    paths.delete(name);
    paths.set(name, path);
    if (paths.size > MAX_PATHS) paths.delete(paths.keys().next().value!);
    return path;
  }

  return {
    of,
    made,
    tick(what: Side | 'runs'): void {
      at += 1;
      fade(made, 1);
      made[what] += 1;
    },
    most: (limit: number): NoiseReport['paths'] =>
      [...paths.keys()]
        .map((name) => {
          const { differed, counted, alone } = of(name);
          return { path: name, differed: Math.round(differed), counted: Math.round(counted), alone: Math.round(alone) };
        })
        .sort((a, b) => b.differed + b.alone - a.differed - a.alone)
        .slice(0, limit),
  };
}

function fade(figures: Record<string, unknown>, comparisons: number): void {
  const share = 2 ** (-comparisons / HALF_LIFE);
  for (const name in figures) if (typeof figures[name] === 'number') figures[name] *= share;
}
