/**
 * The one middy stack of the HTTP functions: limits → token → handler → problem+json and security headers.
 * The token is verified here as well as in the API gateway: the local gateway checks no signature, and a route that
 * lost its authorizer must not be open.
 */

import middy from '@middy/core';
import httpRouter from '@middy/http-router';
import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';
import { noteInvocation } from '../lib/compose/invocation.ts';
import { lateLog } from '../lib/compose/late-log.ts';
import type { Composition } from '../lib/compose/ports.ts';
import {
  CrossfadeError,
  ERROR_CODES,
  type ErrorCode,
  type ErrorDetails,
  isCrossfadeError,
} from '../lib/core/base/errors.ts';
import { readJsonBody } from '../lib/schemas/json-body.ts';
import { answerFor, callerToken, type HttpAnswer, type HttpEvent, readEvent } from './http/event.ts';
import type { Reply, Route, Served } from './http/route.ts';
import { streamAnswer } from './http/streamed-answer.ts';

const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
};
const ANSWER_MARGIN_MS = 250;

/** A Lambda handler for the given routes. `compose` runs once per instance, at the first request. */
export function httpHandler<C extends Served>(compose: () => C, routes: readonly Route<C>[]) {
  const { answer, refuse } = answering(compose, routes, false);
  return middy<object, object>()
    .use({
      onError: (request) => {
        request.response = answerFor(request.event, refuse(request.error, true));
      },
    })
    .handler(async (given, context) => answerFor(given, await answer(given, context)));
}

/** The same behind a Function URL that streams: the caller gets a long answer bit by bit. */
export function streamedHandler<C extends Served>(compose: () => C, routes: readonly Route<C>[]) {
  const { answer, refuse } = answering(compose, routes, true);
  return awslambda.streamifyResponse(async (given: object, out, context) =>
    streamAnswer(out, await answer(given, context).catch((error: unknown) => refuse(error, true))),
  );
}

function answering<C extends Served>(compose: () => C, routes: readonly Route<C>[], streamed: boolean) {
  let composition: C | undefined;
  const ready = () => {
    try {
      composition ??= compose();
    } catch (error) {
      lateLog(() => {}).failure('start_failed', error);
      throw error;
    }
    return composition;
  };
  const refuse = (error: unknown, outside: boolean): HttpAnswer => {
    if (isFailure(error)) composition?.ports.log.failure('request_failed', error);
    composition?.ports.metrics.flush();
    return problem(error, outside);
  };
  const routed = httpRouter<APIGatewayProxyEventV2, HttpAnswer>({
    routes: routes.map((route) => ({
      method: route.method,
      path: route.path,
      handler: async (event: unknown, context: Context) => {
        const outside = route.json === false;
        try {
          return await serve(ready(), route, { event: event as HttpEvent, context, streamed });
        } catch (error) {
          // What of the deployment cannot be used is for those who deploy it.
          return refuse(outside && composition === undefined ? null : error, outside);
        }
      },
    })),
    notFoundResponse: ({ method, path }) => {
      throw noRoute(routes, method, path);
    },
  });
  const answer = async (given: object, context: Context): Promise<HttpAnswer> => {
    noteInvocation(context);
    return routed(readEvent(given) as never, context);
  };
  return { answer, refuse };
}

/** A path that is served with other methods is not unknown. */
function noRoute(routes: readonly Pick<Route, 'method' | 'path'>[], method: string, path: string): CrossfadeError {
  const served = routes.filter((route) => patternOf(route.path).test(path)).map((route) => route.method);
  return served.length > 0
    ? new CrossfadeError(
        'method_not_allowed',
        `This route answers ${[...new Set(served)].join(', ')}, not ${method.slice(0, 20)}.`,
      )
    : new CrossfadeError(
        'not_found',
        'There is no such route. GET /v1/openapi.json and functions/README.md list the routes.',
      );
}

const patternOf = (path: string) =>
  new RegExp(`^${path.replace('/{proxy+}', '/?.*').replaceAll(/\{[^/]+\}/g, '[^/]+')}/?$`);

async function serve<C extends Served>(
  composition: C,
  route: Route<C>,
  { event, context, streamed }: { event: HttpEvent; context: Context; streamed: boolean },
): Promise<HttpAnswer> {
  const header = (name: string) => event.headers[name.toLowerCase()];
  const token = route.json === false ? callerToken(event) : header('authorization');
  const actor =
    route.scope === null
      ? 'anonymous'
      : await composition.authenticate({ token, iamCaller: event.iamCaller }, route.scope);
  const reply = await route.serve(composition, {
    event,
    actor,
    header,
    streamed,
    json: route.json === false ? undefined : readJsonBody(event),
    deadlineMs: composition.ports.clock.monotonicMs() + context.getRemainingTimeInMillis() - ANSWER_MARGIN_MS,
  });
  composition.ports.metrics.flush();
  // What is passed on is the service's, and so are its rules for caches and browsers.
  return respond(reply, route.json === false ? {} : SECURITY_HEADERS);
}

