/** A fake that remembers what it worked out, since a world asks it thousands of times an hour. Answers stay the same. */

import { type MinuteWindow, mergeWindows } from '../../lib/core/gates/minute-window.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import type { InMemoryWindows } from '../helpers/fakes/windows.ts';

/** The same windows, merged once when they are added: a tick reads two hours of them every minute. */
export function indexed(windows: InMemoryWindows): Ports['windows'] {
  const merged = new Map<string, { seen: number; byKey: Map<string, MinuteWindow> }>();
  return {
    add: windows.add,
    readParts: (id, from, to) => windows.readParts(id, from, to),
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
