/** Alerts: what fires, and who has taken it on. */

import { acknowledgeAlert, listAlerts } from '../../lib/flows/alerts/alerts.ts';
import { acknowledgement, parseAcknowledgement, readAlertId } from '../../lib/schemas/alerts.ts';
import { readIdempotencyKey } from '../../lib/schemas/http.ts';
import type { Route } from '../middleware.ts';

export const alertRoutes: Route[] = [
  {
    method: 'GET',
    path: '/v1/alerts',
    scope: 'control:read',
    summary: 'What fires, and what ended in the last day.',
    handle: async ({ ports }) => ({ status: 200, body: await listAlerts(ports) }),
  },
  {
    method: 'POST',
    path: '/v1/alerts/{alert}/acknowledge',
    scope: 'control:write',
    summary: 'Takes an alert on.',
    body: acknowledgement,
    headers: ['idempotency-key'],
    handle: async ({ ports, cutovers }, request) => {
      const id = readAlertId(request.params.alert);
      const { reason } = parseAcknowledgement(request.body);
      // Done twice it is done once: the same person has acknowledged it already.
      readIdempotencyKey(request.header('idempotency-key'));
      const by = { actor: request.actor, reason };
      return { status: 200, body: await acknowledgeAlert(ports, await cutovers(), id, by) };
    },
  },
];
