/** Wake-ups in memory: each one is a record that a test hands to the shadow writer whenever, or never. */

import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import type { ReadToCompare, WakeUps } from '../../../lib/ports/wake-ups.ts';

export type InMemoryWakeUps = WakeUps & {
  /** Every record so far, oldest first: the cutover, and how often it was woken until then. */
  records(): readonly { id: string; wakeUps: number }[];
  /** Reads left for comparison. */
  reads(): readonly { id: string; read: ReadToCompare }[];
  /** While true every call throws `store_unavailable`. */
  unavailable(yes: boolean): void;
};

export function inMemoryWakeUps(): InMemoryWakeUps {
  const records: { id: string; wakeUps: number }[] = [];
  const reads: { id: string; read: ReadToCompare }[] = [];
  let down = false;
  return {
    async compare(id, read) {
      if (down)
        throw new CrossfadeError('store_unavailable', 'The changes table was switched off.', { retryable: true });
      reads.push({ id, read });
    },
    reads: () => reads,
    async wake(id) {
      if (down)
        throw new CrossfadeError('store_unavailable', 'The changes table was switched off.', { retryable: true });
      records.push({ id, wakeUps: records.filter((record) => record.id === id).length + 1 });
    },
    records: () => records,
    unavailable: (yes) => {
      down = yes;
    },
  };
}
