/** Verdicts in memory, kept as text: what a caller does to what it wrote, or what it read, changes nothing that is stored. */

import { CLOCKS_APART_MS } from '../../../lib/core/conditions/verdict.ts';
import type { StoredVerdict } from '../../../lib/core/gates/stored-verdict.ts';
import type { Clock } from '../../../lib/ports/machine.ts';
import type { VerdictStore } from '../../../lib/ports/state.ts';

export function inMemoryVerdicts({ clock }: { clock: Pick<Clock, 'now'> }): VerdictStore {
  const verdicts = new Map<string, { atMs: number; text: string }>();
  return {
    async write(id, verdict) {
      const { atMs } = verdict;
      const before = verdicts.get(id);
      const future = clock.now() + CLOCKS_APART_MS;
      if (!before || before.atMs <= atMs || before.atMs > future)
        verdicts.set(id, { atMs, text: JSON.stringify(verdict) });
    },
    // As a store hands it out: without fields that hold nothing.
    async read(id) {
      const stored = verdicts.get(id);
      return stored ? (JSON.parse(stored.text) as StoredVerdict) : null;
    },
  };
}
