/** Gates: everything that must hold to advance, each with value, limit, and what would release it. */

import type { Policy } from '../cutover.ts';
import type { BackfillProgress, MinuteWindow, TableStatus } from '../evidence.ts';
import { quantileMs } from '../histogram.ts';
import { currentVerification, MINUTE_MS, minutesInStage, type Seen, slowest } from './seen.ts';
import { type Condition, condition, ms, percent, round } from './verdict.ts';

/** A window older than this is missing. */
const FRESH_MINUTES = 3;
/** A verification older than this says nothing. */
const VERIFICATION_MAX_AGE_MS = 24 * 60 * MINUTE_MS;

export function advanceConditions(seen: Seen): Condition[] {
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
