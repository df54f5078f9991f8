/**
 * A deployment is migrated and taken out again from outside of its network: the command calls the function `schema` as it is packaged,
 * through Lambda's own client. Postgres, DynamoDB and the versions of the flags are real or emulated; Lambda is a door to the process.
 */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { provisionAppConfig } from '../../infra/local/appconfig/provision.ts';
import { appConfigClient } from '../../lib/adapters/appconfig/client.ts';
import { appConfigPublisher } from '../../lib/adapters/appconfig/publisher.ts';
import { deployedNames } from '../../lib/compose/break-glass.ts';
import { tick } from '../../lib/flows/control/tick.ts';
import { exampleFile, shownAs } from '../helpers/command-examples.ts';
import { LOCAL_CREDENTIALS } from '../helpers/dynamodb.ts';
import { cli } from '../helpers/fake-api.ts';
import { deployedFunctions, type FunctionHost, functionHost } from '../helpers/handler-process.ts';
import { type LambdaServer, lambdaServer } from '../helpers/lambda-server.ts';
import { command, environmentOf } from '../helpers/stack-parts.ts';
import { type Items, items, startAll } from '../helpers/stack-parts-items.ts';

let world: Items;
let functions: string;
let schema: FunctionHost;
let lambda: LambdaServer;

beforeAll(async () => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' });
  world = await items(['item']);
  functions = deployedFunctions();
  const { db, on } = world;
  const environment = {
    ...environmentOf(on, { databaseUrl: db.url, cutovers: '', speed: 1, originMs: 0 }),
    CROSSFADE_OWNER_DATABASE_URL: db.url,
    CROSSFADE_MIGRATIONS: join(functions, 'schema/migrations'),
  };
  schema = functionHost({ functions, name: 'schema', environment, timeoutMs: 60_000 });
  lambda = await lambdaServer({ 'crossfade-prod-schema': schema.invoke });
});
afterAll(async () => {
  await Promise.all([schema?.stop(), lambda?.stop(), world?.stop()]);
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

/** A trigger function of the schema that takes no arguments. */
async function aTrigger(): Promise<string> {
  const [row] = await world.db.sql`SELECT proname FROM pg_catalog.pg_proc
    WHERE pronamespace = 'crossfade'::regnamespace AND prorettype = 'trigger'::regtype LIMIT 1`;
  return row!.proname as string;
}
