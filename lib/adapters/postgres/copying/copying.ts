/** The copy of the rows that were there before: chunk by chunk, and what it has to mind. */

import type { BackfillStep, Copying, Pressure } from '../../../ports/copying.ts';
import { functionName, whole } from '../capture/arming.ts';
import { callJson, longJson } from '../connection/calls.ts';
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
      return { ...seen, goOn: (await callJson<boolean | null>(runtime, `SELECT (${condition}) AS result`)) === true };
    },
  };
}
