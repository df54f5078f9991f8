/** A composition in memory with a real key, and events as API Gateway sends them: for tests of the handlers. */

import { generateKeyPairSync } from 'node:crypto';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import { createLocalJWKSet } from 'jose';
import { authenticate } from '../../lib/adapters/http/authenticate.ts';
import { forwardDelivery } from '../../lib/adapters/http/deliver-forward.ts';
import { handedRehearsal } from '../../lib/adapters/http/rehearsal-token.ts';
import { OPERATOR_SCOPES } from '../../lib/adapters/http/scopes.ts';
import { signToken } from '../../lib/adapters/http/sign-token.ts';
import type { Jwk } from '../../lib/adapters/http/token.ts';
import { verifier } from '../../lib/adapters/http/verifier.ts';
import type { ApiComposition } from '../../lib/compose/callers.ts';
import type { CutoverDeclaration } from '../../lib/core/cutover/cutover.ts';
import { routingService } from '../../lib/routing/service.ts';
import { inMemoryAlerts } from '../helpers/fakes/alerts.ts';
import { inMemoryCriteria } from '../helpers/fakes/criteria.ts';
import { inMemoryCustomMetrics } from '../helpers/fakes/custom-metrics.ts';
import { inMemoryExperiments } from '../helpers/fakes/experiments.ts';
import { inMemoryFlags } from '../helpers/fakes/flags.ts';
import { forwardPorts, inMemoryForwards } from '../helpers/fakes/forwards.ts';
import { inMemoryState } from '../helpers/fakes/state.ts';
import { inMemoryTables } from '../helpers/fakes/tables/tables.ts';
import { inMemoryVerdicts } from '../helpers/fakes/verdicts.ts';
import { inMemoryWakeUps } from '../helpers/fakes/wake-ups.ts';
import { inMemoryWindows } from '../helpers/fakes/windows.ts';
import { tablePorts } from '../helpers/table-ports.ts';
import { declarationOf, NOW } from './samples.ts';

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const KEY: Jwk = { ...(pair.privateKey.export({ format: 'jwk' }) as Jwk), kid: 'test' };
const KEYS = createLocalJWKSet({ keys: [{ ...(pair.publicKey.export({ format: 'jwk' }) as Jwk), kid: 'test' }] });
const RULES = { issuer: 'https://issuer.test', audience: 'crossfade' };
const TOKENS = verifier(KEYS, RULES);

/** A valid token; of an operator unless scopes are given. */
export const tokenOf = (scopes: readonly string[] = OPERATOR_SCOPES, sub = 'ada') =>
  signToken({ sub, iss: RULES.issuer, aud: RULES.audience, exp: NOW / 1_000 + 600, scope: scopes.join(' ') }, KEY);

export type Served = ReturnType<typeof inMemoryComposition>;

export function inMemoryComposition(declarations: readonly CutoverDeclaration[] = [declarationOf('component')]) {
  const clock = { ms: 0, nowMs: NOW, now: () => clock.nowMs, monotonicMs: () => clock.ms, sleep: async () => {} };
  const log: { name: string; text: string }[] = [];
  let ids = 0;
  const flags = inMemoryFlags();
  const parts = {
    state: inMemoryState({ clock }),
    windows: inMemoryWindows({ clock }),
    wakeUps: inMemoryWakeUps(),
    verdicts: inMemoryVerdicts({ clock }),
    forwardStore: inMemoryForwards({ realNow: () => clock.nowMs }),
    flags,
    sightings: flags.sightings,
    tables: inMemoryTables({ clock }),
    alerts: inMemoryAlerts(),
    customMetrics: inMemoryCustomMetrics(),
    criteria: inMemoryCriteria(),
    experiments: inMemoryExperiments(),
  };
  const { forwardStore, tables, ...rest } = parts;
  const router = routingService({
    source: { fetch: async () => ({ document: parts.flags.served()! }) },
    environment: {},
    elapsedMs: clock.monotonicMs,
    refused: () => {},
  });
  const composition: ApiComposition = {
    ports: {
      ...rest,
      ...forwardPorts(forwardStore),
      ...tablePorts(tables),
      deliver: async (...delivery) => forwardDelivery(await composition.upstream())(...delivery),
      clock,
      ids: { next: () => `id-${++ids}` },
      log: {
        event: (name, fields) => void log.push({ name, text: JSON.stringify(fields ?? {}) }),
        failure: (name, error, fields) => void log.push({ name, text: `${error} ${JSON.stringify(fields ?? {})}` }),
      },
      metrics: { record: () => {}, flush: () => {} },
    },
    cutovers: async () => declarations,
    rehearsal: handedRehearsal,
    authenticate: async ({ token }, scope) => authenticate(token, scope, TOKENS, NOW),
    router: async () => router,
    upstream: async () => async () => ({ status: 200, headers: {}, cookies: [], body: new Uint8Array() }),
    realNow: () => NOW,
  };
  return { composition, clock, log, ...parts };
}

export type Call = {
  method?: string;
  path?: string;
  headers?: Record<string, string | undefined>;
  query?: Record<string, string>;
  body?: unknown;
  /** The body as it is, instead of JSON of `body`. */
  raw?: string;
  token?: string | null;
};

/** The event of one request; a POST with a JSON body and an operator's token unless said otherwise. */
export function eventOf({ method = 'POST', path = '/', headers = {}, query = {}, body, raw, token = tokenOf() }: Call) {
  const text = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: new URLSearchParams(query).toString(),
    queryStringParameters: query,
    headers: {
      ...(text === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    requestContext: { http: { method, path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: 'test' } },
    body: text,
    isBase64Encoded: false,
  } as unknown as APIGatewayProxyEventV2;
}

export const lambdaContext = (remainingMs = 10_000) =>
  ({ getRemainingTimeInMillis: () => remainingMs, awsRequestId: 'r', functionName: 'f' }) as unknown as Context;

export type Answer = { status: number; headers: Record<string, string>; body: unknown; text: string };

type Handler = (event: APIGatewayProxyEventV2, context: Context) => Promise<unknown>;

export async function ask(handler: unknown, call: Call): Promise<Answer> {
  return answerOf(await (handler as Handler)(eventOf(call), lambdaContext()));
}

export function answerOf(result: unknown): Answer {
  const { statusCode, headers, body } = result as APIGatewayProxyStructuredResultV2;
  const text = body ?? '';
  const json = /json/.test(String(headers?.['content-type'])) ? (JSON.parse(text) as unknown) : undefined;
  return { status: statusCode!, headers: headers as Record<string, string>, body: json, text };
}
