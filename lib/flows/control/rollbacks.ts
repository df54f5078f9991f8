/** Sees a rollback through: each step of its procedure is recorded when it is seen done. And the history of rollbacks. */

import { MINUTE_MS } from '../../core/base/units.ts';
import type { CutoverDeclaration, CutoverState, Rollback } from '../../core/cutover/cutover.ts';
import type { TableStatus } from '../../core/gates/evidence.ts';
import type { AuditEntry } from '../../core/stage/audit.ts';
import { type Event, TICK } from '../../core/stage/events.ts';
import { record } from '../../core/stage/evolve.ts';
import { isVerified, type Procedure, procedureOf, SCENARIOS, stepsSeen } from '../../core/stage/rollback-procedure.ts';
import type { Ports } from '../../ports/ports.ts';
import { withConcurrencyLimit } from '../calls/concurrency-limit.ts';
import { askTables } from '../rows/ask-tables.ts';
import { readDeployed } from './deployed-flags.ts';

type Needs = Pick<Ports, 'clock' | 'state' | 'windows' | 'inspecting' | 'flags' | 'log'>;

/** Watched at a time. */
const AT_ONCE = 10;
const PAGE = 200;
const MAX_ENTRIES = 10_000;
/** By design everything is back within two minutes; who still reads then must be found. */
const OVERDUE_MS = 5 * MINUTE_MS;

export const needsWatching = (state: CutoverState): boolean =>
  state.stageKind === 'rolled_back' && state.rollback !== null && !isVerified(state);

/** Of the given cutovers, those whose rollback is not seen through. What fails is looked at by the next tick. */
export async function watchRollbacks(ports: Needs, declarations: readonly CutoverDeclaration[]): Promise<void> {
  if (declarations.length === 0) return;
  const deployed = (await readDeployed(ports))?.document ?? null;
  const tables = await askTables(ports, declarations);
  await withConcurrencyLimit(declarations, AT_ONCE, async ({ id }) => {
    try {
      const state = await ports.state.readCutover(id);
      if (state && needsWatching(state))
        await watchOne(ports, state, deployed, state.kind === 'table' ? tables(id) : null);
    } catch (error) {
      ports.log.failure('rollback_not_watched', error, { cutover: id });
    }
  });
}

async function watchOne(
  ports: Needs,
  state: CutoverState,
  deployed: Parameters<typeof stepsSeen>[1]['deployed'],
  table: TableStatus | null,
) {
  const nowMs = ports.clock.now();
  const { atMs } = state.rollback!;
  const windows = await ports.windows.read(state.id, Math.floor(atMs / MINUTE_MS), Math.floor(nowMs / MINUTE_MS));
  const steps = stepsSeen(state, { deployed, table, windows, nowMs });
  if (nowMs - atMs > OVERDUE_MS && !isVerified(state) && steps.length === 0)
    ports.log.event('rollback_overdue', { cutover: state.id, minutes: Math.floor((nowMs - atMs) / MINUTE_MS) });
  if (steps.length === 0) return;
  const { state: after, entries } = record(state, [{ type: 'rollback_seen', steps }], { nowMs, actor: TICK });
  // Whoever changed it meanwhile goes first; the next tick looks again.
  await ports.state.writeCutover({ before: state, after, entries });
}

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

async function wholeLog(ports: Pick<Ports, 'state'>, subject: string): Promise<AuditEntry<Event>[]> {
  const entries: AuditEntry<Event>[] = [];
  while (entries.length < MAX_ENTRIES) {
    const page = await ports.state.readAudit(subject, {
      limit: PAGE,
      afterSeq: entries.at(-1)?.seq ?? 0,
      oldestFirst: true,
    });
    entries.push(...page);
    if (page.length < PAGE) break;
  }
  return entries;
}
