/**
 * The state that concerns every cutover at once, as a fold over its audit log: switches, and the phases. One item and one
 * version, so an emergency stop and the end of every timer are one write.
 */

import type { SystemState } from '../cutover/cutover.ts';
import { type PhaseChange, type PhaseState, UNTOUCHED_PHASE } from '../cutover/phase.ts';
import type { AuditEntry } from './audit.ts';
import type { Event } from './events.ts';
import { type At, type Log, recordIn, replayIn } from './log.ts';

/** What an event makes of the system. Events of cutovers leave it as it is. */
export function evolveSystem(system: SystemState, at: At): SystemState {
  const { event } = at;
  if (event.type === 'system_changed') {
    const changed = { ...system, ...event.change, version: system.version + 1 };
    return event.change.emergencyStop ? { ...changed, phases: withoutTimers(system.phases, at.atMs) } : changed;
  }
  if (event.type === 'system_rolled_back')
    return { ...system, version: system.version + 1, phases: withoutTimers(system.phases, at.atMs) };
  if (event.type !== 'phase_changed') return system;
  const { phase, change, migrationPhase, reason = '' } = event;
  const before = system.phases[phase] ?? UNTOUCHED_PHASE;
  const after = evolvePhase(before, change, reason, at);
  return { ...system, version: system.version + 1, migrationPhase, phases: { ...system.phases, [phase]: after } };
}

/** After a stop nothing has been stable for any time: what soaked or was done has to soak again. */
function withoutTimers(phases: SystemState['phases'], atMs: number): SystemState['phases'] {
  return Object.fromEntries(
    Object.entries(phases).map(([name, phase]) => {
      const timed = phase.status === 'soaking' || phase.status === 'done';
      return [name, timed ? { ...phase, status: 'running' as const, sinceMs: atMs, soakUntilMs: null } : phase];
    }),
  );
}

function evolvePhase(phase: PhaseState, change: PhaseChange, reason: string, { atMs, actor }: At): PhaseState {
  const enter = (status: PhaseState['status']): PhaseState => ({ ...phase, status, sinceMs: atMs, soakUntilMs: null });
  const decided = (kind: 'go' | 'extend' | 'rollback') => ({ decision: { kind, actor, reason, atMs } });
  switch (change.kind) {
    case 'confirmed':
      return { ...phase, confirmed: { ...phase.confirmed, [change.check]: { actor, atMs } } };
    case 'withdrawn': {
      const { [change.check]: _, ...confirmed } = phase.confirmed;
      return { ...phase, confirmed };
    }
    case 'started':
      return { ...enter('running'), startedAtMs: atMs };
    case 'soaking':
      return { ...enter('soaking'), soakUntilMs: change.untilMs };
    case 'soak_broken':
      return enter('running');
    case 'extended':
      return { ...phase, soakUntilMs: change.untilMs, ...decided('extend') };
    case 'done':
      return { ...enter('done'), ...decided('go') };
    case 'rolled_back':
      return { ...enter('rolled_back'), ...decided('rollback') };
    case 'reset':
      return { ...UNTOUCHED_PHASE, sinceMs: atMs };
  }
}

const LOG: Log<SystemState> = {
  evolve: evolveSystem,
  headOf: ({ version }) => ({ subject: 'system', version, epoch: 0 }),
};

export const recordSystem = (system: SystemState, events: readonly Event[], by: { nowMs: number; actor: string }) =>
  recordIn(LOG, system, events, by);

export const replaySystem = (initial: SystemState, entries: readonly AuditEntry<Event>[]): SystemState =>
  replayIn(LOG, initial, entries);
