/**
 * Everything that the page shows, read at one moment: states and alerts are asked for once, for the report and for what else
 * needs them. Alerts and experiments that cannot be read are left out; the rest is shown. Reads only.
 */

import type { CutoverDeclaration } from '../../core/cutover/cutover.ts';
import type { AuditEntry } from '../../core/stage/audit.ts';
import type { Event } from '../../core/stage/events.ts';
import type { Ports } from '../../ports/ports.ts';
import { type AlertList, listAlerts } from '../alerts/alerts.ts';
import type { CollectPorts } from '../control/collect.ts';
import { type ExperimentView, viewExperiments } from './experiments.ts';
import { recentHistory } from './history.ts';
import { report, type SystemReport } from './report.ts';

export type PageFigures = {
  status: SystemReport;
  audit: readonly AuditEntry<Event>[];
  /** Undefined when they cannot be read. */
  alerts: AlertList | undefined;
  experiments: readonly ExperimentView[];
};

const AUDIT_ENTRIES = 30;

/** @throws CrossfadeError when states, audit or windows cannot be read */
export async function readPage(
  ports: CollectPorts & Pick<Ports, 'experiments'>,
  declarations: readonly CutoverDeclaration[],
): Promise<PageFigures> {
  const ids = declarations.map(({ id }) => id);
  const shared = { states: ports.state.readAll(), alerts: ports.alerts.readAll() };
  const [status, audit, alerts, experiments] = await Promise.all([
    report(ports, declarations, shared),
    recentHistory(ports, ids, AUDIT_ENTRIES, shared.states),
    listAlerts(ports, shared.alerts).catch((error) => {
      ports.log.failure('alerts_unreadable', error);
      return undefined;
    }),
    viewExperiments(ports, declarations).catch((error) => {
      ports.log.failure('experiments_unreadable', error);
      return [];
    }),
  ]);
  return { status, audit, alerts, experiments };
}
