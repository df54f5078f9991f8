/**
 * Notices calls that do not end. A timer for each call would cost more than everything else that is done for it, so one
 * looks at all of them, four times a second while there are any.
 */

export type Overdue = {
  /** Calls `tell` once when `dueMs` is over, up to a quarter of a second late. What is returned ends it. */
  watch(dueMs: number, tell: () => void): () => void;
};

const LOOK_MS = 250;

/** @param now monotonic milliseconds, which `dueMs` is in */
export function overdueWatch(now: () => number): Overdue {
  const watched = new Set<{ dueMs: number; tell: () => void }>();
  let isLooking = false;

  function look(): void {
    const nowMs = now();
    for (const one of watched) {
      if (nowMs < one.dueMs) continue;
      watched.delete(one);
      one.tell();
    }
    isLooking = watched.size > 0;
    if (isLooking) setTimeout(look, LOOK_MS).unref?.();
  }

  return {
    watch(dueMs, tell) {
      const one = { dueMs, tell };
      watched.add(one);
      if (!isLooking) {
        isLooking = true;
        setTimeout(look, LOOK_MS).unref?.();
      }
      return () => void watched.delete(one);
    },
  };
}
