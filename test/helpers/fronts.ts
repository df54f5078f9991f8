/**
 * What stands in front of a function, as its documentation describes it: the event that each front makes of one HTTP request,
 * and what its caller gets of the function's answer.
 */

/** A request as a caller writes it. */
export type Wire = {
  method: string;
  /** Below the root of the API, encoded. */
  path: string;
  query: readonly (readonly [name: string, value: string])[];
  /** As they are written; a name may come twice. */
  headers: readonly (readonly [name: string, value: string])[];
  body: Buffer | null;
};
type Got = { status: number; headers: Record<string, string>; cookies: string[]; body: Buffer };

type Front = {
  /** What callers write before the path. */
  prefix: string;
  event(wire: Wire): object;
  answer(result: unknown): Got;
};

const ROUTE = '/gateway/{cutover}/{proxy+}';
const grouped = (pairs: Wire['headers'], nameOf = (name: string) => name): Record<string, string[]> => {
  const groups: Record<string, string[]> = {};
  for (const [name, value] of pairs) groups[nameOf(name)] = [...(groups[nameOf(name)] ?? []), value];
  return groups;
};
const lower = (name: string) => name.toLowerCase();
const mapped = <T>(groups: Record<string, string[]>, map: (values: string[]) => T) =>
  Object.fromEntries(Object.entries(groups).map(([name, values]) => [name, map(values)]));
const last = (values: string[]) => values.at(-1)!;
const joined = (values: string[]) => values.join(',');
const orNull = (groups: object) => (Object.keys(groups).length > 0 ? groups : null);

const written = (query: Wire['query']) =>
  query.map((pair) => pair.map((text) => encodeURIComponent(text)).join('=')).join('&');
const encodedQuery = (query: Wire['query']) =>
  query.map(([name, value]) => [encodeURIComponent(name), encodeURIComponent(value)] as const);

/** Text goes as text, bytes as base64. */
function bodyOf(body: Buffer | null): { body: string; isBase64Encoded: boolean } | null {
  if (!body) return null;
  const isText = body.equals(Buffer.from(body.toString()));
  return { body: body.toString(isText ? 'utf8' : 'base64'), isBase64Encoded: !isText };
}

const parameters = (path: string) => {
  const [, cutover, proxy] = /^\/gateway\/([^/]+)\/(.*)$/.exec(path)!;
  return { cutover, proxy };
};

// --------------------------------------------------------------------------------------------------- payload 2.0

function second(
  wire: Wire,
  over: { rawPath: string; routeKey: string; stage: string; domainName: string },
  parts: object,
) {
  const { cookie = [], ...headers } = grouped(wire.headers, lower);
  const { rawPath, routeKey, stage, domainName } = over;
  return {
    version: '2.0',
    routeKey,
    rawPath,
    rawQueryString: written(wire.query),
    ...(cookie.length > 0 ? { cookies: cookie.flatMap((one) => one.split('; ')) } : {}),
    headers: mapped(headers, joined),
    ...(wire.query.length > 0 ? { queryStringParameters: mapped(grouped(wire.query), joined) } : {}),
    ...parts,
    requestContext: {
      accountId: '123456789012',
      apiId: 'r3pmxmplak',
      domainName,
      domainPrefix: 'r3pmxmplak',
      http: {
        method: wire.method,
        path: rawPath,
        protocol: 'HTTP/1.1',
        sourceIp: '205.255.255.176',
        userAgent: 'agent',
      },
      requestId: 'JKJaXmPLvHcESHA=',
      routeKey,
      stage,
      time: '10/Mar/2020:05:16:23 +0000',
      timeEpoch: 1583817383220,
    },
    ...(bodyOf(wire.body) ?? { isBase64Encoded: false }),
  };
}

/** It decodes paths, takes cookies out of the headers, and leaves stage and base path before the path. */
const httpApi = (prefix: string, stage: string): Front => ({
  prefix,
  event: (wire) =>
    second(
      wire,
      {
        rawPath: decodeURIComponent(`${prefix}${wire.path}`),
        routeKey: `${wire.method} ${ROUTE}`,
        stage,
        domainName: 'r3pmxmplak.execute-api.us-east-2.amazonaws.com',
      },
      {
        pathParameters: mapped(grouped(Object.entries(parameters(wire.path)) as [string, string][]), (one) =>
          decodeURIComponent(one[0]!),
        ),
      },
    ),
  answer: ofSecond,
});

