/** Audit entries and minute windows as rows, page by page, oldest first. Reads only. */

import { MINUTE_MS } from '../../core/base/units.ts';
import type { CutoverDeclaration } from '../../core/cutover/cutover.ts';
import { quantileMs } from '../../core/gates/histogram.ts';
import type { Cell } from '../../core/report/csv.ts';
import type { Ports } from '../../ports/ports.ts';

export type ExportPage = { columns: readonly string[]; rows: readonly (readonly Cell[])[]; next: number | null };

const PAGE_MINUTES = 120;

const AUDIT_COLUMNS = ['seq', 'at', 'actor', 'type', 'event', 'version', 'epoch', 'previousHash', 'hash'] as const;
const METRIC_COLUMNS = [
  'minute',
  'side',
  'operation',
  'count',
  'errors',
  'keyless',
  'p50Ms',
  'p95Ms',
  'checks',
  'mismatches',
] as const;

/** @param after the last entry of the page before, 0 for the first one */
export async function exportAudit(
  ports: Pick<Ports, 'state'>,
  { id }: CutoverDeclaration,
  page: { after: number; limit: number },
): Promise<ExportPage> {
  const entries = await ports.state.readAudit(id, { limit: page.limit, afterSeq: page.after, oldestFirst: true });
  const rows = entries.map((entry) => [
    entry.seq,
    iso(entry.atMs),
    entry.actor,
    entry.event.type,
    JSON.stringify(entry.event),
    entry.version,
    entry.epoch,
    entry.previousHash,
    entry.hash,
  ]);
  return { columns: AUDIT_COLUMNS, rows, next: entries.length < page.limit ? null : entries.at(-1)!.seq };
}

/** @param after the last minute of the page before, 0 for the first one */
export async function exportMetrics(
  ports: Pick<Ports, 'windows' | 'clock'>,
  { id }: CutoverDeclaration,
  page: { after: number; hours: number },
): Promise<ExportPage> {
  const lastMinute = Math.floor(ports.clock.now() / MINUTE_MS) - 1;
  const from = Math.max(page.after, lastMinute - page.hours * 60) + 1;
  const to = Math.min(lastMinute, from + PAGE_MINUTES - 1);
  const windows = from > to ? [] : await ports.windows.readByOperation(id, from, to);
  const rows = windows.map(({ operation, window }) => [
    iso(window.minute * MINUTE_MS),
    window.side,
    operation,
    window.count,
    window.errors,
    window.keyless,
    quantileMs(window.latency, 0.5),
    quantileMs(window.latency, 0.95),
    window.checks,
    window.mismatches,
  ]);
  return { columns: METRIC_COLUMNS, rows, next: to < lastMinute ? to : null };
}

const iso = (atMs: number) => new Date(atMs).toISOString();
