/** Answers of the gates, of a verification and of a command, as text. Pure. */

import { share } from '../core/conditions/figures.ts';
import type { VerificationResult } from '../core/gates/table-status.ts';
import { healthText } from '../core/look/health.ts';
import type { CutoverSummary } from '../flows/control/operate.ts';
import type { StopResult } from '../flows/control/stop.ts';
import type { CutoverReport } from '../flows/report/report.ts';
import { nextLines, seenAndLimit, sightLines } from './render.ts';
import { count, counted, field, MAX_WIDTH, moment, type Paint, plain, printable, scoreText, wrap } from './text.ts';

/** One sentence per condition, those that fail first. */
export function renderExplanation(report: CutoverReport, width = MAX_WIDTH, paint: Paint = plain): string {
  const { verdict, next } = report;
  // Where nothing advances by itself no gate is asked, and none is held.
  const asked = verdict.conditions.filter(({ row }) => row !== 'stage');
  const conditions = asked.sort((a, b) => Number(a.ok) - Number(b.ok));
  const indent = Math.max(16, ...conditions.map(({ code }) => code.length + 4));
  const lines = wrap(
    printable(`${report.id} in stage ${report.stage}: ${healthText(report)}. Next: ${next.text}.`),
    width,
  );
  for (const condition of conditions) {
    const mark = condition.ok ? paint('good', '✓') : paint('bad', '✗');
    const figures = condition.ok ? '' : seenAndLimit(condition);
    lines.push(...field(`${mark} ${condition.code}`, printable(`${condition.text}${figures}`), width, indent));
  }
  if (report.rollback) {
    const { fromStage, reason, actor, atMs } = report.rollback;
    lines.push(
      ...field(
        'rolled back',
        printable(`from ${fromStage} at ${moment(atMs)} UTC by ${actor}: ${reason}`),
        width,
        indent,
      ),
    );
  }
  lines.push(...sightLines(report, width, indent), ...nextLines(report, width, indent));
  return lines.join('\n');
}

export function renderCommandAnswer(answer: CutoverSummary & { published: boolean }): string {
  const lines = [
    `${printable(answer.cutover)}: ${answer.stage}, ${share(answer.sharePpm)} of reads from the shadow, version ${answer.version}, epoch ${answer.epoch}.`,
  ];
  if (answer.pending) {
    lines.push(`The ${answer.pending} is still being carried out; the next tick settles it.`);
    if (answer.waits) lines.push(printable(answer.waits));
  }
  if (!answer.published) lines.push('The flags are not deployed yet; every tick tries again.');
  lines.push(`Watch it: crossfade status ${printable(answer.cutover)} --watch`);
  return lines.join('\n');
}

export function renderStop(result: StopResult, width = MAX_WIDTH, paint: Paint = plain): string {
  const lines = result.cutovers.map((moved) =>
    field(
      printable(moved.id),
      printable(moved.problem ? `${moved.from}: ${moved.problem}` : `${moved.from} → ${moved.to}`),
      width,
      24,
    ),
  );
  const flags = result.published
    ? 'The flags are deployed.'
    : paint('warn', 'The flags are not deployed yet: readers keep their last ones until the next tick succeeds.');
  return [...(lines.length > 0 ? lines.flat() : ['No cutover had anything to undo.']), flags].join('\n');
}

export function renderVerification(
  id: string,
  result: VerificationResult,
  width = MAX_WIDTH,
  paint: Paint = plain,
): string {
  const good = result.divergences === 0;
  const lines = [
    `${printable(id)}: ${counted(result.rowsCompared, 'row')} compared, ${paint(good ? 'good' : 'bad', `${count(result.divergences)} differ`)}, score ${scoreText(result.score)}.`,
  ];
  for (const sample of result.samples) {
    lines.push(
      ...field(printable(sample.key), printable(sample.columns.join(', ') || 'the row is on one side only'), width, 24),
    );
  }
  if (!good) lines.push(`Write these keys again: crossfade repair ${printable(id)}`);
  return lines.join('\n');
}
