/** The tables of a cutover: taken over after somebody has altered them; the shadow of one that is not under way dropped on demand. */

import { adopt } from '../../lib/flows/rows/adopt.ts';
import { removeShadow } from '../../lib/flows/rows/remove-shadow.ts';
import { readIdempotencyKey } from '../../lib/schemas/http.ts';
import { controlBody, parseAdopt, parseRemoveShadow, removeBody } from '../../lib/schemas/rows.ts';
import type { Route } from '../middleware.ts';
import { namedCutover } from './request.ts';

export const shadowRoutes: Route[] = [
  {
    method: 'POST',
    path: '/v1/cutovers/{cutover}/adopt',
    scope: 'control:write',
    summary:
      'Takes altered tables over: capture follows them without a gap, and every row is copied and compared again.',
    body: controlBody,
    headers: ['idempotency-key'],
    handle: async (composition, request) => {
      const declaration = await namedCutover(composition, request);
      const wanted = parseAdopt(request.body);
      readIdempotencyKey(request.header('idempotency-key'));
      return { status: 200, body: await adopt(composition.ports, declaration, { ...wanted, actor: request.actor }) };
    },
  },
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
