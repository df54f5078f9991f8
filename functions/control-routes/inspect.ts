/** Checks before a migration, progress, and comparisons of both tables. Changes nothing. */

import { checkHealth, compareKey, compareTables, outlookOf, outlooks } from '../../lib/flows/rows/inspect.ts';
import { parseRecordQuery, recordQuery } from '../../lib/schemas/http.ts';
import type { Route } from '../middleware.ts';
import { namedCutover } from './request.ts';

export const inspectRoutes: Route[] = [
  {
    method: 'GET',
    path: '/v1/progress',
    scope: 'control:read',
    summary: 'Progress of all cutovers, and what the rows recommend.',
    handle: async ({ ports, cutovers }) => ({
      status: 200,
      body: { cutovers: await outlooks(ports, await cutovers()) },
    }),
  },
  {
    method: 'GET',
    path: '/v1/cutovers/{cutover}/progress',
    scope: 'control:read',
    summary: 'Progress of one cutover, and what its rows recommend.',
    handle: async (composition, request) => ({
      status: 200,
      body: await outlookOf(composition.ports, await namedCutover(composition, request)),
    }),
  },
  {
    method: 'GET',
    path: '/v1/cutovers/{cutover}/health',
    scope: 'control:read',
    summary: 'Checks of its tables and their server, before it is started.',
    handle: async (composition, request) => ({
      status: 200,
      body: await checkHealth(composition.ports, await namedCutover(composition, request)),
    }),
  },
  {
    method: 'GET',
    path: '/v1/cutovers/{cutover}/consistency',
    scope: 'control:read',
    summary: 'Compares both tables now, whole, and stores nothing.',
    handle: async (composition, request) => ({
      status: 200,
      body: await compareTables(composition.ports, await namedCutover(composition, request)),
    }),
  },
  {
    method: 'GET',
    path: '/v1/cutovers/{cutover}/record',
    scope: 'control:read',
    summary: 'Compares one row of both sides.',
    query: recordQuery,
    handle: async (composition, request) => {
      const declaration = await namedCutover(composition, request);
      return { status: 200, body: await compareKey(composition.ports, declaration, parseRecordQuery(request.query)) };
    },
  },
];
