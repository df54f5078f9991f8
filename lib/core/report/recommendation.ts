/** What to do with a cutover now, in one sentence, and the validation score that was really measured. */

import { percent, round } from '../conditions/figures.ts';
import { conditionText } from '../conditions/show.ts';
import { hasRole } from '../conditions/table.ts';
import type { Verdict } from '../conditions/verdict.ts';
import type { CutoverState, SystemState } from '../cutover/cutover.ts';
import { waitingText } from '../gates/pending.ts';
import { currentVerification } from '../gates/table-conditions.ts';
import type { TableStatus } from '../gates/table-status.ts';
import { droppedText, isStopped, pendingWord, STOPPED_TEXT } from '../stage/intents.ts';

/** Of the last complete pass for tables, of compared operations otherwise; null when nothing was compared. */
export function validationScoreOf(state: CutoverState, table: TableStatus | null, verdict: Verdict): number | null {
  if (state.kind === 'table') return currentVerification(table, state)?.score ?? null;
  const { checks, mismatches } = verdict.evidence;
  return checks > 0 ? 1 - mismatches / checks : null;
}

/** @param isOnCourse what is missing is only a matter of time */
export function recommendationOf(
  state: CutoverState,
  verdict: Verdict,
  system: Pick<SystemState, 'emergencyStop'>,
  isOnCourse: boolean,
): string {
  const { minutesToEligibility, shadow } = verdict.evidence;
  const seen =
    shadow.errorRate === null ? '' : ` The shadow fails ${percent(shadow.errorRate)} of ${shadow.count} operations.`;
  const pending = pendingWord(state);
  if (isStopped(system, { stageKind: state.stageKind, pending })) return `Wait: ${STOPPED_TEXT}.`;
  if (pending) return `Wait: ${waitingText(verdict) ?? `${pending} is under way.`}`;
  const dropped = droppedText(state);
  if (dropped) return dropped;
  switch (state.stageKind) {
    case 'disabled':
      return 'Start when the preview shows nothing that stands in the way.';
    case 'completed': {
      const changed = verdict.conditions.find((one) => hasRole(one, 'closes_way_back'));
      return changed
        ? `Look: ${conditionText(changed)}`
        : 'Watch the promoted side. Clean up when the way back is not needed any more.';
    }
    case 'cleaned':
      return 'Nothing: it is finished.';
    case 'rolled_back':
      return `Repair the cause, then reset: ${state.rollback?.reason ?? 'unknown'}`;
    default:
      break;
  }
  const [first] = verdict.reasons;
  if (verdict.verdict === 'rollback') return `Roll back: ${first ? conditionText(first) : 'a guard fired.'}`;
  if (verdict.verdict === 'advance')
    return state.stageKind === 'full' ? `Complete: everything holds.${seen}` : `Advance: everything holds.${seen}`;
  const waits = verdict.reasons.filter(({ code }) => code !== 'dwell');
  if (waits.length === 0) return `Wait ${round(minutesToEligibility)} minutes more.${seen}`;
  return `${isOnCourse ? 'Wait' : 'Hold'}: ${conditionText(waits[0]!)}${waits.length > 1 ? ` And ${waits.length - 1} more.` : ''}`;
}
