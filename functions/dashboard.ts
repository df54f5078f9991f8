/** The page and its data. */

import { composeApi } from '../lib/compose/api.ts';
import type { Composition } from '../lib/compose/ports.ts';
import { CrossfadeError } from '../lib/core/base/errors.ts';
import { type DashboardData, dashboardData } from '../lib/dashboard/data.ts';
import { asset, renderPage } from '../lib/dashboard/page.ts';
import { readPage } from '../lib/flows/report/page.ts';
import { PATH } from '../lib/schemas/path.ts';
import { route } from './http/route.ts';
import { httpHandler } from './middleware.ts';

async function data({ ports, cutovers }: Composition): Promise<DashboardData> {
  const { status, audit, alerts, experiments } = await readPage(ports, await cutovers());
  return dashboardData(status, audit, alerts, experiments);
}

export const pageRoutes = [
  route({
    method: 'GET',
    path: '/',
    scope: 'control:read',
    summary: 'The page.',
    answers: { 200: ['text/html'] },
    handle: async () => {
      const { html, headers } = renderPage();
      return { status: 200, text: html, headers };
    },
  }),
  route({
    method: 'GET',
    path: '/dashboard/data',
    scope: 'control:read',
    summary: 'The figures of the page.',
    handle: async (composition) => ({ status: 200, body: await data(composition) }),
  }),
  route({
    method: 'GET',
    path: '/dashboard/assets/{asset}',
    scope: 'control:read',
    summary: 'A part of the page.',
    params: { asset: { ...PATH.asset, find: findAsset } },
    answers: { 200: ['*/*'] },
    handle: async (_composition, { params }) => ({
      status: 200,
      text: params.asset.body,
      headers: { 'content-type': params.asset.contentType },
    }),
  }),
];

export const handler = httpHandler(composeApi, pageRoutes);

function findAsset(name: string | undefined) {
  const found = asset(name ?? '');
  if (!found) throw new CrossfadeError('not_found', 'The page has no such part.');
  return found;
}
