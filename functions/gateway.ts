/** Proxies a `service` cutover to the upstream of the chosen side, the same one for the same correlation id. */

import type { Method } from '@middy/http-router';
import { type Composition, compose } from '../lib/compose.ts';
import { asService, proxy } from '../lib/flows/proxy.ts';
import { findCutover } from '../lib/schemas/http.ts';
import { httpHandler, type Reply, type Request, type Route } from './middleware.ts';

const METHODS: readonly Method[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
const CORRELATION_HEADER = 'x-correlation-id';
const UPSTREAM_LIMIT_MS = 10_000;

async function pass(composition: Composition, request: Request): Promise<Reply> {
  const { event } = request;
  const declaration = asService(findCutover(await composition.cutovers(), request.params.cutover));
  const correlationId = request.header(CORRELATION_HEADER)?.slice(0, 200) || composition.ports.ids.next();
  const router = await composition.router();
  await router.refresh();
  const decision = router.route(declaration.id, { key: correlationId });
  const upstream = await composition.upstream();
  const response = await proxy({ ...composition.ports, upstream }, declaration, decision, {
    method: event.requestContext.http.method,
    path: event.rawPath.slice(`/gateway/${declaration.id}/`.length),
    query: event.rawQueryString,
    headers: { ...definedHeaders(event.headers), [CORRELATION_HEADER]: correlationId },
    body: event.body === undefined ? null : Buffer.from(event.body, event.isBase64Encoded ? 'base64' : 'utf8'),
    deadlineMs: Math.min(request.deadlineMs, composition.ports.clock.monotonicMs() + UPSTREAM_LIMIT_MS),
  });
  return {
    status: response.status,
    bytes: response.body,
    headers: {
      ...response.headers,
      [CORRELATION_HEADER]: correlationId,
      'x-crossfade-route': decision.side,
      'x-crossfade-reason': decision.reason,
      'x-traffic-percentage': String(decision.sharePpm / 10_000),
      [`x-feature-${declaration.id}`]: decision.side,
    },
  };
}

function definedHeaders(headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name.toLowerCase(), value]])),
  );
}

export const handler = httpHandler(
  compose,
  METHODS.map(
    (method): Route => ({
      method,
      path: '/gateway/{cutover}/{proxy+}',
      scope: 'gateway:call',
      json: false,
      handle: pass,
    }),
  ),
);
