/**
 * Whether anything is seen of a cutover that serves: figures of the application, and ticks. Without them nothing is known to be well, so
 * no surface may show it as healthy. Pure.
 */

import { MINUTE_MS } from '../base/units.ts';
import { clock } from '../conditions/release.ts';
import { isUnderWay } from '../cutover/stage-kinds.ts';
import { FRESH_MINUTES } from '../gates/data-conditions.ts';
import type { Judgement } from './snapshot.ts';

export type Blind = {
  /** When the last was seen; null where none is known. */
  sinceMs: number | null;
  /** Since when, and what to look at. */
  text: string;
};

type Judged = Pick<Judgement, 'state' | 'verdict' | 'last' | 'windows' | 'nowMs'>;

/** Null while something is seen. */
export function blindOf(judged: Judged): Blind | null {
  const { state, nowMs } = judged;
  if (nowMs - state.enteredAtMs < FRESH_MINUTES * MINUTE_MS) return null;
  if (isUnderWay(state)) return withoutTicks(judged) ?? withoutFigures(judged);
  return state.stageKind === 'completed' ? withoutOperations(judged) : null;
}

function withoutTicks({ last, state, nowMs }: Judged): Blind | null {
  if (last && nowMs - last.atMs <= FRESH_MINUTES * MINUTE_MS) return null;
  const since = last && last.atMs >= state.enteredAtMs ? last.atMs : null;
  return {
    sinceMs: since,
    text: `No tick ${since === null ? 'in this stage' : `since ${clock(since)}`}: nothing advances and nothing rolls back. Look at the schedule of the tick and at its log.`,
  };
}

function withoutFigures({ verdict, nowMs }: Judged): Blind | null {
  const missing = verdict.conditions.find(({ code, ok }) => code === 'data_missing' && !ok);
  if (!missing) return null;
  const minutes = typeof missing.seen === 'number' ? missing.seen : null;
  const sinceMs = minutes === null ? null : nowMs - minutes * MINUTE_MS;
  return { sinceMs, text: `${missing.says} ${WHERE}` };
}

/** After promotion no gate asks for figures. */
function withoutOperations({ windows, nowMs }: Judged): Blind | null {
  const newest = windows.filter(({ count }) => count > 0).at(-1)?.minute;
  const sinceMs = newest === undefined ? null : (newest + 1) * MINUTE_MS;
  if (sinceMs !== null && nowMs - sinceMs <= FRESH_MINUTES * MINUTE_MS) return null;
  const since = sinceMs === null ? 'in the last hour' : `since ${clock(sinceMs)}`;
  return { sinceMs, text: `No operation was reported ${since}. ${WHERE}` };
}

const WHERE = 'Look whether the application runs and reaches /v1/outcomes.';
