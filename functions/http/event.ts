/**
 * One request, whatever stands in front of the function, and the answer in the form that this front understands: an HTTP
 * API or Function URL (payload 2.0), a REST API (payload 1.0), or a load balancer. Everything behind it sees one form.
 */

import { STATUS_CODES } from 'node:http';
import { CrossfadeError } from '../../lib/core/base/errors.ts';
import { TOKEN_HEADER } from '../../lib/core/net/proxied-request.ts';
import type { AnswerRest } from '../../lib/ports/upstream.ts';

/** A request as every route gets it. */
export type HttpEvent = {
  version: '2.0';
  /** From the root of the API, without stage or base path; encoded as the caller wrote it where the front leaves it so. */
  rawPath: string;
  rawQueryString: string;
  queryStringParameters: Readonly<Record<string, string | undefined>>;
  /** Names in lower case; repeated ones joined by commas. */
  headers: Readonly<Record<string, string>>;
  pathParameters?: Readonly<Record<string, string | undefined>>;
  body?: string;
  isBase64Encoded: boolean;
  requestContext: { http: { method: string; path: string } };
  /** ARN of whom IAM let in, as the front says; null behind another authorizer. */
  iamCaller: string | null;
  /** Stage or base path, under which callers reach the root. */
  prefix: string;
};

/** An answer as every route gives it. */
export type HttpAnswer = {
  statusCode: number;
  headers: Record<string, string>;
  cookies?: string[];
  body: string;
  isBase64Encoded?: boolean;
  /** What comes after the body: only for a front that takes it bit by bit. */
  rest?: Pick<AnswerRest, 'parts' | 'leave'>;
};

type One = Readonly<Record<string, unknown>>;
/** What the four kinds of events have, all of it optional. */
type Raw = {
  rawPath?: string;
  rawQueryString?: string;
  path?: string;
  httpMethod?: string;
  routeKey?: string;
  resource?: string;
  headers?: One | null;
  multiValueHeaders?: One | null;
  queryStringParameters?: One | null;
  multiValueQueryStringParameters?: One | null;
  pathParameters?: One | null;
  cookies?: readonly unknown[] | null;
  body?: string | null;
  isBase64Encoded?: boolean;
  requestContext?: {
    http?: { method?: string } | null;
    stage?: string;
    path?: string;
    elb?: object;
    authorizer?: { iam?: { userArn?: unknown } | null } | null;
  } | null;
};
const TEXTS = ['rawPath', 'rawQueryString', 'path', 'httpMethod', 'routeKey', 'resource', 'body'] as const;

/** @throws CrossfadeError `invalid_event` for what is no HTTP request */
export function readEvent(given: unknown): HttpEvent {
  const raw = (given ?? {}) as Raw;
  const { http, stage, path: called } = raw.requestContext ?? {};
  const method = http?.method ?? raw.httpMethod;
  const areTexts = [method, stage, called, ...TEXTS.map((name) => raw[name])].every(
    (value) => value == null || typeof value === 'string',
  );
  if (!method || !raw.requestContext || !areTexts)
    throw new CrossfadeError('invalid_event', 'This function serves HTTP requests; it was called with another event.');
  const { path, prefix } = placeOf(raw);
  const userArn = raw.requestContext.authorizer?.iam?.userArn;
  return {
    version: '2.0',
    rawPath: path,
    prefix,
    ...queryOf(raw),
    headers: headersOf(raw),
    // An empty body and none are the same to a front, and each has its own word for it.
    ...(raw.body ? { body: raw.body } : {}),
    isBase64Encoded: raw.isBase64Encoded === true,
    requestContext: { http: { method, path } },
    iamCaller: typeof userArn === 'string' ? userArn : null,
  };
}

/** The header with the token of a request that is passed on: Authorization may belong to the service behind it. */
export const callerToken = ({ headers }: Pick<HttpEvent, 'headers'>): string | undefined =>
  headers[TOKEN_HEADER] ?? headers.authorization;

/** The answer for the front that the event came from. */
export function answerFor(given: unknown, answer: HttpAnswer): object {
  const { requestContext, httpMethod, multiValueHeaders } = (given ?? {}) as Raw;
  if (!requestContext || requestContext.http || httpMethod === undefined) return answer;
  const { cookies = [], headers, ...rest } = answer;
  const described = requestContext.elb
    ? { ...rest, isBase64Encoded: rest.isBase64Encoded === true, statusDescription: descriptionOf(answer.statusCode) }
    : rest;
  // A load balancer reads the kind of headers that it sends, and no other.
  if (requestContext.elb && !multiValueHeaders)
    return { ...described, headers: { ...headers, ...(cookies.length > 0 ? { 'set-cookie': cookies.at(-1)! } : {}) } };
  const each = Object.entries(headers).map(([name, value]) => [name, [value]] as const);
  return {
    ...described,
    multiValueHeaders: Object.fromEntries([...each, ...(cookies.length > 0 ? [['set-cookie', cookies] as const] : [])]),
  };
}

