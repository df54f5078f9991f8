/**
 * The OpenAPI description of the HTTP API, made of the tables that serve it and of the schemas that parse what comes:
 * there is no second list of routes that could fall behind.
 */

import * as z from 'zod';
import { ERROR_CODES } from '../core/base/errors.ts';
import { OLD_FIELDS, type RenamedField } from '../core/base/old-names.ts';
import { shownCondition } from './condition.ts';
import { HEADERS, type HeaderName } from './headers.ts';
import type { Input, Json, Schema } from './input.ts';

/** What a route says of itself. */
export type Description = {
  method: string;
  path: string;
  /** The scope that the token must carry; null: none is asked for. */
  scope: string | null;
  /** One sentence. */
  summary: string;
  /** Of each `{name}` in the path. */
  params?: Readonly<Record<string, { description: string; schema: Json }>>;
  query?: Pick<Input<unknown>, 'schema'>;
  body?: Pick<Input<unknown>, 'schema'>;
  /** False when the body is anything, and not ours to read. */
  json?: boolean;
  headers?: readonly HeaderName[];
  /** Media types of each status that is no refusal; 200 with JSON by default. */
  answers?: Readonly<Record<number, readonly string[]>>;
  /** Of its answer: fields that it has under their old names, too. */
  renamed?: readonly RenamedField[];
  /** Present on a path that was replaced: the path to use. */
  replacedBy?: string;
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
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        callerToken: { type: 'apiKey', in: 'header', name: 'X-Crossfade-Authorization', description: 'Bearer TOKEN' },
      },
      schemas: { Problem: problem(), Condition: jsonSchema(shownCondition), OldNames: oldNames() },
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

function operation(route: Description) {
  const { method, path, scope, summary, query, headers = [], answers = JSON_ALONE, replacedBy, json } = route;
  return {
    operationId: method.toLowerCase() + path.replaceAll(/[^a-z\d]+([a-z]?)/gi, (_, first) => first.toUpperCase()),
    summary,
    ...(replacedBy === undefined ? {} : { deprecated: true, description: `Old path of ${replacedBy}.` }),
    security: scope === null ? [] : [{ token: [scope] }, ...(json === false ? [{ callerToken: [scope] }] : [])],
    parameters: [
      ...[...path.matchAll(/\{(\w+)\+?\}/g)].map(([, name]) => pathParameter(route, name!)),
      ...(query ? queryParameters(query.schema) : []),
      ...headers.map(headerParameter),
    ],
    ...requestBody(route),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, types]) => [
          status,
          {
            description: MEANINGS[Number(status)],
            content: Object.fromEntries(types.map((type) => [type, answerSchema(route)])),
          },
        ]),
      ),
      default: { $ref: '#/components/responses/Refused' },
    },
  };
}

/** Answers are not described but for the old names in them. */
const answerSchema = ({ renamed = [] }: Description): Json =>
  renamed.length === 0 ? {} : { schema: { type: 'object', properties: oldFields(renamed) } };

const oldFields = (renamed: readonly RenamedField[]): Json =>
  Object.fromEntries(
    renamed.map((name) => [OLD_FIELDS[name], { deprecated: true, description: `Old name of ${name}.` }]),
  );

function requestBody({ method, body, json }: Description): Json {
  if (body)
    return { requestBody: { required: true, content: { 'application/json': { schema: jsonSchema(body.schema) } } } };
  return json === false && !['GET', 'HEAD'].includes(method) ? { requestBody: { content: { '*/*': {} } } } : {};
}

function pathParameter({ path, params }: Description, name: string): Json {
  const known = params?.[name];
  if (!known) throw new Error(`The route ${path} does not declare its parameter {${name}}: add it to params.`);
  return { name, in: 'path', required: true, description: known.description, schema: known.schema };
}

function headerParameter(name: HeaderName): Json {
  const { required, description, schema } = HEADERS[name];
  return { name, in: 'header', required, description, schema };
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

/** Wherever a field was renamed, in lists, too. */
const oldNames = (): Json => ({
  type: 'object',
  description: 'Answers have these fields for one release, beside the new ones.',
  properties: oldFields(Object.keys(OLD_FIELDS) as RenamedField[]),
});

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
      details: {
        type: 'object',
        description: 'Values that the text speaks of. Of `held`: `reasons`, each a Condition.',
      },
    },
    oneOf: statuses.map((status) => ({
      properties: {
        status: { const: status },
        code: { enum: codes.filter(([, one]) => one.status === status).map(([code]) => code) },
      },
    })),
  };
}
