/**
 * Alerts at the end of a tick. A change of state is written first, with its message in the alert's own outbox and this
 * tick's claim on delivering it; only then is it sent; then the outbox is settled. Nothing here can fail the tick, and all
 * of it together takes no longer than its slice.
 *
 *   A   write v8 (fired ✉, claim A) ─ applied ── send ── settle v9
 *   B   write v8 (fired ✉, claim B) ─ stale: somebody else tells it
 *   A   … dies before it settles ─ the claim runs out ─ the next tick claims and sends again, under the same message id
 */

import { type Alert, alertId, orphaned } from '../../core/alerts/alert.ts';
import { rulesOf } from '../../core/alerts/rule.ts';
import type { CutoverDeclaration } from '../../core/cutover/cutover.ts';
import type { Ports } from '../../ports/ports.ts';
import { withConcurrencyLimit } from '../calls/concurrency-limit.ts';
import { deliver } from './deliver-alerts.ts';

type Needs = Pick<Ports, 'alerts' | 'channels' | 'clock' | 'ids' | 'log'>;

/** Longer than a slice, shorter than the time to the next tick. */
const CLAIM_MS = 45_000;
/** How much of the tick alerts may take, in real milliseconds. */
export const SLICE_MS = 6_000;
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
  const endMs = ports.clock.monotonicMs() + SLICE_MS;
  try {
    const before = new Map(stored.map((alert) => [alert.id, alert]));
    const orphans = orphansOf(declarations, stored).map((alert) => orphaned(alert, nowMs));
    const seen = new Set(judged.map(({ id }) => id));
    const unseen = stored.filter(({ id }) => !seen.has(id) && !orphans.some((orphan) => orphan.id === id));
    const mine: Alert[] = [];
    await withConcurrencyLimit([...judged, ...orphans, ...unseen], WRITTEN_AT_ONCE, async (alert) => {
      const wanted = withClaim(ports, alert, before.get(alert.id) ?? null, nowMs);
      if (!wanted || !(await written(ports, wanted.alert))) return;
      if (wanted.mine) mine.push({ ...wanted.alert, version: wanted.alert.version + 1 });
    });
    await deliver(ports, mine, { nowMs, endMs });
  } catch (error) {
    ports.log.failure('alerts_failed', error);
  }
}

/** Alerts of rules and cutovers that are not declared any more. */
function orphansOf(declarations: readonly CutoverDeclaration[], stored: readonly Alert[]): Alert[] {
  const declared = new Set(
    declarations.flatMap(({ id, policy, alerts }) => rulesOf(policy, alerts).map((rule) => alertId(id, rule.id))),
  );
  return stored.filter(({ id }) => !declared.has(id));
}

/**
 * What to write of an alert, or `null`: it changed, or it has messages that no tick is delivering. `mine`: this tick claims
 * them. New messages of an alert that another tick has claimed wait until its claim has run out.
 */
function withClaim(
  ports: Needs,
  alert: Alert,
  before: Alert | null,
  nowMs: number,
): { alert: Alert; mine: boolean } | null {
  const changed = alert !== before && !(before === null && alert.status === 'quiet');
  if (ports.channels.length === 0)
    return changed ? { alert: { ...alert, messages: [], claim: null }, mine: false } : null;
  const claimed = alert.claim !== null && alert.claim.untilMs > nowMs;
  const waiting = alert.messages.length > 0 && !claimed;
  if (!changed && !waiting) return null;
  if (!waiting) return { alert, mine: false };
  return { alert: { ...alert, claim: { by: ports.ids.next(), untilMs: nowMs + CLAIM_MS } }, mine: true };
}

/** True when the write was this one's, and the messages in it are this tick's to deliver. */
async function written(ports: Needs, alert: Alert): Promise<boolean> {
  try {
    return (await ports.alerts.write({ ...alert, version: alert.version + 1 }, alert.version)) === 'applied';
  } catch (error) {
    ports.log.failure('alert_not_written', error, { alert: alert.id });
    return false;
  }
}
