/** Forwarded writes in memory, with the conditions of the real store. */

import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import { type Copy, type CopyHead, placeOfCopy } from '../../../lib/core/forwards/forward.ts';
import type { ForwardDelivery, ForwardStore } from '../../../lib/ports/forwards.ts';

type Stored = Copy & { claimedBy: string };

export type InMemoryForwards = ForwardStore & {
  realNow(): number;
  /** Everything that was not carried out, bodies included. */
  all(): readonly Copy[];
  /** While true every call throws `store_unavailable`. */
  unavailable(yes: boolean): void;
};

/** What a flow takes of it. */
export const forwardPorts = ({ intents, forwards, attempts, realNow }: InMemoryForwards) => ({
  intents,
  forwards,
  attempts,
  realNow,
});

/** Every side is away. */
export const nobodyThere: ForwardDelivery = async () => 'away';

export function inMemoryForwards({ realNow }: { realNow(): number }): InMemoryForwards {
  const copies = new Map<string, Stored>();
  const receipts = new Map<string, Pick<Copy, 'id' | 'side'>>();
  let down = false;
  const keyOf = (cutover: string, id: string) => `${cutover} ${id}`;
  const up = () => {
    if (down) throw new CrossfadeError('store_unavailable', 'The changes table was switched off.', { retryable: true });
  };
  const headOf = ({ body: _body, claimedBy: _by, ...head }: Stored): CopyHead => structuredClone(head);
  const listed = (cutover: string) =>
    [...copies.values()].filter((copy) => copy.cutover === cutover).sort((a, b) => (a.id < b.id ? -1 : 1));

  function change(cutover: string, id: string, allowed: (copy: Stored) => boolean, over: Partial<Stored>): boolean {
    up();
    const copy = copies.get(keyOf(cutover, id));
    if (!copy || !allowed(copy)) return false;
    copies.set(keyOf(cutover, id), { ...copy, ...over });
    return true;
  }
  /** Gone already counts as done. */
  function remove(cutover: string, id: string, allowed: (copy: Stored) => boolean): boolean {
    up();
    if (!placeOfCopy(id)) return false;
    const copy = copies.get(keyOf(cutover, id));
    if (copy && !allowed(copy)) return false;
    copies.delete(keyOf(cutover, id));
    return true;
  }
  const by = (who: string) => (copy: Stored) => copy.claimedBy === who;

  return {
    intents: {
      async intend(copy, options) {
        up();
        const { id, side } = copy;
        const key = keyOf(copy.cutover, id);
        const receipt = options && keyOf(copy.cutover, options.receipt);
        const first = receipt === undefined ? undefined : receipts.get(receipt);
        if (first || copies.has(key)) return { kind: 'repeated', ...(first ?? { id, side }) };
        if (receipt !== undefined) receipts.set(receipt, { id, side });
        copies.set(key, {
          ...structuredClone({ ...copy, body: null }),
          body: copy.body && copy.body.length > 0 ? Buffer.from(copy.body) : null,
          status: 'intended',
          known: false,
          attempts: 0,
          nextAttemptAtMs: 0,
          claimedUntilMs: 0,
          problem: null,
          bodyBytes: copy.body?.length ?? 0,
          claimedBy: '',
        });
        return { kind: 'recorded', id, side };
      },
      settle: async (cutover, id, status) =>
        change(cutover, id, (copy) => copy.status === 'intended' || copy.status === status, {
          status,
          known: status === 'ready',
        }),
      withdraw: async (cutover, id) => remove(cutover, id, (copy) => copy.status === 'intended'),
    },
    forwards: {
      async open(cutover, orderKey) {
        up();
        return listed(cutover)
          .filter((copy) => orderKey === undefined || copy.orderKey === orderKey)
          .map(headOf);
      },
      async summary(cutover) {
        up();
        const open = listed(cutover);
        return {
          open: open.length,
          quarantined: open.filter(({ status }) => status === 'quarantined').length,
          lagMs: Math.max(0, ...open.map(({ createdAtMs }) => realNow() - createdAtMs)),
          more: false,
        };
      },
      retry: async (cutover, id) =>
        change(cutover, id, (copy) => copy.status === 'quarantined', {
          status: 'ready',
          known: true,
          attempts: 0,
          nextAttemptAtMs: 0,
          problem: null,
        }),
      discard: async (cutover, id) => remove(cutover, id, (copy) => copy.status === 'quarantined'),
    },
    attempts: {
      async claim(cutover, id, claim) {
        const free = (copy: Stored) =>
          copy.status !== 'quarantined' &&
          copy.nextAttemptAtMs <= claim.nowMs &&
          (copy.claimedUntilMs <= claim.nowMs || copy.claimedBy === claim.by);
        const attempts = (copies.get(keyOf(cutover, id))?.attempts ?? 0) + 1;
        const claimed = change(cutover, id, free, { claimedBy: claim.by, claimedUntilMs: claim.untilMs, attempts });
        if (!claimed) return null;
        const copy = copies.get(keyOf(cutover, id))!;
        return { ...headOf(copy), body: copy.body };
      },
      known: async (cutover, id, who) => change(cutover, id, by(who), { status: 'ready', known: true }),
      postpone: async (cutover, id, who, untilMs) =>
        change(cutover, id, by(who), { nextAttemptAtMs: untilMs, claimedUntilMs: 0, claimedBy: '' }),
      quarantine: async (cutover, id, who, problem) =>
        change(cutover, id, by(who), { status: 'quarantined', problem, claimedUntilMs: 0, claimedBy: '' }),
      finish: async (cutover, id, who) => remove(cutover, id, by(who)),
    },
    realNow,
    all: () => [...copies.values()],
    unavailable: (yes) => {
      down = yes;
    },
  };
}
