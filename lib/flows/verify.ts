/** Compares both tables exactly: by itself when the last result is too old, at once when a person asks. */

import type { CutoverDeclaration } from '../core/cutover.ts';
import { CrossfadeError } from '../core/errors.ts';
import type { VerificationResult } from '../core/evidence.ts';
import type { Ports, TablePlan } from '../ports.ts';
import { tableCutover } from './carry-out.ts';

export type VerifyRun = {
  cutover: string;
  state: 'verified' | 'fresh' | 'unready' | 'idle';
  result?: VerificationResult;
};

type Needs = Pick<Ports, 'clock' | 'state' | 'tables' | 'log'>;

const INTERVAL_MS = 5 * 60_000;
const SYNCED = ['dual_write', 'ramp', 'full', 'completed'];

/** Verifies every table cutover whose last pass is older than five minutes or older than its stage. */
export async function verifyAll(ports: Needs, declarations: readonly CutoverDeclaration[]): Promise<VerifyRun[]> {
  const runs: VerifyRun[] = [];
  for (const declaration of declarations) {
    if (declaration.kind !== 'table') continue;
    try {
      runs.push(await verifyWhenDue(ports, declaration.id));
    } catch (error) {
      ports.log.failure('verify_failed', error, { cutover: declaration.id });
    }
  }
  return runs;
}

async function verifyWhenDue(ports: Needs, cutover: string): Promise<VerifyRun> {
  const state = await ports.state.readCutover(cutover);
  if (!state || !SYNCED.includes(state.stageKind)) return { cutover, state: 'idle' };
  const last = (await ports.tables.status(cutover))?.verification;
  const nowMs = ports.clock.now();
  if (last && nowMs - last.atMs < INTERVAL_MS && last.atMs >= state.enteredAtMs) return { cutover, state: 'fresh' };
  const verified = await ports.tables.verify(cutover, state.epoch, nowMs);
  return verified.kind === 'verified'
    ? { cutover, state: 'verified', result: verified.result }
    : { cutover, state: 'unready' };
}

/** One full pass now. @throws CrossfadeError `illegal_transition` when there is nothing to compare yet. */
export async function verifyNow(ports: Needs, declaration: CutoverDeclaration): Promise<VerificationResult> {
  const state = await ports.state.readCutover(declaration.id);
  if (declaration.kind !== 'table' || !state || !SYNCED.includes(state.stageKind)) {
    throw new CrossfadeError(
      'illegal_transition',
      `Cutover '${declaration.id}' has nothing to compare in stage '${state?.stage ?? 'disabled'}': only tables between dual_write and completed are kept equal.`,
    );
  }
  const verified = await ports.tables.verify(declaration.id, state.epoch, ports.clock.now());
  if (verified.kind === 'verified') return verified.result;
  const why =
    verified.kind === 'stale'
      ? `the fence in Postgres is at epoch ${verified.have}, the state at ${verified.got}`
      : verified.why;
  throw new CrossfadeError(
    'conflict',
    `Cutover '${declaration.id}' cannot be verified now: ${why}. Try again after the next tick.`,
    { retryable: true },
  );
}

/** What a cutover would do to its table. Reads only. */
export async function planTable(ports: Pick<Ports, 'tables'>, declaration: CutoverDeclaration): Promise<TablePlan> {
  if (declaration.kind !== 'table') throw noTable(declaration);
  return ports.tables.plan(tableCutover(declaration));
}

/** Hints for the keys that the last pass found diverged: the shadow-writer reads and writes them anew. */
export async function repairTable(
  ports: Pick<Ports, 'tables'>,
  declaration: CutoverDeclaration,
): Promise<{ enqueued: number }> {
  if (declaration.kind !== 'table') throw noTable(declaration);
  return ports.tables.repair(declaration.id);
}

function noTable(declaration: CutoverDeclaration): CrossfadeError {
  return new CrossfadeError(
    'illegal_transition',
    `Cutover '${declaration.id}' moves a ${declaration.kind}, not a table.`,
  );
}
