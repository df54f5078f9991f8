/**
 * An AppConfig for one machine: control plane, data plane and agent on one port of 127.0.0.1, in memory or in a file. Written from
 * the documented behaviour and what the SDK clients accept; it was never compared with AWS.
 *
 * Beside the service's own paths: `GET|POST|DELETE /_faults` switches failures, `GET /_state` shows what is stored.
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CONTROL_ROUTES, type ControlContext } from './control-plane.ts';
import { type AgentMemory, DATA_ROUTES, type DataContext } from './data-plane.ts';
import { type DeploymentRules, settle } from './deployments.ts';
import { ERROR_OF, type FaultSwitches, faultSwitches, parseFaults, type RequestFault } from './faults.ts';
import { bodyOf, findRoute, json, nothing, type Reply, type Request, type Route } from './http.ts';
import { readKept, writeKept } from './kept-store.ts';
import { ServiceError } from './service-error.ts';
import { emptyStore, type Quotas, type Store } from './store.ts';

export type AppConfigOptions = {
  /** 0, the default, takes a free one. */
  port?: number;
  /** Shortest poll interval of a session; AWS says 15. */
  minPollSeconds?: number;
  /** Between two looks of the agent; 0, the default, answers with what is deployed. AWS says 45 s by default. */
  agentPollMs?: number;
  /** Epoch milliseconds. Strategies, bake times and tokens follow it, so an accelerated one accelerates them. */
  clock?: () => number;
  /** How long a deployment takes where its strategy says 0 minutes. */
  settleMs?: number;
  /** True: a baking deployment can be stopped without Allow-Revert. Documented is: only a deploying one. */
  stopsBaking?: boolean;
  quotas?: Partial<Quotas>;
  /** What is stored there is what it begins with, and each change is kept there. */
  file?: string;
};

export type LocalAppConfig = {
  /** Endpoint for both SDK clients: `http://127.0.0.1:<port>`. */
  url: string;
  /** Base of the agent's path. */
  agentUrl: string;
  faults: FaultSwitches;
  /** Requests so far, by operation. */
  requests: Readonly<Record<string, number>>;
  /** Forgets everything stored, faults and counts included. */
  reset(): void;
  stop(): Promise<void>;
};

type Emulator = {
  store: Store;
  faults: FaultSwitches;
  agentStaleSinceMs: number;
  requests: Record<string, number>;
  clock: () => number;
  rules: DeploymentRules;
  minPollSeconds: number;
  agent: AgentMemory;
  keep(): void;
};

/** @throws Error when the port is taken. */
export async function startAppConfig(options: AppConfigOptions = {}): Promise<LocalAppConfig> {
  const emulator: Emulator = {
    store: { ...emptyStore(options.quotas), ...(options.file === undefined ? {} : readKept(options.file)) },
    keep: () => options.file !== undefined && writeKept(options.file, emulator.store),
    faults: faultSwitches(),
    agentStaleSinceMs: 0,
    requests: {},
    clock: options.clock ?? Date.now,
    rules: { settleMs: options.settleMs ?? 0, stopsBaking: options.stopsBaking ?? false },
    minPollSeconds: options.minPollSeconds ?? 15,
    agent: { pollMs: options.agentPollMs ?? 0, seen: new Map() },
  };
  const server = createServer((incoming, response) => {
    serve(emulator, incoming, response).catch(() => response.destroy());
  });
  // Longer than clients leave a connection idle: the five seconds of Node end it just when the next request is on its way.
  server.keepAliveTimeout = 75_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    agentUrl: url,
    faults: { ...emulator.faults, set: (change) => setFaults(emulator, change) },
    requests: emulator.requests,
    reset() {
      emulator.store.applications = [];
      emulator.store.strategies = [];
      emulator.store.tokens.clear();
      emulator.agent.seen.clear();
      emulator.faults.clear();
      for (const operation of Object.keys(emulator.requests)) delete emulator.requests[operation];
    },
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serve(emulator: Emulator, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const request = await received(incoming);
  const found = route(emulator, request);
  const fault = found.faulty ? emulator.faults.take(found.operation) : null;
  const faults = emulator.faults.current();
  if (fault?.answer === 'hang') {
    if (fault.effect) attempt(found.handle);
    return;
  }
  if (fault?.answer === 'reset' || (found.operation === 'Agent' && faults.agent === 'down')) {
    if (fault?.effect) attempt(found.handle);
    response.destroy();
    return;
  }
  const reply = fault ? faultyReply(fault, found.handle) : attempt(found.handle);
  if (fault?.answer === 'slow') await later(fault.delayMs ?? 1_000);
  response.writeHead(reply.status, { ...reply.headers, 'content-length': String(reply.body?.length ?? 0) });
  response.end(reply.body);
}

async function received(incoming: IncomingMessage): Promise<Request> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const url = new URL(incoming.url ?? '/', 'http://127.0.0.1');
  return {
    method: incoming.method ?? 'GET',
    path: url.pathname,
    query: url.searchParams,
    headers: incoming.headers,
    body: Buffer.concat(chunks),
  };
}

