/**
 * Aggregates outcomes per minute, side and operation, and sends them in batches. Recording is a few additions in
 * memory; sending never blocks the caller, and what cannot be sent is kept for one more try, then dropped and counted.
 */

import { CUTOVER_ID, type Side } from '../core/cutover.ts';
import { emptyWindow, type MinuteWindow } from '../core/evidence.ts';
import { bucketIndex } from '../core/histogram.ts';

export type Outcome = {
  cutover: string;
  side: Side;
  latencyMs: number;
  success: boolean;
  operation?: string;
  /** True when the request had no routing key. */
  keyless?: boolean;
};

export type OutcomeBatch = {
  flushId: string;
  source: string;
  windows: readonly ({ cutover: string; operation: string } & MinuteWindow)[];
};

/** Delivers one batch, or throws. */
export type OutcomeSink = (batch: OutcomeBatch, signal: AbortSignal) => Promise<void>;

export type RecorderOptions = {
  sink: OutcomeSink;
  source: string;
  nextId(): string;
  now(): number;
  /** Real milliseconds between two sends while outcomes come in. */
  flushIntervalMs?: number;
  deadlineMs?: number;
};

type Entry = {
  cutover: string;
  operation: string;
  window: Mutable<MinuteWindow> & { latency: Record<number, number> };
};
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const MAX_OPERATIONS = 64;
const MAX_ENTRIES = 1_000;
/** JSON of a window without its histogram, of one bucket in it, and of a whole batch: upper bounds. */
const WINDOW_CHARACTERS = 350;
const BUCKET_CHARACTERS = 18;
const MAX_BATCH_CHARACTERS = 60_000;
const NAME = /^[a-z][a-z0-9_.-]{0,39}$/;

export class Recorder {
  /** Outcomes that could not be delivered. */
  dropped = 0;
  readonly #options: RecorderOptions;
  readonly #operations = new Set<string>();
  #entries = new Map<string, Entry>();
  #unsent: OutcomeBatch[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  #sending: Promise<void> | null = null;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  record(outcome: Outcome): void {
    if (!usable(outcome)) {
      this.dropped += 1;
      return;
    }
    const { cutover, side, latencyMs, success } = outcome;
    const minute = Math.floor(this.#options.now() / 60_000);
    const { window } = this.#entry(cutover, this.#operation(outcome.operation), minute, side);
    const bucket = bucketIndex(latencyMs);
    window.count += 1;
    if (!success) window.errors += 1;
    if (outcome.keyless) window.keyless += 1;
    window.latency[bucket] = (window.latency[bucket] ?? 0) + 1;
    this.#schedule();
  }

  /** Sends everything recorded so far; never throws. Call it at the end of a Lambda invocation. */
  async flush(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    while (this.#sending) await this.#sending;
    this.#sending = this.#send().finally(() => {
      this.#sending = null;
    });
    await this.#sending;
  }

  async #send(): Promise<void> {
    const again = this.#unsent;
    this.#unsent = [];
    for (const batch of again) if (!(await this.#deliver(batch))) this.dropped += count(batch);
    // The same flush id again next time: if it did arrive, it is counted once.
    for (const batch of this.#takeBatches()) if (!(await this.#deliver(batch))) this.#unsent.push(batch);
    if (this.#unsent.length > 0) this.#schedule();
  }

  async #deliver(batch: OutcomeBatch): Promise<boolean> {
    try {
      await this.#options.sink(batch, AbortSignal.timeout(this.#options.deadlineMs ?? 2_000));
      return true;
    } catch {
      return false;
    }
  }

  /** Everything recorded so far, in parts that the receiver takes: it refuses bodies above 64 KB. */
  #takeBatches(): OutcomeBatch[] {
    const batches: { flushId: string; source: string; windows: OutcomeBatch['windows'][number][] }[] = [];
    let weight = MAX_BATCH_CHARACTERS;
    for (const { cutover, operation, window } of this.#entries.values()) {
      const own = WINDOW_CHARACTERS + BUCKET_CHARACTERS * Object.keys(window.latency).length;
      if (weight + own > MAX_BATCH_CHARACTERS) {
        batches.push({ flushId: this.#options.nextId(), source: this.#options.source, windows: [] });
        weight = 0;
      }
      batches.at(-1)!.windows.push({ cutover, operation, ...window });
      weight += own;
    }
    this.#entries = new Map();
    return batches;
  }

  #entry(cutover: string, operation: string, minute: number, side: Side): Entry {
    const key = `${cutover} ${operation} ${side} ${minute}`;
    let entry = this.#entries.get(key);
    if (!entry) {
      if (this.#entries.size >= MAX_ENTRIES) this.#dropOldest();
      entry = { cutover, operation, window: { ...emptyWindow(minute, side), latency: {} } };
      this.#entries.set(key, entry);
    }
    return entry;
  }

  #dropOldest(): void {
    const [key, entry] = this.#entries.entries().next().value!;
    this.dropped += entry.window.count;
    this.#entries.delete(key);
  }

  /** Names without bound would fill the windows: after 64 of them the rest is `other`. */
  #operation(name = 'read'): string {
    if (this.#operations.has(name)) return name;
    if (!NAME.test(name) || this.#operations.size >= MAX_OPERATIONS) return 'other';
    this.#operations.add(name);
    return name;
  }

  #schedule(): void {
    if (this.#timer) return;
    this.#timer = setTimeout(() => void this.flush(), this.#options.flushIntervalMs ?? 1_000);
    this.#timer.unref?.();
  }
}

/** One outcome that the receiver refuses would take its whole batch with it. */
function usable(outcome: Outcome | null | undefined): outcome is Outcome {
  if (!outcome || typeof outcome.cutover !== 'string' || !CUTOVER_ID.test(outcome.cutover)) return false;
  const { side, latencyMs } = outcome;
  return (side === 'primary' || side === 'shadow') && Number.isFinite(latencyMs) && latencyMs >= 0;
}

function count(batch: OutcomeBatch): number {
  return batch.windows.reduce((sum, window) => sum + window.count, 0);
}
