/** Takes altered tables over while a cutover runs: what is generated follows them, and every row is copied and compared again. */

import { CrossfadeError } from '../../core/base/errors.ts';
import { type CutoverDeclaration, initialState } from '../../core/cutover/cutover.ts';
import { syncsShadow } from '../../core/cutover/stage-kinds.ts';
import type { Ports } from '../../ports/ports.ts';
import { audited } from './row-controls.ts';
import { tableCutover, tableOf } from './table-of.ts';

/** @throws CrossfadeError `illegal_transition`, `conflict`, `refused_table` with what stands against it */
export async function adopt(
  ports: Pick<Ports, 'clock' | 'state' | 'capture'>,
  declaration: CutoverDeclaration,
  request: { actor: string; reason?: string },
): Promise<{ note: string }> {
  const table = tableOf(declaration);
  const { id } = table;
  const state = (await ports.state.readCutover(id)) ?? initialState(declaration);
  if (!syncsShadow(state)) {
    throw new CrossfadeError(
      'illegal_transition',
      `Cutover '${id}' is in stage '${state.stage}', where nothing is armed: there is nothing to take over. A start takes the tables as they are.`,
    );
  }
  if (state.pending) {
    throw new CrossfadeError(
      'conflict',
      `The ${state.pending.action} of cutover '${id}' is still being carried out. Take the tables over after it.`,
      { retryable: true },
    );
  }
  const done = await ports.capture.adopt(tableCutover(table), state);
  if (done.kind === 'refused') throw new CrossfadeError('refused_table', done.why);
  if (done.kind === 'stale') {
    throw new CrossfadeError('conflict', `Cutover '${id}' moved on meanwhile. Nothing was changed; look at it again.`, {
      retryable: true,
    });
  }
  await audited(
    ports,
    table,
    { action: 'shape_adopted', ...(request.reason ? { reason: request.reason } : {}) },
    request.actor,
  );
  return {
    note: 'the tables are taken over as they are. Every row is copied and compared again; until that is done nothing is promoted or rolled back after a promotion.',
  };
}
