/** Status of a cutover as text: pure functions from a report to lines. `npm start` shows its progress with them too. */

import { duration, share } from '../core/conditions/figures.ts';
import { figuresOf, type ShownCondition } from '../core/conditions/show.ts';
import { isUnderWay } from '../core/cutover/stage-kinds.ts';
import { switchesText } from '../core/cutover/switches.ts';
import { type CopyProgress, copyProgress } from '../core/gates/copy-progress.ts';
import type { CutoverReport, Health, SystemReport } from '../flows/report/report.ts';
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

const HEALTH_PAINT: Record<Health, Parameters<Paint>[0]> = {
  idle: 'dim',
  healthy: 'good',
  ready: 'good',
  done: 'good',
  held: 'warn',
  blind: 'warn',
  rolling_back: 'bad',
  rolled_back: 'bad',
  invalid: 'bad',
};

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
  for (const cutover of report.cutovers) {
    const block = 'why' in cutover ? renderInvalid(cutover, width, paint) : progressBlock(cutover, width, paint);
    lines.push(block, '');
  }
  return lines.join('\n').trimEnd();
}

export function renderInvalid(cutover: { id: string; why: string }, width = MAX_WIDTH, paint: Paint = plain): string {
  return [
    `${paint('bold', printable(cutover.id))}  ${paint('bad', 'invalid')}`,
    ...field('seen', printable(cutover.why), width),
    ...field('next', 'its stored state cannot be read; restore the item, the audit log says what it was', width),
  ].join('\n');
}

/** A compact table of one cutover: stage line, figures of both sides, data plane, reasons for a hold, next steps. */
export function progressBlock(report: CutoverReport, width = MAX_WIDTH, paint: Paint = plain): string {
  const title = `${paint('bold', printable(report.id))}  ${paint(HEALTH_PAINT[report.health], headline(report))}`;
  return [
    title,
    `  ${stageLine(report, width - 2)}`,
    ...field(
      'reads',
      `${share(report.sharePpm)} from the shadow · version ${report.version} · epoch ${report.epoch}${report.flagsDeployed ? '' : ' · flags not deployed yet'}`,
      width,
    ),
    ...timeLines(report, width),
    ...sideLines(report, width),
    ...tableLines(report, width),
    ...reasonLines(report, width),
    ...sightLines(report, width),
    ...nextLines(report, width),
  ].join('\n');
}

function headline(report: CutoverReport): string {
  const words = [report.health.replace('_', ' ')];
  if (report.paused) words.push('paused');
  words.push(...switchesText(report).map((text) => text.toLowerCase()));
  if (report.pending) words.push(`${report.pending} is being carried out`);
  return words.join(' · ');
}

/**
 * The plan with the current stage marked. A plan that is too long is shown around the current stage.
 * @example 'disabled ─ dual_write ─ [test_1] ─ test_10 ─ completed'
 * @example 'disabled ─ dual_write ─ (test_1) ─ test_10 ─ completed → [rolled_back]'
 */
export function stageLine(report: Pick<CutoverReport, 'plan' | 'stage' | 'rollback'>, width = MAX_WIDTH): string {
  const names = report.plan.stages.map((stage) => stage.name);
  const inPlan = names.includes(report.stage);
  const current = inPlan ? report.stage : (report.rollback?.fromStage ?? names.at(-1)!);
  const marked = names.map((name) => (name !== current ? name : inPlan ? `[${name}]` : `(${name})`));
  const outcome = inPlan ? '' : ` → [${report.stage}]`;
  const at = Math.max(0, names.indexOf(current));
  let from = 0;
  let to = marked.length;
  const line = () =>
    [...(from > 0 ? ['…'] : []), ...marked.slice(from, to), ...(to < marked.length ? ['…'] : [])].join(' ─ ') + outcome;
  while (widthOf(line()) > width && to - from > 1) {
    if (to - 1 - at >= at - from) to -= 1;
    else from += 1;
  }
  return cut(printable(line()), width);
}

