/** Gates: everything that must hold to advance, each with value, limit, and what would release it. */

import type { BackfillProgress, TableStatus } from '../evidence.ts';
import { dataConditions } from './data-conditions.ts';
import type { Judged } from './guards.ts';
import { readConditions } from './read-conditions.ts';
import { currentVerification, MINUTE_MS, minutesInStage, type Seen } from './seen.ts';
import { type Condition, condition, ms, round } from './verdict.ts';

/** A verification older than this says nothing. */
const VERIFICATION_MAX_AGE_MS = 24 * 60 * MINUTE_MS;

export function advanceConditions(seen: Seen, judged: readonly Judged[]): Condition[] {
  const { state } = seen.input;
  if (!['dual_write', 'ramp', 'full'].includes(state.stageKind)) {
    return [condition('stage', false, state.stage, null, `Nothing advances by itself from stage ${state.stage}.`)];
  }
  return [
    dwell(seen),
    ...deployment(seen),
    ...(state.kind === 'table' ? tableConditions(seen) : []),
    ...dataConditions(seen),
    ...(seen.servesReads ? readConditions(seen, judged) : []),
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
