/**
 * A release is deployed, and a deployment is migrated and taken out again from outside of its network: the commands call the function `schema` as it is packaged,
 * through Lambda's own client. Postgres, DynamoDB and the versions of the flags are real or emulated; Lambda is a door to the process, and
 * of the framework there is a program that writes down how it was called.
 */

import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutMetricDataCommand, SetAlarmStateCommand, type StateValue } from '@aws-sdk/client-cloudwatch';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { provisionAppConfig } from '../../infra/local/appconfig/provision.ts';
import { appConfigClient } from '../../lib/adapters/appconfig/client.ts';
import { appConfigPublisher } from '../../lib/adapters/appconfig/publisher.ts';
import { cloudWatchClients } from '../../lib/adapters/cloudwatch/client.ts';
import { SCHEMA_VERSION } from '../../lib/adapters/postgres/migrations/handshake.ts';
import { deployedNames } from '../../lib/compose/break-glass.ts';
import { tick } from '../../lib/flows/control/tick.ts';
import { httpShim } from '../helpers/api-gateway.ts';
import { JWKS, tokenOf } from '../helpers/api-tokens.ts';
import { deedBook } from '../helpers/asked-deeds.ts';
import { exampleFile, shownAs } from '../helpers/command-examples.ts';
import { LOCAL_CREDENTIALS } from '../helpers/dynamodb.ts';
import { cli } from '../helpers/fake-api.ts';
import { ledgerAgainst } from '../helpers/grants.ts';
import { deployedFunctions, type FunctionHost, functionHost } from '../helpers/handler-process.ts';
import { ROOT } from '../helpers/imports.ts';
import { type LambdaServer, lambdaServer } from '../helpers/lambda-server.ts';
import { ownDatabase } from '../helpers/postgres.ts';
import { deniedIn, usedIn } from '../helpers/role-evaluation.ts';
import { command, environmentOf } from '../helpers/stack-parts.ts';
import { type Items, items, startAll } from '../helpers/stack-parts-items.ts';

let world: Items;
let functions: string;
let schema: FunctionHost;
const book = deedBook();
let lambda: LambdaServer;
/** Of the API that is deployed: as it is packaged, behind the routes that the checks at the end of a deployment ask. */
let hosts: FunctionHost[];
let api: Awaited<ReturnType<typeof httpShim>>;

beforeAll(async () => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' });
  world = await items(['item']);
  functions = deployedFunctions();
  const { db, on } = world;
  const common = {
    ...environmentOf(on, { databaseUrl: db.url, cutovers: '', speed: 1, originMs: 0 }),
    CROSSFADE_OWNER_DATABASE_URL: db.url,
    CROSSFADE_JWKS: JWKS,
  };
  const host = (name: string) => functionHost({ functions, name, environment: common, timeoutMs: 60_000 });
  hosts = [host('control'), host('route'), host('publisher')];
  const [control, route] = hosts;
  api = await httpShim(
    [
      ['/v1/cutovers', 'control'],
      ['/v1/flags', 'control'],
      ['/v1/flags/served', 'route'],
    ].map(([path, name]) => ({ method: 'GET', path: path!, scopes: [], function: name! })),
    { control: control!.invoke, route: route!.invoke },
  );
  const environment = {
    ...common,
    CROSSFADE_MIGRATIONS: join(functions, 'schema/migrations'),
    CROSSFADE_API_URL: api.url,
  };
  schema = functionHost({ functions, name: 'schema', environment, timeoutMs: 60_000, book });
  lambda = await lambdaServer({ 'crossfade-prod-schema': schema.invoke });
});
afterAll(async () => {
  await Promise.all([schema, ...(hosts ?? [])].map((host) => host?.stop()));
  await Promise.all([api?.close(), lambda?.stop(), world?.stop()]);
  rmSync(functions, { recursive: true, force: true });
});

