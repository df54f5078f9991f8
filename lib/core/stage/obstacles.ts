/**
 * What stands in the way of a command that is legal: a stop, a freeze, the rules of others, missing proof, a missing second
 * person. Rolling back has no obstacle.
 */

import type { Condition } from '../conditions/condition.ts';
import { show } from '../conditions/show.ts';
import type { Verdict } from '../conditions/verdict.ts';
import type { CutoverState } from '../cutover/cutover.ts';
import { missingOf, missingText } from '../holds/existence.ts';
import { frozenText } from '../holds/freeze.ts';
import { switchHolds } from '../holds/switches.ts';
import { accept, type Context, type Decision, refuse, refuseFor } from './decision.ts';
import type { Command, CommandType } from './events.ts';

/** Commands that lead forward: refused while everything is stopped, or frozen. */
export const FORWARD: readonly CommandType[] = ['start', 'advance', 'complete'];

/** What forbids a stage to be left forward and is no matter of evidence: others' rules, and the cutover's own switches. */
export const barsOf = (state: CutoverState, { barred = [] }: Context): Condition[] => [
  ...barred.filter((condition) => !condition.ok),
  ...switchHolds(state),
];

/** What stands in the way of a command that is legal in this stage. Rolling back is always possible. */
export function obstacleTo(state: CutoverState, command: Command, context: Context): Decision | null {
  const { emergencyStop, frozen, barred = [] } = context;
  const returns = command.type === 'reads' && command.to === 'shadow';
  const forward = FORWARD.includes(command.type) || returns;
  if (emergencyStop && forward) {
    return refuse(
      'stopped',
      `Everything is stopped. '${command.type}' is possible again after 'crossfade reset system --confirm system'.`,
    );
  }
  if (frozen && (forward || command.type === 'cleanup')) {
    return refuse('frozen', `'${command.type}' must wait. ${frozenText(frozen)} Rolling back is possible.`, {
      window: frozen.name,
      untilMs: frozen.untilMs,
    });
  }
  // Where readers are is what this command changes, so it is no bar to it.
  const reasons = returns ? barred.filter((condition) => !condition.ok) : barsOf(state, context);
  if (!forward || reasons.length === 0) return null;
  return refuseFor(`'${command.type}' must wait.`, reasons);
}

export function approval(state: CutoverState, { actor, twoPerson }: Context): Decision {
  if (state.approved) return { kind: 'unchanged', why: 'approved already' };
  if (!twoPerson || (actor !== state.askedBy && actor !== state.started?.actor)) return accept({ type: 'approved' });
  return refuse(
    'self_approval',
    `Cutover '${state.id}' needs the approval of a second person: '${actor}' has ${actor === state.started?.actor ? 'started it' : 'asked for its last change'}.`,
  );
}

/** A refusal unless there is proof or force. Force skips evidence: never legality, the second person, or a shadow that is there. */
export function proven(
  state: CutoverState,
  command: Extract<Command, { verdict: Verdict | null }>,
  context: Context,
): Decision | null {
  if (command.force && context.twoPerson && !state.approved) {
    return refuse(
      'held',
      `Cutover '${state.id}' needs the approval of a second person, by force too: 'crossfade approve ${state.id}' by somebody else.`,
    );
  }
  if (command.force && !command.reason)
    return refuse('invalid_input', `'${command.type}' with force needs a reason: it is audited with your name.`);
  if (command.force) {
    const missing = missingOf(command.verdict);
    if (missing.length === 0) return null;
    const text = `Cutover '${state.id}' is held in stage '${state.stage}'. ${missingText(missing)}`;
    return refuse('held', text, { reasons: missing.map((one) => show(one)) });
  }
  if (command.verdict?.verdict === 'advance') return null;
  const held = `Cutover '${state.id}' is held in stage '${state.stage}'.`;
  const { verdict, reasons = [] } = command.verdict ?? {};
  if (reasons.length === 0) return refuse('held', `${held} There is no evidence yet.`, { reasons });
  return refuseFor(held, reasons, verdict === 'rollback');
}
