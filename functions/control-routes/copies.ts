/** Copies of writes: what waits, and what a person decides about those in quarantine. */

import { actOnCopies, type CopyAction, listCopies } from '../../lib/flows/forwards/copies.ts';
import { copyAction } from '../../lib/schemas/http.ts';
import { cutover } from '../http/parameters.ts';
import { route } from '../http/route.ts';

const SUMMARIES = { retry: 'Tries again', discard: 'Gives up' } satisfies Record<CopyAction, string>;

const act = (action: CopyAction) =>
  route({
    method: 'POST',
    path: `/v1/cutovers/{cutover}/copies/${action}`,
    scope: 'control:write',
    summary: `${SUMMARIES[action]} one copy in quarantine, or all of them.`,
    params: { cutover },
    body: copyAction,
    handle: async ({ ports }, { params, body: which, actor }) => ({
      status: 200,
      body: await actOnCopies(ports, params.cutover.id, { action, which, actor }),
    }),
  });

export const copyRoutes = [
  route({
    method: 'GET',
    path: '/v1/cutovers/{cutover}/copies',
    scope: 'control:read',
    summary: 'Copies of writes that wait, and those in quarantine.',
    params: { cutover },
    handle: async ({ ports }, { params }) => ({ status: 200, body: await listCopies(ports, params.cutover.id) }),
  }),
  act('retry'),
  act('discard'),
];
