/** The phases of a configuration and their order. Every cutover carries the phase it belongs to. */

import { type Condition, condition } from '../conditions/condition.ts';
import type { Release } from '../conditions/release.ts';
import type { CutoverDeclaration, SystemState } from '../cutover/cutover.ts';
import { type Phase, type PhaseState, UNTOUCHED_PHASE } from '../cutover/phase.ts';

/** Every phase once, each after those it depends on; as declared where nothing says otherwise. */
export function phasesOf(declarations: readonly Pick<CutoverDeclaration, 'phase'>[]): readonly Phase[] {
  const declared = declarations.flatMap(({ phase }) => phase ?? []).sort((a, b) => a.place - b.place);
  const byName = new Map(declared.map((phase) => [phase.name, phase]));
  const sorted: Phase[] = [];
  const visit = (name: string) => {
    const phase = byName.get(name);
    if (!phase || sorted.includes(phase)) return;
    byName.delete(name);
    for (const before of phase.after) visit(before);
    sorted.push(phase);
  };
  for (const name of [...byName.keys()]) visit(name);
  return sorted;
}

export const stateOfPhase = (system: Pick<SystemState, 'phases'>, name: string): PhaseState =>
  system.phases[name] ?? UNTOUCHED_PHASE;

/** The phase itself and all that depend on it, in the order in which they are rolled back: the last one first. */
export function rollbackOrder(phases: readonly Phase[], name: string): readonly Phase[] {
  const reached = new Set([name]);
  // Sorted: what depends on a phase comes after it.
  for (const phase of phases) if (phase.after.some((before) => reached.has(before))) reached.add(phase.name);
  return phases.filter((phase) => reached.has(phase.name)).reverse();
}

/** What the flag of the system says: the latest phase that was started and not rolled back. */
export function migrationPhaseOf(phases: readonly Phase[], system: Pick<SystemState, 'phases'>): string {
  const begun = phases.filter(({ name }) => ['running', 'soaking', 'done'].includes(stateOfPhase(system, name).status));
  const open = begun.filter(({ name }) => stateOfPhase(system, name).status !== 'done');
  return (open.at(-1) ?? begun.at(-1))?.name ?? 'none';
}

/** Whether the order of phases lets a cutover go forward; null when it belongs to none. */
export function phaseHold(
  { phase }: Pick<CutoverDeclaration, 'phase'>,
  system: Pick<SystemState, 'phases'>,
): Condition | null {
  if (!phase) return null;
  const { status } = stateOfPhase(system, phase.name);
  const open = phase.after.filter((name) => stateOfPhase(system, name).status !== 'done');
  const ok = open.length === 0 && ['running', 'soaking', 'done'].includes(status);
  const [why, release] = whyShut(
    phase,
    status,
    open.map((name) => `'${name}' (${stateOfPhase(system, name).status})`),
  );
  const says = ok ? `Phase '${phase.name}' is ${status}.` : `Phase '${phase.name}' is not open: ${why}.`;
  return condition('phase', { ok, seen: status, limit: 'running', says, release });
}

/** @param before the phases it comes after that are not done, in words */
function whyShut({ name }: Phase, status: PhaseState['status'], before: readonly string[]): [string, Release] {
  if (before.length > 0) return [`it comes after ${before.join(', ')}`, { wait: 'phases_before' }];
  if (status === 'rolled_back') {
    const command = ['crossfade', 'phase', name, 'reset', '--confirm', name];
    return ['it was rolled back', { command, does: 'prepares it again' }];
  }
  return ['its preparation is not complete', { command: ['crossfade', 'phase', name], does: 'says what is missing' }];
}
