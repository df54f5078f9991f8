/** What people may do about rows: keys in quarantine, the copy of existing rows; and what that copy has to mind. */

import type { DataPlane, Pressure } from '../../ports.ts';
import { functionName } from './arming.ts';
import type { PgGateway } from './gateway.ts';
import { unlessUnknown } from './unless-unknown.ts';

type RowControls = Pick<
  DataPlane,
  'pressure' | 'controlBackfill' | 'quarantined' | 'retryQuarantined' | 'discardQuarantined'
>;

export function rowControls(runtime: PgGateway): RowControls {
  async function one<T>(statement: string, parameters: readonly (string | number | null)[]): Promise<T> {
    const [row] = await runtime.call<{ result: T }>(`SELECT ${statement} AS result`, parameters);
    return row!.result;
  }
  return {
    async pressure({ id, table }) {
      const seen = await one<Omit<Pressure, 'goOn'>>('crossfade.pressure($1::text)', [id]);
      const condition = table.backfill?.whileSql;
      const goOn = condition === undefined || (await one<boolean | null>(`(${condition})`, [])) === true;
      return { ...seen, goOn };
    },
    controlBackfill: (id, epoch, action) =>
      one('crossfade.control_backfill($1::text, $2::text::bigint, $3::text)', [id, epoch, action]),
    quarantined: (id, { after = '', limit }) =>
      one('crossfade.quarantined($1::text, $2::text, $3::text::integer)', [id, after, limit]),
    async retryQuarantined(id, key) {
      const retried = () => one(`crossfade.${functionName('retry', id)}($1::text)`, [key]);
      return { enqueued: Number(await unlessUnknown(runtime, `retry_${id}`, retried, 0)) };
    },
    async discardQuarantined(id, key) {
      return { discarded: await one<number>('crossfade.discard_quarantined($1::text, $2::text)', [id, key]) };
    },
  };
}
