/** What a person sees of copies and does about those in quarantine. Bodies and headers stay where they are. */

import { CrossfadeError } from '../../core/base/errors.ts';
import { type CopyHead, placeOfCopy } from '../../core/forwards/forward.ts';
import type { Ports } from '../../ports/ports.ts';

export type ListedCopy = {
  id: string;
  side: CopyHead['side'];
  status: CopyHead['status'];
  method: string;
  /** Without the query, which may hold what others should not read. */
  path: string;
  /** What it keeps its order with: the key of a component's write, the resource of a service's. */
  key: string;
  ageMs: number;
  attempts: number;
  bodyBytes: number;
  idempotencyKey: string;
  problem: CopyHead['problem'];
};

export type CopyList = {
  open: number;
  quarantined: number;
  lagMs: number;
  more: boolean;
  /** Those in quarantine first, then the oldest. */
  copies: readonly ListedCopy[];
};

type Needs = Pick<Ports, 'forwards' | 'realNow' | 'log'>;

const LISTED = 200;

export async function listCopies(ports: Needs, cutover: string): Promise<CopyList> {
  const [summary, heads] = await Promise.all([ports.forwards.summary(cutover), ports.forwards.open(cutover)]);
  const first = (head: CopyHead) => (head.status === 'quarantined' ? 0 : 1);
  const copies = [...heads].sort((a, b) => first(a) - first(b) || (a.id < b.id ? -1 : 1)).slice(0, LISTED);
  const nowMs = ports.realNow();
  return {
    ...summary,
    more: summary.more || heads.length > LISTED,
    copies: copies.map(({ request, createdAtMs, ...head }) => ({
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

export type CopyAction = 'retry' | 'discard';

/**
 * `retry`: the authoritative side has it, copy it. `discard`: the other side shall not get it. `all`: every one in
 * quarantine. Repeating an action that was done changes nothing.
 * @throws CrossfadeError `not_found`, `conflict`
 */
export async function actOnCopies(
  ports: Needs,
  cutover: string,
  { action, which, actor }: { action: CopyAction; which: { id: string } | { all: true }; actor: string },
): Promise<{ changed: number }> {
  const open = await ports.forwards.open(cutover);
  const chosen =
    'id' in which ? open.filter(({ id }) => id === which.id) : open.filter((copy) => copy.status === 'quarantined');
  if ('id' in which && chosen.length === 0) {
    throw new CrossfadeError(
      'not_found',
      placeOfCopy(which.id)
        ? `No copy '${which.id}' waits for cutover '${cutover}': it was carried out, discarded, or belongs to another one.`
        : `'${which.id.slice(0, 60)}' is no id of a copy; 'crossfade copies ${cutover}' lists them.`,
    );
  }
  let changed = 0;
  for (const { id } of chosen) {
    const done = await ports.forwards[action](cutover, id);
    if (done) changed += 1;
    else if ('id' in which)
      throw new CrossfadeError(
        'conflict',
        `Copy '${id}' is not in quarantine: it is carried out by itself. Look again in a minute.`,
      );
    if (done) ports.log.event('copy_decided', { cutover, copy: id, action, actor });
  }
  return { changed };
}
