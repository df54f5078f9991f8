/** Checks, progress, alerts, verdict and comparisons of a table cutover as text. Pure. */

import { duration } from '../core/conditions/figures.ts';
import { copyProgress } from '../core/gates/copy-progress.ts';
import type { Consistency, RowComparison, RowValues, TableProgress } from '../core/table/reading.ts';
import type { HealthReport } from '../flows/rows/inspect.ts';
import { type Check, renderChecks } from './doctor/check.ts';
import { copyText } from './render.ts';
import { count, counted, field, MAX_WIDTH, moment, type Paint, plain, printable, scoreText } from './text.ts';

const LEVELS = { pass: 'ok', warn: 'warn', fail: 'fail' } as const;

export function checksOf(report: HealthReport): Check[] {
  return report.findings.map(({ check, status, value, limit, remedy }) => ({
    name: check,
    level: LEVELS[status],
    seen: status === 'pass' ? value : `${value} (wanted: ${limit})`,
    remedy,
  }));
}

/** What failed or is worth a look; with `all`, what passed, too. */
export function renderHealth(report: HealthReport, all: boolean, width = MAX_WIDTH, paint: Paint = plain): string {
  const checks = checksOf(report);
  const shown = all ? checks : checks.filter(({ level }) => level !== 'ok');
  const passed = checks.length - shown.length;
  const rest = passed > 0 ? [`${counted(passed, 'check')} passed; --all shows them.`] : [];
  const next = paint(report.ok ? 'good' : 'bad', printable(report.next));
  return [renderChecks(shown, width, paint), ...rest, next].join('\n');
}

/** Of the rows that were compared: of the others nothing is known. */
function equalText({ rowsCompared, divergences }: TableProgress): string {
  if (rowsCompared === null || divergences === null) return 'no rows compared yet';
  return `${count(rowsCompared - divergences)} of the ${count(rowsCompared)} rows that were compared`;
}

/** What the rows are like. Whether that is enough is for the gates to say: `crossfade status`. */
export function renderProgress(progress: TableProgress, width = MAX_WIDTH, paint: Paint = plain): string {
  const { backfill: state, rowsDone, rowsTotal, rowsPerSecond } = progress;
  const copied = copyProgress({ state, rowsDone, rowsTotal, rowsPerSecond }, ',');
  const verified =
    progress.verifiedAtMs === null
      ? 'never'
      : `${scoreText(progress.score ?? 0)} of ${count(progress.rowsCompared ?? 0)} rows, ${count(progress.divergences ?? 0)} differ, at ${moment(progress.verifiedAtMs)} UTC`;
  return [
    `${paint('bold', printable(progress.cutover))}  ${printable(progress.stage)}, capture ${progress.direction}`,
    ...field('backfill', copyText(copied, 20), width),
    ...field('equal', equalText(progress), width),
    ...field(
      'lag',
      `${duration(progress.lagSeconds * 1_000)}, ${counted(progress.hints, 'change')} waiting, ${counted(progress.quarantined, 'key')} in quarantine`,
      width,
    ),
    ...field('verified', verified, width),
  ].join('\n');
}

export function renderConsistency(id: string, seen: Consistency, width = MAX_WIDTH, paint: Paint = plain): string {
  const figure = (value: number | null) => (value === null ? '–' : count(value));
  return [
    paint('bold', printable(id)),
    ...field('rows', `${figure(seen.primaryRows)} in the primary, ${figure(seen.shadowRows)} in the shadow`, width),
    ...field(
      'keys',
      `${figure(seen.consistent)} equal, ${figure(seen.diverged)} diverged, ${figure(seen.late)} late, ${figure(seen.quarantined)} in quarantine`,
      width,
    ),
    ...field('score', seen.score === null ? '–' : scoreText(seen.score), width),
    ...seen.errors.flatMap((error) => field('error', printable(error), width)),
  ].join('\n');
}

export function renderComparison(id: string, seen: RowComparison, width = MAX_WIDTH, paint: Paint = plain): string {
  const outcome = seen.equal
    ? paint('good', 'equal')
    : seen.late
      ? paint('warn', 'differs, and a change of it waits')
      : paint('bad', 'differs');
  return [
    `${paint('bold', printable(id))}  ${printable(seen.key)}  ${outcome}${seen.quarantined ? paint('bad', ', in quarantine') : ''}`,
    ...field('primary', seen.primaryHash ?? 'no row', width),
    ...field('shadow', seen.shadowHash ?? 'no row', width),
    ...(seen.differingColumns.length > 0 ? field('columns', printable(seen.differingColumns.join(', ')), width) : []),
  ].join('\n');
}

/** A line for each column whose texts are equal on both sides, two for any other. */
export function renderValues(
  { primary, shadow, columns }: RowValues,
  width = MAX_WIDTH,
  paint: Paint = plain,
): string[] {
  const text = (there: boolean, value: string | null) => (there ? printable(value ?? 'NULL') : '–');
  return columns.flatMap((column) => {
    const { primary: from, shadow: to, redacted, primaryValue, shadowValue } = column;
    const name = printable(from === null || to === null || from === to ? (to ?? from ?? '') : `${from} → ${to}`);
    if (redacted) return field(name, paint('dim', 'redacted'), width);
    const old = from === null ? null : text(primary, primaryValue);
    const young = to === null ? null : text(shadow, shadowValue);
    if (old === young) return field(name, old ?? '', width);
    return [
      ...(old === null ? [] : field(name, `primary ${old}`, width)),
      ...(young === null ? [] : field(old === null ? name : '', `shadow  ${young}`, width)),
    ];
  });
}
