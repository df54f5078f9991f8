/** Requests and replies as the planes see them, and a table of routes with `{names}` in their paths. */

import { badRequest } from './service-error.ts';

export type Request = {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: Buffer;
};

export type Reply = { status: number; headers?: Record<string, string>; body?: Buffer };

/** What the names in the path stand for. */
export type Place = Readonly<Record<string, string>>;

export type Route<Context> = {
  method: string;
  path: string;
  operation: string;
  handle(context: Context, place: Place, request: Request): Reply;
};

export function findRoute<Context>(
  routes: readonly Route<Context>[],
  request: Request,
): { route: Route<Context>; place: Place } | null {
  const parts = request.path.split('/');
  for (const route of routes) {
    const place = route.method === request.method ? matched(route.path.split('/'), parts) : null;
    if (place) return { route, place };
  }
  return null;
}

function matched(pattern: readonly string[], parts: readonly string[]): Place | null {
  if (pattern.length !== parts.length) return null;
  const place: Record<string, string> = {};
  for (const [index, piece] of pattern.entries()) {
    const part = decodeURIComponent(parts[index]!);
    if (piece.startsWith('{')) place[piece.slice(1, -1)] = part;
    else if (piece !== part) return null;
  }
  return place;
}

export function json(status: number, value: unknown, headers: Record<string, string> = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(JSON.stringify(value)),
  };
}

export const nothing = (status: number): Reply => ({ status });

export function headerOf(request: Request, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' ? value : null;
}

/** The JSON body as an object; anything else is a bad request. */
export function bodyOf(request: Request): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(request.body.toString('utf8') || '{}');
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw badRequest('The body is not a JSON object.');
}

export function textOf(body: Readonly<Record<string, unknown>>, name: string): string {
  const value = body[name];
  if (typeof value !== 'string' || value === '') throw badRequest(`${name} is required.`);
  return value;
}

export function optionalText(body: Readonly<Record<string, unknown>>, name: string): string | null {
  const value = body[name];
  return typeof value === 'string' ? value : null;
}

export function numberOf(
  body: Readonly<Record<string, unknown>>,
  name: string,
  limits: { from: number; to: number; otherwise?: number },
): number {
  const value = body[name] ?? limits.otherwise;
  if (typeof value !== 'number' || !(value >= limits.from && value <= limits.to))
    throw badRequest(`${name} is ${JSON.stringify(value)}, it must be between ${limits.from} and ${limits.to}.`);
  return value;
}
