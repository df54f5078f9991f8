/** Watches a rehearsal from look to look: figures that only grow, and what held the cutover for how long. */

import type postgres from 'postgres';
import { quoteText } from '../../../lib/core/table/shape.ts';
import type { CutoverReport } from '../../../lib/flows/report/report.ts';
import type { Figures, Hold, StepName } from './rehearsal.ts';

export type Observer = {
  /** @param nowMs real time */
  see(report: CutoverReport, step: StepName, nowMs: number): Promise<void>;
  lockHeld(ms: number): void;
  copied(ms: number, rows: number): void;
  figures(): Promise<Figures>;
  holds(): readonly Hold[];
};

/** The disk is measured now and then: its functions open every file of the tables. */
const DISK_EVERY_MS = 2_000;

/** @param tables names as the catalog quotes them, primary and shadow */
export async function observe(sql: postgres.Sql, tables: readonly string[]): Promise<Observer> {
  const diskBytes = async () => {
    const [row] = await sql.unsafe<{ bytes: string }[]>(
      `SELECT coalesce(sum(pg_total_relation_size(to_regclass(name))), 0) AS bytes FROM unnest(ARRAY[${tables.map(quoteText).join(', ')}]) name`,
    );
    return Number(row!.bytes);
  };
  const position = async () => {
    const [row] = await sql<{ bytes: string }[]>`SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS bytes`;
    return Number(row!.bytes);
  };
  const [before, from] = [await diskBytes(), await position()];
  const seen = { rows: 0, copyMs: null as number | null, lockMs: 0, worstLagMs: 0, most: before };
  const verified = { rows: 0, divergences: 0, atMs: 0 };
  const holds = new Map<string, Hold>();
  let measuredMs = 0;
  let lastMs: number | null = null;
  return {
    async see(report, step, nowMs) {
      const { table, verdict } = report;
      seen.worstLagMs = Math.max(seen.worstLagMs, table?.lagMs ?? 0);
      const { verification } = table ?? {};
      if (verification && verification.atMs !== verified.atMs) {
        verified.atMs = verification.atMs;
        verified.rows += verification.rowsCompared;
        verified.divergences += verification.divergences;
      }
      const sinceMs = lastMs === null ? 0 : nowMs - lastMs;
      lastMs = nowMs;
      for (const { code, label, says, ok } of verdict.conditions) {
        if (ok) continue;
        const key = `${step} ${code}`;
        holds.set(key, { step, code, label, says, heldMs: (holds.get(key)?.heldMs ?? 0) + sinceMs });
      }
      if (nowMs - measuredMs < DISK_EVERY_MS) return;
      measuredMs = nowMs;
      seen.most = Math.max(seen.most, await diskBytes());
    },
    lockHeld(ms) {
      seen.lockMs = Math.max(seen.lockMs, ms);
    },
    copied(ms, rows) {
      seen.copyMs ??= ms;
      seen.rows = Math.max(seen.rows, rows);
    },
    async figures() {
      const { rows, copyMs, lockMs, worstLagMs, most } = seen;
      return {
        rows,
        copyMs,
        lockMs,
        worstLagMs,
        walBytes: (await position()) - from,
        diskBytes: { before, most: Math.max(most, await diskBytes()) },
        verifiedRows: verified.rows,
        divergences: verified.divergences,
      };
    },
    holds: () => [...holds.values()],
  };
}
