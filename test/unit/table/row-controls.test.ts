/** What people do about rows, and what the copy of rows minds: on the data plane and the state store in memory. */

import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { initialState } from '../../../lib/core/cutover/cutover.ts';
import { record } from '../../../lib/core/stage/evolve.ts';
import { chunksOf, FIRST_ROWS, nextChunk } from '../../../lib/core/table/chunks.ts';
import { defineCutovers } from '../../../lib/define/cutovers.ts';
import { endReadOnly, makeReadOnly } from '../../../lib/flows/control/read-only.ts';
import { reconcile } from '../../../lib/flows/control/reconcile.ts';
import { backfillAll, tooMuch } from '../../../lib/flows/rows/backfill.ts';
import { rehearseBackfill } from '../../../lib/flows/rows/rehearse-backfill.ts';
import { removeShadow } from '../../../lib/flows/rows/remove-shadow.ts';
import {
  controlBackfill,
  discardQuarantine,
  etaMs,
  listQuarantine,
  reportBackfill,
  retryQuarantine,
} from '../../../lib/flows/rows/row-controls.ts';
import type { Pressure } from '../../../lib/ports/copying.ts';
import type { TablePorts } from '../../../lib/ports/ports.ts';
import { type InMemoryFlags, inMemoryFlags } from '../../helpers/fakes/flags.ts';
import { inMemoryState } from '../../helpers/fakes/state.ts';
import { inMemoryTables, type TablesInMemory } from '../../helpers/fakes/tables/tables.ts';
import { tablePorts } from '../../helpers/table-ports.ts';

const [CUSTOMER, INVOICE, PLANNER] = defineCutovers([
  {
    id: 'customer',
    kind: 'table',
    primary: 'public.customer',
    shadow: 'public.customer_v2',
    backfill: { replicaLagMs: 500, whileSql: 'true' },
  },
  { id: 'invoice', kind: 'table', primary: 'public.invoice', shadow: 'public.invoice_v2' },
  { id: 'planner', kind: 'component' },
]) as [
  ReturnType<typeof defineCutovers>[number],
  ReturnType<typeof defineCutovers>[number],
  ReturnType<typeof defineCutovers>[number],
];
const ALL = [CUSTOMER, INVOICE, PLANNER];

const clock = {
  now: () => 1_000,
  monotonicMs: () => monotonicMs,
  sleep: async (ms: number) => {
    monotonicMs += ms;
  },
};
let monotonicMs = 0;
let tables: TablesInMemory;
let state: ReturnType<typeof inMemoryState>;
let ports: Parameters<typeof makeReadOnly>[0] & Parameters<typeof backfillAll>[0] & TablePorts;
let flags: InMemoryFlags;

beforeEach(async () => {
  monotonicMs = 0;
  tables = inMemoryTables({ clock });
  state = inMemoryState({ clock });
  flags = inMemoryFlags();
  ports = {
    clock,
    state,
    ...tablePorts(tables),
    flags,
    metrics: { record: () => {}, flush: () => {} },
    log: { event: () => {}, failure: () => {} },
  };
  for (const declaration of [CUSTOMER, INVOICE]) await start(declaration);
});

async function start(declaration: typeof CUSTOMER): Promise<void> {
  const before = initialState(declaration);
  const started = { type: 'started' as const, plan: declaration.plan };
  const { state: after, entries } = record(before, [started], { nowMs: 1, actor: 'ada' });
  await state.writeCutover({ before, after, entries });
  if (declaration.kind !== 'table') return;
  const { id, table } = declaration;
  for (const key of [1, 2, 3]) tables.write(id, key, `v${key}`);
  await tables.capture.arm({ id, table, validation: 'strict' }, after);
  const { epoch, version, stage } = after;
  await tables.switches.mirror({ id, epoch, version, stage, shadowWrites: true, readPpm: 0, salt: 's' });
}

const audit = async () =>
  (await state.readAudit('customer', { limit: 10 })).map(({ actor, event }) => ({ actor, ...event }));

async function poisoned(): Promise<void> {
  for (const key of [7, 8]) {
    tables.block('customer', key, true);
    tables.write('customer', key, 'bad');
  }
  while ((await tables.inspecting.status('customer'))!.outboxRows > 0)
    await tables.converging.converge('customer', 1, 100);
}

