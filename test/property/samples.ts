/** Declarations, states, verdicts and seeded randomness for tests of the core. */

import type { Condition } from '../../lib/core/conditions/condition.ts';
import type { Verdict } from '../../lib/core/conditions/verdict.ts';
import type {
  CutoverDeclaration,
  CutoverKind,
  CutoverState,
  Policy,
  SystemState,
} from '../../lib/core/cutover/cutover.ts';
import { DEFAULT_POLICY, INITIAL_SYSTEM, initialState } from '../../lib/core/cutover/cutover.ts';
import { makePlan, type Plan, type StageKind } from '../../lib/core/cutover/plan.ts';
import { DEFAULT_GATEWAY } from '../../lib/core/net/upstream.ts';
import type { CutoverFlag, SystemFlag } from '../../lib/core/routing/flags.ts';

export const NOW = Date.UTC(2026, 0, 15, 12);

/** Two ramps, so that "skip one" and "next one" differ. */
export const PLAN: Plan = makePlan(
  'two_ramps',
  [
    ['r1', 1],
    ['r2', 50],
    ['full_100', 100],
  ],
  10,
);

export type Overrides = Partial<Omit<CutoverDeclaration, 'kind' | 'policy'>> & { policy?: Partial<Policy> };

/** Proof within a few hundred operations: what takes hours at the default thresholds takes minutes in a test. */
const QUICK: Partial<Policy> = { warmUpMinutes: 0, errorRateRollback: 0.05, errorRateAdvance: 0.03 };

export function declarationOf(kind: CutoverKind = 'table', overrides: Overrides = {}): CutoverDeclaration {
  const { policy, ...rest } = overrides;
  const shared = {
    id: 'customer',
    plan: PLAN,
    salt: 'customer',
    validation: 'strict' as const,
    allow: [],
    deny: [],
    ...rest,
    policy: { ...DEFAULT_POLICY, ...QUICK, ...policy },
  };
  if (kind === 'table') {
    return { ...shared, kind, table: { primary: 'public.customer', shadow: 'public.customer_v2' } };
  }
  return kind === 'service'
    ? {
        ...shared,
        kind,
        upstreams: { primary: 'https://old.test/api', shadow: 'https://new.test/api' },
        gateway: DEFAULT_GATEWAY,
      }
    : { ...shared, kind };
}

/** The name of a stage of `PLAN`, or of a stage outside of any plan, and its kind. */
export const STAGES = {
  disabled: 'disabled',
  dual_write: 'dual_write',
  r1: 'ramp',
  r2: 'ramp',
  full_100: 'full',
  completed: 'completed',
  cleaned: 'cleaned',
  rolled_back: 'rolled_back',
} as const satisfies Record<string, StageKind>;

export type StageName = keyof typeof STAGES;

export function stateIn(
  stage: StageName,
  overrides: Partial<CutoverState> = {},
  kind: CutoverKind = 'table',
): CutoverState {
  return {
    ...initialState(declarationOf(kind)),
    version: 7,
    epoch: 3,
    stage,
    stageKind: STAGES[stage],
    enteredAtMs: NOW - 3_600_000,
    ...overrides,
  };
}

const FIGURES = { count: 0, errors: 0, errorRate: null, p50Ms: null, p95Ms: null };

export function verdictOf(verdict: Verdict['verdict'], reasons: readonly Condition[] = []): Verdict {
  return {
    verdict,
    reasons,
    conditions: reasons,
    evidence: {
      primary: FIGURES,
      shadow: FIGURES,
      checks: 0,
      mismatches: 0,
      badMinutes: 0,
      minutesInStage: 60,
      minutesToEligibility: 0,
    },
  };
}

export function flagOf(overrides: Partial<CutoverFlag> = {}): CutoverFlag {
  return {
    enabled: true,
    stage: 'r1',
    epoch: 3,
    version: 7,
    read_ppm: 10_000,
    salt: 'customer',
    hash: 'murmur3_x86_32',
    shadow_writes: true,
    validation: 'strict',
    primary_read_only: false,
    shadow_is_primary: false,
    allow: [],
    deny: [],
    ...overrides,
  };
}

export function systemFlagOf(overrides: Partial<SystemFlag> = {}): SystemFlag {
  return {
    enabled: true,
    version: 1,
    emergency_stop: false,
    shadow_writes_enabled: true,
    sync_monitoring: true,
    divergence_alerts: true,
    readonly: false,
    migration_phase: 'none',
    ...overrides,
  };
}

export const systemOf = (overrides: Partial<SystemState> = {}): SystemState => ({ ...INITIAL_SYSTEM, ...overrides });

/** The code of the CrossfadeError that `run` throws; `nothing` when it does not throw. */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as { code?: string }).code ?? `not ours: ${String(error)}`;
  }
  return 'nothing';
}

/** The same of what is answered later. */
export const codeFrom = (answer: Promise<unknown>): Promise<string> =>
  answer.then(
    () => 'nothing',
    (error: { code?: string }) => error.code ?? `not ours: ${String(error)}`,
  );

/** Seeded uniform numbers in [0, 1): mulberry32. */
/** How the text of a condition ends that does not hold: it says what would release it. */
export const SAYS_WHAT_RELEASES =
  /(release(s|d)? (it|when)|moves it on|goes on|go on|sends them back|tries again|decides|Waits for|makes a new one|runs by itself|carried out|retry).*\.$/;

export function seeded(seed: number): () => number {
  let a = seed | 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
