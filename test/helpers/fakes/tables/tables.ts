/**
 * Live tables in memory, faithful at the level of the ports: two tables as maps, hints, the fence, a backfill in chunks,
 * verification in one moment, quarantine, the swap and its way back. The lag follows the clock it is given.
 * Rows are texts by integer key; a row that must not fit the other side is named by `block`.
 */

import { CrossfadeError } from '../../../../lib/core/base/errors.ts';
import type { ShapeDifference } from '../../../../lib/core/gates/table-status.ts';
import type { Clock } from '../../../../lib/ports/machine.ts';
import type { TablePorts } from '../../../../lib/ports/ports.ts';
import type { TableCall } from '../../table-ports.ts';
import { captureIn } from './capture.ts';
import { convergingIn } from './converging.ts';
import { copyingIn } from './copying.ts';
import { inspectingIn } from './inspecting.ts';
import { memory } from './memory.ts';
import { swappingIn } from './swapping.ts';
import { switchesIn } from './switches.ts';
import { verifyingIn } from './verifying.ts';

export type TablesInMemory = TablePorts & {
  /** The application writes the table that is authoritative now; `null` deletes. */
  write(id: string, key: number, value: string | null): void;
  /** Somebody writes the other table behind our back. */
  tamper(id: string, key: number, value: string | null): void;
  /** From now on this key's row does not fit the other side, or does again. */
  block(id: string, key: number, blocked: boolean): void;
  /** Others alter the tables: what differs from then on. */
  alter(id: string, differences: readonly ShapeDifference[]): void;
  /** The application writes while its triggers are off. */
  miss(id: string, key: number, value: string | null): void;
  rows(id: string): { authoritative: ReadonlyMap<number, string>; follower: ReadonlyMap<number, string> };
  /** The next call of this function fails as if Postgres were away; with `effect`, after it did its work. */
  failNext(call: TableCall, effect?: boolean): void;
  /** What `preview` says, and why `promote` refuses; null lifts it. */
  refuse(id: string, why: string | null): void;
  /** Why the next swaps are put off; null lifts it. */
  postpone(id: string, why: string | null): void;
};

export function inMemoryTables({ clock }: { clock: Pick<Clock, 'now'> }): TablesInMemory {
  const remembered = memory(clock);
  const { table, hint, refusals, postponements } = remembered;
  const failures = new Map<string, boolean>();
  const failing = <Port extends object>(port: Port) => withFailures(port, failures);
  return {
    capture: failing(captureIn(remembered)),
    switches: failing(switchesIn(remembered)),
    copying: failing(copyingIn(remembered)),
    converging: failing(convergingIn(remembered)),
    verifying: failing(verifyingIn(remembered)),
    swapping: failing(swappingIn(remembered)),
    inspecting: failing(inspectingIn(remembered)),
    write(id, key, value) {
      const it = table(id);
      if (value === null) it.authoritative.delete(key);
      else it.authoritative.set(key, value);
      if (it.direction !== 'none') hint(it, key);
    },
    tamper(id, key, value) {
      const { follower } = table(id);
      if (value === null) follower.delete(key);
      else follower.set(key, value);
    },
    alter: (id, differences) => void Object.assign(table(id), { differences }),
    miss(id, key, value) {
      const it = table(id);
      if (value === null) it.authoritative.delete(key);
      else it.authoritative.set(key, value);
      it.interrupted = 'trigger crossfade_capture was switched off';
    },
    block: (id, key, blocked) => void (blocked ? table(id).blocked.add(key) : table(id).blocked.delete(key)),
    rows: (id) => table(id),
    failNext: (call, effect = false) => void failures.set(call, effect),
    refuse: (id, why) => void (why === null ? refusals.delete(id) : refusals.set(id, why)),
    postpone: (id, why) => void (why === null ? postponements.delete(id) : postponements.set(id, why)),
  };
}

function withFailures<Port extends object>(port: Port, failures: Map<string, boolean>): Port {
  const wrapped = Object.entries(port).map(([name, call]) => [
    name,
    async (...args: unknown[]) => {
      const effect = failures.get(name);
      failures.delete(name);
      if (effect === false) throw unavailable(name);
      const answer = await (call as (...args: unknown[]) => Promise<unknown>)(...args);
      if (effect === true) throw unavailable(name);
      return answer;
    },
  ]);
  return Object.fromEntries(wrapped) as Port;
}

function unavailable(what: string): CrossfadeError {
  return new CrossfadeError('database_unavailable', `Postgres did not answer ${what}.`, { retryable: true });
}
