/** The data plane in memory keeps the contract, and its faults do what they say. */

import { describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports.ts';
import { tableHealthContract } from '../../helpers/contracts/table-health.ts';
import { type TablesHarness, tablesContract } from '../../helpers/contracts/tables.ts';
import { inMemoryTables } from '../../helpers/fakes/tables.ts';

const CUTOVER: TableCutover = {
  id: 'subject',
  validation: 'strict',
  table: { primary: 'public.subject', shadow: 'public.subject_v2' },
};

async function open(): Promise<TablesHarness> {
  const plane = inMemoryTables({ clock: { now: () => 1_000 } });
  return {
    plane,
    cutover: CUTOVER,
    write: async (key, value) => plane.write('subject', key, value),
    tamper: async (key, value) => plane.tamper('subject', key, value),
    block: async (key, blocked) => plane.block('subject', key, blocked),
    alter: async (which) => {
      plane.alter('subject', [{ object: 'column 3 of public.subject', was: null, is: 'more text' }]);
      if (which === 'in use') plane.refuse('subject', "column 'more' is only in the table in use");
    },
    authoritative: async () => Object.fromEntries(plane.rows('subject').authoritative),
    follower: async () => Object.fromEntries(plane.rows('subject').follower),
    endPauses: async () => {},
    close: async () => {},
  };
}

tablesContract('in memory', open);
tableHealthContract('in memory', open);

describe('the knobs of the data plane in memory', () => {
  const armed = async () => {
    const clock = { now: () => 1_000 };
    const plane = inMemoryTables({ clock: { now: () => clock.now() } });
    await plane.arm(CUTOVER, { epoch: 1, version: 1 });
    await plane.mirror({ id: 'subject', epoch: 1, version: 1, stage: 's', shadowWrites: true, readPpm: 0, salt: 's' });
    return { plane, clock };
  };

  it('I8 the lag grows with the clock while nothing is applied', async () => {
    const { plane, clock } = await armed();
    plane.write('subject', 1, 'a');
    clock.now = () => 61_000;
    plane.write('subject', 2, 'b');
    expect((await plane.status('subject'))!.lagMs).toBe(60_000);
    expect(await plane.waiting()).toEqual([{ id: 'subject', hints: 2, lagMs: 60_000 }]);
  });

  it('a lost request has no effect, a lost answer has', async () => {
    const { plane } = await armed();
    plane.write('subject', 1, 'a');
    plane.failNext('converge');
    await expect(plane.converge('subject', 1, 10)).rejects.toMatchObject({
      code: 'database_unavailable',
      retryable: true,
    });
    expect((await plane.status('subject'))!.outboxRows).toBe(1);
    plane.failNext('converge', true);
    await expect(plane.converge('subject', 1, 10)).rejects.toMatchObject({ code: 'database_unavailable' });
    expect((await plane.status('subject'))!.outboxRows).toBe(0);
    expect(await plane.converge('subject', 1, 10)).toMatchObject({ claimed: 0 });
  });

  it('refuses and postpones on demand', async () => {
    const { plane } = await armed();
    await plane.backfill('subject', 1, 10);
    plane.postpone('subject', 'a lock is held');
    const swap = { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 2 };
    expect(await plane.promote(CUTOVER, swap)).toEqual({ kind: 'postponed', why: 'a lock is held' });
    plane.postpone('subject', null);
    plane.refuse('subject', 'a view reads the table');
    expect(await plane.plan(CUTOVER)).toMatchObject({
      ok: false,
      items: [{ action: 'refuse', text: 'a view reads the table' }],
    });
    expect(await plane.promote(CUTOVER, swap)).toMatchObject({ kind: 'refused', why: 'a view reads the table' });
    plane.refuse('subject', null);
    expect(await plane.promote(CUTOVER, swap)).toMatchObject({ kind: 'swapped' });
  });
});
