/** The page and its data. */

import { composeInside } from '../lib/compose/inside.ts';
import type { Composition } from '../lib/compose/ports.ts';
import { CrossfadeError } from '../lib/core/base/errors.ts';
import { type CutoverData, cutoverData, type DashboardData, dashboardData } from '../lib/dashboard/data.ts';
import { asset, renderPage } from '../lib/dashboard/page.ts';
import { readCutoverPage, readPage } from '../lib/flows/report/page.ts';
import { pageQuery } from '../lib/schemas/page.ts';
import { findCutover, PATH } from '../lib/schemas/path.ts';
import { route } from './http/route.ts';
import { httpHandler } from './middleware.ts';

/** Of the page as a whole; with a cutover, of this one alone, so that it waits for no other. */
async function data({ ports, cutovers }: Composition, id: string | undefined): Promise<DashboardData | CutoverData> {
  const declarations = await cutovers();
  if (id === undefined) {
    const { status, audit, alerts, experiments } = await readPage(ports, declarations);
    return dashboardData(status, audit, alerts, experiments);
  }
  const one = await readCutoverPage(ports, declarations, findCutover(declarations, id).id);
  return cutoverData(one.status, one.audit, one.alerts);
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
    summary: 'The figures of the page: a row for each cutover, or everything of one.',
    query: pageQuery,
    handle: async (composition, { query }) => ({ status: 200, body: await data(composition, query.cutover) }),
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

export const handler = httpHandler(composeInside, pageRoutes);

function findAsset(name: string | undefined) {
  const found = asset(name ?? '');
  if (!found) throw new CrossfadeError('not_found', 'The page has no such part.');
  return found;
}
