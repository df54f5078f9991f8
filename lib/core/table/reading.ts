/** What the database says of a table cutover for people: checks before it, progress, comparisons. Types. */

import type { BackfillProgress } from '../gates/table-status.ts';

/** One check before a migration. Values and limits carry their units. `remedy` is empty when it passed. */
export type HealthFinding = {
  check: string;
  status: 'pass' | 'warn' | 'fail';
  value: string;
  limit: string;
  remedy: string;
};

/** Figures of the view `crossfade.progress`. Whether they are good enough is judged by the gates. */
export type TableProgress = {
  cutover: string;
  stage: string;
  direction: 'none' | 'forward' | 'reverse';
  backfill: BackfillProgress['state'];
  rowsDone: number;
  rowsTotal: number;
  /** 0–100. */
  backfillPercent: number;
  rowsPerSecond: number;
  /** Null unless the copy runs at a known rate. */
  etaSeconds: number | null;
  lagSeconds: number;
  hints: number;
  quarantined: number;
  /** Of the last complete verification; null before it. */
  rowsCompared: number | null;
  divergences: number | null;
  score: number | null;
  verifiedAtMs: number | null;
};

/** Both tables at one moment. Null figures come with an error that says why. */
export type Consistency = {
  primaryRows: number | null;
  shadowRows: number | null;
  consistent: number | null;
  diverged: number | null;
  /** Keys that differ and have an un-applied hint. */
  late: number | null;
  quarantined: number | null;
  errors: readonly string[];
  /** 1 − diverged / authoritative rows, 0–1. */
  score: number | null;
};

/**
 * The rows of one key as both tables have them. A column is a pair: of the primary, and what became of it in the shadow; null where there is
 * none. Values are texts as Postgres writes them, null for NULL and where they are redacted or there is no row.
 */
export type RowValues = {
  key: string;
  /** Which side has a row. */
  primary: boolean;
  shadow: boolean;
  columns: readonly (ColumnNames & { primaryValue: string | null; shadowValue: string | null })[];
};
export type ColumnNames = { primary: string | null; shadow: string | null; redacted: boolean };

/** One key on both sides. A hash is the SHA-256 of the row as text, null where there is no row. */
export type RowComparison = {
  key: string;
  primaryHash: string | null;
  shadowHash: string | null;
  equal: boolean;
  differingColumns: readonly string[];
  late: boolean;
  quarantined: boolean;
};