describe('I15 keys in quarantine', () => {
  beforeEach(poisoned);

  it('are listed, tried again one or all, with an entry of who did it', async () => {
    expect(await listQuarantine(ports, CUSTOMER, { limit: 10 })).toMatchObject({
      total: 2,
      keys: [{ key: '{"id": 7}' }, {}],
    });
    expect(await retryQuarantine(ports, CUSTOMER, '{"id": 7}', 'ada')).toEqual({ enqueued: 1 });
    expect(await retryQuarantine(ports, CUSTOMER, null, 'bo')).toEqual({ enqueued: 2 });
    expect(await audit()).toMatchObject([
      { actor: 'bo', type: 'rows_handled', action: 'quarantine_retry' },
      { actor: 'ada', action: 'quarantine_retry', key: '{"id": 7}' },
      { type: 'started' },
    ]);
  });

  it('are given up with confirm and reason only; the entry moves no stage and no version', async () => {
    const before = await state.readCutover('customer');
    const wanted = { key: '{"id": 7}', confirm: 'customer', reason: 'a test row' };
    await expect(discardQuarantine(ports, CUSTOMER, { ...wanted, confirm: 'custmer' }, 'ada')).rejects.toMatchObject({
      code: 'confirm_required',
    });
    await expect(discardQuarantine(ports, CUSTOMER, { ...wanted, key: '{"id": 9}' }, 'ada')).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(discardQuarantine(ports, CUSTOMER, { ...wanted, key: "7'; --" }, 'ada')).rejects.toMatchObject({
      code: 'not_found',
    });
    expect(await audit()).toHaveLength(1);
    expect(await discardQuarantine(ports, CUSTOMER, wanted, 'ada')).toEqual({ discarded: 1 });
    expect((await audit())[0]).toMatchObject({ action: 'quarantine_discard', key: '{"id": 7}', reason: 'a test row' });
    const { auditSeq, auditHash, ...after } = (await state.readCutover('customer'))!;
    expect({ ...before, auditSeq, auditHash }).toEqual({ ...after, auditSeq, auditHash });
  });

  it('belong to tables', async () => {
    await expect(listQuarantine(ports, PLANNER, { limit: 1 })).rejects.toMatchObject({ code: 'illegal_transition' });
  });
});

