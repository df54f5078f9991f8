/**
 * Plans: the ordered stages a cutover goes through. Stage kinds are fixed, since the safety argument depends on them;
 * names and shares of ramp stages belong to the plan.
 */

import { CrossfadeError } from '../base/errors.ts';

/** What a stage does, in the only order in which stages may follow each other. */
export const STAGE_KINDS = ['disabled', 'dual_write', 'ramp', 'full', 'completed', 'cleaned', 'rolled_back'] as const;
export type StageKind = (typeof STAGE_KINDS)[number];

export type Stage = {
  name: string;
  kind: StageKind;
  /** Share of keys whose reads go to the shadow, in parts per million: 0 … 1 000 000. */
  sharePpm: number;
  /** Shortest stay before the gates may let the cutover go on, in minutes. */
  dwellMinutes: number;
};

export type Plan = {
  name: string;
  stages: readonly Stage[];
  /**
   * The last keys, which stay on the primary until completion, in the full stage, too: a control that sees the same
   * minutes. Fixed when the cutover is started, so that no deployment of this program moves a key by itself.
   */
  holdBackPpm?: number | undefined;
};

const PPM_PER_PERCENT = 10_000;
export const FULL_SHARE_PPM = 1_000_000;
export const MAX_STAGES = 50;

/** The share that a plan gives a stage, or what the two stages outside of any plan say. */
export function stageSharePpm({ stage, stageKind, plan }: { stage: string; stageKind: StageKind; plan: Plan }): number {
  if (stageKind === 'cleaned') return FULL_SHARE_PPM;
  const planned = plan.stages.find(({ name }) => name === stage);
  return planned ? servedPpm(planned, plan) : 0;
}

/** What a stage serves of its share: all but what is held back. */
export function servedPpm({ kind, sharePpm }: Pick<Stage, 'kind' | 'sharePpm'>, { holdBackPpm = 0 }: Plan): number {
  return kind === 'ramp' || kind === 'full' ? Math.min(sharePpm, FULL_SHARE_PPM - holdBackPpm) : sharePpm;
}

/** The plan with so many per cent of the keys held back. */
export function withHoldBack({ name, stages }: Plan, percent: number): Plan {
  return { name, stages, ...(percent > 0 ? { holdBackPpm: ppmOf(percent) } : {}) };
}

type RampStep = readonly [name: string, percent: number];

/** The built-in plans: the percentages that lie between `dual_write` and `completed`; the last one is the full stage. */
const BUILT_IN = {
  gradual: [
    ['test_1', 1],
    ['test_10', 10],
    ['half_50', 50],
    ['full_100', 100],
  ],
  canary: [
    ['canary_10', 10],
    ['canary_25', 25],
    ['canary_50', 50],
    ['canary_75', 75],
    ['full_100', 100],
  ],
  majority: [
    ['test_10', 10],
    ['majority_75', 75],
    ['full_100', 100],
  ],
  gateway: [
    ['gateway_10', 10],
    ['gateway_50', 50],
    ['full_100', 100],
  ],
  fine: [
    ['fine_1', 1],
    ['fine_5', 5],
    ['fine_20', 20],
    ['fine_50', 50],
    ['full_100', 100],
  ],
} as const satisfies Record<string, readonly RampStep[]>;

export type BuiltInPlanName = keyof typeof BUILT_IN;
/** Pure: without the mark the SDK would carry every plan. */
export const BUILT_IN_PLAN_NAMES = /* @__PURE__ */ Object.keys(BUILT_IN) as BuiltInPlanName[];
const DEFAULT_DWELL_MINUTES = 60;

/**
 * Makes a plan from its ramp: `[['test_1', 1], …, ['full_100', 100]]`, shares in percent with at most four decimals.
 * The stages `disabled`, `dual_write` and `completed` are added around it.
 * @throws CrossfadeError `invalid_plan` naming every problem at once.
 */
