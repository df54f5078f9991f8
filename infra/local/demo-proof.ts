/** Proves that the demonstration lost nothing: both sides of each row are compared, and the audit log says what was done. */

import type postgres from 'postgres';
import { customerCutover } from '../examples/chinook/cutover.ts';
import type { LocalApi } from './api.ts';
import type { DemoApp } from './demo-app.ts';
import type { DemoReport } from './demo-report.ts';
import type { Display } from './display.ts';
import type { Stack } from './stack.ts';

/** What a demonstration is made of, and what it has seen. */
export type Demo = {
  stack: Stack;
  app: DemoApp;
  api: LocalApi;
  display: Display;
  sql: postgres.Sql;
  report: DemoReport;
};

const ID = customerCutover.id;
const QUIET_WITHIN_MS = 20_000;

/** Pauses the writes, waits until every change has arrived, compares, and lets the application go on. */
export async function proveQuiet(demo: Demo, proofs: readonly (readonly [string, string])[]): Promise<void> {
  await demo.app.pauseWrites();
  await drained(demo);
  for (const [what, statement] of proofs) await prove(demo, what, statement);
  await demo.app.resumeWrites();
}

async function drained(demo: Demo): Promise<void> {
  const deadline = Date.now() + QUIET_WITHIN_MS;
  for (;;) {
    const { table } = await demo.api.report(ID);
    demo.report.worstLagMs = Math.max(demo.report.worstLagMs, table?.lagMs ?? 0);
    if (table?.outboxRows === 0) return;
    if (Date.now() > deadline) throw new Error(`${table?.outboxRows} changes still wait in the outbox.`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

export async function prove(demo: Demo, what: string, statement: string, quiet = false): Promise<void> {
  if (quiet) await demo.app.pauseWrites();
  const [row] = await demo.sql.unsafe<{ differences: number; rows: number }[]>(statement);
  if (quiet) await demo.app.resumeWrites();
  demo.report.proofs.push({ what, differences: row!.differences, rows: row!.rows });
}

/** What the audit log says last of why something was not done. */
export async function lastWhy(demo: Demo): Promise<string> {
  const { entries } = await readHistory(demo);
  return entries.find(({ event }) => event.why)?.event.why ?? 'the audit log does not say why';
}

export async function collectHistory(demo: Demo): Promise<void> {
  const { entries, chain } = await readHistory(demo);
  demo.report.auditIntact = chain.intact;
  for (const { event } of entries) {
    if (event.lockHeldMs !== undefined) demo.report.lockHeldMs = Math.max(demo.report.lockHeldMs, event.lockHeldMs);
  }
}

type ShownHistory = {
  entries: { event: { type: string; lockHeldMs?: number; why?: string } }[];
  chain: { intact: boolean };
};

const readHistory = ({ api }: Demo) => api.get<ShownHistory>(`/v1/cutovers/${ID}/history?limit=50`);
