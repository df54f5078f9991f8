/** What each cutover did in the last hours, per operation type and side, beside its status. Reads only. */

import { MINUTE_MS } from '../../core/base/units.ts';
import type { CutoverDeclaration } from '../../core/cutover/cutover.ts';
import { type Performance, performanceOf } from '../../core/report/performance.ts';
import type { Ports } from '../../ports/ports.ts';
import { type AlertList, listAlerts } from '../alerts/alerts.ts';
import type { CollectPorts } from '../control/collect.ts';
import { report, type SystemReport } from './report.ts';

export type FullReport = SystemReport & {
  hours: number;
  fromMs: number;
  performance: Readonly<Record<string, Performance>>;
  alerts: AlertList;
};

/** Windows are read in parts of this many minutes, so that no query answers without end. */
const PART_MINUTES = 360;

export async function fullReport(
  ports: CollectPorts,
  declarations: readonly CutoverDeclaration[],
  hours: number,
): Promise<FullReport> {
  const asked = ports.alerts.readAll();
  const [status, alerts] = await Promise.all([
    report(ports, declarations, { alerts: asked }),
    listAlerts(ports, asked),
  ]);
  const fromMs = status.atMs - hours * 60 * MINUTE_MS;
  const performance: Record<string, Performance> = {};
  // Together, since cutovers share requests.
  const seen = await Promise.all(declarations.map(({ id }) => performanceBetween(ports, id, fromMs, status.atMs)));
  for (const [i, { id }] of declarations.entries()) performance[id] = seen[i]!;
  return { ...status, hours, fromMs, performance, alerts };
}

async function performanceBetween(
  ports: Pick<Ports, 'windows'>,
  id: string,
  fromMs: number,
  toMs: number,
): Promise<Performance> {
  const last = Math.floor(toMs / MINUTE_MS);
  const windows = [];
  for (let from = Math.floor(fromMs / MINUTE_MS); from <= last; from += PART_MINUTES)
    windows.push(...(await ports.windows.readByOperation(id, from, Math.min(last, from + PART_MINUTES - 1))));
  return performanceOf(windows);
}
