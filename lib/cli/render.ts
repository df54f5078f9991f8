/** Status of a cutover as text: pure functions from a report to lines. `npm start` shows its progress with them too. */

import { duration, share } from '../core/conditions/figures.ts';
import { figuresOf, type ShownCondition } from '../core/conditions/show.ts';
import { isUnderWay } from '../core/cutover/stage-kinds.ts';
import { switchesText } from '../core/cutover/switches.ts';
import { type CopyProgress, copyProgress } from '../core/gates/copy-progress.ts';
import { isNormal } from '../core/look/gate-table.ts';
import { healthText, unreadableText } from '../core/look/health.ts';
import type { CutoverReport, SystemReport } from '../flows/report/report.ts';
import { HEALTH_PAINT, overviewLines } from './overview.ts';
import { stageLine } from './stage-line.ts';
import {
  bar,
  count,
  counted,
  cut,
  field,
  MAX_WIDTH,
  moment,
  type Paint,
  percent,
  plain,
  printable,
  scoreText,
  widthOf,
} from './text.ts';

/** Every cutover, and the switches that concern all of them. */
export function renderSystem(report: SystemReport, width = MAX_WIDTH, paint: Paint = plain): string {
  const lines: string[] = [];
  if (report.emergencyStop) {
    lines.push(
      paint(
        'bad',
        "EMERGENCY STOP is on: nothing starts or advances. 'crossfade reset system --confirm system' lifts it.",
      ),
      '',
    );
  }
  if (!report.flags.reachable)
    lines.push(
      paint(
        'warn',
        'Which flags are deployed is not known: it waits for the publisher, and nothing advances. Readers use the last good ones.',
      ),
      '',
    );
  for (const { id, stage } of report.undeclared ?? [])
    lines.push(
      paint(
        'bad',
        `${printable(id)} is in stage ${printable(stage)} and not declared any more: it is held. Declare it again, end it, and take it out then.`,
      ),
      '',
    );
  if (report.cutovers.length === 0) lines.push('No cutover is declared. Declare one in crossfade.config.ts.');
  const [only] = report.cutovers;
  // One that is alone needs no overview.
  if (report.cutovers.length === 1 && only) lines.push(blockOf(only, width, paint));
  else lines.push(...overviewLines(report.cutovers, width, paint));
  return lines.join('\n').trimEnd();
}

type One = SystemReport['cutovers'][number];

export const blockOf = (cutover: One, width = MAX_WIDTH, paint: Paint = plain): string =>
  'why' in cutover ? renderInvalid(cutover, width, paint) : progressBlock(cutover, width, paint);

export function renderInvalid(cutover: { id: string; why: string }, width = MAX_WIDTH, paint: Paint = plain): string {
  return [
    `${paint('bold', printable(cutover.id))}  ${paint('bad', unreadableText)}`,
    ...field('seen', printable(cutover.why), width),
    ...field('next', 'its stored state cannot be read; restore the item, the audit log says what it was', width),
  ].join('\n');
}

/** One cutover: where it stands, both sides, what is still missing, its rows, and what a person can do. */
export function progressBlock(report: CutoverReport, width = MAX_WIDTH, paint: Paint = plain): string {
  return [
    ...titleLines(report, width, paint),
    ...line('stage', stageLine(report, width - 2 - LABEL), width),
    ...sideLines(report, width),
    ...needLines(report, width),
    ...tableLines(report, width),
    ...reasonLines(report, width),
    ...nextLines(report, width, LABEL),
  ].join('\n');
}

const LABEL = 10;
const line = (label: string, text: string, width: number) => field(label, printable(text), width, LABEL);

/** What comes next stands beside the title where there is room for both. */
function titleLines(report: CutoverReport, width: number, paint: Paint): string[] {
  const { id, next, health } = report;
  const name = printable(id);
  const words = standing(report);
  const title = `${paint('bold', name)}  ${paint(HEALTH_PAINT[health], words)}`;
  const coming = printable(`next: ${next.text}`);
  const room = width - widthOf(`${name}  ${words}`) - widthOf(coming);
  if (room >= 2) return [`${title}${' '.repeat(room)}${coming}`];
  const fits = widthOf(`${name}  ${words}`) <= width;
  return [...(fits ? [title] : [paint('bold', name), ...line('', words, width)]), ...line('next', next.text, width)];
}

