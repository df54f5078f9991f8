/**
 * Watches the rules that no evidence lifts, and knows nothing of how they are kept: who may go forward when, by the order of
 * phases, freeze windows and cohorts, and that a rollback of a phase takes its dependents before itself.
 */

import { type CutoverState, INITIAL_SYSTEM, type SystemState } from '../../lib/core/cutover/cutover.ts';
import type { World } from '../helpers/world.ts';

const OPEN: ReadonlySet<string> = new Set(['running', 'soaking', 'done']);

export function orderWatch(world: World) {
  const violations: string[] = [];
  const states = new Map<string, CutoverState>();
  let system: SystemState = INITIAL_SYSTEM;
  const statusOf = (phase: string) => system.phases[phase]?.status ?? 'waiting';
  const placeOf = (id: string) => {
    const state = states.get(id);
    return state ? state.plan.stages.findIndex(({ name }) => name === state.stage) : 0;
  };

  world.onSystem(({ after }) => {
    system = after;
  });
  world.onApplied(({ after, entries }) => {
    const declaration = world.cutovers.find(({ id }) => id === after.id)!;
    states.set(after.id, after);
    for (const { event } of entries) {
      if (event.type === 'started' || event.type === 'advanced' || event.type === 'completed') forward(declaration);
    }
  });

  function forward({ id, freeze = [], phase, cohort }: World['cutovers'][number]): void {
    const nowMs = world.clock.now();
    if (freeze.some((window) => 'fromMs' in window && nowMs >= window.fromMs && nowMs < window.toMs))
      violations.push(`frozen: ${id} went on in a freeze window`);
    if (phase && !OPEN.has(statusOf(phase.name)))
      violations.push(`phase: ${id} went on while its phase is ${statusOf(phase.name)}`);
    const open = phase?.after.filter((name) => statusOf(name) !== 'done') ?? [];
    if (open.length > 0) violations.push(`phase: ${id} went on before ${open.join(', ')} was done`);
    if (cohort === undefined || placeOf(id) < 2) return;
    for (const peer of world.cutovers.filter((other) => other.cohort === cohort && other.id !== id))
      if (placeOf(peer.id) < placeOf(id) - 1) violations.push(`cohort: ${id} is two stages ahead of ${peer.id}`);
  }

  return {
    check(): void {
      if (violations.length > 0) throw new Error([...new Set(violations)].slice(0, 3).join(' | '));
    },
    /** When nothing is made to fail, at the end of a minute: a cohort stands in one stage. */
    checkTogether(): void {
      for (const { id, cohort } of world.cutovers)
        for (const peer of world.cutovers.filter((other) => cohort !== undefined && other.cohort === cohort))
          if (placeOf(id) > 1 && placeOf(peer.id) > 1 && placeOf(id) !== placeOf(peer.id))
            violations.push(`cohort: ${id} and ${peer.id} stand in different stages`);
      this.check();
    },
  };
}
