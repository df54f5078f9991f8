import {
  AppConfigClient,
  GetDeploymentCommand,
  ListHostedConfigurationVersionsCommand,
} from '@aws-sdk/client-appconfig';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { appConfigClient } from '../../../lib/adapters/appconfig/client.ts';
import { appConfigPublisher } from '../../../lib/adapters/appconfig/publisher.ts';
import type { FlagDocument } from '../../../lib/core/routing/flags.ts';
import type { FlagPublisher } from '../../../lib/ports/flags.ts';
import { deedBook } from '../../helpers/asked-deeds.ts';
import { flagContract, someFlags } from '../../helpers/contracts/flags.ts';
import { ledgerAgainst } from '../../helpers/grants.ts';
import { deniedIn, usedIn } from '../../helpers/role-evaluation.ts';
import {
  blockWithOther,
  deploy,
  MINUTE_MS,
  type Stage,
  type Subject,
  servedBy,
  stage,
  stopDeployment,
  store,
  strategy,
  subject,
} from './harness.ts';

let on: Stage;
beforeAll(async () => {
  on = await stage();
});
afterEach(() => on.server.reset());
afterAll(() => on.stop());

flagContract('AppConfig', async () => {
  const own = await subject(on);
  return {
    publisher: own.publisher,
    served: () => servedBy(on),
    block: async () => {
      await blockWithOther(own);
    },
    store: async (document) => {
      await store(own, document);
    },
    loseNextAnswer: () =>
      on.server.faults.set({
        requests: [{ operation: 'StartDeployment', answer: 'internal', times: 1, effect: true }],
      }),
    unavailable: (yes) => on.server.faults.set({ requests: yes ? [{ operation: '*', answer: 'internal' }] : [] }),
    rollBack: async () => stopDeployment(own, 2, true),
  };
});

const UNSAFE = someFlags({ readPpm: 1_000_000 });
const SAFE = someFlags({ version: 4, epoch: 2, readPpm: 0 });

const publish = (
  { publisher }: { publisher: FlagPublisher },
  document: FlagDocument,
  latestVersion: number,
  urgent = false,
  deadlineMs = 20_000,
) => publisher.publish({ document, latestVersion, urgent, deadlineMs });

const versionsOf = async ({ control, inProfile }: Subject) => {
  const found = await control.send(new ListHostedConfigurationVersionsCommand({ ...inProfile, MaxResults: 50 }));
  return found.Items!.map((item) => item.VersionNumber!);
};

describe('stop, then safe content', () => {
  it('a stop alone brings back the unsafe flags that were deployed before', async () => {
    const own = await subject(on);
    await publish(own, UNSAFE, 0);
    const careful = await store(own, SAFE);
    const running = await deploy(own, careful, { strategyId: await strategy(on, { minutes: 30, growthFactor: 10 }) });
    await stopDeployment(own, running);
    expect(await servedBy(on)).toEqual(UNSAFE);
  });

  it('so does a revert of the safe deployment itself', async () => {
    const own = await subject(on);
    await publish(own, UNSAFE, 0);
    await publish(own, SAFE, 1);
    await stopDeployment(own, 2, true);
    expect(await servedBy(on)).toEqual(UNSAFE);
  });

  it('an urgent publication stops what runs and deploys the safe flags explicitly', async () => {
    const own = await subject(on);
    await publish(own, someFlags({ readPpm: 500_000 }), 0);
    const reckless = await store(own, UNSAFE);
    const slow = await strategy(on, { minutes: 30, growthFactor: 10 });
    const running = await deploy(own, reckless, { strategyId: slow });
    expect(await publish(own, SAFE, 2, true)).toEqual({ kind: 'published', version: 3 });
    expect(await servedBy(on)).toEqual(SAFE);
    const stopped = await on.control.send(
      new GetDeploymentCommand({ ...own.inEnvironment, DeploymentNumber: running }),
    );
    expect(stopped.State).toBe('ROLLED_BACK');
  });

  it('never sends Allow-Revert', async () => {
    const sent: unknown[] = [];
    const own = await subject(on);
    own.control.middlewareStack.add(
      (next) => async (args) => {
        sent.push((args.input as { AllowRevert?: boolean }).AllowRevert);
        return next(args);
      },
      { step: 'initialize', name: 'seen' },
    );
    await publish(own, UNSAFE, 0);
    await blockWithOther(own);
    await publish(own, SAFE, 1, true);
    expect(on.server.requests.StopDeployment).toBe(1);
    expect(sent.filter((value) => value !== undefined)).toEqual([]);
    own.control.middlewareStack.remove('seen');
  });
});

