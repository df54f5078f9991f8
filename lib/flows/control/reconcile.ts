/**
 * Makes flags and Postgres say what the state says. Level-triggered: it compares what is with what should be, so it
 * repairs whatever a crash left behind, and running it twice changes nothing.
 *
 * Switching on goes from below: capture and mirror first, then reads by flag.
 * Switching off goes from above: reads first, then the mirror (the fence), then capture. Reads that must go are taken
 * away before anything is switched on.
 */

import {
  type CutoverDeclaration,
  type CutoverState,
  initialState,
  type SystemState,
} from '../../core/cutover/cutover.ts';
import { syncsShadow } from '../../core/cutover/stage-kinds.ts';
import { type FlagDocument, flagDocument } from '../../core/routing/flags.ts';
import type { Ports } from '../../ports/ports.ts';
import { askTables } from '../rows/ask-tables.ts';
import type { TableCutoverDeclaration } from '../rows/table-of.ts';
import { type Deployed, lowerReads, type Published, publishFlags, readDeployed } from './deployed-flags.ts';
import { armed, disarmed, eachTable, leavesNow, setLists, switchInline, writesAgain } from './reconcile-tables.ts';
import { holdUndeclared, undeclaredIn } from './undeclared.ts';

type Declared = { declaration: CutoverDeclaration; state: CutoverState };
type DeclaredTable = Declared & { declaration: TableCutoverDeclaration };
type Known = { system: SystemState; deployed: Deployed | null; held: FlagDocument['cutovers'] };

export type ReconcilePorts = Pick<
  Ports,
  'state' | 'flags' | 'capture' | 'switches' | 'inspecting' | 'log' | 'clock' | 'metrics'
>;

/** For what the tables need, below the time-out of an HTTP API together with the rest. A tick has more. */
const TABLES_MS = 3_000;

/** Reads every state and makes flags and Postgres agree with it. Nothing is published on an unreadable state. */
export async function reconcile(
  ports: ReconcilePorts,
  declarations: readonly CutoverDeclaration[],
  tablesMs = TABLES_MS,
): Promise<Published> {
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
  const held = holdUndeclared(ports, undeclaredIn(all, declarations), deployed?.document);
  if (declared.length < declarations.length) return { published: false, why: 'a stored state is invalid' };
  return agree(ports, declared, { system, deployed, held, tablesMs });
}

async function agree(
  ports: ReconcilePorts,
  cutovers: readonly Declared[],
  { system, deployed, held, tablesMs }: Known & { tablesMs: number },
): Promise<Published> {
  const endMs = ports.clock.monotonicMs() + tablesMs;
  const tables = cutovers.filter(
    (one): one is DeclaredTable => one.state.version > 0 && one.declaration.kind === 'table',
  );
  const on = tables.filter(({ state }) => syncsShadow(state));
  const off = tables.filter(({ state }) => !syncsShadow(state));
  // As the database said last, until it says what is now.
  const readOnly = new Map(
    Object.entries(deployed?.document?.cutovers ?? {}).map(([id, f]) => [id, f.primary_read_only]),
  );
  const desired = () => flagDocument(cutovers, system, (id) => readOnly.get(id) ?? false, held);
  // Beside the flags, since neither may wait for the other.
  const leaving = tables.filter(({ state }) => leavesNow(state, ports.clock.now()));
  const writable = eachTable(ports, leaving, endMs, ({ id }) => writesAgain(ports, id));
  const lowered = await lowerReads(ports, desired(), deployed);
  await writable;
  const status = await statusOf(ports, on);
  await eachTable(ports, on, endMs, async (declaration, state) => {
    readOnly.set(declaration.id, await armed(ports, declaration, state, status(declaration.id)));
  });
  await setLists(ports, on);
  await eachTable(ports, on, endMs, (declaration) => switchInline(ports, declaration, system));
  const published = await publishFlags(ports, desired(), lowered);
  measureDrift(ports, cutovers, published);
  // Below the reads nothing is taken away while the flags may still send readers there.
  if (published.published) {
    const last = await statusOf(ports, off);
    await eachTable(ports, off, endMs, (declaration, state) =>
      disarmed(ports, declaration, state, last(declaration.id)),
    );
  }
  return published;
}

const statusOf = (ports: ReconcilePorts, tables: readonly DeclaredTable[]) =>
  askTables(
    ports,
    tables.map(({ declaration }) => declaration),
  );

/** For how long the oldest state that is not deployed has been waiting. */
function measureDrift(ports: ReconcilePorts, cutovers: readonly Declared[], { published, conflict }: Published): void {
  const changed = cutovers.filter(({ state }) => state.version > 0).map(({ state }) => state.changedAtMs);
  const driftMs = published || changed.length === 0 ? 0 : Math.max(0, ports.clock.now() - Math.max(...changed));
  ports.metrics.record('DriftMs', driftMs);
  ports.metrics.record('PublishConflictMs', conflict ? driftMs : 0);
}
