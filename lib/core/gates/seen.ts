/** What a verdict is found from: the input, and the windows of the stage pooled by side. */

import type { CutoverState, Policy } from '../cutover.ts';
import { type MinuteWindow, mergeWindows, poolWindows, type TableStatus } from '../evidence.ts';
import type { Stage } from '../plan.ts';
import type { Condition } from './verdict.ts';

export const MINUTE_MS = 60_000;
const READS = ['ramp', 'full'] as const;

export type GateInput = {
  state: CutoverState;
  policy: Policy;
  /** Minutes of both sides, oldest first, from an hour before the stage on. Those still open are ignored. */
  windows: readonly MinuteWindow[];
  /** Only for table cutovers; null when the database could not be asked. */
  table: TableStatus | null;
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
  stage: Stage | undefined;
  /** Minute of `nowMs`: still open. */
  openMinute: number;
  firstMinute: number;
  servesReads: boolean;
  primary: MinuteWindow;
  shadow: MinuteWindow;
  /** The primary to compare with: its minutes in the stage, or the hour before when it serves nothing any more. */
  baseline: MinuteWindow;
};

export function collect(input: GateInput): Seen {
  const { state, windows, nowMs } = input;
  const openMinute = Math.floor(nowMs / MINUTE_MS);
  // The minute in which the stage was entered belongs to both stages; it is history for this one.
  const firstMinute = Math.floor(state.enteredAtMs / MINUTE_MS) + 1;
  const closed = windows.filter((window) => window.minute < openMinute);
  const pool = (side: 'primary' | 'shadow', from: number, to: number) =>
    poolWindows(
      from,
      side,
      closed.filter((window) => window.side === side && window.minute >= from && window.minute < to),
    );
  const servesReads = (READS as readonly string[]).includes(state.stageKind);
  const primary = pool('primary', firstMinute, openMinute);
  return {
    input: { ...input, windows: closed },
    stage: state.plan.stages.find((stage) => stage.name === state.stage),
    openMinute,
    firstMinute,
    servesReads,
    primary,
    shadow: pool('shadow', firstMinute, openMinute),
    baseline:
      primary.count >= input.policy.minSamples
        ? primary
        : mergeWindows(pool('primary', firstMinute - 60, firstMinute), primary),
  };
}

export const minutesInStage = (seen: Seen) =>
  Math.max(0, (seen.input.nowMs - seen.input.state.enteredAtMs) / MINUTE_MS);

/** A pass that ended before this run of the cutover began says nothing about it. */
export function currentVerification(table: TableStatus | null, state: CutoverState) {
  const verification = table?.verification ?? null;
  if (!verification || table?.backfill.state !== 'done') return null;
  return state.stageKind === 'dual_write' && verification.atMs < state.enteredAtMs ? null : verification;
}

/** The latency from which an increase matters: the limit in per cent, and never less than the floor. */
export function slowest(referenceMs: number, increase: number, policy: Policy): number {
  return Math.max(referenceMs * (1 + increase), referenceMs + policy.latencyFloorMs);
}
