/** Copies of writes: what waits, and what a person decides about those in quarantine. */

import { actOnCopies, type CopyAction, listCopies } from '../../lib/flows/forwards/copies.ts';
import { copyAction, parseCopyAction, readIdempotencyKey } from '../../lib/schemas/http.ts';
import type { Route } from '../middleware.ts';
import { namedCutover } from './request.ts';

const SUMMARIES = { retry: 'Tries again', discard: 'Gives up' } satisfies Record<CopyAction, string>;

const act = (action: CopyAction): Route => ({
  method: 'POST',
  path: `/v1/cutovers/{cutover}/copies/${action}`,
  scope: 'control:write',
  summary: `${SUMMARIES[action]} one copy in quarantine, or all of them.`,
  body: copyAction,
  headers: ['idempotency-key'],
  handle: async (composition, request) => {
    const { id } = await namedCutover(composition, request);
    const which = parseCopyAction(request.body);
    readIdempotencyKey(request.header('idempotency-key'));
    return { status: 200, body: await actOnCopies(composition.ports, id, action, which, request.actor) };
  },
});

export const copyRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/cutovers/{cutover}/copies',
    scope: 'control:read',
    summary: 'Copies of writes that wait, and those in quarantine.',
    handle: async (composition, request) => {
      const { id } = await namedCutover(composition, request);
      return { status: 200, body: await listCopies(composition.ports, id) };
    },
  },
  act('retry'),
  act('discard'),
];
