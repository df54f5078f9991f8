/**
 * A/A: what differs between two runs of one and the same side differs by itself (times, ids, random order). A path that
 * did so twice is noise and is left out of comparisons from then on. The rates of both kinds of comparison stay
 * visible, so that it need not be taken on trust.
 */

import type { Difference } from '../core/forwards/json-diff.ts';

export type NoiseReport = {
  /** Runs of one side against itself, and how many of them differed. */
  runs: number;
  differing: number;
  /** Learned paths with the number of runs they differed in. */
  paths: readonly { path: string; runs: number }[];
};

export type NoiseFloor = {
  learn(differences: readonly Difference[]): void;
  /** What is left when noise is taken away. */
  withoutNoise(differences: readonly Difference[]): readonly Difference[];
  report(): NoiseReport;
};

/** Once may be a write between the two runs; twice is the path's own habit. */
const RUNS_TO_LEARN = 2;
const MAX_PATHS = 200;

export function noiseFloor(): NoiseFloor {
  const seen = new Map<string, number>();
  let runs = 0;
  let differing = 0;
  return {
    learn(differences) {
      runs += 1;
      if (differences.length > 0) differing += 1;
      for (const path of new Set(differences.map((difference) => difference.path))) {
        if (seen.has(path) || seen.size < MAX_PATHS) seen.set(path, (seen.get(path) ?? 0) + 1);
      }
    },
    withoutNoise: (differences) => differences.filter(({ path }) => (seen.get(path) ?? 0) < RUNS_TO_LEARN),
    report: () => ({
      runs,
      differing,
      paths: [...seen].filter(([, n]) => n >= RUNS_TO_LEARN).map(([path, n]) => ({ path, runs: n })),
    }),
  };
}
