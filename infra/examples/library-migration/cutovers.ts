/**
 * library-migration: a service replaces its libraries one layer at a time, in five phases, each validated before the next
 * begins. Four triggers roll a component back by themselves: errors, latency against the old library, an absolute p95, and
 * availability. The two halves of the API layer share every request, so they are one cohort.
 */

import { type CutoverInput, defineCutovers } from '../../../lib/define/cutovers.ts';
import { definePhases, type PhaseInput } from '../../../lib/define/phases.ts';

const HOUR = 60;
const DAY = 24 * HOUR;

const component = (id: string, over: Partial<CutoverInput> = {}) =>
  ({
    id,
    kind: 'component',
    plan: 'canary',
    dwellMinutes: 2 * HOUR,
    policy: {
      errorRateRollback: 0.01,
      latencyIncreaseRollback: 0.2,
      p95LimitMs: 250,
      availabilityMin: 0.99,
      deadlineMinutes: 2 * DAY,
      onDeadline: 'rollback',
    },
    ...over,
  }) as CutoverInput;

export const libraryCutovers = defineCutovers(
  [
    component('config_loader'),
    component('logger'),
    component('database_client'),
    component('http_server', { cohort: 'api' }),
    component('request_validation', { cohort: 'api' }),
    component('websocket'),
    component('job_queue'),
    component('scheduler'),
  ],
  {
    freeze: [{ name: 'year end', from: '2026-12-18T16:00:00+01:00', to: '2027-01-04T08:00:00+01:00' }],
  },
);

/** The checkpoint between two phases, over the components of the one before. */
const checkpoint = (name: string) =>
  [
    { name: `${name}_errors`, errorRateMax: 0.01 },
    { name: `${name}_answers`, validationScoreMin: 0.995 },
    { name: `${name}_reviewed`, manual: 'The dashboard of the phase before was reviewed' },
  ] satisfies PhaseInput['validation'];

const CRITERIA: PhaseInput['criteria'] = [
  { name: 'all_at_100', sharePercentMin: 100 },
  { name: 'nothing_rolled_back', noRollback: true },
];

const phase = (name: string, cutovers: string[], before?: string): PhaseInput => ({
  name,
  cutovers,
  ...(before ? { after: [before], validation: checkpoint(before) } : {}),
  soakMinutes: DAY,
  criteria: CRITERIA,
  decision: 'automatic',
});

export default definePhases(
  [
    {
      ...phase('foundation', ['config_loader', 'logger']),
      preparation: [{ name: 'way_back_rehearsed', manual: 'A rollback was rehearsed in staging' }],
    },
    phase('data_layer', ['database_client'], 'foundation'),
    phase('api_layer', ['http_server', 'request_validation'], 'data_layer'),
    phase('realtime', ['websocket'], 'api_layer'),
    phase('background', ['job_queue', 'scheduler'], 'realtime'),
  ],
  libraryCutovers,
);
