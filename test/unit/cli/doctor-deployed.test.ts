/** What `doctor --deployed` says of a stage: each part away by itself is a failure with a remedy, and the others are seen all the same. */

import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Context } from '../../../lib/cli/context.ts';
import type { Check } from '../../../lib/cli/doctor/check.ts';
import { checkDeployment, judgeAlarms, judgeSchema } from '../../../lib/cli/doctor/deployed.ts';
import type { Deployment } from '../../../lib/compose/deployment.ts';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import { INITIAL_SYSTEM } from '../../../lib/core/cutover/cutover.ts';
import { flagDocument, servedForm } from '../../../lib/core/routing/flags.ts';
import { scene, serving } from '../../helpers/dashboard-reports.ts';
import { cli, type FakeApi, fakeApi, problem } from '../../helpers/fake-api.ts';

const AT = { stage: 'prod', region: 'eu-central-1' };
const NOW_MS = Date.UTC(2026, 0, 15, 14, 5, 30);
const OTHER = { system: { enabled: false } };

let api: FakeApi;
let report: unknown;
const document = flagDocument([], INITIAL_SYSTEM);
beforeAll(async () => {
  report = (await scene([serving])).report;
});
beforeEach(async () => {
  api = await fakeApi(good());
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'local');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'local');
});
afterEach(() => {
  vi.unstubAllEnvs();
  return api.close();
});

/** As API Gateway behind IAM: without a signature nothing is answered. */
const signed =
  (body: () => unknown): FakeApi['routes'][string] =>
  ({ headers }) =>
    headers.authorization?.startsWith('AWS4-HMAC-SHA256 ') &&
    headers.authorization.includes('/eu-central-1/execute-api/')
      ? { body: body() }
      : { status: 403, body: { message: 'Forbidden' } };

const good = (): FakeApi['routes'] => ({
  'GET /v1/cutovers': signed(() => report),
  'GET /v1/flags': signed(() => ({ document, latestVersion: 7 })),
  'GET /v1/flags/served': signed(() => servedForm(document)),
});

const deployment = (over: Partial<Record<keyof Deployment, unknown>> = {}): Deployment =>
  ({
    schema: async () => ({ installed: 41, wanted: 41, apiUrl: api.url }),
    alarms: async (names: readonly string[]) => names.map((name) => ({ name, state: 'OK', reason: '' })),
    lastSeen: async () => NOW_MS - 90_000,
    ...over,
  }) as Deployment;

const checked = (over: Parameters<typeof deployment>[0] = {}, env: Record<string, string> = {}): Promise<Check[]> =>
  checkDeployment(
    { io: { env, nowMs: () => NOW_MS, readSettings: () => null }, options: {}, args: [] } as unknown as Context,
    AT,
    deployment(over),
  );
const failing = (checks: readonly Check[]) => checks.filter(({ level }) => level === 'fail');
const away = async () => {
  throw new CrossfadeError('upstream_unavailable', 'It is away.');
};

describe('a stage that is well', () => {
  it('passes every check, and signs for the region of the stage', async () => {
    const checks = await checked();
    expect(failing(checks)).toEqual([]);
    const names = checks.map(({ name }) => name);
    for (const name of ['database', 'schema', 'authorizer', 'caller', 'flags', 'flags read back', 'tick', 'alarms'])
      expect(names).toContain(name);
  });

  it('is asked with the token where there is one', async () => {
    api.routes['GET /v1/cutovers'] = ({ headers }) =>
      headers.authorization === 'Bearer t' ? { body: report } : { status: 401, body: { message: 'Unauthorized' } };
    for (const path of ['/v1/flags', '/v1/flags/served'])
      api.routes[`GET ${path}`] = {
        body: path === '/v1/flags' ? { document, latestVersion: 7 } : servedForm(document),
      };
    expect(failing(await checked({}, { CROSSFADE_TOKEN: 't' }))).toEqual([]);
  });
});

