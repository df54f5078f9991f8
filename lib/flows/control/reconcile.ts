/**
 * Makes flags and Postgres say what the state says. Level-triggered: it compares what is with what should be, so it
 * repairs whatever a crash left behind, and running it twice changes nothing.
 *
 * Switching on goes from below: capture and mirror first, then reads by flag.
 * Switching off goes from above: reads first, then the mirror (the fence), then capture. Reads that must go are taken
 * away before anything is switched on.
 */

import { CrossfadeError } from '../../core/base/errors.ts';
import { MINUTE_MS } from '../../core/base/units.ts';
import type { CutoverDeclaration, CutoverState, SystemState } from '../../core/cutover/cutover.ts';
import { syncsShadow } from '../../core/cutover/stage-kinds.ts';
import type { TableStatus } from '../../core/gates/evidence.ts';
import { compareFlagAge, type FlagDocument, flagDocument, sameDocument, sharePpmOf } from '../../core/routing/flags.ts';
import type { Ports } from '../../ports/ports.ts';
import type { Outrun } from '../../ports/tables.ts';
import { askTables } from '../rows/ask-tables.ts';
import { tableCutover } from '../rows/table-of.ts';

export type Declared = { declaration: CutoverDeclaration; state: CutoverState };
export type Deployed = { document: FlagDocument | null; latestVersion: number };

export type Reconciled = {
  /** True when the deployed flags are those of the given states. */
  published: boolean;
  why?: string;
  /** True when another deployment stood in the way. */
  conflict?: boolean;
};

export type ReconcilePorts = Pick<Ports, 'flags' | 'capture' | 'switches' | 'inspecting' | 'log' | 'clock' | 'metrics'>;

const PUBLISH_DEADLINE_MS = 20_000;
/** Taking reads away comes first and must leave time for the rest of a tick. */
const LOWER_DEADLINE_MS = 10_000;
/** For what the tables need, below the time-out of an HTTP API together with the rest. A tick has more. */
const TABLES_MS = 3_000;
/** A prime, so that no schedule comes back to the same one. */
const ANOTHER_FIRST_MS = 7_919;

export async function reconcile(
  ports: ReconcilePorts,
  cutovers: readonly Declared[],
  system: SystemState,
  deployed: Deployed | null,
  tablesMs = TABLES_MS,
): Promise<Reconciled> {
  const endMs = ports.clock.monotonicMs() + tablesMs;
  const started = cutovers.filter(({ state }) => state.version > 0);
  // As the database said last, until it says what is now.
  const readOnly = new Map(
    Object.entries(deployed?.document?.cutovers ?? {}).map(([id, f]) => [id, f.primary_read_only]),
  );
  const desired = () => flagDocument(cutovers, system, (id) => readOnly.get(id) ?? false);
  // Beside the flags, since neither may wait for the other.
  const writable = eachTable(ports, started, leavesNow(ports), (_, { id }) => writesAgain(ports, id), endMs);
  const lowered = await lowerReads(ports, desired(), deployed);
  await writable;
  const on = await askWhich(ports, started, switchesOn);
  const arm: TableWork = async (_, declaration, state) => {
    readOnly.set(declaration.id, await armed(ports, declaration, state, on(declaration.id)));
  };
  await eachTable(ports, started, switchesOn, arm, endMs);
  await setLists(
    ports,
    started.filter(({ state }) => switchesOn(state)),
  );
  await eachTable(ports, started, switchesOn, (_, declaration) => switchInline(ports, declaration, system), endMs);
  const published = await publish(ports, desired(), lowered);
  measureDrift(ports, cutovers, published);
  // Below the reads nothing is taken away while the flags may still send readers there.
  if (published.published) {
    const off = await askWhich(ports, started, switchesOff);
    const disarm: TableWork = (_, declaration, state) => disarmed(ports, declaration, state, off(declaration.id));
    await eachTable(ports, started, switchesOff, disarm, endMs);
  }
  return published;
}

const switchesOn = syncsShadow;
const switchesOff = (state: CutoverState) => !switchesOn(state);

const askWhich = (ports: ReconcilePorts, cutovers: readonly Declared[], which: (state: CutoverState) => boolean) =>
  askTables(
    ports,
    cutovers.filter(({ state }) => which(state)).map(({ declaration }) => declaration),
  );

/** A primary is read-only for five minutes at most, so later there is nothing to end. */
const READ_ONLY_AT_MOST_MS = 10 * MINUTE_MS;
const leavesNow =
  (ports: Pick<ReconcilePorts, 'clock'>) =>
  ({ stageKind, pending, changedAtMs }: CutoverState) =>
    (stageKind === 'rolled_back' || pending?.action === 'revert' || pending?.withdrawn !== undefined) &&
    ports.clock.now() - changedAtMs < READ_ONLY_AT_MOST_MS;

