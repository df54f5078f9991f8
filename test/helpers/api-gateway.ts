/**
 * Calls functions as API Gateway does: the routes of serverless.yml, payload version 2, header names in lower case, path
 * parameters decoded. It checks no token, like the local one: what holds here is held by the functions themselves.
 */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import { type Answer, answerOf } from '../property/served.ts';
import { tokenOf } from './api-tokens.ts';
import { FUNCTIONS, workspace } from './packaged-template.ts';
import { at, ofType } from './template-access.ts';

export type GatewayRoute = { method: string; path: string; scopes: readonly string[]; function: string };

/** Every route that would be deployed, with the function it leads to. Runs the framework: takes some seconds. */
export async function packagedRoutes(): Promise<GatewayRoute[]> {
  const service = workspace();
  try {
    const packaged = await service.package('local', {});
    return ofType(packaged, 'AWS::ApiGatewayV2::Route').map(([, { Properties }]) => {
      const [method = '', path = ''] = String(Properties.RouteKey).split(' ');
      const target = JSON.stringify(Properties.Target);
      const name = FUNCTIONS.find((one) =>
        target.includes(`HttpApiIntegration${one[0]!.toUpperCase()}${one.slice(1)}"`),
      );
      if (!name) throw new Error(`${method} ${path} leads to no function: ${target}`);
      return { method, path, scopes: (at(Properties, 'AuthorizationScopes') ?? []) as string[], function: name };
    });
  } finally {
    service.remove();
  }
}

export type ApiCall = {
  method?: string;
  path: string;
  /** As text, without the question mark. */
  query?: string;
  headers?: Record<string, string | undefined>;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is. */
  raw?: string;
  base64?: boolean;
  /** Null: none. Default: an operator's. */
  token?: string | null;
};

/** A POST when there is a body, else a GET. */
export function eventOf(call: ApiCall, route?: Pick<GatewayRoute, 'method' | 'path'>): APIGatewayProxyEventV2 {
  const text = call.raw ?? (call.body === undefined ? undefined : JSON.stringify(call.body));
  const method = call.method ?? (text === undefined ? 'GET' : 'POST');
  const token = call.token === undefined ? tokenOf() : call.token;
  const given = {
    ...(text === undefined ? {} : { 'content-type': 'application/json' }),
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    ...call.headers,
  };
  const parameters = route ? pathParameters(route.path, call.path) : undefined;
  const query = queryOf(call.query ?? '');
  return {
    version: '2.0',
    routeKey: route ? `${route.method} ${route.path}` : '$default',
    rawPath: call.path,
    rawQueryString: call.query ?? '',
    ...(query ? { queryStringParameters: query } : {}),
    headers: Object.fromEntries(
      Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name.toLowerCase(), value]])),
    ),
    ...(parameters ? { pathParameters: parameters } : {}),
    requestContext: {
      http: { method, path: call.path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: 'test' },
      requestId: 'request',
      stage: '$default',
      timeEpoch: Date.now(),
    },
    ...(text === undefined ? {} : { body: text }),
    isBase64Encoded: call.base64 ?? false,
  } as unknown as APIGatewayProxyEventV2;
}

/** Repeated names are joined by commas. */
function queryOf(query: string): Record<string, string> | null {
  const values: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    values[name] = Object.hasOwn(values, name) ? `${values[name]},${value}` : value;
  }
  return query === '' ? null : values;
}

const patternOf = (path: string): RegExp =>
  new RegExp(`^${path.replace(/\{(\w+)\+\}/g, '(?<$1>.+)').replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`);

function pathParameters(pattern: string, path: string): Record<string, string> | undefined {
  const groups = patternOf(pattern).exec(path)?.groups;
  if (!groups) return undefined;
  return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, decoded(value)]));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export type Handlers = Readonly<Record<string, unknown>>;
type Handler = (event: APIGatewayProxyEventV2, context: Context) => Promise<unknown>;

export const CONTEXT = {
  getRemainingTimeInMillis: () => 20_000,
  awsRequestId: 'r',
  functionName: 'f',
} as unknown as Context;

/** What the caller sees: bytes come out of their wrapping. */
export async function invoke(handler: unknown, event: APIGatewayProxyEventV2): Promise<Answer> {
  const result = (await (handler as Handler)(event, CONTEXT)) as APIGatewayProxyStructuredResultV2;
  const body = result.isBase64Encoded ? Buffer.from(result.body ?? '', 'base64').toString() : result.body;
  return answerOf({ ...result, body });
}

const literal = (path: string) => (path.includes('{') ? 0 : 1);

export const routeFor = (routes: readonly GatewayRoute[], method: string, path: string): GatewayRoute | undefined =>
  routes
    .filter((route) => route.method === method && patternOf(route.path).test(path))
    .sort((a, b) => literal(b.path) - literal(a.path))[0];

/** The same over HTTP, for programs. Paths that lead nowhere are answered as the gateway answers them. */
export async function httpShim(
  routes: readonly GatewayRoute[],
  handlers: Handlers,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const [path = '', query = ''] = (request.url ?? '').split('?');
    const route = routeFor(routes, request.method ?? '', path);
    if (!route) {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"message":"Not Found"}');
      return;
    }
    const raw = chunks.length > 0 ? Buffer.concat(chunks).toString() : undefined;
    const headers = request.headers as Record<string, string>;
    const event = eventOf({ method: request.method, path, query, headers, raw, token: null }, route);
    const { status, headers: answered, text } = await invoke(handlers[route.function], event);
    response.writeHead(status, answered).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
