/** Verification and repair of a table, on demand. */

import { repairTable, verifyNow } from '../../lib/flows/rows/verify.ts';
import { repairBody, verifyBody } from '../../lib/schemas/rows.ts';
import { cutover } from '../http/parameters.ts';
import { route } from '../http/route.ts';

export const tableRoutes = [
  route({
    method: 'POST',
    path: '/v1/cutovers/{cutover}/verify',
    scope: 'control:write',
    summary: 'Compares both tables now, and stores what it finds.',
    params: { cutover },
    body: verifyBody,
    handle: async ({ ports }, { params, body }) => ({
      status: 200,
      body: await verifyNow(ports, params.cutover, body),
    }),
  }),
  route({
    method: 'POST',
    path: '/v1/cutovers/{cutover}/repair',
    scope: 'control:write',
    summary: 'Writes again the rows that the last comparison found to differ.',
    params: { cutover },
    body: repairBody,
    handle: async ({ ports }, { params }) => ({ status: 200, body: await repairTable(ports, params.cutover) }),
  }),
];
