/** Rows of a table: keys in quarantine, and the copy of existing rows. */

import { rehearseBackfill } from '../../lib/flows/rows/rehearse-backfill.ts';
import {
  controlBackfill,
  discardQuarantine,
  listQuarantine,
  reportBackfill,
  retryQuarantine,
} from '../../lib/flows/rows/row-controls.ts';
import { readIdempotencyKey } from '../../lib/schemas/http.ts';
import {
  controlBody,
  discardBody,
  parseBackfillControl,
  parseDiscard,
  parseQuarantinePage,
  parseRetry,
  quarantineQuery,
  retryBody,
} from '../../lib/schemas/rows.ts';
import type { Route } from '../middleware.ts';
import { namedCutover } from './request.ts';

const BACKFILL_ACTIONS = {
  pause: 'Holds the copy of existing rows.',
  resume: 'Lets the copy of existing rows go on.',
  cancel: 'Cancels the copy of existing rows; a cancelled one begins anew.',
} as const;

export const rowRoutes: Route[] = [
  {
    method: 'GET',
    path: '/v1/cutovers/{cutover}/quarantine',
    scope: 'control:read',
    summary: 'Keys whose rows do not fit the shadow, and why.',
    query: quarantineQuery,
    handle: async (composition, request) => {
      const declaration = await namedCutover(composition, request);
      return {
        status: 200,
        body: await listQuarantine(composition.ports, declaration, parseQuarantinePage(request.query)),
      };
    },
  },
  {
    method: 'POST',
    path: '/v1/cutovers/{cutover}/quarantine/retry',
    scope: 'control:write',
    summary: 'Tries one key in quarantine again, or all.',
    body: retryBody,
    headers: ['idempotency-key'],
    handle: async (composition, request) => {
      const declaration = await namedCutover(composition, request);
      const { key = null } = parseRetry(request.body);
      readIdempotencyKey(request.header('idempotency-key'));
      return { status: 200, body: await retryQuarantine(composition.ports, declaration, key, request.actor) };
    },
  },
  {
    method: 'POST',
    path: '/v1/cutovers/{cutover}/quarantine/discard',
    scope: 'control:write',
    summary: 'Gives one key in quarantine up.',
    body: discardBody,
    headers: ['idempotency-key'],
    handle: async (composition, request) => {
      const declaration = await namedCutover(composition, request);
      const wanted = parseDiscard(request.body);
      readIdempotencyKey(request.header('idempotency-key'));
      return { status: 200, body: await discardQuarantine(composition.ports, declaration, wanted, request.actor) };
    },
  },
  {
    method: 'GET',
    path: '/v1/cutovers/{cutover}/backfill',
    scope: 'control:read',
    summary: 'How far the copy of existing rows is.',
    handle: async (composition, request) => ({
      status: 200,
      body: await reportBackfill(composition.ports, await namedCutover(composition, request)),
    }),
  },
  {
    method: 'GET',
    path: '/v1/cutovers/{cutover}/backfill/dry-run',
    scope: 'control:read',
    summary: 'Rows, chunks and time of the copy, without copying.',
    handle: async (composition, request) => ({
      status: 200,
      body: await rehearseBackfill(composition.ports, await namedCutover(composition, request)),
    }),
  },
  ...(Object.keys(BACKFILL_ACTIONS) as (keyof typeof BACKFILL_ACTIONS)[]).map(
    (action): Route => ({
      method: 'POST',
      path: `/v1/cutovers/{cutover}/backfill/${action}`,
      scope: 'control:write',
      summary: BACKFILL_ACTIONS[action],
      body: controlBody,
      headers: ['idempotency-key'],
      handle: async (composition, request) => {
        const declaration = await namedCutover(composition, request);
        const { reason } = parseBackfillControl(request.body);
        readIdempotencyKey(request.header('idempotency-key'));
        const by = { actor: request.actor, reason };
        return { status: 200, body: await controlBackfill(composition.ports, declaration, action, by) };
      },
    }),
  ),
];
