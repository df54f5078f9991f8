/**
 * Checkpoint reports: one for each stay in a stage, closed by the decision that ended it, and one for each decision on the
 * cutover's phase. What was compared, what the evidence was, what was decided by whom, and what came or comes next.
 * Everything is taken from the audit logs and the stored windows, so a report says the same whenever it is asked for. Pure.
 */

import { MINUTE_MS } from '../base/units.ts';
import { type ShownCondition, show } from '../conditions/show.ts';
import type { SideFigures, TestEvidence, Verdict } from '../conditions/verdict.ts';
import type { CutoverState } from '../cutover/cutover.ts';
import { phaseChangeText } from '../cutover/phase.ts';
import { nextStage } from '../cutover/plan.ts';
import { syncsShadow } from '../cutover/stage-kinds.ts';
import { bucketedWindow } from '../gates/bucketed-window.ts';
import { figures } from '../gates/figures.ts';
import { type MinuteWindow, poolWindows } from '../gates/minute-window.ts';
import { sharePpmOf } from '../routing/flags.ts';
import type { AuditEntry } from '../stage/audit.ts';
import type { Event } from '../stage/events.ts';
import { staysIn } from '../stage/intervals.ts';

export type CheckpointDecision = {
  atMs: number;
  actor: string;
  kind: 'advance' | 'complete' | 'rollback' | 'cleanup';
  to: string;
  /** Evidence was skipped. */
  forced: boolean;
  reason: string | null;
};

/** How far a test had come: the evidence that the shadow is worse, and what would have proven it. */
export type Tested = Pick<TestEvidence, 'code' | 'evidence' | 'needed'>;

/** One stay in a stage that serves. */
export type Stay = { state: CutoverState; fromMs: number; toMs: number | null; decision: CheckpointDecision | null };

export type Checkpoint = {
  stage: string;
  sharePpm: number;
  fromMs: number;
  toMs: number | null;
  /** Both sides as their windows show them, of the last day of the stay at most; null when none is kept any more. */
  compared: {
    primary: SideFigures;
    shadow: SideFigures;
    checks: number;
    mismatches: number;
    minutes: number;
  } | null;
  /** Of the gates, at the end of the stay or now. Empty before reads are served. */
  tests: readonly Tested[];
  /** What holds the cutover; only of the stage it is in. */
  heldBy: readonly ShownCondition[];
  decision: CheckpointDecision | null;
  next: string;
};

export type PhaseCheckpoint = { phase: string; atMs: number; actor: string; decision: string; reason: string | null };

/** The stays in stages, oldest first. @param entries the whole log, oldest first */
export function staysOf(initial: CutoverState, entries: readonly AuditEntry<Event>[]): Stay[] {
  return staysIn(initial, entries, syncsShadow).map(({ last, fromMs, toMs, end }) => ({
    state: last,
    fromMs,
    toMs,
    decision: end && decisionOf(end.entry, end.after),
  }));
}

function decisionOf({ event, atMs, actor }: AuditEntry<Event>, after: CutoverState): CheckpointDecision {
  const by = { atMs, actor, to: after.stage, forced: false, reason: null };
  switch (event.type) {
    case 'advanced':
      return { ...by, kind: 'advance', forced: event.forced, reason: event.reason ?? null };
    case 'completed':
      return { ...by, kind: 'complete' };
    case 'cleaned':
      return { ...by, kind: 'cleanup' };
    case 'rolled_back':
    case 'reverted':
    case 'system_rolled_back':
      return { ...by, kind: 'rollback', reason: event.reason };
    default:
      return { ...by, kind: 'advance' };
  }
}

/**
 * @param windows of the stay's last day at most, oldest first
 * @param verdict of the last tick, for the stay that lasts
 */
export function checkpointOf(
  { state, fromMs, toMs, decision }: Stay,
  windows: readonly MinuteWindow[],
  tests: readonly Tested[],
  verdict: Verdict | null,
): Checkpoint {
  const first = Math.floor(fromMs / MINUTE_MS) + 1;
  const last = Math.floor((toMs ?? Number.POSITIVE_INFINITY) / MINUTE_MS);
  const inRange = windows.filter(({ minute }) => minute >= first && minute < last);
  const side = (name: 'primary' | 'shadow') =>
    poolWindows(
      first,
      name,
      inRange.filter((window) => window.side === name),
    );
  const [primary, shadow] = [side('primary'), side('shadow')];
  const heldBy = toMs === null && verdict?.verdict === 'hold' ? verdict.reasons : [];
  return {
    stage: state.stage,
    sharePpm: sharePpmOf(state),
    fromMs,
    toMs,
    compared:
      inRange.length === 0
        ? null
        : {
            primary: figures(bucketedWindow(primary)),
            shadow: figures(bucketedWindow(shadow)),
            checks: shadow.checks,
            mismatches: shadow.mismatches,
            minutes: new Set(inRange.map(({ minute }) => minute)).size,
          },
    tests,
    heldBy: heldBy.map((reason) => show(reason)),
    decision,
    next: nextOf(state, decision, verdict),
  };
}

function nextOf(state: CutoverState, decision: CheckpointDecision | null, verdict: Verdict | null): string {
  const { id } = state;
  if (decision?.kind === 'rollback') return `Repair the cause, then 'crossfade reset ${id}'.`;
  if (decision?.kind === 'cleanup') return 'Nothing: it is finished.';
  if (decision) return `Stage ${decision.to}.`;
  if (state.stageKind === 'completed') return `'crossfade cleanup ${id}' when the way back is not needed any more.`;
  const next = nextStage(state)?.name ?? 'completed';
  if (verdict?.verdict === 'rollback') return 'Back to the primary.';
  if (verdict?.verdict === 'advance') return `Stage ${next}: everything holds.`;
  return `Stage ${next}, once nothing holds it any more.`;
}

/** The decisions on a phase, oldest first. @param entries of the system's log */
export function phaseCheckpointsOf(phase: string, entries: readonly AuditEntry<Event>[]): PhaseCheckpoint[] {
  return entries.flatMap(({ event, atMs, actor }) =>
    event.type === 'phase_changed' && event.phase === phase
      ? [{ phase, atMs, actor, decision: phaseChangeText(event.change), reason: event.reason ?? null }]
      : [],
  );
}
