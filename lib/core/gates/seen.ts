/** What a verdict is found from: the input, and the folded evidence of the stage. */

import { MINUTE_MS } from '../base/units.ts';
import type { Condition } from '../conditions/condition.ts';
import type { CutoverState, Policy } from '../cutover/cutover.ts';
import { FULL_SHARE_PPM, type Plan, type Stage, type StageKind } from '../cutover/plan.ts';
import { isUnderWay } from '../cutover/stage-kinds.ts';
import { effectiveKind, evidenceSinceMs, readsShadow } from '../cutover/switches.ts';
import { sharePpmOf } from '../routing/flags.ts';
import { slicesOf } from '../routing/slices.ts';
import type { BucketedWindow } from './bucketed-window.ts';
import { EVIDENCE_SCHEMA, type Evidence, newEvidence, RECENT_MINUTES } from './evidence.ts';
import { fold } from './fold.ts';
import type { WindowPart } from './minute-window.ts';
import type { TableStatus } from './table-status.ts';

/** What tells how the primary usually is. */
export const HISTORY_MINUTES = 60;
/** A fold is rebuilt from at most so much of a stage. */
const REBUILT_MINUTES = 24 * 60;
/** A report that was not there so long after its minute does not come any more: the API takes none older than ten minutes. */
const LATE_MINUTES = 60;

export type GateInput = {
  state: CutoverState;
  policy: Policy;
  /** All parts of the minutes since `unfoldedFrom(…)`. Those that are folded or still open are ignored. */
  parts: readonly WindowPart[];
  /** Upper ends of the slices, as shares; those of the plan when left out. */
  ends?: readonly number[];
  /** Only for table cutovers; null when the database could not be asked. */
  table: TableStatus | null;
  /** Why there is no status: what asking for it ended with; null when the database knows nothing of this cutover. */
  tableProblem?: string | null;
  /** What was folded so far, from `resume`. Without it everything is folded again from the windows. */
  evidence?: Evidence | null;
  /** Comparisons of both sides must prove the validation score. */
  checksRequired?: boolean;
  /** True when the deployed flags carry this state's epoch and version. */
  flagsDeployed: boolean;
  nowMs: number;
  /** What others than the windows and the table demand: freeze windows, phases, alert rules. Every hold must be ok to advance. */
  holds?: readonly Condition[];
  /** Fired guards of others than the windows and the table; one is enough to roll back. */
  guards?: readonly Condition[];
};

export type Seen = {
  input: GateInput;
  /** With the minutes that are still open for what comes late; `closed` is without them, to be stored. */
  evidence: Evidence;
  closed: Evidence;
  stage: Stage | undefined;
  /** Minute of `nowMs`: still open. */
  openMinute: number;
  firstMinute: number;
  servesReads: boolean;
  /** What the stage is while its switches are as they are. */
  stageKind: StageKind;
  /** Share of the reads planned for the shadow, 0–1, and the upper ends of the slices; empty where no slices are known. */
  share: number;
  ends: readonly number[];
  primary: BucketedWindow;
  shadow: BucketedWindow;
};

/** The minute in which the stage was entered, or a switch was turned in it, belongs to what was before: it is history. */
export const firstMinuteOf = (state: Pick<CutoverState, 'enteredAtMs' | 'switches'>) =>
  Math.floor(evidenceSinceMs(state) / MINUTE_MS) + 1;

/** The parts of a policy that the fold compares with. What only decides at the end must not cost the evidence found so far. */
const FOLDED_LIMITS = [
  'errorRateRollback',
  'errorRateAdvance',
  'latencyIncreaseRollback',
  'latencyIncreaseAdvance',
  'latencyFloorMs',
  'validationScoreRollback',
  'warmUpMinutes',
] as const satisfies (keyof Policy)[];

/** Another stage, another entry, a switch or other limits need another fold. */
export function evidenceKey(state: CutoverState, policy: Policy): string {
  const limits = FOLDED_LIMITS.map((name) => policy[name]);
  return JSON.stringify([state.stage, evidenceSinceMs(state), state.epoch, sharePpmOf(state), endsOf(state), limits]);
}

/**
 * Where the fold goes on, and the first minute whose windows it needs. What was stored of another stage leaves its
 * baseline to the new one; what cannot be used is rebuilt from the windows.
 */
