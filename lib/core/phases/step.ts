/**
 * What a tick makes of the phases, and what their end should be decided as. Pure; at most one step a phase and tick.
 *
 *   waiting ─ dependencies done, prepared, validated → running ─ all at their goal → soaking ─ GO → done
 *                                                        ↑ └─────── goal lost ──────┘ └ EXTEND ┘
 *   running, soaking, done ─ ROLLBACK → rolled_back, together with all that depend on it ─ reset → waiting
 */

import { MINUTE_MS } from '../base/units.ts';
import { type Condition, condition } from '../conditions/condition.ts';
import { seenText } from '../conditions/show.ts';
import type { SystemState } from '../cutover/cutover.ts';
import type { Phase, PhaseChange, PhaseState } from '../cutover/phase.ts';
import { stageText } from '../cutover/switches.ts';
import { rollbackOrder, stateOfPhase } from '../holds/phase-order.ts';
import { evaluateCheck, hasReached, type Member, rolledBackSince } from './checks.ts';

export type Members = ReadonlyMap<string, Member>;
export type PhaseStep = { phase: string; change: PhaseChange; reason: string };
export type Recommendation = { decision: 'go' | 'extend' | 'rollback' | 'wait'; reasons: readonly Condition[] };

/** A phase that declares no soak is extended by this much. */
const SHORTEST_EXTENSION_MINUTES = 60;

const membersOf = (ids: readonly string[], members: Members) => ids.map((id) => members.get(id));

/** What a waiting phase needs before it starts. */
export function startConditions(
  phase: Phase,
  phases: readonly Phase[],
  system: Pick<SystemState, 'phases'>,
  members: Members,
): Condition[] {
  const state = stateOfPhase(system, phase.name);
  const before = phases.filter(({ name }) => phase.after.includes(name));
  const dependencies = before.map(({ name }): Condition => {
    const { status, soakUntilMs } = stateOfPhase(system, name);
    const soak = soakUntilMs === null ? '' : ` until ${new Date(soakUntilMs).toISOString().slice(0, 16)}Z`;
    return condition('phase_before', {
      name,
      ok: status === 'done',
      seen: status,
      limit: 'done',
      says: `Phase '${name}' is ${status}${soak}.`,
      release: { wait: 'phases_before' },
    });
  });
  const between = membersOf(
    before.flatMap(({ cutovers }) => cutovers),
    members,
  );
  return [
    ...dependencies,
    ...phase.validation.map((check) => evaluateCheck(check, state, between)),
    ...phase.preparation.map((check) => evaluateCheck(check, state, membersOf(phase.cutovers, members))),
  ];
}

/** GO, EXTEND or ROLLBACK at the end of a phase, by evidence; `wait` before its end. */
export function recommend(phase: Phase, state: PhaseState, members: Members, nowMs: number): Recommendation {
  const own = membersOf(phase.cutovers, members);
  const guarded = own.filter(
    (member) => member && rolledBackSince(member.state, state.startedAtMs) && member.state.rollback?.cause === 'guard',
  );
  const fallen = guarded.map((member): Condition => {
    const { id, rollback } = member!.state;
    return condition('rolled_back', {
      ok: false,
      seen: id,
      limit: null,
      says: `${id} was rolled back: ${rollback!.reason}`,
      release: { person: 'A person decides on the phase' },
    });
  });
  const soaking = state.status === 'soaking';
  const soaked = condition('soak', {
    ok: soaking && nowMs >= state.soakUntilMs!,
    seen: state.status,
    limit: phase.soakMinutes,
    says: soaking
      ? `Soaks until ${new Date(state.soakUntilMs!).toISOString().slice(0, 16)}Z.`
      : `Not all of ${phase.cutovers.join(', ')} have reached ${phase.reach}.`,
    release: soaking ? { wait: 'time', etaMs: Math.max(0, state.soakUntilMs! - nowMs) } : { wait: 'progress' },
  });
  const criteria = phase.criteria.map((check) => evaluateCheck(check, state, own));
  const reasons = [...fallen, soaked, ...criteria].filter(({ ok }) => !ok);
  if (fallen.length > 0) return { decision: 'rollback', reasons: fallen };
  if (!soaked.ok) return { decision: 'wait', reasons };
  return { decision: reasons.length === 0 ? 'go' : 'extend', reasons };
}

/** Everything that follows now. While everything is stopped nothing does. */
export function stepPhases(
  phases: readonly Phase[],
  system: SystemState,
  members: Members,
  nowMs: number,
): PhaseStep[] {
  if (system.emergencyStop) return [];
  for (const phase of phases) {
    const state = stateOfPhase(system, phase.name);
    const began = ['running', 'soaking', 'done'].includes(state.status);
    if (!began || phase.decision !== 'automatic') continue;
    const { decision, reasons } = recommend(phase, state, members, nowMs);
    if (decision === 'rollback') return rollbackSteps(phases, system, phase.name, texts(reasons));
  }
  return phases.flatMap((phase) => {
    const step = stepOf(phase, { phases, system, members, nowMs });
    return step ? [{ phase: phase.name, ...step }] : [];
  });
}

function stepOf(
  phase: Phase,
  seen: { phases: readonly Phase[]; system: SystemState; members: Members; nowMs: number },
): { change: PhaseChange; reason: string } | null {
  const { phases, system, members, nowMs } = seen;
  const state = stateOfPhase(system, phase.name);
  if (state.status === 'rolled_back') return null;
  if (state.status === 'waiting') {
    const ready = startConditions(phase, phases, system, members).every(({ ok }) => ok);
    return ready ? { change: { kind: 'started' }, reason: '' } : null;
  }
  const own = membersOf(phase.cutovers, members);
  // One that could not be looked at says nothing, neither good nor bad.
  if (own.some((member) => member === undefined)) return null;
  const late = own.filter((member) => !hasReached(member!.state, phase.reach)).map((member) => member!.state);
  if (state.status === 'running') {
    const untilMs = nowMs + phase.soakMinutes * MINUTE_MS;
    return late.length === 0 ? { change: { kind: 'soaking', untilMs }, reason: '' } : null;
  }
  if (late.length > 0) {
    const where = late.map((state) => `${state.id} is in ${stageText(state)}`).join(', ');
    return { change: { kind: 'soak_broken' }, reason: where };
  }
  if (state.status === 'done' || phase.decision !== 'automatic') return null;
  const { decision, reasons } = recommend(phase, state, members, nowMs);
  if (decision === 'go') return { change: { kind: 'done' }, reason: 'every criterion holds' };
  if (decision !== 'extend') return null;
  const minutes = Math.max(phase.soakMinutes, SHORTEST_EXTENSION_MINUTES);
  return { change: { kind: 'extended', untilMs: nowMs + minutes * MINUTE_MS }, reason: texts(reasons) };
}

/** The phase and all that depend on it and have begun, the last one first. */
export function rollbackSteps(
  phases: readonly Phase[],
  system: Pick<SystemState, 'phases'>,
  name: string,
  reason: string,
): PhaseStep[] {
  return rollbackOrder(phases, name)
    .filter((phase) => ['running', 'soaking', 'done'].includes(stateOfPhase(system, phase.name).status))
    .map((phase) => ({
      phase: phase.name,
      change: { kind: 'rolled_back' },
      reason: phase.name === name ? reason : `it depends on '${name}': ${reason}`,
    }));
}

/** Without what releases each: it is the reason of a decision that has been taken. */
const texts = (reasons: readonly Condition[]) => reasons.map(seenText).join(' ');
