/** What the data plane of a table must show to advance: copied, current, nothing in quarantine, verified. */

import { DAY_MS, MINUTE_MS } from '../base/units.ts';
import { type Condition, condition, ms, percent, round } from '../conditions/verdict.ts';
import type { CutoverState } from '../cutover/cutover.ts';
import type { BackfillProgress, TableStatus } from './evidence.ts';
import type { Seen } from './seen.ts';

/** A verification older than this says nothing. */
const VERIFICATION_MAX_AGE_MS = DAY_MS;

export function tableConditions(seen: Seen): Condition[] {
  const { table, policy, state, nowMs } = seen.input;
  if (state.kind !== 'table') return [];
  if (!table) return [noStatus(seen)];
  const verification = currentVerification(table, state);
  const ageMs = verification ? nowMs - verification.atMs : null;
  const fresh = ageMs !== null && ageMs <= VERIFICATION_MAX_AGE_MS;
  return [
    condition(
      'backfill',
      table.backfill.state === 'done',
      table.backfill.rowsDone,
      table.backfill.rowsTotal,
      backfillText(table.backfill, table.indexesAside ?? 0),
      ['paused', 'cancelled'].includes(table.backfill.state)
        ? `It is ${table.backfill.state}; 'crossfade backfill ${state.id} resume' goes on.`
        : 'The end of the copy releases it.',
    ),
    condition(
      'lag',
      table.lagMs <= policy.lagAdvanceMs,
      table.lagMs,
      policy.lagAdvanceMs,
      `The oldest un-applied change is ${ms(table.lagMs)} old, ${table.outboxRows} wait; the limit is ${ms(policy.lagAdvanceMs)}.`,
      'It is released when the writer has caught up to within the limit.',
    ),
    condition('quarantine', table.quarantined === 0, table.quarantined, 0, quarantineText(state.id, table)),
    condition(
      'verification',
      fresh && verification!.divergences === 0 && verification!.score >= policy.validationScoreAdvance,
      verification?.score ?? null,
      policy.validationScoreAdvance,
      !verification
        ? `No complete verification since this cutover was started${unproven(table)}; the verifier runs by itself after the backfill.`
        : !fresh
          ? `The last verification is ${round(ageMs! / MINUTE_MS)} minutes old; 'crossfade verify ${state.id}' makes a new one.`
          : `${verification.divergences} of ${verification.rowsCompared} rows differ; none may. A new, complete pass without a difference releases it.`,
    ),
  ];
}

function noStatus({ input: { state, tableProblem } }: Seen): Condition {
  if (tableProblem === null) {
    const text = `Postgres knows nothing of cutover '${state.id}': nothing is armed. Every tick arms it; its log has the cause when it cannot.`;
    return condition('armed', false, 'none', 'forward', text);
  }
  const said = tableProblem === undefined ? '' : ` ${tableProblem}`;
  return condition(
    'database',
    false,
    null,
    'reachable',
    `Postgres could not be asked; the next tick tries again.${said}`,
  );
}

/**
 * A complete pass that found the shadow wrong. Lag is not counted: a diverged key has no un-applied hint. A single
 * divergence holds, for it can be repaired; the score says how many are too many. (A confirmed corruption is another thing:
 * the application's word that the new side served something wrong, of which one is enough.)
 */
export function corruption(seen: Seen): Condition | null {
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

/** A pass that ended before this run of the cutover began says nothing about it. */
export function currentVerification(table: TableStatus | null, state: CutoverState) {
  const verification = table?.verification ?? null;
  if (!verification || table?.backfill.state !== 'done') return null;
  return state.stageKind === 'dual_write' && verification.atMs < state.enteredAtMs ? null : verification;
}

const unproven = ({ unproven: why }: TableStatus) => (why ? `. The last pass proves nothing: ${why}` : '');

function backfillText(backfill: BackfillProgress, indexes: number): string {
  const copied = backfill.state === 'running' && backfill.rowsTotal > 0 && backfill.rowsDone >= backfill.rowsTotal;
  if (copied && indexes > 0)
    return `${backfill.rowsDone} rows copied; ${indexes} indexes of the shadow are to be built.`;
  if (backfill.state === 'done') return `${backfill.rowsDone} rows copied.`;
  const left = Math.max(0, backfill.rowsTotal - backfill.rowsDone);
  const eta = backfill.rowsPerSecond > 0 ? `, about ${Math.ceil(left / backfill.rowsPerSecond)} s left` : '';
  return `${backfill.rowsDone} of about ${backfill.rowsTotal} rows copied${eta}.`;
}

function quarantineText(id: string, table: TableStatus): string {
  if (table.quarantined === 0) return 'No key is in quarantine.';
  const first = table.quarantine[0];
  const example = first ? ` First: ${first.key}, SQLSTATE ${first.sqlstate}, ${first.reason}` : '';
  return `${table.quarantined} keys cannot be written to the shadow.${example} Mend the row or the transform; the next write of the key tries again, or 'crossfade quarantine ${id} retry'.`;
}
