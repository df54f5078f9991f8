/** What a card says of its cutover: one word, and one sentence. Pure. */

import { type Health, healthText, unreadableText } from '../core/look/health.ts';
import type { CutoverReport } from '../flows/report/report.ts';
import type { Badge, Tone } from './sentences.ts';

const TONES = {
  idle: 'idle',
  healthy: 'good',
  held: 'wait',
  blind: 'wait',
  rolling_back: 'bad',
  rolled_back: 'bad',
  stopped: 'bad',
  ready: 'good',
  done: 'done',
  invalid: 'bad',
} as const satisfies Record<Health, Tone>;

const STOPPED = 'The emergency stop is on: all reads belong to the primary, and the next tick rolls it back.';

export function badgeOf(report: CutoverReport): Badge {
  return { text: capital(healthText(report)), tone: toneOf(report) };
}

export const UNREADABLE: Badge = { text: capital(unreadableText), tone: TONES.invalid };

function toneOf({ health, pending, stageKind, blind }: CutoverReport): Tone {
  if (pending && health !== 'stopped') return 'wait';
  return health === 'done' && blind && stageKind !== 'cleaned' ? 'idle' : TONES[health];
}

export function summaryOf(report: CutoverReport): string {
  const { health } = report;
  if (health === 'stopped') return STOPPED;
  const { stage, verdict, plan } = report;
  const next = plan.stages[plan.stages.findIndex(({ name }) => name === stage) + 1]?.name;
  const failing = verdict.reasons.length;
  if (report.pending)
    return (
      verdict.conditions.find(({ row }) => row === 'pending')?.text ??
      `${capital(report.pending)} is being carried out.`
    );
  switch (health) {
    case 'idle':
      return 'Not started: the primary serves everything.';
    case 'healthy':
      if (failing === 0) return `Everything needed to go on to ${next} holds.`;
      return `On course. Before ${next}: ${verdict.reasons.map(({ label }) => label.toLowerCase()).join(', ')}.`;
    case 'blind':
      return report.blind!.text;
    case 'held':
      return `Held in ${stage} by ${failing} ${failing === 1 ? 'condition' : 'conditions'}.`;
    case 'rolling_back':
      return `${failing === 1 ? 'A guard' : `${failing} guards`} fired in ${stage}.`;
    case 'rolled_back':
      return `All reads are back on the primary, after ${report.rollback?.fromStage ?? 'an earlier stage'}.`;
    case 'ready':
      return 'Every gate holds. Completing needs a person.';
    default:
      return doneSummary(report);
  }
}

function doneSummary({ stageKind, kind, blind }: CutoverReport): string {
  if (stageKind === 'cleaned') return 'Finished: the old side was dropped, there is no way back.';
  if (blind) return blind.text;
  if (kind !== 'table') return 'The shadow serves everything.';
  return 'The shadow is the table now. The old table is kept equal, so that going back loses nothing.';
}

function capital(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}`;
}
