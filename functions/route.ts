/** Routing decisions for callers without the SDK, by the same rules and from the same flags. */

import { type Composition, compose } from '../lib/compose.ts';
import { parseRouteBatch, parseRouteRequest, type RouteRequestBody } from '../lib/schemas/http.ts';
import { httpHandler } from './middleware.ts';

async function decideAll(composition: Composition, requests: readonly RouteRequestBody[]) {
  const router = await composition.router();
  await router.refresh();
  return requests.map(({ cutover, ...request }) => ({ cutover, ...router.route(cutover, request) }));
}

export const handler = httpHandler(compose, [
  {
    method: 'GET',
    path: '/v1/route/{cutover}',
    scope: 'route:read',
    handle: async (composition, request) => {
      const { groups, ...query } = request.query;
      const wanted = { cutover: request.params.cutover, ...query, ...(groups ? { groups: groups.split(',') } : {}) };
      const [decision] = await decideAll(composition, [parseRouteRequest(wanted)]);
      return { status: 200, body: decision };
    },
  },
  {
    method: 'POST',
    path: '/v1/route',
    scope: 'route:read',
    handle: async (composition, request) => ({
      status: 200,
      body: { routes: await decideAll(composition, parseRouteBatch(request.body)) },
    }),
  },
]);
