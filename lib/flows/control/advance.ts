/**
 * What happens to a cutover on a tick:
 *   1. settle: an intent that is still pending is carried out or given up;
 *   2. collect: what is known of the cutover is read, and its criteria are observed;
 *   3. judge: gates, holds and alert rules say what follows from that;
 *   4. decide: next stage, rollback, or stay;
 *   5. commit: the decision is one conditional write. If somebody else moved first, nothing happens until the next tick. An
 *      intent that it withdrew is settled at once.
 * The members of a cohort are all judged before the first one moves. Flags and Postgres follow afterwards, for all cutovers at
 * once: see reconcile.
 */

import type { Alert } from '../../core/alerts/alert.ts';
import type { CutoverDeclaration, CutoverState } from '../../core/cutover/cutover.ts';
import { alertsOf, decideTick, judge, judgeAmong, type Peer } from '../../core/look/judge.ts';
import type { Judgement } from '../../core/look/snapshot.ts';
import { TICK } from '../../core/stage/events.ts';
import { type CarryOutPorts, carryOut, settle } from './carry-out.ts';
import { rollBackPeers } from './cohorts.ts';
import { type Around, type CollectPorts, collect } from './collect.ts';
import { commit, noteRestart } from './commit.ts';
import { type ObservePorts, type Observing, observe } from './observe.ts';

export type AdvancePorts = CarryOutPorts & CollectPorts & ObservePorts;

/** What became of a cutover. */
export type Outcome = {
  id: string;
  /** With the state after the tick; null when the cutover could not be looked at, or its decision not be written. */
  judgement: Judgement | null;
  moved: string | null;
  problem?: string;
  /** Its alerts as the rules leave them; nothing of it is written yet. */
  alerts: readonly Alert[];
};

/** @param group a cutover alone, or all members of a cohort */
export async function advance(
  ports: AdvancePorts,
  group: readonly CutoverDeclaration[],
  around: Around,
  observing: Observing,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const failed = (id: string, error: unknown) => {
    ports.log.failure('advance_failed', error, { cutover: id });
    const problem = error instanceof Error ? error.message : String(error);
    outcomes.push({ id, judgement: null, moved: null, problem, alerts: [] });
  };
  const judged: { judgement: Judgement; from: string }[] = [];
  const peers: Peer[] = [];
  for (const declaration of group) {
    try {
      const { from, ...settled } = await settle(ports, declaration, around);
      const judgement = judge(await observe(ports, await collect(ports, around, declaration, settled), observing));
      judged.push({ judgement, from });
      peers.push(judgement);
    } catch (error) {
      peers.push({ id: declaration.id, state: null, verdict: null });
      failed(declaration.id, error);
    }
  }
  for (const { judgement, from } of judged) {
    const { id, nowMs } = judgement;
    try {
      const others = peers.filter((peer) => peer.id !== id);
      const own = judgeAmong(judgement, others);
      const state = await act(ports, own, others);
      const moved = state.stage === from ? null : `${from} → ${state.stage}`;
      const rolledBack = state.stageKind === 'rolled_back' ? (state.rollback?.reason ?? null) : null;
      outcomes.push({ id, judgement: { ...own, state }, moved, alerts: alertsOf(own, rolledBack) });
      await rollBackPeers(ports, group, state, { nowMs, actor: TICK });
    } catch (error) {
      failed(id, error);
    }
  }
  return outcomes;
}

/** Decides and commits. The state afterwards may be one that another caller wrote. */
async function act(ports: AdvancePorts, own: Judgement, peers: readonly Peer[]): Promise<CutoverState> {
  const { id, declaration, state, verdict, evidence, observations, flagsSeen, nowMs } = own;
  const decision = decideTick(own, peers);
  if (decision.kind === 'refused') return state;
  const result = await commit(ports, state, decision, { nowMs, actor: TICK });
  const decided = result.kind === 'stale' ? result.current : result.kind === 'repeated' ? state : result.state;
  const withdraws = result.kind === 'applied' && decided.pending?.withdrawn;
  const after = withdraws ? (await carryOut(ports, declaration, decided, { nowMs })).state : decided;
  if (after.version > 0) await ports.verdicts.write(id, { atMs: nowMs, verdict, evidence, observations, flagsSeen });
  return own.last?.evidence === null ? noteRestart(ports, after, { nowMs, actor: TICK }) : after;
}
