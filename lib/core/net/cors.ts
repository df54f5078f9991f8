/**
 * What a browser of another origin may do with a service, where its declaration says so. Pure: from the headers of a
 * request to those of an answer.
 */

export type CorsRules = {
  /** Such as `https://app.example`; `*` for all of them, which goes without credentials only. */
  origins: readonly string[];
  methods: readonly string[];
  /** Headers that the browser may send. */
  headers: readonly string[];
  /** Headers of answers that a page may read. */
  exposed: readonly string[];
  credentials: boolean;
  maxAgeSeconds: number;
};

export const DEFAULT_CORS: Omit<CorsRules, 'origins'> = {
  methods: ['GET', 'HEAD', 'POST'],
  headers: [],
  exposed: [],
  credentials: false,
  maxAgeSeconds: 600,
};

type Headers = Readonly<Record<string, string>>;

/** A browser's question before a request. It never carries a token. */
export const isPreflight = (method: string, headers: Headers): boolean =>
  method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined;

/** All that a preflight may bring to a service: it comes from anybody. */
const OF_PREFLIGHT = /^(origin|access-control-request-.*|user-agent|via|x-forwarded-.*)$/;

export const preflightHeaders = (headers: Headers): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => OF_PREFLIGHT.test(name)));

/** The answer to a preflight. Of an origin that is not listed it allows nothing, which the browser takes for a no. */
export function preflightAnswer(rules: CorsRules, headers: Headers): Record<string, string> {
  const allowed = corsHeaders(rules, headers);
  if (!allowed['access-control-allow-origin']) return allowed;
  return {
    ...allowed,
    'access-control-allow-methods': rules.methods.join(', '),
    ...(rules.headers.length > 0 ? { 'access-control-allow-headers': rules.headers.join(', ') } : {}),
    'access-control-max-age': String(rules.maxAgeSeconds),
  };
}

/** What an answer says to the origin of its request. */
function corsHeaders({ origins, credentials, exposed }: CorsRules, { origin }: Headers): Record<string, string> {
  const isAny = origins.includes('*');
  const vary: Record<string, string> = isAny ? {} : { vary: 'Origin' };
  if (origin === undefined || !(isAny || origins.includes(origin))) return vary;
  return {
    ...vary,
    'access-control-allow-origin': isAny ? '*' : origin,
    ...(credentials ? { 'access-control-allow-credentials': 'true' } : {}),
    ...(exposed.length > 0 ? { 'access-control-expose-headers': exposed.join(', ') } : {}),
  };
}

/** Those of the service stay: it knows better. */
export function withCors(rules: CorsRules, request: Headers, answer: Headers): Record<string, string> {
  if (answer['access-control-allow-origin'] !== undefined) return { ...answer };
  const { vary, ...added } = corsHeaders(rules, request);
  const varies = [answer.vary, vary].filter((one) => one !== undefined).join(', ');
  return { ...answer, ...added, ...(varies === '' ? {} : { vary: varies }) };
}
