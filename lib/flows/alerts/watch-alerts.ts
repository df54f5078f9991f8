/**
 * Alerts at the end of a tick. A change of state is written with its message in the alert's own outbox, in one conditional write. The
 * publisher sends it: see deliver-alerts.ts. Nothing here can fail the tick.
 */

import { type Alert, alertId, orphaned } from '../../core/alerts/alert.ts';
import { rulesOf } from '../../core/alerts/rule.ts';
import type { CutoverDeclaration } from '../../core/cutover/cutover.ts';
import type { Ports } from '../../ports/ports.ts';
import { withConcurrencyLimit } from '../calls/concurrency-limit.ts';

type Needs = Pick<Ports, 'alerts' | 'log'>;

const WRITTEN_AT_ONCE = 10;

/** What is stored, for the gates and for the end of the tick. Alerts that cannot be read hold nothing up. */
export async function readAlerts(
  ports: Pick<Ports, 'alerts' | 'log'>,
  asked?: Promise<readonly Alert[]>,
): Promise<readonly Alert[]> {
  try {
    return await (asked ?? ports.alerts.readAll());
  } catch (error) {
    ports.log.failure('alerts_unreadable', error);
    return [];
  }
}

/** `judged`: the alerts of every cutover that this tick has seen, as the rules leave them. */
export async function watchAlerts(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  { stored, judged, nowMs }: { stored: readonly Alert[]; judged: readonly Alert[]; nowMs: number },
): Promise<void> {
  try {
    const before = new Map(stored.map((alert) => [alert.id, alert]));
    const orphans = orphansOf(declarations, stored).map((alert) => orphaned(alert, nowMs));
    const changed = [...judged, ...orphans].filter((alert) => hasChanged(alert, before.get(alert.id) ?? null));
    await withConcurrencyLimit(changed, WRITTEN_AT_ONCE, (alert) => write(ports, alert));
  } catch (error) {
    ports.log.failure('alerts_failed', error);
  }
}

const hasChanged = (alert: Alert, before: Alert | null): boolean =>
  alert !== before && !(before === null && alert.status === 'quiet');

/** Alerts of rules and cutovers that are not declared any more. */
function orphansOf(declarations: readonly CutoverDeclaration[], stored: readonly Alert[]): Alert[] {
  const declared = new Set(
    declarations.flatMap(({ id, policy, alerts }) => rulesOf(policy, alerts).map((rule) => alertId(id, rule.id))),
  );
  return stored.filter(({ id }) => !declared.has(id));
}

/** Of two ticks at once one writes the change, and its message with it. */
async function write(ports: Needs, alert: Alert): Promise<void> {
  try {
    await ports.alerts.write({ ...alert, version: alert.version + 1 }, alert.version);
  } catch (error) {
    ports.log.failure('alert_not_written', error, { alert: alert.id });
  }
}
