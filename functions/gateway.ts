/**
 * Proxies a `service` cutover. Reads go to the side of their correlation id, the same one as for the SDK; writes go to
 * the side that is authoritative in this stage.
 */

import type { Method } from '@middy/http-router';
import { composeApi } from '../lib/compose/api.ts';
import type { Composition } from '../lib/compose/ports.ts';
import { CrossfadeError } from '../lib/core/base/errors.ts';
import { OLD_HEADERS } from '../lib/core/base/old-names.ts';
import { HOUR_MS } from '../lib/core/base/units.ts';
import type { CutoverDeclaration, ServiceDeclaration } from '../lib/core/cutover/cutover.ts';
import {
  correlationIdOf,
  keptHeaders,
  refuseRequest,
  TOKEN_HEADER,
  withProxyHeaders,
} from '../lib/core/net/proxied-request.ts';
import { murmur3 } from '../lib/core/routing/murmur3.ts';
import { rateLimit } from '../lib/core/routing/rate-limit.ts';
import { type OutcomeBuffer, outcomeBuffer } from '../lib/flows/forwards/outcome-buffer.ts';
import { asService, isRead, type Proxied, type ProxiedRequest, proxyRead } from '../lib/flows/forwards/proxy.ts';
import { type ForwardMark, proxyWrite } from '../lib/flows/forwards/write-both.ts';
import { PATH } from '../lib/schemas/path.ts';
import { cutover } from './http/parameters.ts';
import { type Reply, type Request, route } from './http/route.ts';
import { httpHandler } from './middleware.ts';

