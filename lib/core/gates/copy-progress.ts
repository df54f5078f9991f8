/** How far the copy of a table has come, in figures and in words. The total is an estimate and is called one. Pure. */

import { count, duration } from '../conditions/figures.ts';
import type { BackfillProgress } from './table-status.ts';

export type CopyProgress = {
  /** 0–1; null where the estimate says nothing: there is none, or more rows are copied than it knows of. */
  fraction: number | null;
  /** At the present rate; null where it is not known. */
  etaSeconds: number | null;
  /** @example '896,000 of about 2,240,000 rows; 3,120/s; 7 min left' */
  text: string;
};

type Copied = Pick<BackfillProgress, 'state' | 'rowsDone' | 'rowsTotal' | 'rowsPerSecond'>;

/** @param group what stands between thousands */
export function copyProgress({ state, rowsDone, rowsTotal, rowsPerSecond }: Copied, group = ''): CopyProgress {
  const rows = count(rowsDone, group);
  if (state === 'none') return { fraction: null, etaSeconds: null, text: 'not begun' };
  if (state === 'done') return { fraction: 1, etaSeconds: null, text: `${rows} rows copied` };
  const known = rowsTotal > 0 && rowsDone <= rowsTotal;
  const moves = state === 'running' && rowsPerSecond > 0;
  const etaSeconds = known && moves ? Math.ceil((rowsTotal - rowsDone) / rowsPerSecond) : null;
  const total = count(rowsTotal, group);
  const parts = [
    known
      ? `${rows} of about ${total} rows`
      : `${rows} rows, ${rowsTotal > 0 ? `more than the ${total}` : 'none'} estimated`,
    ...(moves ? [`${count(Math.round(rowsPerSecond), group)}/s`] : []),
    state === 'running' ? leftText(etaSeconds, moves) : state,
  ];
  return { fraction: known ? rowsDone / rowsTotal : null, etaSeconds, text: parts.join('; ') };
}

function leftText(etaSeconds: number | null, moves: boolean): string {
  if (etaSeconds !== null) return `about ${duration(etaSeconds * 1_000)} left`;
  return moves ? 'no ETA yet' : 'not moving just now';
}