const deployed = (...words: string[]) =>
  cli(words, {
    env: {
      AWS_REGION: 'eu-central-1',
      CROSSFADE_LAMBDA_ENDPOINT: lambda.url,
      CROSSFADE_APPCONFIG_ENDPOINT: world.on.appConfig.url,
    },
  });
const GO = ['--confirm', 'prod', '--yes'];
const schemaIsThere = async () => {
  const [row] = await world.db.sql`SELECT pg_catalog.to_regnamespace('crossfade') IS NOT NULL AS there`;
  return row!.there as boolean;
};

/** The flags of stage `prod`, as a publisher has left them. */
async function flagsOfProd() {
  const client = appConfigClient({
    region: 'eu-central-1',
    endpoint: world.on.appConfig.url,
    credentials: LOCAL_CREDENTIALS,
  });
  const ids = await provisionAppConfig(client, deployedNames('prod').appConfig);
  return appConfigPublisher({ client, ...ids, clock: world.clock, requestTimeoutMs: 10_000 });
}

describe('uninstall', () => {
  it('refuses while a cutover is armed, names it and the command that ends it, and changes nothing', async () => {
    await startAll(world);
    await tick(world.ports, world.declarations);
    const { exit, out } = await deployed('uninstall', '--stage', 'prod', ...GO);
    expect(exit, out).toBe(3);
    await expect(shownAs(['uninstall', '--stage', 'prod'], out)).toMatchFileSnapshot(
      exampleFile({ words: ['uninstall'], variant: 'standing' }),
    );
    expect(out).toMatch(/item is in dual_write: .*crossfade rollback item --reason REASON/);
    expect(await schemaIsThere()).toBe(true);
    expect(lambda.asked.map(({ event }) => event)).toEqual([{ task: 'uninstall', dryRun: true }]);
  });

  it('asks for the name of the stage, and without it changes nothing', async () => {
    await command(world.ports, world.declarations, 'item', { type: 'rollback', reason: 'given up' });
    const without = await deployed('uninstall', '--stage', 'prod');
    expect([without.exit, without.err]).toEqual([2, expect.stringContaining('Add --confirm prod --yes')]);
    const other = await deployed('uninstall', '--stage', 'prod', '--confirm', 'dev', '--yes');
    expect([other.exit, other.err]).toEqual([2, expect.stringContaining("got 'dev'")]);
    expect(await schemaIsThere()).toBe(true);
  });

  it('drops the schema with what capture has left, deletes the stored flags, and says what comes last', async () => {
    const flags = await flagsOfProd();
    const document = (await world.ports.flags.deployed()).document!;
    expect((await flags.publish({ document, latestVersion: 0, urgent: false, deadlineMs: 10_000 })).kind).toBe(
      'published',
    );
    // As a tick that died has left it.
    await world.db.sql.unsafe(
      `CREATE TRIGGER left_behind BEFORE INSERT ON part EXECUTE FUNCTION crossfade.${await aTrigger()}()`,
    );
    const { exit, out, err } = await deployed('uninstall', '--stage', 'prod', ...GO);
    expect(exit, err).toBe(0);
    await expect(shownAs(['uninstall', '--stage', 'prod', '--confirm', 'prod'], out)).toMatchFileSnapshot(
      exampleFile({ words: ['uninstall'] }),
    );
    expect(out).toContain('Capture was taken off public.part.');
    expect(out).toContain('1 stored version of the flags is deleted.');
    expect(out).toContain('npx serverless remove --stage prod');
    expect(await schemaIsThere()).toBe(false);
    await expect(flags.deployed()).resolves.toMatchObject({ latestVersion: 0 });
    await world.db.sql`INSERT INTO item VALUES (1000, 'goes on')`;
  });

  it('done again does nothing more, and migrate of the stage puts the schema back', async () => {
    expect((await deployed('uninstall', '--stage', 'prod', ...GO)).out).toContain('No table had capture left.');
    const migrated = await deployed('migrate', '--stage', 'prod');
    expect(migrated.err).toBe('');
    expect(migrated.out).toMatch(/^Stage 'prod' in eu-central-1: applied 0001_\w+\.sql, /);
    expect((await deployed('migrate', '--stage', 'prod')).out).toContain('up to date');
    expect(await schemaIsThere()).toBe(true);
  });
});

