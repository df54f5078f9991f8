/** How a cutover is: one judgement, and one word for it that status, page, explain and report show. Pure. */

import type { Condition } from '../conditions/condition.ts';
import { hasRole } from '../conditions/table.ts';
import type { Verdict } from '../conditions/verdict.ts';
import type { Switches } from '../cutover/cutover.ts';
import { nextStage, type StageKind } from '../cutover/plan.ts';
import { switchesText } from '../cutover/switches.ts';
import { isStopped, pendingWord } from '../stage/intents.ts';
import type { Blind } from './blind.ts';
import type { Judgement } from './snapshot.ts';

/**
 * `blind`: nothing was seen of it in the last minutes, so it is not known to be well. `stopped`: the emergency stop is on, and the next
 * tick rolls it back.
 */
export const HEALTHS = [
  'idle',
  'healthy',
  'held',
  'blind',
  'rolling_back',
  'rolled_back',
  'stopped',
  'ready',
  'done',
  'invalid',
] as const;
export type Health = (typeof HEALTHS)[number];

export function healthOf({ state, system, verdict }: Judgement, blind: Blind | null): Health {
  if (state.pending?.action === 'revert' || state.pending?.withdrawn) return 'rolling_back';
  if (isStopped(system, { stageKind: state.stageKind, pending: pendingWord(state) })) return 'stopped';
  switch (state.stageKind) {
    case 'disabled':
      return 'idle';
    case 'rolled_back':
      return 'rolled_back';
    case 'completed':
      return [...shapeReasons(verdict), ...cleanupReasons(verdict)].length > 0 ? 'held' : 'done';
    case 'cleaned':
      return 'done';
    default:
      if (verdict.verdict === 'rollback') return 'rolling_back';
      if (blind) return 'blind';
      if (verdict.verdict === 'advance') return nextStage(state)?.kind === 'completed' ? 'ready' : 'healthy';
      return verdict.reasons.every((reason) => needsOnlyTime(reason, verdict)) ? 'healthy' : 'held';
  }
}

/** What closes the way back of a promoted table, too. */
export const shapeReasons = ({ conditions }: Verdict) => conditions.filter((one) => hasRole(one, 'closes_way_back'));

/** What keeps the old side from being dropped. */
export const cleanupReasons = ({ conditions }: Verdict) =>
  conditions.filter((one) => !one.ok && hasRole(one, 'holds_cleanup'));

const FIRST_MINUTES = 5;

/**
 * Waiting for time, samples or the copy is the normal course, and so is a figure that does not exist yet in the first
 * minutes of a stage, or before the copy is done. Flags have these minutes to be deployed. Everything else is a hold worth a look.
 */
function needsOnlyTime(reason: Condition, verdict: Verdict): boolean {
  if (reason.code === 'flags') return verdict.evidence.minutesInStage < FIRST_MINUTES;
  if (hasRole(reason, 'normal_course')) return true;
  if (reason.seen !== null || reason.code === 'database') return false;
  const copying = verdict.reasons.some((other) => other.code === 'backfill');
  return verdict.evidence.minutesInStage < FIRST_MINUTES || (copying && reason.code === 'verification');
}

// ------------------------------------------------------------------------------------------------------------ words

const HEALTH_WORDS = {
  idle: 'not started',
  healthy: 'healthy',
  held: 'held',
  blind: 'no figures',
  rolling_back: 'rolling back',
  rolled_back: 'rolled back',
  stopped: 'stopped',
  ready: 'ready to complete',
  done: 'completed',
  invalid: 'unreadable',
} as const satisfies Record<Health, string>;

const PENDING = { promote: 'promotion', revert: 'rollback', rollback: 'rollback', cleanup: 'cleanup' } as const;

/** @param pending as `pendingWord` has it. @example pendingText('promote') // 'promotion' */
export const pendingText = (pending: string): string => PENDING[pending as keyof typeof PENDING] ?? pending;

type Standing = {
  health: Health;
  stageKind: StageKind;
  /** What is being carried out; null for nothing. */
  pending: string | null;
  paused: boolean;
  switches: Switches;
  blind: Blind | null;
};

/** @example healthText(report) // 'held', 'promotion under way', 'paused' */
export function healthText(standing: Standing): string {
  const { health, stageKind, pending, paused, blind } = standing;
  if (health === 'stopped') return HEALTH_WORDS.stopped;
  if (pending) return `${pendingText(pending)} under way`;
  if (health === 'held' && switchesText(standing).length > 0) return switchesText(standing).join(', ').toLowerCase();
  if (health === 'held' && paused) return 'paused';
  if (stageKind === 'cleaned') return 'finished';
  return health === 'done' && blind ? `${HEALTH_WORDS.done}, no figures` : HEALTH_WORDS[health];
}

export const unreadableText = HEALTH_WORDS.invalid;
