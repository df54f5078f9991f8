/** What alarms watch is what functions report: figures carry the name of the deployment, which the alarms ask for. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { cloudWatchMetrics } from '../../../lib/adapters/powertools/metrics.ts';
import { ROOT } from '../../helpers/imports.ts';

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

describe('figures of the functions', () => {
  it('carry the name of the deployment as their service', () => {
    expect(reported('crossfade-prod')).toMatchObject({ service: 'crossfade-prod', Tick: 1 });
  });

  it('are asked for by that name in each alarm on them', () => {
    const alarms = readFileSync(join(ROOT, 'infra/alarms.yml'), 'utf8').split(/^ {2}(?=[A-Z]\w+:\n)/m);
    const ours = alarms.filter((text) => /Namespace: Crossfade$/m.test(text));
    const asked = /\{ Name: service, Value: "\$\{self:custom\.settings\.environment\.POWERTOOLS_SERVICE_NAME\}" \}/;
    expect(ours.length).toBeGreaterThan(10);
    expect(ours.filter((text) => !asked.test(text))).toEqual([]);
  });
});
