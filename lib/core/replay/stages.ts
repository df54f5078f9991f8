/**
 * What the gates would say today of the stages a cutover has been through: the stages from its audit log, the figures from
 * its stored windows, a look a minute, to the end of the stage or the first rollback. Tables, flags and people are not
 * stored by the minute, so only what the windows say is evaluated. Pure.
 */

import { MINUTE_MS } from '../base/units.ts';
import type { CutoverState, Policy } from '../cutover/cutover.ts';
import { isUnderWay } from '../cutover/stage-kinds.ts';
import { guardMinutes } from '../gates/absolute-guards.ts';
import { evaluateGates } from '../gates/evaluate.ts';
import type { Evidence } from '../gates/evidence.ts';
import { type WindowPart, wholeWindows } from '../gates/minute-window.ts';
import { stageDemands } from '../holds/demands.ts';
import type { AuditEntry } from '../stage/audit.ts';
import type { Event } from '../stage/events.ts';
import { staysIn } from '../stage/intervals.ts';
import { type ReplayedMinute, shownMinute } from './replay.ts';

/** One stay in a stage that the gates judge. `toMs` is null while it lasts. */
export type StageRun = { state: CutoverState; fromMs: number; toMs: number | null };

/** The stays in stages that the gates judge, oldest first, each up to the moment a switch was turned in it. @param entries the whole log, oldest first */
export function stageRuns(initial: CutoverState, entries: readonly AuditEntry<Event>[]): StageRun[] {
  return staysIn(initial, entries, isUnderWay).map(({ entered, fromMs, toMs, switchedAtMs }) => ({
    state: entered,
    fromMs,
    toMs: switchedAtMs ?? toMs,
  }));
}

/**
 * The verdict of every minute of a stay, counted from 1, the last one the first rollback; in the end the evidence, with which the next
 * stay begins, as in production.
 * @param parts of both sides, from an hour before the stay on, oldest first
 */
export function* replayRun(
  run: StageRun,
  policy: Policy,
  parts: readonly WindowPart[],
  { nowMs, evidence: before }: { nowMs: number; evidence: Evidence | null },
): Generator<ReplayedMinute, Evidence | null> {
  const state: CutoverState = { ...run.state, kind: 'component', paused: false, approved: true };
  const first = Math.floor(run.fromMs / MINUTE_MS) + 1;
  const last = Math.floor((run.toMs ?? nowMs) / MINUTE_MS) - 1;
  const windows = guardMinutes(policy) > 0 ? wholeWindows(parts.map(({ window }) => window)) : [];
  let evidence = before;
  for (let minute = first; minute <= last; minute += 1) {
    // Ticks come at the second of the minute in which one of them entered the stage.
    const atMs = (minute + 1) * MINUTE_MS + (run.fromMs % MINUTE_MS);
    // What is folded, or not over yet, is ignored.
    const evaluated = evaluateGates({
      state,
      policy,
      parts,
      evidence,
      table: null,
      flagsDeployed: true,
      nowMs: atMs,
      ...stageDemands({ policy, state, windows, nowMs: atMs }),
    });
    evidence = evaluated.evidence;
    yield shownMinute(minute - first + 1, evaluated.verdict);
    if (evaluated.verdict.verdict === 'rollback') break;
  }
  return evidence;
}
