/** Fakes that remember what they worked out, since a world asks them thousands of times an hour. Answers stay the same. */

import { type MinuteWindow, mergeWindows } from '../../lib/core/gates/evidence.ts';
import type { FlagDocument } from '../../lib/core/routing/flags.ts';
import type { Ports } from '../../lib/ports.ts';
import type { InMemoryFlags } from '../helpers/fakes/flags.ts';
import type { InMemoryWindows } from '../helpers/fakes/windows.ts';

/** The same flags, parsed once after each change: readers and ticks ask far more often than anything is deployed. */
export function readOnce(flags: InMemoryFlags): InMemoryFlags {
  let known: { served: FlagDocument | null; deployed: ReturnType<InMemoryFlags['deployed']> } | null = null;
  const now = () => {
    if (known) return known;
    known = { served: flags.served(), deployed: flags.deployed() };
    known.deployed.catch(() => undefined);
    return known;
  };
  const changing = <Args extends unknown[], Result>(call: (...args: Args) => Result) => {
    return (...args: Args): Result => {
      const result = call(...args);
      known = null;
      return result;
    };
  };
  return {
    ...flags,
    served: () => now().served,
    deployed: () => now().deployed,
    publish: changing(flags.publish),
    unavailable: changing(flags.unavailable),
    store: changing(flags.store),
    rollBack: changing(flags.rollBack),
  };
}

/** The same windows, merged once when they are added: a tick reads two hours of them every minute. */
export function indexed(windows: InMemoryWindows): Ports['windows'] {
  const merged = new Map<string, { seen: number; byKey: Map<string, MinuteWindow> }>();
  return {
    add: windows.add,
    readByOperation: (id, from, to) => windows.readByOperation(id, from, to),
    async read(id, fromMinute, toMinute) {
      await windows.read(id, 0, -1);
      const index = merged.get(id) ?? { seen: 0, byKey: new Map<string, MinuteWindow>() };
      merged.set(id, index);
      const additions = windows.additions(id);
      for (const { window } of additions.slice(index.seen)) {
        const key = `${window.minute}#${window.side}`;
        const there = index.byKey.get(key);
        index.byKey.set(key, there ? mergeWindows(there, window) : window);
      }
      index.seen = additions.length;
      return [...index.byKey.values()]
        .filter(({ minute }) => minute >= fromMinute && minute <= toMinute)
        .sort((a, b) => a.minute - b.minute || (a.side < b.side ? -1 : 1));
    },
  };
}
