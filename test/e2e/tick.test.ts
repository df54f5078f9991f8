/**
 * The tick between real servers that fail: run several times at once, dying at every call it makes, with AppConfig in the
 * way, with each of the three servers away. Whatever happens, the next ticks make flags, state and mirror agree again.
 */

import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RequestFault } from '../../infra/local/appconfig/faults.ts';
import { tick } from '../../lib/flows/control/tick.ts';
import { report } from '../../lib/flows/report/report.ts';
import type { Ports } from '../../lib/ports.ts';
import { localClient } from '../helpers/dynamodb.ts';
import { auditProblems, command, driftOf, type OwnPorts } from '../helpers/stack-parts.ts';
import { FAULTS, type Fault, faultyAt } from '../helpers/stack-parts-faults.ts';
import { type Items, items, readyToAdvance, startAll } from '../helpers/stack-parts-items.ts';

const version = async ({ ports }: Items, id: string) => (await ports.state.readCutover(id))?.version ?? 0;

/** I19 and I27: the logs are whole, and two ticks without faults make everything agree. */
async function expectHealed(world: Items): Promise<void> {
  await tick(world.ports, world.declarations);
  await tick(world.ports, world.declarations);
  expect(await driftOf(world.ports, world.declarations)).toEqual([]);
  for (const declaration of world.declarations) expect(await auditProblems(world.ports, declaration)).toEqual([]);
}

describe('I17 I18 four ticks at once', () => {
  let world: Items;
  let instances: OwnPorts[];
  beforeAll(async () => {
    world = await items(['item', 'planner']);
    await startAll(world);
    instances = [1, 2, 3, 4].map(() => world.another());
  });
  afterAll(() => world?.stop());

  it('move each cutover by exactly one stage, eight times over', async () => {
    for (let round = 0; round < 8; round += 1) {
      await readyToAdvance(world);
      const before = await Promise.all(world.declarations.map(({ id }) => version(world, id)));
      const results = await Promise.all(instances.map((ports) => tick(ports, world.declarations)));
      const after = await Promise.all(world.declarations.map(({ id }) => version(world, id)));
      expect(after).toEqual(before.map((value) => value + 1));
      expect(results.flatMap(({ cutovers }) => cutovers.flatMap(({ problem }) => problem ?? []))).toEqual([]);
    }
    const stages = await Promise.all(
      world.declarations.map(async ({ id }) => (await world.ports.state.readCutover(id))?.stage),
    );
    expect(stages).toEqual(['step_8', 'step_8']);
    await expectHealed(world);
  });
});

// ------------------------------------------------------------------------------------------------ dying at each call

/** A tick that is hit at its nth call. Returns the call, or null when the tick made fewer. */
async function hitTick(world: Items, ports: Ports, nth: number, fault: Fault): Promise<string | null> {
  const faulty = faultyAt(ports, nth, fault);
  await Promise.race([tick(faulty.ports, world.declarations).catch(() => {}), faulty.died]);
  return faulty.hit();
}

describe.each(FAULTS)('I6 I27 a tick whose call %s', (fault) => {
  let world: Items;
  beforeAll(async () => {
    world = await items(['item', 'planner']);
    await startAll(world);
    await tick(world.ports, world.declarations);
  });
  afterAll(() => world?.stop());

  it('leaves, at whichever call it is hit, what the next ticks heal, and moves nothing twice', async () => {
    const hits: string[] = [];
    for (let nth = 1; ; nth += 1) {
      await readyToAdvance(world);
      const before = await version(world, 'item');
      const hit = await hitTick(world, world.ports, nth, fault);
      if (hit === null) break;
      hits.push(hit);
      await expectHealed(world);
      expect(await version(world, 'item')).toBe(before + 1);
    }
    expect(hits).toEqual(expect.arrayContaining(['state.writeCutover', 'flags.publish', 'tables.mirror']));
    expect(hits.length).toBeGreaterThan(9);
  });
});

