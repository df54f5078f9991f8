/** One table of metrics and alarms: what alarms and the dashboard ask for is what functions report. See also test/e2e/alarms.test.ts. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import TABLE from '../../../infra/metrics.json' with { type: 'json' };
import { cloudWatchMetrics } from '../../../lib/adapters/powertools/metrics.ts';
import { ROOT, readSources, withoutComments } from '../../helpers/imports.ts';
import { FUNCTIONS } from '../../helpers/packaged-template.ts';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** The lines that a function writes. */
function reported(service: string, disabled = false): string {
  vi.stubEnv('POWERTOOLS_SERVICE_NAME', service);
  vi.stubEnv('POWERTOOLS_METRICS_DISABLED', String(disabled));
  const lines: string[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => lines.push(String(text)) > 0);
  const metrics = cloudWatchMetrics();
  metrics.record('Tick', 1);
  metrics.flush();
  metrics.flush();
  return lines.join('');
}

const NAMES = Object.keys(TABLE.metrics);

/** Metrics that nothing shipped records. */
function unreported(names: readonly string[]): string[] {
  const code = readSources(['lib', 'functions']).map(({ text }) => withoutComments(text));
  return names.filter((name) => !code.some((text) => text.includes(`record('${name}',`)));
}

type Row = { metric: string; namespace?: string; says: string; severity: string };
/** Alarms that ask for a metric of ours that the table does not have. */
const unknown = (alarms: Readonly<Record<string, Row>>) =>
  Object.values(alarms).flatMap(({ namespace, metric }) => (namespace || NAMES.includes(metric) ? [] : [metric]));

/** Metrics of ours that the dashboard shows and the table does not have. */
const shown = (dashboard: string) =>
  [...dashboard.matchAll(/\["Crossfade", "(\w+)", "service"/g)].map(([, name]) => name!);

describe('metrics', () => {
  it('carry the name of the deployment as their service, and are written once', () => {
    const line = reported('crossfade-prod');
    expect(line.trim().split('\n')).toHaveLength(1);
    expect(JSON.parse(line)).toMatchObject({ service: 'crossfade-prod', Tick: 1 });
  });

  it('are not written where no alarm watches', () => {
    expect(reported('crossfade-local', true)).toBe('');
  });

  it('are each recorded somewhere, and one that is not is noticed', () => {
    expect(unreported(NAMES)).toEqual([]);
    expect(unreported(['FlagsWrong'])).toEqual(['FlagsWrong']);
  });

  it('name functions that exist', () => {
    const named = Object.values(TABLE.metrics).flatMap(({ functions }) => functions);
    expect(named.filter((name) => !FUNCTIONS.some((one) => one === name))).toEqual([]);
  });
});

describe('alarms', () => {
  const alarms: Readonly<Record<string, Row>> = TABLE.alarms;

  it('watch metrics that are in the table, and one that does not is noticed', () => {
    expect(unknown(alarms)).toEqual([]);
    expect(unknown({ ...alarms, x: { ...alarms['no-tick']!, metric: 'FlagsWrong' } })).toEqual(['FlagsWrong']);
  });

  it('are each of one of two severities, and say something', () => {
    expect(Object.values(alarms).filter(({ severity }) => !['page', 'ticket'].includes(severity))).toEqual([]);
    expect(Object.values(alarms).filter(({ says }) => !says.endsWith('.'))).toEqual([]);
  });
});

describe('the dashboard', () => {
  it('shows metrics that are in the table', () => {
    const names = shown(readFileSync(join(ROOT, 'infra/dashboard.yml'), 'utf8'));
    expect(names.length).toBeGreaterThan(6);
    expect(names.filter((name) => !NAMES.includes(name))).toEqual([]);
  });
});
