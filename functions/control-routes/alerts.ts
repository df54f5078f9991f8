/** Alerts: what fires, and who has taken it on. */

import { acknowledgeAlert, listAlerts } from '../../lib/flows/alerts/alerts.ts';
import { acknowledgement } from '../../lib/schemas/alerts.ts';
import { PATH, readAlertId } from '../../lib/schemas/path.ts';
import { route } from '../http/route.ts';

export const alertRoutes = [
  route({
    method: 'GET',
    path: '/v1/alerts',
    scope: 'control:read',
    summary: 'What fires, and what ended in the last day.',
    handle: async ({ ports }) => ({ status: 200, body: await listAlerts(ports) }),
  }),
  // No key is asked for: done twice it is done once, since the same person has acknowledged the alert already.
  route({
    method: 'POST',
    path: '/v1/alerts/{alert}/acknowledge',
    scope: 'control:write',
    summary: 'Acknowledges an alert.',
    // The id alone: of a rule that is gone an alert may still be stored.
    params: { alert: { ...PATH.alert, find: readAlertId } },
    body: acknowledgement,
    handle: async ({ ports, cutovers }, { params, body: { reason }, actor }) => ({
      status: 200,
      body: await acknowledgeAlert(ports, await cutovers(), params.alert, { actor, reason }),
    }),
  }),
];
