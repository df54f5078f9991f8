/**
 * The figures of the page: asked for every few seconds while the page is visible. What was known last stays when no answer comes.
 */

import type { DashboardData } from '../data.ts';
import { type Answer, ask } from './answers.ts';

export type Feed = {
  /** What arrived last, and when by this browser's two clocks: one that shows the time, one that never leaps. */
  last: { figures: DashboardData; atMs: number; monotonicMs: number } | null;
  /** How many times as fast as the time of this browser that of the system runs: a demonstration hurries. */
  speed: number;
  /** Why the last question was answered by no figures; null when it was. */
  trouble: { why: string; atMs: number } | null;
};

export const NOTHING_YET: Feed = { last: null, speed: 1, trouble: null };

const EVERY_MS = 5000;
/** When time runs faster, a minute would be missed between two looks. */
const EVERY_FAST_MS = 1500;
const PATIENCE_MS = 10_000;

export const everyMs = ({ speed }: Feed): number => (speed >= 3 ? EVERY_FAST_MS : EVERY_MS);

/** Calls `show` after each answer. Returns what looks at once instead of when it is due. */
export function follow(show: (feed: Feed) => void): () => void {
  let feed = NOTHING_YET;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isAsking = false;

  async function look(): Promise<void> {
    clearTimeout(timer);
    if (isAsking) return;
    isAsking = true;
    try {
      feed = await next(feed);
      show(feed);
    } finally {
      isAsking = false;
      if (!document.hidden) timer = setTimeout(look, everyMs(feed));
    }
  }

  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) look();
  });
  look();
  return look;
}

async function next(feed: Feed): Promise<Feed> {
  const answer = await ask<DashboardData>('dashboard/data', { signal: AbortSignal.timeout(PATIENCE_MS) });
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
function speedOf(now: NonNullable<Feed['last']>, { last, speed }: Feed): number {
  const passedMs = last ? now.monotonicMs - last.monotonicMs : 0;
  return last && passedMs > 500 ? (now.figures.atMs - last.figures.atMs) / passedMs : speed;
}
