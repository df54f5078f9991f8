/** What every data plane must do. Run against the one in memory and the one on Postgres. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { VerificationResult } from '../../../lib/core/gates/evidence.ts';
import type { DataPlane, MirrorRow, TableCutover } from '../../../lib/ports.ts';

export type TablesHarness = {
  plane: DataPlane;
  /** A table with an integer key `id` and a text `v`, and its empty shadow; nothing is armed. */
  cutover: TableCutover;
  /** The application writes the table that is authoritative now; `null` deletes. */
  write(key: number, value: string | null): Promise<void>;
  /** Somebody writes the other table behind our back. */
  tamper(key: number, value: string | null): Promise<void>;
  /** Others add a column: to both tables, or to the one in use only. */
  alter(which: 'both' | 'in use'): Promise<void>;
  /** The pauses before further tries of hints that were put off are over. */
  endPauses(): Promise<void>;
  /** From now on this key's row does not fit the other side, or does again. */
  block(key: number, blocked: boolean): Promise<void>;
  authoritative(): Promise<Record<number, string>>;
  follower(): Promise<Record<number, string>>;
  close(): Promise<void>;
};

const SETTLE_MS = 20_000;
/** Newer than every state of these tests. */
const NEWEST = { epoch: 1_000, version: 1_000 };

