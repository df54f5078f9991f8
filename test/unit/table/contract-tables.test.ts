/** Live tables in memory keep the contract, and their faults do what they say. */

import { describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import type { TablesHarness } from '../../helpers/contracts/tables/bench.ts';
import { tablesContract } from '../../helpers/contracts/tables/tables.ts';
import { inMemoryTables } from '../../helpers/fakes/tables/tables.ts';

const CUTOVER: TableCutover = {
  id: 'subject',
  validation: 'strict',
  table: { primary: 'public.subject', shadow: 'public.subject_v2' },
};

async function open(): Promise<TablesHarness> {
  const tables = inMemoryTables({ clock: { now: () => 1_000 } });
  return {
    ports: tables,
    cutover: CUTOVER,
    write: async (key, value) => tables.write('subject', key, value),
    tamper: async (key, value) => tables.tamper('subject', key, value),
    block: async (key, blocked) => tables.block('subject', key, blocked),
    alter: async (which) => {
      tables.alter('subject', [{ object: 'column 3 of public.subject', was: null, is: 'more text' }]);
      if (which === 'in use') tables.refuse('subject', "column 'more' is only in the table in use");
    },
    authoritative: async () => Object.fromEntries(tables.rows('subject').authoritative),
    follower: async () => Object.fromEntries(tables.rows('subject').follower),
    endPauses: async () => {},
    close: async () => {},
  };
}

tablesContract('in memory', open);

describe('the knobs of the tables in memory', () => {
  const armed = async () => {
    const clock = { now: () => 1_000 };
    const tables = inMemoryTables({ clock: { now: () => clock.now() } });
    await tables.capture.arm(CUTOVER, { epoch: 1, version: 1 });
    await tables.switches.mirror({
      id: 'subject',
      epoch: 1,
      version: 1,
      stage: 's',
      shadowWrites: true,
      readPpm: 0,
      salt: 's',
    });
    return { tables, clock };
  };

  it('I8 the lag grows with the clock while nothing is applied', async () => {
    const { tables, clock } = await armed();
    tables.write('subject', 1, 'a');
    clock.now = () => 61_000;
    tables.write('subject', 2, 'b');
    expect((await tables.inspecting.status('subject'))!.lagMs).toBe(60_000);
    expect(await tables.converging.waiting()).toEqual([{ id: 'subject', hints: 2, lagMs: 60_000 }]);
  });

  it('a lost request has no effect, a lost answer has', async () => {
    const { tables } = await armed();
    tables.write('subject', 1, 'a');
    tables.failNext('converge');
    await expect(tables.converging.converge('subject', 1, 10)).rejects.toMatchObject({
      code: 'database_unavailable',
      retryable: true,
    });
    expect((await tables.inspecting.status('subject'))!.outboxRows).toBe(1);
    tables.failNext('converge', true);
    await expect(tables.converging.converge('subject', 1, 10)).rejects.toMatchObject({ code: 'database_unavailable' });
    expect((await tables.inspecting.status('subject'))!.outboxRows).toBe(0);
    expect(await tables.converging.converge('subject', 1, 10)).toMatchObject({ claimed: 0 });
  });

  it('refuses and postpones on demand', async () => {
    const { tables } = await armed();
    await tables.copying.backfill('subject', 1, 10);
    tables.postpone('subject', 'a lock is held');
    const swap = { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 2 };
    expect(await tables.swapping.promote(CUTOVER, swap)).toEqual({ kind: 'postponed', why: 'a lock is held' });
    tables.postpone('subject', null);
    tables.refuse('subject', 'a view reads the table');
    expect(await tables.swapping.preview(CUTOVER)).toMatchObject({
      ok: false,
      items: [{ action: 'refuse', text: 'a view reads the table' }],
    });
    expect(await tables.swapping.promote(CUTOVER, swap)).toMatchObject({
      kind: 'refused',
      why: 'a view reads the table',
    });
    tables.refuse('subject', null);
    expect(await tables.swapping.promote(CUTOVER, swap)).toMatchObject({ kind: 'swapped' });
  });
});
