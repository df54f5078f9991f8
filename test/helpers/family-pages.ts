/**
 * One seeded run of a family as a tick lives it: judged with everything that a tick judges with, and the alerts as the built-in rules
 * leave them, minute by minute. The stage is one of a ramp with the default policy, and it lasts to the end of the run or the rollback.
 */

import type { Alert } from '../../lib/core/alerts/alert.ts';
import { lookMinutes, rulesOf } from '../../lib/core/alerts/rule.ts';
import { MINUTE_MS } from '../../lib/core/base/units.ts';
import type { Severity } from '../../lib/core/cutover/alert-rule.ts';
import {
  type CutoverDeclaration,
  type CutoverState,
  DEFAULT_POLICY,
  INITIAL_SYSTEM,
  initialState,
} from '../../lib/core/cutover/cutover.ts';
import { builtInPlan, withHoldBack } from '../../lib/core/cutover/plan.ts';
import { type WindowPart, wholeWindows } from '../../lib/core/gates/minute-window.ts';
import type { StoredVerdict } from '../../lib/core/gates/stored-verdict.ts';
import { alertsOf, judge } from '../../lib/core/look/judge.ts';
import { HISTORY_MINUTES, type Run, traffic } from './gate-families.ts';

/** What a person was told: an alert that fired, or that nobody acknowledged for too long. */
export type Page = { minute: number; rule: string; severity: Severity; change: 'fired' | 'escalated' };

const ID = 'run';
const POLICY = DEFAULT_POLICY;
const PLAN = withHoldBack(builtInPlan('gradual', 5), POLICY.holdBackPercent);
const DECLARATION: CutoverDeclaration = {
  id: ID,
  kind: 'component',
  plan: PLAN,
  policy: POLICY,
  salt: ID,
  validation: 'strict',
  allow: [],
  deny: [],
};
const RULES = rulesOf(POLICY);
const LOOK_MINUTES = lookMinutes(RULES);

/** The slices of the run must be those of `gradual` with a hundredth held back, which `onShadow` of them have gone to the shadow. */
export function pagesOf(seed: number, run: Run): { pages: readonly Page[]; minutes: number } {
  const drawn = traffic(seed, run);
  const state = stateIn(run.onShadow);
  const pages: Page[] = [];
  let kept: { part: WindowPart; at: number }[] = [];
  let last: StoredVerdict | null = null;
  let alerts: readonly Alert[] = [];
  for (let minute = 1 - HISTORY_MINUTES; minute <= run.minutes; minute += 1) {
    kept.push(...drawn.minute(minute));
    if (minute < 1) continue;
    const needed = Math.min(minute - LOOK_MINUTES, (last?.evidence?.closedThrough ?? -HISTORY_MINUTES) + 1);
    kept = kept.filter(({ part }) => part.window.minute >= needed);
    const parts = kept.filter(({ at }) => at <= minute).map(({ part }) => part);
    const nowMs = (minute + 1) * MINUTE_MS;
    const judgement = judge({
      id: ID,
      declaration: DECLARATION,
      state,
      system: INITIAL_SYSTEM,
      policy: POLICY,
      last,
      parts,
      windows: wholeWindows(parts.map(({ window }) => window)),
      table: null,
      tableProblem: null,
      forwards: { open: 0, quarantined: 0, lagMs: 0, more: false },
      flagsDeployed: true,
      alerts,
      observations: {},
      flagsSeen: [],
      waits: null,
      nowMs,
    });
    const { verdict, evidence } = judgement;
    const goesBack = verdict.verdict === 'rollback';
    const left = alertsOf(judgement, goesBack ? verdict.reasons.map(({ says }) => says).join(' ') : null);
    pages.push(...left.flatMap((alert) => toldBy(alert, minute)));
    // Every channel has taken the messages.
    alerts = left.map((alert) => (alert.messages.length > 0 ? { ...alert, messages: [] } : alert));
    last = { atMs: nowMs, verdict, evidence };
    if (goesBack) return { pages, minutes: minute };
  }
  return { pages, minutes: run.minutes };
}

const toldBy = ({ messages, rule }: Alert, minute: number): Page[] =>
  messages.flatMap(({ change, severity }) =>
    change === 'fired' || change === 'escalated' ? [{ minute, rule, severity, change }] : [],
  );

function stateIn(onShadow: number): CutoverState {
  const { name, kind } = PLAN.stages.filter((stage) => stage.kind === 'ramp' || stage.kind === 'full')[onShadow - 1]!;
  return {
    ...initialState(DECLARATION),
    version: 1,
    stage: name,
    stageKind: kind,
    enteredAtMs: MINUTE_MS - 1,
    changedAtMs: MINUTE_MS - 1,
  };
}
