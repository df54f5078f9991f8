/**
 * Comparison of two databases, a range of keys at a time. While a range is read no batch is written, and keys with a hint are left out. So
 * each other key of the shadow has the image of its last change, and any difference is a divergence, not a delay.
 */

import type { VerificationResult } from '../../../core/gates/table-status.ts';
import type { Consistency } from '../../../core/table/reading.ts';
import { quoteText } from '../../../core/table/shape.ts';
import { type Flow, keys, keyType, objectNames } from '../../../core/table/sql/names.ts';
import { type Bound, hasUnnamed } from '../../../core/table/sql/remote/range.ts';
import type { PassTimes, VerificationPass, Verifying, VerifyStep } from '../../../ports/verifying.ts';
import { whole } from '../capture/arming.ts';
import { callJson } from '../connection/calls.ts';
import { textsOf, valuesOfKey } from '../verifying/row-values.ts';
import { bringEpoch, endBatch, endingBatch, whenFree } from './batches.ts';
import { compareKey, compareRange, type Led, LONG, type Tier, textArray } from './comparing.ts';
import type { Remote } from './remote.ts';

type Begun =
  | { kind: 'range'; number: number; from: Bound; tier: Tier; pass: PassTimes }
  | Exclude<VerifyStep, { kind: 'verified' | 'running' }>;
type Ended =
  | ({ kind: 'verified' } & VerificationResult)
  | { kind: 'running'; rowsDone: number; rowsTotal: number }
  | { kind: 'busy' };
type Call = { epoch: number; nowMs: number; tier: Tier };

const LEASE_MS = 20_000;
const BUDGET_MS = 400;
const SAMPLES = 20;

/** `leads`: the declared side that `remote.primary` is, after completion the shadow. */
export type Way = Pick<Led, 'leads'> & { flowNow: () => Promise<Flow> };

export function remoteVerifying(remote: Remote, { leads, flowNow }: Way): Omit<Verifying, 'invariant'> {
  const { id } = remote.cutover;
  return {
    async verify(_, epoch, nowMs, { tier = 'fast', scope = 'full' }: VerificationPass = {}) {
      // Which ranges were written since is not known: they wait for the next full pass.
      const last = scope === 'due' ? await lastResult(remote) : null;
      if (last) return { kind: 'verified', result: last };
      const untilMs = remote.clock.monotonicMs() + BUDGET_MS;
      for (;;) {
        const found = await nextRange(remote, flowNow, { epoch, nowMs, tier });
        if (found.kind !== 'running' || remote.clock.monotonicMs() > untilMs) return found;
      }
    },
    repair: async () => ({ enqueued: await enqueueDiverged(remote, await flowNow()) }),
    consistency: async (): Promise<Consistency> => ({
      primaryRows: null,
      shadowRows: null,
      consistent: null,
      diverged: null,
      late: null,
      quarantined: null,
      errors: [`the shadow is in another database: 'crossfade verify ${id}' compares every row`],
      score: null,
    }),
    compareRow: async (_, key) => compareKey(remote, { flow: await flowNow(), leads }, key),
    rowValues: async (cutover, key) =>
      valuesOfKey({ cutover, key, flow: await flowNow(), leads }, async ({ source, target }) => [
        await textsOf(remote.primary.owner, source),
        await textsOf(remote.shadow.connection, target),
      ]),
  };
}

async function nextRange(remote: Remote, flowNow: () => Promise<Flow>, call: Call): Promise<VerifyStep> {
  const { epoch, nowMs, tier } = call;
  const { id } = remote.cutover;
  const { runtime, owner } = remote.primary;
  const sql = `crossfade.begin_range($1::text, ${whole(epoch)}, $2::text, ${LEASE_MS})`;
  const begun = await whenFree<Begun>(remote, { sql, values: [id, tier] });
  if (begun.kind !== 'range') return begun;
  const { number, from, pass } = begun;
  return endingBatch(remote, number, async () => {
    const flow = await flowNow();
    // Nothing that is still under way is written any more.
    const accept = 'SELECT to_jsonb(crossfade.accept_batch($1::text, $2::text::bigint, $3::text::bigint)) AS result';
    if ((await callJson<string>(remote.shadow.connection, accept, [id, epoch, number], LONG)) !== 'accepted') {
      await bringEpoch(remote, epoch);
      await endBatch(remote, number);
      return { kind: 'busy' };
    }
    const { to, rows, diverged } = await compareRange(remote, flow, from, begun.tier);
    // A truncation, or a change without a key: which rows are late is not known before the sweep.
    const [unnamed] = await owner.call<{ some: boolean }>(hasUnnamed(flow));
    if (unnamed!.some) {
      await endBatch(remote, number);
      return { kind: 'busy' };
    }
    const bounds = [from, to].map((bound) => (bound === null ? 'NULL' : textArray(bound))).join(', ');
    const named = textArray(diverged.map(({ key }) => key));
    const end = `SELECT crossfade.end_range($1::text, ${whole(epoch)}, ${whole(number)}, ${bounds}, ${whole(rows)}, ${diverged.length},
      $2::text::jsonb, ${named}, ${whole(nowMs)}) AS result`;
    const ended = await callJson<Ended>(runtime, end, [id, JSON.stringify(diverged.slice(0, SAMPLES))]);
    if (ended.kind !== 'verified') return ended.kind === 'running' ? { ...ended, pass } : ended;
    const { kind, ...result } = ended;
    return { kind, result, pass };
  });
}

async function enqueueDiverged({ cutover, primary }: Remote, flow: Flow): Promise<number> {
  const parts = keys(flow, (_, i) => {
    const { source } = flow.mapping.key[i]!;
    return `(d.key::jsonb ->> ${quoteText(source.name)})::${keyType(source)}`;
  });
  const enqueued = await primary.owner.call(
    `INSERT INTO ${objectNames(cutover.id).outbox} (${keys(flow, (k) => k)}) SELECT ${parts}
     FROM crossfade.remote_pass r, unnest(r.diverged) d(key) WHERE r.cutover = $1::text RETURNING 1`,
    [cutover.id],
  );
  return enqueued.length;
}

async function lastResult({ primary, cutover }: Remote): Promise<VerificationResult | null> {
  const [row] = await primary.runtime.call<{ result: VerificationResult }>(
    `SELECT jsonb_build_object('rowsCompared', r.rows_compared, 'divergences', r.divergences, 'score', r.score, 'atMs', r.at_ms, 'samples', r.samples) AS result
     FROM crossfade.verification r WHERE r.cutover = $1::text`,
    [cutover.id],
  );
  return row?.result ?? null;
}
