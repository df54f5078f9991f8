/** Takes what the SDK recorded, and what it is about to write. */

import { composeApi } from '../lib/compose/api.ts';
import { CrossfadeError } from '../lib/core/base/errors.ts';
import { plainReport } from '../lib/flows/forwards/plain-outcomes.ts';
import { recordOutcomes } from '../lib/flows/forwards/record-outcomes.ts';
import { outcomeReport } from '../lib/schemas/http.ts';
import { route, withOldPaths } from './http/route.ts';
import { httpHandler } from './middleware.ts';
import { eventRoutes } from './outcomes-routes/experiments.ts';
import { forwardRoutes } from './outcomes-routes/forwards.ts';

export const outcomeRoutes = withOldPaths([
  ...eventRoutes,
  ...forwardRoutes,
  route({
    method: 'POST',
    path: '/v1/outcomes',
    scope: 'outcomes:write',
    summary: 'Adds operations to the minute windows.',
    body: outcomeReport,
    handle: async ({ ports, cutovers }, { body, actor }) => {
      const report =
        'operations' in body
          ? plainReport(body, { flushId: ports.ids.next(), source: actor, nowMs: ports.clock.now() })
          : { ...body, windows: body.windows.map((window) => ({ ...window, latency: numericKeys(window.latency) })) };
      const recorded = await recordOutcomes(ports, await cutovers(), report);
      const nothing = recorded.accepted === 0 && recorded.refused.length > 0;
      if (nothing) {
        const [first] = recorded.refused;
        throw new CrossfadeError(
          'invalid_input',
          `None of the windows can be counted; window ${first!.index}: ${first!.why}.`,
          {
            details: { refused: recorded.refused },
          },
        );
      }
      return { status: 200, body: recorded };
    },
  }),
]);

export const handler = httpHandler(composeApi, outcomeRoutes);

function numericKeys(latency: Readonly<Record<string, number>>): Record<number, number> {
  return Object.fromEntries(Object.entries(latency).map(([bucket, count]) => [Number(bucket), count]));
}
