/** What the database itself obeys: the mirror row, the lists, the master switch of inline writes, the primary read-only. */

import type { TableSwitches } from '../../../ports/switches.ts';
import { callJson } from '../connection/calls.ts';
import type { Roles } from '../connection/roles.ts';
import { unlessUnknown } from '../connection/unless-unknown.ts';

/** Each waits half a second for the application's transactions. */
const LOCK_TRIES = 10;

export function postgresSwitches({ runtime, owner }: Roles): TableSwitches {
  return {
    mirror: (row) =>
      callJson(
        runtime,
        'SELECT crossfade.mirror($1::text, $2::text::bigint, $3::text::bigint, $4::text, $5::text::boolean, $6::text::integer, $7::text) AS result',
        [row.id, row.epoch, row.version, row.stage, row.shadowWrites, row.readPpm, row.salt],
      ),
    async setLists(lists) {
      const list = (name: string) => `ARRAY(SELECT pg_catalog.jsonb_array_elements_text(l -> '${name}'))`;
      const call = `SELECT crossfade.set_lists(l ->> 'id', ${list('allow')}, ${list('deny')}) FROM pg_catalog.jsonb_array_elements($1::text::jsonb) l`;
      const declared = JSON.stringify(lists.map(({ id, allow, deny }) => ({ id, allow, deny })));
      // A database that was not migrated yet knows no lists; everything else goes on.
      await unlessUnknown(runtime, 'set_lists', () => runtime.call(call, [declared]), []);
    },
    async switchInline(id, { version, enabled }) {
      const call = 'SELECT crossfade.switch_inline($1::text, $2::text::bigint, $3::text::boolean)';
      await runtime.call(call, [id, version, enabled]);
    },
    makeReadOnly: (id, epoch, seconds) =>
      callJson(
        owner,
        'SELECT crossfade.set_read_only($1::text, $2::text::bigint, $3::text::integer) AS result',
        [id, epoch, seconds],
        { attempts: LOCK_TRIES },
      ),
    async endReadOnly(id) {
      const ended = await callJson<boolean>(runtime, 'SELECT crossfade.end_read_only($1::text) AS result', [id]);
      if (ended) await owner.call('SELECT crossfade.drop_read_only($1::text)', [id]);
      return ended;
    },
  };
}
