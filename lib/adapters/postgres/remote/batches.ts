/** What every batch does beside its rows: it ends, and the epoch in force is brought to the shadow's side. */

import { isCrossfadeError } from '../../../core/base/errors.ts';
import { whole } from '../capture/arming.ts';
import { callJson } from '../connection/calls.ts';
import type { Remote } from './remote.ts';

/** A higher epoch only, whatever the order of those who bring one: who asks has seen it in force where the primary is. */
export async function bringEpoch({ cutover, shadow }: Remote, epoch: number): Promise<void> {
  await shadow.connection.call(
    `UPDATE crossfade.accepted_batch a SET epoch = ${whole(epoch)} WHERE a.cutover = $1::text AND a.epoch < ${whole(epoch)}`,
    [cutover.id],
  );
}

/** The next batch may begin at once. */
export const endBatch = ({ cutover, primary }: Remote, number: number, attempts = 3): Promise<boolean> =>
  callJson(
    primary.runtime,
    'SELECT crossfade.end_batch($1::text, $2::text::bigint) AS result',
    [cutover.id, whole(number)],
    { attempts },
  );

/** The work of a batch. One that fails is over; where the primary does not answer either, its lease ends it. */
export async function endingBatch<T>(remote: Remote, number: number, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await endBatch(remote, number, 1).catch((failure) => {
      if (!isCrossfadeError(failure)) throw failure;
    });
    throw error;
  }
}

/** Of the call that begins a batch: `beginning` repeats it. */
export const ONCE = { attempts: 1 };
const TRIES = 3;

/**
 * Begins a batch. Where the answer was lost it may have begun, under a number that is not known: whichever is under way is over then. That it is
 * another mover's is seldom, and costs that one its batch, which the next one has again.
 */
export async function beginning<Begun>({ cutover, primary }: Remote, begin: () => Promise<Begun>): Promise<Begun> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await begin();
    } catch (error) {
      if (!isCrossfadeError(error) || !error.retryable || tries === TRIES) throw error;
      await primary.owner.call(
        'SELECT crossfade.end_batch(b.cutover, b.number) FROM crossfade.batch b WHERE b.cutover = $1::text',
        [cutover.id],
      );
    }
  }
}

const TURN = 'SELECT pg_catalog.pg_sleep(0.01)';
/** A batch of changes takes no longer, unless its mover died: then its lease is waited for by the next call. */
const TURNS = 100;

/** Asks until the next batch is ours: the batch of changes that is under way is waited for. */
export async function whenFree<Begun extends { kind: string }>(
  remote: Remote,
  begin: () => Promise<Begun>,
): Promise<Begun> {
  for (let turn = 1; ; turn += 1) {
    const begun = await beginning(remote, begin);
    if (begun.kind !== 'busy' || turn === TURNS) return begun;
    await remote.primary.runtime.call(TURN);
  }
}
