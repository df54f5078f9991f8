/** What a member of a cohort takes with it: its rollback rolls back its peers, and its advance by hand advances them. */

import type { CutoverDeclaration, CutoverState } from '../../core/cutover/cutover.ts';
import { nextStage } from '../../core/cutover/plan.ts';
import { peersOf, takesBack } from '../../core/holds/cohort.ts';
import { carriesState } from '../../core/routing/flags.ts';
import { decide } from '../../core/stage/decide.ts';
import type { Command } from '../../core/stage/events.ts';
import { rulesFor } from '../../core/stage/rules.ts';
import type { Ports } from '../../ports/ports.ts';
import type { CarryOutPorts } from './carry-out.ts';
import { type CollectPorts, collectAround, stateIn } from './collect.ts';
import { type By, commit } from './commit.ts';
import { look } from './look.ts';
import { rollBackOne, undoable } from './roll-back-one.ts';

type Needs = CarryOutPorts & CollectPorts;

/** Level-triggered: a member that was under way when a peer was rolled back goes back, too; the ids that did. */
export async function rollBackPeers(
  ports: CarryOutPorts,
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

/** A promoted table that would lose rows stays until its key is corrected; asking again and again would only fill its log. */
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

/**
 * After one member was advanced by hand the others follow by the same hand: by force if it was, else by the proof that
 * let the leader go, in which every peer had its say. A peer whose flags are not deployed catches up later (I29).
 */
export async function advancePeers(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  leader: CutoverState,
  { command, ...by }: By & { command: Extract<Command, { type: 'advance' }> },
): Promise<void> {
  const declaration = declarations.find(({ id }) => id === leader.id);
  const peers = declaration ? peersOf(declaration, declarations) : [];
  if (peers.length === 0) return;
  const around = await collectAround(ports, peers);
  for (const peer of peers) {
    const state = stateIn(around, peer);
    if (!carriesState(around.deployed?.document, state) || nextStage(state)?.name !== leader.stage) continue;
    // By force the leader went without proof of its peers: whether the peer's own shadow is there has to be looked at.
    const own = command.force ? { ...command, verdict: (await look(ports, around, peer)).verdict } : command;
    const decision = decide(state, own, {
      ...by,
      emergencyStop: around.system.emergencyStop,
      ...rulesFor(peer, state, around.system, by.nowMs),
    });
    if (decision.kind === 'refused') ports.log.event('peer_not_advanced', { cutover: peer.id, why: decision.message });
    else await commit(ports, state, decision, by);
  }
}
