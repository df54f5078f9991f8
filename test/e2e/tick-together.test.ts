/**
 * Ticks between real servers that overlap: four of them at once, and one that slept while somebody else acted. Each step is
 * taken once, and what is newer stays.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tick } from '../../lib/flows/control/tick.ts';
import { command, type OwnPorts } from '../helpers/stack-parts.ts';
import { expectHealed, type Items, items, readyToAdvance, startAll, versionOf } from '../helpers/stack-parts-items.ts';

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
      const before = await Promise.all(world.declarations.map(({ id }) => versionOf(world, id)));
      const results = await Promise.all(instances.map((ports) => tick(ports, world.declarations)));
      const after = await Promise.all(world.declarations.map(({ id }) => versionOf(world, id)));
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
      return world.ports.inspecting.statuses(ids);
    };
    await tick({ ...world.ports, inspecting: { ...world.ports.inspecting, statuses } }, world.declarations);
    expect(looks).toBeGreaterThan(1);
  }

  it('takes nothing away from a cutover that was started meanwhile', async () => {
    await startAll(world);
    await command(world.ports, world.declarations, 'item', { type: 'rollback', reason: 'test' });
    await command(world.ports, world.declarations, 'item', { type: 'reset', confirm: 'item' });
    await sleepingTick(() => startAll(world));
    expect(await world.ports.inspecting.status('item')).toMatchObject({
      armed: 'forward',
      backfill: { state: 'done' },
    });
    await expectHealed(world);
  });

  it('does not arm again what was rolled back meanwhile', async () => {
    await sleepingTick(() => command(world.ports, world.declarations, 'item', { type: 'rollback', reason: 'test' }));
    expect(await world.ports.inspecting.status('item')).toMatchObject({ armed: 'none' });
    await expectHealed(world);
  });
});
