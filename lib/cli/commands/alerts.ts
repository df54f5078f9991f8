/** What fires, once or until somebody stops watching; and taking an alert on. */

import { setTimeout as pause } from 'node:timers/promises';
import { CrossfadeError, isCrossfadeError } from '../../core/base/errors.ts';
import type { AlertList, AlertView } from '../../flows/alerts/alerts.ts';
import { type Context, EXIT, idempotencyKey, type Outcome, openApi } from '../context.ts';
import { renderAlerts } from '../render-alerts.ts';
import { printable } from '../text.ts';

/** With `--exit-code` 3 while one fires. */
export async function alerts(context: Context): Promise<Outcome | number> {
  const { io, options } = context;
  const { api } = openApi(context);
  const look = () => api.get<AlertList>('/v1/alerts');
  let seen = await look();
  if (options.watch) {
    let shown = '';
    const endMs = options.timeout === undefined ? Number.POSITIVE_INFINITY : io.nowMs() + options.timeout * 1_000;
    for (;;) {
      const text = renderAlerts(seen, io.width, io.paint);
      const news = seen.alerts.map(({ id, status, acknowledged, escalatedAtMs }) =>
        JSON.stringify([id, status, acknowledged, escalatedAtMs]),
      );
      if (!options.json && news.join() !== shown) io.stdout(`${shown === '' ? '' : '\n'}${text}\n`);
      shown = news.join() || 'none';
      const leftMs = endMs - io.nowMs();
      const restMs = Math.min((options.interval ?? 2) * 1_000, leftMs);
      if (leftMs <= 0 || !(await pause(restMs, true, { signal: io.signal }).catch(() => false))) break;
      seen = await look().catch((error) => noted(context, error, seen));
    }
  }
  const exit = options.exitCode && seen.firing > 0 ? EXIT.held : EXIT.done;
  if (options.watch && !options.json) return exit;
  return { document: seen, text: renderAlerts(seen, io.width, io.paint), exit };
}

/** One failed look is no reason to stop watching. */
function noted({ io, options }: Context, error: unknown, last: AlertList): AlertList {
  if (!isCrossfadeError(error) || !error.retryable) throw error;
  if (!options.json) io.stderr(`${error.message}\n`);
  return last;
}

export async function ack(context: Context): Promise<Outcome> {
  const { io, options, args } = context;
  const id = args[0] ?? '';
  if (!/^[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]{0,39}$/.test(id))
    throw new CrossfadeError(
      'invalid_identifier',
      `'${printable(id.slice(0, 90))}' is no id of an alert: CUTOVER.RULE, as 'crossfade alerts' shows it.`,
    );
  const { api } = openApi(context);
  const call = { idempotencyKey: idempotencyKey(context) };
  const alert = await api.post<AlertView>(`/v1/alerts/${id}/acknowledge`, { reason: options.reason }, call);
  const by = alert.acknowledged ? printable(alert.acknowledged.actor) : io.user();
  return {
    document: alert,
    text: `${id} is acknowledged by ${by}. It is not escalated any more, and goes on firing until its figure is back inside the limit.`,
  };
}
