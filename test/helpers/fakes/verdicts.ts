/** Verdicts in memory, frozen when they are written: a caller that changed what it wrote, or what it read, fails. */

import { CLOCKS_APART_MS } from '../../../lib/core/conditions/verdict.ts';
import type { StoredVerdict } from '../../../lib/core/gates/stored-verdict.ts';
import type { Clock } from '../../../lib/ports/machine.ts';
import type { VerdictStore } from '../../../lib/ports/state.ts';
import { frozen } from './frozen.ts';

export function inMemoryVerdicts({ clock }: { clock: Pick<Clock, 'now'> }): VerdictStore {
  const verdicts = new Map<string, StoredVerdict>();
  return {
    async write(id, verdict) {
      const before = verdicts.get(id);
      const future = clock.now() + CLOCKS_APART_MS;
      if (!before || before.atMs <= verdict.atMs || before.atMs > future) verdicts.set(id, frozen(verdict));
    },
    // As a store hands it out: without fields that hold nothing.
    read: async (id) => JSON.parse(JSON.stringify(verdicts.get(id) ?? null)),
  };
}
