/** Minute windows in memory: additions are kept as they came and merged when read. */

import { mergeByOperation } from '../../../lib/adapters/dynamodb/window-item.ts';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import { type MinuteWindow, mergeWindows } from '../../../lib/core/gates/minute-window.ts';
import type { Clock } from '../../../lib/ports/machine.ts';
import type { WindowAddition, WindowStore } from '../../../lib/ports/windows.ts';

const RETENTION_MINUTES = 30 * 1_440;

export type InMemoryWindows = WindowStore & {
  /** While true every call throws `store_unavailable`. */
  unavailable(yes: boolean): void;
  /** Everything ever added for a cutover, by operation. */
  additions(id: string): readonly WindowAddition[];
};

export function inMemoryWindows(options: { clock: Pick<Clock, 'now'> }): InMemoryWindows {
  const stored: WindowAddition[] = [];
  const flushes = new Set<string>();
  let down = false;

  const reachable = () => {
    if (down) throw new CrossfadeError('store_unavailable', 'The window store was switched off.', { retryable: true });
  };

  return {
    async add(flushId, source, additions, nowMs) {
      reachable();
      const oldest = Math.floor(nowMs / 60_000) - RETENTION_MINUTES;
      const taken: string[] = [];
      for (const addition of additions.filter(({ window }) => window.minute > oldest)) {
        const { cutover, operation, window } = addition;
        const mark = JSON.stringify([flushId, source, cutover, operation, window.minute, window.side]);
        if (flushes.has(mark)) continue;
        taken.push(mark);
        stored.push(structuredClone(addition));
      }
      for (const mark of taken) flushes.add(mark);
    },

    async read(id, fromMinute, toMinute) {
      reachable();
      const from = Math.max(fromMinute, Math.floor(options.clock.now() / 60_000) - RETENTION_MINUTES + 1);
      const merged = new Map<string, MinuteWindow>();
      for (const { cutover, window } of stored) {
        if (cutover !== id || window.minute < from || window.minute > toMinute) continue;
        const key = `${window.minute}#${window.side}`;
        const before = merged.get(key);
        merged.set(key, before ? mergeWindows(before, window) : structuredClone(window));
      }
      return [...merged.values()].sort((a, b) => a.minute - b.minute || (a.side < b.side ? -1 : 1));
    },

    async readByOperation(id, fromMinute, toMinute) {
      reachable();
      const from = Math.max(fromMinute, Math.floor(options.clock.now() / 60_000) - RETENTION_MINUTES + 1);
      return mergeByOperation(
        stored
          .filter(({ cutover, window }) => cutover === id && window.minute >= from && window.minute <= toMinute)
          .map(({ operation, window }) => ({ operation, window })),
      );
    },

    unavailable: (yes) => {
      down = yes;
    },
    additions: (id) => stored.filter(({ cutover }) => cutover === id),
  };
}
