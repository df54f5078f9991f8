/** No data is never good news: windows that are missing, old, empty or impossible hold. */

import { MINUTE_MS } from '../base/units.ts';
import { type Condition, condition } from '../conditions/condition.ts';
import { percent } from '../conditions/figures.ts';
import { GRACE_MINUTES } from './fold.ts';
import type { Seen } from './seen.ts';

/** A window older than this is missing. */
export const FRESH_MINUTES = 3;

export function dataConditions(seen: Seen): Condition[] {
  return [
    ...expectedSides(seen).map((side) => fresh(seen, side)),
    ...possible(seen),
    ...traffic(seen),
    ...inTime(seen),
  ];
}

/** At 100 % the primary serves nothing, before reads the shadow does not; in between both must report. */
function expectedSides({ stageKind, servesReads }: Seen): readonly ('primary' | 'shadow')[] {
  if (stageKind === 'full') return ['shadow'];
  return servesReads ? ['primary', 'shadow'] : ['primary'];
}

function fresh({ evidence, openMinute }: Seen, side: 'primary' | 'shadow'): Condition {
  const newest = evidence.active[side];
  const age = newest === null ? null : openMinute - newest;
  return condition('data_missing', {
    ok: age !== null && age <= FRESH_MINUTES,
    seen: age,
    limit: FRESH_MINUTES,
    says:
      age === null
        ? `No operation of the ${side} was recorded. Is the SDK wired in, and does it reach /v1/outcomes?`
        : `The last operation of the ${side} was recorded ${age} minutes ago; at most ${FRESH_MINUTES} are allowed.`,
    release: { wait: 'operations' },
  });
}

function possible({ evidence, openMinute }: Seen): Condition[] {
  const { impossible } = evidence;
  if (!impossible || impossible.minute < openMinute - GRACE_MINUTES) return [];
  return [
    condition('data_missing', {
      ok: false,
      seen: openMinute - impossible.minute,
      limit: GRACE_MINUTES,
      says: `A window that cannot be true was not counted (${impossible.why}).`,
      release: { wait: 'possible_windows', etaMs: GRACE_MINUTES * MINUTE_MS },
    }),
  ];
}

/** What came too late was never judged: failures may be among it. */
function inTime({ evidence, openMinute }: Seen): Condition[] {
  const last = evidence.recent.filter(({ minute }) => minute >= openMinute - LATE_MINUTES);
  const late = last.reduce((sum, minute) => sum + (minute.late ?? 0), 0);
  const counted = last.reduce((sum, { n0, n1 }) => sum + n0 + n1, 0);
  if (late <= MOST_LATE * (counted + late)) return [];
  return [
    condition('late_reports', {
      ok: false,
      seen: late / (counted + late),
      limit: MOST_LATE,
      says: `${late} of ${counted + late} operations of the last ${LATE_MINUTES} minutes were reported more than ${GRACE_MINUTES} minutes after their minute, when that was judged already; at most ${percent(MOST_LATE)} may. Do their hosts flush, and are their clocks right?`,
      release: { wait: 'reports_in_time' },
    }),
  ];
}

const MOST_LATE = 0.01;
const LATE_MINUTES = 10;

function traffic({ evidence, openMinute }: Seen): Condition[] {
  const last = evidence.recent.filter(({ minute }) => minute >= openMinute - FRESH_MINUTES);
  const operations = last.reduce((sum, { n0, n1 }) => sum + n0 + n1, 0);
  if (last.length === 0 || operations > 0) return [];
  return [
    condition('no_traffic', {
      ok: false,
      seen: 0,
      limit: 1,
      says: `Neither side served an operation in ${FRESH_MINUTES} minutes.`,
      release: { wait: 'traffic' },
    }),
  ];
}
