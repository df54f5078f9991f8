/** Capture where the primary is, as for every cutover; what receives batches where the shadow is. */

import { quoteText } from '../../../core/table/shape.ts';
import {
  dropCapture,
  dropFollowingObjects,
  dropLeadingObjects,
  followingObjects,
  leadingObjects,
} from '../../../core/table/sql/remote/objects.ts';
import type { Capture } from '../../../ports/capture.ts';
import { disarmStatements, fenced, PROGRESS, sharedTables, whole } from '../capture/arming.ts';
import { recordShape, recordUsed } from '../capture/shape.ts';
import { compileRemote, refused } from './compile.ts';
import type { Remote } from './remote.ts';

export function remoteCapture(remote: Remote): Pick<Capture, 'arm' | 'adopt' | 'forget' | 'removeShadow'> {
  const { owner } = remote.primary;
  const { connection } = remote.shadow;
  const { id, table } = remote.cutover;
  const never = (why: string) => Promise.resolve({ kind: 'refused' as const, why });
  return {
    async arm(_, fence) {
      const { flow, directions } = await compileRemote(remote, 'start');
      const { source } = flow;
      const shared = await sharedTables(owner, id, [source.oid]);
      if (shared.length > 0) throw refused(remote, shared);
      const objects = leadingObjects(flow);
      // What receives is there before anything is sent. After an earlier completion the shadow takes no writes of the application, and goes on so.
      const receives = [dropCapture(id), ...dropLeadingObjects(id), ...followingObjects(flow)].join(';\n');
      await connection.script(receives, { settings: flow.meaning! });
      const statements = [
        `SELECT crossfade.hold_shape(ARRAY[${source.oid}]::oid[])`,
        `SELECT crossfade.refuse_shared(${quoteText(id)}, ARRAY[${source.oid}]::oid[])`,
        ...objects.drop,
        ...dropFollowingObjects(id),
        // Its shadow has no number here.
        `INSERT INTO crossfade.cutover (id, primary_oid, shadow_oid, primary_name, shadow_name, direction, armed_epoch, armed_version)
           VALUES (${quoteText(id)}, ${source.oid}, 0, ${quoteText(source.name)}, ${quoteText(flow.target.name)}, 'forward', ${whole(fence.epoch)}, ${whole(fence.version)})
           ON CONFLICT (id) DO UPDATE SET primary_oid = EXCLUDED.primary_oid, shadow_oid = 0, primary_name = EXCLUDED.primary_name,
             shadow_name = EXCLUDED.shadow_name, direction = 'forward'`,
        ...PROGRESS.map((name) => `DELETE FROM crossfade.${name} WHERE cutover = ${quoteText(id)}`),
        `INSERT INTO crossfade.backfill (cutover, rows_total, shadow_had_rows) VALUES (${quoteText(id)}, ${Math.round(source.estimatedRows)}, true)`,
        ...objects.create,
        recordUsed(id, directions),
        recordShape(id),
      ];
      return (await fenced(owner, id, fence, statements)) ?? { kind: 'armed' };
    },
    adopt: () =>
      never(
        `The shadow of cutover '${id}' is in another database. Roll the cutover back, reset it and start it again: the copy begins again.`,
      ),
    async forget(_, fence) {
      const nothingLeft = [
        ...disarmStatements(id),
        ...dropLeadingObjects(id),
        ...dropFollowingObjects(id),
        ...PROGRESS.map((name) => `DELETE FROM crossfade.${name} WHERE cutover = ${quoteText(id)}`),
      ];
      const outrun = await fenced(owner, id, fence, nothingLeft);
      if (outrun) return outrun;
      const there = [...nothingLeft, `DELETE FROM crossfade.cutover WHERE id = ${quoteText(id)}`];
      await connection.script(there.join(';\n'), { attempts: 10, settings: { lock_timeout: '500ms' } });
      return { kind: 'forgotten' };
    },
    removeShadow: () =>
      never(`${table.shadow} is in another database, '${table.connection}': drop it there when nothing reads it.`),
  };
}
