/** The figures for a scraper: their text by the rules of OpenMetrics 1.0, what they say of each cutover, and the dashboard that asks for them. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { lookRoutes } from '../../../functions/control-routes/look.ts';
import { type Family, OPEN_METRICS, openMetrics } from '../../../lib/core/report/open-metrics.ts';
import type { AlertList } from '../../../lib/flows/alerts/alerts.ts';
import { METRIC_NAMES, metricFamilies } from '../../../lib/flows/report/metrics.ts';
import {
  completed,
  copying,
  hostile,
  notStarted,
  rolledBack,
  type Scene,
  scene,
  serving,
  unreadable,
} from '../../helpers/dashboard-reports.ts';
import { ROOT } from '../../helpers/imports.ts';

type Read = { name: string; type: string; help: string; samples: { labels: Record<string, string>; value: number }[] };

const NAME = '[a-zA-Z_][a-zA-Z0-9_]*';
const TEXT = String.raw`(?:[^"\\\n]|\\["\\n])*`;
const HEAD = new RegExp(`^# TYPE (${NAME}) (gauge|stateset)\n(?:# UNIT \\1 ([a-z]+)\n)?# HELP \\1 (${TEXT})\n`);
const SAMPLE = new RegExp(
  `^(${NAME})(?:\\{(${NAME}="${TEXT}"(?:,${NAME}="${TEXT}")*)\\})? (-?[0-9.]+(?:e[+-]?[0-9]+)?|[+-]Inf|NaN)\n`,
);
const LABEL = new RegExp(`(${NAME})="(${TEXT})"`, 'g');

const unescaped = (text: string) => text.replaceAll(/\\(.)/g, (_, one: string) => (one === 'n' ? '\n' : one));

/** What a scraper makes of it. @throws Error where it breaks a rule */
function parse(text: string): Read[] {
  const families: Read[] = [];
  let rest = text;
  while (rest !== '# EOF\n') {
    const head = HEAD.exec(rest);
    if (!head) throw new Error(`no family: ${rest.slice(0, 80)}`);
    const [whole, name, type, unit, help] = head as unknown as [string, string, string, string?, string?];
    if (unit && !name.endsWith(`_${unit}`)) throw new Error(`${name} does not end with ${unit}`);
    if (families.some((one) => one.name === name)) throw new Error(`${name} comes twice`);
    rest = rest.slice(whole.length);
    const family: Read = { name, type, help: unescaped(help!), samples: [] };
    for (let found = SAMPLE.exec(rest); found; found = SAMPLE.exec(rest)) {
      const [line, of, pairs = '', value] = found as unknown as [string, string, string?, string?];
      if (of !== name) throw new Error(`${of} among ${name}`);
      const labels = Object.fromEntries(
        [...pairs.matchAll(LABEL)].map(([, label, said]) => [label!, unescaped(said!)]),
      );
      if (family.samples.some((one) => JSON.stringify(one.labels) === JSON.stringify(labels)))
        throw new Error(`${line} comes twice`);
      if (type === 'stateset' && !(name in labels && /^[01]$/.test(value!))) throw new Error(`${line} is no state`);
      family.samples.push({ labels, value: Number(value!.replace('Inf', 'Infinity')) });
      rest = rest.slice(line.length);
    }
    if (family.samples.length === 0) throw new Error(`${name} has no sample`);
    families.push(family);
  }
  return families;
}

const ALERTS = [
  { status: 'firing', severity: 'critical' },
  { status: 'firing', severity: 'critical' },
  { status: 'pending', severity: 'warning' },
] as unknown as AlertList['alerts'];

let shown: Scene;
let families: Read[];
beforeAll(async () => {
  shown = await scene([serving, copying, completed, rolledBack, notStarted, unreadable, hostile]);
  families = parse(openMetrics(metricFamilies(shown.report, { alerts: ALERTS })));
});
const figureOf = (name: string, labels: Record<string, string>) =>
  families
    .find((one) => one.name === name)
    ?.samples.find((one) => Object.entries(labels).every(([key, value]) => one.labels[key] === value))?.value;

describe('the text', () => {
  it('says what was given, whatever labels and help hold', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '"', '\\', '\n', 'n', 'ü', '{', '}', ',', '=') });
    const value = fc.oneof(
      fc.double({ noNaN: true }).filter((one) => !Object.is(one, -0)),
      fc.integer(),
    );
    fc.assert(
      fc.property(text, text, value, (help, label, one) => {
        const family: Family = {
          name: 'a',
          type: 'gauge',
          help,
          samples: [{ labels: { x: label, y: '' }, value: one }],
        };
        expect(parse(openMetrics([family]))).toEqual([family]);
      }),
      { seed: 11, numRuns: 200 },
    );
  });

  it('leaves out a family of which there is nothing', () => {
    expect(openMetrics([{ name: 'a', type: 'gauge', help: '', samples: [] }])).toBe('# EOF\n');
  });

  it.each([
    ['no end', '# TYPE a gauge\n# HELP a x\na 1\n'],
    ['a unit that the name has not', '# TYPE a gauge\n# UNIT a seconds\n# HELP a x\na 1\n# EOF\n'],
    ['a family twice', '# TYPE a gauge\n# HELP a x\na 1\n# TYPE a gauge\n# HELP a x\na{b="c"} 1\n# EOF\n'],
    ['a sample twice', '# TYPE a gauge\n# HELP a x\na 1\na 2\n# EOF\n'],
    ['a quote in a label', '# TYPE a gauge\n# HELP a x\na{b="c"d"} 1\n# EOF\n'],
    ['a state of 2', '# TYPE a stateset\n# HELP a x\na{a="b"} 2\n# EOF\n'],
  ])('with %s would be noticed', (_, text) => {
    expect(() => parse(text)).toThrow();
  });
});

