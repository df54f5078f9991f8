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

const TRIES = 3;

/** A call that begins a batch: an expression in SQL whose value is JSON, and its values from $1 on. */
export type Beginning = { sql: string; values: (string | number)[]; deadlineMs?: number };

/** Begins a batch. Where the answer was lost it may have begun, under a number that is not known: the one of this very call is over then. */
export async function beginning<Begun>({ cutover, primary, ids }: Remote, call: Beginning): Promise<Begun> {
  const { sql, values, ...limit } = call;
  const begunBy = ids.next();
  // OFFSET keeps it a query of its own, carried out before the function is called.
  const name = `SELECT pg_catalog.set_config('crossfade.begun_by', $${values.length + 1}::text, true) OFFSET 0`;
  const named = `SELECT ${sql} AS result FROM (${name}) AS named`;
  for (let tries = 1; ; tries += 1) {
    try {
      return await callJson<Begun>(primary.runtime, named, [...values, begunBy], { ...limit, attempts: 1 });
    } catch (error) {
      if (!isCrossfadeError(error) || !error.retryable || tries === TRIES) throw error;
      const end =
        'SELECT crossfade.end_batch(b.cutover, b.number) FROM crossfade.batch b WHERE b.cutover = $1::text AND b.begun_by = $2::text';
      await primary.owner.call(end, [cutover.id, begunBy]);
    }
  }
}

const TURN = 'SELECT pg_catalog.pg_sleep(0.01)';
/** A batch of changes takes no longer, unless its mover died: then its lease is waited for by the next call. */
const TURNS = 100;

/** Asks until the next batch is ours: the batch of changes that is under way is waited for. */
export async function whenFree<Begun extends { kind: string }>(remote: Remote, call: Beginning): Promise<Begun> {
  for (let turn = 1; ; turn += 1) {
    const begun = await beginning<Begun>(remote, call);
    if (begun.kind !== 'busy' || turn === TURNS) return begun;
    await remote.primary.runtime.call(TURN);
  }
}
