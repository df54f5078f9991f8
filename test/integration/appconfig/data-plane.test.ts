import { GetLatestConfigurationCommand, StartConfigurationSessionCommand } from '@aws-sdk/client-appconfigdata';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { someFlags } from '../../helpers/contracts/flags.ts';
import { deploy, MINUTE_MS, type Stage, type Subject, servedBy, stage, store, strategy, subject } from './harness.ts';

let on: Stage;
let own: Subject;
beforeEach(async () => {
  on = await stage();
  own = await subject(on);
});
afterEach(() => on.stop());

const FIRST = someFlags({ version: 1 });
const SECOND = someFlags({ version: 2 });

async function session(names = { application: 'crossfade', environment: 'local', profile: 'flags' }, seconds?: number) {
  const started = await on.data.send(
    new StartConfigurationSessionCommand({
      ApplicationIdentifier: names.application,
      EnvironmentIdentifier: names.environment,
      ConfigurationProfileIdentifier: names.profile,
      RequiredMinimumPollIntervalInSeconds: seconds,
    }),
  );
  return started.InitialConfigurationToken!;
}

const poll = (token: string) => on.data.send(new GetLatestConfigurationCommand({ ConfigurationToken: token }));
const textOf = (content?: Uint8Array) => new TextDecoder().decode(content);
const problem = (Problem: string) => ({
  name: 'BadRequestException',
  Reason: 'InvalidParameters',
  Details: { InvalidParameters: { ConfigurationToken: { Problem } } },
});

describe('sessions', () => {
  it('are opened by name or by id, and deliver the served flags with the next token', async () => {
    await deploy(own, await store(own, FIRST));
    for (const names of [undefined, own.ids]) {
      const latest = await poll(await session(names));
      expect(latest).toMatchObject({ ContentType: 'application/json', NextPollIntervalInSeconds: 15 });
      const { deny: _, ...customer } = FIRST.cutovers.customer!;
      expect(JSON.parse(textOf(latest.Configuration)).customer).toEqual(customer);
      expect(latest.NextPollConfigurationToken).toBeTruthy();
    }
    await expect(session({ application: 'no', environment: 'no', profile: 'no' })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      $metadata: { httpStatusCode: 404 },
    });
  });

  it('say that nothing was ever deployed', async () => {
    await expect(poll(await session())).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      ResourceType: 'Deployment',
    });
  });

  it('a token works once', async () => {
    await deploy(own, await store(own, FIRST));
    const token = await session();
    await poll(token);
    await expect(poll(token)).rejects.toMatchObject(problem('Expired'));
    await expect(poll('made-up')).rejects.toMatchObject(problem('Corrupted'));
  });

  it('a token works for 24 hours', async () => {
    await deploy(own, await store(own, FIRST));
    const [early, late] = [await session(), await session()];
    on.clock.nowMs += 24 * 60 * MINUTE_MS;
    await poll(early);
    on.clock.nowMs += 1;
    await expect(poll(late)).rejects.toMatchObject(problem('Expired'));
  });

  it('polling too early is an error, and does not use the token up', async () => {
    await deploy(own, await store(own, FIRST));
    const { NextPollConfigurationToken } = await poll(await session());
    on.clock.nowMs += 14_999;
    await expect(poll(NextPollConfigurationToken!)).rejects.toMatchObject(problem('PollIntervalNotSatisfied'));
    on.clock.nowMs += 1;
    await poll(NextPollConfigurationToken!);
  });

  it('the interval is 15 seconds at least, and longer when asked for', async () => {
    await deploy(own, await store(own, FIRST));
    await expect(session(undefined, 14)).rejects.toMatchObject({ name: 'BadRequestException' });
    expect((await poll(await session(undefined, 60))).NextPollIntervalInSeconds).toBe(60);
    const quick = await stage({ minPollSeconds: 1 });
    const there = await subject(quick);
    await deploy(there, await store(there, FIRST));
    const started = await quick.data.send(
      new StartConfigurationSessionCommand({
        ApplicationIdentifier: 'crossfade',
        EnvironmentIdentifier: 'local',
        ConfigurationProfileIdentifier: 'flags',
        RequiredMinimumPollIntervalInSeconds: 1,
      }),
    );
    expect(started.InitialConfigurationToken).toBeTruthy();
    await quick.stop();
  });

  it('unchanged content is null for the client, changed content comes whole', async () => {
    await deploy(own, await store(own, FIRST));
    const first = await poll(await session());
    on.clock.nowMs += 15_000;
    const second = await poll(first.NextPollConfigurationToken!);
    expect(second.Configuration).toBeNull();
    await deploy(own, await store(own, SECOND));
    on.clock.nowMs += 15_000;
    const third = await poll(second.NextPollConfigurationToken!);
    expect(JSON.parse(textOf(third.Configuration)).customer.version).toBe(2);
  });

  it('a growing deployment reaches its share of sessions', async () => {
    await deploy(own, await store(own, FIRST));
    const id = await strategy(on, { minutes: 10, growthFactor: 20 });
    await deploy(own, await store(own, SECOND), { strategyId: id });
    const share = async () => {
      let reached = 0;
      for (let n = 0; n < 50; n += 1) {
        const { Configuration } = await poll(await session());
        if (JSON.parse(textOf(Configuration)).customer.version === 2) reached += 1;
      }
      return reached;
    };
    expect(await share()).toBeGreaterThan(0);
    expect(await share()).toBeLessThan(30);
    on.clock.nowMs += 9 * MINUTE_MS;
    expect(await share()).toBe(50);
  });
});

