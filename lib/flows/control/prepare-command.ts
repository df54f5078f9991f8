/** What a command must know before it can be decided: proof, the preview of its table, the way back, where its peers stand. */

import { CrossfadeError, isCrossfadeError } from '../../core/base/errors.ts';
import type { Condition } from '../../core/conditions/condition.ts';
import { show, textOf } from '../../core/conditions/show.ts';
import { hasRole } from '../../core/conditions/table.ts';
import {
  type CutoverDeclaration,
  type CutoverState,
  initialState,
  type Side,
  type StagePolicy,
  type SystemState,
} from '../../core/cutover/cutover.ts';
import { type BuiltInPlanName, builtInPlan, withHoldBack } from '../../core/cutover/plan.ts';
import type { PolicyKey } from '../../core/cutover/policy.ts';
import { shadowName } from '../../core/cutover/remote-shadow.ts';
import { isReadingStage, syncsShadow } from '../../core/cutover/stage-kinds.ts';
import { cohortBar, peersOf } from '../../core/holds/cohort.ts';
import { type HandedRehearsal, rehearsalObstacle } from '../../core/holds/rehearsal.ts';
import { carriesState, compareFlagAge } from '../../core/routing/flags.ts';
import { LEGAL_COMMANDS } from '../../core/stage/decide.ts';
import type { Command } from '../../core/stage/events.ts';
import type { Ports } from '../../ports/ports.ts';
import { tableCutover } from '../rows/table-of.ts';
import { newerText } from './arm-first.ts';
import { checkedChange } from './change-policy.ts';
import { type CollectPorts, collectAround } from './collect.ts';
import { readDeployed } from './deployed-flags.ts';
import { look, lookAmongPeers } from './look.ts';

/** What a person asks for. `confirm` is the cutover's id, typed again. */
export type AskedCommand =
  | { type: 'start'; plan?: BuiltInPlanName; dwellMinutes?: number; rehearsal?: HandedRehearsal }
  | { type: 'advance'; force?: boolean; reason?: string }
  | { type: 'approve' | 'pause' | 'resume' }
  | { type: 'policy'; stage?: string; set: StagePolicy; unset?: readonly PolicyKey[]; reason?: string }
  | { type: 'reads'; to: Side; reason: string }
  | { type: 'shadow-writes'; enabled: boolean; reason: string }
  | { type: 'rollback'; reason: string }
  | { type: 'complete'; confirm: string; force?: boolean; reason?: string }
  | { type: 'cleanup'; confirm: string; dropTracking?: boolean }
  | { type: 'reset'; confirm: string };

type Needs = CollectPorts & Pick<Ports, 'swapping'>;

/** Of whom a command is asked, among whom, in which state. */
export type Asked = {
  declarations: readonly CutoverDeclaration[];
  declaration: CutoverDeclaration;
  state: CutoverState;
  system: Pick<SystemState, 'emergencyStop'>;
};

/** Members of its cohort that have not come as far: a member that is ahead waits for them, by force too. */
export async function peersBehind(
  ports: Needs,
  { declarations, declaration, state }: Asked,
  command: AskedCommand,
): Promise<Condition[]> {
  if (command.type !== 'advance' && command.type !== 'complete') return [];
  const peers = await Promise.all(
    peersOf(declaration, declarations).map(
      async (peer) => (await ports.state.readCutover(peer.id)) ?? initialState(peer),
    ),
  );
  return cohortBar(declaration.cohort ?? '', state, peers);
}

/** What a command needs to know before it can be decided: proof, the preview of its table, the way back. */
export async function prepare(ports: Needs, asked: Asked, command: AskedCommand): Promise<Command> {
  const { declarations, declaration, state } = asked;
  const stopped = asked.system.emergencyStop;
  const verdict = async () => (await lookAmongPeers(ports, declarations, declaration, state)).verdict;
  const legal = (LEGAL_COMMANDS[state.stageKind] as readonly string[]).includes(command.type) && !state.pending;
  switch (command.type) {
    case 'start':
      if (legal && declaration.kind === 'table') await checkAlone(ports, declaration, declarations);
      if (legal && declaration.kind === 'table') await checkFence(ports, declaration, state);
      if (legal && declaration.kind === 'table') await checkTable(ports, declaration);
      if (legal && declaration.kind === 'table') await checkRehearsal(ports, declaration, command.rehearsal);
      return {
        type: 'start',
        plan: command.plan
          ? withHoldBack(builtInPlan(command.plan, command.dwellMinutes), declaration.policy.holdBackPercent)
          : declaration.plan,
      };
    case 'advance':
      if (legal && command.force && !stopped) await checkDeployed(ports, state, 'advance');
      return {
        ...command,
        force: command.force ?? false,
        verdict: legal ? await verdict() : null,
      };
    case 'complete':
      if (legal && command.force && !stopped) await checkDeployed(ports, state, 'complete');
      return {
        ...command,
        force: command.force ?? false,
        verdict: legal ? await verdict() : null,
      };
    case 'policy':
      return checkedChange(declaration, state, { unset: [], ...command, stage: command.stage ?? null });
    case 'reads':
      return {
        ...command,
        unready: legal && command.to === 'shadow' ? await unready(ports, declaration, state) : [],
      };
    case 'shadow-writes':
      // A reader that follows older flags would read what is not written any more. Where writes are off already there is none.
      if (legal && !command.enabled && isReadingStage(state) && state.switches.shadowWrites)
        await checkDeployed(ports, state, 'stop writing its shadow');
      return command;
    case 'rollback':
      if (legal && state.stageKind === 'completed') await checkWayBack(ports, declaration, state);
      return { ...command, cause: 'operator' };
    case 'cleanup':
      if (legal) await checkDeployed(ports, state, 'clean up');
      if (legal) await checkCriteria(ports, declaration, state);
      return command;
    default:
      return command;
  }
}