describe('I6 a tick that dies while tables exchange their names', () => {
  let world: Items;
  beforeAll(async () => {
    world = await items(['item'], 'short');
  });
  afterAll(() => world?.stop());

  /** The intent is recorded and whoever recorded it is gone. */
  async function recordIntent(what: 'complete' | 'rollback'): Promise<void> {
    const gone = {
      ...world.ports.tables,
      promote: () => Promise.reject(new Error('gone')),
      revert: () => Promise.reject(new Error('gone')),
    };
    const ports = { ...world.ports, tables: gone };
    const why = { reason: 'test' };
    await command(
      ports,
      world.declarations,
      'item',
      what === 'complete' ? { type: 'complete', confirm: 'item', force: true, ...why } : { type: 'rollback', ...why },
    );
    expect((await world.ports.state.readCutover('item'))?.pending?.action).toBe(
      what === 'complete' ? 'promote' : 'revert',
    );
  }

  // A run takes every third call on the way there and others on the way back; which ones, the seed says.
  const seed = Number(process.env.CROSSFADE_SEED ?? Math.floor(Math.random() * 3));
  it(`leaves at every call an intent that the next ticks settle, there and back (seed ${seed})`, async () => {
    let more = true;
    const hits: string[] = [];
    for (let nth = 1; more; nth += 3) {
      await startAll(world);
      await command(world.ports, world.declarations, 'item', { type: 'advance', force: true, reason: 'test' });
      await recordIntent('complete');
      const there = await hitTick(world, world.ports, nth + (seed % 3), 'dies');
      await expectHealed(world);
      expect(await world.ports.state.readCutover('item')).toMatchObject({ stage: 'completed', pending: null });
      await world.db.sql.unsafe(`INSERT INTO item (id, label) VALUES (${1_000 + nth}, 'new')`);
      await recordIntent('rollback');
      const back = await hitTick(world, world.ports, nth + ((seed + 1) % 3), 'dies');
      await expectHealed(world);
      expect(await world.ports.state.readCutover('item')).toMatchObject({ stage: 'rolled_back', pending: null });
      expect(await world.ports.tables.status('item')).toMatchObject({ armed: 'none' });
      expect(await world.db.sql.unsafe(`SELECT value FROM item WHERE id = ${1_000 + nth}`)).toMatchObject([
        { value: 'new' },
      ]);
      await command(world.ports, world.declarations, 'item', { type: 'reset', confirm: 'item' });
      hits.push(...[there, back].flatMap((hit) => hit ?? []));
      more = there !== null || back !== null;
    }
    expect(hits).toEqual(
      expect.arrayContaining([expect.stringMatching(/^tables\./), expect.stringMatching(/^state\./)]),
    );
    expect(hits.length).toBeGreaterThan(9);
  });
});

describe('I9 a tick that slept since it read the state', () => {
  let world: Items;
  beforeAll(async () => {
    world = await items(['item']);
  });
  afterAll(() => world?.stop());

  /** Just before its second look at the table, when flags are done and the database is next, somebody else acts. */
  async function sleepingTick(meanwhile: () => Promise<unknown>): Promise<void> {
    let looks = 0;
    const statuses = async (ids: readonly string[]) => {
      looks += 1;
      if (looks === 2) await meanwhile();
      return world.ports.tables.statuses(ids);
    };
    await tick({ ...world.ports, tables: { ...world.ports.tables, statuses } }, world.declarations);
    expect(looks).toBeGreaterThan(1);
  }

  it('takes nothing away from a cutover that was started meanwhile', async () => {
    await startAll(world);
    await command(world.ports, world.declarations, 'item', { type: 'rollback', reason: 'test' });
    await command(world.ports, world.declarations, 'item', { type: 'reset', confirm: 'item' });
    await sleepingTick(() => startAll(world));
    expect(await world.ports.tables.status('item')).toMatchObject({ armed: 'forward', backfill: { state: 'done' } });
    await expectHealed(world);
  });

  it('does not arm again what was rolled back meanwhile', async () => {
    await sleepingTick(() => command(world.ports, world.declarations, 'item', { type: 'rollback', reason: 'test' }));
    expect(await world.ports.tables.status('item')).toMatchObject({ armed: 'none' });
    await expectHealed(world);
  });
});

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
    const before = await version(world, 'item');
    world.on.appConfig.faults.set(faults);
    const { cutovers, flags } = await tick(world.ports, world.declarations);
    expect(cutovers.map(({ moved }) => moved !== null)).toEqual([true, true]);
    expect(flags).toMatchObject({ published: false, why: expect.stringMatching(/\w{3} /) });
    expect(await version(world, 'item')).toBe(before + 1);
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
    const before = await version(world, 'item');
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
    const before = await version(world, 'item');
    world.on.appConfig.faults.set({ requests: [{ operation: '*', answer: 'reset' }] });
    const { cutovers, flags } = await tick(world.ports, world.declarations);
    expect(cutovers).toMatchObject([
      { verdict: 'hold', moved: null },
      { verdict: 'hold', moved: null },
    ]);
    expect(flags).toMatchObject({ published: false, why: expect.stringContaining('AppConfig') });
    expect((await report(world.ports, world.declarations)).flags.reachable).toBe(false);
    expect(await version(world, 'item')).toBe(before);
    // A person may still act: the state moves, and the flags follow when they can.
    await command(world.ports, world.declarations, 'item', { type: 'pause' });
    await command(world.ports, world.declarations, 'item', { type: 'resume' });
    world.on.appConfig.faults.clear();
    await expectHealed(world);
    expect(await version(world, 'item')).toBeGreaterThanOrEqual(before + 2);
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
    const mirror = (await world.ports.tables.status('item'))?.mirror;
    const blind = world.another({ dynamodb });
    await expect(tick(blind, world.declarations)).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
    await expect(command(blind, world.declarations, 'item', { type: 'pause' })).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    expect(await world.ports.flags.deployed()).toEqual(before);
    expect((await world.ports.tables.status('item'))?.mirror).toEqual(mirror);
    dynamodb.destroy();
    await expectHealed(world);
  });
});
