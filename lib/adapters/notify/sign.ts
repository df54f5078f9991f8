/**
 * How a POST to a configured address is signed: `x-crossfade-signature: v1=HMAC-SHA256(key, "<timestamp>.<body>")` in
 * lower-case hex, with the timestamp in seconds beside it. Receivers check both, refuse old timestamps, and drop ids they have seen.
 */

import { createHmac } from 'node:crypto';

/** Headers of one message. */
export function signedHeaders(message: { id: string; body: string }, key: string, nowMs: number) {
  const timestamp = String(Math.floor(nowMs / 1_000));
  const signature = createHmac('sha256', key).update(`${timestamp}.${message.body}`).digest('hex');
  return {
    'content-type': 'application/json',
    'user-agent': 'crossfade',
    'x-crossfade-message-id': message.id,
    'x-crossfade-timestamp': timestamp,
    'x-crossfade-signature': `v1=${signature}`,
  };
}