export function resume(
  stored: Evidence | null | undefined,
  state: CutoverState,
  policy: Policy,
  nowMs: number,
): { evidence: Evidence; fromMinute: number } {
  const key = evidenceKey(state, policy);
  const usable = stored?.schema === EVIDENCE_SCHEMA ? stored : null;
  if (usable?.key === key) return { evidence: usable, fromMinute: usable.closedThrough + 1 };
  const firstMinute = firstMinuteOf(state);
  const openMinute = Math.floor(nowMs / MINUTE_MS);
  const { closedThrough } = usable ?? { closedThrough: Number.NEGATIVE_INFINITY };
  // The stored fold ended before this stage began, and not long before: only the minutes in between are missing.
  if (usable && closedThrough < firstMinute && closedThrough >= openMinute - HISTORY_MINUTES) {
    return { evidence: newEvidence(key, usable, closedThrough), fromMinute: closedThrough + 1 };
  }
  const fromMinute = Math.max(firstMinute, openMinute - (isUnderWay(state) ? REBUILT_MINUTES : 0)) - HISTORY_MINUTES;
  return { evidence: newEvidence(key), fromMinute };
}

/**
 * The first minute whose windows are needed to go on from the last verdict. Of a cutover without traffic nothing is folded,
 * however long it stands: it is asked for what the last look could not see yet, and not for all of its life every minute.
 */
export function unfoldedFrom(
  last: { evidence: Evidence | null; atMs: number } | null,
  state: CutoverState,
  policy: Policy,
  nowMs: number,
): number {
  const { evidence, fromMinute } = resume(last?.evidence, state, policy, nowMs);
  if (!last || evidence !== last.evidence) return fromMinute;
  return Math.max(fromMinute, Math.floor(Math.min(last.atMs, nowMs) / MINUTE_MS) - LATE_MINUTES);
}

/** A look asks for them four times, of the very same plan. */
const ENDS = new WeakMap<Plan, readonly number[]>();

/** As shares; none for a plan of one slice. */
function endsOf({ plan }: Pick<CutoverState, 'plan'>): readonly number[] {
  const known = ENDS.get(plan);
  if (known) return known;
  const slices = slicesOf(plan, plan.holdBackPpm ?? 0);
  const ends = slices.length > 1 ? slices.map((ppm) => ppm / FULL_SHARE_PPM) : [];
  ENDS.set(plan, ends);
  return ends;
}

export function collect(input: GateInput): Seen {
  const { state, policy, parts, nowMs } = input;
  const openMinute = Math.floor(nowMs / MINUTE_MS);
  const firstMinute = firstMinuteOf(state);
  const share = sharePpmOf(state) / 1_000_000;
  const stageKind = effectiveKind(state);
  const ends = input.ends ?? endsOf(state);
  const { evidence: before } = resume(input.evidence, state, policy, nowMs);
  const { closed, now } = fold(before, parts, {
    key: before.key,
    policy,
    stageKind,
    share,
    ends,
    runMinute: state.started && Math.floor(state.started.atMs / MINUTE_MS),
    firstMinute,
    openMinute,
    flagsDeployed: input.flagsDeployed,
  });
  const looked = (evidence: Evidence) => (input.table ? withLook(evidence, openMinute, input.table) : evidence);
  const evidence = looked(now);
  return {
    input,
    evidence,
    closed: looked(closed),
    stage: state.plan.stages.find((stage) => stage.name === state.stage),
    openMinute,
    firstMinute,
    servesReads: readsShadow(state),
    stageKind,
    share,
    ends,
    primary: evidence.primary,
    shadow: evidence.shadow,
  };
}

/** The first look of a minute counts. Looks from the future were those of a clock that was wrong. */
function withLook(evidence: Evidence, minute: number, table: TableStatus): Evidence {
  const { lagMs, outboxRows, connections, backfill } = table;
  const looks = evidence.looks.filter((look) => look.minute <= minute);
  if (looks.at(-1)?.minute === minute) return evidence;
  const share = connections && { connections: connections.used / connections.most };
  return {
    ...evidence,
    looks: [...looks, { minute, lagMs, outboxRows, rowsCopied: backfill.rowsDone, ...share }].slice(-RECENT_MINUTES),
  };
}

export const minutesInStage = (seen: Seen) =>
  Math.max(0, (seen.input.nowMs - evidenceSinceMs(seen.input.state)) / MINUTE_MS);

/** The latency from which an increase matters: the limit in per cent, and never less than the floor. */
export function slowest(referenceMs: number, increase: number, policy: Policy): number {
  return Math.max(referenceMs * (1 + increase), referenceMs + policy.latencyFloorMs);
}
