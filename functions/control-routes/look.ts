/** What can be looked at: health, status, preview, history, verification, flags. Changes nothing. */

import { OPEN_METRICS, openMetrics } from '../../lib/core/report/open-metrics.ts';
import { listAlerts } from '../../lib/flows/alerts/alerts.ts';
import { history } from '../../lib/flows/report/history.ts';
import { metricFamilies } from '../../lib/flows/report/metrics.ts';
import { fullReport } from '../../lib/flows/report/performance.ts';
import { report } from '../../lib/flows/report/report.ts';
import { previewTable } from '../../lib/flows/rows/verify.ts';
import { page } from '../../lib/schemas/http.ts';
import { hoursQuery } from '../../lib/schemas/reports.ts';
import { previewQuery } from '../../lib/schemas/rows.ts';
import { cutover } from '../http/parameters.ts';
import { route } from '../http/route.ts';

export const lookRoutes = [
  route({
    method: 'GET',
    path: '/v1/health',
    scope: null,
    summary: 'Says that the API answers.',
    handle: async () => ({ status: 200, body: { status: 'ok' } }),
  }),
  route({
    method: 'GET',
    path: '/v1/cutovers',
    scope: 'control:read',
    summary: 'Status of all cutovers: stage, share, figures, what holds them.',
    handle: async ({ ports, cutovers }) => ({ status: 200, body: await report(ports, await cutovers()) }),
  }),
  route({
    method: 'GET',
    path: '/v1/report',
    scope: 'control:read',
    summary: 'Status of all cutovers; with `hours` also what both sides did in that time.',
    query: hoursQuery,
    handle: async ({ ports, cutovers }, { query: { hours } }) => {
      const declarations = await cutovers();
      const body =
        hours === undefined ? await report(ports, declarations) : await fullReport(ports, declarations, hours);
      return { status: 200, body };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/metrics',
    scope: 'control:read',
    summary: 'Figures of all cutovers, tables and alerts at this moment, for Prometheus.',
    answers: { 200: ['application/openmetrics-text'] },
    handle: async ({ ports, cutovers }) => {
      const [seen, alerts] = await Promise.all([report(ports, await cutovers()), listAlerts(ports)]);
      return {
        status: 200,
        text: openMetrics(metricFamilies(seen, alerts)),
        headers: { 'content-type': OPEN_METRICS },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/cutovers/{cutover}',
    scope: 'control:read',
    summary: 'Status of one cutover; its version is the ETag.',
    params: { cutover },
    handle: async ({ ports, cutovers }, { params }) => {
      const { cutovers: reported } = await report(ports, await cutovers(), { only: params.cutover.id });
      const found = reported[0]!;
      const headers: Record<string, string> = 'version' in found ? { etag: `"${found.version}"` } : {};
      return { status: 200, body: found, headers };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/cutovers/{cutover}/preview',
    scope: 'control:read',
    summary: 'What would become of the columns, dependents and rows of its table.',
    params: { cutover },
    query: previewQuery,
    handle: async ({ ports }, { params, query }) => ({
      status: 200,
      body: await previewTable(ports, params.cutover, query),
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/cutovers/{cutover}/history',
    scope: 'control:read',
    summary: 'The audit log of one cutover, newest first.',
    params: { cutover },
    query: page,
    handle: async ({ ports }, { params, query: { limit, after } }) => ({
      status: 200,
      body: await history(ports, params.cutover.id, { limit, afterSeq: after }),
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/cutovers/{cutover}/verification',
    scope: 'control:read',
    summary: 'The last comparison of both tables, and keys in quarantine.',
    params: { cutover },
    handle: async ({ ports }, { params }) => {
      const status = await ports.inspecting.status(params.cutover.id);
      return {
        status: 200,
        body: {
          verification: status?.verification ?? null,
          quarantined: status?.quarantined ?? 0,
          quarantine: status?.quarantine ?? [],
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/system',
    scope: 'control:read',
    summary: 'What holds for all cutovers: stopped, read-only, shadow writes.',
    handle: async ({ ports }) => {
      const { auditSeq: _seq, auditHash: _hash, ...system } = await ports.state.readSystem();
      return { status: 200, body: system };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/flags',
    scope: 'control:read',
    summary: 'The flags as they are deployed.',
    handle: async ({ ports }) => ({ status: 200, body: await ports.flags.deployed() }),
  }),
];
