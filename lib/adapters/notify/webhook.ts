/**
 * Alerts to a webhook, signed: `x-crossfade-signature: v1=HMAC-SHA256(key, "<timestamp>.<body>")` in lower-case hex, with
 * the timestamp in seconds beside it. Receivers check both, refuse old timestamps, and drop ids they have seen.
 *
 * https to public addresses only, checked for the very address that is connected to, so that a name cannot point
 * elsewhere between check and use. Redirects are refused, answers are not read beyond their status.
 */

import { createHmac } from 'node:crypto';
import type { LookupAddress } from 'node:dns';
import { lookup as resolve } from 'node:dns';
import { request as plainRequest, type RequestOptions } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { AlertMessage } from '../../core/alerts/alert.ts';
import { CrossfadeError } from '../../core/base/errors.ts';
import type { AlertChannel, Clock } from '../../ports.ts';
import { isPublicAddress } from './addresses.ts';
import { documentOf } from './message.ts';

export type WebhookOptions = {
  url: string;
  /** The shared key, read when the first message is sent. */
  key: () => Promise<string>;
  clock: Pick<Clock, 'now'>;
  /** The local profile may call http and this machine. */
  local: boolean;
};

/** @throws CrossfadeError `upstream_refused` at once when the address can never be called */
export function webhookChannel(options: WebhookOptions): AlertChannel {
  const url = checkedUrl(options.url, options.local);
  return {
    name: 'webhook',
    async send(message, timeoutMs) {
      const { body, headers } = signed(message, await options.key(), options.clock.now());
      const status = await post(url, headers, body, { timeoutMs, local: options.local });
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

/** Body and headers of one message. */
export function signed(message: AlertMessage, key: string, nowMs: number) {
  const body = JSON.stringify(documentOf(message));
  const timestamp = String(Math.floor(nowMs / 1_000));
  const signature = createHmac('sha256', key).update(`${timestamp}.${body}`).digest('hex');
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      'user-agent': 'crossfade',
      'x-crossfade-message-id': message.id,
      'x-crossfade-timestamp': timestamp,
      'x-crossfade-signature': `v1=${signature}`,
    },
  };
}

/** @throws CrossfadeError `upstream_refused` */
export function checkedUrl(text: string, local: boolean): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || (url.protocol !== 'https:' && !(local && url.protocol === 'http:')))
    throw refused(`'${text.slice(0, 80)}' is no https address`);
  if (url.username || url.password) throw refused('it carries a user or a password');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (host.endsWith('.')) throw refused('its host ends with a dot');
  // The URL parser has turned 0x7f000001, 2130706433 and 127.1 into dotted form already.
  if (isIP(host) && !local && !isPublicAddress(host)) throw refused(`${host} is no public address`);
  return url;
}

type Limits = { timeoutMs: number; local: boolean };

function post(url: URL, headers: Record<string, string>, body: string, { timeoutMs, local }: Limits): Promise<number> {
  const options: RequestOptions = {
    method: 'POST',
    headers,
    agent: false,
    signal: AbortSignal.timeout(Math.max(1, Math.floor(timeoutMs))),
    ...(local ? {} : { lookup: publicOnly }),
  };
  return new Promise((accept, refuse) => {
    const send = url.protocol === 'https:' ? tlsRequest : plainRequest;
    const request = send(url, options, (response) => {
      accept(response.statusCode ?? 0);
      // Nothing in the answer is of interest, and it may never end.
      response.destroy();
    });
    request.on('error', (cause) =>
      refuse(
        cause instanceof CrossfadeError
          ? cause
          : new CrossfadeError(
              cause.name === 'TimeoutError' || cause.name === 'AbortError'
                ? 'upstream_timeout'
                : 'upstream_unavailable',
              `The webhook at ${url.host} could not be reached, or did not answer in time.`,
              { cause },
            ),
      ),
    );
    request.end(body);
  });
}

/** Resolves a name and hands over its public addresses only: what is checked is what is connected to. */
const publicOnly: LookupFunction = (hostname, options, callback) => {
  resolve(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, '', 0);
    const usable = (addresses as LookupAddress[]).filter(({ address }) => isPublicAddress(address));
    const [first] = usable;
    if (!first) return callback(refused(`${hostname} has no public address`) as NodeJS.ErrnoException, '', 0);
    return options.all ? callback(null, usable) : callback(null, first.address, first.family);
  });
};

function refused(why: string): CrossfadeError {
  return new CrossfadeError(
    'upstream_refused',
    `The webhook for alerts is refused: ${why}. It must be an https address on the internet, without a user.`,
  );
}
