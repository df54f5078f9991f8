/** The tables of a cutover: taken over after somebody has altered them; the shadow of one that is not under way dropped on demand. */

import { adopt } from '../../lib/flows/rows/adopt.ts';
import { removeShadow } from '../../lib/flows/rows/remove-shadow.ts';
import { adoptBody, removeBody } from '../../lib/schemas/rows.ts';
import { cutover } from '../http/parameters.ts';
import { route } from '../http/route.ts';

export const shadowRoutes = [
  route({
    method: 'POST',
    path: '/v1/cutovers/{cutover}/adopt',
    scope: 'control:write',
    summary:
      'Takes altered tables over: capture follows them without a gap, and every row is copied and compared again.',
    params: { cutover },
    body: adoptBody,
    handle: async ({ ports }, { params, body, actor }) => ({
      status: 200,
      body: await adopt(ports, params.cutover, { ...body, actor }),
    }),
  }),
  route({
    method: 'POST',
    path: '/v1/cutovers/{cutover}/remove-shadow',
    scope: 'control:cleanup',
    summary: 'Drops the shadow table of a cutover that is not under way, and everything of ours.',
    params: { cutover },
    body: removeBody,
    handle: async ({ ports }, { params, body, actor }) => ({
      status: 200,
      body: await removeShadow(ports, params.cutover, { ...body, actor }),
    }),
  }),
];
