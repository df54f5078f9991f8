/** Commands for everything at once. */

import { emergencyStop, resetSystem, rollBackSystem, switchShadowWrites } from '../../lib/flows/control/stop.ts';
import { parseSystemCommand, readIdempotencyKey, systemBodies } from '../../lib/schemas/http.ts';
import type { Request, Route } from '../middleware.ts';
import { fingerprint, PUBLISHED } from './request.ts';

const systemRequest = (name: string, { body, header }: Request) => ({
  key: readIdempotencyKey(header('idempotency-key')),
  fingerprint: fingerprint(name, 'system', body),
});

export const systemRoutes: Route[] = [
  {
    method: 'POST',
    path: '/v1/system/emergency-stop',
    scope: 'control:stop',
    summary: 'Stops everything: reads return to the old side, promoted tables stay as they are.',
    body: systemBodies['emergency-stop'],
    headers: ['idempotency-key'],
    answers: PUBLISHED,
    handle: async ({ ports, cutovers }, request) => {
      const { reason } = parseSystemCommand('emergency-stop', request.body);
      const idempotency = systemRequest('emergency-stop', request);
      const result = await emergencyStop(ports, await cutovers(), { reason, actor: request.actor, idempotency });
      return { status: result.published ? 200 : 202, body: result };
    },
  },
  {
    method: 'POST',
    path: '/v1/system/shadow-writes',
    scope: 'control:stop',
    summary: 'Turns writes to all shadows off, or on again.',
    body: systemBodies['shadow-writes'],
    headers: ['idempotency-key'],
    answers: PUBLISHED,
    handle: async ({ ports, cutovers }, request) => {
      const body = parseSystemCommand('shadow-writes', request.body);
      const idempotency = systemRequest('shadow-writes', request);
      const result = await switchShadowWrites(ports, await cutovers(), { ...body, actor: request.actor, idempotency });
      return { status: result.published ? 200 : 202, body: result };
    },
  },
  {
    method: 'POST',
    path: '/v1/system/rollback',
    scope: 'control:stop',
    summary: 'Rolls every cutover back, promoted tables included.',
    body: systemBodies.rollback,
    headers: ['idempotency-key'],
    answers: PUBLISHED,
    handle: async ({ ports, cutovers }, request) => {
      const body = parseSystemCommand('rollback', request.body);
      const idempotency = systemRequest('rollback', request);
      const result = await rollBackSystem(ports, await cutovers(), { ...body, actor: request.actor, idempotency });
      return { status: result.published ? 200 : 202, body: result };
    },
  },
  {
    method: 'POST',
    path: '/v1/system/reset',
    scope: 'control:stop',
    summary: 'Lifts an emergency stop.',
    body: systemBodies.reset,
    headers: ['idempotency-key'],
    answers: PUBLISHED,
    handle: async ({ ports, cutovers }, request) => {
      const { confirm } = parseSystemCommand('reset', request.body);
      const idempotency = systemRequest('reset', request);
      const result = await resetSystem(ports, await cutovers(), { confirm, actor: request.actor, idempotency });
      return { status: result.published ? 200 : 202, body: result };
    },
  },
];