export function tablesContract(name: string, open: () => Promise<TablesHarness>): void {
  describe(`the data plane ${name}`, () => {
    let it_: TablesHarness;
    let plane: DataPlane;
    let id: string;

    beforeEach(async () => {
      it_ = await open();
      ({ plane } = it_);
      ({ id } = it_.cutover);
    });
    afterEach(() => it_.close());

    const fence = (epoch: number, changes: Partial<MirrorRow> = {}) =>
      plane.mirror({
        id,
        epoch,
        version: epoch,
        stage: 'dual_write',
        shadowWrites: true,
        readPpm: 0,
        salt: id,
        ...changes,
      });

    async function settle(epoch: number): Promise<void> {
      const deadline = Date.now() + SETTLE_MS;
      for (;;) {
        const result = await plane.converge(id, epoch, 500);
        expect(result.kind).toBe('converged');
        if ((await plane.status(id))!.outboxRows === 0) return;
        if (Date.now() > deadline) throw new Error(`hints are left after ${SETTLE_MS} ms`);
        if (result.kind === 'converged' && result.claimed === 0) await it_.endPauses();
      }
    }

    async function copy(epoch: number, rows = 2): Promise<void> {
      while ((await plane.backfill(id, epoch, rows)).kind === 'copied');
    }

    async function started(rows: Record<number, string> = { 1: 'a', 2: 'b', 3: 'c' }): Promise<void> {
      for (const [key, value] of Object.entries(rows)) await it_.write(Number(key), value);
      await plane.arm(it_.cutover, NEWEST);
      expect(await fence(1)).toEqual({ kind: 'written' });
      await copy(1);
      await settle(1);
    }

    async function verified(epoch: number, nowMs = 5): Promise<VerificationResult> {
      const answer = await plane.verify(id, epoch, nowMs);
      if (answer.kind !== 'verified') throw new Error(JSON.stringify(answer));
      return answer.result;
    }

    const same = async () => expect(await it_.follower()).toEqual(await it_.authoritative());
    const swap = (fromEpoch: number, stage: string) => ({
      fromEpoch,
      toEpoch: fromEpoch + 1,
      stage,
      version: 100 + fromEpoch,
    });
    const promote = (from: number) => plane.promote(it_.cutover, swap(from, 'completed'));
    const revert = (from: number) => plane.revert(it_.cutover, swap(from, 'rolled_back'));

    describe('many at once', () => {
      it('are what each is alone, and those that nobody knows are not among them', async () => {
        expect(await plane.statuses([])).toEqual(new Map());
        expect(await plane.statuses([id, 'nobody'])).toEqual(new Map());
        await started();
        const status = (await plane.status(id))!;
        const some = { lagMs: expect.any(Number), connections: status.connections && expect.any(Object) };
        expect(await plane.statuses(['nobody', id, id])).toEqual(new Map([[id, { ...status, ...some }]]));
      });
    });

    describe('before it is armed', () => {
      it('knows nothing, and says so without an error', async () => {
        expect(await plane.status(id)).toBeNull();
        expect(await plane.converge(id, 1, 10)).toMatchObject({ kind: 'stale', got: 1 });
        expect(await plane.backfill(id, 1, 10)).toMatchObject({ kind: 'stale', got: 1 });
        expect((await plane.verify(id, 1, 1)).kind).toBe('unready');
        expect(await fence(1)).toMatchObject({ kind: 'stale' });
        expect(await plane.waiting()).toEqual([]);
        expect((await plane.rollbackReady(id)).ready).toBe(false);
        await plane.disarm(id, NEWEST);
        await plane.forget(id, NEWEST);
      });

      it('plans without changing anything', async () => {
        const plan = await plane.plan(it_.cutover);
        expect(plan).toMatchObject({
          ok: true,
          primary: it_.cutover.table.primary,
          key: [{ column: 'id', type: 'integer' }],
        });
        expect(plan.wayBack).toBeUndefined();
        expect(await plane.status(id)).toBeNull();
      });

      it('looks at the rows when it is asked to', async () => {
        for (const key of [1, 2, 3]) await it_.write(key, 'a');
        expect((await plane.plan(it_.cutover, { scanMs: 1_000 })).wayBack).toEqual({
          rows: 3,
          complete: true,
          limitMs: 1_000,
          cannotCross: 0,
          cannotReturn: 0,
          changed: 0,
          samples: [],
        });
      });
    });

    describe('the primary read-only', () => {
      it('is refused by an older epoch and after promotion, and ended once', async () => {
        await started({ 1: 'a' });
        expect(await plane.makeReadOnly(id, 7, 60)).toEqual({ kind: 'stale', have: 1, got: 7 });
        expect(await plane.endReadOnly(id)).toBe(false);
        expect(await plane.makeReadOnly(id, 1, 60)).toMatchObject({ kind: 'read_only' });
        expect(await promote(1)).toMatchObject({ kind: 'swapped' });
        await it_.write(1, 'b');
        expect(await it_.authoritative()).toEqual({ 1: 'b' });
        expect(await plane.makeReadOnly(id, 2, 60)).toMatchObject({ kind: 'stale' });
        await settle(2);
        await same();
        expect([await plane.endReadOnly(id), await plane.endReadOnly(id)]).toEqual([true, false]);
      });
    });

    describe('a rehearsal of the copy', () => {
      it('counts the rows and times a few of them, before the start too, and copies nothing', async () => {
        for (const key of [1, 2, 3]) await it_.write(key, 'a');
        for (const began of [false, true]) {
          if (began) await plane.arm(it_.cutover, NEWEST);
          const seen = await plane.rehearse(it_.cutover);
          expect(seen).toMatchObject({ sourceRows: 3, shadowRows: 0, sample: { rows: 3 } });
          expect(seen.sample.tookMs).toBeGreaterThanOrEqual(0);
          expect(await it_.follower()).toEqual({});
        }
        expect((await plane.status(id))!.backfill).toMatchObject({ state: 'running', rowsDone: 0 });
      });
    });

    describe('arming and the fence', () => {
      it('arms once, without a mirror until there is one', async () => {
        await plane.arm(it_.cutover, NEWEST);
        expect(await plane.status(id)).toMatchObject({
          armed: 'forward',
          mirror: null,
          outboxRows: 0,
          quarantined: 0,
          verification: null,
        });
        expect((await plane.status(id))!.backfill.state).toBe('running');
        await fence(1);
        expect((await plane.status(id))!.mirror).toEqual({ epoch: 1, version: 1, stage: 'dual_write' });
      });

      it('I9 an epoch that is not the fence changes nothing', async () => {
        await started();
        await it_.write(4, 'd');
        for (const epoch of [0, 2]) {
          expect(await plane.converge(id, epoch, 10)).toEqual({ kind: 'stale', have: 1, got: epoch });
          expect(await plane.backfill(id, epoch, 10)).toEqual({ kind: 'stale', have: 1, got: epoch });
          expect(await plane.verify(id, epoch, 1)).toEqual({ kind: 'stale', have: 1, got: epoch });
        }
        expect(await it_.follower()).toEqual({ 1: 'a', 2: 'b', 3: 'c' });
      });

      it('I9 who acts on an older state neither arms nor takes away', async () => {
        const at = (epoch: number, version: number) => ({ epoch, version });
        for (const [key, value] of Object.entries({ 1: 'a', 2: 'b' })) await it_.write(Number(key), value);
        expect(await plane.arm(it_.cutover, at(2, 7))).toEqual({ kind: 'armed' });
        // Before the mirror is written, and after it.
        for (const written of [false, true]) {
          if (written) await fence(3, { version: 9 });
          const newest = written ? { kind: 'stale', ...at(3, 9) } : { kind: 'stale', ...at(2, 7) };
          for (const older of [at(1, 99), at(2, 6)]) {
            await it_.write(2, `${written}`);
            const before = await plane.status(id);
            expect(before!.outboxRows).toBeGreaterThan(0);
            expect(await plane.arm(it_.cutover, older)).toEqual(newest);
            expect(await plane.disarm(id, older)).toEqual(newest);
            expect(await plane.forget(id, older)).toEqual(newest);
            // Others come and go on the same server.
            const passing = { lagMs: expect.any(Number), connections: before!.connections && expect.any(Object) };
            expect(await plane.status(id)).toEqual({ ...before, ...passing });
          }
        }
        expect(await plane.disarm(id, at(3, 9))).toEqual({ kind: 'disarmed' });
        expect(await plane.arm(it_.cutover, at(3, 8))).toMatchObject({ kind: 'stale' });
        expect(await plane.forget(id, at(3, 10))).toEqual({ kind: 'forgotten' });
        expect(await plane.arm(it_.cutover, at(4, 11))).toEqual({ kind: 'armed' });
      });

      it('never goes back, and takes the same row twice', async () => {
        await started();
        await fence(3, { version: 7 });
        expect(await fence(2, { version: 9 })).toEqual({ kind: 'stale', epoch: 3, version: 7 });
        expect(await fence(3, { version: 6 })).toEqual({ kind: 'stale', epoch: 3, version: 7 });
        expect(await fence(3, { version: 7 })).toEqual({ kind: 'written' });
        expect(await fence(3, { version: 8, stage: 'test_1' })).toEqual({ kind: 'written' });
        expect((await plane.status(id))!.mirror).toEqual({ epoch: 3, version: 8, stage: 'test_1' });
      });
    });

    describe('writes that are switched off', () => {
      it('leave every change as a hint that wakes nobody, and the shadow as it was; on again, everything arrives', async () => {
        await started();
        await fence(1, { version: 2, shadowWrites: false });
        for (const [key, value] of [
          [4, 'd'],
          [2, 'changed'],
          [1, null],
        ] as const)
          await it_.write(key, value);
        expect((await plane.status(id))!.outboxRows).toBeGreaterThanOrEqual(3);
        expect(await plane.waiting()).toEqual([]);
        expect(await it_.follower()).toEqual({ 1: 'a', 2: 'b', 3: 'c' });
        expect((await verified(1)).divergences).toBe(0);
        await fence(1, { version: 3 });
        expect(await plane.waiting()).toMatchObject([{ id }]);
        await settle(1);
        await same();
      });
    });

    describe('converge', () => {
      it('I2 I3 inserts, updates and deletes reach the shadow', async () => {
        await started();
        await it_.write(4, 'd');
        await it_.write(2, 'changed');
        await it_.write(1, null);
        const status = (await plane.status(id))!;
        expect(status.outboxRows).toBe(3);
        expect(status.connections!.used).toBeGreaterThan(0);
        expect(status.connections!.most).toBeGreaterThan(status.connections!.used);
        expect(await plane.waiting()).toMatchObject([{ id, hints: 3 }]);
        expect(await plane.converge(id, 1, 10)).toMatchObject({
          claimed: 3,
          written: 2,
          deleted: 1,
          checked: 3,
          mismatched: 0,
          remaining: 0,
        });
        expect(await it_.follower()).toEqual({ 2: 'changed', 3: 'c', 4: 'd' });
        expect(await plane.waiting()).toEqual([]);
      });

      it('takes no more than it is asked, and says what remains', async () => {
        await started();
        for (const key of [11, 12, 13]) await it_.write(key, 'x');
        expect(await plane.converge(id, 1, 2)).toMatchObject({ claimed: 2, written: 2, remaining: 1 });
        for (const limit of [0, -1, 1e9]) await expect(plane.converge(id, 1, limit)).rejects.toThrow();
      });

      it('I5 waking up more often changes nothing', async () => {
        await started();
        await it_.write(2, 'z');
        await settle(1);
        expect(await plane.converge(id, 1, 10)).toMatchObject({ claimed: 0, written: 0, deleted: 0 });
        await same();
      });

      it('I8 the lag is 0 without hints and never negative', async () => {
        await started();
        expect((await plane.status(id))!.lagMs).toBe(0);
        await it_.write(2, 'z');
        expect((await plane.status(id))!.lagMs).toBeGreaterThanOrEqual(0);
      });

      it('I15 a row that does not fit is put into quarantine and delays nobody', async () => {
        await started();
        await it_.block(5, true);
        for (const key of [4, 5, 6]) await it_.write(key, `n${key}`);
        expect(await plane.converge(id, 1, 10)).toMatchObject({ claimed: 3, written: 2, postponed: 1, quarantined: 0 });
        await settle(1);
        const status = (await plane.status(id))!;
        expect(status).toMatchObject({ quarantined: 1, quarantine: [{ key: '{"id": 5}', sqlstate: '23514' }] });
        await it_.block(5, false);
        await it_.write(5, 'fits');
        await settle(1);
        expect((await plane.status(id))!.quarantined).toBe(0);
        await same();
      });
    });

    describe('backfill and verification', () => {
      it('I16 copies in chunks and ends', async () => {
        for (let key = 1; key <= 5; key += 1) await it_.write(key, `v${key}`);
        await plane.arm(it_.cutover, NEWEST);
        await fence(1);
        expect(await plane.verify(id, 1, 1)).toMatchObject({ kind: 'unready' });
        expect(await plane.backfill(id, 1, 2)).toMatchObject({ kind: 'copied', rows: 2, rowsDone: 2, rowsTotal: 5 });
        await copy(1);
        expect(await plane.backfill(id, 1, 2)).toEqual({ kind: 'done', rowsDone: 5 });
        expect((await plane.status(id))!.backfill).toMatchObject({ state: 'done', rowsDone: 5, rowsTotal: 5 });
        await same();
      });

      it('I16 is paused, goes on, is cancelled and begins anew', async () => {
        for (let key = 1; key <= 5; key += 1) await it_.write(key, `v${key}`);
        await plane.arm(it_.cutover, NEWEST);
        await fence(1);
        const control = (action: 'pause' | 'resume' | 'cancel') => plane.controlBackfill(id, 1, action);
        await plane.backfill(id, 1, 2);
        expect(await plane.controlBackfill(id, 2, 'pause')).toEqual({ kind: 'stale', have: 1, got: 2 });
        expect(await control('resume')).toEqual({ kind: 'unchanged', state: 'running' });
        expect(await control('pause')).toEqual({ kind: 'changed', state: 'paused' });
        expect(await plane.backfill(id, 1, 2)).toEqual({ kind: 'paused' });
        expect(await plane.verify(id, 1, 1)).toMatchObject({ kind: 'unready' });
        expect(await control('resume')).toEqual({ kind: 'changed', state: 'running' });
        expect(await plane.backfill(id, 1, 2)).toMatchObject({ kind: 'copied', rowsDone: 4 });
        expect(await control('cancel')).toEqual({ kind: 'changed', state: 'cancelled' });
        expect((await plane.status(id))!.backfill).toMatchObject({ state: 'cancelled', rowsDone: 0 });
        expect(await plane.backfill(id, 1, 2)).toEqual({ kind: 'cancelled' });
        await it_.tamper(1, 'wrong');
        await control('resume');
        await copy(1);
        await settle(1);
        await same();
        expect(await control('pause')).toEqual({ kind: 'unchanged', state: 'done' });
        expect(await plane.pressure(it_.cutover)).toMatchObject({ waitsFor: [], goOn: true });
      });

      it('I15 keys in quarantine are listed, tried again and given up', async () => {
        await started();
        for (const key of [5, 6, 7]) {
          await it_.block(key, true);
          await it_.write(key, `n${key}`);
        }
        await settle(1);
        const first = await plane.quarantined(id, { limit: 2 });
        expect(first).toMatchObject({
          total: 3,
          keys: [{ key: '{"id": 5}', sqlstate: '23514' }, { key: '{"id": 6}' }],
        });
        const next = await plane.quarantined(id, { after: '{"id": 6}', limit: 2 });
        expect(next).toMatchObject({ total: 3, keys: [{ key: '{"id": 7}' }] });
        await it_.block(5, false);
        expect(await plane.retryQuarantined(id, '{"id": 5}')).toEqual({ enqueued: 1 });
        await settle(1);
        expect((await it_.follower())[5]).toBe('n5');
        expect(await plane.discardQuarantined(id, '{"id": 6}')).toEqual({ discarded: 1 });
        expect(await plane.discardQuarantined(id, '{"id": 6}')).toEqual({ discarded: 0 });
        expect(await verified(1)).toMatchObject({ divergences: 1, samples: [{ key: '{"id": 6}' }] });
        await it_.block(7, false);
        expect(await plane.retryQuarantined(id, null)).toEqual({ enqueued: 1 });
        await settle(1);
        expect((await plane.status(id))!.quarantined).toBe(0);
        expect((await it_.follower())[7]).toBe('n7');
      });

      it('what was in the shadow before is completed and cleared', async () => {
        await it_.write(1, 'a');
        await it_.write(2, 'b');
        await it_.tamper(2, 'wrong');
        await it_.tamper(9, 'ghost');
        await plane.arm(it_.cutover, NEWEST);
        await fence(1);
        await copy(1);
        await settle(1);
        await same();
      });

      it('I7 finds exactly what was injected, and repair mends it', async () => {
        await started();
        expect(await verified(1, 77)).toEqual({ rowsCompared: 3, divergences: 0, score: 1, atMs: 77, samples: [] });
        await it_.tamper(1, 'wrong');
        await it_.tamper(2, null);
        await it_.tamper(9, 'ghost');
        const result = await verified(1, 78);
        expect(result).toMatchObject({ rowsCompared: 3, divergences: 3, score: 0 });
        expect([...result.samples].sort((a, b) => (a.key < b.key ? -1 : 1))).toEqual([
          { key: '{"id": 1}', columns: ['v'] },
          { key: '{"id": 2}', columns: [] },
          { key: '{"id": 9}', columns: [] },
        ]);
        expect((await plane.status(id))!.verification).toEqual(result);
        expect(await plane.repair(id)).toEqual({ enqueued: 3 });
        await settle(1);
        expect(await verified(1)).toMatchObject({ divergences: 0, score: 1 });
        await same();
      });

      it('I7 what has a hint is late, not wrong', async () => {
        await started();
        await it_.write(1, 'new');
        await it_.write(2, null);
        await it_.write(8, 'born');
        expect(await verified(1)).toMatchObject({ rowsCompared: 3, divergences: 0 });
      });
    });

    describe('switching off', () => {
      it('after disarm the application goes on and nothing is captured', async () => {
        await started();
        await plane.disarm(id, NEWEST);
        await it_.write(4, 'd');
        expect(await plane.status(id)).toMatchObject({ armed: 'none', outboxRows: 0, backfill: { state: 'done' } });
        expect(await it_.authoritative()).toMatchObject({ 4: 'd' });
      });

      it('after forget nothing is known, and starting again copies anew', async () => {
        await started();
        await plane.disarm(id, NEWEST);
        await it_.write(2, null);
        await plane.forget(id, NEWEST);
        expect((await plane.status(id))?.backfill.state ?? 'none').toBe('none');
        await plane.arm(it_.cutover, NEWEST);
        await fence(5);
        await copy(5);
        await settle(5);
        await same();
      });
    });

    describe('promotion', () => {
      it('is put off while the copy is not complete', async () => {
        await it_.write(1, 'a');
        await plane.arm(it_.cutover, NEWEST);
        await fence(1);
        expect((await promote(1)).kind).toMatch(/postponed|refused/);
        expect(await it_.authoritative()).toEqual({ 1: 'a' });
        expect((await plane.status(id))!.armed).toBe('forward');
      });

      it('I9 from another epoch does nothing', async () => {
        await started();
        expect((await promote(7)).kind).toMatch(/postponed|refused/);
        expect(await plane.status(id)).toMatchObject({ armed: 'forward', mirror: { epoch: 1 } });
      });

      it('swaps once, drains what was left, and says so when it is asked again', async () => {
        await started();
        await it_.write(4, 'just before');
        const result = await promote(1);
        expect(result).toMatchObject({ kind: 'swapped', attempts: expect.any(Number) });
        expect(await it_.authoritative()).toEqual({ 1: 'a', 2: 'b', 3: 'c', 4: 'just before' });
        expect(await plane.status(id)).toMatchObject({
          armed: 'reverse',
          mirror: { epoch: 2, stage: 'completed' },
          outboxRows: 0,
        });
        expect(await promote(1)).toEqual({ kind: 'already' });
        expect(await plane.converge(id, 1, 10)).toMatchObject({ kind: 'stale', have: 2 });
      });

      it('I13 once it is given up it never happens; asked for anew it does, and then cannot be given up', async () => {
        await started();
        const { toEpoch, version } = swap(1, 'completed');
        expect(await plane.abandon(id, { toEpoch, version })).toEqual({ kind: 'abandoned' });
        expect((await promote(1)).kind).toBe('postponed');
        expect(await plane.status(id)).toMatchObject({ armed: 'forward', mirror: { epoch: 1 } });
        const anew = { ...swap(1, 'completed'), version: version + 2 };
        expect(await plane.promote(it_.cutover, anew)).toMatchObject({ kind: 'swapped' });
        expect(await plane.abandon(id, { toEpoch, version: version + 2 })).toEqual({ kind: 'swapped' });
        expect(await plane.promote(it_.cutover, anew)).toEqual({ kind: 'already' });
      });

      it('I1 afterwards the old table follows, verified, and the way back loses nothing', async () => {
        await started();
        await promote(1);
        await it_.write(1, 'after');
        await it_.write(2, null);
        await it_.write(7, 'born after');
        expect(await plane.waiting()).toMatchObject([{ id }]);
        await settle(2);
        await same();
        expect(await verified(2)).toMatchObject({ rowsCompared: 3, divergences: 0 });
        await it_.write(8, 'last moment');
        expect(await plane.rollbackReady(id)).toEqual({ ready: true });
        expect(await revert(2)).toMatchObject({ kind: 'swapped' });
        expect(await it_.authoritative()).toEqual({ 1: 'after', 3: 'c', 7: 'born after', 8: 'last moment' });
        expect(await plane.status(id)).toMatchObject({ armed: 'none', mirror: { epoch: 3, stage: 'rolled_back' } });
        expect(await revert(2)).toEqual({ kind: 'already' });
      });

      it('can be done again after the way back', async () => {
        await started();
        await promote(1);
        await it_.write(1, 'second');
        await revert(2);
        await plane.forget(id, NEWEST);
        await it_.write(3, 'third');
        await plane.arm(it_.cutover, NEWEST);
        await fence(4);
        await copy(4);
        await settle(4);
        expect(await promote(4)).toMatchObject({ kind: 'swapped' });
        expect(await it_.authoritative()).toEqual({ 1: 'second', 2: 'b', 3: 'third' });
      });

      it('I13 a row that cannot go back is named, and the way back waits for it', async () => {
        await started();
        await promote(1);
        await it_.block(6, true);
        await it_.write(6, 'stuck');
        await settle(2);
        expect(await plane.rollbackReady(id)).toMatchObject({
          ready: false,
          key: '{"id": 6}',
          why: expect.any(String),
        });
        expect((await revert(2)).kind).toMatch(/postponed|refused/);
        expect((await it_.authoritative())[6]).toBe('stuck');
        await it_.block(6, false);
        await it_.write(6, 'free');
        await settle(2);
        expect(await plane.rollbackReady(id)).toEqual({ ready: true });
        expect(await revert(2)).toMatchObject({ kind: 'swapped' });
        expect((await it_.authoritative())[6]).toBe('free');
      });

      it('I10 both directions are never armed', async () => {
        await started();
        await promote(1);
        await expect(plane.arm(it_.cutover, NEWEST)).rejects.toThrow();
        expect((await plane.status(id))!.armed).toBe('reverse');
      });
    });

    describe('tables that others alter', () => {
      const shape = async () => (await plane.status(id))!.shape!;

      it('are taken over in both directions, and nothing is swapped until every row was copied and compared again', async () => {
        await started();
        await verified(1);
        for (const [epoch, swapped] of [
          [1, promote],
          [2, revert],
        ] as const) {
          await it_.alter('both');
          expect((await shape()).differences.length).toBeGreaterThan(0);
          expect((await swapped(epoch)).kind).toBe('postponed');
          expect(await plane.adopt(it_.cutover, NEWEST)).toEqual({ kind: 'adopted' });
          expect(await shape()).toMatchObject({ differences: [], gap: expect.any(String) });
          expect((await swapped(epoch)).kind).toBe('postponed');
          await it_.write(10 + epoch, 'written meanwhile');
          await copy(epoch);
          await settle(epoch);
          await verified(epoch);
          await same();
          expect((await swapped(epoch)).kind).toBe('swapped');
        }
      });

      it('are refused with a reason where nothing is armed, and where the next swap would lose something', async () => {
        expect(await plane.adopt(it_.cutover, NEWEST)).toMatchObject({ kind: 'refused', why: expect.any(String) });
        await started();
        await it_.alter('in use');
        expect(await plane.adopt(it_.cutover, NEWEST)).toMatchObject({ kind: 'refused', why: expect.any(String) });
        expect((await shape()).differences.length).toBeGreaterThan(0);
      });

      it('I9 are not taken over for an older state', async () => {
        await started();
        await it_.alter('both');
        expect(await plane.adopt(it_.cutover, { epoch: 0, version: 0 })).toMatchObject({ kind: 'stale' });
        expect((await shape()).differences.length).toBeGreaterThan(0);
      });
    });

    describe('cleanup', () => {
      it('is refused before promotion', async () => {
        await started();
        expect((await plane.cleanup(it_.cutover, 1)).kind).toBe('refused');
        expect((await plane.status(id))!.armed).toBe('forward');
      });

      it('I14 ends the cutover; the table stays as it is', async () => {
        await started();
        await promote(1);
        await it_.write(5, 'e');
        expect((await plane.cleanup(it_.cutover, 1)).kind).toBe('refused');
        expect(await plane.cleanup(it_.cutover, 2)).toEqual({ kind: 'cleaned' });
        expect(await plane.cleanup(it_.cutover, 2)).toEqual({ kind: 'already' });
        expect(await plane.status(id)).toMatchObject({
          armed: 'none',
          outboxRows: 0,
          quarantined: 0,
          mirror: { epoch: 3 },
        });
        await it_.write(6, 'f');
        expect(await it_.authoritative()).toEqual({ 1: 'a', 2: 'b', 3: 'c', 5: 'e', 6: 'f' });
      });
    });
  });
}
