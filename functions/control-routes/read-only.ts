/** The primary of a table read-only for a while, and writable again. */

import { endReadOnly, makeReadOnly } from '../../lib/flows/control/read-only.ts';
import { endReadOnlyBody, readOnlyBody } from '../../lib/schemas/rows.ts';
import { cutover } from '../http/parameters.ts';
import { route } from '../http/route.ts';

export const readOnlyRoutes = [
  route({
    method: 'POST',
    path: '/v1/cutovers/{cutover}/read-only',
    scope: 'control:write',
    summary: 'Makes the primary table read-only for at most some seconds.',
    params: { cutover },
    body: readOnlyBody,
    handle: async ({ ports, cutovers }, { params, body, actor }) => ({
      status: 200,
      body: await makeReadOnly(ports, await cutovers(), params.cutover, { ...body, actor }),
    }),
  }),
  route({
    method: 'POST',
    path: '/v1/cutovers/{cutover}/read-only/end',
    scope: 'control:write',
    summary: 'Lets the primary table be written again.',
    params: { cutover },
    body: endReadOnlyBody,
    handle: async ({ ports, cutovers }, { params, body, actor }) => ({
      status: 200,
      body: await endReadOnly(ports, await cutovers(), params.cutover, { ...body, actor }),
    }),
  }),
];
