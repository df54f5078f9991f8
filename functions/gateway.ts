/**
 * Proxies a `service` cutover. Reads go to the side of their correlation id, the same one as for the SDK; writes go to
 * the side that is authoritative in this stage.
 */

import type { Method } from '@middy/http-router';
import { composeApi } from '../lib/compose/api.ts';
import type { ApiComposition } from '../lib/compose/callers.ts';
import type { Composition } from '../lib/compose/ports.ts';
import { withRouter } from '../lib/compose/reader.ts';
import { withServices } from '../lib/compose/services.ts';
import { CrossfadeError } from '../lib/core/base/errors.ts';
import { OLD_HEADERS } from '../lib/core/base/old-names.ts';
import { HOUR_MS } from '../lib/core/base/units.ts';
import type { CutoverDeclaration, ServiceDeclaration } from '../lib/core/cutover/cutover.ts';
import { isPromoted } from '../lib/core/cutover/stage-kinds.ts';
import { isPreflight, preflightAnswer, preflightHeaders, withCors } from '../lib/core/net/cors.ts';
import {
  correlationIdOf,
  keptHeaders,
  refuseRequest,
  TOKEN_HEADER,
  withProxyHeaders,
} from '../lib/core/net/proxied-request.ts';
import { murmur3 } from '../lib/core/routing/murmur3.ts';
import { rateLimit } from '../lib/core/routing/rate-limit.ts';
import type { KnownStates } from '../lib/flows/forwards/known-state.ts';
import { type OutcomeBuffer, outcomeBuffer } from '../lib/flows/forwards/outcome-buffer.ts';
import {
  askSide,
  asService,
  isRead,
  type Proxied,
  type ProxiedRequest,
  proxyRead,
} from '../lib/flows/forwards/proxy.ts';
import { type ForwardMark, proxyWrite } from '../lib/flows/forwards/write-both.ts';
import { PATH } from '../lib/schemas/path.ts';
import { callerToken } from './http/event.ts';
import { cutover, declared } from './http/parameters.ts';
import { passedOn } from './http/passed-on.ts';
import { type Reply, type Request, route } from './http/route.ts';
import { httpHandler } from './middleware.ts';

const METHODS: readonly Method[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
/** Always sent and returned, whatever other header brought it. */
const CORRELATION_HEADER = 'x-correlation-id';

const COMPARISON_LIFE_MS = HOUR_MS;
const FLUSH_EVERY_MS = 10_000;

type Instance = { outcomes: OutcomeBuffer; limit: ReturnType<typeof rateLimit>; known: KnownStates };
const instances = new WeakMap<Composition, Instance>();

type Router = Awaited<ReturnType<Composition['router']>>;

/** What it reads of the body and the headers is passed on as it came. */
type Passed = Request<{ cutover: CutoverDeclaration }, undefined, undefined, object>;
type Options = Request<{ cutover: CutoverDeclaration | undefined }, undefined, undefined, object>;

async function pass(composition: Composition, request: Passed): Promise<Reply> {
  const declaration = asService(request.params.cutover);
  const instance = instanceOf(composition);
  const correlated = proxiedRequest(
    composition,
    declaration,
    request,
    passedHeaders(declaration, request.event.headers),
  );
  takeFromLimit(instance, declaration, request.actor, composition);
  const router = await composition.router();
  await router.refresh();
  await demandKnownSide(composition, router, declaration.id);
  const read = isRead(correlated.method);
  const { keyless } = correlated;
  const key = keyless ? null : correlated.headers[CORRELATION_HEADER]!;
  const decision = router.route(declaration.id, {
    key,
    ...(read ? {} : { operation: 'write' }),
    ...conditionsOf(declaration, correlated.headers),
  });
  const routed = { ...correlated, slice: decision.slice, left: decision.reason === 'circuit_open' };
  const { noteShadow } = router;
  const ports = { ...composition.ports, ...instance, upstream: await composition.upstream(), noteShadow };
  const noted = read ? noteForComparison(composition, declaration, decision, routed) : null;
  try {
    const answer = read
      ? await proxyRead(ports, declaration, { ...decision, mayFallBack: !decision.shadowIsPrimary }, routed)
      : await proxyWrite(ports, declaration, decision, routed);
    const reply = replyOf(declaration, answer, correlated, decision.sharePpm);
    const { rest } = answer;
    if (!rest) return reply;
    return { ...reply, rest: { parts: passedOn(ports, { ...answer, rest }, request.deadlineMs), leave: rest.leave } };
  } finally {
    await noted;
    await instance.outcomes.flushIfDue();
  }
}

/**
 * Without flags, as when the agent is late at the first request of an instance, everything goes to the primary. After completion
 * that would be the old service, so the state is asked.
 * @throws CrossfadeError `flags_unavailable` when the shadow has taken over; `store_unavailable`
 */
async function demandKnownSide({ ports }: Composition, router: Router, id: string): Promise<void> {
  if (router.flags() !== null) return;
  const state = await ports.state.readCutover(id);
  if (!state || !isPromoted(state)) return;
  throw new CrossfadeError(
    'flags_unavailable',
    'Flags could not be read yet, and the old service must not be asked any more. Try again in a moment.',
    { retryable: true, details: { retryAfterMs: 1_000 } },
  );
}

/**
 * Of a browser's preflight, which brings no token, and of any other OPTIONS, which does. No key tells its side, and it is
 * no evidence: the side that takes writes answers, as it answers for what follows.
 */
async function passOptions(composition: ApiComposition, request: Options): Promise<Reply> {
  const { event, params } = request;
  const preflight = isPreflight('OPTIONS', event.headers);
  const caller = { token: callerToken(event), iamCaller: event.iamCaller };
  const actor = preflight ? 'anonymous' : await composition.authenticate(caller, 'gateway:call');
  const cors = params.cutover?.kind === 'service' ? params.cutover.gateway.cors : null;
  // Without a token there is no word on what is declared and what is not.
  if (!params.cutover || !cors)
    throw new CrossfadeError('method_not_allowed', 'No service here takes OPTIONS under this path.');
  const declaration = asService(params.cutover);
  takeFromLimit(instanceOf(composition), declaration, actor, composition);
  if (preflight && cors !== 'upstream') return { status: 204, text: '', headers: preflightAnswer(cors, event.headers) };
  const headers = preflight ? preflightHeaders(event.headers) : passedHeaders(declaration, event.headers);
  const { body, streamed: _, ...asked } = proxiedRequest(composition, declaration, request, headers);
  const router = await composition.router();
  await router.refresh();
  await demandKnownSide(composition, router, declaration.id);
  const { shadowIsPrimary, sharePpm } = router.route(declaration.id, { operation: 'write' });
  const side = shadowIsPrimary ? 'shadow' : 'primary';
  const ports = { clock: composition.ports.clock, upstream: await composition.upstream() };
  const answer = await askSide(ports, declaration, side, { ...asked, body: preflight ? null : body });
  return replyOf(declaration, { ...answer, side, reason: 'options' }, asked, sharePpm);
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
    const outcomes = outcomeBuffer(composition.ports, FLUSH_EVERY_MS);
    instance = { outcomes, limit: rateLimit(), known: new Map() };
    instances.set(composition, instance);
  }
  return instance;
}

