/** Drops the shadow of a table cutover that is not under way: destructive, so it wants its name typed again and a reason. */

import { CrossfadeError } from '../../core/base/errors.ts';
import { type CutoverDeclaration, initialState } from '../../core/cutover/cutover.ts';
import { isIdle } from '../../core/cutover/stage-kinds.ts';
import type { Ports } from '../../ports/ports.ts';
import { audited } from './row-controls.ts';
import { tableCutover, tableOf } from './table-of.ts';

/** @throws CrossfadeError `confirm_required`, `illegal_transition`, `refused_table`, `conflict` */
export async function removeShadow(
  ports: Pick<Ports, 'clock' | 'state' | 'capture'>,
  declaration: CutoverDeclaration,
  request: { confirm: string; reason: string; actor: string },
): Promise<{ removed: boolean; note: string }> {
  const table = tableOf(declaration);
  const { id } = table;
  if (request.confirm !== id) {
    throw new CrossfadeError(
      'confirm_required',
      `Dropping the shadow of cutover '${id}' needs "confirm" with its id, got '${request.confirm.slice(0, 60)}'. Nothing was dropped.`,
    );
  }
  const state = (await ports.state.readCutover(id)) ?? initialState(declaration);
  if (!isIdle(state)) {
    throw new CrossfadeError(
      'illegal_transition',
      `Cutover '${id}' is in stage '${state.stage}', where its shadow is in use. 'crossfade rollback ${id} --reason …' comes first. Nothing was dropped.`,
    );
  }
  await audited(ports, table, { action: 'shadow_removed', reason: request.reason }, request.actor);
  const done = await ports.capture.removeShadow(tableCutover(table), state);
  if (done.kind === 'refused') throw new CrossfadeError('refused_table', done.why);
  if (done.kind === 'stale') {
    throw new CrossfadeError('conflict', `Cutover '${id}' was started meanwhile. Nothing was dropped.`, {
      retryable: true,
    });
  }
  const { shadow, primary } = table.table;
  const note =
    done.kind === 'already'
      ? `${shadow} was not there.`
      : `${shadow} is gone; only a backup brings it back. ${primary} was not touched.`;
  return { removed: done.kind === 'removed', note };
}
