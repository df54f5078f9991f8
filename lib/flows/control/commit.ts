/** Turns a decision into one conditional write. The only place where states change. */

import type { CutoverState } from '../../core/cutover/cutover.ts';
import { isUnderWay } from '../../core/cutover/stage-kinds.ts';
import type { Decision } from '../../core/stage/decision.ts';
import { record } from '../../core/stage/evolve.ts';
import type { Ports } from '../../ports/ports.ts';
import type { IdempotencyRecord, WriteResult } from '../../ports/state.ts';

export type By = { nowMs: number; actor: string };

export type Committed =
  | { kind: 'applied'; state: CutoverState }
  | { kind: 'unchanged'; state: CutoverState; why: string }
  | Exclude<WriteResult<CutoverState>, { kind: 'applied' }>;

/** `stale` means that another caller moved first: nothing was changed, and the caller should look again. */
export async function commit(
  ports: Pick<Ports, 'state'>,
  before: CutoverState,
  decision: Exclude<Decision, { kind: 'refused' }>,
  { answer, ...by }: By & { answer?: (after: CutoverState) => IdempotencyRecord },
): Promise<Committed> {
  if (decision.kind === 'unchanged') return { kind: 'unchanged', state: before, why: decision.why };
  const { state: after, entries } = record(before, decision.events, by);
  const result = await ports.state.writeCutover({
    before,
    after,
    entries,
    ...(answer ? { idempotency: answer(after) } : {}),
  });
  return result.kind === 'applied' ? { kind: 'applied', state: after } : result;
}

/**
 * Says that the evidence of a stage begins again, once: the next tick finds what this one has folded. A change that was made meanwhile
 * goes first.
 */
export async function noteRestart(ports: Pick<Ports, 'state'>, before: CutoverState, by: By): Promise<CutoverState> {
  if (!isUnderWay(before)) return before;
  const { state: after, entries } = record(before, [{ type: 'evidence_restarted', stage: before.stage }], by);
  const { kind } = await ports.state.writeCutover({ before, after, entries });
  return kind === 'applied' ? after : before;
}
