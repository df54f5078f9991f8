/** Hints and quarantine in memory. */

import { CrossfadeError } from '../../../../lib/core/base/errors.ts';
import type { Converging } from '../../../../lib/ports/converging.ts';
import { keyText, lagOf, type Memory, stale, type Table } from './memory.ts';

const ATTEMPTS = 5;

export const convergingIn = ({ clock, tables, table, hint }: Memory): Converging => ({
  async converge(id, epoch, limit) {
    if (!Number.isInteger(limit) || limit < 1 || limit > 10_000)
      throw new CrossfadeError('invalid_input', `converge takes 1 to 10000 hints, not ${limit}`);
    const it = table(id);
    return stale(it, epoch) ?? { kind: 'converged', ...apply(it, limit) };
  },
  async waiting() {
    return [...tables]
      .filter(([, it]) => it.known && it.mirror?.shadowWrites && it.hints.length > 0)
      .map(([id, it]) => ({ id, hints: it.hints.length, lagMs: lagOf(it, clock.now()) }));
  },
  async quarantined(id, { after = '', limit }) {
    const all = [...table(id).quarantine]
      .map(([key, { reason, attempts }]) => ({ key: keyText(key), sqlstate: '23514', reason, attempts }))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    const keys = all.filter(({ key }) => key > after).slice(0, limit);
    return {
      total: all.length,
      keys: keys.map((key) => ({ ...key, firstSeenMs: clock.now(), lastSeenMs: clock.now() })),
    };
  },
  async retryQuarantined(id, key) {
    const it = table(id);
    const keys = [...it.quarantine.keys()].filter((one) => key === null || keyText(one) === key);
    for (const one of keys) hint(it, one);
    return { enqueued: keys.length };
  },
  async discardQuarantined(id, key) {
    const { quarantine } = table(id);
    const keys = [...quarantine.keys()].filter((one) => keyText(one) === key);
    for (const one of keys) quarantine.delete(one);
    return { discarded: keys.length };
  },
});

/** Claims the oldest hints and makes the follower's rows equal, key by key. */
export function apply(it: Table, limit: number) {
  const counts = {
    claimed: 0,
    written: 0,
    deleted: 0,
    checked: 0,
    mismatched: 0,
    postponed: 0,
    quarantined: 0,
    remaining: 0,
  };
  const claimed = it.hints.splice(0, limit);
  counts.claimed = claimed.length;
  for (const key of new Set(claimed.map((hint) => hint.key))) {
    const wanted = it.authoritative.get(key);
    if (wanted !== undefined && it.blocked.has(key)) {
      const mine = claimed.filter((hint) => hint.key === key);
      const attempts = Math.max(...mine.map((hint) => hint.attempts)) + 1;
      if (attempts < ATTEMPTS) {
        it.hints.push(...mine.map((hint) => ({ ...hint, attempts })));
        counts.postponed += 1;
      } else {
        it.quarantine.set(key, { reason: 'the row does not fit the other side', attempts });
        counts.quarantined += 1;
      }
      continue;
    }
    it.quarantine.delete(key);
    counts.checked += 1;
    if (wanted === undefined) counts.deleted += it.follower.delete(key) ? 1 : 0;
    else if (it.follower.get(key) !== wanted) {
      it.follower.set(key, wanted);
      counts.written += 1;
    }
  }
  counts.remaining = it.hints.filter((hint) => hint.attempts === 0).length;
  return counts;
}
