/** The swap and its way back in memory. */

import { CrossfadeError } from '../../../../lib/core/base/errors.ts';
import { conditionText } from '../../../../lib/core/conditions/show.ts';
import { shapeConditions } from '../../../../lib/core/holds/shape.ts';
import type { Swap, Swapping, SwapResult, TablePreview, WayBack } from '../../../../lib/ports/swapping.ts';
import type { TableCutover } from '../../../../lib/ports/tables.ts';
import { apply } from './converging.ts';
import { statusOf } from './inspecting.ts';
import { AS_ARMED, emptyTable, keyText, type Memory, type Table } from './memory.ts';
import { shapeOf } from './shape.ts';

export const swappingIn = ({ clock, tables, table, refusals, postponements }: Memory): Swapping => ({
  preview: async (cutover, look) => ({
    ...previewOf(cutover, refusals.get(cutover.id)),
    ...(look ? { wayBack: wayBackOf(tables.get(cutover.id) ?? emptyTable(), look.scanMs) } : {}),
  }),
  promote: async (cutover, swap) =>
    swapped(table(cutover.id), 'forward', swap, refusals.get(cutover.id), postponements.get(cutover.id)),
  revert: async (cutover, swap) =>
    swapped(table(cutover.id), 'reverse', swap, undefined, postponements.get(cutover.id)),
  async abandon(id, { toEpoch, version }) {
    const it = table(id);
    if ((it.mirror?.epoch ?? -1) >= toEpoch) return { kind: 'swapped' };
    it.abandoned = Math.max(it.abandoned, version);
    return { kind: 'abandoned' };
  },
  async rollbackReady(id) {
    const it = table(id);
    if (it.direction !== 'reverse') return { ready: false, why: 'the old table is not kept equal any more', key: null };
    const [first] = it.quarantine;
    if (first) return { ready: false, why: first[1].reason, key: keyText(first[0]) };
    const [changed] = shapeConditions(id, statusOf(it, clock.now()));
    return changed ? { ready: false, why: conditionText(changed), key: null } : { ready: true };
  },
  async cleanup({ id }, epoch, { version = Infinity } = {}) {
    const it = table(id);
    if (it.cleaned) return { kind: 'already' };
    if (version <= it.abandoned) throw new CrossfadeError('stale_epoch', 'this cleanup was given up before it began');
    if (it.direction !== 'reverse') return { kind: 'refused', why: 'the table is not promoted' };
    if (it.mirror?.epoch !== epoch) return { kind: 'refused', why: `the fence is at epoch ${it.mirror?.epoch}` };
    Object.assign(it, {
      ...emptyTable(),
      authoritative: it.authoritative,
      known: true,
      cleaned: true,
      mirror: { ...it.mirror, epoch: epoch + 1 },
    });
    return { kind: 'cleaned' };
  },
});

/** @param from the direction that is armed before the swap */
function swapped(
  it: Table,
  from: 'forward' | 'reverse',
  swap: Swap,
  refusal: string | undefined,
  postponement: string | undefined,
): SwapResult {
  const to = from === 'forward' ? 'reverse' : 'none';
  if (it.mirror?.epoch === swap.toEpoch && it.direction === to) return { kind: 'already' };
  if (refusal) return { kind: 'refused', why: refusal, items: [] };
  if (it.direction !== from || it.mirror?.epoch !== swap.fromEpoch)
    return {
      kind: 'postponed',
      why: `the database is at epoch ${it.mirror?.epoch ?? 'none'}, not at ${swap.fromEpoch}`,
    };
  if (swap.version <= it.abandoned) return { kind: 'postponed', why: 'this swap was given up before it began' };
  if (postponement) return { kind: 'postponed', why: postponement };
  const shape = shapeOf(it);
  if (shape.differences.length > 0) return { kind: 'postponed', why: 'the tables are not as they were armed' };
  if (shape.gap) return { kind: 'postponed', why: `changes may have been missed (${shape.gap})` };
  if (it.backfill.state !== 'done') return { kind: 'postponed', why: 'the backfill is not done' };
  while (it.hints.length > 0) apply(it, it.hints.length);
  const [poisoned] = it.quarantine.keys();
  if (poisoned !== undefined) return { kind: 'postponed', why: `1 keys are in quarantine, first ${keyText(poisoned)}` };
  const { authoritative, follower } = it;
  Object.assign(it, {
    authoritative: follower,
    follower: authoritative,
    direction: to,
    verification: null,
    ...AS_ARMED,
  });
  it.mirror = {
    ...it.mirror,
    epoch: swap.toEpoch,
    version: swap.version,
    stage: swap.stage,
    shadowWrites: to === 'reverse',
    readPpm: to === 'reverse' ? 1_000_000 : 0,
  };
  return { kind: 'swapped', lockHeldMs: 5, waitedMs: 0, attempts: 1 };
}

function previewOf(cutover: TableCutover, why: string | undefined): TablePreview {
  const { primary, shadow } = cutover.table;
  const items = why ? [{ action: 'refuse' as const, kind: 'table', object: primary, text: why }] : [];
  return { primary, shadow, key: [{ column: 'id', type: 'integer' }], columns: [], items, estimatedRows: 0, ok: !why };
}

/** Texts come back as they went. What is blocked is judged by the other table itself, when it is written. */
function wayBackOf({ authoritative }: Table, limitMs: number): WayBack {
  return {
    rows: authoritative.size,
    complete: true,
    limitMs,
    cannotCross: 0,
    cannotReturn: 0,
    changed: 0,
    samples: [],
  };
}
