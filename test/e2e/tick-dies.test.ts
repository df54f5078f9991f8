/**
 * A tick between real servers that dies, fails or loses an answer at every call it makes. Whatever happens, the next ticks
 * make flags, state and mirror agree again, and nothing moves twice.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tick } from '../../lib/flows/control/tick.ts';
import { FAULTS } from '../helpers/stack-parts-faults.ts';
import {
  expectHealed,
  hitTick,
  type Items,
  items,
  readyToAdvance,
  startAll,
  versionOf,
} from '../helpers/stack-parts-items.ts';

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
      const before = await versionOf(world, 'item');
      const hit = await hitTick(world, world.ports, nth, fault);
      if (hit === null) break;
      hits.push(hit);
      await expectHealed(world);
      expect(await versionOf(world, 'item')).toBe(before + 1);
    }
    expect(hits).toEqual(expect.arrayContaining(['state.writeCutover', 'flags.publish', 'switches.mirror']));
    expect(hits.length).toBeGreaterThan(9);
  });
});
