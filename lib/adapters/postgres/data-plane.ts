/** The data plane over Postgres: each step is one call of a function in the database. Nothing is decided here. */

import { conditionText } from '../../core/conditions/show.ts';
import type { VerificationResult } from '../../core/gates/evidence.ts';
import { shapeConditions } from '../../core/holds/shape.ts';
import { quoteText } from '../../core/table/shape.ts';
import type { BackfillStep, ConvergeResult, DataPlane, PassTimes, VerifyStep } from '../../ports.ts';
import { adopt } from './adopt.ts';
import { arm, disarm, fenced, forget, functionName, whole } from './arming.ts';
import { cleanup } from './cleanup.ts';
import type { CallOptions, PgGateway } from './gateway.ts';
import { tableHealth } from './health.ts';
import { buildNextIndex } from './indexes-aside.ts';
import { compareRecord, consistency, outlook } from './inspection.ts';
import { planTable } from './plan-table.ts';
import { rehearseCopy } from './rehearsal.ts';
import { removeShadow } from './remove-shadow.ts';
import { rowControls } from './row-controls.ts';
import { watchShape } from './shape.ts';
import { tableStatuses } from './statuses.ts';
import { promote, revert } from './swap.ts';
import { unlessUnknown } from './unless-unknown.ts';

/** `runtime` moves rows and has no DDL; `owner` owns the tables and changes their names. */
export type DataPlaneOptions = { runtime: PgGateway; owner: PgGateway };

/** A full batch in which rows do not fit, on a busy server: repeated from its beginning it would not be done sooner. */
const CONVERGE_MS = 15_000;
/** Below the functions' time-out of 55 s. */
const LONG_MS = 50_000;
/** Each waits half a second for the application's transactions. */
const LOCK_TRIES = 10;

export function postgresDataPlane({ runtime, owner }: DataPlaneOptions): DataPlane {
  return {
    plan: (cutover, look) => planTable(owner, cutover, look?.scanMs),
    arm: (cutover, fence) => arm(owner, cutover, fence),
    watch: async (id, fence) => (await fenced(owner, id, fence, [watchShape(id)])) ?? { kind: 'watched' },
    adopt: (cutover, fence) => adopt(owner, cutover, fence),
    disarm: (id, fence) => disarm(owner, id, fence),
    forget: (id, fence) => forget(owner, id, fence),
    removeShadow: (cutover, fence) => removeShadow(owner, cutover, fence),
    async mirror(row) {
      const args = [row.id, row.epoch, row.version, row.stage, row.shadowWrites, row.readPpm, row.salt];
      return callJson(
        runtime,
        'SELECT crossfade.mirror($1::text, $2::text::bigint, $3::text::bigint, $4::text, $5::text::boolean, $6::text::integer, $7::text) AS result',
        args,
      );
    },
    async setLists(lists) {
      const list = (name: string) => `ARRAY(SELECT pg_catalog.jsonb_array_elements_text(l -> '${name}'))`;
      const call = `SELECT crossfade.set_lists(l ->> 'id', ${list('allow')}, ${list('deny')}) FROM pg_catalog.jsonb_array_elements($1::text::jsonb) l`;
      const declared = JSON.stringify(lists.map(({ id, allow, deny }) => ({ id, allow, deny })));
      // A database that was not migrated yet knows no lists; everything else goes on.
      await unlessUnknown(runtime, 'set_lists', () => runtime.call(call, [declared]), []);
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
    async switchInline(id, { version, enabled }) {
      const call = 'SELECT crossfade.switch_inline($1::text, $2::text::bigint, $3::text::boolean)';
      await runtime.call(call, [id, version, enabled]);
    },
    status: async (id) => (await tableStatuses(runtime, [id])).get(id) ?? null,
    statuses: (ids) => tableStatuses(runtime, ids),
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
    async backfill(id, epoch, rows) {
      const call = `SELECT crossfade.${functionName('backfill', id)}(${whole(epoch)}, ${whole(rows)}) AS result`;
      const copied = () => longJson<BackfillStep>(runtime, call);
      return unlessUnknown(runtime, `backfill_${id}`, copied, { kind: 'stale', have: -1, got: epoch });
    },
    async verify(id, epoch, nowMs, { tier = 'fast', scope = 'full' } = {}) {
      type Answer =
        | ({ kind: 'verified'; pass?: PassTimes } & VerificationResult)
        | Exclude<VerifyStep, { kind: 'verified' }>;
      const call = `SELECT crossfade.${functionName('verify', id)}(${whole(epoch)}, ${whole(nowMs)}, ${quoteText(tier)}, ${quoteText(scope)}) AS result`;
      const compared = () => longJson<Answer>(runtime, call);
      const unarmed: Answer = { kind: 'unready', why: 'capture is not armed' };
      const answer = await unlessUnknown(runtime, `verify_${id}`, compared, unarmed);
      if (answer.kind !== 'verified') return answer;
      const { kind, pass, ...result } = answer;
      return { kind, result, ...(pass ? { pass } : {}) };
    },
    buildIndex: (id, withinMs) => buildNextIndex(owner, id, withinMs),
    rehearse: (cutover) => rehearseCopy(owner, cutover),
    ...rowControls(runtime),
    repair: (id) => longJson(runtime, `SELECT crossfade.${functionName('repair', id)}() AS result`),
    health: (cutover) => tableHealth(runtime, owner, cutover),
    outlook: (id) => outlook(runtime, id),
    consistency: (id) => consistency(runtime, id),
    compareRecord: (id, key) => compareRecord(runtime, id, key),
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

async function callJson<T>(
  gateway: PgGateway,
  statement: string,
  args: readonly (string | number | boolean)[],
  options: CallOptions = {},
): Promise<T> {
  const [row] = await gateway.call<{ result: T }>(statement, args, options);
  return row!.result;
}

/** For what may take longer than a statement of an application: comparing whole tables, the last step of a copy. */
async function longJson<T>(gateway: PgGateway, statement: string): Promise<T> {
  const [row] = await gateway.longCall<{ result: T }>(statement, LONG_MS);
  return row!.result;
}