describe('what is wrong with a stage is found, alone, with a remedy', () => {
  it.each<[string, () => Promise<Check[]>, string, RegExp, RegExp]>([
    [
      'a schema that is behind',
      () => checked({ schema: async () => ({ installed: 40, wanted: 41, apiUrl: api.url }) }),
      'schema',
      /40, and the functions need 41/,
      /crossfade migrate --stage prod/,
    ],
    [
      'a schema that is behind in a further database',
      () =>
        checked({
          schema: async () => ({
            installed: 41,
            wanted: 41,
            connections: [{ connection: 'new', installed: 40, wanted: 41 }],
            apiUrl: api.url,
          }),
        }),
      "schema of 'new'",
      /40, and the functions need 41/,
      /crossfade migrate --stage prod/,
    ],
    ['no tick', () => checked({ lastSeen: async () => null }), 'tick', /none has ended/, /crossfade-prod-tick/],
    [
      'CloudWatch that refuses',
      () => checked({ lastSeen: away }),
      'tick',
      /could not be asked: It is away/,
      /cloudwatch:GetMetricStatistics/,
    ],
    [
      'alarms that are gone',
      () =>
        checked({
          alarms: async (names: string[]) => names.slice(1).map((name) => ({ name, state: 'OK', reason: '' })),
        }),
      'alarms',
      /1 alarm of \d+ is missing: crossfade-prod-/,
      /Deploy again/,
    ],
    [
      'an alarm that rings',
      () =>
        checked({
          alarms: async (names: string[]) =>
            names.map((name) => ({
              name,
              state: name === 'crossfade-prod-no-tick' ? 'ALARM' : 'OK',
              reason: 'too few',
            })),
        }),
      'alarm',
      /crossfade-prod-no-tick rings: too few/,
      /infra\/runbooks\/no-tick\.md/,
    ],
    [
      'an API that is open',
      () => {
        api.routes['GET /v1/cutovers'] = () => ({ body: report });
        return checked();
      },
      'authorizer',
      /answers a call without/,
      /lost their authorizer/,
    ],
    [
      'a caller who is refused',
      () => {
        api.routes['GET /v1/cutovers'] = { status: 403, body: { message: 'Forbidden' } };
        return checked();
      },
      'caller',
      /403/,
      /execute-api:Invoke/,
    ],
    [
      'a control API that fails',
      () => {
        api.routes['GET /v1/cutovers'] = ({ headers }) =>
          headers.authorization ? problem('store_unavailable', 'No DynamoDB.') : { status: 403, body: {} };
        return checked();
      },
      'caller',
      /No DynamoDB/,
      /log of the function control/,
    ],
    [
      'flags of nobody',
      () => {
        api.routes['GET /v1/flags'] = { body: { document: null, latestVersion: 0 } };
        return checked();
      },
      'flags read back',
      /none are published/,
      /first tick/,
    ],
    [
      'other flags than were published',
      () => {
        api.routes['GET /v1/flags/served'] = { body: OTHER };
        return checked();
      },
      'flags read back',
      /others than were published as version 7/,
      /15 s/,
    ],
    [
      'flags that nobody can read',
      () => {
        api.routes['GET /v1/flags/served'] = problem('flags_unavailable', 'No flags.');
        return checked();
      },
      'flags read back',
      /No flags/,
      /route:read/,
    ],
  ])('%s', async (_, run, name, seen, remedy) => {
    const [check, ...others] = failing(await run());
    expect(others).toEqual([]);
    expect(check).toMatchObject({ name, seen: expect.stringMatching(seen), remedy: expect.stringMatching(remedy) });
  });

  it('a function that cannot be called: then the address has to be given, and is used', async () => {
    const found = failing(await checked({ schema: away }));
    expect(found.map(({ name }) => name)).toEqual(['database', 'API']);
    expect(failing(await checked({ schema: away }, { CROSSFADE_URL: api.url })).map(({ name }) => name)).toEqual([
      'database',
    ]);
  });

  it('an API that takes tokens, and none is given: it is said, and no failure', async () => {
    api.routes['GET /v1/cutovers'] = { status: 401, body: { message: 'Unauthorized' } };
    const checks = await checked();
    expect(failing(checks)).toEqual([]);
    expect(checks.find(({ name }) => name === 'caller')).toMatchObject({
      level: 'warn',
      remedy: expect.stringContaining('CROSSFADE_TOKEN'),
    });
  });
});

describe('judgements', () => {
  it('a schema that is ahead asks for the newer release, not for migrations', () => {
    expect(judgeSchema(42, 41, 'prod')).toMatchObject({
      level: 'fail',
      remedy: expect.stringContaining('newer release'),
    });
  });

  it('an alarm that depends on a parameter may be missing; no data is no alarm', () => {
    const wanted = [
      { name: 'a', page: 'a.md', conditional: true },
      { name: 'b', page: 'b.md', conditional: false },
    ];
    expect(failing(judgeAlarms(wanted, [{ name: 'b', state: 'INSUFFICIENT_DATA', reason: '' }]))).toEqual([]);
  });
});

describe('the words', () => {
  it.each([
    [['doctor', '--stage', 'prod'], /add --deployed/],
    [['doctor', '--deployed'], /needs --stage/],
    [['doctor', 'customer', '--deployed', '--stage', 'prod', '--region', 'eu-central-1'], /leave the cutover/],
  ])('%j is refused', async (words, says) => {
    const { exit, err } = await cli(words);
    expect([exit, err.replaceAll(/\s+/g, ' ')]).toEqual([2, expect.stringMatching(says)]);
  });
});
