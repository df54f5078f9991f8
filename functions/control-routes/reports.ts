/** Exports, and whether the audit log is whole. Changes nothing. */

import { checkpointText } from '../../lib/core/report/checkpoint-text.ts';
import { csvLine } from '../../lib/core/report/csv.ts';
import { checkpoints } from '../../lib/flows/report/checkpoints.ts';
import { exportAudit, exportMetrics } from '../../lib/flows/report/export.ts';
import { recentHistory, verifyAudit } from '../../lib/flows/report/history.ts';
import { replayStored } from '../../lib/flows/report/replay-stored.ts';
import { readCursor, writeCursor } from '../../lib/schemas/cursor.ts';
import { newest } from '../../lib/schemas/http.ts';
import { checkpointsQuery, exportQuery, replayQuery } from '../../lib/schemas/reports.ts';
import { cutover } from '../http/parameters.ts';
import { route } from '../http/route.ts';

export const reportRoutes = [
  route({
    method: 'GET',
    path: '/v1/cutovers/{cutover}/export',
    scope: 'control:read',
    summary: 'A page of the audit log or of the minute windows, as rows.',
    params: { cutover },
    query: exportQuery,
    answers: { 200: ['application/json', 'text/csv'] },
    handle: async ({ ports }, { params, query: { what, format, hours, limit, cursor } }) => {
      const declaration = params.cutover;
      const list = `${what}#${declaration.id}`;
      const nowMs = ports.clock.now();
      const after = cursor === undefined ? 0 : readCursor(list, cursor, nowMs);
      const { columns, rows, next } =
        what === 'audit'
          ? await exportAudit(ports, declaration, { after, limit })
          : await exportMetrics(ports, declaration, { after, hours });
      const nextCursor = next === null ? null : writeCursor(list, next, nowMs);
      if (format === 'json') return { status: 200, body: { columns, rows, next: nextCursor } };
      return {
        status: 200,
        // Columns on the first page only: pages put one after the other are one file.
        text: [...(cursor === undefined ? [csvLine(columns)] : []), ...rows.map(csvLine)].join(''),
        headers: {
          'content-type': 'text/csv; charset=utf-8; header=present',
          'content-disposition': `attachment; filename="${declaration.id}-${what}.csv"`,
          ...(nextCursor === null ? {} : { 'x-next-cursor': nextCursor }),
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/cutovers/{cutover}/replay',
    scope: 'control:read',
    summary: 'What the gates say of each stored minute today, or would say with other limits.',
    params: { cutover },
    query: replayQuery,
    handle: async ({ ports }, { params, query }) => ({
      status: 200,
      body: { stages: await replayStored(ports, params.cutover, query.hours, query.set) },
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/cutovers/{cutover}/checkpoints',
    scope: 'control:read',
    summary: 'What was compared in each stage, and what was decided on it.',
    params: { cutover },
    query: checkpointsQuery,
    answers: { 200: ['application/json', 'text/plain'] },
    handle: async ({ ports }, { params, query: { format } }) => {
      const found = await checkpoints(ports, params.cutover);
      if (format === 'json') return { status: 200, body: found };
      return {
        status: 200,
        text: `${checkpointText(found).join('\n')}\n`,
        headers: { 'content-type': 'text/plain; charset=utf-8' },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/audit',
    scope: 'control:read',
    summary: 'The newest entries of all audit logs, newest first.',
    query: newest,
    handle: async ({ ports, cutovers }, { query: { limit } }) => {
      const ids = (await cutovers()).map(({ id }) => id);
      return { status: 200, body: { entries: await recentHistory(ports, ids, limit) } };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/audit/verification',
    scope: 'control:read',
    summary: 'Whether the chain of every audit log is whole.',
    handle: async ({ ports, cutovers }) => {
      const ids = (await cutovers()).map(({ id }) => id);
      return { status: 200, body: await verifyAudit(ports, ['system', ...ids]) };
    },
  }),
];
