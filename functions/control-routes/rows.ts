/** Rows of a table: keys in quarantine, and the copy of existing rows. */

import { rehearseBackfill } from '../../lib/flows/rows/rehearse-backfill.ts';
import {
  controlBackfill,
  discardQuarantine,
  listQuarantine,
  reportBackfill,
  retryQuarantine,
} from '../../lib/flows/rows/row-controls.ts';
import { backfillBody, discardBody, quarantinePage, retryBody } from '../../lib/schemas/rows.ts';
import { cutover } from '../http/parameters.ts';
import { route } from '../http/route.ts';

const BACKFILL_ACTIONS = {
  pause: 'Holds the copy of existing rows.',
  resume: 'Lets the copy of existing rows go on.',
  cancel: 'Cancels the copy of existing rows; a cancelled one begins again from the first row.',
} as const;

export const rowRoutes = [
  route({
    method: 'GET',
    path: '/v1/cutovers/{cutover}/quarantine',
    scope: 'control:read',
    summary: 'Keys whose rows do not fit the shadow, and why.',
    params: { cutover },
    query: quarantinePage,
    handle: async ({ ports }, { params, query }) => ({
      status: 200,
      body: await listQuarantine(ports, params.cutover, query),
    }),
  }),
  route({
    method: 'POST',
    path: '/v1/cutovers/{cutover}/quarantine/retry',
    scope: 'control:write',
    summary: 'Tries one key in quarantine again, or all.',
    params: { cutover },
    body: retryBody,
    handle: async ({ ports }, { params, body: { key = null }, actor }) => ({
      status: 200,
      body: await retryQuarantine(ports, params.cutover, key, actor),
    }),
  }),
  route({
    method: 'POST',
    path: '/v1/cutovers/{cutover}/quarantine/discard',
    scope: 'control:write',
    summary: 'Discards one key in quarantine: it is not tried again.',
    params: { cutover },
    body: discardBody,
    handle: async ({ ports }, { params, body, actor }) => ({
      status: 200,
      body: await discardQuarantine(ports, params.cutover, body, actor),
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/cutovers/{cutover}/backfill',
    scope: 'control:read',
    summary: 'How far the copy of existing rows is.',
    params: { cutover },
    handle: async ({ ports }, { params }) => ({ status: 200, body: await reportBackfill(ports, params.cutover) }),
  }),
  route({
    method: 'GET',
    path: '/v1/cutovers/{cutover}/backfill/dry-run',
    scope: 'control:read',
    summary: 'Rows, chunks and time of the copy, without copying.',
    params: { cutover },
    handle: async ({ ports }, { params }) => ({ status: 200, body: await rehearseBackfill(ports, params.cutover) }),
  }),
  ...(Object.keys(BACKFILL_ACTIONS) as (keyof typeof BACKFILL_ACTIONS)[]).map((action) =>
    route({
      method: 'POST',
      path: `/v1/cutovers/{cutover}/backfill/${action}`,
      scope: 'control:write',
      summary: BACKFILL_ACTIONS[action],
      params: { cutover },
      body: backfillBody,
      handle: async ({ ports }, { params, body: { reason }, actor }) => ({
        status: 200,
        body: await controlBackfill(ports, params.cutover, action, { actor, reason }),
      }),
    }),
  ),
];
