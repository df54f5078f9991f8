/** What a person sees of forwarded writes and does about those in quarantine. Bodies and headers stay where they are. */

import { CrossfadeError } from '../../core/base/errors.ts';
import { type ForwardHead, placeOfForward } from '../../core/forwards/forward.ts';
import type { Ports } from '../../ports/ports.ts';

export type ListedForward = {
  id: string;
  side: ForwardHead['side'];
  status: ForwardHead['status'];
  method: string;
  /** Without the query, which may hold what others should not read. */
  path: string;
  /** What it keeps its order with: the key of a component's write, the resource of a service's. */
  key: string;
  ageMs: number;
  attempts: number;
  bodyBytes: number;
  idempotencyKey: string;
  problem: ForwardHead['problem'];
};

export type ForwardList = {
  open: number;
  quarantined: number;
  lagMs: number;
  more: boolean;
  /** Those in quarantine first, then the oldest. */
  forwards: readonly ListedForward[];
};

type Needs = Pick<Ports, 'forwards' | 'realNow' | 'log'>;

const LISTED = 200;

export async function listForwards(ports: Needs, cutover: string): Promise<ForwardList> {
  const [summary, heads] = await Promise.all([ports.forwards.summary(cutover), ports.forwards.open(cutover)]);
  const first = (head: ForwardHead) => (head.status === 'quarantined' ? 0 : 1);
  const forwards = [...heads].sort((a, b) => first(a) - first(b) || (a.id < b.id ? -1 : 1)).slice(0, LISTED);
  const nowMs = ports.realNow();
  return {
    ...summary,
    more: summary.more || heads.length > LISTED,
    forwards: forwards.map(({ request, createdAtMs, ...head }) => ({
      id: head.id,
      side: head.side,
      status: head.status,
      method: request.method,
      path: request.path,
      key: head.orderKey,
      ageMs: Math.max(0, nowMs - createdAtMs),
      attempts: head.attempts,
      bodyBytes: head.bodyBytes,
      idempotencyKey: head.idempotencyKey,
      problem: head.problem,
    })),
  };
}

export type ForwardAction = 'retry' | 'discard';

/**
 * `retry`: the authoritative side has it, so the other one gets it. `discard`: the other side shall not get it. `all`:
 * every one in quarantine. Repeating an action that was done changes nothing.
 * @throws CrossfadeError `not_found`, `conflict`
 */
export async function actOnForwards(
  ports: Needs,
  cutover: string,
  { action, which, actor }: { action: ForwardAction; which: { id: string } | { all: true }; actor: string },
): Promise<{ changed: number }> {
  const open = await ports.forwards.open(cutover);
  const chosen =
    'id' in which
      ? open.filter(({ id }) => id === which.id)
      : open.filter((forward) => forward.status === 'quarantined');
  if ('id' in which && chosen.length === 0) {
    throw new CrossfadeError(
      'not_found',
      placeOfForward(which.id)
        ? `No forwarded write '${which.id}' waits for cutover '${cutover}': it was carried out, discarded, or belongs to another one.`
        : `'${which.id.slice(0, 60)}' is no id of a forwarded write; 'crossfade forwards ${cutover}' lists them.`,
    );
  }
  let changed = 0;
  for (const { id } of chosen) {
    const done = await ports.forwards[action](cutover, id);
    if (done) changed += 1;
    else if ('id' in which)
      throw new CrossfadeError(
        'conflict',
        `The forwarded write '${id}' is not in quarantine: it is carried out by itself. Look again in a minute.`,
      );
    if (done) ports.log.event('forward_decided', { cutover, forward: id, action, actor });
  }
  return { changed };
}
