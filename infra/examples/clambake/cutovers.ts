/**
 * clambake: three components of a build pipeline move to their replacements, one a week: the planner, then the bundler that
 * reads its plans, then the executor that runs both. Each begins read-only (`CROSSFADE_READONLY`: what would be written to the
 * outside is logged instead), and none moves on a weekend. What the pipeline itself is measured by is a criterion of each:
 *
 *   planner    planning takes at most 2 s (alarm on its p95), no two plans claim the same work (alarm on conflicts)
 *   bundler    at least 95 % of the bundles succeed (alarm)
 *   executor   the workload is within 10 % of the optimal one (a program of the pipeline that computes it, asked over HTTP)
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

/** Alarms of the pipeline, in its own account: each watches a metric that the component publishes anyway. */
const alarm = (name: string) => `arn:aws:cloudwatch:eu-central-1:123456789012:alarm:clambake-${name}`;

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
    {
      ...component('planner', MAJORITY),
      criteria: [
        { name: 'planning_latency', alarm: alarm('planning-latency-above-2s'), onFailure: 'rollback' },
        { name: 'work_conflicts', alarm: alarm('work-conflicts'), onFailure: 'rollback' },
      ],
    },
    {
      ...component('bundler', MAJORITY),
      criteria: [{ name: 'bundle_success', alarm: alarm('bundle-success-below-95'), onFailure: 'rollback' }],
    },
    {
      ...component('executor', [
        ['quarter_25', 25],
        ['full_100', 100],
      ]),
      // What runs other people's builds does not stay half-way.
      stages: { quarter_25: { deadlineMinutes: 4 * DAY, onDeadline: 'rollback' } },
      // The optimum of a day is known only afterwards, so the check holds and does not take the executor back.
      criteria: [
        { name: 'workload', http: 'https://clambake.example.com/checks/workload-within-10-percent', everyMinutes: 30 },
      ],
    },
  ],
  WEEKEND,
);

/** @param own criteria of the cutover, under the name that they have there */
const week = (name: string, own: readonly string[], over: Partial<PhaseInput> = {}) =>
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
      ...own.map((criterion) => ({ name: criterion, criterion })),
    ],
    decision: 'automatic',
    ...over,
  }) satisfies PhaseInput;

export default definePhases(
  [
    week('planner', ['planning_latency', 'work_conflicts']),
    week('bundler', ['bundle_success'], {
      after: ['week_planner'],
      validation: [
        { name: 'planner_errors', errorRateMax: 0.02 },
        { name: 'planner_latency', criterion: 'planning_latency' },
      ],
    }),
    week('executor', ['workload'], {
      after: ['week_bundler'],
      validation: [
        { name: 'bundler_answers', validationScoreMin: 0.99 },
        { name: 'bundler_success', criterion: 'bundle_success' },
      ],
      decision: 'person',
    }),
  ],
  clambakeCutovers,
);
