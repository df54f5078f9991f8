/**
 * Figures as text of OpenMetrics 1.0, which Prometheus and the collector of OpenTelemetry scrape. All are gauges, and sets of states:
 * what is at this moment. Pure.
 */

export type Sample = { labels: Readonly<Record<string, string>>; value: number };

export type Family = {
  /** Letters, digits and underlines; it ends with its unit. */
  name: string;
  type: 'gauge' | 'stateset';
  unit?: 'seconds' | 'ratio';
  help: string;
  samples: readonly Sample[];
};

export const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** A family without samples is left out: there is nothing of it now. */
export function openMetrics(families: readonly Family[]): string {
  const lines = families.filter(({ samples }) => samples.length > 0).flatMap(linesOf);
  return [...lines, '# EOF', ''].join('\n');
}

function linesOf({ name, type, unit, help, samples }: Family): string[] {
  return [
    `# TYPE ${name} ${type}`,
    ...(unit ? [`# UNIT ${name} ${unit}`] : []),
    `# HELP ${name} ${escaped(help)}`,
    ...samples.map(({ labels, value }) => `${name}${labelText(labels)} ${numberText(value)}`),
  ];
}

function labelText(labels: Sample['labels']): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const escaped = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

/** `Infinity` is `+Inf` there. */
const numberText = (value: number) =>
  Number.isFinite(value) || Number.isNaN(value) ? String(value) : value > 0 ? '+Inf' : '-Inf';

/** One state of several is 1, the others 0; the label is called like the family. */
export const stateSamples = (
  name: string,
  states: readonly string[],
  { labels, is }: { labels: Sample['labels']; is: string },
): Sample[] => states.map((state) => ({ labels: { ...labels, [name]: state }, value: state === is ? 1 : 0 }));
