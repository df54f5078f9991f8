/** Collects what the gates judge for one cutover: windows, the table's status, the deployed flag. Reads only. */

import type { Alert } from '../core/alerts/alert.ts';
import { rulesOf } from '../core/alerts/rule.ts';
import { demands } from '../core/alerts.ts';
import type { CutoverDeclaration, CutoverState, SystemState } from '../core/cutover.ts';
import { demandsOf } from '../core/demands.ts';
import type { MinuteWindow, TableStatus } from '../core/evidence.ts';
import type { FlagDocument } from '../core/flags.ts';
import type { Verdict } from '../core/gates/verdict.ts';
import { evaluate } from '../core/gates.ts';
import { policyOf } from '../core/policy.ts';
import type { Ports } from '../ports.ts';

export type Observed = {
  verdict: Verdict;
  windows: readonly MinuteWindow[];
  table: TableStatus | null;
  flagsDeployed: boolean;
};

const MINUTE_MS = 60_000;
/** Before the stage: what the primary did while it served all or most reads. */
const HISTORY_MINUTES = 60;
/** Of the stage itself; what is older is history, whatever a stage's length. */
const STAGE_MINUTES = 24 * 60;

export async function observe(
  ports: Pick<Ports, 'windows' | 'tables' | 'log'>,
  declaration: CutoverDeclaration,
  state: CutoverState,
  deployed: FlagDocument | null,
  system: Pick<SystemState, 'phases' | 'shadowWritesEnabled'>,
  nowMs: number,
  /** As stored: a rule that holds or rolls back may have to be broken for some minutes before it does. */
  alerts: readonly Alert[] = [],
): Promise<Observed> {
  const nowMinute = Math.floor(nowMs / MINUTE_MS);
  const enteredMinute = Math.floor(state.enteredAtMs / MINUTE_MS);
  const from = Math.min(Math.max(enteredMinute + 1, nowMinute - STAGE_MINUTES), nowMinute);
  const [history, stage, table] = await Promise.all([
    ports.windows.read(
      declaration.id,
      Math.min(enteredMinute, nowMinute) - HISTORY_MINUTES,
      Math.min(enteredMinute, from - 1),
    ),
    ports.windows.read(declaration.id, from, nowMinute),
    state.kind === 'table' ? tableStatus(ports, declaration.id) : null,
  ]);
  const windows = [...history, ...stage];
  const flag = deployed?.cutovers[declaration.id];
  const flagsDeployed = flag?.version === state.version && flag.epoch === state.epoch;
  const policy = policyOf(declaration, state);
  const seen = { state, policy, windows, table, flagsDeployed, nowMs };
  const asked = demandsOf({ declaration, policy, state, system, windows, nowMs });
  const alerted = demands(rulesOf(policy, declaration.alerts), alerts, { ...seen, verdict: null, rolledBack: null });
  const verdict = evaluate({
    ...seen,
    holds: [...asked.holds, ...alerted.holds],
    guards: [...asked.guards, ...alerted.guards],
  });
  return { verdict, windows, table, flagsDeployed };
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