const METHODS: readonly Method[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
/** Always sent and returned, whatever other header brought it. */
const CORRELATION_HEADER = 'x-correlation-id';

const COMPARISON_LIFE_MS = HOUR_MS;
const FLUSH_EVERY_MS = 1_000;

type Instance = { outcomes: OutcomeBuffer; limit: ReturnType<typeof rateLimit> };
const instances = new WeakMap<Composition, Instance>();

/** What it reads of the body and the headers is passed on as it came. */
type Passed = Request<{ cutover: CutoverDeclaration }, undefined, undefined, object>;

async function pass(composition: Composition, request: Passed): Promise<Reply> {
  const declaration = asService(request.params.cutover);
  const instance = instanceOf(composition);
  const correlated = proxiedRequest(composition, declaration, request);
  takeFromLimit(instance, declaration, request.actor, composition);
  const router = await composition.router();
  await router.refresh();
  const read = isRead(correlated.method);
  const key = correlated.headers[CORRELATION_HEADER]!;
  const decision = router.route(declaration.id, {
    key,
    ...(read ? {} : { operation: 'write' }),
    ...conditionsOf(declaration, correlated.headers),
  });
  const routed = { ...correlated, slice: decision.slice };
  const ports = { ...composition.ports, upstream: await composition.upstream(), outcomes: instance.outcomes };
  const noted = read ? noteForComparison(composition, declaration, decision, routed) : null;
  try {
    const answer = read
      ? await proxyRead(ports, declaration, { ...decision, mayFallBack: !decision.shadowIsPrimary }, routed)
      : await proxyWrite(ports, declaration, decision, routed);
    return replyOf(declaration, answer, correlated, decision.sharePpm);
  } finally {
    await noted;
    await instance.outcomes.flushIfDue();
  }
}

/** What the lists are compared with beside the key. */
function conditionsOf({ gateway }: ServiceDeclaration, headers: ProxiedRequest['headers']) {
  const named = gateway.groupsHeader === null ? undefined : headers[gateway.groupsHeader];
  const groups = named?.split(',').flatMap((name) => name.trim() || []);
  return {
    ...(groups ? { groups } : {}),
    ...(gateway.environment === null ? {} : { environment: gateway.environment }),
  };
}

/** While the upstream is asked, so that the caller waits for nothing. Never rejects. */
async function noteForComparison(
  { ports }: Composition,
  { id, gateway }: ServiceDeclaration,
  { shadowIsPrimary, shadowIsWritten }: { shadowIsPrimary: boolean; shadowIsWritten: boolean },
  { method, path, query, headers, slice = null }: ProxiedRequest,
): Promise<void> {
  if (method !== 'GET' || shadowIsPrimary || !shadowIsWritten) return;
  const unique = ports.ids.next();
  if (murmur3(unique) / 2 ** 32 >= gateway.compare.sampleRate) return;
  try {
    const place = slice === null ? {} : { slice };
    const read = { method, path, query, headers: keptHeaders(headers), ...place };
    await ports.wakeUps.compare(id, read, { unique, expiresAtMs: ports.clock.now() + COMPARISON_LIFE_MS });
  } catch (error) {
    ports.log.failure('not_compared', error, { cutover: id });
  }
}

function instanceOf(composition: Composition): Instance {
  let instance = instances.get(composition);
  if (!instance) {
    instance = { outcomes: outcomeBuffer(composition.ports, FLUSH_EVERY_MS), limit: rateLimit() };
    instances.set(composition, instance);
  }
  return instance;
}

/** @throws CrossfadeError for anything that must not be passed on; see refuseRequest */
function proxiedRequest(composition: Composition, declaration: ServiceDeclaration, request: Passed): ProxiedRequest {
  const { event } = request;
  const routed = `/gateway/${declaration.id}/`;
  const { method } = event.requestContext.http;
  if (!event.rawPath.startsWith(routed))
    throw new CrossfadeError('invalid_input', `The path must begin with ${routed}, as it was routed here by it.`);
  const body = event.body === undefined ? null : Buffer.from(event.body, event.isBase64Encoded ? 'base64' : 'utf8');
  const headers = passedHeaders(declaration, event.headers);
  refuseRequest({ method, headers, bodyBytes: body?.length ?? 0 }, declaration.id);
  const { correlationHeaders } = declaration.gateway;
  const correlationId = correlationIdOf(headers, correlationHeaders) ?? composition.ports.ids.next();
  const own = { [correlationHeaders[0]!]: correlationId, [CORRELATION_HEADER]: correlationId };
  return {
    method,
    mount: `${event.prefix}${routed}`,
    path: event.rawPath.slice(routed.length),
    query: event.rawQueryString,
    headers: withProxyHeaders(headers, declaration.id, own),
    body,
    deadlineMs: request.deadlineMs,
  };
}

/**
 * Without the token that let the caller in. Where Authorization belongs to the service, it is never taken for that token:
 * the service would get to see it.
 * @throws CrossfadeError `unauthenticated`
 */
function passedHeaders({ id, gateway }: ServiceDeclaration, headers: ProxiedRequest['headers']) {
  const { authorization, [TOKEN_HEADER]: token, ...passed } = headers;
  if (gateway.authorization === 'crossfade') return passed;
  if (token === undefined)
    throw new CrossfadeError(
      'unauthenticated',
      `Authorization belongs to the service behind cutover '${id}'. Bring the token of Crossfade in X-Crossfade-Authorization.`,
    );
  return { ...passed, ...(authorization === undefined ? {} : { authorization }) };
}

/** @throws CrossfadeError `rate_limited` */
function takeFromLimit(
  instance: Instance,
  { id, gateway }: ServiceDeclaration,
  actor: string,
  { ports }: Composition,
): void {
  const taken = instance.limit.take(`${id} ${actor}`, gateway.requestsPerSecond, ports.clock.monotonicMs());
  if (taken.ok) return;
  throw new CrossfadeError(
    'rate_limited',
    `More than ${gateway.requestsPerSecond} requests a second came to cutover '${id}' with this token. Try again in ${taken.waitMs} ms.`,
    { retryable: true, details: { retryAfterMs: taken.waitMs } },
  );
}

/** What became of a write for the other side. */
const FORWARD_HEADER = 'x-crossfade-forward';

function replyOf(
  declaration: ServiceDeclaration,
  answer: Proxied & { forward?: ForwardMark },
  request: ProxiedRequest,
  sharePpm: number,
): Reply {
  const correlationId = request.headers[CORRELATION_HEADER]!;
  return {
    status: answer.status,
    bytes: answer.body,
    cookies: answer.cookies,
    headers: {
      ...answer.headers,
      [declaration.gateway.correlationHeaders[0]!]: correlationId,
      [CORRELATION_HEADER]: correlationId,
      'x-crossfade-route': answer.side,
      'x-crossfade-reason': answer.reason,
      'x-traffic-percentage': String(sharePpm / 10_000),
      [`x-feature-${declaration.id}`]: answer.side,
      ...(answer.forward ? { [FORWARD_HEADER]: answer.forward, [OLD_HEADERS[FORWARD_HEADER]]: answer.forward } : {}),
    },
  };
}

export const gatewayRoutes = METHODS.map((method) =>
  route({
    method,
    path: '/gateway/{cutover}/{proxy+}',
    scope: 'gateway:call',
    summary: 'Passes a request on to one upstream of a service, and its answer back.',
    params: { cutover, proxy: { ...PATH.proxy, find: (path: string | undefined) => path ?? '' } },
    answers: { 200: ['*/*'] },
    json: false,
    handle: pass,
  }),
);

export const handler = httpHandler(composeApi, gatewayRoutes);
