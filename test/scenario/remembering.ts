/** A fake that remembers what it worked out, since a world asks it thousands of times an hour. Answers stay the same. */

import { type MinuteWindow, mergeParts, mergeWindows, type WindowPart } from '../../lib/core/gates/minute-window.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import type { InMemoryWindows } from '../helpers/fakes/windows.ts';

type Index = { seen: number; windows: Map<string, MinuteWindow>; parts: Map<string, WindowPart> };

/** The same windows, merged once when they are added: a tick reads two hours of them every minute. */
export function indexed(windows: InMemoryWindows): Ports['windows'] {
  const merged = new Map<string, Index>();

  async function indexOf(id: string): Promise<Index> {
    // Fails as the store does.
    await windows.read(id, 0, -1);
    const index = merged.get(id) ?? { seen: 0, windows: new Map(), parts: new Map() };
    merged.set(id, index);
    const additions = windows.additions(id);
    for (const { slice = null, operation, window } of additions.slice(index.seen)) {
      const key = `${window.minute}#${window.side}`;
      const there = index.windows.get(key);
      index.windows.set(key, there ? mergeWindows(there, window) : window);
      const place = `${key}#${slice}#${operation}`;
      const part = index.parts.get(place);
      index.parts.set(place, { slice, operation, window: part ? mergeWindows(part.window, window) : window });
    }
    index.seen = additions.length;
    return index;
  }

  return {
    add: windows.add,
    async readParts(id, from, to) {
      const { parts } = await indexOf(id);
      return mergeParts([...parts.values()].filter(({ window: { minute } }) => minute >= from && minute <= to));
    },
    readByOperation: (id, from, to) => windows.readByOperation(id, from, to),
    async read(id, fromMinute, toMinute) {
      const index = await indexOf(id);
      return [...index.windows.values()]
        .filter(({ minute }) => minute >= fromMinute && minute <= toMinute)
        .sort((a, b) => a.minute - b.minute || (a.side < b.side ? -1 : 1));
    },
  };
}
