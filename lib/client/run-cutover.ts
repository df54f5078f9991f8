/**
 * One run of a code path that has two sides. The chosen side answers; when the new one fails, the old one does. What is
 * compared is compared after the caller has its answer, and nothing that the other side does can reach the caller.
 *
 *   caller ──▶ side ──▶ chosen path ──▶ answer ──▶ caller
 *                │ fails, late                        ╎ afterwards, if sampled and within the budget
 *                └─▶ old path ──▶ answer ──▶ caller   └─▶ other path ──▶ diff ──▶ mismatches
 */

import { CrossfadeError } from '../core/base/errors.ts';
import type { Side } from '../core/cutover/cutover.ts';
import { keyOf } from '../core/routing/routing.ts';
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
import type { Outcome } from './outcome.ts';
import type { Overdue } from './overdue.ts';
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
  /** Where a process was frozen for longer than its flags may be old: ends when they were asked for. Else null. */
  woken(): Promise<void> | null;
  /** For readonly paths, and for others, that name no deadline of their own. */
  readDeadlineMs: number;
  deadlineMs: number;
  overdue: Overdue;
  fellBack(cutover: string): void;
};

/** @throws what the paths throw; CrossfadeError `invalid_config` for a comparison of what is not readonly, and without an old path */
export async function runCutover<T>(parts: RunParts, run: CutoverRun<T>): Promise<T> {
  if (typeof run.primary !== 'function') throw withoutPrimary(run);
  if (run.compare && !run.readonly) throw notComparable(run.cutover);
  const woken = parts.woken();
  if (woken) await woken;
  const decision = parts.decide(run);
  const call = new RunCall(parts, run.cutover, decision.side);
  const served = await serve(parts, run, call, decision);
  const { settled } = served;
  if (!succeeds(run, settled) && mayFallBack(run, decision, settled)) return fallBack(parts, run, call);
  if (decision.comparable) parts.comparer.offer(run, served);
  return settled.ok ? settled.answer : finish(run, call, settled.error);
}

const notComparable = (cutover: string) =>
  new CrossfadeError(
    'invalid_config',
    `'${cutover}' cannot be compared: comparing runs both paths. Say readonly: true, if running them twice does no harm, or use client.read.`,
  );

const withoutPrimary = <T>({ cutover, primary }: CutoverRun<T>) =>
  new CrossfadeError(
    'invalid_config',
    `'${String(cutover)}' cannot be run: primary is ${typeof primary}. It takes the old path as a function: primary: () => …`,
  );

/** The failure is recorded already; comparing would only run the old path a second time. */
async function fallBack<T>(parts: RunParts, run: CutoverRun<T>, call: RunCall): Promise<T> {
  parts.fellBack(run.cutover);
  const old = await settle(run.primary, call.other('primary', false));
  return old.ok ? old.answer : finish(run, call, old.error);
}

/** Runs the chosen side, measures it and records what became of it, once. */
async function serve<T>(parts: RunParts, run: CutoverRun<T>, call: RunCall, decision: RunDecision): Promise<Served<T>> {
  const { side, slice, left } = decision;
  const { cutover } = run;
  const operation = operationOf(run);
  const keyless = isKeyless(run);
  const startedMs = parts.now();
  const deadlineMs = deadlineOf(parts, run);

  function ended(settled: Settled<T>): Served<T> {
    const latencyMs = parts.now() - startedMs;
    const success = succeeds(run, settled);
    const { error } = settled;
    // One object in one piece: adding to a copy of another would cost more than everything else that is done here.
    parts.record({ cutover, side, slice, latencyMs, success, operation, keyless, left, error });
    return { side, slice, settled, latencyMs, call };
  }

  const settling = settle(run[side], call);
  if (!(settling instanceof Promise)) return ended(settling);
  if (mayBeGivenUp(run, decision)) {
    const settled = await within(deadlineMs, settling, null);
    if (settled) return ended(settled);
    const late = ended(lateOf(call, deadlineMs));
    if (!mayFallBack(run, decision, late.settled)) return { ...late, settled: await settling };
    call.end();
    return late;
  }
  let late: Served<T> | null = null;
  const stopWatching = parts.overdue.watch(startedMs + deadlineMs, () => {
    late = ended(lateOf(call, deadlineMs));
  });
  const settled = await settling;
  stopWatching();
  return late ? { ...(late as Served<T>), settled } : ended(settled);
}

/** Only a read, and only where another side can answer. */
const mayBeGivenUp = <T>({ readonly, fallback }: CutoverRun<T>, { side, promoted }: RunDecision): boolean =>
  readonly === true && side === 'shadow' && !promoted && fallback !== false;

function deadlineOf<T>(parts: RunParts, run: CutoverRun<T>): number {
  const { deadlineMs = 0 } = run;
  return deadlineMs > 0 ? deadlineMs : run.readonly ? parts.readDeadlineMs : parts.deadlineMs;
}

const lateOf = ({ cutover, side }: RunCall, deadlineMs: number): { ok: false; error: unknown } => ({
  ok: false,
  error: new DOMException(`The ${side} path of '${cutover}' took over ${deadlineMs} ms.`, 'TimeoutError'),
});

function mayFallBack<T>(run: CutoverRun<T>, { side, promoted }: RunDecision, settled: Settled<T>): boolean {
  if (side === 'primary' || promoted) return false;
  const { fallback = true } = run;
  if (typeof fallback !== 'function') return fallback;
  return says(() => fallback.call(run, settled.ok ? settled.answer : settled.error));
}

/** No side could finish. The work is kept where the application said so; else the caller learns why. */
async function finish<T>(run: CutoverRun<T>, call: RunCall, error: unknown): Promise<T> {
  if (!run.unfinished) throw error;
  const { cutover } = run;
  try {
    return await run.unfinished({ id: call.id, cutover, key: keyOf(run.key), operation: operationOf(run), error });
  } catch {
    throw error;
  }
}
