/** Experiments: how many units of how many, and what they say once there are enough. Their events go to `outcomes`. */

import { findExperiment, viewExperiment, viewExperiments } from '../../lib/flows/report/experiments.ts';
import { PATH, readExperimentId } from '../../lib/schemas/path.ts';
import { route } from '../http/route.ts';

export const experimentRoutes = [
  route({
    method: 'GET',
    path: '/v1/experiments',
    scope: 'control:read',
    summary: 'All experiments: how many units of how many, and what they say.',
    handle: async ({ ports, cutovers }) => ({
      status: 200,
      body: { experiments: await viewExperiments(ports, await cutovers()) },
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/experiments/{experiment}',
    scope: 'control:read',
    summary: 'One experiment.',
    params: { experiment: { ...PATH.experiment, find: readExperimentId } },
    handle: async ({ ports, cutovers }, { params }) => ({
      status: 200,
      body: await viewExperiment(ports, findExperiment(await cutovers(), params.experiment)),
    }),
  }),
];
