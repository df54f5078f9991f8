/**
 * One tick over every cutover: advance each on its own, some at a time, then make flags and Postgres agree with all of
 * them. Alerts come last: nobody waits for a message.
 */

import type { Alert } from '../../core/alerts/alert.ts';
import { MINUTE_MS } from '../../core/base/units.ts';
import type { Verdict } from '../../core/conditions/verdict.ts';
import { type CutoverDeclaration, type CutoverState, initialState } from '../../core/cutover/cutover.ts';
import { isUnderWay } from '../../core/cutover/stage-kinds.ts';
import type { CopiesSummary } from '../../core/forwards/forward.ts';
import type { TableStatus } from '../../core/gates/evidence.ts';
import { groupsOf } from '../../core/holds/cohort.ts';
import type { Member } from '../../core/phases/checks.ts';
import { TICK } from '../../core/stage/events.ts';
import type { Ports } from '../../ports/ports.ts';
import { readAlerts, watchAlerts } from '../alerts/watch-alerts.ts';
import { inBatches, withConcurrencyLimit } from '../calls/concurrency-limit.ts';
import { shortCircuit } from '../calls/short-circuit.ts';
import { askTables } from '../rows/ask-tables.ts';
import { act, type Looked, look, type Peer, type TickContext } from './advance.ts';
import type { CarryOutPorts } from './carry-out.ts';
import { rollBackMates } from './cohorts.ts';
import type { ObservePorts } from './observe.ts';
import { orchestrate } from './orchestrate.ts';
import { type Declared, type Reconciled, type ReconcilePorts, readDeployed, reconcile } from './reconcile.ts';
import { needsWatching, watchRollbacks } from './rollbacks.ts';

export type TickResult = {
  cutovers: readonly { id: string; stage: string; verdict: string; moved: string | null; problem?: string }[];
  flags: Reconciled;
};

/** Looked at together, so that they share requests. With more at once an engine that is busy answers too late. */
const GROUPS_IN_BATCH = 10;
const BATCHES_AT_ONCE = 2;
/** For arming and disarming: hundreds of tables that are started at once take some ticks, and each tick ends in time. */
const TABLES_MS = 15_000;

type Needs = CarryOutPorts & ObservePorts & ReconcilePorts;
type TickNeeds = Needs & Pick<Ports, 'alerts' | 'channels' | 'ids'>;

export async function tick(given: TickNeeds, declarations: readonly CutoverDeclaration[]): Promise<TickResult> {
  const ports = shortCircuit(given);
  const nowMs = ports.clock.now();
  const [system, states, deployed, alerts] = await Promise.all([
    ports.state.readSystem(),
    ports.state.readAll(),
    readDeployed(ports),
    readAlerts(ports),
  ]);
  const context = {
    nowMs,
    system,
    states: new Map(states.map((state) => [state.id, state])),
    deployed: deployed?.document ?? null,
    alerts: byCutover(alerts),
    tables: await askTables(ports, declarations),
  };
  const batches = inBatches(groupsOf(declarations), GROUPS_IN_BATCH);
  const looks = await withConcurrencyLimit(batches, BATCHES_AT_ONCE, (groups) =>
    Promise.all(groups.map((group) => tickGroup(ports, declarations, group, context))),
  );
  const seen = looks.flat(2);
  const cutovers = seen.map(({ line }) => line);
  const judged = seen.flatMap((one) => one.alerts);
  const members = new Map(seen.flatMap(({ line, member }) => (member ? [[line.id, member] as const] : [])));
  await orchestrate(ports, declarations, members, nowMs).catch((error) =>
    ports.log.failure('orchestrate_failed', error),
  );
  ports.metrics.record('Tick', 1);
  // Read once more: a command may have come in since, and flags must never be older than the state.
  const flags = await reconcileNow(ports, declarations, TABLES_MS);
  const fallen = declarations.filter(({ id }) => members.has(id) && needsWatching(members.get(id)!.state));
  await watchRollbacks(ports, fallen);
  await watchAlerts(ports, declarations, alerts, judged, nowMs);
  return { cutovers, flags };
}

function byCutover(alerts: readonly Alert[]): TickContext['alerts'] {
  const found = new Map<string, Alert[]>();
  for (const alert of alerts) {
    const others = found.get(alert.cutover);
    if (others) others.push(alert);
    else found.set(alert.cutover, [alert]);
  }
  return found;
}

