/** What a card says of its cutover: one word, and one sentence. Pure. */

import { isNormal, switchesText } from '../core/cutover/switches.ts';
import { isStopped } from '../core/stage/intents.ts';
import type { CutoverReport, Health, SystemReport } from '../flows/report/report.ts';
import type { Badge } from './sentences.ts';

/** How a card says that a cutover is: as the report does, but for what the emergency stop has still to roll back. */
export type CardHealth = Health | 'stopped';

export const HEALTH_WORDS = {
  idle: { text: 'Not started', tone: 'idle' },
  healthy: { text: 'Healthy', tone: 'good' },
  held: { text: 'Held', tone: 'wait' },
  blind: { text: 'No figures', tone: 'wait' },
  rolling_back: { text: 'Guard fired', tone: 'bad' },
  rolled_back: { text: 'Rolled back', tone: 'bad' },
  stopped: { text: 'Stopped', tone: 'bad' },
  ready: { text: 'Ready to complete', tone: 'good' },
  done: { text: 'Completed', tone: 'done' },
  invalid: { text: 'Unreadable', tone: 'bad' },
} as const satisfies Record<CardHealth, Badge>;

export const cardHealth = (report: CutoverReport, system: Pick<SystemReport, 'emergencyStop'>): CardHealth =>
  isStopped(system, report) ? 'stopped' : report.health;

const STOPPED = 'The emergency stop is on: all reads belong to the primary, and the next tick rolls it back.';

export function badgeOf(report: CutoverReport, health: CardHealth): Badge {
  if (health === 'stopped') return HEALTH_WORDS.stopped;
  if (report.pending) return { text: `${PENDING[report.pending] ?? report.pending} under way`, tone: 'wait' };
  if (health === 'held' && !isNormal(report)) return { text: switchesText(report).join(', '), tone: 'wait' };
  if (health === 'held' && report.paused) return { text: 'Paused', tone: 'wait' };
  if (report.stageKind === 'cleaned') return { text: 'Finished', tone: 'done' };
  if (health === 'done' && report.blind) return { text: 'Completed, no figures', tone: 'idle' };
  return HEALTH_WORDS[health];
}

const PENDING: Readonly<Record<string, string>> = {
  promote: 'Promotion',
  revert: 'Rollback',
  rollback: 'Rollback',
  cleanup: 'Cleanup',
};

export function summaryOf(report: CutoverReport, health: CardHealth): string {
  if (health === 'stopped') return STOPPED;
  const { stage, verdict, plan } = report;
  const next = plan.stages[plan.stages.findIndex(({ name }) => name === stage) + 1]?.name;
  const failing = verdict.reasons.length;
  if (report.pending)
    return (
      verdict.conditions.find(({ row }) => row === 'pending')?.text ??
      `${PENDING[report.pending] ?? report.pending} is being carried out.`
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
