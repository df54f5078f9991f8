/** Phases as the page shows them: one line each, what it waits for, and the command that a person may give now. Pure. */

import { MINUTE_MS } from '../core/base/units.ts';
import type { PhaseStatus } from '../core/cutover/phase.ts';
import type { PhaseView } from '../core/phases/view.ts';
import type { Tone } from './sentences.ts';

export type PhaseLine = {
  name: string;
  badge: { text: string; tone: Tone };
  summary: string;
  cutovers: PhaseView['cutovers'];
  /** Minutes of its soak that are over, and of all; null unless it soaks. */
  soak: { minutes: number; ofMinutes: number; label: string } | null;
  /** What is missing before it starts, or before it may end. */
  missing: readonly string[];
  command: string | null;
};

const BADGES: Record<PhaseStatus, { text: string; tone: Tone }> = {
  waiting: { text: 'Waiting', tone: 'idle' },
  running: { text: 'Running', tone: 'good' },
  soaking: { text: 'Soaking', tone: 'wait' },
  done: { text: 'Done', tone: 'done' },
  rolled_back: { text: 'Rolled back', tone: 'bad' },
};

export function phaseLine(view: PhaseView, atMs: number): PhaseLine {
  const { name, status, cutovers, recommendation } = view;
  const advised = recommendation?.decision;
  return {
    name,
    badge: BADGES[status],
    summary: summaryOf(view),
    cutovers,
    soak: soakOf(view, atMs),
    missing: (status === 'waiting' ? view.start.filter(({ ok }) => !ok) : (recommendation?.reasons ?? []))
      // The bar says how long it soaks, and the cutovers below how far they are.
      .filter(({ row }) => row !== 'soak')
      .map(({ says }) => says),
    command:
      status === 'rolled_back'
        ? `crossfade phase ${name} reset --confirm ${name}`
        : view.decidedBy === 'person' && (advised === 'go' || advised === 'extend')
          ? advised === 'go'
            ? `crossfade phase ${name} go`
            : `crossfade phase ${name} extend --minutes 60 --reason '…'`
          : advised === 'rollback'
            ? `crossfade phase ${name} rollback --confirm ${name} --reason '…'`
            : null,
  };
}

function summaryOf({ status, after, reach, cutovers, recommendation, decision, decidedBy }: PhaseView): string {
  const there = cutovers.filter(({ reached }) => reached).length;
  switch (status) {
    case 'waiting':
      return after.length > 0 ? `Comes after ${after.join(', ')}.` : 'Not prepared yet.';
    case 'running':
      return `${there} of ${cutovers.length} at ${reach}.`;
    case 'soaking':
      return recommendation?.decision === 'go' && decidedBy === 'person'
        ? 'Every criterion holds. GO needs a person.'
        : `All at ${reach}; stable for how long decides.`;
    case 'done':
      return decision ? `GO by ${decision.actor}.` : 'Done.';
    case 'rolled_back':
      return decision?.reason ?? 'Rolled back.';
  }
}

function soakOf({ status, sinceMs, soakUntilMs }: PhaseView, atMs: number): PhaseLine['soak'] {
  if (status !== 'soaking' || soakUntilMs === null) return null;
  const ofMinutes = Math.max(1, Math.round((soakUntilMs - sinceMs) / MINUTE_MS));
  const minutes = Math.min(ofMinutes, Math.max(0, Math.floor((atMs - sinceMs) / MINUTE_MS)));
  return { minutes, ofMinutes, label: `${minutes} of ${ofMinutes} minutes of soak` };
}
