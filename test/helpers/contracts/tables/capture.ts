/** Arming, the fence under which it is done, taking over what others altered, and dropping the shadow. */

import { describe, expect, it } from 'vitest';
import { ID, NEWEST, type TableBench } from './bench.ts';

export function captureContract(t: TableBench): void {
  describe('before it is armed', () => {
    it('knows nothing, and says so without an error', async () => {
      expect(await t.ports.inspecting.status(ID)).toBeNull();
      expect(await t.ports.converging.converge(ID, 1, 10)).toMatchObject({ kind: 'stale', got: 1 });
      expect(await t.ports.copying.backfill(ID, 1, 10)).toMatchObject({ kind: 'stale', got: 1 });
      expect((await t.ports.verifying.verify(ID, 1, 1)).kind).toBe('unready');
      expect(await t.fence(1)).toMatchObject({ kind: 'stale' });
      expect(await t.ports.converging.waiting()).toEqual([]);
      expect((await t.ports.swapping.rollbackReady(ID)).ready).toBe(false);
      await t.ports.capture.disarm(ID, NEWEST);
      await t.ports.capture.forget(ID, NEWEST);
    });
  });

  describe('arming and the fence', () => {
    it('arms once, without a mirror until there is one', async () => {
      await t.ports.capture.arm(t.cutover, NEWEST);
      expect(await t.ports.inspecting.status(ID)).toMatchObject({
        armed: 'forward',
        mirror: null,
        outboxRows: 0,
        quarantined: 0,
        verification: null,
      });
      expect((await t.status()).backfill.state).toBe('running');
      await t.fence(1);
      expect((await t.status()).mirror).toEqual({ epoch: 1, version: 1, stage: 'dual_write' });
    });

    it('I9 an epoch that is not the fence changes nothing', async () => {
      await t.started();
      await t.write(4, 'd');
      for (const epoch of [0, 2]) {
        expect(await t.ports.converging.converge(ID, epoch, 10)).toEqual({ kind: 'stale', have: 1, got: epoch });
        expect(await t.ports.copying.backfill(ID, epoch, 10)).toEqual({ kind: 'stale', have: 1, got: epoch });
        expect(await t.ports.verifying.verify(ID, epoch, 1)).toEqual({ kind: 'stale', have: 1, got: epoch });
      }
      expect(await t.follower()).toEqual({ 1: 'a', 2: 'b', 3: 'c' });
    });

    it('I9 who acts on an older state neither arms nor takes away', async () => {
      const at = (epoch: number, version: number) => ({ epoch, version });
      for (const [key, value] of Object.entries({ 1: 'a', 2: 'b' })) await t.write(Number(key), value);
      expect(await t.ports.capture.arm(t.cutover, at(2, 7))).toEqual({ kind: 'armed' });
      // Before the mirror is written, and after it.
      for (const written of [false, true]) {
        if (written) await t.fence(3, { version: 9 });
        const newest = written ? { kind: 'stale', ...at(3, 9) } : { kind: 'stale', ...at(2, 7) };
        for (const older of [at(1, 99), at(2, 6)]) {
          await t.write(2, `${written}`);
          const before = await t.ports.inspecting.status(ID);
          expect(before!.outboxRows).toBeGreaterThan(0);
          expect(await t.ports.capture.arm(t.cutover, older)).toEqual(newest);
          expect(await t.ports.capture.disarm(ID, older)).toEqual(newest);
          expect(await t.ports.capture.forget(ID, older)).toEqual(newest);
          // Others come and go on the same server.
          const passing = { lagMs: expect.any(Number), connections: before!.connections && expect.any(Object) };
          expect(await t.ports.inspecting.status(ID)).toEqual({ ...before, ...passing });
        }
      }
      expect(await t.ports.capture.disarm(ID, at(3, 9))).toEqual({ kind: 'disarmed' });
      expect(await t.ports.capture.arm(t.cutover, at(3, 8))).toMatchObject({ kind: 'stale' });
      expect(await t.ports.capture.forget(ID, at(3, 10))).toEqual({ kind: 'forgotten' });
      expect(await t.ports.capture.arm(t.cutover, at(4, 11))).toEqual({ kind: 'armed' });
    });
  });

  describe('switching off', () => {
    it('after disarm the application goes on and nothing is captured', async () => {
      await t.started();
      await t.ports.capture.disarm(ID, NEWEST);
      await t.write(4, 'd');
      expect(await t.ports.inspecting.status(ID)).toMatchObject({
        armed: 'none',
        outboxRows: 0,
        backfill: { state: 'done' },
      });
      expect(await t.authoritative()).toMatchObject({ 4: 'd' });
    });

    it('after forget nothing is known, and starting again copies anew', async () => {
      await t.started();
      await t.ports.capture.disarm(ID, NEWEST);
      await t.write(2, null);
      await t.ports.capture.forget(ID, NEWEST);
      expect((await t.ports.inspecting.status(ID))?.backfill.state ?? 'none').toBe('none');
      await t.ports.capture.arm(t.cutover, NEWEST);
      await t.fence(5);
      await t.copy(5);
      await t.settle(5);
      await t.same();
    });
  });

  describe('the shadow', () => {
    const removed = (fence = NEWEST) => t.ports.capture.removeShadow(t.cutover, fence);

    it('is not dropped while it is kept equal, and goes on being kept so', async () => {
      const refused = { kind: 'refused', why: expect.stringContaining(ID) };
      await t.armedWith(2);
      expect(await removed()).toMatchObject(refused);
      await t.copy(1);
      await t.write(3, 'c');
      await t.settle(1);
      await t.verified(1);
      await t.same();
      expect((await t.promote(1)).kind).toBe('swapped');
      expect(await removed()).toMatchObject(refused);
      await t.write(4, 'd');
      await t.settle(2);
      await t.same();
    });

    it('is dropped once nothing follows, with everything of ours, and the primary keeps every row', async () => {
      await t.started();
      const rows = await t.authoritative();
      await t.ports.capture.disarm(ID, NEWEST);
      expect(await removed()).toEqual({ kind: 'removed' });
      expect(await removed()).toEqual({ kind: 'already' });
      expect((await t.ports.inspecting.status(ID))?.backfill.state ?? 'none').toBe('none');
      expect(await t.ports.converging.waiting()).toEqual([]);
      expect(await t.authoritative()).toEqual(rows);
      await t.write(9, 'written afterwards');
      expect(await t.authoritative()).toEqual({ ...rows, 9: 'written afterwards' });
    });

    it('is dropped where nothing was ever armed, and without it nothing is armed', async () => {
      await t.write(1, 'a');
      expect(await removed()).toEqual({ kind: 'removed' });
      await expect(t.ports.capture.arm(t.cutover, NEWEST)).rejects.toMatchObject({ code: 'refused_table' });
      await t.ports.capture.forget(ID, NEWEST);
      expect(await removed()).toEqual({ kind: 'already' });
      expect(await t.authoritative()).toEqual({ 1: 'a' });
    });

    it('I9 is not dropped for an older state', async () => {
      await t.started();
      const rows = await t.follower();
      const { epoch, version } = NEWEST;
      await t.ports.capture.disarm(ID, NEWEST);
      for (const older of [
        { epoch: epoch - 1, version: version + 1 },
        { epoch, version: version - 1 },
      ]) {
        expect(await removed(older)).toEqual({ kind: 'stale', epoch, version });
        expect(await t.follower()).toEqual(rows);
      }
      expect(await removed()).toEqual({ kind: 'removed' });
    });
  });

  describe('tables that others alter', () => {
    const shape = async () => (await t.status()).shape!;

    it('are taken over in both directions, and nothing is swapped until every row was copied and compared again', async () => {
      await t.started();
      await t.verified(1);
      for (const [epoch, swapped] of [
        [1, t.promote],
        [2, t.revert],
      ] as const) {
        await t.alter('both');
        expect((await shape()).differences.length).toBeGreaterThan(0);
        expect((await swapped(epoch)).kind).toBe('postponed');
        expect(await t.ports.capture.adopt(t.cutover, NEWEST)).toEqual({ kind: 'adopted' });
        expect(await shape()).toMatchObject({ differences: [], gap: expect.any(String) });
        expect((await swapped(epoch)).kind).toBe('postponed');
        await t.write(10 + epoch, 'written meanwhile');
        await t.copy(epoch);
        await t.settle(epoch);
        await t.verified(epoch);
        await t.same();
        expect((await swapped(epoch)).kind).toBe('swapped');
      }
    });

    it('are refused with a reason where nothing is armed, and where the next swap would lose something', async () => {
      expect(await t.ports.capture.adopt(t.cutover, NEWEST)).toMatchObject({
        kind: 'refused',
        why: expect.any(String),
      });
      await t.started();
      await t.alter('in use');
      expect(await t.ports.capture.adopt(t.cutover, NEWEST)).toMatchObject({
        kind: 'refused',
        why: expect.any(String),
      });
      expect((await shape()).differences.length).toBeGreaterThan(0);
    });

    it('I9 are not taken over for an older state', async () => {
      await t.started();
      await t.alter('both');
      expect(await t.ports.capture.adopt(t.cutover, { epoch: 0, version: 0 })).toMatchObject({ kind: 'stale' });
      expect((await shape()).differences.length).toBeGreaterThan(0);
    });
  });
}
