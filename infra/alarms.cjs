/**
 * Makes the alarms of infra/metrics.json, which the functions take their metrics from, too. Every alarm speaks to the topic
 * `Alerts`, and its description names the severity and the page in infra/runbooks.
 *
 * A row of the table: `metric` is one of ours, unless `namespace` names one of AWS. `each` makes one alarm for each function, with
 * `{function}` in its texts. `missing` says what a period without a value counts as; by default it is `notBreaching`.
 */

const { namespace: OURS, dimension, alarms } = require('./metrics.json');

const COMPARISONS = {
  '>': 'GreaterThanThreshold',
  '>=': 'GreaterThanOrEqualToThreshold',
  '<': 'LessThanThreshold',
};
const OWN_DIMENSIONS = { [dimension]: `\${self:custom.settings.environment.POWERTOOLS_SERVICE_NAME}` };

const entries = Object.entries(alarms).flatMap(([name, { each, ...row }]) =>
  each ? each.map((of) => [`${name}-${of}`, ofFunction(row, of)]) : [[name, row]],
);

function ofFunction(row, name) {
  const suffix = name.replaceAll(/(?:^|-)(\w)/g, (_, letter) => letter.toUpperCase());
  const filled = JSON.parse(JSON.stringify(row).replaceAll('{function}', name));
  return { ...filled, resource: `${row.resource}${suffix}` };
}

function alarmOf(name, row) {
  const {
    severity,
    says,
    condition,
    periods,
    comparison,
    threshold,
    missing = 'notBreaching',
    page = `${name}.md`,
  } = row;
  return {
    Type: 'AWS::CloudWatch::Alarm',
    ...(condition ? { Condition: condition } : {}),
    Properties: {
      AlarmName: `crossfade-\${sls:stage}-${name}`,
      AlarmDescription: `${says} Severity: ${severity}. Runbook: \${self:custom.settings.runbookUrl}/${page}`,
      ...whatIsWatched(row),
      EvaluationPeriods: periods,
      Threshold: threshold,
      ComparisonOperator: COMPARISONS[comparison],
      TreatMissingData: missing,
      AlarmActions: [{ Ref: 'Alerts' }],
      OKActions: [{ Ref: 'Alerts' }],
    },
  };
}

function whatIsWatched({
  namespace = OURS,
  metric,
  dimensions = OWN_DIMENSIONS,
  statistic,
  periodSeconds = 60,
  ...row
}) {
  const Metric = {
    Namespace: namespace,
    MetricName: metric,
    Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value })),
  };
  if (!row.expression) return { ...Metric, Statistic: statistic, Period: periodSeconds };
  return {
    Metrics: [
      { Id: 'result', Expression: row.expression, Label: row.says },
      { Id: 'value', ReturnData: false, MetricStat: { Metric, Stat: statistic, Period: periodSeconds } },
    ],
  };
}

module.exports = {
  Resources: Object.fromEntries(entries.map(([name, row]) => [row.resource, alarmOf(name, row)])),
};