/** How it is, first the word that every surface has for it. A stage that is called like it is said once. */
function headline(report: CutoverReport): string[] {
  const word = healthText(report);
  const switched = switchesText(report).map((text) => text.toLowerCase());
  const words = [
    word,
    ...(report.paused ? ['paused'] : []),
    ...switched.filter((text) => !word.includes(text)),
    ...(!report.flagsDeployed && report.version > 0 ? ['flags not deployed yet'] : []),
  ];
  return [...new Set(words)];
}

/** @example 'healthy · test_10 · 10 %' */
export function standing(report: CutoverReport): string {
  const words = headline(report);
  const stage = report.stage.replace('_', ' ') === words[0] ? [] : [report.stage];
  return printable([...words, ...stage, share(report.sharePpm)].join(' · '));
}

function sideLines(report: CutoverReport, width: number): string[] {
  const { primary, shadow, checks, mismatches, badMinutes } = report.verdict.evidence;
  const lines: string[] = [];
  if (primary.count + shadow.count > 0) {
    const counts = [primary, shadow].map(({ count: operations }) => count(operations));
    const wide = Math.max(...counts.map((text) => text.length));
    const side = (figures: typeof primary, operations: string) =>
      figures.count === 0
        ? 'no operations in this stage'
        : `${operations.padStart(wide)} ops  errors ${percent(figures.errorRate)}  p50 ${duration(figures.p50Ms)}  p95 ${duration(figures.p95Ms)}`;
    lines.push(...line('old', side(primary, counts[0]!), width), ...line('new', side(shadow, counts[1]!), width));
  }
  if (checks > 0) lines.push(...line('compared', `${count(checks)} answers, ${count(mismatches)} differ`, width));
  if (badMinutes > 0) lines.push(...line('bad', `${counted(badMinutes, 'minute')} in a row`, width));
  return lines;
}

/** What is still missing, and where the rest of the gates is shown. */
function needLines({ id, next, verdict }: CutoverReport, width: number): string[] {
  if (next.needs.length === 0) return [];
  return line(
    'needs',
    `${next.needs.join(' · ')}   (crossfade explain ${id}: all ${verdict.conditions.length})`,
    width,
  );
}

function tableLines(report: CutoverReport, width: number): string[] {
  const { table } = report;
  if (!table) return [];
  const { backfill, verification, lagMs, outboxRows, quarantined } = table;
  const differ = verification
    ? `${count(verification.divergences)} of ${count(verification.rowsCompared)} differ`
    : 'not compared yet';
  const copied = backfill.state === 'done' ? ['copied ✓'] : [];
  const waiting = outboxRows > 0 ? `, ${counted(outboxRows, 'change')} waiting` : '';
  const rows = [...copied, `lag ${duration(lagMs)}${waiting}`, differ, `quarantine ${count(quarantined)}`];
  const copying = backfill.state === 'done' || backfill.state === 'none' ? null : backfillText(report);
  return [
    ...(copying ? line('copy', copying, width) : []),
    ...line('rows', rows.join(' · '), width),
    ...exceptionLines(report, table, width),
  ];
}

/** What should not be, and is not said by a gate. */
function exceptionLines(
  { stageKind }: CutoverReport,
  table: NonNullable<CutoverReport['table']>,
  width: number,
): string[] {
  const lines: string[] = [];
  const swept = table.shape?.gap ?? table.backfill.sweep;
  if (swept) lines.push(...line('sweep', `every row is copied and compared again: ${swept}`, width));
  if (table.unproven) lines.push(...line('no proof', table.unproven, width));
  if (table.readOnlyUntilMs)
    lines.push(...line('read-only', `the primary refuses writes until ${moment(table.readOnlyUntilMs)} UTC`, width));
  if (table.inlineFailures) {
    const [name, failed] =
      stageKind === 'completed'
        ? ['computed', 'left a computed column as it was written']
        : ['inline', 'did not fit the shadow at once'];
    const text = `${counted(table.inlineFailures, 'write')} ${failed}; SELECT * FROM crossfade.inline_failure names the keys`;
    lines.push(...line(name, text, width));
  }
  return lines;
}

