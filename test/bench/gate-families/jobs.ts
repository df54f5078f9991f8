/** One seeded run of a bench: through our gates, through the rules of other tools beside them, or as a tick with its alerts. */

import { type Page, pagesOf } from '../../helpers/family-pages.ts';
import { type FamilyOutcome, runFamily } from '../../helpers/family-run.ts';
import { FAMILIES, type Fault, type Run } from '../../helpers/gate-families.ts';
import { rolledBackBy } from '../peer-rules/all.ts';

/** `gradual`, one per cent held back, and how many of its slices the shadow serves at a stage. */
const SLICES = [0.01, 0.09, 0.4, 0.49, 0.01] as const;
export const SERVED: Readonly<Record<string, number>> = { 1: 1, 10: 2, 50: 3, 100: 4 };

/** What crosses to a worker: plain data, so a family goes by its name. */
export type Job = {
  cell: number;
  kind: 'gates' | 'peers' | 'pages';
  family: string;
  faults: readonly Fault[];
  rps: number;
  onShadow: number;
  minutes: number;
  seed: number;
};

export type Outcome = {
  ours?: FamilyOutcome;
  /** By rule, in their order: the minute in which it rolled back. */
  peers?: readonly (number | null)[];
  told?: { pages: readonly Page[]; minutes: number };
};

export function outcomeOf({ kind, family, faults, rps, onShadow, minutes, seed }: Job): Outcome {
  const run: Run = {
    rps,
    slices: SLICES,
    onShadow,
    minutes,
    family: FAMILIES.find(({ name }) => name === family)!,
    faults,
  };
  if (kind === 'pages') return { told: pagesOf(seed, run) };
  const ours = runFamily(seed, run);
  return kind === 'peers' ? { ours, peers: rolledBackBy(seed, run) } : { ours };
}
