/** Completion of a shadow in another database, its way back and its end. Tables keep their names; what changes is which of them takes writes. */

import { quoteText } from '../../../core/table/shape.ts';
import type { Flow } from '../../../core/table/sql/names.ts';
import { dropFollowingObjects, followingObjects } from '../../../core/table/sql/remote/objects.ts';
import type { Swap, Swapping, SwapResult } from '../../../ports/swapping.ts';
import { whole } from '../capture/arming.ts';
import { sqlstateOf } from '../connection/connection.ts';
import { type CompiledRemote, compileRemote } from './compile.ts';
import { endShadow, handOver, NOT_NOW, SHORTLY, takeOver } from './handing-over.ts';
import { completionRefusals, previewRemote } from './preview.ts';
import type { Remote } from './remote.ts';
import { readSide, readSides, turned } from './sides.ts';

/**
 * @param here of the primary's database
 * @param there of the shadow's
 */
export function remoteSwapping(remote: Remote, here: Swapping, there: Swapping): Swapping {
  const { id, table } = remote.cutover;
  return {
    preview: () => previewRemote(remote),
    promote: (_, step) => promote(remote, step),
    revert: (_, step) => revert(remote, step),
    /** Whatever was handed over goes on to its end: then it cannot be given up. */
    async abandon(_, asked) {
      // Before completion the other database is not asked: it may be away.
      const side = await readSide(remote.primary.owner, id);
      const isAskedThere = side?.direction === 'reverse' && side.epoch < asked.toEpoch;
      const answer = await (isAskedThere ? there : here).abandon(id, asked);
      if (answer.kind === 'swapped') await takeOver(remote);
      return answer;
    },
    rollbackReady: async () => there.rollbackReady(id),
    async cleanup(_, epoch, { dropTracking = false, version } = {}) {
      if (dropTracking) {
        const why = `the tracking columns of ${table.shadow} are in another database: drop them there. Clean up without --drop-tracking.`;
        return { kind: 'refused', why };
      }
      const [before, after] = await readSides(remote);
      if (!before || (before.epoch === epoch + 1 && before.direction === 'none')) return { kind: 'already' };
      if (before.epoch !== epoch || before.direction !== 'reverse') {
        const why = `Cleanup of cutover '${id}' was asked for epoch ${epoch}; the database is at ${before.epoch}, ${before.direction === 'reverse' ? 'completed' : 'not completed'}. Nothing was dropped.`;
        return { kind: 'refused', why };
      }
      if (after?.epoch === epoch) await endShadow(remote, epoch, version);
      await takeOver(remote);
      return { kind: 'cleaned' };
    },
  };
}

const later = (why: string): SwapResult => ({ kind: 'postponed', why });

async function promote(remote: Remote, step: Swap): Promise<SwapResult> {
  const { id } = remote.cutover;
  const here = await readSide(remote.primary.owner, id);
  if (here?.direction === 'reverse' && here.epoch === step.toEpoch) {
    await takeOver(remote);
    return { kind: 'already' };
  }
  if (here?.direction !== 'forward' || here.epoch !== step.fromEpoch)
    return later(
      `Cutover '${id}' is not at epoch ${step.fromEpoch} with its changes captured: the next tick sees to it.`,
    );
  const compiled = await compileRemote(remote);
  const against = await completionRefusals(remote, compiled);
  if (against.length > 0) {
    const why = `Writes of cutover '${id}' cannot go to the other database: ${against.map(({ text }) => text).join('; ')}.`;
    return { kind: 'refused', why, items: against };
  }
  const closed = await shadowStaysClosed(remote, compiled.back, step);
  return closed ?? moved(remote, compiled, { leading: remote, step, receives: receiving(compiled, step) });
}

async function revert(remote: Remote, step: Swap): Promise<SwapResult> {
  const { id } = remote.cutover;
  await takeOver(remote);
  const [here, there] = await readSides(remote);
  if (here?.direction === 'none' && here.epoch === step.toEpoch) return { kind: 'already' };
  if (there?.direction !== 'reverse' || there.epoch !== step.fromEpoch)
    return later(`Cutover '${id}' is not at epoch ${step.fromEpoch} where its shadow is: the next tick sees to it.`);
  return moved(remote, await compileRemote(remote), { leading: turned(remote), step, receives: [] });
}

type Move = { leading: Remote; step: Swap; receives: readonly string[] };

/** From `leading`, which is `remote` or the same turned. */
async function moved(remote: Remote, compiled: CompiledRemote, { leading, step, receives }: Move): Promise<SwapResult> {
  const handed = await handOver(leading, step, { statements: receives, meaning: compiled.flow.meaning });
  if (handed.kind === 'postponed') return handed;
  await takeOver(remote, async () => compiled);
  const lockHeldMs = Math.round(remote.clock.monotonicMs() - handed.readOnlySinceMs);
  return { kind: 'swapped', lockHeldMs, waitedMs: 0, attempts: 1 };
}

/** The application had nothing to write there. Whom the primary refuses from now on must not find it open before its turn. */
async function shadowStaysClosed(
  { cutover, shadow }: Remote,
  { source }: Flow,
  { toEpoch }: Swap,
): Promise<SwapResult | null> {
  const call = `SELECT crossfade.stay_closed(${quoteText(cutover.id)}, ${source.oid}::oid, ${whole(toEpoch)})`;
  try {
    await shadow.connection.script(call, SHORTLY);
    return null;
  } catch (error) {
    if (sqlstateOf(error) !== NOT_NOW) throw error;
    return later(`Somebody else has completed cutover '${cutover.id}' meanwhile.`);
  }
}

/** The primary follows in the epoch that begins: batches of an earlier completion are stale. */
const receiving = ({ back }: { back: Flow }, { toEpoch }: Swap): readonly string[] => [
  ...dropFollowingObjects(back.id),
  ...followingObjects(back, toEpoch),
];
