/** Phases as text. Pure. */

import type { PhaseStatus } from '../core/cutover/phase.ts';
import type { PhaseView } from '../core/phases/view.ts';
import type { PhaseResult, PhasesAnswer } from '../flows/control/phases.ts';
import { field, MAX_WIDTH, moment, type Paint, plain, printable } from './text.ts';

const PAINT: Record<PhaseStatus, Parameters<Paint>[0]> = {
  waiting: 'dim',
  running: 'good',
  soaking: 'warn',
  done: 'good',
  rolled_back: 'bad',
};
const LABEL = 14;

export function renderPhases(answer: PhasesAnswer, width = MAX_WIDTH, paint: Paint = plain): string {
  if (answer.phases.length === 0) return 'No phase is declared. Declare them with definePhases in crossfade.config.ts.';
  const stop = answer.emergencyStop
    ? [paint('bad', 'Everything is stopped; soaks begin again from zero afterwards.')]
    : [];
  const lines = [...stop, `migration phase: ${printable(answer.migrationPhase)}, version ${answer.version}`];
  return [...lines, ...answer.phases.map((view) => renderPhase(view, width, paint))].join('\n');
}

/** One phase with its cutovers, checks, and what its end would be decided as. */
export function renderPhase(view: PhaseView, width = MAX_WIDTH, paint: Paint = plain): string {
  const { name, status, cutovers, recommendation, decision, soakUntilMs } = view;
  const until = soakUntilMs === null ? '' : ` until ${moment(soakUntilMs)} UTC`;
  const lines = [`${paint('bold', printable(name))}  ${paint(PAINT[status], `${status.replace('_', ' ')}${until}`)}`];
  const where = cutovers.map(({ id, stage, reached }) => `${reached ? '✓ ' : ''}${id} ${stage}`).join(', ');
  lines.push(...field('cutovers', printable(`${where}; to reach ${view.reach}`), width, LABEL));
  for (const { code, ok, says } of [...view.start, ...view.criteria]) {
    const mark = ok ? paint('good', '✓') : paint('warn', '·');
    lines.push(...field('check', printable(`${mark} ${code}: ${says}`), width, LABEL));
  }
  if (decision) {
    const because = decision.reason ? `: ${decision.reason}` : '';
    lines.push(...field('decided', printable(`${decision.kind} by ${decision.actor}${because}`), width, LABEL));
  }
  if (recommendation && recommendation.decision !== 'wait') {
    const why = recommendation.reasons.map(({ says }) => says).join(' ');
    lines.push(...field('advice', printable(`${recommendation.decision.toUpperCase()}. ${why}`.trim()), width, LABEL));
  }
  return lines.join('\n');
}

export function renderPhaseResult(result: PhaseResult, width = MAX_WIDTH): string {
  const lines = [`Phase ${printable(result.phase)} is ${result.status.replace('_', ' ')}, version ${result.version}.`];
  for (const { id, from, to, problem } of result.moved)
    lines.push(...field(printable(id), printable(problem ?? `${from} → ${to}`), width, 24));
  if (!result.published) lines.push('The flags are not deployed yet; every tick tries again.');
  return lines.join('\n');
}
