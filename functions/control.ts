/** The control API: commands on one cutover, commands for everything, status, history, verification, flags. */

import { createHash } from 'node:crypto';
import type { Scope } from '../lib/adapters/http/token.ts';
import { type Composition, compose } from '../lib/compose.ts';
import { canonicalJson } from '../lib/core/flags.ts';
import { history } from '../lib/flows/history.ts';
import { type OperatorCommand, operate } from '../lib/flows/operate.ts';
import { report } from '../lib/flows/report.ts';
import { emergencyStop, resetSystem, rollBackSystem } from '../lib/flows/stop.ts';
import { planTable, repairTable, verifyNow } from '../lib/flows/verify.ts';
import {
  COMMAND_NAMES,
  type CommandName,
  findCutover,
  parseCommand,
  parsePage,
  parseSystemCommand,
  readIdempotencyKey,
  readIfMatch,
} from '../lib/schemas/http.ts';
import { httpHandler, type Reply, type Request, type Route } from './middleware.ts';

const SCOPES: Partial<Record<CommandName, Scope>> = { complete: 'control:complete', cleanup: 'control:cleanup' };

async function runCommand(name: CommandName, composition: Composition, request: Request): Promise<Reply> {
  const declarations = await composition.cutovers();
  const declaration = findCutover(declarations, request.params.cutover);
  const command = parseCommand(name, request.body) as OperatorCommand;
  const key = readIdempotencyKey(request.header('idempotency-key'));
  const basedOn = readIfMatch(request.header('if-match'));
  const { answer, published } = await operate(composition.ports, declarations, declaration, {
    command,
    actor: request.actor,
    basedOn,
    idempotency: { key, fingerprint: fingerprint(name, declaration.id, basedOn, request.body) },
  });
  return {
    status: published ? 200 : 202,
    body: { ...answer, published },
    headers: { etag: `"${answer.version}"` },
  };
}

/** What makes two requests the same one: command, cutover, version and body. */
function fingerprint(...parts: readonly unknown[]): string {
  return createHash('sha256').update(canonicalJson(parts)).digest('hex');
}

const systemRequest = (name: string, { body, header }: Request) => ({
  key: readIdempotencyKey(header('idempotency-key')),
  fingerprint: fingerprint(name, 'system', body),
});

const commands = COMMAND_NAMES.map(
  (name): Route => ({
    method: 'POST',
    path: `/v1/cutovers/{cutover}/${name}`,
    scope: SCOPES[name] ?? 'control:write',
    handle: (composition, request) => runCommand(name, composition, request),
  }),
);

const one = async (composition: Composition, request: Request) =>
  findCutover(await composition.cutovers(), request.params.cutover);

const reads: Route[] = [
  {
    method: 'GET',
    path: '/v1/health',
    scope: null,
    handle: async () => ({ status: 200, body: { status: 'ok' } }),
  },
  {
    method: 'GET',
    path: '/v1/cutovers',
    scope: 'control:read',
    handle: async ({ ports, cutovers }) => ({ status: 200, body: await report(ports, await cutovers()) }),
  },
  {
    method: 'GET',
    path: '/v1/report',
    scope: 'control:read',
    handle: async ({ ports, cutovers }) => ({ status: 200, body: await report(ports, await cutovers()) }),
  },
  {
    method: 'GET',
    path: '/v1/cutovers/{cutover}',
    scope: 'control:read',
    handle: async (composition, request) => {
      const { id } = await one(composition, request);
      const { cutovers } = await report(composition.ports, await composition.cutovers(), id);
      const found = cutovers[0]!;
      const headers: Record<string, string> = 'version' in found ? { etag: `"${found.version}"` } : {};
      return { status: 200, body: found, headers };
    },
  },
  {
    method: 'GET',
    path: '/v1/cutovers/{cutover}/plan',
    scope: 'control:read',
    handle: async (composition, request) => ({
      status: 200,
      body: await planTable(composition.ports, await one(composition, request)),
    }),
  },
  {
    method: 'GET',
    path: '/v1/cutovers/{cutover}/history',
    scope: 'control:read',
    handle: async (composition, request) => {
      const { id } = await one(composition, request);
      return { status: 200, body: await history(composition.ports, id, parsePage(request.query)) };
    },
  },
  {
    method: 'GET',
    path: '/v1/cutovers/{cutover}/verification',
    scope: 'control:read',
    handle: async (composition, request) => {
      const { id } = await one(composition, request);
      const status = await composition.ports.tables.status(id);
      return {
        status: 200,
        body: {
          verification: status?.verification ?? null,
          quarantined: status?.quarantined ?? 0,
          quarantine: status?.quarantine ?? [],
        },
      };
    },
  },
  {
    method: 'GET',
    path: '/v1/system',
    scope: 'control:read',
    handle: async ({ ports }) => {
      const { auditSeq: _seq, auditHash: _hash, ...system } = await ports.state.readSystem();
      return { status: 200, body: system };
    },
  },
  {
    method: 'GET',
    path: '/v1/flags',
    scope: 'control:read',
    handle: async ({ ports }) => ({ status: 200, body: await ports.flags.deployed() }),
  },
];

const actions: Route[] = [
  {
    method: 'POST',
    path: '/v1/cutovers/{cutover}/verify',
    scope: 'control:write',
    handle: async (composition, request) => {
      const declaration = await one(composition, request);
      readIdempotencyKey(request.header('idempotency-key'));
      return { status: 200, body: await verifyNow(composition.ports, declaration) };
    },
  },
  {
    method: 'POST',
    path: '/v1/cutovers/{cutover}/repair',
    scope: 'control:write',
    handle: async (composition, request) => {
      const declaration = await one(composition, request);
      readIdempotencyKey(request.header('idempotency-key'));
      return { status: 200, body: await repairTable(composition.ports, declaration) };
    },
  },
  {
    method: 'POST',
    path: '/v1/system/emergency-stop',
    scope: 'control:stop',
    handle: async ({ ports, cutovers }, request) => {
      const { reason } = parseSystemCommand('emergency-stop', request.body);
      const idempotency = systemRequest('emergency-stop', request);
      const result = await emergencyStop(ports, await cutovers(), { reason, actor: request.actor, idempotency });
      return { status: result.published ? 200 : 202, body: result };
    },
  },
  {
    method: 'POST',
    path: '/v1/system/rollback',
    scope: 'control:stop',
    handle: async ({ ports, cutovers }, request) => {
      const body = parseSystemCommand('rollback', request.body);
      readIdempotencyKey(request.header('idempotency-key'));
      const result = await rollBackSystem(ports, await cutovers(), { ...body, actor: request.actor });
      return { status: result.published ? 200 : 202, body: result };
    },
  },
  {
    method: 'POST',
    path: '/v1/system/reset',
    scope: 'control:stop',
    handle: async ({ ports, cutovers }, request) => {
      const { confirm } = parseSystemCommand('reset', request.body);
      const idempotency = systemRequest('reset', request);
      const result = await resetSystem(ports, await cutovers(), { confirm, actor: request.actor, idempotency });
      return { status: result.published ? 200 : 202, body: result };
    },
  },
];

export const handler = httpHandler(compose, [...reads, ...commands, ...actions]);
