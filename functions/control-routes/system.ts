/** Commands for everything at once. */

import { emergencyStop, resetSystem, rollBackSystem, switchShadowWrites } from '../../lib/flows/control/stop.ts';
import { SYSTEM_COMMANDS } from '../../lib/schemas/http.ts';
import { route } from '../http/route.ts';
import { fingerprint, PUBLISHED } from './request.ts';

/** Of a request whose body was read. */
const by = (name: string, { actor, headers, body }: Asked) => ({
  actor,
  idempotency: { key: headers['idempotency-key'], fingerprint: fingerprint(name, 'system', body) },
});
type Asked = { actor: string; headers: { 'idempotency-key': string }; body: object };

export const systemRoutes = [
  route({
    method: 'POST',
    path: '/v1/system/emergency-stop',
    scope: 'control:stop',
    summary: 'Stops everything: reads return to the old side, promoted tables stay as they are.',
    body: SYSTEM_COMMANDS['emergency-stop'],
    headers: ['idempotency-key'],
    answers: PUBLISHED,
    handle: async ({ ports, cutovers }, request) => {
      const asked = { ...request.body, ...by('emergency-stop', request) };
      const result = await emergencyStop(ports, await cutovers(), asked);
      return { status: result.published ? 200 : 202, body: result };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/system/shadow-writes',
    scope: 'control:stop',
    summary: 'Turns writes to all shadows off, or on again.',
    body: SYSTEM_COMMANDS['shadow-writes'],
    headers: ['idempotency-key'],
    answers: PUBLISHED,
    handle: async ({ ports, cutovers }, request) => {
      const asked = { ...request.body, ...by('shadow-writes', request) };
      const result = await switchShadowWrites(ports, await cutovers(), asked);
      return { status: result.published ? 200 : 202, body: result };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/system/rollback',
    scope: 'control:stop',
    summary: 'Rolls every cutover back, promoted tables included.',
    body: SYSTEM_COMMANDS.rollback,
    headers: ['idempotency-key'],
    answers: PUBLISHED,
    handle: async ({ ports, cutovers }, request) => {
      const asked = { ...request.body, ...by('rollback', request) };
      const result = await rollBackSystem(ports, await cutovers(), asked);
      return { status: result.published ? 200 : 202, body: result };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/system/reset',
    scope: 'control:stop',
    summary: 'Lifts an emergency stop.',
    body: SYSTEM_COMMANDS.reset,
    headers: ['idempotency-key'],
    answers: PUBLISHED,
    handle: async ({ ports, cutovers }, request) => {
      const asked = { ...request.body, ...by('reset', request) };
      const result = await resetSystem(ports, await cutovers(), asked);
      return { status: result.published ? 200 : 202, body: result };
    },
  }),
];
