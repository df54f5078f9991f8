/**
 * Sends the messages of claimed alerts over every channel and settles their outboxes. A channel that fails is left for the
 * next tick; the others get theirs. A message that a channel has not taken for a day is given up, and that is logged.
 */

import type { Alert, AlertMessage } from '../../core/alerts/alert.ts';
import { DAY_MS } from '../../core/base/units.ts';
import type { AlertChannel } from '../../ports/alerts.ts';
import type { Ports } from '../../ports/ports.ts';

type Needs = Pick<Ports, 'alerts' | 'channels' | 'clock' | 'log'>;

const SEND_LIMIT_MS = 2_000;
const GIVE_UP_MS = DAY_MS;
const TRIES = 3;

export async function deliver(
  ports: Needs,
  alerts: readonly Alert[],
  { nowMs, endMs }: { nowMs: number; endMs: number },
): Promise<void> {
  if (alerts.length === 0) return;
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

/** In order, until one is not taken: a channel that is down is asked once a tick. */
async function sendAll(
  ports: Needs,
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
  ports: Needs,
  claimed: Alert,
  delivered: (message: AlertMessage) => string[],
  nowMs: number,
): Promise<void> {
  let alert: Alert | null = claimed;
  for (let tries = 0; alert && tries < TRIES; tries += 1) {
    const settled = settledAlert(ports, alert, delivered, nowMs);
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
  ports: Needs,
  alert: Alert,
  delivered: (message: AlertMessage) => string[],
  nowMs: number,
): Alert {
  const noted = alert.messages.map((message) => ({ ...message, delivered: [...new Set(delivered(message))] }));
  const waiting = noted.filter((message) => !ports.channels.every(({ name }) => message.delivered.includes(name)));
  const kept = waiting.filter((message) => nowMs - message.atMs < GIVE_UP_MS);
  for (const { id } of waiting.slice(0, waiting.length - kept.length))
    ports.log.event('alert_message_given_up', { alert: alert.id, message: id });
  const dropped = alert.dropped + waiting.length - kept.length;
  return { ...alert, messages: kept, dropped, claim: null, version: alert.version + 1 };
}
