/**
 * Table cutovers of one primary's database, some of which have their shadow in another. A call that is about one of those goes to its own
 * way of doing it where there is one; every other call, and all that is asked of many at once, needs the primary's database only.
 */

import { CrossfadeError, isCrossfadeError } from '../../../core/base/errors.ts';
import type { Inspecting } from '../../../ports/inspecting.ts';
import type { TablePorts } from '../../../ports/ports.ts';
import type { Swapping } from '../../../ports/swapping.ts';
import type { Verifying } from '../../../ports/verifying.ts';
import { bringEpoch } from './batches.ts';
import { remoteCapture } from './capturing.ts';
import { compiledOnce } from './compile.ts';
import { remoteConverging } from './converging.ts';
import { remoteCopying } from './copying.ts';
import { previewRemote, remoteHealth } from './preview.ts';
import type { Remote } from './remote.ts';
import { remoteVerifying } from './verifying.ts';

type Some<Port> = { [Name in keyof Port]?: Partial<Port[Name]> };
type Call = (...args: unknown[]) => Promise<unknown>;

export function withRemote(local: TablePorts, remotes: readonly Remote[]): TablePorts {
  const overrides = new Map(remotes.map((remote) => [remote.cutover.id, overridesOf(local, remote)]));
  const idOf = (subject: unknown) =>
    typeof subject === 'string' ? subject : (subject as { id?: string } | undefined)?.id;
  const port = (name: keyof TablePorts) =>
    Object.fromEntries(
      Object.entries(local[name] as object).map(([method, call]) => [
        method,
        (...args: unknown[]) => {
          const own = overrides.get(idOf(args[0]) ?? '')?.[name] as Record<string, Call> | undefined;
          return (own?.[method] ?? (call as Call))(...args);
        },
      ]),
    );
  return Object.fromEntries(
    Object.keys(local).map((name) => [name, port(name as keyof TablePorts)]),
  ) as unknown as TablePorts;
}

function overridesOf(local: TablePorts, remote: Remote): Some<TablePorts> {
  const { id } = remote.cutover;
  const flowNow = compiledOnce(remote);
  const why = `the shadow of cutover '${id}' is in another database, so it moves reads only, and its tables cannot be swapped`;
  const swapping: Partial<Swapping> = {
    preview: () => previewRemote(remote),
    promote: async () => ({ kind: 'refused', why, items: [] }),
    revert: async () => ({ kind: 'refused', why, items: [] }),
    cleanup: async () => ({ kind: 'refused', why }),
  };
  const switches: Partial<TablePorts['switches']> = {
    async mirror(row) {
      const written = await local.switches.mirror(row);
      // The primary's word decides. Where the other database is away, the next batch brings it there.
      if (row.shadowWrites) await bringEpoch(remote, row.epoch).catch(unlessAway);
      return written;
    },
  };
  const inspecting: Partial<Inspecting> = { health: () => remoteHealth(remote) };
  const verifying: Verifying = {
    ...remoteVerifying(remote, flowNow),
    invariant: async () => {
      throw new CrossfadeError('illegal_transition', `An invariant is one query over both tables, and ${why}.`);
    },
  };
  return {
    capture: remoteCapture(remote),
    switches,
    converging: remoteConverging(remote),
    copying: remoteCopying(remote, flowNow),
    verifying,
    swapping,
    inspecting,
  };
}

/** @throws what is no answer of a database, or says that more is wrong than that it is away */
function unlessAway(error: unknown): void {
  if (!isCrossfadeError(error) || !error.retryable) throw error;
}
