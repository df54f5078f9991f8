/** What a person's command on a phase leads to. Force skips evidence, never the order of phases. */

import type { ErrorCode } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { MINUTE_MS } from '../base/units.ts';
import type { Condition } from '../conditions/condition.ts';
import { seenText, show } from '../conditions/show.ts';
import type { SystemState } from '../cutover/cutover.ts';
import type { Phase } from '../cutover/phase.ts';
import { stateOfPhase } from '../holds/phase-order.ts';
import { type Members, type PhaseStep, recommend, rollbackSteps, startConditions } from './step.ts';

export type PhaseCommand =
  | { type: 'check'; check: string; ok?: boolean }
  | { type: 'go'; force?: boolean; reason?: string }
  | { type: 'extend'; minutes: number; reason: string }
  | { type: 'rollback'; reason: string; confirm: string }
  | { type: 'reset'; confirm: string };

export type PhaseDecision =
  | { kind: 'accepted'; steps: readonly PhaseStep[] }
  | { kind: 'refused'; code: ErrorCode; message: string; details?: Readonly<Record<string, unknown>> };

export type Surroundings = { phases: readonly Phase[]; system: SystemState; members: Members; nowMs: number };

export function decidePhase(phase: Phase, command: PhaseCommand, around: Surroundings): PhaseDecision {
  const { name } = phase;
  const state = stateOfPhase(around.system, name);
  if ('confirm' in command && command.confirm !== name)
    return refuse('confirm_required', `'${command.type}' of phase '${name}' needs confirm to be '${name}'.`);
  const illegal = () =>
    refuse('illegal_transition', `Phase '${name}' is ${state.status}, where '${command.type}' is not possible.`);
  switch (command.type) {
    case 'check':
      return confirmed(phase, command);
    case 'go':
      if (around.system.emergencyStop)
        return refuse('stopped', "Everything is stopped until 'crossfade reset system --confirm system'.");
      if (command.force && !command.reason)
        return refuse('invalid_input', "'go' with force needs a reason: it is audited with your name.");
      return go(phase, command, around) ?? illegal();
    case 'extend': {
      if (state.status !== 'soaking') return illegal();
      const untilMs = Math.max(around.nowMs, state.soakUntilMs!) + command.minutes * MINUTE_MS;
      return one(name, { kind: 'extended', untilMs }, command.reason);
    }
    case 'rollback': {
      const steps = rollbackSteps(around.phases, around.system, name, command.reason);
      return steps.some((step) => step.phase === name) ? { kind: 'accepted', steps } : illegal();
    }
    case 'reset':
      return reset(phase, around) ?? illegal();
  }
}

function confirmed(
  phase: Phase,
  { check: wanted, ok = true }: Extract<PhaseCommand, { type: 'check' }>,
): PhaseDecision {
  const checks = [...phase.preparation, ...phase.validation, ...phase.criteria];
  const names = checks.map(({ name }) => name);
  const check = checks.find(({ name }) => name === wanted);
  if (!check) {
    const listed = names.join(', ') || 'none';
    return refuse(
      'not_found',
      `Phase '${phase.name}' has no such check.${didYouMean(wanted, names)} Its checks: ${listed}.`,
    );
  }
  if (!('manual' in check))
    return refuse('invalid_input', `Check '${wanted}' is evaluated by itself and needs no confirmation.`);
  return one(phase.name, { kind: ok ? 'confirmed' : 'withdrawn', check: wanted }, '');
}

/** Starts a phase that waits, or ends one that has soaked; null when neither is possible. */
function go(
  phase: Phase,
  { force = false, reason = '' }: Extract<PhaseCommand, { type: 'go' }>,
  { phases, system, members, nowMs }: Surroundings,
): PhaseDecision | null {
  const state = stateOfPhase(system, phase.name);
  if (state.status === 'waiting') {
    const missing = startConditions(phase, phases, system, members).filter(({ ok }) => !ok);
    // The order is no matter of evidence.
    const open = missing.filter(({ code }) => code === 'phase_before');
    const reasons = force ? open : missing;
    return reasons.length > 0 ? held(phase, reasons) : one(phase.name, { kind: 'started' }, reason);
  }
  if (state.status !== 'running' && state.status !== 'soaking') return null;
  const { decision, reasons } = recommend(phase, state, members, nowMs);
  return force || decision === 'go' ? one(phase.name, { kind: 'done' }, reason) : held(phase, reasons);
}

function reset(phase: Phase, { system, members }: Surroundings): PhaseDecision | null {
  if (stateOfPhase(system, phase.name).status !== 'rolled_back') return null;
  const busy = phase.cutovers.filter((id) => {
    const kind = members.get(id)?.state.stageKind;
    return kind !== 'disabled' && kind !== 'rolled_back';
  });
  if (busy.length === 0) return one(phase.name, { kind: 'reset' }, '');
  return refuse('conflict', `Phase '${phase.name}' cannot be reset while ${busy.join(', ')} are not rolled back.`);
}

function held(phase: Phase, reasons: readonly Condition[]): PhaseDecision {
  const why = reasons.map(seenText).join(' ');
  return refuse('held', `Phase '${phase.name}' cannot go on. ${why}`, { reasons: reasons.map((one) => show(one)) });
}

const one = (phase: string, change: PhaseStep['change'], reason: string): PhaseDecision => ({
  kind: 'accepted',
  steps: [{ phase, change, reason }],
});

const refuse = (code: ErrorCode, message: string, details?: Readonly<Record<string, unknown>>): PhaseDecision => ({
  kind: 'refused',
  code,
  message,
  ...(details ? { details } : {}),
});
