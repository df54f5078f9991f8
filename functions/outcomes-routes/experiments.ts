/** Events of experiments: one for each unit, from the process that sees it convert. */

import { findExperiment, recordEvents } from '../../lib/flows/report/experiments.ts';
import { eventBatch } from '../../lib/schemas/experiments.ts';
import { PATH, readExperimentId } from '../../lib/schemas/path.ts';
import { route } from '../http/route.ts';

export const eventRoutes = [
  route({
    method: 'POST',
    path: '/v1/experiments/{experiment}/events',
    scope: 'outcomes:write',
    summary: 'Adds events of units to an experiment.',
    params: { experiment: { ...PATH.experiment, find: readExperimentId } },
    body: eventBatch,
    handle: async ({ ports, cutovers }, { params, body }) => ({
      status: 200,
      body: await recordEvents(ports, findExperiment(await cutovers(), params.experiment), body),
    }),
  }),
];
