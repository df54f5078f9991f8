/** Events of experiments: one for each unit, from whoever sees it convert. */

import { findExperiment, recordEvents } from '../../lib/flows/report/experiments.ts';
import { eventBatch, parseEvents, readExperimentId } from '../../lib/schemas/experiments.ts';
import type { Route } from '../middleware.ts';

export const eventRoutes: Route[] = [
  {
    method: 'POST',
    path: '/v1/experiments/{experiment}/events',
    scope: 'outcomes:write',
    summary: 'Adds events of units to an experiment.',
    body: eventBatch,
    handle: async ({ ports, cutovers }, request) => {
      const id = readExperimentId(request.params.experiment);
      const batch = parseEvents(request.body);
      return { status: 200, body: await recordEvents(ports, findExperiment(await cutovers(), id), batch) };
    },
  },
];