describe('deployments that do not end', () => {
  it('a baking deployment blocks also an urgent publication, until the deadline', async () => {
    const own = await subject(on);
    await publish(own, UNSAFE, 0);
    const baking = await deploy(own, await store(own, someFlags({ version: 4 })), {
      strategyId: await strategy(on, { minutes: 0, bakeMinutes: 10 }),
    });
    const before = on.clock.nowMs;
    expect(await publish(own, SAFE, 2, true)).toMatchObject({ kind: 'conflict' });
    expect(on.clock.nowMs - before).toBeLessThanOrEqual(20_000);
    on.clock.nowMs += 10 * MINUTE_MS;
    expect(await publish(own, SAFE, 3, true)).toEqual({ kind: 'published', version: 3 });
    expect(baking).toBe(2);
    expect(await servedBy(on)).toEqual(SAFE);
  });

  it('one of its own that is stuck is unavailable after the deadline, and joined by the next call', async () => {
    const own = await subject(on);
    await publish(own, UNSAFE, 0);
    on.server.faults.set({ stuckDeploying: true });
    const before = on.clock.nowMs;
    expect(await publish(own, SAFE, 1)).toMatchObject({ kind: 'unavailable' });
    expect(on.clock.nowMs - before).toBeLessThanOrEqual(20_000);
    expect(await own.publisher.deployed()).toEqual({ document: UNSAFE, latestVersion: 2 });
    on.server.faults.clear();
    expect(await publish(own, SAFE, 2)).toEqual({ kind: 'published', version: 2 });
    expect(on.server.requests.StartDeployment).toBe(2);
    expect(await versionsOf(own)).toEqual([2, 1]);
  });

  it('when it is urgent a stuck one is stopped after half of the time and started again', async () => {
    const own = await subject(on);
    await publish(own, UNSAFE, 0);
    on.server.faults.set({ stuckDeploying: true });
    await publish(own, SAFE, 1, true, 2_000);
    const halfway = on.clock.nowMs + 10_000;
    const sleep = on.clock.sleep;
    on.clock.sleep = async (ms) => {
      await sleep(ms);
      if (on.clock.nowMs > halfway) on.server.faults.clear();
    };
    expect(await publish(own, SAFE, 2, true)).toEqual({ kind: 'published', version: 2 });
    on.clock.sleep = sleep;
    expect(on.server.requests.StopDeployment).toBe(1);
  });

  it('one that an alarm rolls back is a conflict, and the flags before it are the deployed ones', async () => {
    const own = await subject(on);
    await publish(own, UNSAFE, 0);
    on.server.faults.set({ alarm: true });
    expect(await publish(own, SAFE, 1)).toMatchObject({ kind: 'conflict' });
    expect(await own.publisher.deployed()).toEqual({ document: UNSAFE, latestVersion: 2 });
  });
});

describe('fences between publishers', () => {
  /** Holds one publisher before a call until `meanwhile` has run. */
  async function delayed(
    own: Subject,
    meanwhile: () => Promise<unknown>,
    before = 'StartDeploymentCommand',
  ): Promise<FlagPublisher> {
    const client = new AppConfigClient({
      region: 'local',
      endpoint: on.server.url,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      maxAttempts: 1,
    });
    let held = false;
    client.middlewareStack.add(
      (next, context) => async (args) => {
        if (context.commandName === before && !held) {
          held = true;
          await meanwhile();
        }
        return next(args);
      },
      { step: 'initialize' },
    );
    return appConfigPublisher({ client, ...own.ids, clock: on.clock });
  }

  it('older flags that were delayed never land on newer ones, even when they are urgent', async () => {
    const own = await subject(on);
    await publish(own, UNSAFE, 0);
    const late = await delayed(own, () => publish(own, SAFE, 2));
    expect(await publish({ publisher: late }, someFlags({ version: 3, readPpm: 900_000 }), 1, true)).toMatchObject({
      kind: 'conflict',
    });
    expect(await servedBy(on)).toEqual(SAFE);
  });

  it('without the lock on the newest deployment they would', async () => {
    const own = await subject(on);
    await publish(own, UNSAFE, 0);
    const older = await store(own, someFlags({ version: 3, readPpm: 900_000 }));
    await publish(own, SAFE, 2);
    await expect(deploy(own, older, { latest: 1 })).rejects.toMatchObject({ name: 'ConflictException' });
    await deploy(own, older);
    expect((await servedBy(on))?.cutovers.customer?.read_ppm).toBe(900_000);
  });

  it('first publications have no lock: the second sees by its number that it was not alone', async () => {
    const own = await subject(on);
    const late = await delayed(own, () => store(own, UNSAFE), 'CreateHostedConfigurationVersionCommand');
    expect(await publish({ publisher: late }, SAFE, 0)).toMatchObject({ kind: 'conflict' });
    expect(await own.publisher.deployed()).toEqual({ document: null, latestVersion: 2 });
    expect(await publish(own, SAFE, 2)).toEqual({ kind: 'published', version: 2 });
  });
});

