/** A fake that remembers what it worked out, since a world asks it thousands of times an hour. Answers stay the same. */

import { type MinuteWindow, mergeParts, mergeWindows, type WindowPart } from '../../lib/core/gates/minute-window.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import type { InMemoryWindows } from '../helpers/fakes/windows.ts';

/** Of one minute: by side, and by side, slice and operation. */
type Minute = { windows: Map<string, MinuteWindow>; parts: Map<string, WindowPart> };
type Index = { seen: number; minutes: Map<number, Minute> };

/** The same windows, merged once when they are added: a tick reads two hours of them every minute. */
export function indexed(windows: InMemoryWindows): Ports['windows'] {
  const merged = new Map<string, Index>();

  async function indexOf(id: string): Promise<Index> {
    // Fails as the store does.
    await windows.read(id, 0, -1);
    const index = merged.get(id) ?? { seen: 0, minutes: new Map() };
    merged.set(id, index);
    const additions = windows.additions(id);
    for (; index.seen < additions.length; index.seen += 1) {
      const { slice = null, operation, window } = additions[index.seen]!;
      const minute = index.minutes.get(window.minute) ?? { windows: new Map(), parts: new Map() };
      index.minutes.set(window.minute, minute);
      const there = minute.windows.get(window.side);
      minute.windows.set(window.side, there ? mergeWindows(there, window) : window);
      const place = `${window.side}#${slice}#${operation}`;
      const part = minute.parts.get(place);
      minute.parts.set(place, { slice, operation, window: part ? mergeWindows(part.window, window) : window });
    }
    return index;
  }

  async function between(id: string, from: number, to: number): Promise<Minute[]> {
    const { minutes } = await indexOf(id);
    return [...minutes.keys()]
      .filter((minute) => minute >= from && minute <= to)
      .sort((a, b) => a - b)
      .map((minute) => minutes.get(minute)!);
  }

  return {
    add: windows.add,
    readParts: async (id, from, to) =>
      mergeParts((await between(id, from, to)).flatMap(({ parts }) => [...parts.values()])),
    readByOperation: (id, from, to) => windows.readByOperation(id, from, to),
    read: async (id, from, to) =>
      (await between(id, from, to)).flatMap((minute) =>
        (['primary', 'shadow'] as const).flatMap((side) => minute.windows.get(side) ?? []),
      ),
  };
}
