/** The description of the HTTP API: what is deployed, what a client may send, and nothing else. */

import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { controlRoutes } from '../../../functions/control.ts';
import { describeWith } from '../../../functions/control-routes/whole-api.ts';
import type { Route } from '../../../functions/http/route.ts';
import { httpHandler } from '../../../functions/middleware.ts';
import { outcomeRoutes } from '../../../functions/outcomes.ts';
import { publisherRoutes } from '../../../functions/publisher-routes/publish.ts';
import { routingRoutes } from '../../../functions/route.ts';
import { ERROR_CODES } from '../../../lib/core/base/errors.ts';
import { OLD_FIELDS, OLD_PATHS } from '../../../lib/core/base/old-names.ts';
import { phaseInput } from '../../../lib/schemas/phases.ts';
import { cli, fakeApi } from '../../helpers/fake-api.ts';
import { inMemoryRequests } from '../../helpers/fakes/flag-requests.ts';
import { at, put } from '../../helpers/template-access.ts';
import { ROUTE_SCOPES } from '../../helpers/template-rules-access.ts';
import { declarationOf, NOW } from '../../property/samples.ts';
import { type Answer, ask, inMemoryComposition } from '../../property/served.ts';

type Operation = {
  deprecated?: true;
  security: { token: string[] }[];
  parameters: { name: string; in: string; required?: boolean }[];
  requestBody?: { content: Record<string, { schema?: object }> };
  responses: Record<string, { content: object }>;
};

const DOCUMENT = describeWith(controlRoutes);

const operationsOf = (document: typeof DOCUMENT) =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, operation]) => [`${method.toUpperCase()} ${path}`, operation as unknown as Operation] as const,
    ),
  );
const OPERATIONS = operationsOf(DOCUMENT);

