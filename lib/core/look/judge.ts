/** From what was read of a cutover to what follows: gates, holds and alert rules, each asked once. Pure. */

import type { Alert } from '../alerts/alert.ts';
import { rulesOf } from '../alerts/rule.ts';
import { demands, evaluateRules } from '../alerts/watch.ts';
import { idOf } from '../conditions/condition.ts';
import type { Verdict } from '../conditions/verdict.ts';
import { syncsShadow } from '../cutover/stage-kinds.ts';
import { evaluateGates } from '../gates/evaluate.ts';
import { pendingCondition, storedPending } from '../gates/pending.ts';
import { cohortHold, fellBehind, type Peer, withHold } from '../holds/cohort.ts';
import { criteriaDemands } from '../holds/criteria.ts';
import { demandsOf } from '../holds/demands.ts';
import { armedHold } from '../holds/existence.ts';
import { forwardsCondition } from '../holds/forwards.ts';
import { shapeConditions } from '../holds/shape.ts';
import { decide } from '../stage/decide.ts';
import type { Decision } from '../stage/decision.ts';
import { TICK } from '../stage/events.ts';
import { rulesFor } from '../stage/rules.ts';
import type { Judgement, Snapshot } from './snapshot.ts';

export type { Peer };

export function judge(snapshot: Snapshot): Judgement {
  const { declaration, state, policy, table, last, waits, forwards, nowMs } = snapshot;
  const demanded = demandsOf(snapshot);
  const alerted = demands(alertRules(snapshot), snapshot.alerts, { ...sampleOf(snapshot), verdict: null });
  const own = criteriaDemands(snapshot);
  const armed = armedHold(state, table);
  const follows = syncsShadow(state);
  const { verdict, evidence } = evaluateGates({
    ...snapshot,
    evidence: last?.evidence ?? null,
    holds: [
      ...demanded.holds,
      ...alerted.holds,
      ...own.holds,
      ...(waits === null ? storedPending(state, last) : pendingCondition(state, waits, nowMs)),
      ...(armed ? [armed] : []),
      ...(follows ? shapeConditions(declaration.id, table) : []),
      ...(follows && state.kind !== 'table' ? [forwardsCondition(declaration.id, forwards, policy)] : []),
    ],
    guards: [...demanded.guards, ...alerted.guards, ...own.guards],
  });
  return { ...snapshot, verdict: withSince(verdict, snapshot), evidence };
}

/** Since when it is held, and each condition as it is. A look that found otherwise ends it, and so does another stage. */
function withSince(verdict: Verdict, { last, state, nowMs }: Snapshot): Verdict {
  const before = last && last.atMs >= state.enteredAtMs ? last.verdict : null;
  const since = new Map(before?.conditions.map((one) => [`${idOf(one)} ${one.ok}`, one.sinceMs]));
  const dated = new Map(
    verdict.conditions.map((one) => [one, { ...one, sinceMs: since.get(`${idOf(one)} ${one.ok}`) ?? nowMs }]),
  );
  const held = before?.verdict === 'hold' && before.heldSinceMs;
  return {
    ...verdict,
    conditions: [...dated.values()],
    reasons: verdict.reasons.map((reason) => dated.get(reason) ?? reason),
    ...(verdict.verdict === 'hold' ? { heldSinceMs: held || nowMs } : {}),
  };
}

/** The same with what the other members of its cohort have to say. */
export function judgeAmong(own: Judgement, peers: readonly Peer[]): Judgement {
  return { ...own, verdict: withHold(own.verdict, cohortHold(own.declaration.cohort ?? '', own, peers)) };
}

/** What a tick does with a judgement: next stage, rollback, or nothing. */
export function decideTick(
  { declaration, state, system, policy, verdict, nowMs }: Judgement,
  peers: readonly Peer[],
): Decision {
  const autoAdvance = policy.autoAdvance || fellBehind(state, peers);
  return decide(
    state,
    { type: 'tick', verdict, autoAdvance, autoRollback: policy.autoRollback },
    { nowMs, actor: TICK, emergencyStop: system.emergencyStop, ...rulesFor(declaration, state, system, nowMs) },
  );
}

/** The alerts of a cutover as its rules leave them. @param rolledBack why it has been rolled back just now, if it has */
export function alertsOf(judgement: Judgement, rolledBack: string | null): readonly Alert[] {
  const { verdict, evidence, alerts } = judgement;
  return evaluateRules(alertRules(judgement), alerts, {
    ...sampleOf(judgement),
    verdict,
    rolledBack,
    active: evidence.active,
  });
}

const alertRules = ({ policy, declaration }: Snapshot) => rulesOf(policy, declaration.alerts);

const sampleOf = (snapshot: Snapshot) => ({ ...snapshot, active: snapshot.last?.evidence?.active, rolledBack: null });
