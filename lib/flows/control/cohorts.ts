/** What a member of a cohort takes with it: its rollback rolls back its mates, and its advance by hand advances them. */

import type { Alert } from '../../core/alerts/alert.ts';
import type { Verdict } from '../../core/conditions/verdict.ts';
import {
  type CutoverDeclaration,
  type CutoverState,
  initialState,
  type SystemState,
} from '../../core/cutover/cutover.ts';
import { nextStage } from '../../core/cutover/plan.ts';
import { type CohortMember, cohortHold, matesOf, takesBack, withHold } from '../../core/holds/cohort.ts';
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

/** Level-triggered: whoever was under way when a mate was rolled back goes back, too; the ids that did. */
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
  for (const mate of matesOf(declaration, declarations)) {
    try {
      const state = await ports.state.readCutover(mate.id);
      const which = (now: CutoverState) => undoable(now) && takesBack(fallen, now);
      if (!state || !which(state) || !(await wayBack(ports, mate, state))) continue;
      if (await rollBackOne(ports, mate, which, { ...by, reason, cause: fallen.rollback.cause })) moved.push(mate.id);
    } catch (error) {
      ports.log.failure('mate_not_rolled_back', error, { cutover: mate.id });
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

/** A member's verdict with what its mates have to say. */
export async function withMates(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  declaration: CutoverDeclaration,
  own: { state: CutoverState; verdict: Verdict },
  around: { nowMs: number; system: SystemState; deployed: FlagDocument | null; alerts: readonly Alert[] },
): Promise<Verdict> {
  const { nowMs, system, deployed, alerts } = around;
  const mates = await Promise.all(
    matesOf(declaration, declarations).map(async (mate): Promise<CohortMember> => {
      const state = (await ports.state.readCutover(mate.id)) ?? initialState(mate);
      const { verdict } = await observe(ports, mate, state, deployed, system, nowMs, { alerts });
      return { id: mate.id, state, verdict };
    }),
  );
  return withHold(own.verdict, cohortHold(declaration.cohort ?? '', { id: declaration.id, ...own }, mates));
}

/**
 * After one member was advanced by hand the others follow by the same hand: by force if it was, else by the proof that
 * let the leader go, in which every mate had its say. Whose flags are not deployed catches up later (I29).
 */
export async function advanceMates(
  ports: Needs & Pick<Ports, 'flags'>,
  declarations: readonly CutoverDeclaration[],
  leader: CutoverState,
  command: Extract<Command, { type: 'advance' }>,
  by: By & { system: SystemState },
): Promise<void> {
  const declaration = declarations.find(({ id }) => id === leader.id);
  const mates = declaration ? matesOf(declaration, declarations) : [];
  const deployed = mates.length > 0 ? (await readDeployed(ports))?.document : null;
  for (const mate of mates) {
    const state = await ports.state.readCutover(mate.id);
    const flag = deployed?.cutovers[mate.id];
    if (!state || flag?.version !== state.version || nextStage(state)?.name !== leader.stage) continue;
    const rules = rulesFor(mate, state, by.system, by.nowMs);
    // By force the leader went without proof of anybody: whether the mate's own shadow is there has to be looked at.
    const own = command.force
      ? { ...command, verdict: (await observe(ports, mate, state, deployed ?? null, by.system, by.nowMs)).verdict }
      : command;
    const decision = decide(state, own, { ...by, emergencyStop: by.system.emergencyStop, ...rules });
    if (decision.kind === 'refused') ports.log.event('mate_not_advanced', { cutover: mate.id, why: decision.message });
    else await commit(ports, state, decision, by);
  }
}
