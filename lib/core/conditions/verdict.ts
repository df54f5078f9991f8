/** What the gates say: conditions, verdicts, and the words and units in which they are written. */

import { MINUTE_MS } from '../base/units.ts';

/** Two clocks are never so far apart, unless one of them is wrong: a verdict further ahead than this is from no later tick. */
export const CLOCKS_APART_MS = 5 * MINUTE_MS;

/** One thing that must hold to advance, or a guard that fired. */
export type Condition = {
  code: string;
  ok: boolean;
  /** What was seen and where the limit lies, in the unit the text names. */
  value: number | string | null;
  limit: number | string | null;
  /** What is seen and, when it does not hold, what would release it. */
  text: string;
};

export type SideFigures = {
  count: number;
  errors: number;
  errorRate: number | null;
  p50Ms: number | null;
  p95Ms: number | null;
};

/** How far one test has come: evidence 3.2 of 333 means that 333 would prove it. */
export type TestEvidence = { code: string; evidence: number; needed: number; badMinutes: number };

export type Verdict = {
  verdict: 'advance' | 'hold' | 'rollback';
  /** Every condition that fails for a hold, the guards that fired for a rollback, none for an advance. */
  reasons: readonly Condition[];
  /** Everything that was judged. */
  conditions: readonly Condition[];
  evidence: {
    primary: SideFigures;
    shadow: SideFigures;
    checks: number;
    mismatches: number;
    /** Bad minutes without a good one in between of the guard that is nearest to firing. */
    badMinutes: number;
    /** Evidence that the shadow is worse than allowed, by metric. Absent before reads are served. */
    tests?: readonly TestEvidence[] | undefined;
    minutesInStage: number;
    minutesToEligibility: number;
  };
};

/** @param release what would release it, where `text` does not say so itself */
export function condition(
  code: string,
  ok: boolean,
  value: Condition['value'],
  limit: Condition['limit'],
  text: string,
  release = '',
): Condition {
  return { code, ok, value, limit, text: ok || release === '' ? text : `${text} ${release}` };
}

/** Rounded down, so that a value that is short of a whole one does not look like it. */
export const round = (value: number) => Math.floor(value * 10 + 1e-9) / 10;
/** Evidence and counts: two digits are enough, and thousands are set apart. */
export const number = (value: number) =>
  value >= 1e6
    ? value.toExponential(1)
    : value >= 100
      ? String(Math.round(value))
      : String(Number(value.toPrecision(2)));
export const percent = (rate: number) => `${Number((rate * 100).toPrecision(3))} %`;
export const ms = (value: number) => (value >= 1000 ? `${round(value / 1000)} s` : `${round(value)} ms`);