function backfillText({ table }: CutoverReport): string | null {
  if (!table || table.backfill.state === 'none') return null;
  return copyText(copyProgress(table.backfill, ','), 20);
}

/** @example '████████░░░░░░░░░░░░ 40 %, 896,000 of about 2,240,000 rows; 3,120/s; about 7 min left' */
export function copyText({ fraction, text }: CopyProgress, barWidth: number): string {
  return fraction === null ? text : `${bar(fraction, barWidth)} ${Math.floor(fraction * 100)} %, ${text}`;
}

/** Why it was or is about to be rolled back, in full; of what holds it the worst, since the needs name the others. */
function reasonLines(report: CutoverReport, width: number): string[] {
  const { rollback, stageKind, health, blind, verdict } = report;
  if (rollback && stageKind === 'rolled_back') {
    const { fromStage, reason, actor, atMs } = rollback;
    return line('back', `rolled back from ${fromStage} at ${moment(atMs)} UTC by ${actor}: ${reason}`, width);
  }
  if (blind) return line('blind', blind.text, width);
  if (!isUnderWay(report) || health === 'healthy') return [];
  const goesBack = verdict.verdict === 'rollback';
  // What is only a matter of time is among the needs.
  const holding = verdict.reasons.filter((reason) => !isNormal(reason));
  const shown = goesBack ? verdict.reasons : holding.slice(0, MOST_REASONS);
  return shown.flatMap((reason, index) =>
    line(
      index > 0 ? '' : goesBack ? 'goes back' : 'held by',
      `${reason.code}${seenAndLimit(reason)}: ${reason.text}`,
      width,
    ),
  );
}

const MOST_REASONS = 2;

/** What the evidence of a stage can show, said before it has to. */
export function sightLines({ sights = [] }: CutoverReport, width: number, labelWidth?: number): string[] {
  return sights.flatMap(({ stage, text }, index) =>
    field(index === 0 ? 'can see' : '', printable(`${stage}: ${text}`), width, labelWidth),
  );
}

/** What a person can do; what releases a hold is in its reason already. */
export function nextLines(report: CutoverReport, width: number, labelWidth?: number): string[] {
  const steps = report.steps.filter(({ brief }) => brief !== '').map(({ text, commands }) => [...commands, text]);
  return steps.flatMap((words, index) =>
    field(index === 0 ? 'do' : '', printable(words.join(' ').trim()), width, labelWidth),
  );
}

/** ` (12 %, limit 1 %)`, when something was seen. */
export function seenAndLimit(condition: ShownCondition): string {
  if (condition.seen === null) return '';
  const { seen, limit } = figuresOf(condition, ',');
  return ` (${seen}${condition.limit === null ? '' : `, limit ${limit}`})`;
}

/** One cutover on one line, for logs and terminals that cannot be redrawn. */
export function progressLine(report: CutoverReport, width = MAX_WIDTH): string {
  const { primary, shadow } = report.verdict.evidence;
  const { id, stage, sharePpm } = report;
  const words = headline(report).filter((word) => word !== stage);
  const parts = [`${printable(id)}: ${stage}`, share(sharePpm), ...words];
  const backfill = report.table?.backfill;
  if (backfill?.state === 'running') {
    parts.push(copyText(copyProgress(backfill, ','), 10));
  }
  parts.push(...reasonCodes(report));
  if (report.table) parts.push(`lag ${duration(report.table.lagMs)}`);
  if (shadow.count > 0 || primary.count > 0) {
    parts.push(
      `errors ${percent(primary.errorRate)} → ${percent(shadow.errorRate)}`,
      `p95 ${duration(primary.p95Ms)} → ${duration(shadow.p95Ms)}`,
    );
  }
  if (report.table?.verification) parts.push(`score ${scoreText(report.table.verification.score)}`);
  return cut(parts.join(' · '), width);
}

function reasonCodes(report: CutoverReport): string[] {
  const { verdict } = report;
  if (!isUnderWay(report) || verdict.reasons.length === 0) return [];
  return [[...new Set(verdict.reasons.map((reason) => reason.code))].join(', ')];
}
