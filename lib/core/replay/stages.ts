/**
 * What the gates would say today of the stages a cutover has been through: the stages from its audit log, the figures from
 * its stored windows, a look a minute, to the end of the stage or the first rollback. Tables, flags and people are not
 * stored by the minute, so only what the windows say is evaluated. Pure.
 */

import type { Alert } from '../alerts/alert.ts';
import { rulesOf } from '../alerts/rule.ts';
import { demands, evaluateRules } from '../alerts/watch.ts';
import { MINUTE_MS } from '../base/units.ts';
import type { Verdict } from '../conditions/verdict.ts';
import { type AlertRule, metricOf } from '../cutover/alert-rule.ts';
import type { CutoverDeclaration, CutoverState, Policy } from '../cutover/cutover.ts';
import { type Check, UNTOUCHED_PHASE } from '../cutover/phase.ts';
import { isUnderWay } from '../cutover/stage-kinds.ts';
import { guardMinutes } from '../gates/absolute-guards.ts';
import { evaluateGates } from '../gates/evaluate.ts';
import type { Evidence } from '../gates/evidence.ts';
import { type WindowPart, wholeWindows } from '../gates/minute-window.ts';
import { stageDemands } from '../holds/demands.ts';
import { freezeCondition } from '../holds/freeze.ts';
import { evaluateCheck } from '../phases/checks.ts';
import type { AuditEntry } from '../stage/audit.ts';
import type { Event } from '../stage/events.ts';
import { staysIn } from '../stage/intervals.ts';
import { type ReplayedCriterion, type ReplayedMinute, shownMinute } from './replay.ts';

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
 * @param before when now is, the evidence of the stay before, and the declaration: its alert rules, its freeze windows, and the criteria of its
 *   phase. Without one only the gates are asked
 */
export function* replayRun(
  run: StageRun,
  policy: Policy,
  parts: readonly WindowPart[],
  {
    nowMs,
    evidence: before,
    declaration = null,
  }: { nowMs: number; evidence: Evidence | null; declaration?: CutoverDeclaration | null },
): Generator<ReplayedMinute, Evidence | null> {
  const state: CutoverState = { ...run.state, kind: 'component', paused: false, approved: true };
  const first = Math.floor(run.fromMs / MINUTE_MS) + 1;
  const last = Math.floor((run.toMs ?? nowMs) / MINUTE_MS) - 1;
  const rules = rulesOf(policy, declaration?.alerts ?? []).filter(isOfWindows);
  const looksBack = rules.length > 0 || guardMinutes(policy) > 0;
  const windows = looksBack ? wholeWindows(parts.map(({ window }) => window)) : [];
  let evidence = before;
  let fired: readonly Alert[] = [];
  for (let minute = first; minute <= last; minute += 1) {
    // Ticks come at the second of the minute in which one of them entered the stage.
    const atMs = (minute + 1) * MINUTE_MS + (run.fromMs % MINUTE_MS);
    const seen = { state, policy, windows, nowMs: atMs };
    const sample = { ...seen, table: null, flagsDeployed: true, verdict: null, rolledBack: null };
    const [ofStage, ofRules] = [stageDemands(seen), demands(rules, fired, sample)];
    fired = evaluateRules(rules, fired, sample);
    const frozen = freezeCondition(declaration?.freeze ?? [], atMs);
    // What is folded, or not over yet, is ignored.
    const evaluated = evaluateGates({
      state,
      policy,
      parts,
      evidence,
      table: null,
      flagsDeployed: true,
      nowMs: atMs,
      holds: [...(frozen ? [frozen] : []), ...ofStage.holds, ...ofRules.holds],
      guards: [...ofStage.guards, ...ofRules.guards],
    });
    evidence = evaluated.evidence;
    const ofPhase = declaration?.phase ? criteriaOf(declaration, run.state, evaluated.verdict, atMs) : [];
    const shown = shownMinute(minute - first + 1, evaluated.verdict);
    yield ofPhase.length > 0 ? { ...shown, phase: ofPhase } : shown;
    if (evaluated.verdict.verdict === 'rollback') break;
  }
  return evidence;
}

/** The criteria of its phase that state and windows speak of, asked of this cutover alone, as the end of the phase asks them. */
function criteriaOf(
  declaration: CutoverDeclaration,
  state: CutoverState,
  verdict: Verdict,
  nowMs: number,
): readonly ReplayedCriterion[] {
  const member = { state, verdict, table: null, declaration, observations: {}, nowMs };
  return declaration.phase!.criteria.filter(isReplayed(state)).map((check) => {
    const { ok, seen, limit, says } = evaluateCheck(check, UNTOUCHED_PHASE, [member]);
    return { name: check.name, ok, value: seen, limit, says };
  });
}

/** Of a table only the verification knows how much agrees. */
const isReplayed =
  ({ kind }: CutoverState) =>
  (check: Check) =>
    'errorRateMax' in check || 'sharePercentMin' in check || ('validationScoreMin' in check && kind !== 'table');

/** The alert rules that hold or roll back for what the windows say: the other figures are not stored by the minute. */
const isOfWindows = ({ action, metric }: AlertRule): boolean =>
  action !== 'alert' && metricOf(metric).kind === 'pooled';
