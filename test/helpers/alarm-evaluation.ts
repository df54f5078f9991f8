/**
 * What CloudWatch makes of log lines and alarms: figures of the embedded metric format, and whether an alarm of the packaged
 * template rings when a fault lasts. Periods are evaluated as its documentation says: every one of the last `EvaluationPeriods`
 * must breach, and a period without a value counts as `TreatMissingData` says.
 */

/** Figures of one minute, each minute the same. Dimensions as the template has them: `{ Ref }` stands for what it names. */
export type Figure = {
  namespace: string;
  metric: string;
  unit?: string;
  dimensions: Readonly<Record<string, unknown>>;
  values: readonly number[];
};

type Metric = { Namespace: string; MetricName: string; Dimensions: readonly { Name: string; Value: unknown }[] };

export type AlarmProperties = Metric & {
  Statistic: string;
  Period: number;
  Metrics?: readonly [{ Expression: string }, { MetricStat: { Metric: Metric; Stat: string; Period: number } }];
  EvaluationPeriods: number;
  Threshold: number;
  ComparisonOperator: string;
  TreatMissingData: string;
};

/** @param lines standard output of functions; those that are no embedded metrics are passed over */
export function figuresOf(lines: string): Figure[] {
  return lines.split('\n').flatMap((line) => {
    if (!line.includes('"_aws"')) return [];
    const written = JSON.parse(line);
    return written._aws.CloudWatchMetrics.flatMap(
      (directive: { Namespace: string; Dimensions: string[][]; Metrics: { Name: string; Unit: string }[] }) =>
        directive.Metrics.map(({ Name, Unit }) => ({
          namespace: directive.Namespace,
          metric: Name,
          unit: Unit,
          dimensions: Object.fromEntries(directive.Dimensions[0]!.map((name) => [name, written[name]])),
          values: [written[Name]].flat(),
        })),
    );
  });
}

const STATISTICS: Readonly<Record<string, (values: readonly number[]) => number>> = {
  Maximum: (values) => Math.max(...values),
  Sum: (values) => values.reduce((sum, value) => sum + value, 0),
};

const COMPARISONS: Readonly<Record<string, (value: number, threshold: number) => boolean>> = {
  GreaterThanThreshold: (value, threshold) => value > threshold,
  GreaterThanOrEqualToThreshold: (value, threshold) => value >= threshold,
  LessThanThreshold: (value, threshold) => value < threshold,
};

/** @param minutes the figures of each minute, the newest last */
export function rings(alarm: AlarmProperties, minutes: readonly (readonly Figure[])[]): boolean {
  const { metric, statistic, periodMinutes, transform } = watched(alarm);
  return Array.from({ length: alarm.EvaluationPeriods }, (_, back) => {
    const end = minutes.length - back * periodMinutes;
    const values = minutes
      .slice(Math.max(0, end - periodMinutes), Math.max(0, end))
      .flat()
      .filter((figure) => isOf(metric, figure))
      .flatMap(({ values }) => values);
    if (values.length === 0) return alarm.TreatMissingData === 'breaching';
    return COMPARISONS[alarm.ComparisonOperator]!(transform(STATISTICS[statistic]!(values)), alarm.Threshold);
  }).every(Boolean);
}

function watched(alarm: AlarmProperties) {
  if (!alarm.Metrics) {
    return {
      metric: alarm as Metric,
      statistic: alarm.Statistic,
      periodMinutes: alarm.Period / 60,
      transform: (value: number) => value,
    };
  }
  const [{ Expression }, { MetricStat }] = alarm.Metrics;
  const [, factor, divisor] = /^(\d+) \* value \/ (\d+)$/.exec(Expression) ?? [];
  if (!factor) throw new Error(`The expression '${Expression}' is none of those that are understood here.`);
  return {
    metric: MetricStat.Metric,
    statistic: MetricStat.Stat,
    periodMinutes: MetricStat.Period / 60,
    transform: (value: number) => (Number(factor) * value) / Number(divisor),
  };
}

/** CloudWatch takes every combination of dimensions for a metric of its own. */
function isOf(metric: Metric, figure: Figure): boolean {
  const asked = Object.fromEntries(metric.Dimensions.map(({ Name, Value }) => [Name, Value]));
  return (
    metric.Namespace === figure.namespace &&
    metric.MetricName === figure.metric &&
    JSON.stringify(asked) === JSON.stringify(figure.dimensions)
  );
}
