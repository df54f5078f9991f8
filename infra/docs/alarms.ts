/** Alarms of the deployment, from infra/alarms.yml: when each rings, and its page. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { code, table } from './markdown.ts';

export type Alarm = { name: string; says: string; page: string; rings: string };

/** Fields of one resource; the file has one line for each that is asked for. */
const field = (text: string, name: string) => new RegExp(`^ +${name}: (.*)$`, 'm').exec(text)?.[1] ?? null;

export function alarmsOf(yaml: string): Alarm[] {
  const resources = yaml.split(/^ {2}(?=[A-Z]\w+:\n)/m);
  return resources.flatMap((text): Alarm[] => {
    const found = /Description: "(.*) Runbook: \$\{[^}]+\}\/(\S+)"/.exec(text);
    if (!found) return [];
    const name = (field(text, 'AlarmName') ?? field(text, 'Name') ?? '').replace(/^crossfade-\$\{sls:stage\}-/, '');
    return [{ name, says: found[1]!, page: found[2]!, rings: ringsOf(text) }];
  });
}

const SIGNS: Readonly<Record<string, string>> = {
  GreaterThanThreshold: '>',
  GreaterThanOrEqualToThreshold: '≥',
  LessThanThreshold: '<',
};

function ringsOf(text: string): string {
  const comparison = field(text, 'ComparisonOperator');
  if (comparison === null) return 'at once';
  const minutes = (Number(field(text, 'Period')) * Number(field(text, 'EvaluationPeriods'))) / 60;
  const metric = field(text, 'Expression') ?? field(text, 'MetricName');
  return `${code(metric!.replace(/\$\{self:custom\.settings\.(\w+)\}/, '$1'))} ${SIGNS[comparison]} ${field(text, 'Threshold')} for ${minutes} min`;
}

export function alarmTable(root: string): string {
  const alarms = alarmsOf(readFileSync(join(root, 'infra/alarms.yml'), 'utf8'));
  return table(
    ['alarm', 'what it says', 'rings'],
    alarms.map(({ name, says, page, rings }) => [`[${name}](${page})`, says, rings]),
  );
}