// The page's own three routes are for it alone.
const DEPLOYED = Object.fromEntries(
  Object.entries(ROUTE_SCOPES)
    .filter(([key]) => / \/(v1|gateway|ofrep)\//.test(key))
    .map(([key, scope]) => [key.replace('+}', '}'), scope]),
);
const scopes = (document: typeof DOCUMENT) =>
  Object.fromEntries(operationsOf(document).map(([key, { security }]) => [key, security[0]?.token[0] ?? null]));

/** One body that its parser accepts for each route that reads one. */
const WRITE = { cutover: 'orders', key: '5', intent: 'i', idempotencyKey: 'k', payload: '{}' };
const WINDOW = {
  cutover: 'customer',
  operation: 'read',
  minute: NOW / 60_000,
  side: 'primary',
  count: 1,
  errors: 0,
  keyless: 0,
  latency: { 5: 1 },
  checks: 0,
  mismatches: 0,
};
const BODIES: Readonly<Record<string, object>> = {
  'POST /v1/cutovers/{cutover}/start': { plan: 'canary', dwellMinutes: 5 },
  'POST /v1/cutovers/{cutover}/advance': { force: true, reason: 'r' },
  'POST /v1/cutovers/{cutover}/approve': {},
  'POST /v1/cutovers/{cutover}/pause': {},
  'POST /v1/cutovers/{cutover}/resume': {},
  'POST /v1/cutovers/{cutover}/policy': {
    set: { minSamples: 5, deadlineMinutes: null },
    unset: ['p95LimitMs'],
    reason: 'r',
  },
  'POST /v1/cutovers/{cutover}/reads': { to: 'primary', reason: 'r' },
  'POST /v1/cutovers/{cutover}/shadow-writes': { enabled: false, reason: 'r' },
  'POST /v1/cutovers/{cutover}/rollback': { reason: 'r' },
  'POST /v1/cutovers/{cutover}/complete': { confirm: 'customer', force: true, reason: 'r' },
  'POST /v1/cutovers/{cutover}/cleanup': { confirm: 'customer', dropTracking: false },
  'POST /v1/cutovers/{cutover}/reset': { confirm: 'customer' },
  'POST /v1/cutovers/{cutover}/verify': { tier: 'fast' },
  'POST /v1/cutovers/{cutover}/repair': { anything: true },
  'POST /v1/cutovers/{cutover}/quarantine/retry': { key: '5' },
  'POST /v1/cutovers/{cutover}/quarantine/discard': { key: '5', confirm: 'customer', reason: 'r' },
  'POST /v1/cutovers/{cutover}/read-only': { seconds: 5, reason: 'r' },
  'POST /v1/cutovers/{cutover}/read-only/end': { reason: 'r' },
  'POST /v1/cutovers/{cutover}/adopt': { reason: 'r' },
  'POST /v1/cutovers/{cutover}/remove-shadow': { confirm: 'customer', reason: 'r' },
  'POST /v1/cutovers/{cutover}/forwards/retry': { id: 'c' },
  'POST /v1/cutovers/{cutover}/forwards/discard': { all: true },
  'POST /v1/cutovers/{cutover}/copies/retry': { id: 'c' },
  'POST /v1/cutovers/{cutover}/copies/discard': { all: true },
  'POST /v1/cutovers/{cutover}/backfill/pause': { reason: 'r' },
  'POST /v1/cutovers/{cutover}/backfill/resume': { reason: 'r' },
  'POST /v1/cutovers/{cutover}/backfill/cancel': { reason: 'r' },
  'POST /v1/system/emergency-stop': { reason: 'r' },
  'POST /v1/cutovers/{cutover}/record/values': { key: '5' },
  'POST /v1/system/shadow-writes': { enabled: false, reason: 'r' },
  'POST /v1/system/rollback': { confirm: 'system', reason: 'r' },
  'POST /v1/system/reset': { confirm: 'system' },
  'POST /v1/phases/{phase}/check': { check: 'backup', ok: true },
  'POST /v1/phases/{phase}/go': { reason: 'r' },
  'POST /v1/phases/{phase}/extend': { minutes: 5, reason: 'r' },
  'POST /v1/phases/{phase}/rollback': { reason: 'r', confirm: 'first' },
  'POST /v1/phases/{phase}/reset': { confirm: 'first' },
  'POST /v1/alerts/{alert}/acknowledge': { reason: 'r' },
  'POST /v1/flags/publish': {},
  'POST /v1/experiments/{experiment}/events': { batchId: 'b', source: 's', events: [{ key: '5', converted: true }] },
  'POST /v1/forwards': { ...WRITE, request: { method: 'POST', path: 'orders' } },
  'POST /v1/forwards/settle': { cutover: 'customer', forward: 'c', outcome: 'applied' },
  'POST /v1/copies': { ...WRITE, request: { method: 'POST', path: 'orders' } },
  'POST /v1/copies/settle': { cutover: 'customer', copy: 'c', outcome: 'applied' },
  'POST /v1/route': {
    requests: [{ cutover: 'customer', key: '5', operation: 'read', groups: ['a'], environment: 'e' }],
  },
  'POST /ofrep/v1/evaluate/flags': {
    context: { targetingKey: '5', groups: ['a'], environment: 'e', operation: 'read' },
  },
  'POST /ofrep/v1/evaluate/flags/{flag}': { context: { targetingKey: '5' } },
  // Two, so that one which cannot be counted is no reason to refuse all.
  'POST /v1/outcomes': { flushId: 'f', source: 's', windows: [WINDOW, WINDOW] },
};
const QUERIES: Readonly<Record<string, Record<string, string>>> = {
  'GET /v1/cutovers/{cutover}/record': { key: '5' },
  'GET /v1/cutovers/{cutover}/export': { what: 'audit' },
};
const IN_PATH: Readonly<Record<string, string>> = {
  cutover: 'customer',
  phase: 'first',
  alert: 'customer.errors',
  experiment: 'customer.checkout',
  flag: 'customer',
};
const HEADERS = { 'idempotency-key': 'k', 'if-match': '"0"' };

type Sent = { body?: object; query?: Record<string, string>; headers?: Record<string, string> };

/** Sends to the handlers of all functions, over one world in memory. */
function api() {
  const phase = { ...phaseInput.parse({ name: 'first', cutovers: ['customer'] }), place: 0 };
  const it = inMemoryComposition([declarationOf('table', { phase }), declarationOf('service', { id: 'orders' })]);
  const others = [...routingRoutes, ...publisherRoutes] as readonly unknown[] as Route[];
  const routes = [...controlRoutes, ...outcomeRoutes, ...others];
  const ports = {
    ...it.composition.ports,
    flagRequests: inMemoryRequests(
      () => NOW,
      async () => {},
    ).requests,
  };
  const router = { refresh: async () => {}, flags: () => null, route: () => ({ side: 'primary' }) };
  const handler = httpHandler(() => ({ ...it.composition, ports, router }) as unknown as typeof it.composition, routes);
  return (key: string, { headers = HEADERS, ...call }: Sent) => {
    const [method, template = ''] = key.split(' ');
    const path = template.replaceAll(/\{(\w+)\}/g, (_, name) => IN_PATH[name]!);
    return ask(handler, { ...call, method, headers, path });
  };
}

/** Whether what came was the reason, and not what is stored. */
const isRead = ({ status, body }: Answer): boolean => {
  const { code = '' } = (body ?? {}) as { code?: string };
  return status !== 400 && !['invalid_input', 'unknown_property', 'confirm_required'].includes(code);
};

const bodyOf = ({ requestBody }: Operation) => requestBody?.content['application/json']?.schema;
const withBody = OPERATIONS.flatMap(([key, operation]) => {
  const schema = bodyOf(operation);
  return schema ? [{ key, schema, good: BODIES[key]! }] : [];
});

/** The body with one thing wrong: one more property, one less, one of another type. */
function spoiled(good: object): object[] {
  const without = (name: string) => Object.fromEntries(Object.entries(good).filter(([key]) => key !== name));
  const nested = Object.entries(good).flatMap(([name, value]) => {
    const inner = Array.isArray(value) ? value[0] : value;
    if (typeof inner !== 'object' || inner === null) return [];
    return spoiled(inner).map((bad) => ({ ...good, [name]: Array.isArray(value) ? [bad, ...value.slice(1)] : bad }));
  });
  return [
    { ...good, nonsense: 1 },
    ...Object.keys(good).flatMap((name) => [without(name), { ...good, [name]: [[]] }]),
    ...nested,
  ];
}

describe('the description', () => {
  it('has every route of the API with its scope, and no other', () => {
    expect(scopes(DOCUMENT)).toEqual(DEPLOYED);
  });

  it('marks the old path of a route as deprecated, and answers the same there', () => {
    const old = OPERATIONS.filter(([, { deprecated }]) => deprecated).map(([key]) => key.split(' ')[1]!);
    expect(new Set(old)).toEqual(new Set(Object.values(OLD_PATHS)));
    for (const [path, before] of Object.entries(OLD_PATHS)) {
      const routes = [...controlRoutes, ...outcomeRoutes];
      const [served, also] = [path, before].map((one) => routes.filter((route) => route.path === one));
      expect(served!.length).toBeGreaterThan(0);
      expect(also!.map(({ method, serve }) => [method, serve])).toEqual(
        served!.map(({ method, serve }) => [method, serve]),
      );
    }
  });

  it('marks a field of a body and of an answer under its old name as deprecated', () => {
    const text = JSON.stringify(DOCUMENT);
    expect(DOCUMENT.components.schemas.OldNames).toMatchObject({
      properties: Object.fromEntries(Object.values(OLD_FIELDS).map((name) => [name, { deprecated: true }])),
    });
    expect(text).toContain('"copies":{"deprecated":true,"description":"Old name of forwards."}');
    expect(JSON.stringify(bodyOf(Object.fromEntries(OPERATIONS)['POST /v1/forwards/settle']!))).toMatch(
      /"copy":\{[^}]*"deprecated":true/,
    );
  });

  it.each(controlRoutes.map((route) => [`${route.method} ${route.path}`, route] as const))(
    'without %s is noticed',
    (_, left) => expect(scopes(describeWith(controlRoutes.filter((route) => route !== left)))).not.toEqual(DEPLOYED),
  );

  it('is valid OpenAPI 3.1', async () => {
    expect(await new Validator().validate(structuredClone(DOCUMENT))).toEqual({ valid: true });
    const operationIds = OPERATIONS.map(
      ([, operation]) => (operation as unknown as { operationId: string }).operationId,
    );
    expect(new Set(operationIds).size).toBe(OPERATIONS.length);
  });

  it.each([
    'paths./v1/health.get.responses.200.description',
    'paths./v1/report.get.parameters.0.in',
    'components.responses.Refused.description',
    'info.version',
  ])('is not valid without %s', async (path) => {
    const document = structuredClone(DOCUMENT);
    expect(at(document, path)).toBeTypeOf('string');
    put(document, path, undefined);
    expect((await new Validator().validate(document)).valid).toBe(false);
  });

  it('names every code of an error with its status', () => {
    const matches = new Ajv2020({ strict: false }).compile(DOCUMENT.components.schemas.Problem);
    const problem = { type: 'about:blank', title: 't', detail: 'd' };
    for (const [code, { status }] of Object.entries(ERROR_CODES)) {
      expect(matches({ ...problem, code, status })).toBe(true);
      expect(matches({ ...problem, code, status: 418 })).toBe(false);
    }
    expect(matches({ ...problem, code: 'unheard_of', status: 400 })).toBe(false);
  });

  it('is served to those who may look', async () => {
    const answer = await api()('GET /v1/openapi.json', {});
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'application/json' } });
    expect(answer.body).toEqual(JSON.parse(JSON.stringify(DOCUMENT)));
  });

  it("is printed by 'crossfade openapi'", async () => {
    const served = await fakeApi({ 'GET /v1/openapi.json': { body: DOCUMENT } });
    try {
      const { exit, out } = await cli(['openapi', '--url', served.url], { env: { CROSSFADE_TOKEN: 't' } });
      expect({ exit, document: JSON.parse(out) }).toEqual({ exit: 0, document: JSON.parse(JSON.stringify(DOCUMENT)) });
    } finally {
      await served.close();
    }
  });
});

