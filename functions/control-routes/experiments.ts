/** Experiments: how many units of how many, and what they say once there are enough. Their events go to `outcomes`. */

import { findExperiment, viewExperiment, viewExperiments } from '../../lib/flows/report/experiments.ts';
import { readExperimentId } from '../../lib/schemas/experiments.ts';
import type { Route } from '../middleware.ts';

export const experimentRoutes: Route[] = [
  {
    method: 'GET',
    path: '/v1/experiments',
    scope: 'control:read',
    summary: 'All experiments: how many units of how many, and what they say.',
    handle: async ({ ports, cutovers }) => ({
      status: 200,
      body: { experiments: await viewExperiments(ports, await cutovers()) },
    }),
  },
  {
    method: 'GET',
    path: '/v1/experiments/{experiment}',
    scope: 'control:read',
    summary: 'One experiment.',
    handle: async ({ ports, cutovers }, request) => {
      const id = readExperimentId(request.params.experiment);
      return { status: 200, body: await viewExperiment(ports, findExperiment(await cutovers(), id)) };
    },
  },
];