describe('I16 the copy', () => {
  it('is paused, resumed and cancelled, and says when it cannot be', async () => {
    const control = (action: 'pause' | 'resume' | 'cancel') =>
      controlBackfill(ports, CUSTOMER, action, { actor: 'ada', reason: 'noon' });
    expect(await control('pause')).toEqual({ state: 'paused' });
    expect(await control('pause')).toEqual({ state: 'paused' });
    expect(await backfillAll(ports, [CUSTOMER], 100)).toEqual([{ cutover: 'customer', rows: 0, state: 'paused' }]);
    expect(await reportBackfill(ports, CUSTOMER)).toMatchObject({
      state: 'paused',
      etaMs: null,
      pressure: { goOn: true },
    });
    expect(await control('resume')).toEqual({ state: 'running' });
    expect(await control('cancel')).toEqual({ state: 'cancelled' });
    expect(await control('resume')).toEqual({ state: 'running' });
    expect(await backfillAll(ports, [CUSTOMER], 100)).toMatchObject([{ rows: 3, state: 'done' }]);
    await expect(control('pause')).rejects.toMatchObject({ code: 'illegal_transition' });
    expect((await audit()).map((entry) => 'action' in entry && entry.action)).toEqual([
      'backfill_resume',
      'backfill_cancel',
      'backfill_resume',
      'backfill_pause',
      false,
    ]);
  });

  const CALM: Pressure = { replicaLagMs: null, walBytes: 0, activeConnections: 0, waitsFor: [], goOn: true };

  it.each([
    ['the age of the outbox', {}, CALM, 10_001, 0, /oldest change/],
    ['the age of the outbox, as declared', { outboxAgeMs: 50 }, CALM, 51, 0, /51 ms, more than 50/],
    ['a replica', { replicaLagMs: 500 }, { ...CALM, replicaLagMs: 501 }, 0, 0, /replica/],
    ['WAL', { walBytesPerSecond: 1e6 }, CALM, 0, 2e6, /2000000 bytes/],
    ['sessions', { activeConnections: 5 }, { ...CALM, activeConnections: 6 }, 0, 0, /6 sessions/],
    ['an own condition', {}, { ...CALM, goOn: false }, 0, 0, /condition/],
    ['tables it refers to', {}, { ...CALM, waitsFor: ['customer'] }, 0, 0, /waits for customer/],
  ])('waits for %s', (_, limits, seen, lagMs, walRate, words) => {
    expect(tooMuch(limits, seen, lagMs, walRate)).toMatch(words);
    expect(tooMuch({ ...limits, outboxAgeMs: 1e9 }, CALM, lagMs, 0)).toBeNull();
  });

  it('minds no limit that was not declared, but for the outbox', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat(), (replicaLagMs, activeConnections, walRate) => {
        expect(tooMuch({}, { ...CALM, replicaLagMs, activeConnections }, 0, walRate)).toBeNull();
      }),
    );
  });

  it('goes on when the pressure falls, within the time it has', async () => {
    let looks = 0;
    tables.copying.pressure = async () => ({ ...CALM, replicaLagMs: ++looks < 3 ? 900 : 0 });
    expect(await backfillAll(ports, [CUSTOMER], 10_000)).toMatchObject([{ rows: 3, state: 'done' }]);
    expect(monotonicMs).toBe(2_000);
  });

  it('ends with its reason when the pressure stays', async () => {
    tables.copying.pressure = async () => ({ ...CALM, replicaLagMs: 900 });
    const [run] = await backfillAll(ports, [CUSTOMER], 3_000);
    expect(run).toMatchObject({ rows: 0, state: 'throttled', why: expect.stringMatching(/replica/) });
  });

  it('tables that others refer to come first, whatever the order of the declarations', async () => {
    const order: string[] = [];
    const copy = tables.copying.backfill;
    tables.copying.backfill = async (id, epoch, rows) => {
      const step = await copy(id, epoch, rows);
      if (step.kind === 'done') order.push(id);
      return step;
    };
    const open = async (id: string) => (await tables.inspecting.status(id))!.backfill.state !== 'done';
    tables.copying.pressure = async ({ id }) => ({
      ...CALM,
      waitsFor: id === 'customer' && (await open('invoice')) ? ['invoice'] : [],
    });
    const runs = await backfillAll(ports, [CUSTOMER, INVOICE], 10_000);
    expect(order).toEqual(['invoice', 'customer']);
    expect(runs.map(({ cutover, state: end }) => [cutover, end])).toEqual([
      ['invoice', 'done'],
      ['customer', 'done'],
    ]);
  });

  it('ends with its indexes: as many as there is time for, the rest in the next run', async () => {
    const left = [1, 0];
    tables.copying.buildIndex = async () => ({ kind: 'built', left: left.shift()! });
    expect(await backfillAll(ports, [CUSTOMER], 10_000)).toMatchObject([{ rows: 3, state: 'done' }]);
    expect(left).toEqual([]);
    tables.copying.buildIndex = async () => ({ kind: 'building', name: 'i', left: 1 });
    expect(await backfillAll(ports, [INVOICE], 10_000)).toMatchObject([{ rows: 3, state: 'running' }]);
  });

  it('can be rehearsed: what is left, in how many chunks, how long, and what it would wait for', async () => {
    expect(await rehearseBackfill(ports, CUSTOMER)).toEqual({
      cutover: 'customer',
      state: 'running',
      rows: 3,
      shadowRows: 0,
      chunks: 1,
      estimatedMs: 0,
      rowsPerSecond: 10_000,
      sampleRows: 3,
      waits: null,
    });
    tables.copying.pressure = async () => ({ ...CALM, replicaLagMs: 900 });
    tables.copying.rehearse = async () => ({
      sourceRows: 9,
      shadowRows: 2,
      sample: { rows: 0, tookMs: null, why: '22P02' },
    });
    expect(await rehearseBackfill(ports, CUSTOMER)).toMatchObject({
      rows: 9,
      chunks: null,
      estimatedMs: null,
      why: '22P02',
      waits: expect.stringMatching(/replica/),
    });
    await backfillAll(ports, [INVOICE], 100);
    expect(await rehearseBackfill(ports, INVOICE)).toMatchObject({ state: 'done', rows: 0, chunks: 0, estimatedMs: 0 });
    await expect(rehearseBackfill(ports, PLANNER)).rejects.toMatchObject({ code: 'illegal_transition' });
  });

  it('takes as many chunks as there would be, one after the other', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3_000_000 }),
        fc.double({ min: 5, max: 500, noNaN: true }),
        (rows, pace) => {
          let [left, size, chunks] = [rows, FIRST_ROWS, 0];
          for (; left > 0; chunks += 1) {
            left -= size;
            size = nextChunk(size, size / pace);
          }
          const seen = chunksOf(rows, pace);
          expect(seen.chunks).toBe(chunks);
          expect(seen.tookMs).toBeCloseTo(rows / pace);
        },
      ),
    );
  });

  it('has an ETA only while rows move', () => {
    const progress = { state: 'running' as const, rowsDone: 250, rowsTotal: 1_000, rowsPerSecond: 50 };
    expect(etaMs(progress)).toBe(15_000);
    expect(etaMs({ ...progress, rowsPerSecond: 0 })).toBeNull();
    expect(etaMs({ ...progress, state: 'paused' })).toBeNull();
    expect(etaMs({ ...progress, rowsDone: 1_200 })).toBe(0);
  });
});

