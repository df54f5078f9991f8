/** What a rehearsal has seen: the document that is written, signed, shown, and checked by a start. Types only. */

import type { LoadFigures } from './load.ts';

/** In their order. */
export const STEPS = [
  'prepare',
  'inspect',
  'start',
  'copy',
  'fault',
  'ramp',
  'complete',
  'rollback',
  'ramp again',
  'complete again',
  'cleanup',
] as const;
export type StepName = (typeof STEPS)[number];

export type Finding = { about: string; says: string; remedy: string };

export type Step = {
  name: StepName;
  /** `skipped`: a step before it failed. */
  result: 'pass' | 'fail' | 'skipped';
  tookMs: number;
  /** What failed, each with what to do. */
  failures: readonly Finding[];
};

export type Figures = {
  rows: number;
  copyMs: number | null;
  /** Longest time for which a swap kept the tables locked. */
  lockMs: number;
  worstLagMs: number;
  /** Written to the log of the whole server from start to end. */
  walBytes: number;
  /** Of both tables with their indexes: before, and at most. */
  diskBytes: { before: number; most: number };
  verifiedRows: number;
  divergences: number;
};

/** A condition that kept the cutover where it was. */
export type Hold = { step: StepName; code: string; label: string; says: string; heldMs: number };

export type Rehearsal = {
  cutover: string;
  database: string;
  how: string;
  startedMs: number;
  endedMs: number;
  passed: boolean;
  steps: readonly Step[];
  /** Null where nothing was started. */
  figures: Figures | null;
  load: LoadFigures | null;
  notices: readonly Finding[];
  holds: readonly Hold[];
  /** What differs from the real thing. */
  differs: readonly string[];
  /** SHA-256 of the declaration and of the shape of both tables, and the version of Crossfade. */
  hashes: { declaration: string; shape: string; version: string };
};
