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

type PageFigures = {
  status: SystemReport;
  audit: readonly AuditEntry<Event>[];
  /** Undefined when they cannot be read. */
  alerts: AlertList | undefined;
};

const AUDIT_ENTRIES = 30;

type PagePorts = CollectPorts & Pick<Ports, 'experiments'>;

/** @throws CrossfadeError when states, audit or windows cannot be read */
export async function readPage(
  ports: PagePorts,
  declarations: readonly CutoverDeclaration[],
): Promise<PageFigures & { experiments: readonly ExperimentView[] }> {
  const [figures, experiments] = await Promise.all([
    readFigures(ports, declarations),
    viewExperiments(ports, declarations).catch((error) => {
      ports.log.failure('experiments_unreadable', error);
      return [];
    }),
  ]);
  return { ...figures, experiments };
}

/** What the page shows of one cutover. @throws CrossfadeError as `readPage` */
export const readCutoverPage = (
  ports: CollectPorts,
  declarations: readonly CutoverDeclaration[],
  only: string,
): Promise<PageFigures> => readFigures(ports, declarations, only);

async function readFigures(
  ports: CollectPorts,
  declarations: readonly CutoverDeclaration[],
  only?: string,
): Promise<PageFigures> {
  const ids = declarations.map(({ id }) => id).filter((id) => only === undefined || id === only);
  const shared = { states: ports.state.readAll(), alerts: ports.alerts.readAll() };
  const [status, audit, alerts] = await Promise.all([
    report(ports, declarations, { ...shared, ...(only === undefined ? {} : { only }) }),
    recentHistory(ports, ids, AUDIT_ENTRIES, shared.states),
    listAlerts(ports, shared.alerts).catch((error) => {
      ports.log.failure('alerts_unreadable', error);
      return undefined;
    }),
  ]);
  return { status, audit, alerts };
}
