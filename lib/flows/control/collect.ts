/**
 * What is known of cutovers, read for many at once: state, flags, alerts and tables in four requests, then the evidence of each.
 * Reads only. What cannot be read of one cutover is missing in its snapshot, and holds it; it never fails the others.
 */

import type { Alert } from '../../core/alerts/alert.ts';
import { lookMinutes, rulesOf } from '../../core/alerts/rule.ts';
import { CrossfadeError, messageOf } from '../../core/base/errors.ts';
import { MINUTE_MS } from '../../core/base/units.ts';
import {
  type CutoverDeclaration,
  type CutoverState,
  initialState,
  type SystemState,
} from '../../core/cutover/cutover.ts';
import { policyOf } from '../../core/cutover/policy.ts';
import type { ForwardsSummary } from '../../core/forwards/forward.ts';
import { guardMinutes } from '../../core/gates/absolute-guards.ts';
import { wholeWindows } from '../../core/gates/minute-window.ts';
import { unfoldedFrom } from '../../core/gates/seen.ts';
import type { FlagsSeen, StoredVerdict } from '../../core/gates/stored-verdict.ts';
import type { Snapshot } from '../../core/look/snapshot.ts';
import { carriesState } from '../../core/routing/flags.ts';
import type { Ports } from '../../ports/ports.ts';
import { readAlerts } from '../alerts/watch-alerts.ts';
import { askTables, type TablesAsked } from '../rows/ask-tables.ts';
import { type Deployed, readDeployed } from './deployed-flags.ts';

/** What is read once for all cutovers of a look. */
export type Around = {
  nowMs: number;
  system: SystemState;
  deployed: Deployed | null;
  /** As stored, by cutover; none for those that were never started. */
  states: ReadonlyMap<string, CutoverState | { id: string; invalid: string }>;
  alerts: ReadonlyMap<string, readonly Alert[]>;
  /** As the database said after the states were read. */
  tables: TablesAsked;
};

export type CollectPorts = Pick<
  Ports,
  'clock' | 'state' | 'flags' | 'alerts' | 'verdicts' | 'windows' | 'inspecting' | 'forwards' | 'log'
>;

/** Lists of everything that the caller needs as well, and has asked for already: each is read once. */
export type SharedReads = {
  states?: ReturnType<Ports['state']['readAll']>;
  alerts?: ReturnType<Ports['alerts']['readAll']>;
};

/** @param declarations whose tables are asked for */
export async function collectAround(
  ports: CollectPorts,
  declarations: readonly CutoverDeclaration[],
  shared: SharedReads = {},
): Promise<Around> {
  const nowMs = ports.clock.now();
  const [system, states, deployed, alerts] = await Promise.all([
    ports.state.readSystem(),
    shared.states ?? ports.state.readAll(),
    readDeployed(ports),
    readAlerts(ports, shared.alerts),
  ]);
  return {
    nowMs,
    system,
    deployed,
    states: new Map(states.map((state) => [state.id, state])),
    alerts: byCutover(alerts),
    tables: await askTables(ports, declarations),
  };
}

function byCutover(alerts: readonly Alert[]): Around['alerts'] {
  const found = new Map<string, Alert[]>();
  for (const alert of alerts) {
    const others = found.get(alert.cutover);
    if (others) others.push(alert);
    else found.set(alert.cutover, [alert]);
  }
  return found;
}

/** @throws CrossfadeError `state_invalid` */
export function stateIn({ states }: Pick<Around, 'states'>, declaration: CutoverDeclaration): CutoverState {
  const stored = states.get(declaration.id) ?? initialState(declaration);
  if ('invalid' in stored) throw new CrossfadeError('state_invalid', stored.invalid);
  return stored;
}

export type More = {
  /** Newer than what was read for all. */
  state?: CutoverState;
  tables?: TablesAsked;
  /** Why the pending intent could not be carried out just now. */
  waits?: string | null;
  /** Windows of at least so many minutes. */
  atLeastMinutes?: number;
};

/** @throws CrossfadeError when the state or the windows cannot be read */
export async function collect(
  ports: CollectPorts,
  around: Around,
  declaration: CutoverDeclaration,
  { state = stateIn(around, declaration), tables = around.tables, waits = null, atLeastMinutes = 0 }: More = {},
): Promise<Snapshot> {
  const { id } = declaration;
  const { nowMs, system } = around;
  const policy = policyOf(declaration, state);
  const rules = rulesOf(policy, declaration.alerts);
  const backMinutes = Math.max(atLeastMinutes, lookMinutes(rules), guardMinutes(policy));
  const last = await storedVerdict(ports, id);
  const nowMinute = Math.floor(nowMs / MINUTE_MS);
  // Of a cutover that was never started no evidence is kept, so none is folded from the start every minute.
  const unfoldedMinute = state.version === 0 ? nowMinute : unfoldedFrom(last, state, policy, nowMs);
  const fromMinute = Math.min(unfoldedMinute, nowMinute - backMinutes);
  const [parts, forwards] = await Promise.all([
    ports.windows.readParts(id, Math.max(0, fromMinute), nowMinute),
    state.kind === 'table' || state.version === 0 ? null : forwardsSummary(ports, id),
  ]);
  const flagsDeployed = carriesState(around.deployed?.document, state);
  return {
    id,
    declaration,
    state,
    system,
    policy,
    last,
    parts,
    windows: wholeWindows(parts.map(({ window }) => window)),
    ...(state.kind === 'table' ? tableStatus(ports, id, tables) : { table: null, tableProblem: null }),
    forwards,
    flagsDeployed,
    flagsSeen: withFlagsSeen(last?.flagsSeen ?? [], state, flagsDeployed ? around.deployed : null, nowMs),
    alerts: around.alerts.get(id) ?? [],
    observations: last?.observations ?? {},
    waits,
    nowMs,
  };
}

const MOST_FLAGS_SEEN = 30;

/** @param deployed the flags, where they carry the state */
function withFlagsSeen(
  before: readonly FlagsSeen[],
  { version, epoch }: CutoverState,
  deployed: Around['deployed'],
  nowMs: number,
): readonly FlagsSeen[] {
  if (version === 0 || !deployed || before.some((one) => one.version === version && one.epoch === epoch)) return before;
  return [...before, { version, epoch, flags: deployed.latestVersion, atMs: nowMs }].slice(-MOST_FLAGS_SEEN);
}

/** Evidence that cannot be read is folded from the windows. */
async function storedVerdict(ports: Pick<Ports, 'verdicts' | 'log'>, id: string): Promise<StoredVerdict | null> {
  try {
    return await ports.verdicts.read(id);
  } catch (error) {
    ports.log.failure('evidence_not_read', error, { cutover: id });
    return null;
  }
}

/** The same for forwarded writes: what cannot be counted holds. */
async function forwardsSummary(ports: Pick<Ports, 'forwards' | 'log'>, id: string): Promise<ForwardsSummary | null> {
  try {
    return await ports.forwards.summary(id);
  } catch (error) {
    ports.log.failure('forwards_not_counted', error, { cutover: id });
    return null;
  }
}

/** An unreachable database is a reason to hold, not to fail the tick of every cutover. */
function tableStatus(
  ports: Pick<Ports, 'log'>,
  id: string,
  tables: TablesAsked,
): Pick<Snapshot, 'table' | 'tableProblem'> {
  try {
    return { table: tables(id), tableProblem: null };
  } catch (error) {
    ports.log.failure('table_status_failed', error, { cutover: id });
    return { table: null, tableProblem: messageOf(error) };
  }
}
