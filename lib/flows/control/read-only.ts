/**
 * The primary read-only, for the final catch-up: the application's writes to the table are refused for a bounded time, which
 * ends by itself, at promotion, and first of all at a rollback. Flags tell applications of it; those of one that ended by
 * itself are corrected by the next tick.
 */

import { CrossfadeError } from '../../core/base/errors.ts';
import type { CutoverDeclaration, CutoverState } from '../../core/cutover/cutover.ts';
import { isUnderWay } from '../../core/cutover/stage-kinds.ts';
import { audited } from '../rows/row-controls.ts';
import { tableOf } from '../rows/table-of.ts';
import { type ReconcilePorts, reconcile } from './reconcile.ts';

type Needs = ReconcilePorts;

/** @throws CrossfadeError `illegal_transition`, `conflict` */
export async function makeReadOnly(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  declaration: CutoverDeclaration,
  request: { seconds: number; reason: string; actor: string },
): Promise<{ untilMs: number }> {
  const { table, state } = await catchingUp(ports, declaration);
  const { seconds, reason, actor } = request;
  await audited(ports, table, { action: 'read_only_on', reason: `${seconds} s: ${reason}`.slice(0, 1_000) }, actor);
  const done = await ports.switches.makeReadOnly(table.id, state.epoch, seconds);
  if (done.kind === 'stale') {
    throw new CrossfadeError(
      'conflict',
      `The fence in Postgres is at epoch ${done.have} of cutover '${table.id}', the state at ${done.got}. Writes go on. Try again after the next tick.`,
      { retryable: true },
    );
  }
  const now = await ports.state.readCutover(table.id);
  if (now && leaves(now)) {
    await ports.switches.endReadOnly(table.id);
    throw new CrossfadeError('conflict', `Cutover '${table.id}' is being rolled back meanwhile: writes go on.`);
  }
  await tell(ports, declarations, declaration);
  return { untilMs: done.untilMs };
}

/** Also when nothing is refused, and in every stage: it only ever lets writes go on. */
export async function endReadOnly(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  declaration: CutoverDeclaration,
  request: { reason?: string; actor: string },
): Promise<{ ended: boolean }> {
  const table = tableOf(declaration);
  const ended = await ports.switches.endReadOnly(table.id);
  const { reason, actor } = request;
  if (ended) await audited(ports, table, { action: 'read_only_off', ...(reason ? { reason } : {}) }, actor);
  await tell(ports, declarations, declaration);
  return { ended };
}

/** Best effort: the refusal is in the database, and every tick publishes what is. */
async function tell(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  { id }: CutoverDeclaration,
): Promise<void> {
  await reconcile(ports, declarations).catch((error) => ports.log.failure('reconcile_failed', error, { cutover: id }));
}

const leaves = ({ stageKind, pending }: CutoverState) =>
  !isUnderWay({ stageKind }) || pending?.action === 'revert' || pending?.withdrawn !== undefined;

async function catchingUp(ports: Pick<Needs, 'state'>, declaration: CutoverDeclaration) {
  const table = tableOf(declaration);
  const [state, system] = await Promise.all([ports.state.readCutover(table.id), ports.state.readSystem()]);
  if (!state || leaves(state) || system.emergencyStop) {
    const seen = system.emergencyStop ? 'everything is stopped' : `it is in stage '${state?.stage ?? 'disabled'}'`;
    throw new CrossfadeError(
      'illegal_transition',
      `The primary of cutover '${table.id}' can be made read-only while it serves and its shadow follows, from dual_write to 100 %; ${seen}. Writes go on.`,
    );
  }
  return { table, state };
}