/** @throws CrossfadeError for anything that must not be passed on; see refuseRequest */
function proxiedRequest(
  composition: Composition,
  declaration: ServiceDeclaration,
  { event, deadlineMs, streamed }: Pick<Passed, 'event' | 'deadlineMs' | 'streamed'>,
  headers: ProxiedRequest['headers'],
): ProxiedRequest {
  const routed = `/gateway/${declaration.id}/`;
  const { method } = event.requestContext.http;
  if (!event.rawPath.startsWith(routed))
    throw new CrossfadeError('invalid_input', `The path must begin with ${routed}, as it was routed here by it.`);
  const body = event.body === undefined ? null : Buffer.from(event.body, event.isBase64Encoded ? 'base64' : 'utf8');
  refuseRequest({ method, headers, bodyBytes: body?.length ?? 0 }, declaration.id);
  const { correlationHeaders } = declaration.gateway;
  const given = correlationIdOf(headers, correlationHeaders);
  const correlationId = given ?? composition.ports.ids.next();
  const own = { [correlationHeaders[0]!]: correlationId, [CORRELATION_HEADER]: correlationId };
  return {
    // One that was made up is no key: its caller would flip sides from request to request.
    keyless: given === null,
    method,
    mount: `${event.prefix}${routed}`,
    path: event.rawPath.slice(routed.length),
    query: event.rawQueryString,
    headers: withProxyHeaders(headers, declaration.id, own),
    body,
    deadlineMs,
    streamed,
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
  { id, gateway }: ServiceDeclaration,
  answer: Proxied & { forward?: ForwardMark },
  { headers: asked }: Pick<ProxiedRequest, 'headers'>,
  sharePpm: number,
): Reply {
  const correlationId = asked[CORRELATION_HEADER]!;
  const correlation = { [gateway.correlationHeaders[0]!]: correlationId, [CORRELATION_HEADER]: correlationId };
  const all = {
    ...correlation,
    'x-crossfade-route': answer.side,
    'x-crossfade-reason': answer.reason,
    'x-traffic-percentage': String(sharePpm / 10_000),
    [`x-feature-${id}`]: answer.side,
    ...(answer.forward ? { [FORWARD_HEADER]: answer.forward, [OLD_HEADERS[FORWARD_HEADER]]: answer.forward } : {}),
  };
  const headers = { ...answer.headers, ...{ all, correlation, none: {} }[gateway.headers] };
  return {
    status: answer.status,
    bytes: answer.body,
    cookies: answer.cookies,
    headers: typeof gateway.cors === 'object' && gateway.cors ? withCors(gateway.cors, asked, headers) : headers,
  };
}

const HERE = { path: '/gateway/{cutover}/{proxy+}', answers: { 200: ['*/*'] }, json: false } as const;
const proxy = { ...PATH.proxy, find: (path: string | undefined) => path ?? '' };

export const gatewayRoutes = [
  ...METHODS.map((method) =>
    route({
      ...HERE,
      method,
      scope: 'gateway:call',
      summary: 'Passes a request on to one upstream of a service, and its answer back.',
      params: { cutover, proxy },
      handle: pass,
    }),
  ),
  route({
    ...HERE,
    method: 'OPTIONS',
    scope: null,
    summary: 'Answers a preflight as the service declares it (`gateway.cors`); any other needs a token.',
    params: { cutover: declared, proxy },
    handle: passOptions,
  }),
];

export const composeGateway = () => withRouter(withServices(composeApi()));

export const handler = httpHandler(composeGateway, gatewayRoutes);
