/**
 * When to advance, hold or roll back: a pure function of what was collected.
 *
 * The engine is deliberately simple: thresholds, a minimum of samples, an exact binomial test over the last minutes
 * that must fire several minutes in a row, and no data means hold. `evaluate` is the interface that sequential
 * evidence fills later; nothing outside this folder knows how a verdict is found.
 */

import type { CutoverState, Policy } from './cutover.ts';
import { type BackfillProgress, type MinuteWindow, mergeWindows, poolWindows, type TableStatus } from './evidence.ts';
import { bucketUpperMs, type Histogram, quantileMs } from './histogram.ts';
import type { Stage } from './plan.ts';
import { binomialTail } from './statistics.ts';

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
};

/** One thing that must hold to advance, or a guard that fired. */
export type Condition = {
  code: string;
  ok: boolean;
  /** What was seen and where the limit lies, in the unit the text names. */
  value: number | string | null;
  limit: number | string | null;
  /** One sentence: what is seen and, when it does not hold, what would release it. */
  text: string;
};

export type SideFigures = {
  count: number;
  errors: number;
  errorRate: number | null;
  p50Ms: number | null;
  p95Ms: number | null;
};

export type Verdict = {
  verdict: 'advance' | 'hold' | 'rollback';
  /** Every condition that fails for a hold, the guards that fired for a rollback, none for an advance. */
  reasons: readonly Condition[];
  /** Everything that was judged. */
  conditions: readonly Condition[];
  evidence: {
    primary: SideFigures;
    shadow: SideFigures;
    checks: number;
    mismatches: number;
    /** Minutes in a row, up to now, in which a guard's test fired. */
    badMinutes: number;
    minutesInStage: number;
    minutesToEligibility: number;
  };
};

const MINUTE_MS = 60_000;
/** A window older than this is missing. */
const FRESH_MINUTES = 3;
/** How far back the guards pool, in minutes: a short span for a sudden failure, a long one for a few operations a minute. */
const GUARD_SPANS = [10, 30] as const;
/** Chance of a false alarm of one test at one look. */
const GUARD_ALPHA = 1e-4;
/** A verification older than this says nothing. */
const VERIFICATION_MAX_AGE_MS = 24 * 60 * MINUTE_MS;
const READS = ['ramp', 'full'] as const;

