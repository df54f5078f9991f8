/** Windows and wake-ups in memory keep their contracts. */

import { describe, expect, it } from 'vitest';
import { testClock } from '../../helpers/contracts/state.ts';
import { wakeUpContract } from '../../helpers/contracts/wake-ups.ts';
import { windowContract, windowOf } from '../../helpers/contracts/windows.ts';
import { inMemoryWakeUps } from '../../helpers/fakes/wake-ups.ts';
import { inMemoryWindows } from '../../helpers/fakes/windows.ts';

windowContract('in memory', async () => {
  const clock = testClock();
  return { clock, store: inMemoryWindows({ clock }) };
});

wakeUpContract('in memory', async () => {
  const wakeUps = inMemoryWakeUps();
  return { wakeUps, records: async () => wakeUps.records() };
});

describe('faults of the fakes', () => {
  it('an unavailable window store counts nothing', async () => {
    const clock = testClock();
    const store = inMemoryWindows({ clock });
    const minute = clock.nowMs / 60_000;
    const additions = [{ cutover: 'customer', operation: 'read', window: windowOf(minute, { count: 1 }) }];
    store.unavailable(true);
    await expect(store.add('f', 's', additions, clock.nowMs)).rejects.toMatchObject({ code: 'store_unavailable' });
    store.unavailable(false);
    expect(await store.read('customer', minute, minute)).toEqual([]);
  });

  it('an unavailable changes table emits nothing', async () => {
    const wakeUps = inMemoryWakeUps();
    wakeUps.unavailable(true);
    await expect(wakeUps.wake('customer')).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(wakeUps.records()).toEqual([]);
  });
});
