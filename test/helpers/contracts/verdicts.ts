/** What every store of verdicts must do. Run against the one in memory and the one on DynamoDB. */

import { describe, expect, it } from 'vitest';
import type { Verdict } from '../../../lib/core/conditions/verdict.ts';
import type { VerdictStore } from '../../../lib/ports/state.ts';
import { EVIDENCE, type TestClock, VERDICT } from './state.ts';

export type VerdictHarness = {
  store: VerdictStore;
  /** The clock the store was given. */
  clock: TestClock;
};

export function verdictContract(name: string, make: () => Promise<VerdictHarness>): void {
  describe(`verdict store contract: ${name}`, () => {
    it('is null for a cutover that has none', async () => {
      const { store } = await make();
      expect(await store.read('customer')).toBeNull();
    });

    it('is overwritten by each tick', async () => {
      const { store } = await make();
      await store.write('customer', { atMs: 1_000, verdict: VERDICT, evidence: null });
      expect(await store.read('customer')).toEqual({ atMs: 1_000, verdict: VERDICT, evidence: null });
      const later = {
        atMs: 2_000,
        verdict: { ...VERDICT, verdict: 'advance', reasons: [] } as Verdict,
        evidence: EVIDENCE,
        flagsSeen: [{ version: 3, epoch: 1, flags: 12, atMs: 1_500 }],
      };
      await store.write('customer', later);
      expect(await store.read('customer')).toEqual(later);
      expect(await store.read('invoice')).toBeNull();
    });

    it('is not covered by that of a tick that was frozen and comes late', async () => {
      const { store } = await make();
      await store.write('customer', { atMs: 2_000, verdict: VERDICT, evidence: null });
      await store.write('customer', {
        atMs: 1_000,
        verdict: { ...VERDICT, verdict: 'rollback' },
        evidence: null,
      });
      expect(await store.read('customer')).toEqual({ atMs: 2_000, verdict: VERDICT, evidence: null });
    });

    it('of a clock that is far ahead is covered by the next, which an older one cannot cover', async () => {
      const { store, clock } = await make();
      const at = (minutes: number) => ({ atMs: clock.nowMs + minutes * 60_000, verdict: VERDICT, evidence: null });
      const [late, now, soon, ahead] = [at(-1), at(0), at(4), at(60)];
      for (const verdict of [ahead, now, late]) await store.write('customer', verdict);
      expect(await store.read('customer')).toEqual(now);
      for (const verdict of [soon, now]) await store.write('customer', verdict);
      expect(await store.read('customer')).toEqual(soon);
    });

    it('on many is read at once, each its own', async () => {
      const { store, clock } = await make();
      const ids = Array.from({ length: 60 }, (_, n) => `table_${n}`);
      const of = (n: number) => ({ atMs: clock.nowMs + n, verdict: VERDICT, evidence: n % 2 ? EVIDENCE : null });
      await Promise.all(ids.map((id, n) => store.write(id, of(n))));
      const found = await Promise.all([...ids, 'nobody', ids[7]!].map((id) => store.read(id)));
      expect(found).toEqual([...ids.map((_, n) => of(n)), null, of(7)]);
    });
  });
}
