/** The rollbacks of a cutover, with each step that was seen done, and what a rollback from here would consist of. Reads only. */

import type { CutoverDeclaration, Rollback } from '../../core/cutover/cutover.ts';
import { isVerified, type Procedure, procedureOf, SCENARIOS } from '../../core/stage/rollback-procedure.ts';
import type { Ports } from '../../ports/ports.ts';
import { wholeLog } from './history.ts';

export type RollbackRecord = Pick<Rollback, 'atMs' | 'actor' | 'cause' | 'fromStage' | 'reason' | 'steps'> & {
  verified: boolean;
  /** From the decision to the last read of the shadow, to the minute; null until it is known. */
  readsLeftMs: number | null;
};

export type Rollbacks = {
  cutover: string;
  /** What a rollback from here consists of. */
  procedure: Procedure;
  /** Newest first. */
  rollbacks: readonly RollbackRecord[];
  scenarios: typeof SCENARIOS;
};

export async function rollbacksOf(ports: Pick<Ports, 'state'>, declaration: CutoverDeclaration): Promise<Rollbacks> {
  const state = await ports.state.readCutover(declaration.id);
  const from = { kind: declaration.kind, plan: state?.plan ?? declaration.plan };
  const standing = {
    fromStage: state?.stage ?? 'disabled',
    reason: '',
    cause: 'operator',
    actor: '',
    atMs: 0,
    steps: [],
  } as const;
  const records: RollbackRecord[] = [];
  for (const { event, atMs, actor } of await wholeLog(ports, declaration.id)) {
    if (event.type === 'rolled_back' || event.type === 'reverted') {
      const { from: fromStage, reason, cause = 'operator' } = event;
      records.unshift({ atMs, actor, cause, fromStage, reason, steps: [], verified: false, readsLeftMs: null });
    }
    const [latest] = records;
    if (event.type !== 'rollback_seen' || !latest) continue;
    const steps = [...latest.steps, ...event.steps];
    const left = steps.find(({ name }) => name === 'reads_left');
    const verified = isVerified({ ...from, rollback: { ...latest, steps } });
    records[0] = { ...latest, steps, verified, readsLeftMs: left?.tookMs ?? null };
  }
  const procedure = procedureOf({ ...from, rollback: state?.rollback ?? standing });
  return { cutover: declaration.id, procedure, rollbacks: records, scenarios: SCENARIOS };
}
