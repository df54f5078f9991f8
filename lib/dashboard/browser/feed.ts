/**
 * Figures of the page: asked for every few seconds while the page is visible. What was known last stays when no answer comes. The page as a
 * whole and one cutover are asked for on their own, and neither waits for the other.
 */

import { type Answer, ask } from './answers.ts';

export type Feed<Body> = {
  /** What arrived last, and when by this browser's two clocks: one that shows the time, one that never leaps. */
  last: { figures: Body; atMs: number; monotonicMs: number } | null;
  /** How many times as fast as the time of this browser that of the system runs: a demonstration hurries. */
  speed: number;
  /** Why the last question was answered by no figures; null when it was. */
  trouble: { why: string; atMs: number } | null;
};

export const NOTHING_YET: Feed<never> = { last: null, speed: 1, trouble: null };

const EVERY_MS = 5000;
/** When time runs faster, a minute would be missed between two looks. */
const EVERY_FAST_MS = 1500;
const PATIENCE_MS = 10_000;

export const everyMs = ({ speed }: Pick<Feed<unknown>, 'speed'>): number => (speed >= 3 ? EVERY_FAST_MS : EVERY_MS);

export type Following = {
  /** Looks at once instead of when it is due. */
  look(): void;
  end(): void;
};

/** Calls `show` after each answer. */
export function follow<Body extends { atMs: number }>(path: string, show: (feed: Feed<Body>) => void): Following {
  let feed: Feed<Body> = NOTHING_YET;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isAsking = false;
  let isOver = false;

  async function look(): Promise<void> {
    clearTimeout(timer);
    if (isAsking || isOver) return;
    isAsking = true;
    try {
      feed = await next(path, feed);
      if (!isOver) show(feed);
    } finally {
      isAsking = false;
      if (!document.hidden && !isOver) timer = setTimeout(look, everyMs(feed));
    }
  }
  const lookWhenVisible = () => {
    if (!document.hidden) look();
  };

  document.addEventListener('visibilitychange', lookWhenVisible);
  look();
  return {
    look,
    end() {
      isOver = true;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', lookWhenVisible);
    },
  };
}

async function next<Body extends { atMs: number }>(path: string, feed: Feed<Body>): Promise<Feed<Body>> {
  const answer = await ask<Body>(path, { signal: AbortSignal.timeout(PATIENCE_MS) });
  const atMs = Date.now();
  if (answer.kind === 'answered') {
    const last = { figures: answer.body, atMs, monotonicMs: performance.now() };
    return { last, speed: speedOf(last, feed), trouble: null };
  }
  return { ...feed, trouble: { why: whyOf(answer), atMs } };
}

function whyOf(answer: Exclude<Answer<unknown>, { kind: 'answered' }>): string {
  if (answer.kind === 'refused') return answer.why;
  return answer.isLate ? `no answer within ${PATIENCE_MS / 1000} s.` : 'the server cannot be reached.';
}

/** Two looks within half a second say nothing of the speed. */
function speedOf<Body extends { atMs: number }>(
  now: NonNullable<Feed<Body>['last']>,
  { last, speed }: Feed<Body>,
): number {
  const passedMs = last ? now.monotonicMs - last.monotonicMs : 0;
  return last && passedMs > 500 ? (now.figures.atMs - last.figures.atMs) / passedMs : speed;
}
