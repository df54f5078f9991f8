/** Collects what the gates judge for one cutover: windows, the table's status, the deployed flag. Reads only. */

import type { Alert } from '../core/alerts/alert.ts';
import { rulesOf } from '../core/alerts/rule.ts';
import { demands } from '../core/alerts.ts';
import type { CutoverDeclaration, CutoverState } from '../core/cutover.ts';
import { demandsOf } from '../core/demands.ts';
import type { MinuteWindow, TableStatus } from '../core/evidence.ts';
import type { FlagDocument } from '../core/flags.ts';
import type { Evidence } from '../core/gates/fold.ts';
import { resume } from '../core/gates/seen.ts';
import type { Verdict } from '../core/gates/verdict.ts';
import { judge } from '../core/gates.ts';
import { policyOf } from '../core/policy.ts';
import type { Ports } from '../ports.ts';

export type Observed = {
  verdict: Verdict;
  /** The evidence to store with the verdict: the next look folds on from there. */
  evidence: Evidence;
  windows: readonly MinuteWindow[];
  table: TableStatus | null;
  flagsDeployed: boolean;
};

const MINUTE_MS = 60_000;
/** Alert rules and pages look at the last hour; the fold needs what came since it was stored. */
const LOOK_MINUTES = 60;

export async function observe(
  ports: Pick<Ports, 'state' | 'windows' | 'tables' | 'log'>,
  declaration: CutoverDeclaration,
  state: CutoverState,
  deployed: FlagDocument | null,
  nowMs: number,
  /** As stored: a rule that holds or rolls back may have to be broken for some minutes before it does. */
  alerts: readonly Alert[] = [],
): Promise<Observed> {
  const policy = policyOf(declaration, state);
  const nowMinute = Math.floor(nowMs / MINUTE_MS);
  const stored = await storedEvidence(ports, declaration.id);
  const { fromMinute } = resume(stored, state, policy, nowMs);
  const [windows, table] = await Promise.all([
    ports.windows.read(declaration.id, Math.max(0, Math.min(fromMinute, nowMinute - LOOK_MINUTES)), nowMinute),
    state.kind === 'table' ? tableStatus(ports, declaration.id) : null,
  ]);
  const flag = deployed?.cutovers[declaration.id];
  const flagsDeployed = flag?.version === state.version && flag.epoch === state.epoch;
  const seen = { state, policy, windows, table, flagsDeployed, nowMs };
  const asked = demandsOf({ declaration, policy, state, windows, nowMs });
  const alerted = demands(rulesOf(policy, declaration.alerts), alerts, { ...seen, verdict: null, rolledBack: null });
  const { verdict, evidence } = judge({
    ...seen,
    evidence: stored,
    holds: [...asked.holds, ...alerted.holds],
    guards: [...asked.guards, ...alerted.guards],
  });
  return { verdict, evidence, windows, table, flagsDeployed };
}

/** An unreachable database is a reason to hold, not to fail the tick of every cutover. */
async function tableStatus(ports: Pick<Ports, 'tables' | 'log'>, id: string): Promise<TableStatus | null> {
  try {
    return await ports.tables.status(id);
  } catch (error) {
    ports.log.failure('table_status_failed', error, { cutover: id });
    return null;
  }
}

/** Evidence that cannot be read is folded anew from the windows. */
async function storedEvidence(ports: Pick<Ports, 'state' | 'log'>, id: string): Promise<Evidence | null> {
  try {
    return (await ports.state.readVerdict(id))?.evidence ?? null;
  } catch (error) {
    ports.log.failure('evidence_not_read', error, { cutover: id });
    return null;
  }
}