describe('the figures', () => {
  it('are those of the report', () => {
    for (const one of shown.report.cutovers) {
      expect(figureOf('crossfade_cutover_health', { cutover: one.id, crossfade_cutover_health: one.health })).toBe(1);
      if (!('stage' in one)) continue;
      const { shadow } = one.verdict.evidence;
      expect(figureOf('crossfade_cutover_share_ratio', { cutover: one.id })).toBe(one.sharePpm / 1_000_000);
      expect(figureOf('crossfade_table_lag_seconds', { cutover: one.id })).toBe(
        one.table ? one.table.lagMs / 1_000 : undefined,
      );
      expect(figureOf('crossfade_side_operations', { cutover: one.id, side: 'shadow' })).toBe(shadow.count);
      expect(figureOf('crossfade_side_latency_p95_seconds', { cutover: one.id, side: 'shadow' })).toBe(
        shadow.count === 0 || shadow.p95Ms === null ? undefined : shadow.p95Ms / 1_000,
      );
    }
    expect(figureOf('crossfade_alerts_firing', { severity: 'critical' })).toBe(2);
    expect(figureOf('crossfade_alerts_firing', { severity: 'warning' })).toBe(0);
    expect(figureOf('crossfade_emergency_stop', {})).toBe(0);
  });

  it('of each set of states have one that is', () => {
    const sets = families.filter(({ type }) => type === 'stateset');
    expect(sets).toHaveLength(2);
    for (const { name, samples } of sets) {
      const ids = new Set(samples.map(({ labels }) => labels.cutover));
      const states = [...ids].map((id) => samples.filter(({ labels, value }) => labels.cutover === id && value === 1));
      expect([name, states.map((is) => is.length)]).toEqual([name, states.map(() => 1)]);
    }
  });

  it('have the names that are said, and no other', () => {
    expect(families.map(({ name }) => name).filter((name) => !METRIC_NAMES.includes(name))).toEqual([]);
    expect(METRIC_NAMES.filter((name) => !families.some((one) => one.name === name))).toEqual([]);
    expect(METRIC_NAMES.filter((name) => !/^crossfade_[a-z0-9_]+$/.test(name))).toEqual([]);
  });
});

describe('the dashboard of Grafana', () => {
  const text = readFileSync(join(ROOT, 'infra/grafana.json'), 'utf8');
  type Panel = { id: number; targets: { expr: string; legendFormat: string }[] };
  const { panels } = JSON.parse(text) as { panels: Panel[] };
  const asked = (of: string) => [...of.matchAll(/crossfade_\w+/g)].map(([name]) => name);

  it('asks for figures that there are, and for all of them', () => {
    const names = new Set(asked(text));
    expect([...names].filter((name) => !METRIC_NAMES.includes(name))).toEqual([]);
    expect(METRIC_NAMES.filter((name) => !names.has(name))).toEqual([]);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  });

  it('shows labels that its figures have', () => {
    const wrong = panels
      .flatMap(({ targets }) => targets)
      .flatMap(({ expr, legendFormat }) => {
        const labels = families.find(({ name }) => name === asked(expr)[0])!.samples[0]!.labels;
        const shownLabels = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g), ...expr.matchAll(/\{(\w+)=~/g)];
        return shownLabels.filter(([, label]) => !(label! in labels)).map(([, label]) => `${expr}: ${label}`);
      });
    expect(wrong).toEqual([]);
  });
});

describe('the collector of OpenTelemetry', () => {
  type Parts = Record<string, unknown>;
  type Config = {
    receivers: { prometheus: { config: { scrape_configs: Scrape[] } } };
    processors: Parts;
    exporters: Parts;
    service: { pipelines: Record<string, Record<'receivers' | 'processors' | 'exporters', string[]>> };
  };
  type Scrape = { metrics_path: string; scheme: string; scrape_timeout: string; oauth2: { scopes: string[] } };
  const text = readFileSync(join(ROOT, 'infra/otel-collector.yml'), 'utf8');
  const config = parseYaml(text) as Config;
  const scrape = config.receivers.prometheus.config.scrape_configs[0]!;

  it('asks a route that there is, with the scope that it wants, by TLS, and for as long as it may take', () => {
    const route = lookRoutes.find(({ method, path }) => method === 'GET' && path === scrape.metrics_path);
    expect(route?.scope).toBe(scrape.oauth2.scopes.join(' '));
    expect(route?.answers).toEqual({ 200: [OPEN_METRICS.split(';')[0]] });
    expect([scrape.scheme, scrape.scrape_timeout]).toEqual(['https', '20s']);
  });

  it('uses each part that it names, and no other', () => {
    for (const [kind, used] of Object.entries(config.service.pipelines.metrics!))
      expect(Object.keys(config[kind as 'receivers' | 'processors' | 'exporters'])).toEqual(used);
  });

  it('names each variable that it reads, and holds no secret', () => {
    const read = [...text.matchAll(/\$\{env:(\w+)\}/g)].map(([, name]) => name);
    const named = [...text.matchAll(/^# {3}(\w+) /gm)].map(([, name]) => name);
    expect([...new Set(read)].sort()).toEqual([...named].sort());
    expect(text).not.toMatch(/secret: (?!\$\{env:)/);
  });
});
