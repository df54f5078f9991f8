/** Forwarded writes: what waits, and what a person decides about those in quarantine. */

import { actOnForwards, type ForwardAction, listForwards } from '../../lib/flows/forwards/forward-controls.ts';
import { forwardAction } from '../../lib/schemas/http.ts';
import { cutover } from '../http/parameters.ts';
import { route } from '../http/route.ts';

const SUMMARIES = { retry: 'Tries again', discard: 'Gives up' } satisfies Record<ForwardAction, string>;

const act = (action: ForwardAction) =>
  route({
    method: 'POST',
    path: `/v1/cutovers/{cutover}/forwards/${action}`,
    scope: 'control:write',
    summary: `${SUMMARIES[action]} one forwarded write in quarantine, or all of them.`,
    params: { cutover },
    body: forwardAction,
    handle: async ({ ports }, { params, body: which, actor }) => ({
      status: 200,
      body: await actOnForwards(ports, params.cutover.id, { action, which, actor }),
    }),
  });

export const forwardRoutes = [
  route({
    method: 'GET',
    path: '/v1/cutovers/{cutover}/forwards',
    scope: 'control:read',
    summary: 'Forwarded writes that wait, and those in quarantine.',
    params: { cutover },
    renamed: ['forwards'],
    handle: async ({ ports }, { params }) => ({ status: 200, body: await listForwards(ports, params.cutover.id) }),
  }),
  act('retry'),
  act('discard'),
];
