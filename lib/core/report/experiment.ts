/**
 * An A/B experiment on the sides of a cutover: who belongs to which cohort, and what its totals say at the declared size.
 * The cohorts are those of the read share: a key's bucket decides, as it decides what the key is served. A report, never a
 * gate: nothing in the gates knows of it.
 */

import type { Side } from '../cutover/cutover.ts';
import type { ExperimentDeclaration } from '../cutover/experiment-declaration.ts';
import { inShare } from '../routing/routing.ts';
import {
  clopperPearson,
  compareProportions,
  type Interval,
  type MeanTest,
  type ProportionTest,
  sampleRatio,
  welch,
  wilson,
} from './inference.ts';

/** Totals of one cohort. */
export type CohortTotals = {
  /** Units: each counts once. */
  n: number;
  conversions: number;
  /** Units that came with a value, the sum of the values and of their squares. */
  values: number;
  sum: number;
  sumSquares: number;
};

export type ExperimentTotals = Readonly<Record<Side, CohortTotals>>;

export const NO_TOTALS: CohortTotals = { n: 0, conversions: 0, values: 0, sum: 0, sumSquares: 0 };

export type ExperimentEvent = { key: string; converted?: boolean; value?: number };

/** Values are kept to a millionth: sums of them stay exact in the store. */
export const MAX_VALUE = 1_000_000_000;
const rounded = (value: number) => Math.round(value * 1e6) / 1e6;

/** Whom the bucket does not decide about belongs to no cohort. */
export function cohortOf(salt: string, key: string, share: number, listed: ReadonlySet<string>): Side | null {
  if (listed.has(key)) return null;
  return inShare(salt, key, Math.round(share * 10_000)) ? 'shadow' : 'primary';
}

export function sumEvents(
  events: readonly ExperimentEvent[],
  cohort: (key: string) => Side | null,
): { totals: ExperimentTotals; excluded: number } {
  const totals = { primary: { ...NO_TOTALS }, shadow: { ...NO_TOTALS } };
  let excluded = 0;
  for (const { key, converted, value } of events) {
    const side = cohort(key);
    if (side === null) {
      excluded += 1;
      continue;
    }
    const total = totals[side];
    total.n += 1;
    if (converted) total.conversions += 1;
    if (value === undefined) continue;
    total.values += 1;
    total.sum = rounded(total.sum + rounded(value));
    total.sumSquares = rounded(total.sumSquares + rounded(value) ** 2);
  }
  return { totals, excluded };
}

export const unitsOf = ({ primary, shadow }: ExperimentTotals) => primary.n + shadow.n;

export type CohortReport = CohortTotals & { rate: number | null; wilson: Interval | null; exact: Interval | null };

export type ExperimentReport = {
  id: string;
  size: number;
  share: number;
  alpha: number;
  conversion: string;
  value: string;
  n: number;
} & (
  | { state: 'collecting'; text: string }
  | {
      state: 'complete';
      cohorts: Readonly<Record<Side, CohortReport>>;
      sampleRatio: { chiSquare: number; p: number; mismatch: boolean } | null;
      conversions: ProportionTest | null;
      values: MeanTest | null;
      /** One sentence for each thing that can be said, the recommendation last. */
      findings: readonly string[];
    }
);

/** Below this the split itself is wrong, and so is everything that is computed from it. */
const RATIO_ALPHA = 0.001;

/** What can be said: before the declared size is reached only how many of how many, so that figures are read once. */
export function reportExperiment(declared: ExperimentDeclaration, totals: ExperimentTotals): ExperimentReport {
  const { id, size, share, alpha, conversion, value } = declared;
  const n = unitsOf(totals);
  const common = { id, size, share, alpha, conversion, value, n };
  if (n < size) return { ...common, state: 'collecting', text: `${n} of ${size}` };
  const { primary, shadow } = totals;
  const confidence = 1 - alpha;
  const ratio = sampleRatio(primary.n, shadow.n, share / 100);
  const checked = ratio && { ...ratio, mismatch: ratio.p < RATIO_ALPHA };
  const conversions = compareProportions(proportion(primary), proportion(shadow), confidence);
  const values = welch(moments(primary), moments(shadow), confidence);
  const findings = findingsOf(declared, { mismatch: checked?.mismatch ?? true, conversions, values, totals });
  return {
    ...common,
    state: 'complete',
    cohorts: { primary: cohort(primary, confidence), shadow: cohort(shadow, confidence) },
    sampleRatio: checked,
    conversions,
    values,
    findings,
  };
}

const proportion = ({ n, conversions }: CohortTotals) => ({ n, successes: conversions });
const moments = ({ values, sum, sumSquares }: CohortTotals) => ({ n: values, sum, sumSquares });

function cohort(totals: CohortTotals, confidence: number): CohortReport {
  return {
    ...totals,
    rate: totals.n > 0 ? totals.conversions / totals.n : null,
    wilson: wilson(proportion(totals), confidence),
    exact: clopperPearson(proportion(totals), confidence),
  };
}

type Found = {
  mismatch: boolean;
  conversions: ProportionTest | null;
  values: MeanTest | null;
  totals: ExperimentTotals;
};

function findingsOf(declared: ExperimentDeclaration, found: Found): string[] {
  const { conversion, value, share, alpha } = declared;
  const { primary, shadow } = found.totals;
  if (found.mismatch)
    return [
      `The shadow got ${shadow.n} of ${primary.n + shadow.n} units where ${share} % were meant. Chance does not explain that: find out who is missing before believing anything else.`,
    ];
  const texts = [
    found.conversions
      ? differenceText(conversion, percentPoints, found.conversions, alpha)
      : `Nothing can be said of ${conversion}: all or none did it.`,
    found.values
      ? differenceText(value, plainNumber, found.values, alpha)
      : `Nothing can be said of ${value}: too few values, or all of them equal.`,
  ];
  return [...texts, recommendation(found, alpha)];
}

function differenceText(
  what: string,
  text: (value: number) => string,
  { difference, interval, p, effect }: ProportionTest | MeanTest,
  alpha: number,
): string {
  const size = Math.abs(effect) < 0.2 ? 'small' : Math.abs(effect) < 0.5 ? 'moderate' : 'large';
  const figures = `${text(difference)} (${text(interval.low)} … ${text(interval.high)}, p = ${p.toPrecision(2)})`;
  return p < alpha
    ? `${what}: the shadow differs by ${figures}; the effect is ${size}.`
    : `${what}: no difference is shown; seen ${figures}.`;
}

const percentPoints = (difference: number) => `${signed(difference * 100)} points`;
const plainNumber = (difference: number) => signed(difference);
const signed = (value: number) => `${value < 0 ? '−' : '+'}${Number(Math.abs(value).toPrecision(3))}`;

/** More is taken for better: declare what is measured so that it is. */
function recommendation({ conversions, values }: Found, alpha: number): string {
  const shown = [conversions, values].filter((test) => test !== null && test.p < alpha).map((test) => test!.difference);
  if (shown.length === 0)
    return 'Recommendation: these figures are no reason to prefer a side; a real difference is likely within the intervals.';
  if (shown.every((difference) => difference > 0)) return 'Recommendation: the shadow does better; go on.';
  if (shown.every((difference) => difference < 0))
    return 'Recommendation: the shadow does worse; find out why before going on. The gates do not stop for this.';
  return 'Recommendation: the shadow does better in one and worse in the other; weigh which matters.';
}
