/** Forwarded writes in memory, with the conditions of the real store. */

import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import { type Forward, type ForwardHead, placeOfForward } from '../../../lib/core/forwards/forward.ts';
import type { ForwardDelivery, ForwardStore } from '../../../lib/ports/forwards.ts';
import { frozen } from './frozen.ts';

type Stored = Forward & { claimedBy: string };

export type InMemoryForwards = ForwardStore & {
  realNow(): number;
  /** Everything that was not carried out, bodies included. */
  all(): readonly Forward[];
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
  const forwards = new Map<string, Stored>();
  const receipts = new Map<string, Pick<Forward, 'id' | 'side'>>();
  let down = false;
  const keyOf = (cutover: string, id: string) => `${cutover} ${id}`;
  const up = () => {
    if (down) throw new CrossfadeError('store_unavailable', 'The changes table was switched off.', { retryable: true });
  };
  /** What is stored is replaced and never changed, so that one look at it serves all. */
  const heads = new WeakMap<Stored, ForwardHead>();
  function headOf(stored: Stored): ForwardHead {
    const known = heads.get(stored);
    if (known) return known;
    const { body: _body, claimedBy: _by, ...head } = stored;
    const made = frozen(structuredClone(head));
    heads.set(stored, made);
    return made;
  }
  const listed = (cutover: string) =>
    [...forwards.values()].filter((forward) => forward.cutover === cutover).sort((a, b) => (a.id < b.id ? -1 : 1));

  function change(cutover: string, id: string, allowed: (forward: Stored) => boolean, over: Partial<Stored>): boolean {
    up();
    const forward = forwards.get(keyOf(cutover, id));
    if (!forward || !allowed(forward)) return false;
    forwards.set(keyOf(cutover, id), { ...forward, ...over });
    return true;
  }
  /** Gone already counts as done. */
  function remove(cutover: string, id: string, allowed: (forward: Stored) => boolean): boolean {
    up();
    if (!placeOfForward(id)) return false;
    const forward = forwards.get(keyOf(cutover, id));
    if (forward && !allowed(forward)) return false;
    forwards.delete(keyOf(cutover, id));
    return true;
  }
  const by = (who: string) => (forward: Stored) => forward.claimedBy === who;

  return {
    intents: {
      async intend(forward, options) {
        up();
        const { id, side } = forward;
        const key = keyOf(forward.cutover, id);
        const receipt = options && keyOf(forward.cutover, options.receipt);
        const first = receipt === undefined ? undefined : receipts.get(receipt);
        if (first || forwards.has(key)) return { kind: 'repeated', ...(first ?? { id, side }) };
        if (receipt !== undefined) receipts.set(receipt, { id, side });
        forwards.set(key, {
          ...structuredClone({ ...forward, body: null }),
          body: forward.body && forward.body.length > 0 ? Buffer.from(forward.body) : null,
          status: 'intended',
          known: false,
          attempts: 0,
          nextAttemptAtMs: 0,
          claimedUntilMs: 0,
          problem: null,
          bodyBytes: forward.body?.length ?? 0,
          claimedBy: '',
        });
        return { kind: 'recorded', id, side };
      },
      settle: async (cutover, id, status) =>
        change(cutover, id, (forward) => forward.status === 'intended' || forward.status === status, {
          status,
          known: status === 'ready',
        }),
      withdraw: async (cutover, id) => remove(cutover, id, (forward) => forward.status === 'intended'),
    },
    forwards: {
      async open(cutover, orderKey) {
        up();
        return listed(cutover)
          .filter((forward) => orderKey === undefined || forward.orderKey === orderKey)
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
        change(cutover, id, (forward) => forward.status === 'quarantined', {
          status: 'ready',
          known: true,
          attempts: 0,
          nextAttemptAtMs: 0,
          problem: null,
        }),
      discard: async (cutover, id) => remove(cutover, id, (forward) => forward.status === 'quarantined'),
    },
    attempts: {
      async claim(cutover, id, claim) {
        const free = (forward: Stored) =>
          forward.status !== 'quarantined' &&
          forward.nextAttemptAtMs <= claim.nowMs &&
          (forward.claimedUntilMs <= claim.nowMs || forward.claimedBy === claim.by);
        const attempts = (forwards.get(keyOf(cutover, id))?.attempts ?? 0) + 1;
        const claimed = change(cutover, id, free, { claimedBy: claim.by, claimedUntilMs: claim.untilMs, attempts });
        if (!claimed) return null;
        const forward = forwards.get(keyOf(cutover, id))!;
        return { ...headOf(forward), body: forward.body };
      },
      known: async (cutover, id, who) => change(cutover, id, by(who), { status: 'ready', known: true }),
      postpone: async (cutover, id, who, untilMs) =>
        change(cutover, id, by(who), { nextAttemptAtMs: untilMs, claimedUntilMs: 0, claimedBy: '' }),
      quarantine: async (cutover, id, who, problem) =>
        change(cutover, id, by(who), { status: 'quarantined', problem, claimedUntilMs: 0, claimedBy: '' }),
      finish: async (cutover, id, who) => remove(cutover, id, by(who)),
    },
    realNow,
    all: () => [...forwards.values()],
    unavailable: (yes) => {
      down = yes;
    },
  };
}
