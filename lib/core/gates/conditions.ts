/** Everything that must hold to advance, each with value, limit, and what would release it. */

import { type Condition, condition, round } from '../conditions/verdict.ts';
import { isUnderWay } from '../cutover/stage-kinds.ts';
import { dataConditions } from './data-conditions.ts';
import { earlyWarnings } from './early-warning.ts';
import type { Judged } from './guards.ts';
import { readConditions } from './read-conditions.ts';
import { minutesInStage, type Seen } from './seen.ts';
import { tableConditions } from './table-conditions.ts';

export function advanceConditions(seen: Seen, judged: readonly Judged[]): Condition[] {
  const { state } = seen.input;
  if (!isUnderWay(state)) {
    return [
      condition(
        'stage',
        false,
        state.stage,
        null,
        `Nothing advances by itself from stage ${state.stage}; a command moves it on.`,
      ),
    ];
  }
  return [
    dwell(seen),
    paused(seen),
    flags(seen),
    ...approval(seen),
    ...tableConditions(seen),
    ...dataConditions(seen),
    ...(seen.servesReads ? readConditions(seen, judged) : []),
    ...earlyWarnings(seen),
  ];
}

function dwell(seen: Seen): Condition {
  const minutes = minutesInStage(seen);
  const needed = seen.stage?.dwellMinutes ?? 0;
  const text = `${round(minutes)} of ${needed} minutes in stage ${seen.input.state.stage}.`;
  return condition('dwell', minutes >= needed, round(minutes), needed, text, 'Time releases it.');
}

function paused({ input }: Seen): Condition {
  const { state } = input;
  const text = state.paused ? `Paused; 'crossfade resume ${state.id}' lets it go on.` : 'Not paused.';
  return condition('paused', !state.paused, state.paused ? 'paused' : 'running', 'running', text);
}

/** Judged before flags are published, so flags that a tick finds deployed have been so since the tick before. */
function flags({ input: { flagsDeployed } }: Seen): Condition {
  const text = flagsDeployed
    ? 'The flags of this stage are deployed.'
    : 'The flags of this stage are not deployed yet; every tick tries again.';
  return condition('flags', flagsDeployed, flagsDeployed ? 'deployed' : 'old', 'deployed', text);
}

function approval({ input: { state, policy } }: Seen): Condition[] {
  if (!policy.approvalRequired) return [];
  const text = state.approved ? 'Approved.' : `Waits for 'crossfade approve ${state.id}'.`;
  return [condition('approval', state.approved, state.approved ? 'given' : 'missing', 'given', text)];
}
