/** The rollbacks of one cutover: what one consists of, what became of those that were made. */

import { rollbacksOf } from '../../lib/flows/control/rollbacks.ts';
import type { Route } from '../middleware.ts';
import { namedCutover } from './request.ts';

export const rollbackRoutes: Route[] = [
  {
    method: 'GET',
    path: '/v1/cutovers/{cutover}/rollbacks',
    scope: 'control:read',
    summary: 'What a rollback would consist of, and what became of those that were made.',
    handle: async (composition, request) => ({
      status: 200,
      body: await rollbacksOf(composition.ports, await namedCutover(composition, request)),
    }),
  },
];