/** Whoever goes back to the primary must be able to write there. */
async function writesAgain(ports: ReconcilePorts, id: string): Promise<void> {
  if (await ports.switches.endReadOnly(id)) ports.log.event('read_only_ended', { cutover: id });
}

type TableWork = (
  ports: ReconcilePorts,
  declaration: CutoverDeclaration & { kind: 'table' },
  state: CutoverState,
) => Promise<void>;

/**
 * One after the other, until the time is up: what is left is the next tick's, which finds these done. It begins with another one
 * each time, so that tables which take long and come to nothing cannot keep the same others waiting for ever.
 */
async function eachTable(
  ports: ReconcilePorts,
  cutovers: readonly Declared[],
  which: (state: CutoverState) => boolean,
  action: TableWork,
  endMs: number,
): Promise<void> {
  const due = cutovers.filter(({ declaration, state }) => declaration.kind === 'table' && which(state));
  const first = Math.floor(ports.clock.now() / ANOTHER_FIRST_MS) % Math.max(1, due.length);
  for (const [done, { declaration, state }] of [...due.slice(first), ...due.slice(0, first)].entries()) {
    if (declaration.kind !== 'table') continue;
    if (done > 0 && ports.clock.monotonicMs() > endMs) {
      ports.log.event('tables_postponed', { tables: due.length - done });
      return;
    }
    try {
      await action(ports, declaration, state);
    } catch (error) {
      // One table that is locked or away must not delay the others; the next tick tries again.
      ports.log.failure('reconcile_failed', error, { cutover: declaration.id });
    }
  }
}

/** True when the application's writes to the primary are refused now. */
async function armed(
  ports: ReconcilePorts,
  declaration: CutoverDeclaration & { kind: 'table' },
  state: CutoverState,
  status: TableStatus | null,
): Promise<boolean> {
  const isReadOnly = status?.readOnlyUntilMs != null;
  if (outrun(ports, status, state)) return isReadOnly;
  if (state.stageKind !== 'completed' && status?.armed !== 'forward') {
    if (refused(ports, await ports.capture.arm(tableCutover(declaration), state), state)) return isReadOnly;
  }
  if (status?.mirror?.version !== state.version || status.mirror.epoch !== state.epoch) {
    await mirror(ports, declaration, state);
  }
  if (status?.shape?.due && !refused(ports, await ports.capture.watch(declaration.id, state), state)) {
    const [first] = status.shape.differences;
    ports.log.event('shape_changed', { cutover: declaration.id, what: first?.object ?? status.shape.gap });
  }
  return isReadOnly;
}

async function setLists(ports: ReconcilePorts, cutovers: readonly Declared[]): Promise<void> {
  const lists = cutovers.map(({ declaration }) => declaration).filter(({ kind }) => kind === 'table');
  if (lists.length === 0) return;
  await ports.switches.setLists(lists).catch((error) => ports.log.failure('lists_not_set', error));
}

/** Converge asks the switch itself; triggers cannot. */
async function switchInline(
  ports: ReconcilePorts,
  { id, table }: CutoverDeclaration & { kind: 'table' },
  { version, shadowWritesEnabled }: SystemState,
): Promise<void> {
  if (table.mode === 'inline') await ports.switches.switchInline(id, { version, enabled: shadowWritesEnabled });
}

async function disarmed(
  ports: ReconcilePorts,
  declaration: CutoverDeclaration & { kind: 'table' },
  state: CutoverState,
  status: TableStatus | null,
): Promise<void> {
  if (status === null || outrun(ports, status, state)) return;
  if (status.mirror && (status.mirror.version !== state.version || status.mirror.epoch !== state.epoch)) {
    await mirror(ports, declaration, state);
  }
  if (status.armed !== 'none' && refused(ports, await ports.capture.disarm(declaration.id, state), state)) return;
  if (state.stageKind === 'disabled' && status.backfill.state !== 'none') {
    refused(ports, await ports.capture.forget(declaration.id, state), state);
  }
}

/** The look above may be old by the time of the act, so the database looks once more, under the lock of the cutover. */
function refused(ports: ReconcilePorts, done: { kind: string } | Outrun, state: CutoverState): boolean {
  if (!('version' in done)) return false;
  ports.log.event('reconcile_outrun', { cutover: state.id, version: state.version, mirror: done.version });
  return true;
}

/**
 * A tick that slept since it read the state must neither arm nor take away what those who moved on have made of it. Also
 * true between a swap and its confirmation in the state.
 */
function outrun(ports: ReconcilePorts, status: TableStatus | null, state: CutoverState): boolean {
  if (!status?.mirror || compareFlagAge(status.mirror, state) <= 0) return false;
  ports.log.event('reconcile_outrun', { cutover: state.id, version: state.version, mirror: status.mirror.version });
  return true;
}