const descriptionOf = (status: number): string => `${status} ${STATUS_CODES[status] ?? 'Unknown'}`;

// ----------------------------------------------------------------------------------------------------------- path

function placeOf(raw: Raw): { path: string; prefix: string } {
  const whole = encoded(raw.rawPath ?? raw.path ?? '/') || '/';
  const inside = prefixOf(raw, whole);
  const path = whole.slice(inside.length) || '/';
  // A REST API takes its stage away itself, and says in another place how it was called.
  const called = raw.rawPath === undefined ? encoded(raw.requestContext?.path ?? '') : '';
  return { path, prefix: called.endsWith(path) ? called.slice(0, -path.length) : inside };
}

/**
 * An HTTP API decodes paths, the others do not. What can never stand in an encoded path is encoded, so that neither kind
 * changes its meaning here.
 */
const encoded = (path: string): string =>
  path.toWellFormed().replace(/%(?![0-9a-f]{2})|[^!$&-;=@[\]_a-z~%]/giu, (character) => encodeURIComponent(character));

/** Stage and base path: what stands before the route that the event names; a stage alone where it names none. */
function prefixOf(raw: Raw, path: string): string {
  const route = raw.resource ?? raw.routeKey?.split(' ')[1];
  const segments = path.split('/').slice(1);
  if (!route?.startsWith('/')) {
    const { stage } = raw.requestContext!;
    // The default stage stands in no path.
    return raw.rawPath !== undefined && stage !== '$default' && segments[0] === stage ? `/${stage}` : '';
  }
  const wanted = route.split('/').slice(1);
  const at = segments.findIndex((_, first) => isRoute(wanted, segments.slice(first), raw.pathParameters ?? {}));
  return segments
    .slice(0, Math.max(0, at))
    .map((segment) => `/${segment}`)
    .join('');
}

/** True when the segments are those of the route, with the parameters that the event has. */
function isRoute(route: readonly string[], segments: readonly string[], parameters: One): boolean {
  const isOne = (given: unknown, part: string) => given == null || decoded(String(given)) === decoded(part);
  const isOpen = route.at(-1)?.endsWith('+}') ?? false;
  if (isOpen ? segments.length < route.length : segments.length !== route.length) return false;
  return route.every((name, index) => {
    if (!name.startsWith('{')) return name === segments[index];
    if (!name.endsWith('+}')) return isOne(parameters[name.slice(1, -1)], segments[index]!);
    return isOne(parameters[name.slice(1, -2)], segments.slice(index).join('/'));
  });
}

/** For comparing only: a front decodes parameters or leaves them as they are. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(encoded(text)).replace(/\/$/, '');
  } catch {
    return text;
  }
}

// ------------------------------------------------------------------------------------------------ query and headers

function queryOf(raw: Raw): Pick<HttpEvent, 'rawQueryString' | 'queryStringParameters'> {
  const rawQueryString = (raw.rawQueryString ?? writtenQuery(raw)).toWellFormed();
  const values: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(rawQueryString))
    values[name] = Object.hasOwn(values, name) ? `${values[name]},${value}` : value;
  return {
    rawQueryString,
    queryStringParameters: (raw.queryStringParameters && raw.rawQueryString !== undefined
      ? raw.queryStringParameters
      : values) as HttpEvent['queryStringParameters'],
  };
}

/** A REST API decodes names and values, a load balancer leaves them as they came. */
function writtenQuery(raw: Raw): string {
  const asWritten = (text: string) => (raw.requestContext?.elb ? text : encodeURIComponent(text.toWellFormed()));
  const many = Object.entries(raw.multiValueQueryStringParameters ?? raw.queryStringParameters ?? {});
  return many
    .flatMap(([name, values]) => textsOf(values).map((value) => `${asWritten(name)}=${asWritten(value)}`))
    .join('&');
}

/** Cookies are joined as in one header; an HTTP API takes them out of the headers. */
function headersOf(raw: Raw): Record<string, string> {
  const headers: Record<string, string> = {};
  const cookies = textsOf(raw.cookies);
  if (cookies.length > 0) headers.cookie = cookies.join('; ');
  for (const [name, values] of Object.entries(raw.multiValueHeaders ?? raw.headers ?? {})) {
    const texts = textsOf(values);
    const lower = name.toLowerCase();
    if (texts.length > 0) headers[lower] = texts.join(lower === 'cookie' ? '; ' : ',');
  }
  return headers;
}

const textsOf = (values: unknown): string[] =>
  (Array.isArray(values) ? values : [values]).flatMap((value) => (value == null ? [] : [String(value)]));
