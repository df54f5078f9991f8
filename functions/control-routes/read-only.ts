/** The primary of a table read-only for a while, and writable again. */

import { endReadOnly, makeReadOnly } from '../../lib/flows/control/read-only.ts';
import { readIdempotencyKey } from '../../lib/schemas/http.ts';
import { endReadOnlyBody, parseEndReadOnly, parseReadOnly, readOnlyBody } from '../../lib/schemas/rows.ts';
import type { Route } from '../middleware.ts';
import { namedCutover } from './request.ts';

export const readOnlyRoutes: Route[] = [
  {
    method: 'POST',
    path: '/v1/cutovers/{cutover}/read-only',
    scope: 'control:write',
    summary: 'Makes the primary table read-only for at most some seconds.',
    body: readOnlyBody,
    headers: ['idempotency-key'],
    handle: async (composition, request) => {
      const declaration = await namedCutover(composition, request);
      const wanted = parseReadOnly(request.body);
      readIdempotencyKey(request.header('idempotency-key'));
      const by = { ...wanted, actor: request.actor };
      return {
        status: 200,
        body: await makeReadOnly(composition.ports, await composition.cutovers(), declaration, by),
      };
    },
  },
  {
    method: 'POST',
    path: '/v1/cutovers/{cutover}/read-only/end',
    scope: 'control:write',
    summary: 'Lets the primary table be written again.',
    body: endReadOnlyBody,
    headers: ['idempotency-key'],
    handle: async (composition, request) => {
      const declaration = await namedCutover(composition, request);
      const wanted = parseEndReadOnly(request.body);
      readIdempotencyKey(request.header('idempotency-key'));
      const by = { ...wanted, actor: request.actor };
      return { status: 200, body: await endReadOnly(composition.ports, await composition.cutovers(), declaration, by) };
    },
  },
];