describe('a primary that is read-only', () => {
  const wanted = { seconds: 30, reason: 'catch up', actor: 'ada' };

  it('is so for the time that was asked, audited with its reason, and ended once', async () => {
    expect(await makeReadOnly(ports, ALL, CUSTOMER, wanted)).toEqual({ untilMs: 31_000 });
    expect(await endReadOnly(ports, ALL, CUSTOMER, { actor: 'bo' })).toEqual({ ended: true });
    expect(await endReadOnly(ports, ALL, CUSTOMER, { actor: 'bo' })).toEqual({ ended: false });
    expect(await audit()).toMatchObject([
      { actor: 'bo', action: 'read_only_off' },
      { actor: 'ada', action: 'read_only_on', reason: '30 s: catch up' },
      { type: 'started' },
    ]);
  });

  it('is told to applications by the flag of its cutover, until it ends, also while the database is away', async () => {
    const told = () => Object.values(flags.served()!.cutovers).map(({ primary_read_only }) => primary_read_only);
    await makeReadOnly(ports, ALL, CUSTOMER, wanted);
    expect(told()).toEqual([true, false, false]);
    tables.failNext('statuses');
    await reconcile(ports, ALL);
    expect(told()).toEqual([true, false, false]);
    await endReadOnly(ports, ALL, CUSTOMER, { actor: 'bo' });
    expect(told()).toEqual([false, false, false]);
    await makeReadOnly(ports, ALL, CUSTOMER, wanted);
    await tables.switches.endReadOnly('customer');
    await reconcile(ports, ALL);
    expect(told()).toEqual([false, false, false]);
  });

  it('is refused where nothing is to catch up, and while everything is stopped', async () => {
    await expect(makeReadOnly(ports, ALL, PLANNER, wanted)).rejects.toMatchObject({ code: 'illegal_transition' });
    const before = (await state.readCutover('customer'))!;
    const back = { type: 'rolled_back' as const, from: before.stage, reason: 'x', cause: 'operator' as const };
    const { state: after, entries } = record(before, [back], { nowMs: 2, actor: 'ada' });
    await state.writeCutover({ before, after, entries });
    await expect(makeReadOnly(ports, ALL, CUSTOMER, wanted)).rejects.toMatchObject({ code: 'illegal_transition' });
    expect(await tables.switches.endReadOnly('customer')).toBe(false);
  });

  it('is writable again when a rollback came in between', async () => {
    const make = tables.switches.makeReadOnly;
    tables.switches.makeReadOnly = async (id, epoch, seconds) => {
      const before = (await state.readCutover(id))!;
      const back = { type: 'rolled_back' as const, from: before.stage, reason: 'x', cause: 'guard' as const };
      const { state: after, entries } = record(before, [back], { nowMs: 2, actor: 'tick' });
      await state.writeCutover({ before, after, entries });
      return make(id, epoch, seconds);
    };
    await expect(makeReadOnly(ports, ALL, CUSTOMER, wanted)).rejects.toMatchObject({ code: 'conflict' });
    expect(await tables.switches.endReadOnly('customer')).toBe(false);
  });
});

describe('the shadow of a cutover that is not under way', () => {
  const wanted = { confirm: 'customer', reason: 'made anew', actor: 'ada' };
  const rolledBack = async () => {
    const before = (await state.readCutover('customer'))!;
    const back = { type: 'rolled_back' as const, from: before.stage, reason: 'x', cause: 'operator' as const };
    const { state: after, entries } = record(before, [back], { nowMs: 2, actor: 'ada' });
    await state.writeCutover({ before, after, entries });
    return after;
  };

  it('is dropped after a rollback only, by name and with a reason, and audited', async () => {
    await expect(removeShadow(ports, CUSTOMER, wanted)).rejects.toMatchObject({ code: 'illegal_transition' });
    await expect(removeShadow(ports, PLANNER, wanted)).rejects.toMatchObject({ code: 'illegal_transition' });
    const after = await rolledBack();
    await expect(removeShadow(ports, CUSTOMER, { ...wanted, confirm: 'x' })).rejects.toMatchObject({
      code: 'confirm_required',
    });
    await expect(removeShadow(ports, CUSTOMER, wanted)).rejects.toMatchObject({ code: 'refused_table' });
    await tables.capture.disarm('customer', after);
    expect(await removeShadow(ports, CUSTOMER, wanted)).toMatchObject({ removed: true });
    expect((await audit())[0]).toMatchObject({ actor: 'ada', action: 'shadow_removed', reason: 'made anew' });
  });

  it('is not when somebody started the cutover meanwhile', async () => {
    const after = await rolledBack();
    await tables.capture.disarm('customer', { epoch: after.epoch + 1, version: after.version + 9 });
    await expect(removeShadow(ports, CUSTOMER, wanted)).rejects.toMatchObject({ code: 'conflict' });
  });
});
