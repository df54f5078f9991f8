/** Checks before a migration, progress, and comparisons of both tables. Changes nothing. */

import {
  checkHealth,
  compareKey,
  compareTables,
  progressOf,
  progressOfAll,
  showValues,
} from '../../lib/flows/rows/inspect.ts';
import { recordKey } from '../../lib/schemas/http.ts';
import { valuesBody } from '../../lib/schemas/rows.ts';
import { cutover } from '../http/parameters.ts';
import { route } from '../http/route.ts';

export const inspectRoutes = [
  route({
    method: 'GET',
    path: '/v1/progress',
    scope: 'control:read',
    summary: 'Figures of the rows of all cutovers.',
    handle: async ({ ports, cutovers }) => ({
      status: 200,
      body: { cutovers: await progressOfAll(ports, await cutovers()) },
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/cutovers/{cutover}/progress',
    scope: 'control:read',
    summary: 'Figures of the rows of one cutover.',
    params: { cutover },
    handle: async ({ ports }, { params }) => ({ status: 200, body: await progressOf(ports, params.cutover) }),
  }),
  route({
    method: 'GET',
    path: '/v1/cutovers/{cutover}/health',
    scope: 'control:read',
    summary: 'Checks of its tables and their server, before it is started.',
    params: { cutover },
    handle: async ({ ports }, { params }) => ({ status: 200, body: await checkHealth(ports, params.cutover) }),
  }),
  route({
    method: 'GET',
    path: '/v1/cutovers/{cutover}/consistency',
    scope: 'control:read',
    summary: 'Compares both tables now, whole, and stores nothing.',
    params: { cutover },
    handle: async ({ ports }, { params }) => ({ status: 200, body: await compareTables(ports, params.cutover) }),
  }),
  route({
    method: 'GET',
    path: '/v1/cutovers/{cutover}/record',
    scope: 'control:read',
    summary: 'Compares one row of both sides.',
    params: { cutover },
    query: recordKey,
    handle: async ({ ports }, { params, query }) => ({
      status: 200,
      body: await compareKey(ports, params.cutover, query.key),
    }),
  }),
  // No GET: a policy or a proxy that lets readers GET everything lets them see no row.
  route({
    method: 'POST',
    path: '/v1/cutovers/{cutover}/record/values',
    scope: 'rows:read',
    summary: 'The values of one row on both sides, but for columns that are redacted.',
    params: { cutover },
    body: valuesBody,
    handle: async ({ ports }, { params, body: { key }, actor }) => ({
      status: 200,
      body: await showValues(ports, params.cutover, { key, actor }),
    }),
  }),
];
