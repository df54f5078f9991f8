/** The share of the reads that the shadow was to get, minute by minute: from the state of now, back through the audit. Pure. */

import { FULL_SHARE_PPM, type Plan, servedPpm } from '../core/cutover/plan.ts';
import type { AuditEntry } from '../core/stage/audit.ts';
import type { Event } from '../core/stage/events.ts';

type Standing = { plan: Plan; stage: string; sharePpm: number };

/**
 * @param entries of this cutover, newest first
 * @param endsMs the moments that are asked for
 * @param isWhole there are no older entries than these
 * @returns a share of 0–1 for each moment; null before the first entry that is known
 */
export function plannedShares(
  now: Standing,
  entries: readonly AuditEntry<Event>[],
  endsMs: readonly number[],
  isWhole: boolean,
): (number | null)[] {
  const steps: { fromMs: number; sharePpm: number | null }[] = [];
  let standing = now;
  for (const { event, atMs } of entries) {
    steps.push({ fromMs: atMs, sharePpm: standing.sharePpm });
    standing = before(standing, event);
  }
  steps.push({ fromMs: Number.NEGATIVE_INFINITY, sharePpm: isWhole ? standing.sharePpm : null });
  return endsMs.map((endMs) => {
    const { sharePpm } = steps.find(({ fromMs }) => fromMs <= endMs)!;
    return sharePpm === null ? null : sharePpm / FULL_SHARE_PPM;
  });
}

function before(after: Standing, event: Event): Standing {
  const inStage = (stage: string): Standing => ({ ...after, stage, sharePpm: ofStage(after.plan, stage) });
  switch (event.type) {
    case 'advanced':
    case 'rolled_back':
    case 'completed':
    case 'reverted':
      return inStage(event.from);
    case 'started':
    case 'reset':
      return { ...after, sharePpm: 0 };
    case 'cleaned':
      return { ...after, sharePpm: FULL_SHARE_PPM };
    case 'reads_switched':
      return event.to === 'primary' ? inStage(after.stage) : { ...after, sharePpm: 0 };
    case 'intent_recorded':
      return event.action === 'promote' ? inStage(after.stage) : after;
    default:
      return after;
  }
}

function ofStage(plan: Plan, name: string): number {
  const planned = plan.stages.find((stage) => stage.name === name);
  return planned ? servedPpm(planned, plan) : 0;
}