type Found = { operation: string; faulty: boolean; handle(): Reply };

function route(emulator: Emulator, request: Request): Found {
  const admin = findRoute(ADMIN_ROUTES, request);
  if (admin) return { operation: '', faulty: false, handle: () => admin.route.handle(emulator, admin.place, request) };
  const context: ControlContext & DataContext = {
    store: emulator.store,
    nowMs: emulator.clock(),
    faults: emulator.faults.current(),
    agentStaleSinceMs: emulator.agentStaleSinceMs,
    rules: emulator.rules,
    minPollSeconds: emulator.minPollSeconds,
    agent: emulator.agent,
  };
  const found = findRoute<ControlContext & DataContext>([...CONTROL_ROUTES, ...DATA_ROUTES], request);
  if (!found) return { operation: '', faulty: false, handle: () => unknownPath(request) };
  const { operation } = found.route;
  emulator.requests[operation] = (emulator.requests[operation] ?? 0) + 1;
  return {
    operation,
    faulty: true,
    handle() {
      settleAll(context);
      const reply = found.route.handle(context, found.place, request);
      if (request.method !== 'GET') emulator.keep();
      return reply;
    },
  };
}

function settleAll({ store, nowMs, faults, rules }: ControlContext): void {
  for (const { environments } of store.applications)
    for (const environment of environments) settle(environment, nowMs, faults, rules);
}

function unknownPath(request: Request): Reply {
  throw new ServiceError('ResourceNotFoundException', `No operation ${request.method} ${request.path}.`);
}

function attempt(handle: () => Reply): Reply {
  try {
    return handle();
  } catch (error) {
    return errorReply(error);
  }
}

function faultyReply(fault: RequestFault, handle: () => Reply): Reply {
  const name = ERROR_OF[fault.answer];
  if (!name || fault.effect) {
    const reply = attempt(handle);
    if (!name) return reply;
  }
  return errorReply(new ServiceError(name, `Switched on: ${fault.answer} for ${fault.operation}.`));
}

function errorReply(error: unknown): Reply {
  const known =
    error instanceof ServiceError ? error : new ServiceError('InternalServerException', `Emulator failed: ${error}`);
  return json(known.status, { Message: known.message, ...known.fields }, { 'x-amzn-errortype': known.name });
}

const later = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms).unref());

// ----------------------------------------------------------------------------------------------------------- admin

const ADMIN_ROUTES: readonly Route<Emulator>[] = [
  { method: 'GET', path: '/_faults', operation: '', handle: (emulator) => json(200, emulator.faults.current()) },
  {
    method: 'POST',
    path: '/_faults',
    operation: '',
    handle(emulator, _place, request) {
      setFaults(emulator, parseFaults(bodyOf(request)));
      return json(200, emulator.faults.current());
    },
  },
  {
    method: 'DELETE',
    path: '/_faults',
    operation: '',
    handle(emulator) {
      emulator.faults.clear();
      return nothing(204);
    },
  },
  { method: 'GET', path: '/_state', operation: '', handle: (emulator) => json(200, stateView(emulator)) },
];

function setFaults(emulator: Emulator, change: Parameters<FaultSwitches['set']>[0]): void {
  if (change.agent === 'stale') emulator.agentStaleSinceMs = emulator.clock();
  emulator.faults.set(change);
}

function stateView({ store, requests, clock }: Emulator) {
  return {
    nowMs: clock(),
    requests,
    strategies: store.strategies,
    applications: store.applications.map((application) => ({
      ...application,
      profiles: application.profiles.map((profile) => ({ ...profile, versions: profile.versions.map(versionView) })),
      environments: application.environments.map((environment) => ({
        ...environment,
        deployments: environment.deployments.map((one) => ({ ...one, version: one.version.number })),
      })),
    })),
  };
}

const versionView = (version: Store['applications'][number]['profiles'][number]['versions'][number]) => ({
  ...version,
  content: version.content.toString('utf8'),
});
