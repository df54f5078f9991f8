/**
 * The OpenAPI description of the HTTP API, made of the tables that serve it and of the schemas that parse what comes:
 * there is no second list of routes that could fall behind.
 */

import * as z from 'zod';
import { ERROR_CODES } from '../core/base/errors.ts';
import { CUTOVER_ID } from '../core/cutover/cutover.ts';
import { ALERT_ID } from './alerts.ts';
import { EXPERIMENT_ID } from './experiments.ts';
import { IDEMPOTENCY_KEY, IF_MATCH } from './http.ts';

type Json = Readonly<Record<string, unknown>>;

/** What parses a body or a query: a schema of zod, or the JSON schema of what is checked by hand. */
export type Schema = z.ZodType | Json;

/** What a route says of itself. */
export type Description = {
  method: string;
  path: string;
  /** The scope that the token must carry; null: none is asked for. */
  scope: string | null;
  /** One sentence. */
  summary: string;
  query?: Schema;
  body?: Schema;
  /** False when the body is anything, and not ours to read. */
  json?: boolean;
  headers?: readonly (keyof typeof HEADERS)[];
  /** Media types of each status that is no refusal; 200 with JSON unless told. */
  answers?: Readonly<Record<number, readonly string[]>>;
};

const HEADERS = {
  'idempotency-key': {
    required: true,
    description:
      'Sent again with the same body it gives the same answer, and nothing is done twice; a UUID is a good one.',
    schema: textOf(IDEMPOTENCY_KEY),
  },
  'if-match': {
    required: true,
    description: 'The version that the command is based on, as the ETag of a read gives it.',
    schema: textOf(IF_MATCH),
  },
  'if-none-match': {
    required: false,
    description: 'The ETag of the answer that the caller has.',
    schema: { type: 'string' },
  },
} as const;

const PATH_PARAMETERS: Readonly<Record<string, Json>> = {
  cutover: { description: 'Id of a declared cutover.', schema: textOf(CUTOVER_ID) },
  phase: { description: 'Name of a declared phase.', schema: textOf(CUTOVER_ID) },
  experiment: { description: 'CUTOVER.EXPERIMENT', schema: textOf(EXPERIMENT_ID) },
  alert: { description: 'CUTOVER.RULE', schema: textOf(ALERT_ID) },
  asset: { description: 'A part of the page.', schema: { type: 'string' } },
  proxy: { description: 'The path at the upstream; it may have slashes.', schema: { type: 'string' } },
};

const MEANINGS: Readonly<Record<number, string>> = {
  200: 'Done.',
  202: 'Done and stored; the flags follow with one of the next ticks.',
  304: 'Nothing has changed since the ETag that was sent.',
};
const JSON_ALONE = { 200: ['application/json'] };

export function describeApi(routes: readonly Description[]) {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const path = route.path.replace('+}', '}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: '3.1.1',
    info: { title: 'Crossfade', version: '1', description: 'Moves something live from old to new, and back again.' },
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      schemas: { Problem: problem() },
      responses: {
        Refused: {
          description:
            'Refused: nothing was changed. API Gateway has answers of its own for 401, 403, 404, 429 and 5xx.',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
    },
  };
}

function operation({ method, path, scope, summary, query, headers = [], answers = JSON_ALONE, ...rest }: Description) {
  return {
    operationId: method.toLowerCase() + path.replaceAll(/[^a-z\d]+([a-z]?)/gi, (_, first) => first.toUpperCase()),
    summary,
    security: scope === null ? [] : [{ token: [scope] }],
    parameters: [
      ...[...path.matchAll(/\{(\w+)\+?\}/g)].map(([, name]) => pathParameter(name!)),
      ...(query ? queryParameters(query) : []),
      ...headers.map((name) => ({ name, in: 'header', ...HEADERS[name] })),
    ],
    ...requestBody(method, rest),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, types]) => [
          status,
          { description: MEANINGS[Number(status)], content: Object.fromEntries(types.map((type) => [type, {}])) },
        ]),
      ),
      default: { $ref: '#/components/responses/Refused' },
    },
  };
}

function requestBody(method: string, { body, json }: Pick<Description, 'body' | 'json'>): Json {
  if (body) return { requestBody: { required: true, content: { 'application/json': { schema: jsonSchema(body) } } } };
  return json === false && !['GET', 'HEAD'].includes(method) ? { requestBody: { content: { '*/*': {} } } } : {};
}

function pathParameter(name: string): Json {
  const known = PATH_PARAMETERS[name];
  if (!known) throw new Error(`The path parameter {${name}} is not described; PATH_PARAMETERS has those that are.`);
  return { name, in: 'path', required: true, ...known };
}

/** A query is text, and so is what stands for a value that is missing. */
function queryParameters(query: Schema): Json[] {
  const { properties = {}, required = [] } = jsonSchema(query) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    ...(required.includes(name) ? { required: true } : {}),
    schema: 'default' in schema ? { ...schema, default: String(schema.default) } : schema,
  }));
}

function jsonSchema(schema: Schema): Json {
  if (!(schema instanceof z.ZodType)) return schema;
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return rest;
}

/** Every code belongs to one status. */
function problem(): Json {
  const codes = Object.entries(ERROR_CODES);
  const statuses = [...new Set(codes.map(([, { status }]) => status))].sort();
  return {
    type: 'object',
    required: ['type', 'title', 'status', 'code', 'detail'],
    properties: {
      type: { const: 'about:blank' },
      title: { type: 'string', description: 'The code.' },
      status: { type: 'integer' },
      code: { type: 'string', description: 'Stable: programs may decide by it.' },
      detail: { type: 'string', description: 'What was attempted, what was seen, what to do.' },
      details: { type: 'object', description: 'Values that the text speaks of.' },
    },
    oneOf: statuses.map((status) => ({
      properties: {
        status: { const: status },
        code: { enum: codes.filter(([, one]) => one.status === status).map(([code]) => code) },
      },
    })),
  };
}

function textOf({ source: pattern }: RegExp): Json {
  return { type: 'string', pattern };
}
