/** Sends outcome batches to POST /v1/outcomes. */

import type { OutcomeSink } from './outcome.ts';
import { type ApiAccess, postJson } from './post-json.ts';

const MOST_SAID = 300;

export function httpSink(api: ApiAccess): OutcomeSink {
  return async (batch, signal) => {
    const response = await postJson(api, 'v1/outcomes', batch, signal);
    // The body must be read, or the connection is not used again.
    const text = await response.text();
    if (!response.ok)
      throw new Error(`the outcomes were answered with ${response.status} ${text.slice(0, MOST_SAID)}`.trim());
  };
}