describe('a stage with a second database', () => {
  it('migrates, looks at and drops both', async () => {
    const other = await ownDatabase({ empty: true });
    const environment = {
      ...environmentOf(world.on, { databaseUrl: world.db.url, cutovers: '', speed: 1, originMs: 0 }),
      CROSSFADE_MIGRATIONS: join(functions, 'schema/migrations'),
      CROSSFADE_CONNECTIONS: JSON.stringify({ new: other.url }),
    };
    const both = functionHost({ functions, name: 'schema:both', environment, timeoutMs: 60_000 });
    const stage = await lambdaServer({ 'crossfade-both-schema': both.invoke });
    const migrated = () =>
      cli(['migrate', '--stage', 'both'], {
        env: {
          AWS_REGION: 'eu-central-1',
          CROSSFADE_LAMBDA_ENDPOINT: stage.url,
          CROSSFADE_APPCONFIG_ENDPOINT: world.on.appConfig.url,
        },
      });
    const first = await migrated();
    expect(first.err).toBe('');
    expect(first.out).toMatch(/^Stage 'both' .*: up to date, .*\nConnection 'new': applied 0001_\w+\.sql, /);
    expect((await migrated()).out).toMatch(/\nConnection 'new': up to date/);
    const version = { installed: SCHEMA_VERSION, wanted: SCHEMA_VERSION };
    expect(await both.invoke({ task: 'look' })).toEqual({
      ...version,
      connections: [{ connection: 'new', ...version }],
      apiUrl: null,
    });
    expect(await both.invoke({ task: 'uninstall' })).toMatchObject({ kind: 'dropped' });
    expect(await both.invoke({ task: 'look' })).toMatchObject({ installed: 0, connections: [{ installed: 0 }] });
    await migrated();
    await Promise.all([stage.stop(), both.stop()]);
    await other.drop();
  });
});