const functionUrl: Front = {
  prefix: '',
  event: (wire) =>
    second(
      wire,
      { rawPath: wire.path, routeKey: '$default', stage: '$default', domainName: 'url-id.lambda-url.us-west-2.on.aws' },
      {},
    ),
  answer: ofSecond,
};

type Result = {
  statusCode: number;
  statusDescription?: string;
  headers?: Record<string, string>;
  multiValueHeaders?: Record<string, string[]>;
  cookies?: string[];
  body?: string;
  isBase64Encoded?: boolean;
};
const bytesOf = ({ body = '', isBase64Encoded }: Result) => Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8');

function ofSecond(result: unknown): Got {
  const one = result as Result;
  return { status: one.statusCode, headers: one.headers ?? {}, cookies: one.cookies ?? [], body: bytesOf(one) };
}

/** Headers of both kinds are merged; a cookie is a header like any other. */
function ofMany(result: unknown): Got {
  const one = result as Result;
  const { 'set-cookie': cookies = [], ...many } = {
    ...grouped(Object.entries(one.headers ?? {})),
    ...one.multiValueHeaders,
  };
  return { status: one.statusCode, headers: mapped(many, (values) => values.join(', ')), cookies, body: bytesOf(one) };
}

// --------------------------------------------------------------------------------------------------- payload 1.0

/** It leaves paths as they are and decodes queries; the stage is taken away, a base path is not. */
const restApi = (stage: string, basePath: string | null): Front => ({
  prefix: basePath ?? `/${stage}`,
  event: (wire) => ({
    resource: ROUTE,
    path: `${basePath ?? ''}${wire.path}`,
    httpMethod: wire.method,
    headers: mapped(grouped(wire.headers), last),
    multiValueHeaders: grouped(wire.headers),
    queryStringParameters: orNull(mapped(grouped(wire.query), last)),
    multiValueQueryStringParameters: orNull(grouped(wire.query)),
    pathParameters: parameters(wire.path),
    stageVariables: null,
    requestContext: {
      accountId: '123456789012',
      apiId: '1234567890',
      httpMethod: wire.method,
      identity: { sourceIp: '127.0.0.1', userAgent: 'agent' },
      path: `${basePath ?? `/${stage}`}${wire.path}`,
      protocol: 'HTTP/1.1',
      requestId: 'c6af9ac6-7b61-11e6-9a41-93e8deadbeef',
      resourceId: '123456',
      resourcePath: ROUTE,
      stage,
    },
    body: null,
    isBase64Encoded: false,
    ...bodyOf(wire.body),
  }),
  answer: ofMany,
});

// ------------------------------------------------------------------------------------------------- load balancer

/** It decodes nothing. With multi-value headers it has only those, without only the last of each. */
const loadBalancer = (isMany: boolean): Front => ({
  prefix: '',
  event: (wire) => ({
    requestContext: {
      elb: {
        targetGroupArn: 'arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/lambda/49e9d65c45c6791a',
      },
    },
    httpMethod: wire.method,
    path: wire.path,
    ...(isMany
      ? {
          multiValueHeaders: grouped(wire.headers, lower),
          multiValueQueryStringParameters: grouped(encodedQuery(wire.query)),
        }
      : {
          headers: mapped(grouped(wire.headers, lower), last),
          queryStringParameters: mapped(grouped(encodedQuery(wire.query)), last),
        }),
    body: '',
    isBase64Encoded: false,
    ...bodyOf(wire.body),
  }),
  answer: (result) => {
    const one = result as Result;
    if (!/^\d{3} .+/.test(one.statusDescription ?? '')) throw new Error('502: the answer has no statusDescription');
    if (isMany ? one.headers : one.multiValueHeaders)
      throw new Error('the load balancer leaves out headers of the other kind');
    return ofMany(result);
  },
});

export const FRONTS: Readonly<Record<string, Front>> = {
  'an HTTP API': httpApi('', '$default'),
  'an HTTP API with a stage': httpApi('/prod', 'prod'),
  'an HTTP API behind a base path': httpApi('/shop/v2', '$default'),
  'a Function URL': functionUrl,
  'a REST API': restApi('prod', null),
  'a REST API behind a base path': restApi('prod', '/shop'),
  'a load balancer with multi-value headers': loadBalancer(true),
  'a load balancer': loadBalancer(false),
};
