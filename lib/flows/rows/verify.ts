/**
 * Compares both tables exactly: by itself when the last result is too old, at once when a person asks. A pass goes on in
 * calls of half a second for as long as the caller has time, and in the next run from where this one stopped.
 */

import { CrossfadeError } from '../../core/base/errors.ts';
import { MINUTE_MS } from '../../core/base/units.ts';
import type { CutoverDeclaration, CutoverState } from '../../core/cutover/cutover.ts';
import { syncsShadow } from '../../core/cutover/stage-kinds.ts';
import type { VerificationResult } from '../../core/gates/table-status.ts';
import type { Ports } from '../../ports/ports.ts';
import type { TablePreview } from '../../ports/swapping.ts';
import type { VerificationPass, VerifyStep } from '../../ports/verifying.ts';
import { askTables, type TablesAsked } from './ask-tables.ts';
import { tableCutover, tableOf } from './table-of.ts';

export type VerifyRun = {
  cutover: string;
  state: 'verified' | 'running' | 'fresh' | 'unready' | 'idle';
  result?: VerificationResult;
  /** Why nothing was compared, where it was to be. */
  why?: string;
};

type Needs = Pick<Ports, 'clock' | 'state' | 'verifying' | 'inspecting' | 'log'>;

const FULL_EVERY_MS = 5 * MINUTE_MS;
/** What is left of a function's time when the last call of a run may begin. */
const MARGIN_MS = 2_000;
/** For a person who waits, below the time-out of an HTTP API. */
const PATIENCE_MS = 20_000;

/**
 * Verifies every table cutover: in full when the last full pass is older than five minutes or older than its stage,
 * otherwise what was written since.
 * @param deadlineMs on the monotonic clock
 */
export async function verifyAll(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  deadlineMs = Number.POSITIVE_INFINITY,
): Promise<VerifyRun[]> {
  const runs: VerifyRun[] = [];
  const tables = await askTables(ports, declarations);
  for (const declaration of oldestFirst(declarations, tables)) {
    if (runs.length > 0 && ports.clock.monotonicMs() >= deadlineMs) break;
    try {
      runs.push(await verifyWhenDue(ports, declaration.id, tables, deadlineMs));
    } catch (error) {
      ports.log.failure('verify_failed', error, { cutover: declaration.id });
    }
  }
  return runs;
}

/** What there was no time for is first in the next run. */
function oldestFirst(declarations: readonly CutoverDeclaration[], tables: TablesAsked): CutoverDeclaration[] {
  const verifiedMs = ({ id }: CutoverDeclaration) => {
    try {
      return tables(id)?.verification?.atMs ?? 0;
    } catch {
      // The question failed for all of them, and each says so when its turn comes.
      return 0;
    }
  };
  return declarations.filter(({ kind }) => kind === 'table').sort((a, b) => verifiedMs(a) - verifiedMs(b));
}

async function verifyWhenDue(
  ports: Needs,
  cutover: string,
  tables: TablesAsked,
  deadlineMs: number,
): Promise<VerifyRun> {
  const state = await ports.state.readCutover(cutover);
  if (!state || !syncsShadow(state)) return { cutover, state: 'idle' };
  const last = tables(cutover)?.verification;
  const fresh = last && ports.clock.now() - last.atMs < FULL_EVERY_MS && last.atMs >= state.enteredAtMs;
  const step = await untilDone(ports, state, { scope: fresh ? 'due' : 'full' }, deadlineMs - MARGIN_MS);
  if (step.kind === 'verified') return { cutover, state: fresh ? 'fresh' : 'verified', result: step.result };
  if (step.kind === 'running' || step.kind === 'busy') return { cutover, state: 'running' };
  const why = whyNot(step);
  ports.log.event('not_verified', { cutover, why });
  return { cutover, state: 'unready', why };
}

/** Calls until the pass is complete or the time is up; at least one call is made. */
async function untilDone(
  ports: Needs,
  { id, epoch }: CutoverState,
  pass: VerificationPass,
  deadlineMs: number,
): Promise<VerifyStep> {
  for (;;) {
    const step = await ports.verifying.verify(id, epoch, ports.clock.now(), pass);
    if (step.kind !== 'running' || ports.clock.monotonicMs() >= deadlineMs) return step;
  }
}

/**
 * One full pass that began after it was asked for. One that is under way is brought to its end first and not begun again, so
 * that those who ask cannot keep each other from an answer.
 * @param since when it was first asked for, by the database's clock, as the error of an earlier call said. @throws CrossfadeError `illegal_transition` when there is nothing to compare yet, `conflict` when it
 * takes longer than a caller waits: then it goes on by itself, and the next call with it.
 */
export async function verifyNow(
  ports: Needs,
  declaration: CutoverDeclaration,
  { tier = 'fast', since }: { tier?: 'fast' | 'proof'; since?: number } = {},
): Promise<VerificationResult> {
  const state = await ports.state.readCutover(declaration.id);
  if (declaration.kind !== 'table' || !state || !syncsShadow(state)) {
    throw new CrossfadeError(
      'illegal_transition',
      `Cutover '${declaration.id}' has nothing to compare in stage '${state?.stage ?? 'disabled'}': only tables between dual_write and completed are kept equal.`,
    );
  }
  const deadlineMs = ports.clock.monotonicMs() + PATIENCE_MS;
  let askedMs = since;
  for (;;) {
    const step = await ports.verifying.verify(declaration.id, state.epoch, ports.clock.now(), { tier });
    const pass = step.kind === 'verified' || step.kind === 'running' ? step.pass : undefined;
    askedMs ??= pass?.calledMs;
    const before = pass !== undefined && askedMs !== undefined && pass.startedMs < askedMs;
    if (step.kind === 'verified' && !before) return step.result;
    const goesOn = step.kind === 'running' || step.kind === 'verified';
    if (goesOn && ports.clock.monotonicMs() < deadlineMs) continue;
    throw new CrossfadeError('conflict', `Cutover '${declaration.id}' ${notVerified(step)}`, {
      retryable: true,
      details: goesOn && askedMs !== undefined ? { since: askedMs } : {},
    });
  }
}

function notVerified(step: VerifyStep): string {
  if (step.kind === 'verified')
    return 'is still being verified: a pass from before you asked is over, and yours begins. Ask again; it goes on from there.';
  if (step.kind === 'running')
    return `is still being verified: ${step.rowsDone} of about ${step.rowsTotal} rows. Ask again; it goes on from there.`;
  const why = step.kind === 'busy' ? 'another call is verifying it' : whyNot(step);
  return `cannot be verified now: ${why}. Try again after the next tick.`;
}

const whyNot = (step: Extract<VerifyStep, { kind: 'stale' | 'unready' }>): string =>
  step.kind === 'stale' ? `the fence in Postgres is at epoch ${step.have}, the state at ${step.got}` : step.why;

/** What a cutover would do to its table, and for so many milliseconds to its rows. Reads only. */
export async function previewTable(
  ports: Pick<Ports, 'swapping'>,
  declaration: CutoverDeclaration,
  look: { scanMs: number },
): Promise<TablePreview> {
  return ports.swapping.preview(tableCutover(tableOf(declaration)), look);
}

/** Hints for the keys that the last pass found diverged: the shadow-writer reads and writes them again. */
export async function repairTable(
  ports: Pick<Ports, 'verifying'>,
  declaration: CutoverDeclaration,
): Promise<{ enqueued: number }> {
  return ports.verifying.repair(tableOf(declaration).id);
}
