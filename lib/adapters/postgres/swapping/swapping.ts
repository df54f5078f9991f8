/** Promotion, its way back and its end, by the owner of the tables. */

import { conditionText } from '../../../core/conditions/show.ts';
import { shapeConditions } from '../../../core/holds/shape.ts';
import type { Swapping } from '../../../ports/swapping.ts';
import { callJson } from '../connection/calls.ts';
import type { Roles } from '../connection/roles.ts';
import { tableStatuses } from '../inspecting/statuses.ts';
import { cleanup } from './cleanup.ts';
import { previewTable } from './preview-table.ts';
import { promote, revert } from './swap.ts';

export function postgresSwapping({ runtime, owner }: Roles): Swapping {
  return {
    preview: (cutover, look) => previewTable(owner, cutover, look?.scanMs),
    promote: (cutover, swap) => promote(owner, runtime, cutover, swap),
    revert: (cutover, swap) => revert(owner, runtime, cutover, swap),
    abandon: (id, { toEpoch, version }) =>
      callJson(owner, 'SELECT crossfade.abandon($1::text, $2::text::bigint, $3::text::bigint) AS result', [
        id,
        toEpoch,
        version,
      ]),
    async rollbackReady(id) {
      const status = (await tableStatuses(runtime, [id])).get(id);
      if (status?.armed !== 'reverse') {
        return { ready: false, why: 'the old table is not kept equal any more', key: null };
      }
      const first = status.quarantine[0];
      const [changed] = shapeConditions(id, status);
      if (!first) return changed ? { ready: false, why: conditionText(changed), key: null } : { ready: true };
      const why = `${status.quarantined} keys cannot go back to the old table; first ${first.key}: SQLSTATE ${first.sqlstate}, ${first.reason}`;
      return { ready: false, why, key: first.key };
    },
    cleanup: (cutover, epoch, options) => cleanup(owner, cutover, epoch, options),
  };
}
