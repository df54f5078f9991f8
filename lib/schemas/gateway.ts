/** What a `service` cutover may say about its gateway. Nothing has to be said: core/net/upstream.ts has the defaults. */

import * as z from 'zod';

const headerName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'a header name is written in lower case');
const path = z.string().min(1).max(200);
const ignoreRule = z.union([
  path,
  z.strictObject({ path, tolerance: z.number().min(0) }),
  z.strictObject({ path, unordered: z.literal(true) }),
]);
const compare = z.strictObject({
  sampleRate: z.number().min(0).max(1),
  ignore: z.array(ignoreRule).max(100),
  timeoutMs: z.number().int().min(10).max(10_000),
});

const origin = z.string().regex(/^(\*|https?:\/\/[^/\s,]{1,255})$/, 'an origin is https://HOST without a path, or *');
const token = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/, 'it is no name of a method or header');
const cors = z.strictObject({
  origins: z.array(origin).min(1).max(50),
  methods: z.array(token).min(1).max(20).optional(),
  headers: z.array(token).max(50).optional(),
  exposed: z.array(token).max(50).optional(),
  credentials: z.boolean().optional(),
  maxAgeSeconds: z.number().int().min(0).max(86_400).optional(),
});
const declaredCors = cors.refine(({ origins, credentials }) => !(credentials && origins.includes('*')), {
  error: 'with credentials every origin is named: browsers refuse *',
  path: ['origins'],
});

const rules = z.strictObject({
  correlationHeaders: z.array(headerName).min(1).max(5),
  groupsHeader: headerName.nullable(),
  environment: z.string().min(1).max(100).nullable(),
  privateHosts: z.array(z.string().max(255)).max(20),
  authorization: z.enum(['crossfade', 'upstream']),
  cors: z.union([z.literal('upstream'), declaredCors]).nullable(),
  headers: z.enum(['all', 'correlation', 'none']),
  encodedSlashes: z.boolean(),
  timeoutMs: z.number().int().min(10).max(10_000),
  fallback: z.boolean(),
  requestsPerSecond: z.number().int().min(1).max(10_000),
  idempotencyKeys: z.boolean(),
  orderSegments: z.number().int().min(0).max(20),
  compare: compare.partial(),
});

export const declaredGateway = rules.partial();
export const GATEWAY_KEYS = [rules, compare, cors].flatMap(({ shape }) => Object.keys(shape));