describe('a body', () => {
  it('is known to the test for every route that reads one', () => {
    expect(withBody.map(({ key }) => key).sort()).toEqual(Object.keys(BODIES).sort());
  });

  it.each(withBody)(
    'of $key fits the description when its parser takes it, and only then',
    async ({ key, schema, good }) => {
      const send = api();
      const fits = new Ajv2020().compile(schema);
      expect({ fits: fits(good), read: isRead(await send(key, { body: good })) }).toEqual({ fits: true, read: true });
      for (const body of spoiled(good)) {
        expect({ body, read: isRead(await send(key, { body })) }).toEqual({ body, read: fits(body) });
      }
    },
  );
});

describe('a parameter', () => {
  it.each(OPERATIONS.filter(([key]) => / \/v1\//.test(key)))(
    'of %s is described when it is read, and only then',
    async (key, operation) => {
      const described = (place: string) => operation.parameters.filter((parameter) => parameter.in === place);
      const send = api();
      const body = BODIES[key];
      const query = QUERIES[key] ?? {};
      const answer = await send(key, { body, query });
      expect(isRead(answer)).toBe(true);
      const type = answer.headers['content-type']?.split(';')[0];
      if (answer.status < 400) expect(Object.keys(operation.responses[answer.status]?.content ?? {})).toContain(type);
      for (const name of ['idempotency-key', 'if-match'] as const) {
        const { [name]: _, ...headers } = HEADERS;
        const { code } = ((await send(key, { body, query, headers })).body ?? {}) as { code?: string };
        const missed = code === (name === 'if-match' ? 'precondition_required' : 'invalid_input');
        expect({ name, missed }).toEqual({ name, missed: described('header').some((one) => one.name === name) });
      }
      if (!key.startsWith('GET')) return;
      const parsed = !isRead(await send(key, { query: { ...query, nonsense: '1' } }));
      expect(parsed).toBe(described('query').length > 0);
      for (const { name, required = false } of described('query')) {
        const { [name]: _, ...without } = query;
        expect({ name, needed: !isRead(await send(key, { query: without })) }).toEqual({ name, needed: required });
      }
    },
  );

  it.each(OPERATIONS)('of %s stands for each part of its path', (key, { parameters }) => {
    const inPath = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
    expect(inPath).toEqual([...key.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
  });
});
