/** The report over some hours as text: status in a line, then a table per cutover, operation and side. Pure. */

import { duration } from '../core/conditions/figures.ts';
import { unreadableText } from '../core/look/health.ts';
import type { Performance, SidePerformance } from '../core/report/performance.ts';
import type { FullReport } from '../flows/report/performance.ts';
import { standing } from './render.ts';
import { count, cut, field, MAX_WIDTH, type Paint, pad, percent, plain, printable, scoreText } from './text.ts';

export function renderReport(report: FullReport, only: string | null, width = MAX_WIDTH, paint: Paint = plain): string {
  const blocks = report.cutovers
    .filter(({ id }) => only === null || id === only)
    .map((cutover) => {
      const head = paint('bold', printable(cutover.id));
      if ('why' in cutover) return `${head}  ${unreadableText}: ${printable(cutover.why)}`;
      const score = cutover.validationScore === null ? 'not measured' : scoreText(cutover.validationScore);
      return [
        `${head}  ${standing(cutover)} · validation ${score}`,
        ...field('next', printable(cutover.next.text), width),
        ...field('recommended', printable(cutover.recommendation), width),
        ...performanceLines(report.performance[cutover.id], width),
      ].join('\n');
    });
  const firing = report.alerts.alerts.filter(({ status }) => status === 'firing').map(({ id }) => id);
  const alerts = firing.length > 0 ? `Alerts that fire: ${printable(firing.join(', '))}` : 'No alert fires.';
  return [`The last ${report.hours} h. ${alerts}`, ...blocks].join('\n\n');
}

function performanceLines(performance: Performance | undefined, width: number): string[] {
  if (!performance) return [];
  const rows = [{ operation: 'all', ...performance.all }, ...performance.operations];
  const seen = rows.filter(({ primary, shadow }) => primary.count + shadow.count + primary.checks + shadow.checks > 0);
  if (seen.length === 0) return ['  Nothing was recorded.'];
  const head = `  ${pad('operation', 20)}${pad('side', 9)}${['count', 'errors', 'p50', 'p95', 'p99', 'differ'].map((name) => name.padStart(11)).join('')}`;
  const lines = seen.flatMap(({ operation, ...sides }) =>
    (['primary', 'shadow'] as const).map((side, index) => line(index === 0 ? operation : '', side, sides[side])),
  );
  return [head, ...lines].map((text) => cut(text, width));
}

function line(operation: string, side: string, seen: SidePerformance): string {
  const cells = [
    count(seen.count),
    percent(seen.errorRate),
    duration(seen.p50Ms),
    duration(seen.p95Ms),
    duration(seen.p99Ms),
    seen.checks > 0 ? `${count(seen.mismatches)}/${count(seen.checks)}` : '–',
  ];
  return `  ${pad(cut(printable(operation), 19), 20)}${pad(side, 9)}${cells.map((cell) => cell.padStart(11)).join('')}`;
}
