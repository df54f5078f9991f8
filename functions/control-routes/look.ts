/** What can be looked at: health, status, plan, history, verification, flags. Changes nothing. */

import { history } from '../../lib/flows/report/history.ts';
import { fullReport } from '../../lib/flows/report/performance.ts';
import { report } from '../../lib/flows/report/report.ts';
import { planTable } from '../../lib/flows/rows/verify.ts';
import { pageQuery, parsePage } from '../../lib/schemas/http.ts';
import { hoursQuery, parseHours } from '../../lib/schemas/reports.ts';
import { parsePlan, planQuery } from '../../lib/schemas/rows.ts';
import type { Route } from '../middleware.ts';
import { namedCutover } from './request.ts';

export const lookRoutes: Route[] = [
  {
    method: 'GET',
    path: '/v1/health',
    scope: null,
    summary: 'Says that the API answers.',
    handle: async () => ({ status: 200, body: { status: 'ok' } }),
  },
  {
    method: 'GET',
    path: '/v1/cutovers',
    scope: 'control:read',
    summary: 'Status of all cutovers: stage, share, figures, what holds them.',
    handle: async ({ ports, cutovers }) => ({ status: 200, body: await report(ports, await cutovers()) }),
  },
  {
    method: 'GET',
    path: '/v1/report',
    scope: 'control:read',
    summary: 'Status of all cutovers, with hours: and what both sides did in the last ones.',
    query: hoursQuery,
    handle: async ({ ports, cutovers }, request) => {
      const hours = parseHours(request.query);
      const declarations = await cutovers();
      const body =
        hours === undefined ? await report(ports, declarations) : await fullReport(ports, declarations, hours);
      return { status: 200, body };
    },
  },
  {
    method: 'GET',
    path: '/v1/cutovers/{cutover}',
    scope: 'control:read',
    summary: 'Status of one cutover; its version is the ETag.',
    handle: async (composition, request) => {
      const { id } = await namedCutover(composition, request);
      const { cutovers } = await report(composition.ports, await composition.cutovers(), id);
      const found = cutovers[0]!;
      const headers: Record<string, string> = 'version' in found ? { etag: `"${found.version}"` } : {};
      return { status: 200, body: found, headers };
    },
  },
  {
    method: 'GET',
    path: '/v1/cutovers/{cutover}/plan',
    scope: 'control:read',
    summary: 'What would become of the columns, dependents and rows of its table.',
    query: planQuery,
    handle: async (composition, request) => ({
      status: 200,
      body: await planTable(composition.ports, await namedCutover(composition, request), parsePlan(request.query)),
    }),
  },
  {
    method: 'GET',
    path: '/v1/cutovers/{cutover}/history',
    scope: 'control:read',
    summary: 'The audit log of one cutover, newest first.',
    query: pageQuery,
    handle: async (composition, request) => {
      const { id } = await namedCutover(composition, request);
      return { status: 200, body: await history(composition.ports, id, parsePage(request.query)) };
    },
  },
  {
    method: 'GET',
    path: '/v1/cutovers/{cutover}/verification',
    scope: 'control:read',
    summary: 'The last comparison of both tables, and keys in quarantine.',
    handle: async (composition, request) => {
      const { id } = await namedCutover(composition, request);
      const status = await composition.ports.tables.status(id);
      return {
        status: 200,
        body: {
          verification: status?.verification ?? null,
          quarantined: status?.quarantined ?? 0,
          quarantine: status?.quarantine ?? [],
        },
      };
    },
  },
  {
    method: 'GET',
    path: '/v1/system',
    scope: 'control:read',
    summary: 'What holds for all cutovers: stopped, read-only, shadow writes.',
    handle: async ({ ports }) => {
      const { auditSeq: _seq, auditHash: _hash, ...system } = await ports.state.readSystem();
      return { status: 200, body: system };
    },
  },
  {
    method: 'GET',
    path: '/v1/flags',
    scope: 'control:read',
    summary: 'The flags as they are deployed.',
    handle: async ({ ports }) => ({ status: 200, body: await ports.flags.deployed() }),
  },
];
