/** An intent that waits: what ends the waiting, and until when what a tick has stored of it counts. */

import { describe, expect, it } from 'vitest';
import { condition } from '../../../lib/core/conditions/condition.ts';
import type { PendingAction } from '../../../lib/core/cutover/cutover.ts';
import { GIVE_UP_AFTER_MS, pendingCondition, storedPending, waitingText } from '../../../lib/core/gates/pending.ts';
import { NOW, verdictOf } from '../../property/samples.ts';

const MINUTE_MS = 60_000;
const ASKED = NOW - 4 * MINUTE_MS;
const pendingOf = (over: Partial<PendingAction> = {}) =>
  ({ action: 'promote', actor: 'ada', sinceMs: ASKED, ...over }) as PendingAction;
const WITHDRAWN = { actor: 'bo', atMs: NOW - MINUTE_MS } as NonNullable<PendingAction['withdrawn']>;
const waiting = (pending: PendingAction | null, why: string | null = 'a lock is held') =>
  pendingCondition({ id: 'orders', pending }, why, NOW);

describe('an intent that waits', () => {
  it('is none before a tick has tried it, and where nothing is pending', () => {
    expect([waiting(null), waiting(pendingOf(), null)]).toEqual([[], []]);
  });

  it('is given up ten minutes after it was asked for, or withdrawn by a rollback', () => {
    const [one] = waiting(pendingOf());
    expect(one).toMatchObject({ code: 'pending', ok: false, seen: 4, limit: 10 });
    expect(one!.release).toEqual([
      { wait: 'give_up', untilMs: ASKED + GIVE_UP_AFTER_MS },
      { command: ['crossfade', 'rollback', 'orders', '--reason', '…'], does: 'withdraws it' },
    ]);
    expect(one!.says).toMatch(/^The promotion that ada asked for at .* waits: a lock is held\.$/);
  });

  it('that is a rollback has no other way out', () => {
    expect(waiting(pendingOf({ action: 'revert' }))[0]!.release).toEqual([
      { wait: 'give_up', untilMs: ASKED + GIVE_UP_AFTER_MS },
    ]);
  });

  it('and was withdrawn waits for the answer of the database, however long that takes', () => {
    const [one] = waiting(pendingOf({ withdrawn: WITHDRAWN }), 'nobody answers!');
    expect(one).toMatchObject({ seen: 1, limit: null, release: [{ wait: 'answer' }] });
    expect(one!.says).toMatch(
      /^The rollback that bo asked for at .* waits until the database says whether the promotion has happened: nobody answers! Nothing reads the shadow meanwhile\.$/,
    );
  });
});

describe('what a tick has stored of it', () => {
  const conditions = [
    condition('pending', { ok: false, seen: 1, limit: 10, says: 'waits' }),
    condition('lag', { ok: true, seen: 1, limit: 2 }),
  ];
  const stored = (pending: PendingAction | null, atMs: number) =>
    storedPending({ pending }, { atMs, verdict: { ...verdictOf('hold'), conditions } }).map(({ code }) => code);

  it('counts from the moment on in which it was asked for, or withdrawn', () => {
    expect([ASKED - 1, ASKED, NOW].map((atMs) => stored(pendingOf(), atMs))).toEqual([[], ['pending'], ['pending']]);
    const withdrawn = pendingOf({ withdrawn: WITHDRAWN });
    expect([ASKED, WITHDRAWN.atMs - 1, WITHDRAWN.atMs].map((atMs) => stored(withdrawn, atMs))).toEqual([
      [],
      [],
      ['pending'],
    ]);
    expect(stored(null, NOW)).toEqual([]);
    expect(storedPending({ pending: pendingOf() }, null)).toEqual([]);
  });

  it('is what a verdict says, if it says anything', () => {
    expect(waitingText({ conditions })).toContain('waits');
    expect(waitingText({ conditions: conditions.slice(1) })).toBe(null);
  });
});
