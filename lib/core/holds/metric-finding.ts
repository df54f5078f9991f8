/**
 * A metric of the application against its limit, over the minutes since the stage was entered. Within the limit it passes. Beyond the
 * limit it fails only on proof, and otherwise nothing is known yet. The noise of a mean is taken from its operations, and is larger
 * where the minutes scatter more than that explains: operations of one minute, or of one user, are not independent. Pure.
 */

import { percent } from '../conditions/figures.ts';
import type { Finding, MetricLimit, MetricRule, MetricSum } from '../cutover/criterion.ts';
import type { Side } from '../cutover/cutover.ts';

type MetricCriterion = MetricRule & ({ value: string } | { flag: string });

/** One-sided chance of 1 in 10,000 that a metric which is on its limit seems to be so far beyond it. A look a minute needs that. */
const PROVEN_Z = 3.72;

type Figure = { n: number; mean: number; error: number };

/** The names under which a criterion's metric is recorded. */
export const metricsOf = (criterion: { value: string } | { flag: string }): readonly string[] =>
  'value' in criterion ? [`value.${criterion.value}`] : [`flag.${criterion.flag}`, 'flags'];

export function metricFinding(criterion: MetricCriterion, sums: readonly MetricSum[]): Finding {
  const isFlag = 'flag' in criterion;
  const name = isFlag ? criterion.flag : criterion.value;
  const text = (value: number) => (isFlag ? percent(value) : String(Number(value.toPrecision(4))));
  const { shadow, primary } = {
    shadow: figureOf(criterion, sums, 'shadow'),
    primary: figureOf(criterion, sums, 'primary'),
  };
  const wanted = (criterion.atLeast ?? criterion.atMost)!;
  const needed = typeof wanted === 'number' ? [shadow] : [shadow, primary];
  const few = needed.find(({ n }) => n < criterion.minSamples);
  if (few) {
    const of = few === shadow ? 'shadow' : 'primary';
    const says = `Only ${few.n} operations of the ${of} in ${criterion.windowMinutes} minutes came with ${isFlag ? 'flags' : `'${name}'`}; ${criterion.minSamples} are needed.`;
    return { answer: 'unclear', seen: null, says };
  }
  const { limit, limitError, limitText } = limitOf(wanted, primary, text);
  const beyond = criterion.atLeast === undefined ? shadow.mean - limit : limit - shadow.mean;
  const error = Math.sqrt(shadow.error ** 2 + limitError ** 2);
  const bound = criterion.atLeast === undefined ? 'at most' : 'at least';
  const seen = Number(shadow.mean.toPrecision(4));
  const found = isFlag
    ? `${text(shadow.mean)} of the shadow's operations are marked '${name}'`
    : `'${name}' of the shadow is ${text(shadow.mean)} on average`;
  const says = `${found} (${shadow.n} operations); ${bound} ${limitText} is wanted.`;
  if (beyond <= 0) return { answer: 'passes', seen, says };
  if (beyond >= PROVEN_Z * error) return { answer: 'fails', seen, says };
  return {
    answer: 'unclear',
    seen,
    says: `${says} That is within the noise of ± ${text(PROVEN_Z * error)}, so nothing is proven.`,
  };
}

function limitOf(wanted: MetricLimit, primary: Figure, text: (value: number) => string) {
  if (typeof wanted === 'number') return { limit: wanted, limitError: 0, limitText: text(wanted) };
  const { ofPrimary } = wanted;
  const limit = ofPrimary * primary.mean;
  const limitText = `${text(limit)}, ${percent(ofPrimary)} of the primary's ${text(primary.mean)},`;
  return { limit, limitError: ofPrimary * primary.error, limitText };
}

type Sums = { n: number; sum: number; squares: number };

function figureOf(criterion: MetricCriterion, sums: readonly MetricSum[], side: Side): Figure {
  const minutes = new Map<number, Sums>();
  const at = (minute: number): Sums => {
    const known = minutes.get(minute) ?? { n: 0, sum: 0, squares: 0 };
    minutes.set(minute, known);
    return known;
  };
  for (const one of sums.filter((sum) => sum.side === side)) {
    const total = at(one.minute);
    if ('value' in criterion && one.metric === `value.${criterion.value}`) {
      total.n += one.n;
      total.sum += one.sum;
      total.squares += one.squares;
    }
    if ('flag' in criterion && one.metric === 'flags') total.n += one.n;
    if ('flag' in criterion && one.metric === `flag.${criterion.flag}`) total.sum += one.n;
  }
  const filled = [...minutes.values()].filter(({ n }) => n > 0);
  const n = filled.reduce((total, one) => total + one.n, 0);
  const sum = filled.reduce((total, one) => total + one.sum, 0);
  const mean = 'flag' in criterion ? Math.min(1, sum / n) : sum / n;
  const variance = 'flag' in criterion ? shareVariance(sum, n) : valueVariance(filled, n, mean);
  return { n, mean, error: Math.sqrt((variance * scatter(filled, mean, variance)) / n) };
}

/** Not zero for a share of 0 or 1: so many operations do not prove that there never is another. */
function shareVariance(sum: number, n: number): number {
  const share = (Math.min(sum, n) + 1) / (n + 2);
  return share * (1 - share);
}

function valueVariance(minutes: readonly Sums[], n: number, mean: number): number {
  const squares = minutes.reduce((total, one) => total + one.squares, 0);
  return n < 2 ? 0 : Math.max(0, (squares - n * mean * mean) / (n - 1));
}

/** How many times as much the means of the minutes scatter as independent operations would; at least once. */
function scatter(minutes: readonly Sums[], mean: number, variance: number): number {
  if (minutes.length < 2 || variance === 0) return 1;
  const between = minutes.reduce((total, { n, sum }) => total + n * (sum / n - mean) ** 2, 0);
  return Math.max(1, between / ((minutes.length - 1) * variance));
}
