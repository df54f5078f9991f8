/** Hints become rows of the shadow; what does not fit waits in quarantine for a person. */

import type { ConvergeResult, Converging } from '../../../ports/converging.ts';
import { functionName } from '../capture/arming.ts';
import { callJson } from '../connection/calls.ts';
import type { Roles } from '../connection/roles.ts';
import { unlessUnknown } from '../connection/unless-unknown.ts';

/** A full batch in which rows do not fit, on a busy server: repeated from its beginning it would not be done sooner. */
const CONVERGE_MS = 15_000;

export function postgresConverging({ runtime }: Pick<Roles, 'runtime'>): Converging {
  return {
    async converge(id, epoch, limit) {
      const call = `SELECT crossfade.${functionName('converge', id)}($1::text::bigint, $2::text::integer) AS result`;
      const applied = async (): Promise<ConvergeResult> => {
        const args = [epoch, limit];
        const options = { deadlineMs: CONVERGE_MS };
        const { spent, ...result } = await callJson<ConvergeResult & { spent?: boolean }>(runtime, call, args, options);
        if (spent) await runtime.call(`SELECT crossfade.${functionName('turn', id)}()`);
        return result as ConvergeResult;
      };
      return unlessUnknown(runtime, `converge_${id}`, applied, { kind: 'stale', have: -1, got: epoch });
    },
    async waiting() {
      const rows = await runtime.call<{ id: string; hints: string; lag_ms: string }>(
        'SELECT id, hints, lag_ms FROM crossfade.waiting()',
      );
      return rows.map((row) => ({ id: row.id, hints: Number(row.hints), lagMs: Number(row.lag_ms) }));
    },
    quarantined: (id, { after = '', limit }) =>
      callJson(runtime, 'SELECT crossfade.quarantined($1::text, $2::text, $3::text::integer) AS result', [
        id,
        after,
        limit,
      ]),
    async retryQuarantined(id, key) {
      const call = `SELECT crossfade.${functionName('retry', id)}($1::text) AS result`;
      const retried = () => callJson<number | string>(runtime, call, [key]);
      return { enqueued: Number(await unlessUnknown(runtime, `retry_${id}`, retried, 0)) };
    },
    async discardQuarantined(id, key) {
      const call = 'SELECT crossfade.discard_quarantined($1::text, $2::text) AS result';
      return { discarded: await callJson<number>(runtime, call, [id, key]) };
    },
  };
}
