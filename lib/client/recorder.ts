/**
 * Aggregates outcomes per minute, side and operation, and sends them in batches. Recording is a few additions in
 * memory; sending never blocks the caller, and what cannot be sent is kept for one more try, then dropped and counted.
 */

import type { Side } from '../core/cutover.ts';
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
const NAME = /^[a-z][a-z0-9_.-]{0,39}$/;

export class Recorder {
  /** Outcomes that could not be delivered. */
  dropped = 0;
  readonly #options: RecorderOptions;
  readonly #operations = new Set<string>();
  #entries = new Map<string, Entry>();
  #unsent: OutcomeBatch | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #sending: Promise<void> | null = null;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  record(outcome: Outcome): void {
    const { cutover, side, latencyMs, success } = outcome;
    if (!Number.isFinite(latencyMs) || latencyMs < 0) {
      this.dropped += 1;
      return;
    }
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
    for (const batch of this.#takeBatches()) {
      try {
        await this.#options.sink(batch, AbortSignal.timeout(this.#options.deadlineMs ?? 2_000));
      } catch {
        // The same flush id again next time: if it did arrive, it is counted once.
        if (this.#unsent) this.dropped += count(this.#unsent);
        this.#unsent = batch;
      }
    }
  }

  #takeBatches(): OutcomeBatch[] {
    const batches: OutcomeBatch[] = [];
    if (this.#unsent) batches.push(this.#unsent);
    this.#unsent = null;
    if (this.#entries.size > 0) {
      const windows = [...this.#entries.values()].map(({ cutover, operation, window }) => ({
        cutover,
        operation,
        ...window,
      }));
      batches.push({ flushId: this.#options.nextId(), source: this.#options.source, windows });
      this.#entries = new Map();
    }
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

function count(batch: OutcomeBatch): number {
  return batch.windows.reduce((sum, window) => sum + window.count, 0);
}