describe('unknown outcomes are read back', () => {
  for (const answer of ['internal', 'reset', 'hang', 'throttle'] as const) {
    it(`a version that was stored although the answer was ${answer} is used, not stored again`, async () => {
      const own = await subject(on);
      await publish(own, UNSAFE, 0);
      const impatient = appConfigPublisher({ client: on.control, ...own.ids, clock: on.clock, requestTimeoutMs: 150 });
      const operation = 'CreateHostedConfigurationVersion';
      on.server.faults.set({ requests: [{ operation, answer, times: 1, effect: true }] });
      expect(await publish({ publisher: impatient }, SAFE, 1)).toEqual({ kind: 'published', version: 2 });
      expect(await versionsOf(own)).toEqual([2, 1]);
    });

    it(`a deployment that was started although the answer was ${answer} is found, not started again`, async () => {
      const own = await subject(on);
      await publish(own, UNSAFE, 0);
      const impatient = appConfigPublisher({ client: on.control, ...own.ids, clock: on.clock, requestTimeoutMs: 150 });
      on.server.faults.set({ requests: [{ operation: 'StartDeployment', answer, times: 1, effect: true }] });
      expect(await publish({ publisher: impatient }, SAFE, 1)).toEqual({ kind: 'published', version: 2 });
      expect(on.server.requests.StartDeployment).toBe(2);
    });
  }

  it("the conflict of the SDK's own second attempt is not taken for somebody else's", async () => {
    const own = await subject(on);
    await publish(own, UNSAFE, 0);
    const client = appConfigClient({
      region: 'local',
      endpoint: on.server.url,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    });
    const retrying = appConfigPublisher({ client, ...own.ids, clock: on.clock });
    on.server.faults.set({
      requests: [
        { operation: 'CreateHostedConfigurationVersion', answer: 'internal', times: 1, effect: true },
        { operation: 'StartDeployment', answer: 'reset', times: 1, effect: true },
      ],
    });
    expect(await publish({ publisher: retrying }, SAFE, 1, true)).toEqual({ kind: 'published', version: 2 });
    expect(on.server.requests.CreateHostedConfigurationVersion).toBe(3);
    expect(await versionsOf(own)).toEqual([2, 1]);
    client.destroy();
  });
});

describe('what is stored', () => {
  it('content that somebody edited by hand counts as nothing, and is replaced', async () => {
    const own = await subject(on);
    await deploy(own, await store(own, '{"version":"1","flags":{},"values":{}}'));
    expect(await own.publisher.deployed()).toEqual({ document: null, latestVersion: 1 });
    expect(await publish(own, SAFE, 1)).toEqual({ kind: 'published', version: 2 });
  });

  it('only the last 50 versions are kept', async () => {
    const own = await subject(on);
    for (let n = 1; n <= 53; n += 1) await store(own, someFlags({ version: n }));
    expect(await publish(own, someFlags({ version: 54 }), 53)).toEqual({ kind: 'published', version: 54 });
    const kept = await versionsOf(own);
    expect([kept.length, kept[0], kept.at(-1)]).toEqual([50, 54, 5]);
  });

  it('asks for nothing that the roles of those who publish do not allow, past a deployment of others and with versions to delete', async () => {
    const own = await subject(on);
    for (let n = 1; n <= 51; n += 1) await store(own, someFlags({ version: n }));
    expect(await publish(own, someFlags({ version: 52 }), 51)).toMatchObject({ kind: 'published' });
    await blockWithOther(own);
    const book = deedBook(own.ids);
    own.control.middlewareStack.add(
      (next) => async (args) => {
        const { method, path, body } = args.request as { method: string; path: string; body?: unknown };
        for (const by of ['publisher', 'break-glass']) book.note(by, `${method} ${path}`, String(body ?? ''));
        return next(args);
      },
      { step: 'finalizeRequest', name: 'noted' },
    );
    expect(await publish(own, someFlags({ version: 53, readPpm: 0 }), 52, true)).toMatchObject({ kind: 'published' });
    own.control.middlewareStack.remove('noted');
    const none = { state: '', changes: '' };
    expect(deniedIn(book.deeds, none)).toEqual([]);
    expect(ledgerAgainst('test/integration/appconfig/publisher.test.ts', usedIn(book.deeds, none))).toEqual([]);
    // Another application's flags are not theirs.
    const others = deedBook({ ...own.ids, application: 'other' });
    others.note(
      'publisher',
      `GET /applications/${own.ids.application}/environments/${own.ids.environment}/deployments`,
      '',
    );
    expect(deniedIn(others.deeds, none)).toHaveLength(1);
  });

  it('what cannot be tidied up does not spoil the publication', async () => {
    const own = await subject(on);
    for (let n = 1; n <= 51; n += 1) await store(own, someFlags({ version: n }));
    on.server.faults.set({ requests: [{ operation: 'DeleteHostedConfigurationVersion', answer: 'internal' }] });
    expect(await publish(own, someFlags({ version: 52 }), 51)).toMatchObject({ kind: 'published' });
  });

  it('a profile that does not exist says what to do', async () => {
    const own = await subject(on);
    const wrong = appConfigPublisher({ client: on.control, ...own.ids, profile: 'nothing', clock: on.clock });
    await expect(wrong.deployed()).rejects.toMatchObject({ code: 'flags_unavailable', retryable: false });
    await expect(wrong.deployed()).rejects.toThrow(/ResourceNotFoundException.*correct the ids/s);
  });
});
