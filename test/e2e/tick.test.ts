/**
 * The tick between real servers that fail: AppConfig in the way, and each of the three servers away. Whatever happens, the
 * next ticks make flags, state and mirror agree again. See also tick-dies, tick-swap and tick-together.
 */

import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RequestFault } from '../../infra/local/appconfig/faults.ts';
import { tick } from '../../lib/flows/control/tick.ts';
import { report } from '../../lib/flows/report/report.ts';
import { localClient } from '../helpers/dynamodb.ts';
import { command } from '../helpers/stack-parts.ts';
import { expectHealed, type Items, items, readyToAdvance, startAll, versionOf } from '../helpers/stack-parts-items.ts';

// --------------------------------------------------------------------------------------------------------- AppConfig

type InTheWay = { name: string; requests?: RequestFault[]; stuckDeploying?: boolean };

const OBSTACLES: readonly InTheWay[] = [
  {
    name: 'a conflict when it starts the deployment',
    requests: [{ operation: 'StartDeployment', answer: 'conflict' }],
  },
  {
    name: 'a conflict when it stores the version',
    requests: [{ operation: 'CreateHostedConfigurationVersion', answer: 'conflict' }],
  },
  { name: 'a 5xx to the start', requests: [{ operation: 'StartDeployment', answer: 'internal' }] },
  { name: 'a throttled start', requests: [{ operation: 'StartDeployment', answer: 'throttle' }] },
  { name: 'a quota that is used up', requests: [{ operation: 'CreateHostedConfigurationVersion', answer: 'quota' }] },
  { name: 'a deployment that makes no progress', stuckDeploying: true },
];

describe('I27 a tick that meets', () => {
  let world: Items;
  beforeAll(async () => {
    world = await items(['item', 'planner']);
    await startAll(world);
    await expectHealed(world);
  });
  afterAll(() => world?.stop());
  const deployed = async () => (await world.ports.flags.deployed()).document?.cutovers.item?.version;

  it.each(OBSTACLES)('$name: the state moves, flags follow when it is gone', async ({ name: _, ...faults }) => {
    await readyToAdvance(world);
    const before = await versionOf(world, 'item');
    world.on.appConfig.faults.set(faults);
    const { cutovers, flags } = await tick(world.ports, world.declarations);
    expect(cutovers.map(({ moved }) => moved !== null)).toEqual([true, true]);
    expect(flags).toMatchObject({ published: false, why: expect.stringMatching(/\w{3} /) });
    expect(await versionOf(world, 'item')).toBe(before + 1);
    expect(await deployed()).toBe(before);
    // While readers have not the flags of this stage the next one is not entered, however good the evidence.
    await readyToAdvance(world);
    const held = await tick(world.ports, world.declarations);
    expect(held.cutovers).toMatchObject([
      { moved: null, verdict: 'hold' },
      { moved: null, verdict: 'hold' },
    ]);
    world.on.appConfig.faults.clear();
    await expectHealed(world);
  });

  it('an answer that is lost after the deployment: flags are there, and nothing is deployed twice', async () => {
    await readyToAdvance(world);
    const before = await versionOf(world, 'item');
    world.on.appConfig.faults.set({
      requests: [{ operation: 'StartDeployment', answer: 'internal', effect: true, times: 1 }],
    });
    const started = world.on.appConfig.requests.StartDeployment ?? 0;
    expect((await tick(world.ports, world.declarations)).flags).toEqual({ published: true });
    expect(await deployed()).toBe(before + 1);
    expect(world.on.appConfig.requests.StartDeployment).toBe(started + 1);
    await expectHealed(world);
  });

  it('no AppConfig at all: everything holds, says why, and nothing is lost', async () => {
    await readyToAdvance(world);
    const before = await versionOf(world, 'item');
    world.on.appConfig.faults.set({ requests: [{ operation: '*', answer: 'reset' }] });
    const { cutovers, flags } = await tick(world.ports, world.declarations);
    expect(cutovers).toMatchObject([
      { verdict: 'hold', moved: null },
      { verdict: 'hold', moved: null },
    ]);
    expect(flags).toMatchObject({ published: false, why: expect.stringContaining('AppConfig') });
    expect((await report(world.ports, world.declarations)).flags.reachable).toBe(false);
    expect(await versionOf(world, 'item')).toBe(before);
    // A person may still act: the state moves, and the flags follow when they can.
    await command(world.ports, world.declarations, 'item', { type: 'pause' });
    await command(world.ports, world.declarations, 'item', { type: 'resume' });
    world.on.appConfig.faults.clear();
    await expectHealed(world);
    expect(await versionOf(world, 'item')).toBeGreaterThanOrEqual(before + 2);
  });
});

// --------------------------------------------------------------------------------------------- Postgres and DynamoDB

describe('I40 a tick without Postgres', () => {
  let world: Items;
  beforeAll(async () => {
    world = await items(['item', 'planner']);
    await startAll(world);
    await expectHealed(world);
  });
  afterAll(() => world?.stop());

  it('holds the tables and says so, moves the others without delay, and recovers', async () => {
    await readyToAdvance(world);
    const away = world.another({ databaseUrl: 'postgres://nobody:nothing@127.0.0.1:1/none' });
    const startedMs = performance.now();
    const { cutovers, flags } = await tick(away, world.declarations);
    const tookMs = performance.now() - startedMs;
    expect(cutovers).toMatchObject([
      { id: 'item', verdict: 'hold', moved: null },
      { id: 'planner', moved: expect.stringContaining('→') },
    ]);
    expect(flags.published).toBe(true);
    expect(tookMs).toBeLessThan(10_000);
    const seen = (await report(away, world.declarations)).cutovers.find(({ id }) => id === 'item');
    expect(seen).toMatchObject({ health: 'held', table: null });
    expect(JSON.stringify(seen)).toContain('Postgres could not be asked');
    await readyToAdvance(world);
    expect((await tick(world.ports, world.declarations)).cutovers[0]).toMatchObject({
      moved: expect.stringContaining('→'),
    });
    await expectHealed(world);
  });

  it('moves the others also when Postgres hangs instead of refusing', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    await readyToAdvance(world);
    const databaseUrl = `postgres://nobody:nothing@127.0.0.1:${port}/none`;
    const away = world.another({ databaseUrl, databaseDeadlineMs: 300 });
    const { cutovers, flags } = await tick(away, world.declarations);
    expect(cutovers).toMatchObject([
      { id: 'item', verdict: 'hold', moved: null },
      { id: 'planner', moved: expect.stringContaining('→') },
    ]);
    expect(flags.published).toBe(true);
    silent.close();
    await expectHealed(world);
  });
});

describe('a tick without DynamoDB', () => {
  let world: Items;
  beforeAll(async () => {
    world = await items(['item']);
    await startAll(world);
    await expectHealed(world);
  });
  afterAll(() => world?.stop());

  it('ends with an error that says what to do, and changes nothing anywhere', async () => {
    await readyToAdvance(world);
    const dynamodb = localClient('http://127.0.0.1:1');
    const before = await world.ports.flags.deployed();
    const mirror = (await world.ports.inspecting.status('item'))?.mirror;
    const blind = world.another({ dynamodb });
    await expect(tick(blind, world.declarations)).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
    await expect(command(blind, world.declarations, 'item', { type: 'pause' })).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    expect(await world.ports.flags.deployed()).toEqual(before);
    expect((await world.ports.inspecting.status('item'))?.mirror).toEqual(mirror);
    dynamodb.destroy();
    await expectHealed(world);
  });
});
