/** An experiment as text: how many of how many, or its figures with their intervals. Pure. */

import type { CohortReport } from '../core/report/experiment.ts';
import type { Interval } from '../core/report/inference.ts';
import type { ExperimentView } from '../flows/report/experiments.ts';
import { count, field, MAX_WIDTH, type Paint, percent, plain, printable, wrap } from './text.ts';

export function renderExperiment(view: ExperimentView, width = MAX_WIDTH, paint: Paint = plain): string {
  const head = `${paint('bold', printable(view.experiment))}  ${count(view.n)} of ${count(view.size)} units, ${view.share} % on the shadow`;
  if (view.state === 'collecting')
    return `${head}\n  It is read once it has its size; looking earlier would find differences where there are none.`;
  const { cohorts, conversions, values, sampleRatio, alpha } = view;
  const line = (label: string, text: string) => field(label, printable(text), width, 16);
  return [
    head,
    ...(['primary', 'shadow'] as const).flatMap((side) => line(side, cohortText(cohorts[side], view.conversion))),
    ...(conversions
      ? line(
          'conversion',
          `z ${figure(conversions.z)}, p ${figure(conversions.p)}; chi-square ${figure(conversions.chiSquare)}; Cohen's h ${figure(conversions.effect)}`,
        )
      : []),
    ...(values
      ? line(
          'value',
          `means ${figure(values.means[0])} and ${figure(values.means[1])}; Welch t ${figure(values.t)} with ${figure(values.df)} degrees of freedom, p ${figure(values.p)}; Cohen's d ${figure(values.effect)}`,
        )
      : []),
    ...(sampleRatio ? line('split', `chi-square ${figure(sampleRatio.chiSquare)}, p ${figure(sampleRatio.p)}`) : []),
    ...line('level', `intervals ${percent(1 - alpha)}, differences at p < ${alpha}`),
    '',
    ...view.findings.flatMap((text) => wrap(printable(text), width)),
  ].join('\n');
}

function cohortText(cohort: CohortReport, conversion: string): string {
  const { n, conversions, rate, wilson, exact } = cohort;
  return `${count(n)} units, ${count(conversions)} ${conversion}: ${percent(rate)} (Wilson ${range(wilson)}, exact ${range(exact)})`;
}

const range = (interval: Interval | null) => (interval ? `${percent(interval.low)} … ${percent(interval.high)}` : '–');
const figure = (value: number) => String(Number(value.toPrecision(4)));
