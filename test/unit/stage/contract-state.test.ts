/** The state store in memory keeps the contract, and its faults do what they say. */

import { describe, expect, it } from 'vitest';
import { changeOf, freshCutover, stateContract, testClock } from '../../helpers/contracts/state.ts';
import { verdictContract } from '../../helpers/contracts/verdicts.ts';
import { inMemoryState } from '../../helpers/fakes/state.ts';
import { inMemoryVerdicts } from '../../helpers/fakes/verdicts.ts';

stateContract('in memory', async () => {
  const clock = testClock();
  const store = inMemoryState({ clock });
  return { store, clock, edit: async (id, fields) => store.edit(id, fields) };
});

verdictContract('in memory', async () => {
  const clock = testClock();
  return { store: inMemoryVerdicts({ clock }), clock };
});

describe('faults of the state store in memory', () => {
  const start = changeOf(freshCutover());

  it('a lost answer throws and has had its effect', async () => {
    const store = inMemoryState({ clock: testClock() });
    store.failNextWrite('lost-answer');
    await expect(store.writeCutover(start)).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
    expect(await store.readCutover('customer')).toEqual(start.after);
    expect(store.applied()).toBe(1);
  });

  it('a lost request throws the same and has had none', async () => {
    const store = inMemoryState({ clock: testClock() });
    store.failNextWrite('lost-request');
    await expect(store.writeCutover(start)).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
    expect(await store.readCutover('customer')).toBeNull();
    expect(await store.writeCutover(start)).toEqual({ kind: 'applied' });
  });

  it('a stale answer changes nothing and is gone after one write', async () => {
    const store = inMemoryState({ clock: testClock() });
    await store.writeCutover(start);
    const next = changeOf(start.after, [{ type: 'resumed' }]);
    store.failNextWrite('stale');
    expect(await store.writeCutover(next)).toEqual({ kind: 'stale', current: start.after });
    expect(await store.writeCutover(next)).toEqual({ kind: 'applied' });
  });

  it('an unavailable store fails every call until it is back', async () => {
    const store = inMemoryState({ clock: testClock() });
    store.unavailable(true);
    await expect(store.readAll()).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(store.writeCutover(start)).rejects.toMatchObject({ code: 'store_unavailable' });
    store.unavailable(false);
    expect(await store.readAll()).toEqual([]);
  });
});
