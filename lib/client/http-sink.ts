/** Sends outcome batches to POST /v1/outcomes. */

import { demandAddress } from '../routing/given.ts';
import type { OutcomeSink } from './outcome.ts';
import { type ApiAccess, postJson } from './post-json.ts';

const MOST_SAID = 300;

/** @throws CrossfadeError `invalid_config` for an address that is none */
export function httpSink(api: ApiAccess): OutcomeSink {
  demandAddress('httpSink', api.url);
  return async (batch, signal) => {
    const response = await postJson(api, 'v1/outcomes', batch, signal);
    // The body must be read, or the connection is not used again.
    const text = await response.text();
    if (!response.ok)
      throw new Error(`the outcomes were answered with ${response.status} ${text.slice(0, MOST_SAID)}`.trim());
  };
}