/** What a shadow must have that readers come back to: everything that waited, and no row that is known to differ. */
async function unready(ports: Needs, declaration: CutoverDeclaration, state: CutoverState): Promise<Condition[]> {
  const { verdict } = await look(ports, await collectAround(ports, [declaration]), declaration, { state });
  return verdict.conditions.filter((one) => !one.ok && hasRole(one, 'before_reads_return'));
}

/**
 * I29: readers are never further apart than two neighbouring stages, by force neither. After cleanup, a reader that
 * still follows older flags would ask for the side that it drops.
 */
async function checkDeployed(ports: Needs, state: CutoverState, what: string): Promise<void> {
  const deployed = await readDeployed(ports);
  if (carriesState(deployed?.document, state)) return;
  throw new CrossfadeError(
    'held',
    `Cutover '${state.id}' cannot ${what} yet: the flags of stage '${state.stage}' are not deployed, so readers may still act on an older stage. Every tick tries to deploy them; repeat the command after the next one.`,
    { retryable: true },
  );
}

/** After cleanup there is no way back, whatever a criterion says then. */
async function checkCriteria(ports: Needs, declaration: CutoverDeclaration, state: CutoverState): Promise<void> {
  if (!declaration.criteria) return;
  const { verdict } = await look(ports, await collectAround(ports, [declaration]), declaration, { state });
  const broken = verdict.conditions.filter((one) => !one.ok && hasRole(one, 'holds_cleanup'));
  if (broken.length === 0) return;
  throw new CrossfadeError(
    'held',
    `Cutover '${state.id}' cannot be cleaned up: ${textOf(broken)} After cleanup there is no way back. Roll back, correct it, or take the criterion out of the declaration.`,
    { details: { reasons: broken.map((one) => show(one)) } },
  );
}

/** Two cutovers on one table are refused when they are loaded; here, for one that was loaded otherwise. */
async function checkAlone(
  ports: Needs,
  declaration: CutoverDeclaration & { kind: 'table' },
  declarations: readonly CutoverDeclaration[],
): Promise<void> {
  const own = [declaration.table.primary, shadowName(declaration.table)];
  for (const other of declarations) {
    if (other.id === declaration.id || other.kind !== 'table') continue;
    const shared = own.find((table) => table === other.table.primary || table === shadowName(other.table));
    const state = shared === undefined ? null : await ports.state.readCutover(other.id);
    if (!state || !syncsShadow(state)) continue;
    throw new CrossfadeError(
      'conflict',
      `Cutover '${declaration.id}' cannot be started: '${other.id}' is moving table ${shared}, in stage '${state.stage}'. One cutover at a time moves a table.`,
    );
  }
}

/** What the database has seen of this cutover must not be newer than the state here: no start could ever arm it. */
async function checkFence(ports: Needs, { id }: CutoverDeclaration, state: CutoverState): Promise<void> {
  const status = await ports.inspecting.status(id);
  if (!status?.mirror || compareFlagAge(status.mirror, state) <= 0) return;
  throw new CrossfadeError('conflict', `Cutover '${id}' cannot be started: ${newerText(id, status.mirror, state)}`, {
    details: { mirror: status.mirror, armed: status.armed, epoch: state.epoch, version: state.version },
  });
}

async function checkTable(ports: Needs, declaration: CutoverDeclaration & { kind: 'table' }): Promise<void> {
  const preview = await ports.swapping.preview(tableCutover(declaration));
  if (preview.ok) return;
  const refused = preview.items.filter((item) => item.action === 'refuse');
  throw new CrossfadeError(
    'refused_table',
    `Cutover '${declaration.id}' cannot be started: ${refused.map((item) => `${item.object}: ${item.text}`).join(' ')} 'crossfade preview ${declaration.id}' shows everything.`,
    { details: { refused } },
  );
}

async function checkRehearsal(
  ports: Needs,
  declaration: CutoverDeclaration & { kind: 'table' },
  handed: HandedRehearsal = { seen: null, declaration: '' },
): Promise<void> {
  const { id, requireRehearsal: rule } = declaration;
  if (!rule) return;
  const shape = await ports.inspecting.shapeHash(tableCutover(declaration));
  const wanted = { id, rule, shape, declaration: handed.declaration };
  const why = rehearsalObstacle(handed.seen, wanted, ports.clock.now());
  if (why !== null) throw new CrossfadeError('held', `Cutover '${id}' cannot be started: ${why}`);
}

async function checkWayBack(ports: Needs, declaration: CutoverDeclaration, state: CutoverState): Promise<void> {
  if (declaration.kind !== 'table') return;
  const ready = await ports.swapping.rollbackReady(declaration.id).catch((error) => {
    // A database that does not answer now refuses no rollback: the intent is kept, and every tick tries.
    if (!(isCrossfadeError(error) && error.retryable)) throw error;
    ports.log.failure('way_back_unknown', error, { cutover: declaration.id });
    return { ready: true as const };
  });
  if (ready.ready) return;
  // The swap back landed after its intent was given up: the way has been taken, and only the state does not say so yet.
  const status = await ports.inspecting.status(declaration.id);
  if (status?.armed === 'none' && status.mirror?.epoch === state.epoch + 1) return;
  throw new CrossfadeError(
    'rollback_not_ready',
    `Cutover '${state.id}' cannot be rolled back without loss: ${ready.why}. Correct the row, wait for the next write of its key, and repeat.`,
    { details: { why: ready.why, key: ready.key } },
  );
}
