/** What the tables in memory say of themselves. */

import type { TableStatus } from '../../../../lib/core/gates/table-status.ts';
import type { Inspecting } from '../../../../lib/ports/inspecting.ts';
import { keyText, lagOf, type Memory, SAMPLES, type Table } from './memory.ts';
import { findingsOf, progressOf } from './readings.ts';
import { shapeOf } from './shape.ts';

export const inspectingIn = ({ clock, tables, table, refusals }: Memory): Inspecting => ({
  status: async (id) => (tables.get(id)?.known ? statusOf(table(id), clock.now()) : null),
  statuses: async (ids) =>
    new Map(ids.filter((id) => tables.get(id)?.known).map((id) => [id, statusOf(table(id), clock.now())])),
  health: async (cutover) => findingsOf(cutover, refusals.get(cutover.id)),
  shapeHash: async ({ table: { primary, shadow } }) => `shape of ${primary} and ${shadow}`,
  progress: async (ids) =>
    new Map(
      ids.filter((id) => tables.get(id)?.known).map((id) => [id, progressOf(id, statusOf(table(id), clock.now()))]),
    ),
});

export function statusOf(it: Table, nowMs: number): TableStatus {
  const { copied: _copied, upTo: _upTo, ...progress } = it.backfill;
  return {
    armed: it.direction,
    mirror: it.mirror ? { epoch: it.mirror.epoch, version: it.mirror.version, stage: it.mirror.stage } : null,
    lagMs: lagOf(it, nowMs),
    readOnlyUntilMs: (it.readOnlyUntilMs ?? 0) > nowMs ? it.readOnlyUntilMs : null,
    outboxRows: it.hints.length,
    connections: { used: 5, most: 97 },
    quarantined: it.quarantine.size,
    quarantine: [...it.quarantine]
      .slice(0, SAMPLES)
      .map(([key, { reason, attempts }]) => ({ key: keyText(key), sqlstate: '23514', reason, attempts })),
    backfill: { ...progress, rowsPerSecond: 0 },
    verification: it.verification,
    ...(it.direction === 'none' ? {} : { shape: shapeOf(it) }),
  };
}
