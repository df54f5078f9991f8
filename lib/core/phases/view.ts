/** A phase as people and programs see it: where it is, what it waits for, what its end would be decided as. */

import { type ShownCondition, show } from '../conditions/show.ts';
import type { SystemState } from '../cutover/cutover.ts';
import type { Goal, Phase, PhaseState } from '../cutover/phase.ts';
import { stateOfPhase } from '../holds/phase-order.ts';
import { evaluateCheck, hasReached } from './checks.ts';
import { type Members, type Recommendation, recommend, startConditions } from './step.ts';

type ShownRecommendation = Omit<Recommendation, 'reasons'> & { reasons: readonly ShownCondition[] };

export type PhaseView = Omit<PhaseState, 'confirmed'> & {
  name: string;
  after: readonly string[];
  reach: Goal;
  soakMinutes: number;
  decidedBy: Phase['decision'];
  cutovers: readonly { id: string; stage: string; reached: boolean }[];
  /** What a waiting phase needs before it starts; nothing once it has. */
  start: readonly ShownCondition[];
  criteria: readonly (ShownCondition & { manual: boolean })[];
  /** What the evidence says of its end; null when it does not run. */
  recommendation: ShownRecommendation | null;
};

export function viewPhases(
  phases: readonly Phase[],
  system: SystemState,
  members: Members,
  nowMs: number,
): PhaseView[] {
  return phases.map((phase) => {
    const { confirmed: _, ...state } = stateOfPhase(system, phase.name);
    const whole = stateOfPhase(system, phase.name);
    const own = phase.cutovers.map((id) => members.get(id));
    const runs = ['running', 'soaking', 'done'].includes(state.status);
    return {
      ...state,
      name: phase.name,
      after: phase.after,
      reach: phase.reach,
      soakMinutes: phase.soakMinutes,
      decidedBy: phase.decision,
      cutovers: phase.cutovers.map((id, i) => ({
        id,
        stage: own[i]?.state.stage ?? 'unknown',
        reached: own[i] !== undefined && hasReached(own[i].state, phase.reach),
      })),
      start: state.status === 'waiting' ? startConditions(phase, phases, system, members).map((one) => show(one)) : [],
      criteria: phase.criteria.map((check) => ({
        ...show(evaluateCheck(check, whole, own)),
        manual: 'manual' in check,
      })),
      recommendation: runs && state.status !== 'done' ? shown(recommend(phase, whole, members, nowMs)) : null,
    };
  });
}

const shown = ({ decision, reasons }: Recommendation): ShownRecommendation => ({
  decision,
  reasons: reasons.map((reason) => show(reason)),
});
