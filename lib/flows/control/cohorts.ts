/** What a member of a cohort takes with it: its rollback rolls back its peers, and its advance by hand advances them. */

import type { Alert } from '../../core/alerts/alert.ts';
import type { Verdict } from '../../core/conditions/verdict.ts';
import {
  type CutoverDeclaration,
  type CutoverState,
  initialState,
  type SystemState,
} from '../../core/cutover/cutover.ts';
import { nextStage } from '../../core/cutover/plan.ts';
import { type CohortMember, cohortHold, peersOf, takesBack, withHold } from '../../core/holds/cohort.ts';
import type { FlagDocument } from '../../core/routing/flags.ts';
import { decide } from '../../core/stage/decide.ts';
import type { Command } from '../../core/stage/events.ts';
import { rulesFor } from '../../core/stage/rules.ts';
import type { Ports } from '../../ports/ports.ts';
import type { CarryOutPorts } from './carry-out.ts';
import { type By, commit } from './commit.ts';
import { type ObservePorts, observe } from './observe.ts';
import { readDeployed } from './reconcile.ts';
import { rollBackOne, undoable } from './roll-back-one.ts';

type Needs = CarryOutPorts & ObservePorts;

/** Level-triggered: whoever was under way when a peer was rolled back goes back, too; the ids that did. */
export async function rollBackMates(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  fallen: CutoverState,
  by: By,
): Promise<readonly string[]> {
  const declaration = declarations.find(({ id }) => id === fallen.id);
  const moved: string[] = [];
  if (!declaration || fallen.stageKind !== 'rolled_back' || !fallen.rollback) return moved;
  const reason = `cohort '${declaration.cohort}' moves as one, and ${fallen.id} was rolled back: ${fallen.rollback.reason}`;
  for (const peer of peersOf(declaration, declarations)) {
    try {
      const state = await ports.state.readCutover(peer.id);
      const which = (now: CutoverState) => undoable(now) && takesBack(fallen, now);
      if (!state || !which(state) || !(await wayBack(ports, peer, state))) continue;
      if (await rollBackOne(ports, peer, which, { ...by, reason, cause: fallen.rollback.cause })) moved.push(peer.id);
    } catch (error) {
      ports.log.failure('peer_not_rolled_back', error, { cutover: peer.id });
    }
  }
  return moved;
}

/** A promoted table that would lose rows stays until its key is mended; asking again and again would only fill its log. */
export async function wayBack(
  ports: Pick<Ports, 'swapping' | 'log'>,
  declaration: CutoverDeclaration,
  state: CutoverState,
): Promise<boolean> {
  if (declaration.kind !== 'table' || state.stageKind !== 'completed') return true;
  const ready = await ports.swapping.rollbackReady(declaration.id);
  if (!ready.ready) ports.log.event('way_back_closed', { cutover: declaration.id, why: ready.why });
  return ready.ready;
}

/** A member's verdict with what its peers have to say. */
export async function withMates(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  declaration: CutoverDeclaration,
  own: { state: CutoverState; verdict: Verdict },
  around: { nowMs: number; system: SystemState; deployed: FlagDocument | null; alerts: readonly Alert[] },
): Promise<Verdict> {
  const { nowMs, system, deployed, alerts } = around;
  const peers = await Promise.all(
    peersOf(declaration, declarations).map(async (peer): Promise<CohortMember> => {
      const state = (await ports.state.readCutover(peer.id)) ?? initialState(peer);
      const { verdict } = await observe(ports, peer, state, deployed, system, nowMs, { alerts });
      return { id: peer.id, state, verdict };
    }),
  );
  return withHold(own.verdict, cohortHold(declaration.cohort ?? '', { id: declaration.id, ...own }, peers));
}

/**
 * After one member was advanced by hand the others follow by the same hand: by force if it was, else by the proof that
 * let the leader go, in which every peer had its say. Whose flags are not deployed catches up later (I29).
 */
export async function advanceMates(
  ports: Needs & Pick<Ports, 'flags'>,
  declarations: readonly CutoverDeclaration[],
  leader: CutoverState,
  command: Extract<Command, { type: 'advance' }>,
  by: By & { system: SystemState },
): Promise<void> {
  const declaration = declarations.find(({ id }) => id === leader.id);
  const peers = declaration ? peersOf(declaration, declarations) : [];
  const deployed = peers.length > 0 ? (await readDeployed(ports))?.document : null;
  for (const peer of peers) {
    const state = await ports.state.readCutover(peer.id);
    const flag = deployed?.cutovers[peer.id];
    if (!state || flag?.version !== state.version || nextStage(state)?.name !== leader.stage) continue;
    const rules = rulesFor(peer, state, by.system, by.nowMs);
    // By force the leader went without proof of anybody: whether the peer's own shadow is there has to be looked at.
    const own = command.force
      ? { ...command, verdict: (await observe(ports, peer, state, deployed ?? null, by.system, by.nowMs)).verdict }
      : command;
    const decision = decide(state, own, { ...by, emergencyStop: by.system.emergencyStop, ...rules });
    if (decision.kind === 'refused') ports.log.event('peer_not_advanced', { cutover: peer.id, why: decision.message });
    else await commit(ports, state, decision, by);
  }
}