export function makePlan(
  name: string,
  ramp: readonly RampStep[],
  dwellMinutes: number | Readonly<Record<string, number>> = DEFAULT_DWELL_MINUTES,
): Plan {
  const dwellOf = (stage: string) =>
    typeof dwellMinutes === 'number' ? dwellMinutes : (dwellMinutes[stage] ?? DEFAULT_DWELL_MINUTES);
  const ramps = ramp.map(([stage, percent], index): Stage => {
    const kind = index === ramp.length - 1 ? 'full' : 'ramp';
    return { name: stage, kind, sharePpm: ppmOf(percent), dwellMinutes: dwellOf(stage) };
  });
  const plan: Plan = {
    name,
    stages: [
      { name: 'disabled', kind: 'disabled', sharePpm: 0, dwellMinutes: 0 },
      { name: 'dual_write', kind: 'dual_write', sharePpm: 0, dwellMinutes: dwellOf('dual_write') },
      ...ramps,
      { name: 'completed', kind: 'completed', sharePpm: FULL_SHARE_PPM, dwellMinutes: 0 },
    ],
  };
  const problems = planProblems(plan);
  if (problems.length > 0) {
    throw new CrossfadeError('invalid_plan', `Plan '${name}' cannot be used: ${problems.join('; ')}.`, {
      details: { problems },
    });
  }
  return plan;
}

/** Exact for every percentage of at most four decimals; 0.0003 · 10 000 alone is 2.9999999999999996. */
function ppmOf(percent: number): number {
  const ppm = percent * PPM_PER_PERCENT;
  return Math.abs(ppm - Math.round(ppm)) < 1e-6 ? Math.round(ppm) : ppm;
}

/** One of the five built-in plans, with one dwell for all stages or one per stage name. */
export function builtInPlan(name: BuiltInPlanName, dwellMinutes?: number | Readonly<Record<string, number>>): Plan {
  return makePlan(name, BUILT_IN[name], dwellMinutes);
}

/** Everything that is wrong with a plan, in words; empty when it may be used. */
export function planProblems(plan: Plan): string[] {
  const problems: string[] = [];
  if (plan.stages.length > MAX_STAGES)
    problems.push(`it has ${plan.stages.length} stages, at most ${MAX_STAGES} are allowed`);
  const ramps = plan.stages.filter((stage) => stage.kind === 'ramp' || stage.kind === 'full');
  const last = ramps.at(-1);
  if (last === undefined || last.kind !== 'full' || last.sharePpm !== FULL_SHARE_PPM) {
    problems.push('its last share must be 100 %');
  }
  const names = new Set<string>();
  for (const stage of plan.stages) {
    if (!/^[a-z][a-z0-9_]{0,39}$/.test(stage.name))
      problems.push(`stage name '${stage.name}' is not lower_snake_case of at most 40 characters`);
    if (names.has(stage.name)) problems.push(`stage '${stage.name}' appears twice`);
    names.add(stage.name);
    if (!Number.isFinite(stage.dwellMinutes) || stage.dwellMinutes < 0)
      problems.push(`stage '${stage.name}' has the dwell ${stage.dwellMinutes} min, it must be 0 or more`);
    if (!Number.isInteger(stage.sharePpm)) problems.push(`stage '${stage.name}' has a share finer than 0.0001 %`);
  }
  for (const stage of ramps) {
    if (stage.kind === 'ramp' && !(stage.sharePpm > 0 && stage.sharePpm < FULL_SHARE_PPM))
      problems.push(`ramp stage '${stage.name}' must lie between 0 and 100 %, both excluded`);
  }
  for (let i = 1; i < ramps.length; i += 1) {
    if (ramps[i]!.sharePpm <= ramps[i - 1]!.sharePpm)
      problems.push(`stage '${ramps[i]!.name}' does not raise the share of '${ramps[i - 1]!.name}'`);
  }
  return problems;
}

/** The stage after the current one in the plan, if any. */
export function nextStage({ plan, stage: current }: { plan: Plan; stage: string }): Stage | undefined {
  const index = plan.stages.findIndex((stage) => stage.name === current);
  return index < 0 ? undefined : plan.stages[index + 1];
}
