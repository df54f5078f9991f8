/** What every store of forwarded writes must do. Run against the one in memory and DynamoDB. */

import { describe, expect, it } from 'vitest';
import { forwardId } from '../../../lib/core/forwards/forward.ts';
import type { ForwardStore, NewForward } from '../../../lib/ports/forwards.ts';

const NOW = 1_800_000_000_000;
/** What the store takes for now. */
export const CONTRACT_NOW = NOW + 100_000;

export function newForward(over: Partial<NewForward> & { n: number }): NewForward {
  const { n, ...rest } = over;
  const orderKey = rest.orderKey ?? 'conversations/7';
  const createdAtMs = rest.createdAtMs ?? NOW + n;
  return {
    id: forwardId(orderKey, `u${n}`, createdAtMs),
    cutover: 'chat',
    side: 'shadow',
    orderKey,
    createdAtMs,
    idempotencyKey: `key-${n}`,
    request: {
      method: 'POST',
      path: 'conversations/7/messages',
      query: 'a=1',
      headers: { 'content-type': 'text/plain' },
    },
    body: Buffer.from(`body ${n}`),
    ...rest,
  };
}

export function forwardContract(name: string, make: () => Promise<ForwardStore>): void {
  const claim = (by: string, nowMs = NOW + 10_000, untilMs = nowMs + 15_000) => ({ by, nowMs, untilMs });
  /** A forwarded write that the authoritative side has. */
  async function ready(store: ForwardStore, forward: NewForward): Promise<NewForward> {
    await store.intents.intend(forward);
    await store.intents.settle('chat', forward.id, 'ready');
    return forward;
  }

  describe(`forward contract: ${name}`, () => {
    it('an intent is there at once, whole, and nobody is at work on it', async () => {
      const store = await make();
      const { id, body, ...forward } = newForward({ n: 1 });
      expect(await store.intents.intend({ id, body, ...forward })).toEqual({ kind: 'recorded', id, side: 'shadow' });
      const fresh = { attempts: 0, nextAttemptAtMs: 0, claimedUntilMs: 0, known: false, problem: null };
      expect(await store.forwards.open('chat')).toEqual([
        { ...forward, ...fresh, id, status: 'intended', bodyBytes: 6 },
      ]);
      expect(await store.forwards.open('other')).toEqual([]);
    });

    it('the same id twice is one forwarded write', async () => {
      const store = await make();
      const forward = newForward({ n: 1 });
      const kinds = [await store.intents.intend(forward), await store.intents.intend(forward)].map(({ kind }) => kind);
      expect(kinds).toEqual(['recorded', 'repeated']);
      expect((await store.forwards.open('chat')).map(({ id }) => id)).toEqual([forward.id]);
    });

    it('the same receipt twice is one forwarded write, the first, even after it was carried out', async () => {
      const store = await make();
      const [first, again, other] = [1, 2, 3].map((n) => newForward({ n }));
      const receipt = { receipt: 'one' };
      const known = { id: first!.id, side: 'shadow' };
      expect(await store.intents.intend(first!, receipt)).toEqual({ kind: 'recorded', ...known });
      expect(await store.intents.intend({ ...again!, side: 'primary' }, receipt)).toEqual({
        kind: 'repeated',
        ...known,
      });
      expect(await store.intents.intend({ ...first!, cutover: 'other' }, receipt)).toMatchObject({ kind: 'recorded' });
      await store.intents.settle('chat', first!.id, 'ready');
      await store.attempts.claim('chat', first!.id, claim('a'));
      expect(await store.attempts.finish('chat', first!.id, 'a')).toBe(true);
      expect(await store.intents.intend(again!, receipt)).toEqual({ kind: 'repeated', ...known });
      expect(await store.intents.intend(other!, { receipt: 'two' })).toMatchObject({ kind: 'recorded', id: other!.id });
      expect((await store.forwards.open('chat')).map(({ id }) => id)).toEqual([other!.id]);
    });

    it('of many that ask under one receipt at once, one is recorded and all are told of it', async () => {
      const store = await make();
      const tries = await Promise.all(
        [1, 2, 3, 4].map((n) => store.intents.intend(newForward({ n }), { receipt: 'one' })),
      );
      const [open] = await store.forwards.open('chat');
      expect(tries.map(({ id }) => id)).toEqual(tries.map(() => open!.id));
      expect(tries.filter(({ kind }) => kind === 'recorded')).toHaveLength(1);
    });

    it('bodies of every size come back as they were: none, small, and beyond what an item takes', async () => {
      const store = await make();
      for (const [n, bytes] of [0, 1, 8_192, 8_193, 409_600, 1_500_000].entries()) {
        const body = bytes === 0 ? null : Buffer.alloc(bytes, n + 1);
        const { id } = await ready(store, newForward({ n, orderKey: `k${n}`, body }));
        const claimed = await store.attempts.claim('chat', id, claim('a'));
        expect([claimed!.bodyBytes, claimed!.body?.length ?? 0]).toEqual([bytes, bytes]);
        if (body) expect(Buffer.compare(Buffer.from(claimed!.body!), body)).toBe(0);
        expect(await store.attempts.finish('chat', id, 'a')).toBe(true);
      }
      expect(await store.forwards.open('chat')).toEqual([]);
    });

    it('are listed oldest first, of all keys or of one', async () => {
      const store = await make();
      for (const n of [3, 1, 2, 5, 4]) await store.intents.intend(newForward({ n, orderKey: n % 2 ? 'odd' : 'even' }));
      expect((await store.forwards.open('chat')).map(({ idempotencyKey }) => idempotencyKey)).toEqual(
        [1, 2, 3, 4, 5].map((n) => `key-${n}`),
      );
      expect((await store.forwards.open('chat', 'odd')).map(({ createdAtMs }) => createdAtMs - NOW)).toEqual([1, 3, 5]);
      expect(await store.forwards.summary('chat')).toEqual({ open: 5, quarantined: 0, lagMs: 99_999, more: false });
    });

    it('are counted for many cutovers at once, each its own', async () => {
      const store = await make();
      const cutovers = Array.from({ length: 7 }, (_, n) => `chat_${n}`);
      for (const [n, cutover] of cutovers.entries())
        for (let i = 0; i < n; i += 1) await store.intents.intend({ ...newForward({ n: 10 * n + i }), cutover });
      const counted = await Promise.all(
        [...cutovers, 'chat', 'chat_3'].map((cutover) => store.forwards.summary(cutover)),
      );
      expect(counted.map(({ open }) => open)).toEqual([0, 1, 2, 3, 4, 5, 6, 0, 3]);
      expect(counted[6]!.lagMs).toBe(100_000 - 60);
    });

    it('an intent can be settled or withdrawn, once; nothing else can', async () => {
      const store = await make();
      const [a, b, c] = [1, 2, 3].map((n) => newForward({ n }));
      for (const forward of [a!, b!, c!]) await store.intents.intend(forward);
      expect(await store.intents.settle('chat', a!.id, 'ready')).toBe(true);
      // The answer of the first try was lost.
      expect(await store.intents.settle('chat', a!.id, 'ready')).toBe(true);
      expect(await store.intents.settle('chat', a!.id, 'unsettled')).toBe(false);
      expect(await store.intents.withdraw('chat', a!.id)).toBe(false);
      expect(await store.intents.settle('chat', b!.id, 'unsettled')).toBe(true);
      expect(await store.intents.withdraw('chat', c!.id)).toBe(true);
      expect(await store.intents.settle('chat', c!.id, 'ready')).toBe(false);
      const open = await store.forwards.open('chat');
      expect(open.map(({ status, known }) => [status, known])).toEqual([
        ['ready', true],
        ['unsettled', false],
      ]);
    });

    it('only one of many gets a claim, until it ends', async () => {
      const store = await make();
      const { id } = await ready(store, newForward({ n: 1 }));
      const tries = await Promise.all(
        Array.from({ length: 8 }, (_, i) => store.attempts.claim('chat', id, claim(`w${i}`))),
      );
      const winners = tries.flatMap((forward, i) => (forward ? [`w${i}`] : []));
      expect(winners).toHaveLength(1);
      // The same claimer again: the answer of its first try was lost.
      expect(await store.attempts.claim('chat', id, claim(winners[0]!))).not.toBeNull();
      expect(await store.attempts.finish('chat', id, 'other')).toBe(false);
      expect(await store.attempts.claim('chat', id, claim('late', NOW + 25_001))).not.toBeNull();
      // Whoever lost its claim has no say any more.
      expect(await store.attempts.finish('chat', id, winners[0]!)).toBe(false);
      expect(await store.attempts.postpone('chat', id, winners[0]!, 0)).toBe(false);
      expect(await store.attempts.finish('chat', id, 'late')).toBe(true);
      expect(await store.attempts.finish('chat', id, 'late')).toBe(true);
    });

    it('a postponed one is free, and not due before its time', async () => {
      const store = await make();
      const { id } = await ready(store, newForward({ n: 1 }));
      await store.attempts.claim('chat', id, claim('a'));
      expect(await store.attempts.postpone('chat', id, 'a', NOW + 20_000)).toBe(true);
      expect(await store.attempts.claim('chat', id, claim('b', NOW + 19_999))).toBeNull();
      expect(await store.attempts.claim('chat', id, claim('b', NOW + 20_000))).toMatchObject({ attempts: 2 });
    });

    it('what turned out to be known is ready, and still its claimer’s', async () => {
      const store = await make();
      const forward = newForward({ n: 1 });
      await store.intents.intend(forward);
      await store.intents.settle('chat', forward.id, 'unsettled');
      await store.attempts.claim('chat', forward.id, claim('a'));
      expect(await store.attempts.known('chat', forward.id, 'b')).toBe(false);
      expect(await store.attempts.known('chat', forward.id, 'a')).toBe(true);
      expect(await store.forwards.open('chat')).toMatchObject([
        { status: 'ready', known: true, claimedUntilMs: NOW + 25_000 },
      ]);
    });

    it('quarantine: nobody claims it; a person retries or discards it', async () => {
      const store = await make();
      const problem = { code: 'refused' as const, text: 'answered 422', atMs: NOW };
      const [a, b] = [await ready(store, newForward({ n: 1 })), await ready(store, newForward({ n: 2 }))];
      for (const { id } of [a, b]) {
        expect(await store.forwards.retry('chat', id)).toBe(false);
        expect(await store.forwards.discard('chat', id)).toBe(false);
        await store.attempts.claim('chat', id, claim('a'));
        expect(await store.attempts.quarantine('chat', id, 'a', problem)).toBe(true);
        expect(await store.attempts.claim('chat', id, claim('b', NOW + 99_999))).toBeNull();
      }
      expect(await store.forwards.open('chat')).toMatchObject([
        { status: 'quarantined', problem },
        { status: 'quarantined' },
      ]);
      expect(await store.forwards.summary('chat')).toMatchObject({ open: 2, quarantined: 2 });
      expect([await store.forwards.retry('chat', a.id), await store.forwards.discard('chat', b.id)]).toEqual([
        true,
        true,
      ]);
      expect(await store.forwards.open('chat')).toMatchObject([
        { id: a.id, status: 'ready', attempts: 0, problem: null },
      ]);
    });

    it('what is no id of a forwarded write is nobody’s', async () => {
      const store = await make();
      for (const id of ['', 'x', '../y', `${NOW}.3`, `${NOW}.33.u`]) {
        expect(await store.intents.settle('chat', id, 'ready')).toBe(false);
        expect(await store.forwards.discard('chat', id)).toBe(false);
        expect(await store.attempts.claim('chat', id, claim('a'))).toBeNull();
      }
    });
  });
}
