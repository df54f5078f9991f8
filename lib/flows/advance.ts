/**
 * What happens to one cutover on a tick:
 *   1. an intent that is still pending is carried out or given up;
 *   2. the evidence is collected and judged;
 *   3. the stage machine decides: next stage, rollback, or stay;
 *   4. the decision is one conditional write. If somebody else moved first, nothing happens until the next tick.
 * Flags and Postgres follow afterwards, for all cutovers at once: see reconcile.
 */

import type { Alert } from '../core/alerts/alert.ts';
import { rulesOf } from '../core/alerts/rule.ts';
import { judgeAlerts } from '../core/alerts.ts';
import type { CutoverDeclaration, CutoverState, SystemState } from '../core/cutover.ts';
import { initialState } from '../core/cutover.ts';
import { rulesFor } from '../core/demands.ts';
import type { TableStatus } from '../core/evidence.ts';
import type { FlagDocument } from '../core/flags.ts';
import type { Verdict } from '../core/gates/verdict.ts';
import { policyOf } from '../core/policy.ts';
import { decide, TICK } from '../core/stage.ts';
import type { Ports } from '../ports.ts';
import { carryOut } from './carry-out.ts';
import { commit } from './commit.ts';
import { observe } from './observe.ts';

export type TickContext = {
  nowMs: number;
  system: SystemState;
  deployed: FlagDocument | null;
  /** As stored when the tick began. */
  alerts?: readonly Alert[];
};

export type Advanced = {
  state: CutoverState;
  verdict: Verdict;
  table: TableStatus | null;
  moved: string | null;
  /** The alerts of this cutover as its rules leave them; nothing of it is written yet. */
  alerts: readonly Alert[];
};

export async function advance(
  ports: Pick<Ports, 'state' | 'windows' | 'tables' | 'log'>,
  declaration: CutoverDeclaration,
  { nowMs, system, deployed, alerts: stored = [] }: TickContext,
): Promise<Advanced> {
  const found = (await ports.state.readCutover(declaration.id)) ?? initialState(declaration);
  const state = await carryOut(ports, declaration, found, nowMs, system.emergencyStop);

  const policy = policyOf(declaration, state);
  const observed = await observe(ports, declaration, state, deployed, nowMs, stored);
  const { verdict, table } = observed;
  const sample = { ...observed, state, policy, nowMs };
  const alerts = (rolledBack: string | null) =>
    judgeAlerts(rulesOf(policy, declaration.alerts), stored, { ...sample, rolledBack });
  const decision = decide(
    state,
    {
      type: 'tick',
      verdict,
      autoAdvance: policy.autoAdvance,
      autoRollback: policy.autoRollback,
    },
    { nowMs, actor: TICK, emergencyStop: system.emergencyStop, ...rulesFor(declaration, state, nowMs, system) },
  );
  if (decision.kind === 'refused') return { state, verdict, table, moved: null, alerts: alerts(null) };

  const result = await commit(ports, state, decision, { nowMs, actor: TICK });
  const after = result.kind === 'stale' ? result.current : result.kind === 'repeated' ? state : result.state;
  if (after.version > 0) await ports.state.writeVerdict(declaration.id, { atMs: nowMs, verdict });
  return {
    state: after,
    verdict,
    table,
    moved: after.stage === found.stage ? null : `${found.stage} → ${after.stage}`,
    alerts: alerts(after.stageKind === 'rolled_back' ? (after.rollback?.reason ?? null) : null),
  };
}
