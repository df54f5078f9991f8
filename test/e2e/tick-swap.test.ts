/**
 * A tick between real servers that dies while two tables exchange their names, at the calls it makes on the way there and
 * on the way back. The intent that it leaves is settled by the next ticks, and no row is lost.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { command } from '../helpers/stack-parts.ts';
import { expectHealed, hitTick, type Items, items, startAll } from '../helpers/stack-parts-items.ts';

describe('I6 a tick that dies while tables exchange their names', () => {
  let world: Items;
  beforeAll(async () => {
    world = await items(['item'], 'short');
  });
  afterAll(() => world?.stop());

  /** The intent is recorded and whoever recorded it is gone. */
  async function recordIntent(what: 'complete' | 'rollback'): Promise<void> {
    const gone = {
      ...world.ports.swapping,
      promote: () => Promise.reject(new Error('gone')),
      revert: () => Promise.reject(new Error('gone')),
    };
    const ports = { ...world.ports, swapping: gone };
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

  /** One way there and one way back, each with a tick that dies at a call; the calls that were there to be hit. */
  async function thereAndBack(id: number, there: number | string, back: number | string): Promise<string[]> {
    await startAll(world);
    await command(world.ports, world.declarations, 'item', { type: 'advance', force: true, reason: 'test' });
    await recordIntent('complete');
    const hits = [await hitTick(world, world.ports, there, 'dies')];
    await expectHealed(world);
    expect(await world.ports.state.readCutover('item')).toMatchObject({ stage: 'completed', pending: null });
    await world.db.sql.unsafe(`INSERT INTO item (id, label) VALUES (${id}, 'new')`);
    await recordIntent('rollback');
    hits.push(await hitTick(world, world.ports, back, 'dies'));
    await expectHealed(world);
    expect(await world.ports.state.readCutover('item')).toMatchObject({ stage: 'rolled_back', pending: null });
    expect(await world.ports.inspecting.status('item')).toMatchObject({ armed: 'none' });
    expect(await world.db.sql.unsafe(`SELECT value FROM item WHERE id = ${id}`)).toMatchObject([{ value: 'new' }]);
    await command(world.ports, world.declarations, 'item', { type: 'reset', confirm: 'item' });
    return hits.flatMap((hit) => hit ?? []);
  }

  it('leaves at the exchange itself an intent that the next ticks settle, there and back', async () => {
    const hits = await thereAndBack(999, 'swapping.promote', 'swapping.revert');
    expect(hits).toEqual(['swapping.promote', 'swapping.revert']);
  });

  // A run takes every third call on the way there and others on the way back; which ones, the seed says.
  const seed = Number(process.env.CROSSFADE_SEED ?? Math.floor(Math.random() * 3));
  it(`leaves at every third call an intent that the next ticks settle, there and back (seed ${seed})`, async () => {
    const hits: string[] = [];
    for (let nth = 1, last = 0; hits.length > last || nth === 1; nth += 3) {
      last = hits.length;
      hits.push(...(await thereAndBack(1_000 + nth, nth + (seed % 3), nth + ((seed + 1) % 3))));
    }
    expect(hits).toEqual(expect.arrayContaining([expect.stringMatching(/^state\./)]));
    expect(hits.length).toBeGreaterThan(9);
  });
});