describe('deploy', () => {
  let here: string;
  beforeAll(() => {
    here = mkdtempSync(join(tmpdir(), 'crossfade-deploy-'));
    mkdirSync(join(here, 'bin'));
    mkdirSync(join(here, 'stages'));
    for (const name of ['npm', 'npx']) {
      const file = join(here, 'bin', name);
      writeFileSync(file, `#!/bin/sh\necho "${name} $*" >> ${here}/called\n[ -z "$FAILS" ]\n`);
      chmodSync(file, 0o755);
    }
    writeFileSync(
      join(here, 'crossfade.config.ts'),
      "export default [{ id: 'item', kind: 'table', primary: 'public.item', shadow: 'public.item_v2' }];\n",
    );
    cpSync(join(ROOT, 'infra/stages/prod.example.yml'), join(here, 'stages/prod.yml'));
    writeFileSync(join(here, 'credentials'), '[ops]\naws_access_key_id = local\naws_secret_access_key = local\n');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(here, 'credentials'));
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    rmSync(here, { recursive: true, force: true });
  });

  const deploying = (env: Record<string, string>, ...words: string[]) =>
    cli(['deploy', '--stage', 'prod', ...words], {
      directory: here,
      env: {
        PATH: `${join(here, 'bin')}:${process.env.PATH}`,
        AWS_REGION: 'eu-central-1',
        CROSSFADE_LAMBDA_ENDPOINT: lambda.url,
        CROSSFADE_APPCONFIG_ENDPOINT: world.on.appConfig.url,
        CROSSFADE_CLOUDWATCH_ENDPOINT: world.on.cloudWatch.url,
        CROSSFADE_TOKEN: tokenOf(),
        ...env,
      },
    });
  /** As CloudWatch has them after a minute: the alarms of the template, and the metric of a tick. */
  async function alarmsAndTick() {
    const { Resources } = createRequire(import.meta.url)('../../infra/alarms.cjs') as {
      Resources: Record<string, { Properties: { AlarmName: string } }>;
    };
    const at = 'arn:aws:cloudwatch:eu-central-1:123456789012:alarm:';
    for (const { Properties } of Object.values(Resources))
      world.on.cloudWatch.put(`${at}${Properties.AlarmName.replace('$' + '{sls:stage}', 'prod')}`);
    await cloudWatch().send(
      new PutMetricDataCommand({
        Namespace: 'Crossfade',
        MetricData: [{ MetricName: 'Tick', Value: 1, Dimensions: [{ Name: 'service', Value: 'crossfade-prod' }] }],
      }),
    );
  }
  const cloudWatch = () =>
    cloudWatchClients({ endpoint: world.on.cloudWatch.url, credentials: LOCAL_CREDENTIALS })('eu-central-1');
  const asInThePage = (text: string) =>
    text
      .replace(/^npm .*$|^npx .*$/gm, '')
      .replace(/^Not well yet.*\n/gm, '')
      .replaceAll(api.url, 'https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com')
      .replaceAll(/migration \d+/g, 'migration 41')
      .replaceAll(/\d+ are there/g, '41 are there')
      .replaceAll(/\d+ have no data/g, '41 have no data')
      .replaceAll(/at \d\d:\d\d UTC/g, 'at 14:04 UTC');
  const called = () =>
    existsSync(join(here, 'called')) ? readFileSync(join(here, 'called'), 'utf8').trim().split('\n') : [];

  it('says the cost and asks before anything is started', async () => {
    const { exit, err } = await deploying({});
    expect(exit).toBe(2);
    expect(err).toMatch(/costs some \d+ USD a month with nothing under way, and \d+ USD with 1 cutover under way/);
    expect(err).toContain('--confirm prod --yes');
    expect(called()).toEqual([]);
  });

  it('ends where the framework fails, and says where it ran', async () => {
    const asked = lambda.asked.length;
    const { exit, err } = await deploying({ FAILS: '1' }, ...GO);
    expect(exit).toBe(1);
    expect(err.replaceAll(/\s+/g, ' ')).toContain("'npm install --no-audit' in");
    expect(lambda.asked.length).toBe(asked);
    rmSync(join(here, 'called'));
  });

  it('installs, deploys with all parameters, migrates, and checks the result until all is well', async () => {
    await hosts[2]!.invoke({ source: 'crossfade.local' });
    // Their first answers take a busy machine longer than a caller waits.
    for (const path of ['/v1/cutovers', '/v1/flags/served']) await (await fetch(`${api.url}${path}`)).text();
    await alarmsAndTick();
    const { exit, out, err } = await deploying({}, ...GO, '--aws-profile', 'ops');
    expect(exit, err).toBe(0);
    const [install, deployed] = called();
    expect(install).toMatch(/^npm install/);
    expect(deployed).toMatch(
      /^npx --no-install serverless deploy --stage prod --region eu-central-1 --aws-profile ops --param=databaseUrl=/,
    );
    expect(deployed).toContain('--param=dynamodbPrefixListId=pl-66a5400f');
    expect(existsSync(join(here, '.crossfade/stack-prod/dist/functions/schema/migrations'))).toBe(true);
    expect(lambda.asked.slice(-2).map(({ event }) => event)).toEqual([{ task: 'migrate' }, { task: 'look' }]);
    expect(out).toMatch(/checks: 0 failed/);
    const shown = asInThePage(`${err}${out}`);
    await expect(shownAs(['deploy', '--stage', 'prod', '--confirm', 'prod'], shown)).toMatchFileSnapshot(
      exampleFile({ words: ['deploy'] }),
    );
  });

  it('says what is not well when the time for that is up, and so does doctor', async () => {
    const ring = (StateValue: StateValue) =>
      cloudWatch().send(
        new SetAlarmStateCommand({ AlarmName: 'crossfade-prod-dead-letters', StateValue, StateReason: 'one came' }),
      );
    await ring('ALARM');
    const { exit, out, err } = await deploying({}, ...GO, '--timeout', '0.001s');
    expect(exit, err).toBe(1);
    expect(out).toMatch(/^fail {2}alarm +crossfade-prod-dead-letters rings: one came/m);
    expect(out).toContain('crossfade doctor --deployed --stage prod');
    await ring('OK');
  });

  it('is looked at from outside by doctor, which changes nothing', async () => {
    await alarmsAndTick();
    const words = ['doctor', '--deployed', '--stage', 'prod'];
    const { exit, out } = await cli(words, {
      env: {
        AWS_REGION: 'eu-central-1',
        CROSSFADE_TOKEN: tokenOf(),
        CROSSFADE_LAMBDA_ENDPOINT: lambda.url,
        CROSSFADE_APPCONFIG_ENDPOINT: world.on.appConfig.url,
        CROSSFADE_CLOUDWATCH_ENDPOINT: world.on.cloudWatch.url,
      },
    });
    expect(exit, out).toBe(0);
    await expect(shownAs(words, asInThePage(out))).toMatchFileSnapshot(
      exampleFile({ words: ['doctor'], variant: 'deployed' }),
    );
  });

  it('names all that is missing, wrong or unknown in the file of the stage, with an example of each', async () => {
    writeFileSync(join(here, 'stages/prod.yml'), 'vpcId: my-vpc\nsubnetIdz: subnet-1\nreservedTick: many\n');
    const { exit, err } = await deploying({}, ...GO);
    expect(exit).toBe(2);
    expect(err).toMatch(/vpcId is 'my-vpc'[\s\S]*vpc-0a1b/);
    expect(err.replaceAll(/\s+/g, ' ')).toMatch(/databaseUrl is missing: .* Example: postgres:/);
    expect(err).toMatch(/reservedTick is 'many'/);
    expect(err.replaceAll(/\s+/g, ' ')).toMatch(/subnetIdz is no parameter.*subnetIds/);
  });

  it('says where the file of the stage is looked for, and what to copy', async () => {
    rmSync(join(here, 'stages/prod.yml'));
    expect((await deploying({}, ...GO)).err.replaceAll(/\s+/g, ' ')).toMatch(
      /stages\/prod\.yml, which does not exist. Copy .*prod\.example\.yml/,
    );
  });
});

