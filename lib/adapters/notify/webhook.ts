/**
 * Alerts to a webhook, in the form that its receiver takes: see `webhook-forms.ts`.
 *
 * https to public addresses only, checked for the very address that is connected to, so that a name cannot point
 * elsewhere between check and use. Redirects are refused, answers are not read beyond their status.
 */

import type { WebhookForm } from '../../core/alerts/webhook-form.ts';
import { CrossfadeError } from '../../core/base/errors.ts';
import { kindOfHost } from '../../core/net/address.ts';
import { mayReach, type NetworkProfile } from '../../core/net/upstream.ts';
import type { AlertChannel } from '../../ports/alerts.ts';
import type { Clock } from '../../ports/machine.ts';
import { type NetworkOptions, network } from '../net/call.ts';
import { FORMS } from './webhook-forms.ts';

export type WebhookOptions = {
  url: string;
  form: WebhookForm;
  /** The text of the secret, read when the first message is sent. */
  key: () => Promise<string>;
  clock: Pick<Clock, 'now' | 'monotonicMs'>;
  /** The local profile may call http and this machine. */
  profile: NetworkProfile;
  resolve?: NetworkOptions['resolve'];
};

/** A webhook is on the internet, or locally on this machine. */
const NO_PRIVATE_HOSTS: readonly string[] = [];

/** @throws CrossfadeError `upstream_refused` at once when the address can never be called */
export function webhookChannel(options: WebhookOptions): AlertChannel {
  const url = checkedUrl(options.url, options.profile);
  const { call } = network(options);
  return {
    name: 'webhook',
    async send(message, timeoutMs) {
      const to = { url, key: await options.key(), nowMs: options.clock.now() };
      const { body, ...request } = FORMS[options.form](message, to);
      const { status } = await call(
        {
          called: 'webhook',
          ...request,
          method: 'POST',
          body: Buffer.from(body),
          timeoutMs: Math.max(1, Math.floor(timeoutMs)),
          maxBytes: null,
        },
        NO_PRIVATE_HOSTS,
      );
      if (status >= 200 && status < 300) return;
      const redirected = status >= 300 && status < 400 ? ' Redirects are not followed.' : '';
      throw new CrossfadeError(
        'upstream_unavailable',
        `The webhook at ${url.host} answered ${status} to message ${message.id}.${redirected}`,
        { details: { status } },
      );
    },
  };
}

/** @throws CrossfadeError `upstream_refused` */
export function checkedUrl(text: string, profile: NetworkProfile): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || (url.protocol !== 'https:' && !(profile === 'local' && url.protocol === 'http:')))
    throw refused(`'${text.slice(0, 80)}' is no https address`);
  if (url.username || url.password) throw refused('it carries a user or a password');
  const host = url.hostname;
  if (host.endsWith('.')) throw refused('its host ends with a dot');
  // The URL parser has turned 0x7f000001, 2130706433 and 127.1 into dotted form already.
  const kind = kindOfHost(host);
  if (kind !== null && !mayReach(kind, host, { privateHosts: NO_PRIVATE_HOSTS, profile }))
    throw refused(`${host} is no public address`);
  return url;
}

function refused(why: string): CrossfadeError {
  return new CrossfadeError(
    'upstream_refused',
    `The webhook for alerts is refused: ${why}. It must be an https address on the internet, without a user.`,
  );
}