/** What a tick has to say of one cutover. `member` null: it could not be looked at. */
type Seen = { line: TickResult['cutovers'][number]; member: Member | null; alerts: readonly Alert[] };

/** A cutover alone, or the members of a cohort: all are looked at before the first one moves. */
async function tickGroup(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  group: readonly CutoverDeclaration[],
  context: TickContext,
): Promise<Seen[]> {
  const failed = ({ id }: CutoverDeclaration, error: unknown): Seen => {
    ports.log.failure('advance_failed', error, { cutover: id });
    const problem = error instanceof Error ? error.message : String(error);
    return { line: { id, stage: 'unknown', verdict: 'hold', moved: null, problem }, member: null, alerts: [] };
  };
  const seen: Seen[] = [];
  const looked: Peer[] = [];
  for (const declaration of group) {
    try {
      looked.push(await look(ports, declaration, context));
    } catch (error) {
      looked.push({ id: declaration.id, state: null, verdict: null });
      seen.push(failed(declaration, error));
    }
  }
  for (const [i, declaration] of group.entries()) {
    const own = looked[i]!;
    if (!own.state) continue;
    const peers = looked.filter((_, other) => other !== i);
    try {
      seen.push(await actOn(ports, declaration, own, peers, context));
      const { state } = seen.at(-1)!.member!;
      if (group.length > 1) await rollBackMates(ports, declarations, state, { nowMs: context.nowMs, actor: TICK });
    } catch (error) {
      seen.push(failed(declaration, error));
    }
  }
  return seen;
}

async function actOn(
  ports: Needs,
  declaration: CutoverDeclaration,
  looked: Looked,
  peers: readonly Peer[],
  context: TickContext,
): Promise<Seen> {
  const { id } = declaration;
  const { state, verdict, table, copies, moved, alerts } = await act(ports, declaration, looked, peers, context);
  measure(ports, state, verdict, table, copies);
  if (moved) ports.log.event('stage_moved', { cutover: id, moved, version: state.version });
  const line = { id, stage: state.stage, verdict: verdict.verdict, moved };
  return { line, member: { state, verdict, table }, alerts };
}

/** Reads every state and makes flags and Postgres agree with it. Nothing is published on an unreadable state. */
export async function reconcileNow(
  ports: ReconcilePorts & Pick<Ports, 'state'>,
  declarations: readonly CutoverDeclaration[],
  tablesMs?: number,
): Promise<Reconciled> {
  const [system, all, deployed] = await Promise.all([
    ports.state.readSystem(),
    ports.state.readAll(),
    readDeployed(ports),
  ]);
  const invalid = all.filter((item) => 'invalid' in item);
  for (const item of invalid) ports.log.event('state_invalid', { cutover: item.id, why: item.invalid });
  ports.metrics.record('StateInvalid', invalid.length);
  const declared: Declared[] = [];
  const stored = new Map(all.map((item) => [item.id, item]));
  for (const declaration of declarations) {
    const item = stored.get(declaration.id) ?? initialState(declaration);
    if ('invalid' in item) continue;
    declared.push({ declaration, state: item });
  }
  if (declared.length < declarations.length) return { published: false, why: 'a stored state is invalid' };
  return reconcile(ports, declared, system, deployed, tablesMs);
}

function measure(
  ports: Needs,
  state: CutoverState,
  verdict: Verdict,
  table: TableStatus | null,
  copies: CopiesSummary | null,
): void {
  if (table) {
    ports.metrics.record('OutboxAgeMs', table.lagMs);
    ports.metrics.record('Quarantined', table.quarantined);
  }
  if (copies) {
    ports.metrics.record('CopiesAgeMs', copies.lagMs);
    ports.metrics.record('CopiesQuarantined', copies.quarantined);
  }
  const dwellMinutes = state.plan.stages.find((stage) => stage.name === state.stage)?.dwellMinutes ?? 0;
  const held = verdict.verdict === 'hold' && isUnderWay(state);
  const beyondMinutes = verdict.evidence.minutesInStage - dwellMinutes;
  ports.metrics.record('HeldMs', held ? Math.max(0, beyondMinutes * MINUTE_MS) : 0);
}
