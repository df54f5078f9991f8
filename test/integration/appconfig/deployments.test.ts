import {
  DeleteHostedConfigurationVersionCommand,
  GetDeploymentCommand,
  GetEnvironmentCommand,
  StopDeploymentCommand,
} from '@aws-sdk/client-appconfig';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { someFlags } from '../../helpers/contracts/flags.ts';
import {
  deploy,
  MINUTE_MS,
  START_MS,
  type Stage,
  servedBy,
  stage,
  stopDeployment,
  store,
  strategy,
  subject,
} from './harness.ts';

let on: Stage;
beforeEach(async () => {
  on = await stage();
});
afterEach(() => on.stop());

describe('progress of a deployment', () => {
  it('linear growth in equal steps, then baking, then complete', async () => {
    const own = await subject(on);
    const id = await strategy(on, { minutes: 10, bakeMinutes: 5, growthFactor: 20 });
    await deploy(own, await store(own, someFlags()), { strategyId: id });
    const seen: unknown[] = [];
    for (const minute of [0, 1, 2, 8, 10, 14, 15]) {
      on.clock.nowMs = START_MS + minute * MINUTE_MS;
      const at = await on.control.send(new GetDeploymentCommand({ ...own.inEnvironment, DeploymentNumber: 1 }));
      seen.push([minute, at.State, at.PercentageComplete]);
    }
    expect(seen).toEqual([
      [0, 'DEPLOYING', 20],
      [1, 'DEPLOYING', 20],
      [2, 'DEPLOYING', 40],
      [8, 'DEPLOYING', 100],
      [10, 'BAKING', 100],
      [14, 'BAKING', 100],
      [15, 'COMPLETE', 100],
    ]);
  });

  it('exponential growth doubles', async () => {
    const own = await subject(on);
    const id = await strategy(on, { minutes: 10, growthFactor: 10, growthType: 'EXPONENTIAL' });
    await deploy(own, await store(own, someFlags()), { strategyId: id });
    const seen: unknown[] = [];
    for (const minute of [0, 2, 4, 6, 8]) {
      on.clock.nowMs = START_MS + minute * MINUTE_MS;
      const at = await on.control.send(new GetDeploymentCommand({ ...own.inEnvironment, DeploymentNumber: 1 }));
      seen.push(at.PercentageComplete);
    }
    expect(seen).toEqual([10, 20, 40, 80, 100]);
  });

  it('the environment says what its newest deployment does', async () => {
    const own = await subject(on);
    const state = async () => (await on.control.send(new GetEnvironmentCommand(own.inEnvironment))).State;
    const id = await strategy(on, { minutes: 10 });
    const version = await store(own, someFlags());
    expect(await state()).toBe('READY_FOR_DEPLOYMENT');
    await deploy(own, version, { strategyId: id });
    expect(await state()).toBe('DEPLOYING');
    await stopDeployment(own, 1);
    expect(await state()).toBe('ROLLED_BACK');
    await deploy(own, version);
    expect(await state()).toBe('READY_FOR_DEPLOYMENT');
    await stopDeployment(own, 2, true);
    expect(await state()).toBe('REVERTED');
  });
});

describe('stopping and reverting', () => {
  const bad = { name: 'BadRequestException', $metadata: { httpStatusCode: 400 } };
  const FIRST = someFlags({ version: 1 });
  const SECOND = someFlags({ version: 2 });

  it('stopping answers 202 with the deployment, and readers get what was deployed before', async () => {
    const own = await subject(on);
    await deploy(own, await store(own, FIRST));
    const slow = await strategy(on, { minutes: 10, growthFactor: 100 });
    await deploy(own, await store(own, SECOND), { strategyId: slow });
    expect(await servedBy(on)).toEqual(SECOND);
    const stopped = await on.control.send(new StopDeploymentCommand({ ...own.inEnvironment, DeploymentNumber: 2 }));
    expect(stopped).toMatchObject({ State: 'ROLLED_BACK', DeploymentNumber: 2, $metadata: { httpStatusCode: 202 } });
    expect(await servedBy(on)).toEqual(FIRST);
    await expect(stopDeployment(own, 2)).rejects.toMatchObject(bad);
  });

  it('a complete one is reverted with Allow-Revert only, and only within 72 hours', async () => {
    const own = await subject(on);
    await deploy(own, await store(own, FIRST));
    await deploy(own, await store(own, SECOND));
    await expect(stopDeployment(own, 2)).rejects.toMatchObject(bad);
    on.clock.nowMs += 72 * 60 * MINUTE_MS + 1;
    await expect(stopDeployment(own, 2, true)).rejects.toMatchObject(bad);
    on.clock.nowMs -= 1;
    await stopDeployment(own, 2, true);
    expect(await servedBy(on)).toEqual(FIRST);
  });

  it('a baking one can be stopped only as documented, unless the emulator is told otherwise', async () => {
    const own = await subject(on);
    const baking = await strategy(on, { minutes: 0, bakeMinutes: 10 });
    await deploy(own, await store(own, FIRST), { strategyId: baking });
    await expect(stopDeployment(own, 1)).rejects.toMatchObject(bad);
    await stopDeployment(own, 1, true);
    expect(await servedBy(on)).toBeNull();
    const lenient = await stage({ stopsBaking: true });
    const other = await subject(lenient);
    const again = await strategy(lenient, { minutes: 0, bakeMinutes: 10 });
    await deploy(other, await store(other, FIRST), { strategyId: again });
    await stopDeployment(other, 1);
    await lenient.stop();
  });

  it('content stays deployed when its version is deleted', async () => {
    const own = await subject(on);
    const version = await store(own, FIRST);
    await deploy(own, version);
    await on.control.send(new DeleteHostedConfigurationVersionCommand({ ...own.inProfile, VersionNumber: version }));
    expect(await servedBy(on)).toEqual(FIRST);
  });
});
