/** Snapshots and judgements made up of their parts, for what only reads them. */

import { type Condition, condition } from '../../lib/core/conditions/condition.ts';
import type { Release } from '../../lib/core/conditions/release.ts';
import type { ConditionCode } from '../../lib/core/conditions/table.ts';
import type { Verdict } from '../../lib/core/conditions/verdict.ts';
import type { CutoverState } from '../../lib/core/cutover/cutover.ts';
import type { Judgement, Snapshot } from '../../lib/core/look/snapshot.ts';
import { declarationOf, NOW, systemOf } from '../property/samples.ts';

export const held = (
  code: ConditionCode,
  over: Partial<Parameters<typeof condition>[1]> & { release?: Release | Release[] } = {},
): Condition => condition(code as 'lag', { ok: false, seen: 1, limit: 2, ...over } as never);
export const intent = (action: string, withdrawn = false): CutoverState['pending'] =>
  ({
    action,
    actor: 'ada',
    epoch: 4,
    sinceMs: NOW,
    reason: '',
    withdrawn: withdrawn ? { actor: 'bob', reason: '', cause: 'operator', atMs: NOW } : null,
  }) as never;

export function snapshotOf(state: CutoverState, over: Partial<Snapshot> = {}): Snapshot {
  const declaration = declarationOf(state.kind);
  return {
    id: declaration.id,
    declaration,
    state,
    system: systemOf(),
    policy: declaration.policy,
    last: null,
    windows: [],
    parts: [],
    table: null,
    tableProblem: null,
    forwards: null,
    flagsDeployed: true,
    flagsSeen: [],
    alerts: [],
    observations: {},
    waits: null,
    nowMs: NOW,
    ...over,
  };
}

export const judged = (state: CutoverState, verdict: Verdict, over: Partial<Judgement> = {}): Judgement =>
  ({ ...snapshotOf(state), verdict, evidence: {}, ...over }) as Judgement;
