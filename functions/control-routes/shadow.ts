/** The shadow of a cutover that is not under way: dropped on demand. */

import { removeShadow } from '../../lib/flows/remove-shadow.ts';
import { readIdempotencyKey } from '../../lib/schemas/http.ts';
import { parseRemoveShadow, removeBody } from '../../lib/schemas/rows.ts';
import type { Route } from '../middleware.ts';
import { namedCutover } from './request.ts';

export const shadowRoutes: Route[] = [
  {
    method: 'POST',
    path: '/v1/cutovers/{cutover}/remove-shadow',
    scope: 'control:cleanup',
    summary: 'Drops the shadow table of a cutover that is not under way, and everything of ours.',
    body: removeBody,
    headers: ['idempotency-key'],
    handle: async (composition, request) => {
      const declaration = await namedCutover(composition, request);
      const wanted = parseRemoveShadow(request.body);
      readIdempotencyKey(request.header('idempotency-key'));
      const by = { ...wanted, actor: request.actor };
      return { status: 200, body: await removeShadow(composition.ports, declaration, by) };
    },
  },
];
