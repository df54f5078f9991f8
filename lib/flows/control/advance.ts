/**
 * What happens to one cutover on a tick:
 *   1. an intent that is still pending is carried out or given up;
 *   2. the evidence is collected and judged;
 *   3. the stage machine decides: next stage, rollback, or stay;
 *   4. the decision is one conditional write. If somebody else moved first, nothing happens until the next tick. An intent that
 *      it withdrew is seen to at once.
 * The first two are `look`, the others `act`: between them the members of a cohort hear of each other.
 * Flags and Postgres follow afterwards, for all cutovers at once: see reconcile.
 */

import type { Alert } from '../../core/alerts/alert.ts';
import { rulesOf } from '../../core/alerts/rule.ts';
import { judgeAlerts } from '../../core/alerts/watch.ts';
import type { Verdict } from '../../core/conditions/verdict.ts';
import type { CutoverDeclaration, CutoverState, SystemState } from '../../core/cutover/cutover.ts';
import { initialState } from '../../core/cutover/cutover.ts';
import { policyOf } from '../../core/cutover/policy.ts';
import type { CopiesSummary } from '../../core/forwards/forward.ts';
import type { TableStatus } from '../../core/gates/evidence.ts';
import { cohortHold, fellBehind, withHold } from '../../core/holds/cohort.ts';
import type { FlagDocument } from '../../core/routing/flags.ts';
import { decide } from '../../core/stage/decide.ts';
import { TICK } from '../../core/stage/events.ts';
import { rulesFor } from '../../core/stage/rules.ts';
import type { Ports } from '../../ports/ports.ts';
import type { TablesAsked } from '../rows/ask-tables.ts';
import { type CarryOutPorts, carryOut } from './carry-out.ts';
import { commit } from './commit.ts';
import { type Observed, type ObservePorts, observe } from './observe.ts';

export type TickContext = {
  nowMs: number;
  system: SystemState;
  deployed: FlagDocument | null;
  /** As stored when the tick began, by cutover; none for those that were never started. */
  states: ReadonlyMap<string, CutoverState | { invalid: string }>;
  alerts: ReadonlyMap<string, readonly Alert[]>;
  /** As the database said after the states were read. */
  tables: TablesAsked;
};

/** A cutover as it was seen. */
export type Looked = Observed & { id: string; from: string; state: CutoverState };
/** `state` null: it could not be looked at. */
export type Peer = Looked | { id: string; state: null; verdict: null };

export type Advanced = {
  state: CutoverState;
  verdict: Verdict;
  table: TableStatus | null;
  copies: CopiesSummary | null;
  moved: string | null;
  /** The alerts of this cutover as its rules leave them; nothing of it is written yet. */
  alerts: readonly Alert[];
};

export async function look(
  ports: CarryOutPorts & ObservePorts,
  declaration: CutoverDeclaration,
  { nowMs, system, deployed, states, alerts, tables }: TickContext,
): Promise<Looked> {
  const { id } = declaration;
  const stored = states.get(id) ?? initialState(declaration);
  // What waits to be carried out is looked at once more, and what is no state says why.
  const again = 'invalid' in stored || stored.pending !== null;
  const found = again ? ((await ports.state.readCutover(id)) ?? initialState(declaration)) : stored;
  const { state, waits } = await carryOut(ports, declaration, found, nowMs, system.emergencyStop);
  // What was carried out since has changed what the database says.
  const more = { alerts: alerts.get(id), waits, ...(again ? {} : { tables }) };
  const observed = await observe(ports, declaration, state, deployed, system, nowMs, more);
  return { ...observed, id, from: found.stage, state };
}

export async function act(
  ports: CarryOutPorts & Pick<Ports, 'verdicts'>,
  declaration: CutoverDeclaration,
  looked: Looked,
  peers: readonly Peer[],
  { nowMs, system, alerts: known }: TickContext,
): Promise<Advanced> {
  const { from, state, evidence, table, copies } = looked;
  const policy = policyOf(declaration, state);
  const verdict = withHold(looked.verdict, cohortHold(declaration.cohort ?? '', looked, peers));
  const sample = { ...looked, verdict, policy, nowMs, active: evidence.active };
  const alerts = (rolledBack: string | null) =>
    judgeAlerts(rulesOf(policy, declaration.alerts), known.get(declaration.id) ?? [], { ...sample, rolledBack });
  const decision = decide(
    state,
    {
      type: 'tick',
      verdict,
      autoAdvance: policy.autoAdvance || fellBehind(state, peers),
      autoRollback: policy.autoRollback,
    },
    { nowMs, actor: TICK, emergencyStop: system.emergencyStop, ...rulesFor(declaration, state, system, nowMs) },
  );
  if (decision.kind === 'refused') return { state, verdict, table, copies, moved: null, alerts: alerts(null) };

  const result = await commit(ports, state, decision, { nowMs, actor: TICK });
  const decided = result.kind === 'stale' ? result.current : result.kind === 'repeated' ? state : result.state;
  const withdraws = result.kind === 'applied' && decided.pending?.withdrawn;
  const after = withdraws ? (await carryOut(ports, declaration, decided, nowMs)).state : decided;
  if (after.version > 0) await ports.verdicts.write(declaration.id, { atMs: nowMs, verdict, evidence });
  return {
    state: after,
    verdict,
    table,
    copies,
    moved: after.stage === from ? null : `${from} → ${after.stage}`,
    alerts: alerts(after.stageKind === 'rolled_back' ? (after.rollback?.reason ?? null) : null),
  };
}
