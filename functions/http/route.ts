/**
 * A route declares once what it reads: the parts of its path, query, body and headers. The middleware reads a request
 * with that declaration, the handler gets the values typed, and the description of the API is made of the same schemas.
 * What is wrong is refused in this order: path, query, body, headers.
 */

import type { Method } from '@middy/http-router';
import type { Scope } from '../../lib/adapters/http/scopes.ts';
import type { ApiComposition } from '../../lib/compose/callers.ts';
import { OLD_PATHS, withOldFields } from '../../lib/core/base/old-names.ts';
import type { AnswerRest } from '../../lib/ports/upstream.ts';
import { HEADERS, type HeaderName, type HeaderValues } from '../../lib/schemas/headers.ts';
import type { Input, Json } from '../../lib/schemas/input.ts';
import type { Description } from '../../lib/schemas/openapi.ts';
import type { HttpEvent } from './event.ts';

/** What every handler needs of its composition; each route may ask for more. */
export type Served = Pick<ApiComposition, 'authenticate'> & {
  ports: Pick<ApiComposition['ports'], 'clock' | 'log' | 'metrics'>;
};

/** A part of the path, and what it names. */
export type Parameter<C, Value> = {
  description: string;
  schema: Json;
  /** @throws CrossfadeError `invalid_identifier`, `not_found` */
  find(text: string | undefined, composition: C): Value | Promise<Value>;
};

/** A request as it came, after its token was verified. */
type Received = {
  event: HttpEvent;
  /** Subject of the verified token. */
  actor: string;
  /** On the monotonic clock: the handler must have answered by then. */
  deadlineMs: number;
  /** True where the caller can be answered bit by bit. */
  streamed: boolean;
  header(name: string): string | undefined;
  /** JSON body, checked for size, depth and form; undefined for a request without one. */
  json: unknown;
};

/** A request as its handler gets it. */
export type Request<Params, Query, Body, Headers> = Pick<Received, 'event' | 'actor' | 'deadlineMs' | 'streamed'> & {
  params: Params;
  query: Query;
  body: Body;
  headers: Headers;
};

export type Reply = {
  status: number;
  headers?: Readonly<Record<string, string>>;
  /** JSON, unless `text` or `bytes` is given. */
  body?: unknown;
  text?: string;
  bytes?: Uint8Array;
  /** What comes after `bytes`; only of a request that is `streamed`. */
  rest?: Pick<AnswerRest, 'parts' | 'leave'>;
  /** Set-Cookie headers, each on its own. */
  cookies?: readonly string[];
};

/** A route as the middleware serves it, and as the description tells of it. */
export type Route<C extends Served = ApiComposition> = Description & {
  method: Method;
  scope: Scope | null;
  serve(composition: C, received: Received): Promise<Reply>;
};

type Parameters<C> = Readonly<Record<string, Parameter<C, unknown>>>;
type ParameterValues<P> = { [Name in keyof P]: P[Name] extends Parameter<never, infer Value> ? Awaited<Value> : never };

type Declared<C, P, Query, Body, H extends HeaderName> = {
  path: string;
  /** The scope that the token must carry; null only for health. */
  scope: Scope | null;
  summary: string;
  params?: P;
  query?: Input<Query>;
  headers?: readonly H[];
  answers?: Description['answers'];
  renamed?: Description['renamed'];
  handle(composition: C, request: Request<ParameterValues<P>, Query, Body, HeaderValues<H>>): Promise<Reply>;
} & (
  | { method: 'GET'; body?: undefined; json?: undefined }
  | { method: 'POST'; body: Input<Body>; json?: undefined }
  /** The body is not ours to read: the gateway passes it on. */
  | { method: Method; body?: undefined; json: false }
);

/** Makes the routes of one composition: `routesOf<ApiComposition>()({ method: 'GET', … })`. */
export const routesOf =
  <C extends Served>() =>
  <P extends Parameters<C> = Record<never, never>, Query = undefined, Body = undefined, H extends HeaderName = never>(
    declared: Declared<C, P, Query, Body, H>,
  ): Route<C> => {
    const { handle, ...description } = declared;
    return {
      ...description,
      async serve(composition, { event, actor, deadlineMs, streamed, header, json }) {
        const params = await foundIn(event, declared.params, composition);
        const query = declared.query?.read(event.queryStringParameters);
        const body = declared.body?.read(json);
        const headers = Object.fromEntries(
          (declared.headers ?? []).map((name) => [name, HEADERS[name].read(header(name))]),
        );
        const reply = await handle(composition, {
          event,
          actor,
          deadlineMs,
          streamed,
          params: params as ParameterValues<P>,
          query: query as Query,
          body: body as Body,
          headers: headers as HeaderValues<H>,
        });
        return declared.renamed ? { ...reply, body: withOldFields(reply.body as object) } : reply;
      },
    };
  };

/** The routes of everything that needs all ports. */
export const route = routesOf<ApiComposition>();

/** All of them, and those whose path was replaced a second time under the path that they had. */
export const withOldPaths = <C extends Served>(routes: readonly Route<C>[]): Route<C>[] =>
  routes.flatMap((one) => {
    const old = OLD_PATHS[one.path];
    return old === undefined ? [one] : [one, { ...one, path: old, replacedBy: one.path }];
  });

async function foundIn<C>(event: HttpEvent, parameters: Parameters<C> = {}, composition: C) {
  const found: Record<string, unknown> = {};
  for (const [name, parameter] of Object.entries(parameters))
    found[name] = await parameter.find(event.pathParameters?.[name], composition);
  return found;
}
