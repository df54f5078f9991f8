/**
 * One run of a code path that has two sides. The chosen side answers; when the new one fails, the old one does. What is
 * compared is compared after the caller has its answer, and nothing that the other side does can reach the caller.
 *
 *   caller ──▶ side ──▶ chosen path ──▶ answer ──▶ caller
 *                │ fails, late                        ╎ afterwards, if sampled and within the budget
 *                └─▶ old path ──▶ answer ──▶ caller   └─▶ other path ──▶ diff ──▶ mismatches
 */

import type { Side } from '../core/cutover/cutover.ts';
import type { Comparer } from './comparer.ts';
import {
  type CutoverRun,
  isKeyless,
  operationOf,
  type Served,
  type Settled,
  says,
  settle,
  succeeds,
  within,
} from './cutover-run.ts';
import type { Outcome } from './recorder.ts';
import { type CallParts, RunCall } from './run-call.ts';

/** What is decided about a run before it begins. */
export type RunDecision = {
  side: Side;
  /** Of the plan, where the key of the run lies. */
  slice: number | null;
  /** The new side is the table, service or path by now: there is no old one to fall back to. */
  promoted: boolean;
  /** Both sides are kept equal, so comparing them means something. */
  comparable: boolean;
  /** Meant for the new side, which this process has left. */
  left: boolean;
};

export type RunParts = CallParts & {
  decide<T>(run: CutoverRun<T>): RunDecision;
  record(outcome: Outcome): void;
  /** Monotonic milliseconds. */
  now(): number;
  comparer: Comparer;
  /** For readonly paths that name no deadline of their own. */
  shadowDeadlineMs: number;
  fellBack(cutover: string): void;
};

/** @throws what the paths throw, and nothing else */
export async function runCutover<T>(parts: RunParts, run: CutoverRun<T>): Promise<T> {
  const decision = parts.decide(run);
  const call = new RunCall(parts, run.cutover, decision.side);
  const served = await serve(parts, run, call, decision);
  const { settled } = served;
  if (!settled.ok && mayFallBack(run, decision, settled.error)) return fallBack(parts, run, call);
  if (decision.comparable) parts.comparer.offer(run, served);
  return settled.ok ? settled.answer : finish(run, call, settled.error);
}

/** The failure is recorded already; comparing would only run the old path a second time. */
async function fallBack<T>(parts: RunParts, run: CutoverRun<T>, call: RunCall): Promise<T> {
  parts.fellBack(run.cutover);
  const old = await settle(run.primary, call.other('primary', false));
  return old.ok ? old.answer : finish(run, call, old.error);
}

/** Runs the chosen side, measures it and records what became of it. */
async function serve<T>(
  parts: RunParts,
  run: CutoverRun<T>,
  call: RunCall,
  { side, slice, promoted, left }: RunDecision,
): Promise<Served<T>> {
  const startedMs = parts.now();
  const settling = settle(side === 'primary' ? run.primary : run.shadow, call);
  const deadlineMs = side === 'shadow' && !promoted ? deadlineOf(parts, run) : null;
  const settled = deadlineMs === null ? await settling : await inTime(settling, deadlineMs, call);
  const latencyMs = parts.now() - startedMs;
  const success = succeeds(run, settled);
  const operation = operationOf(run);
  const { error } = settled;
  const { cutover } = run;
  parts.record({ cutover, side, slice, latencyMs, success, operation, keyless: isKeyless(run), left, error });
  return { side, slice, settled, latencyMs, call };
}

/** Without a fallback a deadline would only turn a late answer into none. */
function deadlineOf<T>(parts: RunParts, run: CutoverRun<T>): number | null {
  if (run.fallback === false) return null;
  return run.deadlineMs ?? (run.readonly ? parts.shadowDeadlineMs : null);
}

async function inTime<T>(settling: Promise<Settled<T>>, deadlineMs: number, call: RunCall): Promise<Settled<T>> {
  const settled = await within(deadlineMs, settling, 'late' as const);
  if (settled !== 'late') return settled;
  call.end();
  const message = `The new path of '${call.cutover}' took over ${deadlineMs} ms.`;
  return { ok: false, error: new DOMException(message, 'TimeoutError') };
}

function mayFallBack<T>(run: CutoverRun<T>, { side, promoted }: RunDecision, error: unknown): boolean {
  if (side === 'primary' || promoted) return false;
  const { fallback = true } = run;
  return typeof fallback === 'function' ? says(() => fallback.call(run, error)) : fallback;
}

/** No side could finish. The work is kept where the application said so; else the caller learns why. */
async function finish<T>(run: CutoverRun<T>, call: RunCall, error: unknown): Promise<T> {
  if (!run.unfinished) throw error;
  const { cutover, key = null } = run;
  try {
    return await run.unfinished({ id: call.id, cutover, key, operation: operationOf(run), error });
  } catch {
    throw error;
  }
}
