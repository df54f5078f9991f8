/** What the data plane of a table must show to advance: copied, current, nothing in quarantine, verified. */

import { DAY_MS, MINUTE_MS } from '../base/units.ts';
import { type Condition, condition, fired } from '../conditions/condition.ts';
import { ms, percent, round } from '../conditions/figures.ts';
import { type Release, waitsAbout } from '../conditions/release.ts';
import type { CutoverState } from '../cutover/cutover.ts';
import { copyProgress } from './copy-progress.ts';
import type { Seen } from './seen.ts';
import type { BackfillProgress, TableStatus } from './table-status.ts';
import { type TimeToProof, timeTo } from './time-to-proof.ts';

/** A verification older than this says nothing. */
const VERIFICATION_MAX_AGE_MS = DAY_MS;
const CATCHING_UP_MINUTES = 10;

export function tableConditions(seen: Seen): Condition[] {
  const { table, policy, state } = seen.input;
  if (state.kind !== 'table') return [];
  if (!table) return [noStatus(seen)];
  return [
    condition('backfill', {
      ok: table.backfill.state === 'done',
      seen: table.backfill.rowsDone,
      // Beyond an estimate it is no limit.
      limit: isBeyondEstimate(table.backfill) ? null : table.backfill.rowsTotal,
      says: backfillText(table.backfill, table.indexesAside ?? 0),
      release: ['paused', 'cancelled'].includes(table.backfill.state)
        ? { command: ['crossfade', 'backfill', state.id, 'resume'], does: 'goes on' }
        : waitsAbout('copy_ends', copyMinutes(table.backfill)),
    }),
    condition('lag', {
      ok: table.lagMs <= policy.lagAdvanceMs,
      seen: table.lagMs,
      limit: policy.lagAdvanceMs,
      says: `The oldest un-applied change is ${ms(table.lagMs)} old, ${table.outboxRows} wait; the limit is ${ms(policy.lagAdvanceMs)} (lagAdvanceMs).`,
      release: waitsAbout('catch_up', minutesToCatchUp(seen, table.lagMs - policy.lagAdvanceMs)),
    }),
    quarantine(state.id, table),
    verified(seen, table),
  ];
}

/** From how much younger the oldest change has become within ten minutes. */
function minutesToCatchUp({ evidence: { looks } }: Seen, beyondMs: number): TimeToProof {
  const now = looks.at(-1);
  const before = now && looks.find(({ minute }) => minute >= now.minute - CATCHING_UP_MINUTES);
  return before && timeTo(beyondMs, before.lagMs - now.lagMs, now.minute - before.minute);
}

function verified({ input: { state, policy, nowMs } }: Seen, table: TableStatus): Condition {
  const verification = currentVerification(table, state);
  const ageMs = verification ? nowMs - verification.atMs : null;
  const fresh = ageMs !== null && ageMs <= VERIFICATION_MAX_AGE_MS;
  const [says, release]: [string, Release] = !verification
    ? [`No complete verification since this cutover was started${unproven(table)}.`, { wait: 'verifier' }]
    : !fresh
      ? [
          `The last verification is ${round(ageMs! / MINUTE_MS)} minutes old.`,
          { command: ['crossfade', 'verify', state.id], does: 'makes a new one' },
        ]
      : [`${verification.divergences} of ${verification.rowsCompared} rows differ; none may.`, { wait: 'clean_pass' }];
  return condition('verification', {
    ok: fresh && verification!.divergences === 0 && verification!.score >= policy.validationScoreAdvance,
    seen: verification?.score ?? null,
    // A single difference holds, whatever the score.
    limit: fresh && verification!.divergences > 0 ? 1 : policy.validationScoreAdvance,
    says,
    release,
  });
}

function noStatus({ input: { state, tableProblem } }: Seen): Condition {
  if (tableProblem === null)
    return condition('armed', {
      ok: false,
      seen: 'none',
      limit: 'forward',
      says: `Postgres knows nothing of cutover '${state.id}': nothing is armed.`,
      release: { wait: 'arming' },
    });
  const why = tableProblem === undefined ? '' : `: ${tableProblem.replace(/\.$/, '')}`;
  return condition('database', {
    ok: false,
    seen: null,
    limit: 'reachable',
    says: `Postgres could not be asked${why}.`,
    release: { wait: 'next_tick' },
  });
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
  return fired('validation', {
    seen: verification.score,
    limit: policy.validationScoreRollback,
    says:
      `${verification.divergences} of ${verification.rowsCompared} rows differ from the primary: score ${percent(verification.score)}, ` +
      `limit ${percent(policy.validationScoreRollback)}.${where.length > 0 ? ` First keys: ${where.slice(0, 3).join('; ')}.` : ''}`,
  });
}

/** A pass that ended before this run of the cutover began says nothing about it. */
export function currentVerification(table: TableStatus | null, state: CutoverState) {
  const verification = table?.verification ?? null;
  if (!verification || table?.backfill.state !== 'done') return null;
  return state.stageKind === 'dual_write' && verification.atMs < state.enteredAtMs ? null : verification;
}

const unproven = ({ unproven: why }: TableStatus) => (why ? `. The last pass proves nothing: ${why}` : '');

/** Unknown before the first rows are there, and while only indexes are missing. */
function copyMinutes({ rowsDone, rowsTotal, rowsPerSecond }: BackfillProgress): number | undefined {
  const left = rowsTotal - rowsDone;
  return rowsPerSecond > 0 && left > 0 ? left / rowsPerSecond / 60 : undefined;
}

const isBeyondEstimate = ({ state, rowsDone, rowsTotal }: BackfillProgress) => state !== 'done' && rowsDone > rowsTotal;

function backfillText(backfill: BackfillProgress, indexes: number): string {
  const copied = backfill.state === 'running' && backfill.rowsTotal > 0 && backfill.rowsDone >= backfill.rowsTotal;
  if (copied && indexes > 0)
    return `${backfill.rowsDone} rows copied; ${indexes} indexes of the shadow are to be built.`;
  if (backfill.state === 'done') return `${backfill.rowsDone} rows copied.`;
  return `Copy: ${copyProgress(backfill).text}.`;
}

function quarantine(id: string, { quarantined, quarantine: [first] }: TableStatus): Condition {
  const example = first ? ` First: ${first.key}, SQLSTATE ${first.sqlstate}, ${first.reason.replace(/\.$/, '')}.` : '';
  return condition('quarantine', {
    ok: quarantined === 0,
    seen: quarantined,
    limit: 0,
    says:
      quarantined === 0 ? 'No key is in quarantine.' : `${quarantined} keys cannot be written to the shadow.${example}`,
    release: [
      { person: 'Correct the row or the transform; the next write of the key tries again' },
      { command: ['crossfade', 'quarantine', id, 'retry'], does: 'tries them again' },
    ],
  });
}
