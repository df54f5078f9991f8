/**
 * aidis: five tables, in the order in which they are best moved: those that others refer to first, the one with the most at
 * stake in a wrong value (embeddings) last. One after the other: start the next when the one before is completed.
 * Stages are as long as the table's own rhythm asks for: a project is written a few times a day, an event every second.
 */

import { type CutoverInput, defineCutovers } from '../../../lib/define/cutovers.ts';

const HOUR = 60;
const DAY = 24 * HOUR;

/** Shortest stay in each stage of plan `gradual`, in minutes. */
type StageDurations = { dual_write: number; test_1: number; test_10: number; half_50: number; full_100: number };

const QUIET: StageDurations = { dual_write: 2 * DAY, test_1: DAY, test_10: DAY, half_50: DAY, full_100: 3 * DAY };
const STEADY: StageDurations = {
  dual_write: DAY,
  test_1: 4 * HOUR,
  test_10: 8 * HOUR,
  half_50: DAY,
  full_100: 2 * DAY,
};
const BUSY: StageDurations = { dual_write: DAY, test_1: HOUR, test_10: 4 * HOUR, half_50: 12 * HOUR, full_100: DAY };

const table = (id: string, dwellMinutes: StageDurations) =>
  ({
    id,
    kind: 'table',
    primary: `public.${id}`,
    shadow: `public.${id}_shadow`,
    plan: 'gradual',
    dwellMinutes,
  }) as const;

export const aidisCutovers = [
  table('projects', QUIET),
  table('sessions', STEADY),
  table('tasks', STEADY),
  { ...table('analytics_events', BUSY), columns: { feedback: { from: 'user_feedback' } } },
  // Nearest-neighbour answers are judged by people: the longest look at full share.
  { ...table('contexts', STEADY), dwellMinutes: { ...STEADY, half_50: 2 * DAY, full_100: 7 * DAY } },
] satisfies CutoverInput[];

export default defineCutovers(aidisCutovers);
