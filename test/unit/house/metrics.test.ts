/** What alarms watch is what functions report: figures carry the name of the deployment, which the alarms ask for. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { cloudWatchMetrics } from '../../../lib/adapters/powertools/metrics.ts';
import { ROOT, readSources, withoutComments } from '../../helpers/imports.ts';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** The line of embedded metric format that a function writes. */
function reported(service: string): Record<string, unknown> {
  vi.stubEnv('POWERTOOLS_SERVICE_NAME', service);
  vi.stubEnv('AWS_LAMBDA_FUNCTION_NAME', 'tick');
  const lines: string[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => lines.push(String(text)) > 0);
  const metrics = cloudWatchMetrics();
  metrics.record('Tick', 1);
  metrics.flush();
  return JSON.parse(lines.join(''));
}

const alarmsText = () => readFileSync(join(ROOT, 'infra/alarms.yml'), 'utf8');

/** Figures of ours that alarms ask for and nothing shipped reports: such an alarm never rings. */
function unreported(alarms: string): string[] {
  const code = readSources(['lib', 'functions']).map(({ text }) => withoutComments(text));
  const asked = alarms.split(/^ {2}(?=[A-Z]\w+:\n)/m).flatMap((alarm) => {
    const [, name] = /Namespace: Crossfade\n\s+MetricName: (\w+)$/m.exec(alarm) ?? [];
    return name ?? [];
  });
  expect(asked.length).toBeGreaterThan(10);
  return asked.filter((name) => !code.some((text) => text.includes(`record('${name}',`)));
}

describe('figures of the functions', () => {
  it('carry the name of the deployment as their service', () => {
    expect(reported('crossfade-prod')).toMatchObject({ service: 'crossfade-prod', Tick: 1 });
  });

  it('are reported for each alarm that asks for one, and an alarm without one is noticed', () => {
    expect(unreported(alarmsText())).toEqual([]);
    expect(unreported(alarmsText().replace('MetricName: FlagsInvalid', 'MetricName: FlagsWrong'))).toEqual([
      'FlagsWrong',
    ]);
  });

  it('are asked for by that name in each alarm on them', () => {
    const alarms = alarmsText().split(/^ {2}(?=[A-Z]\w+:\n)/m);
    const ours = alarms.filter((text) => /Namespace: Crossfade$/m.test(text));
    const asked = /\{ Name: service, Value: "\$\{self:custom\.settings\.environment\.POWERTOOLS_SERVICE_NAME\}" \}/;
    expect(ours.length).toBeGreaterThan(10);
    expect(ours.filter((text) => !asked.test(text))).toEqual([]);
  });
});
