/**
 * N2 for the rest of the API: requests made of its own description, with every value replaced by something odd now and
 * then. What is wrong with a request is 4xx with the reason, never an error inside.
 *
 * More of them: CROSSFADE_FUZZ=10000 npx vitest run --project unit test/unit/http/api-fuzz.test.ts
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { controlRoutes } from '../../../functions/control.ts';
import { describeWith } from '../../../functions/control-routes/whole-api.ts';
import { httpHandler } from '../../../functions/middleware.ts';
import { outcomeRoutes } from '../../../functions/outcomes.ts';
import { publisherRoutes } from '../../../functions/publisher-routes/publish.ts';
import { routingRoutes } from '../../../functions/route.ts';
import { systemFlag } from '../../../lib/core/routing/flags.ts';
import { inMemoryRequests } from '../../helpers/fakes/flag-requests.ts';
import { declarationOf, systemOf } from '../../property/samples.ts';
import { ask, inMemoryComposition } from '../../property/served.ts';

const RUNS = Number(process.env.CROSSFADE_FUZZ ?? 500);
type Json = {
  type?: string;
  enum?: readonly unknown[];
  const?: unknown;
  properties?: Record<string, Json>;
  items?: Json;
  oneOf?: Json[];
  anyOf?: Json[];
};
type Operation = {
  parameters: { name: string; in: string; schema: Json }[];
  requestBody?: { content: Record<string, { schema?: Json }> };
};

const ODD = [
  null,
  '',
  ' ',
  0,
  -1,
  1e308,
  0.1,
  true,
  [],
  {},
  '__proto__',
  'constructor',
  '%',
  '%zz',
  '\ud800',
  '\0',
  'Ω',
  '..',
  'x'.repeat(3_000),
  '1e5',
  '"1"',
  '*',
  '9'.repeat(40),
  [[[]]],
  { a: { b: {} } },
];
const odd: fc.Arbitrary<unknown> = fc.oneof(fc.constantFrom(...ODD), fc.jsonValue());
const KNOWN = ['planner', 'customer', 'chat', 'planner.trial', 'system', 'a', '1', 'shadow', 'primary', 'read', 'why'];
const usually = (usual: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 4, arbitrary: usual }, { weight: 1, arbitrary: odd });

function valueFor(schema: Json = {}): fc.Arbitrary<unknown> {
  const forms = schema.oneOf ?? schema.anyOf;
  if (forms) return usually(fc.oneof(...forms.map(valueFor)));
  if (schema.const !== undefined) return usually(fc.constant(schema.const));
  if (schema.enum) return usually(fc.constantFrom(...schema.enum));
  if (schema.properties)
    return usually(
      fc.record(Object.fromEntries(Object.entries(schema.properties).map(([name, of]) => [name, valueFor(of)])), {
        requiredKeys: [],
      }),
    );
  if (schema.type === 'array') return usually(fc.array(valueFor(schema.items), { maxLength: 3 }));
  if (schema.type === 'integer' || schema.type === 'number') return usually(fc.integer({ min: 0, max: 100 }));
  if (schema.type === 'boolean') return usually(fc.boolean());
  return usually(fc.constantFrom<unknown>(...KNOWN));
}
const textOf = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));

const OPERATIONS = Object.entries(describeWith(controlRoutes).paths)
  .filter(([path]) => path.startsWith('/v1/'))
  .flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path,
      method: method.toUpperCase(),
      operation: operation as unknown as Operation,
    })),
  );

const call = fc.constantFrom(...OPERATIONS).chain(({ path, method, operation }) => {
  const named = (place: string) =>
    fc.record(
      Object.fromEntries(
        operation.parameters.filter((one) => one.in === place).map(({ name, schema }) => [name, valueFor(schema)]),
      ),
      place === 'path' ? {} : { requiredKeys: [] },
    );
  const body = Object.values(operation.requestBody?.content ?? {})[0]?.schema;
  return fc
    .record({
      path: named('path'),
      query: named('query'),
      headers: named('header'),
      body: body ? valueFor(body) : fc.constant(undefined),
      more: fc.dictionary(fc.constantFrom(...KNOWN), odd, { maxKeys: 1 }),
    })
    .map((given) => ({
      method,
      path: path.replaceAll(/\{(\w+)\}/g, (_, name: string) => textOf((given.path as Record<string, unknown>)[name])),
      query: Object.fromEntries(
        Object.entries({ ...given.query, ...given.more }).map(([name, value]) => [name, textOf(value)]),
      ),
      headers: Object.fromEntries(
        Object.entries({ 'if-match': '"0"', ...given.headers }).map(([name, value]) => [name, textOf(value)]),
      ),
      body: given.body,
    }));
});

describe('N2: a request to the API', () => {
  it('of any form is served or refused with the reason', async () => {
    const declarations = [
      declarationOf('component'),
      declarationOf('table', { id: 'customer' }),
      declarationOf('service', { id: 'chat' }),
    ];
    const seen: Record<number, number> = {};
    const served = inMemoryComposition(declarations);
    const document = { system: systemFlag(systemOf()), cutovers: {} };
    await served.flags.publish({
      document,
      latestVersion: (await served.flags.deployed()).latestVersion,
      urgent: false,
      deadlineMs: 1_000,
    });
    const router = await served.composition.router();
    const { requests: flagRequests } = inMemoryRequests(
      () => served.clock.ms,
      async () => {},
    );
    const ports = { ...served.composition.ports, flagRequests };
    const handlers = [
      httpHandler(() => served.composition, [...controlRoutes, ...outcomeRoutes]),
      httpHandler(() => ({ ...served.composition, router }), routingRoutes),
      httpHandler(() => ({ ...served.composition, ports }), publisherRoutes),
    ];
    await fc.assert(
      fc.asyncProperty(call, async (one) => {
        served.clock.ms += 100;
        served.log.length = 0;
        const isRouting = routingRoutes.some(
          ({ method, path }) =>
            method === one.method && one.path.startsWith(path.split('{')[0]!) && !one.path.includes('cutovers'),
        );
        const isPublisher = publisherRoutes.some(({ path }) => path === one.path);
        const answer = await ask(handlers[isPublisher ? 2 : isRouting ? 1 : 0], one as never);
        seen[answer.status] = (seen[answer.status] ?? 0) + 1;
        expect([answer.text, answer.status < 500]).toEqual([answer.text, true]);
      }),
      { numRuns: RUNS },
    );
    // It is no test of one refusal.
    expect(Object.keys(seen)).toEqual(expect.arrayContaining(['200', '400', '404', '409']));
  });
});
