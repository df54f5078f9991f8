/**
 * clambake: three components of a build pipeline move to their replacements, one a week: the planner, then the bundler that
 * reads its plans, then the executor that runs both. Each begins read-only (`CROSSFADE_READONLY`: what would be written to the
 * outside is logged instead), and none moves on a weekend.
 *
 *   week 1  planner   0 → 10 → 75 → 100 %      week 2  bundler   0 → 10 → 75 → 100 %      week 3  executor  0 → 25 → 100 %
 */

import { type CutoverInput, defineCutovers, type SharedInput } from '../../../lib/define/cutovers.ts';
import { definePhases, type PhaseInput } from '../../../lib/define/phases.ts';

const HOUR = 60;
const DAY = 24 * HOUR;

const component = (id: string, ramp: [string, number][]) =>
  ({
    id,
    kind: 'component',
    plan: { name: id, ramp },
    dwellMinutes: 12 * HOUR,
    policy: {
      // Back at 2 % more errors, at half as much latency again, or below 99 % of answers.
      errorRateRollback: 0.02,
      errorRateAdvance: 0.002,
      latencyIncreaseRollback: 0.5,
      latencyIncreaseAdvance: 0.2,
      availabilityMin: 0.99,
      // Longer than a weekend; a component that is not proven then has a problem that a person must see.
      deadlineMinutes: 5 * DAY,
    },
  }) satisfies CutoverInput;

const MAJORITY: [string, number][] = [
  ['test_10', 10],
  ['majority_75', 75],
  ['full_100', 100],
];

/** A pipeline is not watched on a weekend. */
const WEEKEND: SharedInput = {
  freeze: [
    { name: 'weekend', weekdays: ['fri'], from: '16:00', to: '24:00', timeZone: 'Europe/Berlin' },
    { name: 'weekend', weekdays: ['sat', 'sun'], from: '00:00', to: '24:00', timeZone: 'Europe/Berlin' },
  ],
};

export const clambakeCutovers = defineCutovers(
  [
    component('planner', MAJORITY),
    component('bundler', MAJORITY),
    {
      ...component('executor', [
        ['quarter_25', 25],
        ['full_100', 100],
      ]),
      // What runs other people's builds does not stay half-way.
      stages: { quarter_25: { deadlineMinutes: 4 * DAY, onDeadline: 'rollback' } },
    },
  ],
  WEEKEND,
);

const week = (name: string, over: Partial<PhaseInput> = {}) =>
  ({
    name: `week_${name}`,
    cutovers: [name],
    soakMinutes: 2 * DAY,
    preparation: [
      { name: `readonly_${name}`, manual: `The new ${name} ran read-only for a day, and its log was read` },
    ],
    criteria: [
      { name: 'all_at_100', reached: 'full' },
      { name: 'nothing_rolled_back', noRollback: true },
      { name: 'errors', errorRateMax: 0.02 },
      { name: 'answers_agree', validationScoreMin: 0.99 },
    ],
    decision: 'automatic',
    ...over,
  }) satisfies PhaseInput;

export default definePhases(
  [
    week('planner'),
    week('bundler', { after: ['week_planner'], validation: [{ name: 'planner_errors', errorRateMax: 0.02 }] }),
    week('executor', {
      after: ['week_bundler'],
      validation: [{ name: 'bundler_answers', validationScoreMin: 0.99 }],
      decision: 'person',
    }),
  ],
  clambakeCutovers,
);