type Seen = {
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

/** The verdict for one cutover at one moment. */
export function evaluate(input: GateInput): Verdict {
  const seen = collect(input);
  const guards = firedGuards(seen);
  const conditions = advanceConditions(seen);
  const failing = conditions.filter((condition) => !condition.ok);
  const fired = guards.fired.length > 0;
  return {
    verdict: fired ? 'rollback' : failing.length > 0 ? 'hold' : 'advance',
    reasons: fired ? guards.fired : failing,
    conditions: [...guards.fired, ...conditions],
    evidence: {
      primary: figures(seen.primary),
      shadow: figures(seen.shadow),
      checks: seen.shadow.checks,
      mismatches: seen.shadow.mismatches,
      badMinutes: guards.badMinutes,
      minutesInStage: minutesInStage(seen),
      minutesToEligibility: Math.max(0, (seen.stage?.dwellMinutes ?? 0) - minutesInStage(seen)),
    },
  };
}

function collect(input: GateInput): Seen {
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

const minutesInStage = (seen: Seen) => Math.max(0, (seen.input.nowMs - seen.input.state.enteredAtMs) / MINUTE_MS);

// --------------------------------------------------------------------------------------------------------- guards

/** The guards that force a rollback, and for how many minutes in a row a test has fired. */
function firedGuards(seen: Seen): { fired: Condition[]; badMinutes: number } {
  const corrupted = corruption(seen);
  if (corrupted) return { fired: [corrupted], badMinutes: 0 };
  if (!seen.servesReads) return { fired: [], badMinutes: 0 };
  const { policy } = seen.input;
  let badMinutes = 0;
  let latest: Condition[] = [];
  for (let minute = seen.openMinute; minute > seen.firstMinute; minute -= 1) {
    const tests = guardTests(seen, minute);
    if (tests.length === 0) break;
    if (badMinutes === 0) latest = tests;
    badMinutes += 1;
    if (badMinutes >= policy.consecutiveFailures) break;
  }
  return { fired: badMinutes >= policy.consecutiveFailures ? latest : [], badMinutes };
}

/** A complete pass that found the shadow wrong. Lag is not counted: a diverged key has no un-applied hint. */
function corruption(seen: Seen): Condition | null {
  const { table, policy, state } = seen.input;
  const verification = currentVerification(table, state);
  if (!verification || verification.score >= policy.validationScoreRollback) return null;
  const where = verification.samples.map((sample) => `${sample.key} (${sample.columns.join(', ') || 'row'})`);
  return {
    code: 'validation',
    ok: false,
    value: verification.score,
    limit: policy.validationScoreRollback,
    text:
      `${verification.divergences} of ${verification.rowsCompared} rows differ from the primary: score ${percent(verification.score)}, ` +
      `limit ${percent(policy.validationScoreRollback)}. First keys: ${where.slice(0, 3).join('; ')}.`,
  };
}

/** Tests of the minutes before `minute` (excluded) that fire, each once: the shorter span speaks first. */
function guardTests(seen: Seen, minute: number): Condition[] {
  const fired = GUARD_SPANS.flatMap((span) => spanTests(seen, Math.max(seen.firstMinute, minute - span), minute));
  return fired.filter((test, i) => fired.findIndex((other) => other.code === test.code) === i);
}

/** Bad outcomes of the shadow from one minute to another (excluded), beyond what the limit explains. */
function spanTests(seen: Seen, from: number, minute: number): Condition[] {
  const { policy, windows } = seen.input;
  const pool = (side: 'primary' | 'shadow') =>
    poolWindows(
      from,
      side,
      windows.filter((window) => window.side === side && window.minute >= from && window.minute < minute),
    );
  const shadow = pool('shadow');
  const concurrent = pool('primary');
  const primary = concurrent.count >= 50 ? concurrent : seen.baseline;
  const primaryRate = primary.count > 0 ? primary.errors / primary.count : 0;
  return [
    tested(
      'errors',
      shadow.errors,
      shadow.count,
      primaryRate + policy.errorRateRollback,
      (rate) =>
        `The shadow fails ${percent(rate)} of its operations (${shadow.errors} of ${shadow.count}), the primary ${percent(primaryRate)}; the limit is ${percent(policy.errorRateRollback)} more.`,
    ),
    ...LATENCY_QUANTILES.map((q) => latencyTest(q, shadow, primary, policy)),
    tested(
      'mismatches',
      shadow.mismatches,
      shadow.checks,
      1 - policy.validationScoreRollback,
      (rate) =>
        `${shadow.mismatches} of ${shadow.checks} checked rows differ (${percent(rate)}); the limit is ${percent(1 - policy.validationScoreRollback)}.`,
    ),
  ].filter((condition) => condition !== null);
}

const LATENCY_QUANTILES = [0.5, 0.95, 0.99];

/** More of the shadow above the primary's quantile, raised by the limit, than the quantile allows. */
function latencyTest(q: number, shadow: MinuteWindow, primary: MinuteWindow, policy: Policy): Condition | null {
  const reference = quantileMs(primary.latency, q);
  if (reference === null) return null;
  const limitMs = slowest(reference, policy.latencyIncreaseRollback, policy);
  const name = `p${Math.round(q * 100)}`;
  const limit = upperShare(1 - q, primary.count);
  return tested(
    `latency_${name}`,
    countAbove(shadow.latency, limitMs),
    shadow.count,
    limit,
    (rate) =>
      `${percent(rate)} of the shadow's operations take longer than ${ms(limitMs)}, ${percent(policy.latencyIncreaseRollback)} over the primary's ${name} of ${ms(reference)}; ${percent(limit)} may.`,
  );
}

function tested(code: string, bad: number, n: number, limit: number, text: (rate: number) => string): Condition | null {
  if (n === 0 || bad / n <= limit || binomialTail(n, bad, limit) > GUARD_ALPHA) return null;
  return { code, ok: false, value: bad / n, limit, text: text(bad / n) };
}

/**
 * What a share seen in n operations may really be: the upper end of Wilson's interval, three standard errors wide. The
 * primary is a sample, too, and at a high share a small one: taken for exact, it convicts a healthy shadow.
 */
function upperShare(share: number, n: number): number {
  const z2 = 9;
  const middle = share + z2 / (2 * n);
  return (middle + Math.sqrt(z2 * ((share * (1 - share)) / n + z2 / (4 * n * n)))) / (1 + z2 / n);
}

function slowest(referenceMs: number, increase: number, policy: Policy): number {
  return Math.max(referenceMs * (1 + increase), referenceMs + policy.latencyFloorMs);
}

function countAbove(latency: Histogram, limitMs: number): number {
  let above = 0;
  for (const [index, count] of Object.entries(latency)) if (bucketUpperMs(Number(index) - 1) >= limitMs) above += count;
  return above;
}

// ------------------------------------------------------------------------------------------------- advance conditions

function advanceConditions(seen: Seen): Condition[] {
  const { state } = seen.input;
  if (!['dual_write', 'ramp', 'full'].includes(state.stageKind)) {
    return [condition('stage', false, state.stage, null, `Nothing advances by itself from stage ${state.stage}.`)];
  }
  return [
    dwell(seen),
    ...deployment(seen),
    ...(state.kind === 'table' ? tableConditions(seen) : []),
    ...freshness(seen),
    ...(seen.servesReads ? readConditions(seen) : []),
  ];
}

function dwell(seen: Seen): Condition {
  const minutes = minutesInStage(seen);
  const needed = seen.stage?.dwellMinutes ?? 0;
  return condition(
    'dwell',
    minutes >= needed,
    round(minutes),
    needed,
    `${round(minutes)} of ${needed} minutes in stage ${seen.input.state.stage}.`,
  );
}

function deployment(seen: Seen): Condition[] {
  const { state, policy, flagsDeployed } = seen.input;
  const approval = policy.approvalRequired
    ? [
        condition(
          'approval',
          state.approved,
          state.approved ? 'given' : 'missing',
          'given',
          state.approved ? 'Approved.' : `Waits for 'crossfade approve ${state.id}'.`,
        ),
      ]
    : [];
  return [
    condition(
      'paused',
      !state.paused,
      state.paused ? 'paused' : 'running',
      'running',
      state.paused ? `Paused; 'crossfade resume ${state.id}' lets it go on.` : 'Not paused.',
    ),
    condition(
      'flags',
      flagsDeployed,
      flagsDeployed ? 'deployed' : 'old',
      'deployed',
      flagsDeployed
        ? 'The flags of this stage are deployed.'
        : 'The flags of this stage are not deployed yet; every tick tries again.',
    ),
    ...approval,
  ];
}

function tableConditions(seen: Seen): Condition[] {
  const { table, policy, state, nowMs } = seen.input;
  if (!table) {
    return [condition('database', false, null, 'reachable', 'Postgres could not be asked; the next tick tries again.')];
  }
  const verification = currentVerification(table, state);
  const ageMs = verification ? nowMs - verification.atMs : null;
  const fresh = ageMs !== null && ageMs <= VERIFICATION_MAX_AGE_MS;
  return [
    condition(
      'backfill',
      table.backfill.state === 'done',
      table.backfill.rowsDone,
      table.backfill.rowsTotal,
      backfillText(table.backfill),
    ),
    condition(
      'lag',
      table.lagMs <= policy.lagAdvanceMs,
      table.lagMs,
      policy.lagAdvanceMs,
      `The oldest un-applied change is ${ms(table.lagMs)} old, ${table.outboxRows} wait; the limit is ${ms(policy.lagAdvanceMs)}.`,
    ),
    condition('quarantine', table.quarantined === 0, table.quarantined, 0, quarantineText(table)),
    condition(
      'verification',
      fresh && verification!.divergences === 0 && verification!.score >= policy.validationScoreAdvance,
      verification?.score ?? null,
      policy.validationScoreAdvance,
      !verification
        ? 'No complete verification since this cutover was started; the verifier runs by itself after the backfill.'
        : !fresh
          ? `The last verification is ${round(ageMs! / MINUTE_MS)} minutes old; 'crossfade verify ${state.id}' makes a new one.`
          : `${verification.divergences} of ${verification.rowsCompared} rows differ; none may.`,
    ),
  ];
}

function backfillText(backfill: BackfillProgress): string {
  if (backfill.state === 'done') return `${backfill.rowsDone} rows copied.`;
  const left = Math.max(0, backfill.rowsTotal - backfill.rowsDone);
  const eta = backfill.rowsPerSecond > 0 ? `, about ${Math.ceil(left / backfill.rowsPerSecond)} s left` : '';
  return `${backfill.rowsDone} of about ${backfill.rowsTotal} rows copied${eta}.`;
}

function quarantineText(table: TableStatus): string {
  if (table.quarantined === 0) return 'No key is in quarantine.';
  const first = table.quarantine[0];
  const example = first ? ` First: ${first.key}, SQLSTATE ${first.sqlstate}, ${first.reason}` : '';
  return `${table.quarantined} keys cannot be written to the shadow.${example} Mend the row or the transform; the next write of the key tries again.`;
}

/** A pass that ended before this run of the cutover began says nothing about it. */
function currentVerification(table: TableStatus | null, state: CutoverState) {
  const verification = table?.verification ?? null;
  if (!verification || table?.backfill.state !== 'done') return null;
  return state.stageKind === 'dual_write' && verification.atMs < state.enteredAtMs ? null : verification;
}

/** No data is never good news. */
function freshness(seen: Seen): Condition[] {
  const { windows, state } = seen.input;
  // At 100 % the primary serves nothing; below, both sides must report.
  const sides =
    state.stageKind === 'full'
      ? (['shadow'] as const)
      : seen.servesReads
        ? (['primary', 'shadow'] as const)
        : (['primary'] as const);
  return sides.map((side) => {
    const newest = windows.filter((window) => window.side === side && window.count > 0).at(-1)?.minute ?? null;
    const age = newest === null ? null : seen.openMinute - newest;
    return condition(
      'data_missing',
      age !== null && age <= FRESH_MINUTES,
      age,
      FRESH_MINUTES,
      age === null
        ? `No operation of the ${side} was recorded. Is the SDK wired in, and does it reach /v1/outcomes?`
        : `The last operation of the ${side} was recorded ${age} minutes ago; at most ${FRESH_MINUTES} are allowed.`,
    );
  });
}

function readConditions(seen: Seen): Condition[] {
  const { policy } = seen.input;
  const { primary, shadow, baseline } = seen;
  const shadowRate = shadow.count > 0 ? shadow.errors / shadow.count : 0;
  const baselineRate = baseline.count > 0 ? baseline.errors / baseline.count : 0;
  const excess = shadowRate - baselineRate;
  const reads = primary.count + shadow.count;
  const keyless = reads > 0 ? (primary.keyless + shadow.keyless) / reads : 0;
  return [
    condition(
      'samples',
      shadow.count >= policy.minSamples,
      shadow.count,
      policy.minSamples,
      `${shadow.count} operations of the shadow seen in this stage, ${policy.minSamples} are needed.`,
    ),
    condition(
      'errors',
      excess < policy.errorRateAdvance || shadow.errors === 0,
      excess,
      policy.errorRateAdvance,
      `The shadow fails ${percent(shadowRate)} of its operations, the primary ${percent(baselineRate)}; less than ${percent(policy.errorRateAdvance)} more is needed.`,
    ),
    ...[0.5, 0.95].map((q) => latencyCondition(q, shadow, baseline, policy)),
    condition(
      'mismatches',
      shadow.mismatches === 0,
      shadow.mismatches,
      0,
      `${shadow.mismatches} of ${shadow.checks} checked rows differ; none may.`,
    ),
    condition(
      'keyless',
      keyless <= policy.keylessAdvance,
      keyless,
      policy.keylessAdvance,
      `${percent(keyless)} of the reads came without a key; at most ${percent(policy.keylessAdvance)} may.`,
    ),
  ];
}

function latencyCondition(q: number, shadow: MinuteWindow, baseline: MinuteWindow, policy: Policy): Condition {
  const name = `p${Math.round(q * 100)}`;
  const old = quantileMs(baseline.latency, q);
  const now = quantileMs(shadow.latency, q);
  if (old === null || now === null) {
    return condition(`latency_${name}`, false, now, old, `No latency of both sides to compare at ${name}.`);
  }
  const limit = slowest(old, policy.latencyIncreaseAdvance, policy);
  return condition(
    `latency_${name}`,
    now < limit,
    round(now),
    round(limit),
    `${name} is ${ms(now)} on the shadow and ${ms(old)} on the primary; less than ${ms(limit)} is needed.`,
  );
}

// ------------------------------------------------------------------------------------------------------------- texts

function condition(
  code: string,
  ok: boolean,
  value: Condition['value'],
  limit: Condition['limit'],
  text: string,
): Condition {
  return { code, ok, value, limit, text };
}

export function figures(window: MinuteWindow): SideFigures {
  return {
    count: window.count,
    errors: window.errors,
    errorRate: window.count > 0 ? window.errors / window.count : null,
    p50Ms: quantileMs(window.latency, 0.5),
    p95Ms: quantileMs(window.latency, 0.95),
  };
}

const round = (value: number) => Math.round(value * 10) / 10;
const percent = (rate: number) => `${Number((rate * 100).toPrecision(3))} %`;
const ms = (value: number) => (value >= 1000 ? `${round(value / 1000)} s` : `${round(value)} ms`);
