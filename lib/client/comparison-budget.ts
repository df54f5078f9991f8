/**
 * How much comparing one cutover may do: so many a second, so many at once, and a share of the thread's time. What a
 * comparison took of the thread beyond its share is paid back by pausing, so a side that blocks for a second is left
 * alone for the twenty that follow.
 */

export type BudgetLimits = {
  perSecond: number;
  concurrency: number;
  /** Share of the thread's time, 0–1. */
  threadShare: number;
};

export type ComparisonBudget = {
  /** Null when a comparison may begin, which then has to end; else what is used up. */
  begin(nowMs: number): 'rate' | 'concurrency' | 'thread' | null;
  /** The thread was busy with a comparison for this long. */
  spend(threadMs: number): void;
  /** A second look is another comparison, which has to be made. */
  again(): void;
  end(): void;
  running(): number;
};

/** Thread time that may be saved up, in seconds of its share. */
const SAVED_SECONDS = 1;

export function comparisonBudget(limits: BudgetLimits): ComparisonBudget {
  let running = 0;
  let tokens = limits.perSecond;
  let threadMs = SAVED_SECONDS * 1_000 * limits.threadShare;
  let atMs = Number.NaN;

  function refill(nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - (Number.isNaN(atMs) ? nowMs : atMs));
    atMs = nowMs;
    tokens = Math.min(Math.max(1, limits.perSecond), tokens + (elapsedMs * limits.perSecond) / 1_000);
    threadMs = Math.min(SAVED_SECONDS * 1_000 * limits.threadShare, threadMs + elapsedMs * limits.threadShare);
  }

  return {
    begin(nowMs) {
      refill(nowMs);
      if (running >= limits.concurrency) return 'concurrency';
      if (threadMs <= 0) return 'thread';
      if (tokens < 1) return 'rate';
      tokens -= 1;
      running += 1;
      return null;
    },
    spend: (ms) => {
      threadMs -= ms;
    },
    again: () => {
      tokens -= 1;
    },
    end: () => {
      running -= 1;
    },
    running: () => running,
  };
}
