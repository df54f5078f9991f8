/** Everything that must hold to advance, each with value, limit, and what would release it. */

import { MINUTE_MS } from '../base/units.ts';
import { type Condition, condition } from '../conditions/condition.ts';
import { round } from '../conditions/figures.ts';
import { isUnderWay } from '../cutover/stage-kinds.ts';
import { dataConditions } from './data-conditions.ts';
import { earlyWarnings } from './early-warning.ts';
import type { TestedMetric } from './guards.ts';
import { operationConditions } from './operation-conditions.ts';
import { readConditions } from './read-conditions.ts';
import { minutesInStage, type Seen } from './seen.ts';
import { tableConditions } from './table-conditions.ts';

export function advanceConditions(seen: Seen, tested: readonly TestedMetric[]): Condition[] {
  const { state } = seen.input;
  if (!isUnderWay(state)) {
    return [
      condition('stage', {
        ok: false,
        seen: state.stage,
        limit: null,
        says: `Nothing advances by itself from stage ${state.stage}.`,
        release: { person: 'A command moves it on' },
      }),
    ];
  }
  return [
    dwell(seen),
    paused(seen),
    flags(seen),
    ...approval(seen),
    ...tableConditions(seen),
    ...dataConditions(seen),
    ...(seen.servesReads ? [...readConditions(seen, tested), ...operationConditions(seen)] : []),
    ...earlyWarnings(seen),
  ];
}

function dwell(seen: Seen): Condition {
  const minutes = minutesInStage(seen);
  const needed = seen.stage?.dwellMinutes ?? 0;
  return condition('dwell', {
    ok: minutes >= needed,
    seen: round(minutes),
    limit: needed,
    says: `${round(minutes)} of ${needed} minutes in stage ${seen.input.state.stage}.`,
    release: { wait: 'time', etaMs: Math.max(0, needed - minutes) * MINUTE_MS },
  });
}

function paused({ input }: Seen): Condition {
  const { state } = input;
  return condition('paused', {
    ok: !state.paused,
    seen: state.paused ? 'paused' : 'running',
    limit: 'running',
    says: state.paused ? 'Paused.' : 'Not paused.',
    release: { command: ['crossfade', 'resume', state.id], does: 'lets it go on' },
  });
}

/** TestedMetric before flags are published, so flags that a tick finds deployed have been so since the tick before. */
function flags({ input: { flagsDeployed } }: Seen): Condition {
  return condition('flags', {
    ok: flagsDeployed,
    seen: flagsDeployed ? 'deployed' : 'old',
    limit: 'deployed',
    says: flagsDeployed
      ? 'The flags of this stage are deployed.'
      : 'The flags of this stage are not deployed yet: they wait for the publisher.',
    release: { wait: 'every_tick' },
  });
}

function approval({ input: { state, policy } }: Seen): Condition[] {
  if (!policy.approvalRequired) return [];
  return [
    condition('approval', {
      ok: state.approved,
      seen: state.approved ? 'given' : 'missing',
      limit: 'given',
      says: state.approved ? 'Approved.' : 'Waits for an approval.',
      release: { command: ['crossfade', 'approve', state.id], does: 'lets it go on' },
    }),
  ];
}
