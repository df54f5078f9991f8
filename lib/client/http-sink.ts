/** Sends outcome batches to POST /v1/outcomes. */

import type { OutcomeSink } from './recorder.ts';

/** @param token called for every batch, so that short-lived tokens stay fresh */
export function httpSink(options: { url: string; token: () => string | Promise<string> }): OutcomeSink {
  const target = new URL('/v1/outcomes', options.url);
  return async (batch, signal) => {
    const response = await fetch(target, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${await options.token()}` },
      body: JSON.stringify(batch),
      signal,
    });
    // The body must be read, or the connection is not used again.
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`the outcomes were answered with ${response.status}`);
  };
}