describe('a stage', () => {
  it.each([
    [['uninstall'], /needs --stage/],
    [['migrate', '--stage', 'Prod!'], /'Prod!' cannot be deployed/],
    [['migrate', '--stage', 'local'], /'local' is this machine/],
    [['migrate', '--stage', 'prod', '--database-url', 'postgres://a@b/c'], /leave --database-url out/],
    [['migrate', '--stage', 'dev'], /no function crossfade-dev-schema here/],
  ])('of %j is refused', async (words, says) => {
    const { exit, err } = await deployed(...words);
    expect(exit).toBe(2);
    expect(err.replaceAll(/\s+/g, ' ')).toMatch(says);
  });

  it('answers a task that it does not know with what it was, and does nothing', async () => {
    expect(await schema.invoke({ task: 'drop' })).toEqual({
      code: 'invalid_event',
      message: expect.stringContaining('drop'),
    });
  });
});

describe('least privilege', () => {
  it('the function has asked for nothing that its role does not allow', () => {
    const { tables } = world.on;
    expect(deniedIn(book.deeds, tables)).toEqual([]);
    expect(ledgerAgainst('test/e2e/deployment.test.ts', usedIn(book.deeds, tables))).toEqual([]);
  });
});

/** A trigger function of the schema that takes no arguments. */
async function aTrigger(): Promise<string> {
  const [row] = await world.db.sql`SELECT proname FROM pg_catalog.pg_proc
    WHERE pronamespace = 'crossfade'::regnamespace AND prorettype = 'trigger'::regtype LIMIT 1`;
  return row!.proname as string;
}
