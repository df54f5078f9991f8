/** Collects what the gates judge for one cutover: windows, the table's status, the deployed flag. Reads only. */

import type { Alert } from '../../core/alerts/alert.ts';
import { lookMinutes, rulesOf } from '../../core/alerts/rule.ts';
import { demands } from '../../core/alerts/watch.ts';
import { MINUTE_MS } from '../../core/base/units.ts';
import type { Verdict } from '../../core/conditions/verdict.ts';
import type { CutoverDeclaration, CutoverState, SystemState } from '../../core/cutover/cutover.ts';
import { policyOf } from '../../core/cutover/policy.ts';
import { syncsShadow } from '../../core/cutover/stage-kinds.ts';
import type { CopiesSummary } from '../../core/forwards/forward.ts';
import { guardMinutes } from '../../core/gates/absolute-guards.ts';
import type { MinuteWindow, TableStatus } from '../../core/gates/evidence.ts';
import type { Evidence } from '../../core/gates/fold.ts';
import { judge } from '../../core/gates/judge.ts';
import { pendingCondition, storedPending } from '../../core/gates/pending.ts';
import { resume } from '../../core/gates/seen.ts';
import { demandsOf } from '../../core/holds/demands.ts';
import { armedHold } from '../../core/holds/existence.ts';
import { copiesCondition } from '../../core/holds/forwards.ts';
import { shapeConditions } from '../../core/holds/shape.ts';
import type { FlagDocument } from '../../core/routing/flags.ts';
import type { Ports } from '../../ports/ports.ts';
import type { StoredVerdict } from '../../ports/state.ts';
import type { TablesAsked } from '../rows/ask-tables.ts';

export type Observed = {
  verdict: Verdict;
  /** Goes on from what was stored; who judges for good stores it with the verdict. */
  evidence: Evidence;
  /** What the evidence, the rules and the guards look at, and `lookMinutes` of it at least, oldest first. */
  windows: readonly MinuteWindow[];
  table: TableStatus | null;
  flagsDeployed: boolean;
  /** Writes that the other side has still to get; null for tables, and when they could not be counted. */
  copies: CopiesSummary | null;
};

type More = {
  /** As stored: a rule that holds or rolls back may have to be broken for some minutes before it does. */
  alerts?: readonly Alert[] | undefined;
  atLeastMinutes?: number;
  /** Why the pending intent could not be carried out just now; as the last tick stored it when not given. */
  waits?: string | null;
  /** Of many tables that were asked for at once; without it the database is asked for this one. */
  tables?: TablesAsked;
};

/** What pages and reports show. A tick needs less: the evidence only asks for what came since it was stored. */
export const PAGE_MINUTES = 60;

/** What everybody needs who wants to know how a cutover is. */
export type ObservePorts = Pick<Ports, 'verdicts' | 'windows' | 'inspecting' | 'forwards' | 'log'>;

export async function observe(
  ports: ObservePorts,
  declaration: CutoverDeclaration,
  state: CutoverState,
  deployed: FlagDocument | null,
  system: Pick<SystemState, 'phases' | 'shadowWritesEnabled'>,
  nowMs: number,
  { alerts = [], atLeastMinutes = 0, waits = null, tables }: More = {},
): Promise<Observed> {
  const policy = policyOf(declaration, state);
  const rules = rulesOf(policy, declaration.alerts);
  const backMinutes = Math.max(atLeastMinutes, lookMinutes(rules), guardMinutes(policy));
  const last = await storedVerdict(ports, declaration.id);
  const stored = last?.evidence ?? null;
  const nowMinute = Math.floor(nowMs / MINUTE_MS);
  // Of a cutover that was never started no evidence is kept, so none is folded anew every minute.
  const unfoldedMinute = state.version === 0 ? nowMinute : resume(stored, state, policy, nowMs).fromMinute;
  const fromMinute = Math.min(unfoldedMinute, nowMinute - backMinutes);
  const [windows, asked, copies] = await Promise.all([
    ports.windows.read(declaration.id, Math.max(0, fromMinute), nowMinute),
    state.kind === 'table' ? tableStatus(ports, declaration.id, tables) : { table: null },
    state.kind === 'table' || state.version === 0 ? null : copiesSummary(ports, declaration.id),
  ]);
  const { table } = asked;
  const flag = deployed?.cutovers[declaration.id];
  const flagsDeployed = flag?.version === state.version && flag.epoch === state.epoch;
  const seen = { state, policy, windows, table, flagsDeployed, nowMs, active: stored?.active };
  const demanded = demandsOf({ declaration, policy, state, system, windows, nowMs });
  const alerted = demands(rules, alerts, { ...seen, verdict: null, rolledBack: null });
  const armed = armedHold(state, table);
  const pending = waits === null ? storedPending(state, last) : pendingCondition(state, waits, nowMs);
  const { verdict, evidence } = judge({
    ...seen,
    ...asked,
    evidence: stored,
    holds: [
      ...demanded.holds,
      ...alerted.holds,
      ...pending,
      ...(armed ? [armed] : []),
      ...(syncsShadow(state) ? shapeConditions(declaration.id, table) : []),
      ...(state.kind === 'table' || !syncsShadow(state) ? [] : [copiesCondition(declaration.id, copies, policy)]),
    ],
    guards: [...demanded.guards, ...alerted.guards],
  });
  return { verdict, evidence, windows, table, flagsDeployed, copies };
}

/** Evidence that cannot be read is folded anew from the windows. */
async function storedVerdict(ports: Pick<Ports, 'verdicts' | 'log'>, id: string): Promise<StoredVerdict | null> {
  try {
    return await ports.verdicts.read(id);
  } catch (error) {
    ports.log.failure('evidence_not_read', error, { cutover: id });
    return null;
  }
}

/** The same for copies: what cannot be counted holds. */
async function copiesSummary(ports: Pick<Ports, 'forwards' | 'log'>, id: string): Promise<CopiesSummary | null> {
  try {
    return await ports.forwards.summary(id);
  } catch (error) {
    ports.log.failure('copies_not_counted', error, { cutover: id });
    return null;
  }
}

/** An unreachable database is a reason to hold, not to fail the tick of every cutover. */
async function tableStatus(
  ports: Pick<Ports, 'inspecting' | 'log'>,
  id: string,
  asked: TablesAsked | undefined,
): Promise<{ table: TableStatus | null; tableProblem: string | null }> {
  try {
    return { table: asked ? asked(id) : await ports.inspecting.status(id), tableProblem: null };
  } catch (error) {
    ports.log.failure('table_status_failed', error, { cutover: id });
    return { table: null, tableProblem: error instanceof Error ? error.message : String(error) };
  }
}
