/** Minute windows in memory: additions are kept as they came and merged when read. */

import { mergeByOperation } from '../../../lib/adapters/dynamodb/window-item.ts';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import { type MinuteWindow, mergeParts, mergeWindows } from '../../../lib/core/gates/minute-window.ts';
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
  const stored = new Map<string, WindowAddition[]>();
  const flushes = new Map<string, number>();
  let down = false;

  const additionsTo = (id: string): WindowAddition[] => {
    const there = stored.get(id) ?? [];
    stored.set(id, there);
    return there;
  };

  const reachable = () => {
    if (down) throw new CrossfadeError('store_unavailable', 'The window store was switched off.', { retryable: true });
  };

  const between = (id: string, fromMinute: number, toMinute: number): WindowAddition[] => {
    reachable();
    const from = Math.max(fromMinute, Math.floor(options.clock.now() / 60_000) - RETENTION_MINUTES + 1);
    return additionsTo(id).filter(({ window }) => window.minute >= from && window.minute <= toMinute);
  };

  return {
    async add(flushId, source, additions, nowMs) {
      reachable();
      const oldest = Math.floor(nowMs / 60_000) - RETENTION_MINUTES;
      const taken = new Map<string, number>();
      const [, sender = flushId, number = '0'] = /^(.+)~(\d+)$/.exec(flushId) ?? [];
      for (const addition of additions.filter(({ window }) => window.minute > oldest)) {
        const { cutover, operation, window, slice = null } = addition;
        const mark = JSON.stringify([sender, source, cutover, operation, window.minute, window.side, slice]);
        if ((flushes.get(mark) ?? -1) >= Number(number)) continue;
        taken.set(mark, Number(number));
        additionsTo(cutover).push({ ...addition, window: copied(window) });
      }
      for (const [mark, newest] of taken) flushes.set(mark, newest);
    },

    async read(id, fromMinute, toMinute) {
      const merged = new Map<string, MinuteWindow>();
      for (const { window } of between(id, fromMinute, toMinute)) {
        const key = `${window.minute}#${window.side}`;
        const before = merged.get(key);
        merged.set(key, before ? mergeWindows(before, window) : copied(window));
      }
      return [...merged.values()].sort((a, b) => a.minute - b.minute || (a.side < b.side ? -1 : 1));
    },

    async readByOperation(id, fromMinute, toMinute) {
      return mergeByOperation(between(id, fromMinute, toMinute));
    },

    async readParts(id, fromMinute, toMinute) {
      return mergeParts(
        between(id, fromMinute, toMinute).map(({ slice = null, operation, window }) => ({ slice, operation, window })),
      );
    },

    unavailable: (yes) => {
      down = yes;
    },
    additions: additionsTo,
  };
}

/** Nothing of it is shared with who gave it, or who gets it. */
const copied = (window: MinuteWindow): MinuteWindow => ({
  ...window,
  latency: { ...window.latency },
  ...(window.memory ? { memory: { ...window.memory } } : {}),
});
