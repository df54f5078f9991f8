/** Metrics and alarms of the deployment, from infra/metrics.json: what is reported, when each alarm rings, and its page. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { code, table } from './markdown.ts';

type Alarm = { name: string; says: string; severity: string; page: string; rings: string };

type Properties = {
  AlarmName: string;
  AlarmDescription: string;
  MetricName?: string;
  Period?: number;
  Metrics?: [{ Expression: string }, { MetricStat: { Period: number } }];
  EvaluationPeriods: number;
  Threshold: number;
  ComparisonOperator: string;
};

const SIGNS: Readonly<Record<string, string>> = {
  GreaterThanThreshold: '>',
  GreaterThanOrEqualToThreshold: '≥',
  LessThanThreshold: '<',
};

/** As infra/alarms.cjs makes them of the table; the use of the break-glass role is a rule of its own. */
export function alarmsOf(root: string): Alarm[] {
  const made = createRequire(join(root, 'infra/docs.mjs'))('./alarms.cjs') as {
    Resources: Readonly<Record<string, { Properties: Properties }>>;
  };
  const rule = /Name: \S+-(break-glass)\n\s+Description: "(.*)"/.exec(
    readFileSync(join(root, 'infra/alarms.yml'), 'utf8'),
  )!;
  return [
    ...Object.values(made.Resources).map(({ Properties }) => ({
      ...described(Properties.AlarmDescription),
      name: Properties.AlarmName.replace(/^crossfade-\$\{sls:stage\}-/, ''),
      rings: ringsOf(Properties),
    })),
    { ...described(rule[2]!), name: rule[1]!, rings: 'at once' },
  ];
}

function described(description: string): Pick<Alarm, 'says' | 'severity' | 'page'> {
  const [, says, severity, page] = /^(.*) Severity: (\w+)\. Runbook: \$\{[^}]+\}\/(\S+)$/.exec(description)!;
  return { says: says!, severity: severity!, page: page! };
}

function ringsOf({ Metrics: metrics, MetricName: metric, Period: period, ...alarm }: Properties): string {
  const watched = metrics?.[0].Expression.replaceAll(/\$\{self:custom\.settings\.(\w+)\}/g, '$1') ?? metric!;
  const minutes = ((metrics?.[1].MetricStat.Period ?? period!) * alarm.EvaluationPeriods) / 60;
  return `${code(watched)} ${SIGNS[alarm.ComparisonOperator]} ${alarm.Threshold} for ${minutes} min`;
}

export function alarmTable(root: string): string {
  return table(
    ['alarm', 'severity', 'what it says', 'rings'],
    alarmsOf(root).map(({ name, says, severity, page, rings }) => [`[${name}](${page})`, severity, says, rings]),
  );
}

export function metricTable(root: string): string {
  const { metrics } = JSON.parse(readFileSync(join(root, 'infra/metrics.json'), 'utf8')) as {
    metrics: Readonly<Record<string, { unit: string; functions: readonly string[]; says: string }>>;
  };
  return table(
    ['metric', 'unit', 'what it is', 'from'],
    Object.entries(metrics).map(([name, { unit, functions, says }]) => [code(name), unit, says, functions.join(', ')]),
  );
}
