/**
 * A clock for ages that outlive a call. The monotonic clock of a Lambda stands still while it is frozen, and the wall
 * clock can be put back: what passed is the larger of both, and never less than nothing.
 */

/** A freeze, or a step of the wall clock; below it is the unevenness of two clocks. */
const GAP_MS = 1_000;
const TURN = Promise.resolve();

/**
 * Milliseconds since some moment, those in which the process was frozen included. A wall clock that is put forward counts as a
 * freeze: flags are then read once more than they had to be. A process is frozen between two turns of its loop, so the
 * wall clock is read once in a turn.
 * @example const elapsedMs = elapsedClock(monotonicMs, Date.now); const startedMs = elapsedMs(); …; elapsedMs() - startedMs
 */
export function elapsedClock(monotonicMs: () => number, wallMs: () => number): () => number {
  // Fields, since variables would make a number of each moment.
  const at = { aheadMs: wallMs() - monotonicMs(), frozenMs: 0 };
  let isSameTurn = false;
  const endTurn = () => {
    isSameTurn = false;
  };

  function beginTurn(monotonic: number): void {
    isSameTurn = true;
    // Cheaper than queueMicrotask, which Node follows for its async hooks.
    void TURN.then(endTurn);
    const gapMs = wallMs() - monotonic - at.aheadMs;
    if (Math.abs(gapMs) <= GAP_MS) return;
    at.aheadMs += gapMs;
    if (gapMs > 0) at.frozenMs += gapMs;
  }

  return () => {
    const monotonic = monotonicMs();
    if (!isSameTurn) beginTurn(monotonic);
    return monotonic + at.frozenMs;
  };
}
