/** Alerts for people: what fires, what waits, what ended lately, and who has taken it on. */

import { type Alert, acknowledge } from '../../core/alerts/alert.ts';
import { rulesOf } from '../../core/alerts/rule.ts';
import { CrossfadeError } from '../../core/base/errors.ts';
import { didYouMean } from '../../core/base/nearest.ts';
import { DAY_MS } from '../../core/base/units.ts';
import type { CutoverDeclaration } from '../../core/cutover/cutover.ts';
import type { Ports } from '../../ports/ports.ts';

export type AlertView = Omit<Alert, 'messages' | 'claim' | 'version' | 'clearSinceMs'> & {
  /** Messages that a channel has not taken yet. */
  undelivered: number;
};

export type AlertList = { atMs: number; firing: number; alerts: readonly AlertView[] };

/** How long a resolved alert is still shown. */
const RECENT_MS = DAY_MS;
const TRIES = 5;
const RANK = { critical: 0, warning: 1, info: 2 } as const;

/** Firing ones first, the worst first; then those that wait, then those that ended in the last day. Reads only. */
export async function listAlerts(
  ports: Pick<Ports, 'alerts' | 'clock'>,
  asked = ports.alerts.readAll(),
): Promise<AlertList> {
  const nowMs = ports.clock.now();
  const shown = (await asked).filter(
    ({ status, resolvedAtMs }) => status !== 'quiet' || (resolvedAtMs !== null && nowMs - resolvedAtMs < RECENT_MS),
  );
  return {
    atMs: nowMs,
    firing: shown.filter(({ status }) => status === 'firing').length,
    alerts: shown.sort(byUrgency).map(viewOf),
  };
}

const STATUS = { firing: 0, pending: 1, quiet: 2 } as const;

const byUrgency = (a: Alert, b: Alert) =>
  STATUS[a.status] - STATUS[b.status] ||
  RANK[a.severity] - RANK[b.severity] ||
  b.sinceMs - a.sinceMs ||
  (a.id < b.id ? -1 : 1);

function viewOf({ messages, claim: _, version: __, clearSinceMs: ___, ...alert }: Alert): AlertView {
  return { ...alert, undelivered: messages.length };
}

/**
 * Somebody takes an alert on: it is not escalated any more. It goes on firing until its value is back inside the limit.
 * @throws CrossfadeError `not_found`, `illegal_transition`, `conflict`
 */
export async function acknowledgeAlert(
  ports: Pick<Ports, 'alerts' | 'clock'>,
  declarations: readonly CutoverDeclaration[],
  id: string,
  by: { actor: string; reason: string },
): Promise<AlertView> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const alert = await ports.alerts.read(id);
    if (!alert) throw unknown(declarations, id);
    const result = acknowledge(alert, by.actor, by.reason, ports.clock.now());
    if (result.kind === 'refused')
      throw new CrossfadeError('illegal_transition', `Alert '${id}' cannot be acknowledged: ${result.why}.`);
    if (result.kind === 'already') return viewOf(result.alert);
    const written = { ...result.alert, version: alert.version + 1 };
    if ((await ports.alerts.write(written, alert.version)) === 'applied') return viewOf(written);
  }
  throw new CrossfadeError('conflict', `Alert '${id}' was changed by others ${TRIES} times in a row. Repeat it.`, {
    retryable: true,
  });
}

/** A rule that never fired has no alert either, and that is not the same as a wrong name. */
function unknown(declarations: readonly CutoverDeclaration[], id: string): CrossfadeError {
  const ids = declarations.flatMap(({ id: cutover, policy, alerts }) =>
    rulesOf(policy, alerts).map((rule) => `${cutover}.${rule.id}`),
  );
  return ids.includes(id)
    ? new CrossfadeError('illegal_transition', `Alert '${id}' has never fired: there is nothing to acknowledge.`)
    : new CrossfadeError(
        'not_found',
        `There is no alert '${id}'.${didYouMean(id, ids)} 'crossfade alerts' lists them; an id is CUTOVER.RULE.`,
      );
}
