/** Takes what the SDK recorded. */

import { compose } from '../lib/compose.ts';
import { recordOutcomes } from '../lib/flows/record-outcomes.ts';
import { parseOutcomes } from '../lib/schemas/http.ts';
import { httpHandler } from './middleware.ts';

export const handler = httpHandler(compose, [
  {
    method: 'POST',
    path: '/v1/outcomes',
    scope: 'outcomes:write',
    handle: async ({ ports, cutovers }, request) => {
      const outcomes = parseOutcomes(request.body);
      const recorded = await recordOutcomes(ports, await cutovers(), {
        ...outcomes,
        windows: outcomes.windows.map((window) => ({ ...window, latency: numericKeys(window.latency) })),
      });
      const nothing = recorded.accepted === 0 && recorded.refused.length > 0;
      return { status: nothing ? 400 : 200, body: nothing ? { code: 'invalid_input', ...recorded } : recorded };
    },
  },
]);

function numericKeys(latency: Readonly<Record<string, number>>): Record<number, number> {
  return Object.fromEntries(Object.entries(latency).map(([bucket, count]) => [Number(bucket), count]));
}
