/** Routing decisions for callers without the SDK, by the same rules and from the same flags. */

import { composeRouting, type RoutingComposition } from '../lib/compose/routing.ts';
import { CrossfadeError } from '../lib/core/base/errors.ts';
import { type FlagDocument, flagTag, servedForm } from '../lib/core/routing/flags.ts';
import { PATH } from '../lib/schemas/path.ts';
import { type RouteRequestBody, readRoutedCutover, routeBatch, routeQuery } from '../lib/schemas/route-request.ts';
import { routesOf } from './http/route.ts';
import { isKnown } from './http/tags.ts';
import { httpHandler } from './middleware.ts';
import { ofrepRoutes } from './routing-routes/ofrep.ts';

async function decideAll({ router }: RoutingComposition, requests: readonly RouteRequestBody[]) {
  await router.refresh();
  return requests.map(({ cutover, ...request }) => ({ cutover, ...router.route(cutover, request) }));
}

/** @throws CrossfadeError `flags_unavailable` before the first flags */
async function flagsOf({ router }: RoutingComposition): Promise<{ document: FlagDocument; ageMs: number }> {
  await router.refresh();
  const flags = router.flags();
  if (flags) return flags;
  throw new CrossfadeError(
    'flags_unavailable',
    'No flags could be read from AppConfig yet. Readers keep the ones they have; check what is deployed.',
    { retryable: true },
  );
}

const route = routesOf<RoutingComposition>();

export const routingRoutes = [
  ...ofrepRoutes,
  route({
    method: 'GET',
    path: '/v1/route/{cutover}',
    scope: 'route:read',
    summary: 'Which side a key goes to; groups are separated by commas.',
    params: { cutover: { ...PATH.cutover, find: readRoutedCutover } },
    query: routeQuery,
    handle: async (composition, { params, query }) => {
      const [decision] = await decideAll(composition, [{ ...query, ...params }]);
      return { status: 200, body: decision };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/route',
    scope: 'route:read',
    summary: 'Which side each of up to a thousand keys goes to.',
    body: routeBatch,
    handle: async (composition, { body: requests }) => ({
      status: 200,
      body: { routes: await decideAll(composition, requests) },
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/flags/served',
    scope: 'route:read',
    summary: 'The flags as readers get them.',
    headers: ['if-none-match'],
    answers: { 200: ['application/json'], 304: [] },
    handle: async (composition, request) => {
      const { document, ageMs } = await flagsOf(composition);
      const headers = { etag: flagTag(document), age: String(Math.floor(ageMs / 1_000)), 'cache-control': 'no-cache' };
      if (isKnown(headers.etag, request.headers['if-none-match'])) return { status: 304, headers, text: '' };
      return { status: 200, headers, body: servedForm(document) };
    },
  }),
];

export const handler = httpHandler(composeRouting, routingRoutes);