function respond(reply: Reply, added: Readonly<Record<string, string>>): HttpAnswer {
  const headers = { ...added, ...reply.headers };
  if (reply.bytes) {
    return {
      statusCode: reply.status,
      headers,
      body: Buffer.from(reply.bytes).toString('base64'),
      isBase64Encoded: true,
      ...(reply.rest ? { rest: reply.rest } : {}),
      ...(reply.cookies && reply.cookies.length > 0 ? { cookies: [...reply.cookies] } : {}),
    };
  }
  if (reply.text !== undefined) return { statusCode: reply.status, headers, body: reply.text };
  return {
    statusCode: reply.status,
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(reply.body ?? null),
  };
}

const isFailure = (error: unknown): boolean => !isCrossfadeError(error) || ERROR_CODES[error.code].status >= 500;

/** Details that say nothing of tables, addresses and other inner places. The rest of a failure of ours is for the log. */
const HARMLESS: readonly string[] = ['retryAfterMs', 'sent'];
const harmless = (details: ErrorDetails): ErrorDetails =>
  Object.fromEntries(Object.entries(details).filter(([name]) => HARMLESS.includes(name)));

/** Failures of ours whose message is about the request alone. */
const ABOUT_REQUEST: readonly ErrorCode[] = ['copy_pending', 'loop_detected'];

/**
 * Only the product's own messages leave the house; anything else is an internal error without a text of its own.
 * @param outside the caller is a user of a service: names of hosts and tables mean something to operators alone
 */
function problem(error: unknown, outside: boolean): HttpAnswer {
  const known = isCrossfadeError(error) ? error : null;
  const code = known?.code ?? 'internal';
  const isOurs = ERROR_CODES[code].status >= 500;
  const all = known?.details ?? {};
  const details = isOurs ? harmless(all) : all;
  const detail =
    known === null
      ? 'An error inside Crossfade. Nothing was changed that its answer does not say; the log of the function has the cause.'
      : isOurs && outside && !ABOUT_REQUEST.includes(code)
        ? 'The request could not be passed on, or its answer not be brought back; the log of the function has the cause.'
        : known.message;
  return {
    statusCode: ERROR_CODES[code].status,
    headers: {
      ...SECURITY_HEADERS,
      'content-type': 'application/problem+json',
      ...(typeof known?.details.retryAfterMs === 'number'
        ? { 'retry-after': String(Math.ceil(known.details.retryAfterMs / 1_000)) }
        : {}),
    },
    body: JSON.stringify({
      type: 'about:blank',
      title: code,
      status: ERROR_CODES[code].status,
      code,
      detail,
      ...(Object.keys(details).length > 0 ? { details } : {}),
    }),
  };
}

const MAX_EVENT_AGE_MS = 90_000;
export const SCHEDULE_MARGIN_MS = 5_000;

/**
 * A Lambda handler for a schedule. An event that waited longer than 90 s is ignored: a newer one has done its work.
 * @param work gets the moment, on the monotonic clock, by which it must be done
 */
export function scheduledHandler<Result, C extends Composition>(
  compose: () => C,
  work: (composition: C, deadlineMs: number) => Promise<Result>,
) {
  let composition: C | undefined;
  return async (event: unknown, context: Context): Promise<Result | { ignored: string }> => {
    noteInvocation(context);
    composition ??= compose();
    const { ports } = composition;
    const reason = ignorable(event, composition.realNow());
    if (reason) {
      ports.log.event('event_ignored', { reason });
      return { ignored: reason };
    }
    const longestMs = (event as { maxMs?: number } | null)?.maxMs ?? Number.POSITIVE_INFINITY;
    const remainingMs = context.getRemainingTimeInMillis() - SCHEDULE_MARGIN_MS;
    try {
      return await work(composition, ports.clock.monotonicMs() + Math.min(remainingMs, longestMs));
    } finally {
      ports.metrics.flush();
    }
  };
}

function ignorable(event: unknown, realNowMs: number): string | null {
  const { requestContext, Records, source, time } = (event ?? {}) as Record<string, unknown>;
  if (requestContext !== undefined || Records !== undefined) {
    throw new CrossfadeError(
      'invalid_event',
      'This function serves a schedule; it was called with an HTTP or stream event.',
    );
  }
  if (source !== undefined && !['aws.events', 'aws.scheduler', 'crossfade.local'].includes(String(source))) {
    return 'it does not come from a schedule';
  }
  const sentMs = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  return realNowMs - sentMs > MAX_EVENT_AGE_MS ? 'it is older than 90 s' : null;
}
