/** Verification and repair of a table, on demand. */

import { repairTable, verifyNow } from '../../lib/flows/rows/verify.ts';
import { readIdempotencyKey } from '../../lib/schemas/http.ts';
import { parseVerify, repairBody, verifyBody } from '../../lib/schemas/rows.ts';
import type { Route } from '../middleware.ts';
import { namedCutover } from './request.ts';

export const tableRoutes: Route[] = [
  {
    method: 'POST',
    path: '/v1/cutovers/{cutover}/verify',
    scope: 'control:write',
    summary: 'Compares both tables now, and stores what it finds.',
    body: verifyBody,
    headers: ['idempotency-key'],
    handle: async (composition, request) => {
      const declaration = await namedCutover(composition, request);
      readIdempotencyKey(request.header('idempotency-key'));
      return { status: 200, body: await verifyNow(composition.ports, declaration, parseVerify(request.body)) };
    },
  },
  {
    method: 'POST',
    path: '/v1/cutovers/{cutover}/repair',
    scope: 'control:write',
    summary: 'Writes the rows anew that the last comparison found diverged.',
    body: repairBody,
    headers: ['idempotency-key'],
    handle: async (composition, request) => {
      const declaration = await namedCutover(composition, request);
      readIdempotencyKey(request.header('idempotency-key'));
      return { status: 200, body: await repairTable(composition.ports, declaration) };
    },
  },
];
