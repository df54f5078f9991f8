/** Writes that applications make themselves: the intent before, what became of it after. */

import { intendWrite, settleWrite } from '../../lib/flows/forwards/record-write.ts';
import { findCutover } from '../../lib/schemas/http.ts';
import { intendedWrite, parseIntendedWrite, parseSettledWrite, settledWrite } from '../../lib/schemas/writes.ts';
import type { Route } from '../middleware.ts';

export const copyRoutes: Route[] = [
  {
    method: 'POST',
    path: '/v1/copies',
    scope: 'copies:write',
    summary: 'Records the intent of a write before it is made.',
    body: intendedWrite,
    handle: async ({ ports, cutovers }, request) => {
      const { cutover, ...write } = parseIntendedWrite(request.body);
      const declaration = findCutover(await cutovers(), cutover);
      return { status: 200, body: await intendWrite(ports, declaration, write, request.deadlineMs) };
    },
  },
  {
    method: 'POST',
    path: '/v1/copies/settle',
    scope: 'copies:write',
    summary: 'Says what became of a write.',
    body: settledWrite,
    handle: async ({ ports, cutovers }, request) => {
      const { cutover, copy, outcome } = parseSettledWrite(request.body);
      const { id } = findCutover(await cutovers(), cutover);
      return { status: 200, body: await settleWrite(ports, id, copy, outcome) };
    },
  },
];
