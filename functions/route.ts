/** Routing decisions for callers without the SDK, by the same rules and from the same flags. */

import { composeRouting, type RoutingComposition } from '../lib/compose-routing.ts';
import { parseRouteBatch, parseRouteRequest, type RouteRequestBody } from '../lib/schemas/route-request.ts';
import { httpHandler } from './middleware.ts';

async function decideAll({ router }: RoutingComposition, requests: readonly RouteRequestBody[]) {
  await router.refresh();
  return requests.map(({ cutover, ...request }) => ({ cutover, ...router.route(cutover, request) }));
}

export const handler = httpHandler(composeRouting, [
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
