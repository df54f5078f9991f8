/**
 * Outcomes of an instance, summed up in memory and written together: an answer must not wait for a write of its own, and
 * a table that is woken each second need not cost a write each second. A difference is written at once. What an instance
 * has not written when it dies is missing, and missing figures hold.
 */

import { MINUTE_MS } from '../../core/base/units.ts';
import type { Side } from '../../core/cutover/cutover.ts';
import { bucketIndex } from '../../core/gates/histogram.ts';
import { emptyWindow, type MinuteWindow } from '../../core/gates/minute-window.ts';
import type { Ports } from '../../ports/ports.ts';
import type { WindowAddition } from '../../ports/windows.ts';

export type OutcomeBuffer = {
  /** One operation of one side. */
  add(cutover: string, operation: string, side: Side, outcome: SideOutcome): void;
  /** Comparisons of both sides; they count for the shadow, in the minute of the call. */
  addChecks(cutover: string, operation: string, compared: { checked: number; mismatched: number }): void;
  /** Writes what there is when the last write is old enough, or a difference is among it. Never throws. */
  flushIfDue(): Promise<void>;
};

type SideOutcome = {
  slice: number | null;
  success: boolean;
  latencyMs: number;
  connectionLost: boolean;
  /** True when it was meant for the shadow, which this process has left. */
  left?: boolean;
  keyless?: boolean;
};

type Needs = Pick<Ports, 'clock' | 'ids' | 'windows' | 'log'>;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Entry = {
  cutover: string;
  operation: string;
  slice: number | null;
  window: Mutable<MinuteWindow> & { latency: Record<number, number> };
};

/** @param everyMs the least time between two writes; 0 writes whenever it is asked to */
export function outcomeBuffer(ports: Needs, everyMs: number): OutcomeBuffer {
  const source = ports.ids.next();
  let flushes = 0;
  let writing: Promise<void> | null = null;
  let entries = new Map<string, Entry>();
  /** What could not be written, with the id under which it may have been: sent again as it was. */
  let unsent: { id: string; additions: readonly WindowAddition[] } | null = null;
  let differs = false;
  let flushed: { monotonicMs: number; wallMs: number } | null = null;

  /** By both clocks: the first stands still while an instance is frozen, the second can be put back. */
  function isDue(): boolean {
    if (!flushed || differs) return true;
    const { clock } = ports;
    return Math.max(clock.monotonicMs() - flushed.monotonicMs, clock.now() - flushed.wallMs) >= everyMs;
  }

  function entryOf(cutover: string, operation: string, side: Side, slice: number | null): Entry {
    const minute = Math.floor(ports.clock.now() / MINUTE_MS);
    const key = `${cutover} ${operation} ${side} ${minute} ${slice}`;
    let entry = entries.get(key);
    if (!entry) {
      entry = { cutover, operation, slice, window: { ...emptyWindow(minute, side), latency: {} } };
      entries.set(key, entry);
    }
    return entry;
  }

  async function write(id: string, additions: readonly WindowAddition[]): Promise<void> {
    try {
      await ports.windows.add(id, source, additions, ports.clock.now());
      unsent = null;
    } catch (error) {
      unsent = { id, additions };
      ports.log.failure('outcomes_not_recorded', error, { windows: additions.length });
    }
  }

  return {
    add(cutover, operation, side, { slice, success, latencyMs, connectionLost, left = false, keyless = false }) {
      const { window } = entryOf(cutover, operation, side, slice);
      window.count += 1;
      if (!success) window.errors += 1;
      window.told = (window.told ?? 0) + 1;
      if (keyless) window.keyless += 1;
      if (left) window.left = (window.left ?? 0) + 1;
      if (connectionLost) window.drops = (window.drops ?? 0) + 1;
      const bucket = bucketIndex(latencyMs);
      window.latency[bucket] = (window.latency[bucket] ?? 0) + 1;
    },
    addChecks(cutover, operation, { checked, mismatched }) {
      const { window } = entryOf(cutover, operation, 'shadow', null);
      window.checks += checked;
      window.mismatches += mismatched;
      differs ||= mismatched > 0;
    },
    async flushIfDue() {
      // One after the other: a number that comes late counts as one that came before.
      while (writing) await writing;
      if ((entries.size === 0 && !unsent) || !isDue()) return;
      writing = flush().finally(() => {
        writing = null;
      });
      await writing;
    },
  };

  async function flush(): Promise<void> {
    flushed = { monotonicMs: ports.clock.monotonicMs(), wallMs: ports.clock.now() };
    const again = unsent;
    if (again) await write(again.id, again.additions);
    // Still unsent: the newer figures wait, so that only one write at a time is in doubt.
    if (unsent) return;
    const additions = [...entries.values()];
    entries = new Map();
    differs = false;
    flushes += 1;
    if (additions.length > 0) await write(`${source}~${flushes}`, additions);
  }
}