describe('the agent', () => {
  const get = (names: string) => fetch(`${on.server.agentUrl}${names}`);

  it('serves by name or by id with the version in a header', async () => {
    await deploy(own, await store(own, FIRST));
    const { application, environment, profile } = own.ids;
    for (const path of [
      '/applications/crossfade/environments/local/configurations/flags',
      `/applications/${application}/environments/${environment}/configurations/${profile}`,
    ]) {
      const response = await get(path);
      expect([response.status, response.headers.get('configuration-version')]).toEqual([200, '1']);
    }
    expect((await get('/applications/crossfade/environments/local/configurations/none')).status).toBe(404);
  });
});

describe('faults', () => {
  it('can be switched over HTTP; a misspelt one is refused and changes nothing', async () => {
    const admin = (method: string, body?: unknown) =>
      fetch(`${on.server.url}/_faults`, { method, ...(body ? { body: JSON.stringify(body) } : {}) });
    expect((await admin('POST', { stuckDeploying: true })).status).toBe(200);
    expect(await (await admin('GET')).json()).toMatchObject({ stuckDeploying: true, agent: 'up' });
    for (const wrong of [{ stuck: true }, { agent: 'gone' }, { requests: [{ operation: '*', answer: 'boom' }] }])
      expect((await admin('POST', wrong)).status).toBe(400);
    expect(on.server.faults.current().stuckDeploying).toBe(true);
    expect((await admin('DELETE')).status).toBe(204);
    expect(on.server.faults.current().stuckDeploying).toBe(false);
  });

  it('what is stored can be read', async () => {
    await deploy(own, await store(own, FIRST));
    const state = (await (await fetch(`${on.server.url}/_state`)).json()) as {
      applications: { environments: { deployments: { version: number; outcome: string | null }[] }[] }[];
    };
    expect(state.applications[0]?.environments[0]?.deployments).toMatchObject([{ number: 1, version: 1 }]);
  });

  it.each([
    ['conflict', 'ConflictException', 409],
    ['internal', 'InternalServerException', 500],
    ['throttle', 'ThrottlingException', 429],
    ['bad_request', 'BadRequestException', 400],
  ] as const)('%s meets as many requests as asked for', async (answer, name, httpStatusCode) => {
    await deploy(own, await store(own, FIRST));
    on.server.faults.set({ requests: [{ operation: 'GetLatestConfiguration', answer, times: 1 }] });
    const token = await session();
    await expect(poll(token)).rejects.toMatchObject({ name, $metadata: { httpStatusCode } });
    await poll(token);
  });

  it('a slow answer comes later, and comes', async () => {
    await deploy(own, await store(own, FIRST));
    on.server.faults.set({ requests: [{ operation: 'Agent', answer: 'slow', delayMs: 30, times: 1 }] });
    const before = performance.now();
    expect(await servedBy(on)).toEqual(FIRST);
    expect(performance.now() - before).toBeGreaterThanOrEqual(28);
  });

  it('the agent can be down or stale, readers can be given older content', async () => {
    await deploy(own, await store(own, FIRST));
    on.server.faults.set({ agent: 'stale' });
    on.clock.nowMs += 1;
    await deploy(own, await store(own, SECOND));
    expect(await servedBy(on)).toEqual(FIRST);
    on.server.faults.set({ agent: 'down' });
    await expect(servedBy(on)).rejects.toThrow();
    on.server.faults.set({ agent: 'up' });
    expect(await servedBy(on)).toEqual(SECOND);
    on.server.faults.set({ content: 'older' });
    expect(await servedBy(on)).toEqual(FIRST);
  });

  it('instances can see a deployment at different moments', async () => {
    await deploy(own, await store(own, FIRST));
    const early = await session();
    const late = await session();
    on.clock.nowMs += 10 * MINUTE_MS;
    on.server.faults.set({ propagationMs: 300_000 });
    await deploy(own, await store(own, SECOND));
    const versionOf = async (token: string) => JSON.parse(textOf((await poll(token)).Configuration)).customer.version;
    expect([await versionOf(early), await versionOf(late)].sort()).toEqual([1, 2]);
  });
});
