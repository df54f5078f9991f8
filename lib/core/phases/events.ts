/** Steps of phases as events of the system's audit log, each with what the flag says after it. */

import type { SystemState } from '../cutover/cutover.ts';
import type { Phase } from '../cutover/phase.ts';
import { migrationPhaseOf } from '../holds/phase-order.ts';
import type { Event } from '../stage/events.ts';
import { evolveSystem } from '../stage/system.ts';
import type { PhaseStep } from './step.ts';

export function phaseEvents(phases: readonly Phase[], system: SystemState, steps: readonly PhaseStep[]): Event[] {
  let now = system;
  return steps.map(({ phase, change, reason }) => {
    const said = { type: 'phase_changed', phase, change, ...(reason ? { reason } : {}) } as const;
    const at = { atMs: 0, actor: '' };
    const after = evolveSystem(now, { event: { ...said, migrationPhase: now.migrationPhase }, ...at });
    const event: Event = { ...said, migrationPhase: migrationPhaseOf(phases, after) };
    now = evolveSystem(now, { event, ...at });
    return event;
  });
}
