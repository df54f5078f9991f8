/** The rollbacks of one cutover: what one consists of, what became of those that were made. */

import { rollbacksOf } from '../../lib/flows/report/rollbacks.ts';
import { cutover } from '../http/parameters.ts';
import { route } from '../http/route.ts';

export const rollbackRoutes = [
  route({
    method: 'GET',
    path: '/v1/cutovers/{cutover}/rollbacks',
    scope: 'control:read',
    summary: 'What a rollback would consist of, and what became of those that were made.',
    params: { cutover },
    handle: async ({ ports }, { params }) => ({ status: 200, body: await rollbacksOf(ports, params.cutover) }),
  }),
];
