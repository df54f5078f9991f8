/** The copy of the rows that were there before: chunk by chunk, and what it has to mind. */

import { CrossfadeError } from '../../../core/base/errors.ts';
import type { BackfillStep, Copying, Pressure } from '../../../ports/copying.ts';
import { functionName, whole } from '../capture/arming.ts';
import { isNotFound, NAMED_IN_FULL, queryObjection } from '../capture/resolve.ts';
import { callJson, longJson } from '../connection/calls.ts';
import { sqlstateOf } from '../connection/connection.ts';
import type { Roles } from '../connection/roles.ts';
import { unlessUnknown } from '../connection/unless-unknown.ts';
import { buildNextIndex } from './indexes-aside.ts';
import { rehearseCopy } from './rehearsal.ts';

export function postgresCopying({ runtime, owner }: Roles): Copying {
  return {
    async unfinished() {
      const found = await runtime.call<{ id: string }>('SELECT id FROM crossfade.unfinished_backfills() u(id)');
      return found.map(({ id }) => id);
    },
    async backfill(id, epoch, rows) {
      const call = `SELECT crossfade.${functionName('backfill', id)}(${whole(epoch)}, ${whole(rows)}) AS result`;
      const copied = () => longJson<BackfillStep>(runtime, call);
      return unlessUnknown(runtime, `backfill_${id}`, copied, { kind: 'stale', have: -1, got: epoch });
    },
    controlBackfill: (id, epoch, action) =>
      callJson(runtime, 'SELECT crossfade.control_backfill($1::text, $2::text::bigint, $3::text) AS result', [
        id,
        epoch,
        action,
      ]),
    buildIndex: (id, withinMs) => buildNextIndex(owner, id, withinMs),
    rehearse: (cutover) => rehearseCopy(owner, cutover),
    async pressure({ id, table }) {
      const call = 'SELECT crossfade.pressure($1::text) AS result';
      const seen = await callJson<Omit<Pressure, 'goOn'>>(runtime, call, [id]);
      const condition = table.backfill?.whileSql;
      if (condition === undefined) return { ...seen, goOn: true };
      return { ...seen, goOn: await holds({ runtime, owner }, id, `SELECT (${condition}) AS result`) };
    },
  };
}

/** A condition of the user's own, asked by the runtime role. */
async function holds({ runtime, owner }: Roles, id: string, query: string): Promise<boolean> {
  const against = await queryObjection(owner, query, []);
  const refused = (why: string) =>
    new CrossfadeError('refused_table', `The whileSql of cutover '${id}' cannot be asked: ${why}`);
  if (against !== null) throw refused(`${against}.`);
  try {
    return (await callJson<boolean | null>(runtime, query)) === true;
  } catch (error) {
    if (isNotFound(sqlstateOf(error) ?? ''))
      throw refused(`${(error as CrossfadeError).details.said}. ${NAMED_IN_FULL}`);
    throw error;
  }
}