async function mirror(ports: ReconcilePorts, declaration: CutoverDeclaration, state: CutoverState): Promise<void> {
  await ports.switches.mirror({
    id: declaration.id,
    epoch: state.epoch,
    version: state.version,
    stage: state.stage,
    shadowWrites: syncsShadow(state) && state.switches.shadowWrites,
    readPpm: sharePpmOf(state),
    salt: declaration.salt,
  });
}

/**
 * Reads that must go are taken away before anything else is done: a database that hangs while another table is armed must
 * not keep readers where they were sent. Everything else stays for now as it is deployed.
 * @returns what is deployed then
 */
async function lowerReads(
  ports: ReconcilePorts,
  desired: FlagDocument,
  deployed: Deployed | null,
): Promise<Deployed | null> {
  const there = deployed?.document;
  if (!there || newer(there, desired) || !takesAway(there, desired)) return deployed;
  const document = onlyLowered(there, desired);
  const result = await deploy(ports, document, deployed, { urgent: true, deadlineMs: LOWER_DEADLINE_MS });
  // Refused when newer flags are stored than deployed: then the whole document has to do it.
  return result.published ? { document, latestVersion: result.version } : deployed;
}

/** What is deployed, with those flags of the new document that send no more readers away from the primary. */
function onlyLowered(there: FlagDocument, desired: FlagDocument): FlagDocument {
  const lifted = there.system.emergency_stop && !desired.system.emergency_stop;
  const cutovers = Object.entries(there.cutovers).map(([id, old]) => {
    const flag = desired.cutovers[id];
    return [id, flag && flag.read_ppm < old.read_ppm ? flag : old] as const;
  });
  return { system: lifted ? there.system : desired.system, cutovers: Object.fromEntries(cutovers) };
}

async function publish(ports: ReconcilePorts, desired: FlagDocument, deployed: Deployed | null): Promise<Reconciled> {
  if (!deployed) return { published: false, why: 'AppConfig could not be asked what is deployed' };
  const { document, latestVersion } = deployed;
  if (document && sameDocument(document, desired)) return { published: true };
  if (document && newer(document, desired)) {
    return { published: false, why: 'newer flags are deployed than this state knows of' };
  }
  const urgent = document === null || takesAway(document, desired);
  const result = await deploy(ports, desired, { latestVersion }, { urgent, deadlineMs: PUBLISH_DEADLINE_MS });
  return result.published ? { published: true } : result;
}

async function deploy(
  ports: ReconcilePorts,
  document: FlagDocument,
  { latestVersion }: Pick<Deployed, 'latestVersion'>,
  how: { urgent: boolean; deadlineMs: number },
): Promise<Reconciled & ({ published: true; version: number } | { published: false })> {
  const result = await ports.flags.publish({ document, latestVersion, ...how }).catch(tooLarge);
  if (result.kind === 'published') return { published: true, version: result.version };
  ports.log.event('publish_postponed', { reason: result.kind, why: result.why });
  return { published: false, why: result.why, conflict: result.kind === 'conflict' };
}

/** More cutovers than a document takes must not keep the rest of a tick from being done. */
function tooLarge(error: unknown): { kind: 'too_large'; why: string } {
  if (!(error instanceof CrossfadeError && error.code === 'flags_too_large')) throw error;
  return { kind: 'too_large', why: error.message };
}

/** For how long the oldest state that is not deployed has been waiting. */
function measureDrift(ports: ReconcilePorts, cutovers: readonly Declared[], { published, conflict }: Reconciled): void {
  const changed = cutovers.filter(({ state }) => state.version > 0).map(({ state }) => state.changedAtMs);
  const driftMs = published || changed.length === 0 ? 0 : Math.max(0, ports.clock.now() - Math.max(...changed));
  ports.metrics.record('DriftMs', driftMs);
  ports.metrics.record('PublishConflictMs', conflict ? driftMs : 0);
}

/** A state that was read before somebody else moved on must not overwrite what they published. */
function newer(deployed: FlagDocument, desired: FlagDocument): boolean {
  if (deployed.system.version > desired.system.version) return true;
  return Object.entries(desired.cutovers).some(([id, flag]) => {
    const there = deployed.cutovers[id];
    return there !== undefined && compareFlagAge(there, flag) > 0;
  });
}

/** Does anything lose reads? Then a deployment that is still running must not stand in the way. */
function takesAway(deployed: FlagDocument, desired: FlagDocument): boolean {
  return (
    (desired.system.emergency_stop && !deployed.system.emergency_stop) ||
    Object.entries(desired.cutovers).some(([id, flag]) => flag.read_ppm < (deployed.cutovers[id]?.read_ppm ?? 0))
  );
}

/** What is deployed, or null with a log line when AppConfig cannot be asked. */
export async function readDeployed(ports: Pick<Ports, 'flags' | 'log'>): Promise<Deployed | null> {
  try {
    return await ports.flags.deployed();
  } catch (error) {
    ports.log.failure('flags_unreadable', error);
    return null;
  }
}
