/**
 * One cutover at one moment: what was read of it, and what follows from that. A tick, a status, a phase and a command work on
 * these two types.
 */

import type { Alert } from '../alerts/alert.ts';
import type { Verdict } from '../conditions/verdict.ts';
import type { Observations } from '../cutover/criterion.ts';
import type { CutoverDeclaration, CutoverState, Policy, SystemState } from '../cutover/cutover.ts';
import type { ForwardsSummary } from '../forwards/forward.ts';
import type { Evidence } from '../gates/evidence.ts';
import type { MinuteWindow, WindowPart } from '../gates/minute-window.ts';
import type { FlagsSeen, StoredVerdict } from '../gates/stored-verdict.ts';
import type { TableStatus } from '../gates/table-status.ts';

/** What was read. Nothing of it is judged. */
export type Snapshot = {
  id: string;
  declaration: CutoverDeclaration;
  state: CutoverState;
  system: SystemState;
  /** The policy in force in this stage. */
  policy: Policy;
  /** What the last tick stored; null when it stored nothing, and when it cannot be read. */
  last: StoredVerdict | null;
  /** What the evidence, the rules and the guards look at, oldest first. */
  windows: readonly MinuteWindow[];
  /** The same by slice of the plan and kind of operation. */
  parts: readonly WindowPart[];
  /** Null for what is no table, and when the database could not be asked, or knows nothing of this cutover. */
  table: TableStatus | null;
  /** Why there is no status: what asking for it ended with. */
  tableProblem: string | null;
  /** Writes that the other side has still to get; null for tables, before the start, and when they could not be counted. */
  forwards: ForwardsSummary | null;
  /** True when the deployed flags carry this state's epoch and version. */
  flagsDeployed: boolean;
  /** Which flags carried its last states, and when that was seen; this look included. */
  flagsSeen: readonly FlagsSeen[];
  /** As stored: a rule that holds or rolls back may have to be broken for some minutes before it does. */
  alerts: readonly Alert[];
  /** Of its criteria: as stored, or as the tick has just seen them. */
  observations: Observations;
  /** Why the pending intent could not be carried out just now; null when nothing was tried. */
  waits: string | null;
  nowMs: number;
};

/** What follows from it. */
export type Judgement = Snapshot & {
  verdict: Verdict;
  /** The evidence to go on with. It is stored with the verdict by the tick, and by nothing else. */
  evidence: Evidence;
};
