/**
 * Sends the messages that wait in the outboxes of alerts, over every channel, and settles the outboxes. Each alert is claimed first, so
 * that of two publishers one sends. Nothing here fails, and all of it together takes no longer than its slice.
 *
 *   tick        write v8 (fired ✉) ──┐ stream
 *   publisher A                      claim v9 ─ applied ── send ── settle v10
 *   publisher B                      claim v9 ─ stale: another one sends it
 *   publisher A … dies before it settles ─ the claim runs out ─ the next look claims and sends again, under the same message id
 *
 * A channel that fails is asked again once the claim has run out; the others get theirs at once. A message that a channel has not taken
 * for a day is given up, and that is logged.
 */

import type { Alert, AlertMessage } from '../../core/alerts/alert.ts';
import { DAY_MS } from '../../core/base/units.ts';
import type { AlertChannel } from '../../ports/alerts.ts';
import type { Ports } from '../../ports/ports.ts';
import { withConcurrencyLimit } from '../calls/concurrency-limit.ts';
import { readAlerts } from './watch-alerts.ts';

export type DeliverPorts = Pick<Ports, 'alerts' | 'clock' | 'ids' | 'log'> & { channels: readonly AlertChannel[] };

/** Longer than a slice, shorter than the time to the next look of the schedule. */
const CLAIM_MS = 45_000;
/** In real milliseconds. */
export const SLICE_MS = 6_000;
const WRITTEN_AT_ONCE = 10;
const SEND_LIMIT_MS = 2_000;
const GIVE_UP_MS = DAY_MS;
const TRIES = 3;

/** Does not reject. */
export async function deliverAlerts(ports: DeliverPorts): Promise<void> {
  const endMs = ports.clock.monotonicMs() + SLICE_MS;
  const nowMs = ports.clock.now();
  const waiting = (await readAlerts(ports)).filter(
    ({ messages, claim }) => messages.length > 0 && !(claim && claim.untilMs > nowMs),
  );
  const claims = await withConcurrencyLimit(waiting, WRITTEN_AT_ONCE, (alert) => claimed(ports, alert, nowMs));
  await deliver(
    ports,
    claims.filter((alert) => alert !== null),
    { nowMs, endMs },
  );
}

/** Null when somebody else was first. */
async function claimed(ports: DeliverPorts, alert: Alert, nowMs: number): Promise<Alert | null> {
  const claim = { by: ports.ids.next(), untilMs: nowMs + CLAIM_MS };
  const mine = { ...alert, claim, version: alert.version + 1 };
  try {
    return (await ports.alerts.write(mine, alert.version)) === 'applied' ? mine : null;
  } catch (error) {
    ports.log.failure('alert_not_claimed', error, { alert: alert.id });
    return null;
  }
}

async function deliver(
  ports: DeliverPorts,
  alerts: readonly Alert[],
  { nowMs, endMs }: { nowMs: number; endMs: number },
): Promise<void> {
  const messages = alerts.flatMap((alert) => alert.messages).sort((a, b) => a.atMs - b.atMs);
  const taken = await Promise.all(ports.channels.map((channel) => sendAll(ports, channel, messages, endMs)));
  for (const alert of alerts) {
    const delivered = (message: AlertMessage) => [
      ...message.delivered,
      ...ports.channels.filter((_, index) => taken[index]!.has(message.id)).map(({ name }) => name),
    ];
    await settle(ports, alert, delivered, nowMs);
  }
}

/** In order, until one is not taken: a channel that is down is asked once a look. */
async function sendAll(
  ports: DeliverPorts,
  channel: AlertChannel,
  messages: readonly AlertMessage[],
  endMs: number,
): Promise<Set<string>> {
  const taken = new Set<string>();
  for (const message of messages) {
    if (message.delivered.includes(channel.name)) continue;
    const timeoutMs = Math.min(SEND_LIMIT_MS, endMs - ports.clock.monotonicMs());
    if (timeoutMs <= 0) break;
    try {
      await channel.send(message, timeoutMs);
      taken.add(message.id);
    } catch (error) {
      ports.log.failure('alert_not_sent', error, { channel: channel.name, alert: message.alert, message: message.id });
      break;
    }
  }
  return taken;
}

/** Somebody may have acknowledged it meanwhile: then their alert is kept, and what was delivered is noted in it. */
async function settle(
  ports: DeliverPorts,
  claimed: Alert,
  delivered: (message: AlertMessage) => string[],
  nowMs: number,
): Promise<void> {
  let alert: Alert | null = claimed;
  for (let tries = 0; alert && tries < TRIES; tries += 1) {
    const tried = new Set(claimed.messages.map(({ id }) => id));
    const settled = settledAlert(ports, alert, delivered, { tried, nowMs });
    try {
      const result: 'applied' | 'stale' = await ports.alerts.write(settled, alert.version);
      if (result === 'applied') return;
      alert = await ports.alerts.read(claimed.id);
    } catch (error) {
      // The claim runs out, and the messages are sent again: at least once.
      ports.log.failure('alert_not_settled', error, { alert: claimed.id });
      return;
    }
  }
}

function settledAlert(
  ports: DeliverPorts,
  alert: Alert,
  delivered: (message: AlertMessage) => string[],
  { tried, nowMs }: { tried: ReadonlySet<string>; nowMs: number },
): Alert {
  const noted = alert.messages.map((message) => ({ ...message, delivered: [...new Set(delivered(message))] }));
  const waiting = noted.filter((message) => !ports.channels.every(({ name }) => message.delivered.includes(name)));
  const kept = waiting.filter((message) => nowMs - message.atMs < GIVE_UP_MS);
  for (const { id } of waiting.slice(0, waiting.length - kept.length))
    ports.log.event('alert_message_given_up', { alert: alert.id, message: id });
  const dropped = alert.dropped + waiting.length - kept.length;
  // While the claim of what failed is good, this write wakes no further attempt.
  const claim = kept.some(({ id }) => tried.has(id)) ? alert.claim : null;
  return { ...alert, messages: kept, dropped, claim, version: alert.version + 1 };
}
