/**
 * Cutovers of one cohort share a salt and move as one: the front waits until every member is there and may advance, and
 * a member that fell behind catches up first. Pure.
 */

import { type Condition, condition, idOf } from '../conditions/condition.ts';
import type { Verdict } from '../conditions/verdict.ts';
import type { CutoverDeclaration, CutoverState } from '../cutover/cutover.ts';

/** A member of a cohort as the others see it. `state` null: it could not be looked at. */
export type Peer = { id: string; state: CutoverState | null; verdict: Verdict | null };

/** The declarations in groups that are decided together: a cohort, or one cutover alone. */
export function groupsOf<D extends Pick<CutoverDeclaration, 'id' | 'cohort'>>(declarations: readonly D[]): D[][] {
  const groups = new Map<string, D[]>();
  for (const declaration of declarations) {
    const key = declaration.cohort === undefined ? `alone ${declaration.id}` : `cohort ${declaration.cohort}`;
    groups.set(key, [...(groups.get(key) ?? []), declaration]);
  }
  return [...groups.values()];
}

export const peersOf = <D extends Pick<CutoverDeclaration, 'id' | 'cohort'>>(
  declaration: Pick<CutoverDeclaration, 'id' | 'cohort'>,
  declarations: readonly D[],
): D[] =>
  declaration.cohort === undefined
    ? []
    : declarations.filter(({ id, cohort }) => cohort === declaration.cohort && id !== declaration.id);

/** Whether its peers let a member go on; null without peers. Their plans have the same stages: that is checked at load. */
export function cohortHold(cohort: string, member: Peer, peers: readonly Peer[]): Condition | null {
  if (peers.length === 0 || !member.state) return null;
  const place = placeOf(member.state);
  const reasons = peers.flatMap((peer) => {
    if (!peer.state || !peer.verdict) return [`${peer.id} could not be looked at`];
    if (placeOf(peer.state) < place) return [`${peer.id} is still in ${peer.state.stage}`];
    if (placeOf(peer.state) > place || peer.verdict.verdict === 'advance') return [];
    return [`${peer.id} is held by ${peer.verdict.reasons.map(idOf).join(', ') || peer.verdict.verdict}`];
  });
  return condition('cohort', {
    ok: reasons.length === 0,
    seen: reasons.length,
    limit: 0,
    says:
      reasons.length === 0
        ? `Every member of cohort '${cohort}' may go on.`
        : `Cohort '${cohort}' moves as one: ${reasons.join('; ')}.`,
    release: { wait: 'peers' },
  });
}

/** The same without evidence, for an advance by force: a member that is ahead waits for its peers all the same. */
export function cohortBar(cohort: string, state: CutoverState, peers: readonly CutoverState[]): Condition[] {
  const behind = peers.filter((peer) => placeOf(peer) < placeOf(state));
  return behind.map((peer) =>
    condition('cohort', {
      ok: false,
      seen: peer.stage,
      limit: state.stage,
      says: `Cohort '${cohort}' moves as one, by force too, and ${peer.id} is still in ${peer.stage}.`,
      release: { wait: 'peers' },
    }),
  );
}

/** True when a peer is further: this member goes on as soon as its own proof is there. */
export const fellBehind = (state: CutoverState, peers: readonly Peer[]): boolean =>
  peers.some((peer) => peer.state !== null && placeOf(peer.state) > placeOf(state));

/** Whether a peer's rollback takes this member with it: it happened while the member was under way. */
export const takesBack = ({ rollback }: CutoverState, member: CutoverState): boolean =>
  rollback !== null &&
  rollback.cause !== 'emergency' &&
  member.started !== null &&
  rollback.atMs >= member.started.atMs;

function placeOf({ plan, stage, stageKind }: CutoverState): number {
  if (stageKind === 'rolled_back') return -1;
  return stageKind === 'cleaned' ? plan.stages.length : plan.stages.findIndex(({ name }) => name === stage);
}

/** A verdict with one more condition. */
export function withHold(verdict: Verdict, hold: Condition | null): Verdict {
  if (!hold) return verdict;
  const conditions = [...verdict.conditions, hold];
  if (hold.ok || verdict.verdict === 'rollback') return { ...verdict, conditions };
  return { ...verdict, verdict: 'hold', conditions, reasons: [...verdict.reasons, hold] };
}