function timeLines(report: CutoverReport, width: number): string[] {
  const needed = report.plan.stages.find((stage) => stage.name === report.stage)?.dwellMinutes ?? 0;
  if (report.stageKind === 'disabled') return [];
  const minutes = `${count(report.minutesInStage)} min`;
  const left = report.verdict.evidence.minutesToEligibility;
  return field(
    'in stage',
    needed > 0 ? `${minutes}, at least ${count(needed)} min${left > 0 ? `, ${count(left)} to go` : ''}` : minutes,
    width,
  );
}

function sideLines(report: CutoverReport, width: number): string[] {
  const { primary, shadow, checks, mismatches, badMinutes } = report.verdict.evidence;
  const line = (figures: typeof primary) =>
    figures.count === 0
      ? 'no operations in this stage'
      : `${count(figures.count)} operations · errors ${percent(figures.errorRate)} · p50 ${duration(figures.p50Ms)} · p95 ${duration(figures.p95Ms)}`;
  const lines: string[] = [];
  if (primary.count + shadow.count > 0)
    lines.push(...field('primary', line(primary), width), ...field('shadow', line(shadow), width));
  if (checks > 0) lines.push(...field('checked', `${count(checks)} rows, ${count(mismatches)} differ`, width));
  if (badMinutes > 0) lines.push(...field('bad minutes', `${badMinutes} in a row`, width));
  return lines;
}

function tableLines(report: CutoverReport, width: number): string[] {
  const { table } = report;
  if (!table) return [];
  const lines = field('lag', `${duration(table.lagMs)}, ${counted(table.outboxRows, 'change')} waiting`, width);
  const copied = backfillText(report);
  if (copied) lines.push(...field('backfill', copied, width));
  const swept = table.shape?.gap ?? table.backfill.sweep;
  if (swept) lines.push(...field('sweep', printable(`every row is copied and compared again: ${swept}`), width));
  if (table.unproven) lines.push(...field('no proof', printable(table.unproven), width));
  if (table.verification) {
    const { rowsCompared, divergences, score, atMs } = table.verification;
    lines.push(
      ...field(
        'validation',
        `${scoreText(score)} of ${count(rowsCompared)} rows, ${count(divergences)} differ, at ${moment(atMs)} UTC`,
        width,
      ),
    );
  }
  if (table.readOnlyUntilMs)
    lines.push(...field('read-only', `the primary refuses writes until ${moment(table.readOnlyUntilMs)} UTC`, width));
  if (table.inlineFailures) {
    const [name, failed] =
      report.stageKind === 'completed'
        ? ['computed', 'left a computed column as it was written']
        : ['inline', 'did not fit the shadow at once'];
    const text = `${counted(table.inlineFailures, 'write')} ${failed}; SELECT * FROM crossfade.inline_failure names the keys`;
    lines.push(...field(name, text, width));
  }
  if (table.quarantined > 0) {
    const first = table.quarantine[0];
    const example = first ? `, first ${first.key}: SQLSTATE ${first.sqlstate}, ${first.reason}` : '';
    lines.push(...field('quarantine', printable(`${counted(table.quarantined, 'key')}${example}`), width));
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

function reasonLines(report: CutoverReport, width: number): string[] {
  if (report.rollback && report.stageKind === 'rolled_back') {
    const { fromStage, reason, actor, atMs } = report.rollback;
    return field('rolled back', printable(`from ${fromStage} at ${moment(atMs)} UTC by ${actor}: ${reason}`), width);
  }
  if (!isUnderWay(report)) return [];
  // What is only a matter of time is no reason to worry.
  const waiting = report.health === 'healthy' ? 'waits for' : 'held by';
  const label = report.verdict.verdict === 'rollback' ? 'rolls back' : waiting;
  return report.verdict.reasons.flatMap((reason, index) =>
    field(index === 0 ? label : '', printable(`${reason.code}${seenAndLimit(reason)}: ${reason.text}`), width),
  );
}

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
    field(index === 0 ? 'next' : '', printable(words.join(' ').trim()), width, labelWidth),
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
  const parts = [`${printable(report.id)}: ${report.stage}`, share(report.sharePpm), headline(report)];
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
