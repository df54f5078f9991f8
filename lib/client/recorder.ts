/**
 * Aggregates outcomes per minute, side, operation and slice of the plan, and sends them in batches. Recording is a few additions in
 * memory; sending never blocks the caller, and what cannot be sent is kept for one more try, then dropped and counted.
 */

import { MINUTE_MS } from '../core/base/units.ts';
import type { Side } from '../core/cutover/cutover.ts';
import { isConnectionDrop } from '../core/gates/connection-drops.ts';
import { bucketIndex, MAX_BUCKET, MIN_BUCKET } from '../core/gates/histogram.ts';
import type { MinuteWindow } from '../core/gates/minute-window.ts';
import { hasSentAll, sendAtExit } from './at-exit.ts';
import { timerMs, within } from './cutover-run.ts';
import { metricSums } from './metric-sums.ts';
import type { Outcome, OutcomeBatch, OutcomeSink, SenderState } from './outcome.ts';
import type { Problem } from './problems.ts';
import { isCutoverId, isUsable } from './usable-outcome.ts';

/** Which side failed a request that both were asked; null for neither or both, undefined where it is no pair. */
export type FailedAlone = 'onlyShadow' | 'onlyPrimary' | null | undefined;

/** A comparison that was made. */
export type ComparedPair = {
  cutover: string;
  operation: string;
  slice: number | null;
  /** Null for answers of a kind that cannot be compared; undefined where time did not allow it. */
  mismatch: boolean | null | undefined;
  alone: FailedAlone;
};

export type RecorderOptions = {
  sink: OutcomeSink;
  source: string;
  nextId(): string;
  now(): number;
  /** Asked at the moment of sending. */
  state?(): SenderState;
  /** Real milliseconds between two sends while outcomes come in. */
  flushIntervalMs: number;
  deadlineMs?: number;
  /** Milliseconds for the time between two sends, see `elapsedClock`. */
  elapsedMs(): number;
  onProblem?(problem: Problem): void;
};

/** One window being filled. Counts of buckets lie at `index − MIN_BUCKET`. */
type Cell = Place & { latency: Uint32Array } & Mutable<Omit<MinuteWindow, 'latency'>>;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };
/** What a window is about. */
type Place = { cutover: string; operation: string; side: Side; slice: number | undefined };
/** The windows of one operation that are being filled now, by slice; the first are those without one. */
type Open = { primary: (Cell | undefined)[]; shadow: (Cell | undefined)[] };

const MAX_OPERATIONS = 64;
const MAX_CELLS = 1_000;
/** So many wait for the interval; more are sent at once. */
const CELLS_TO_SEND = 500;
const OUTCOMES_TO_SEND = 50_000;
/** JSON of a window without its histogram, of one bucket in it, and of a whole batch: upper bounds. */
const WINDOW_CHARACTERS = 440;
const BUCKET_CHARACTERS = 18;
const MAX_BATCH_CHARACTERS = 60_000;
const NAME = /^[a-z][a-z0-9_.-]{0,39}$/;
const BUCKETS = MAX_BUCKET - MIN_BUCKET + 1;

export class Recorder {
  /** Outcomes that could not be delivered. */
  dropped = 0;
  readonly #options: RecorderOptions;
  readonly #operations = new Set<string>();
  #open = new Map<string, Map<string, Open>>();
  #cells = new Set<Cell>();
  #waiting = 0;
  #unsent: OutcomeBatch[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isUrgent = false;
  readonly #metrics = metricSums();
  #sending: Promise<void> | null = null;
  #sentAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** True when it was counted. Never throws, whatever an application hands in. */
  record(outcome: Outcome): boolean {
    try {
      if (isUsable(outcome)) {
        this.#add(outcome);
        return true;
      }
    } catch {
      // A name or a figure that cannot even be read.
    }
    this.dropped += 1;
    this.#options.onProblem?.(unusable(outcome));
    return false;
  }

  #add(outcome: Outcome): void {
    const { cutover, operation = 'read', side, slice } = outcome;
    const cell = this.#cell(cutover, operation, side, slice ?? undefined);
    cell.count += 1;
    if (!outcome.success) {
      cell.errors += 1;
      if (isConnectionDrop(outcome.error)) cell.drops! += 1;
    }
    if (outcome.keyless) cell.keyless += 1;
    if (outcome.left) cell.left = (cell.left ?? 0) + 1;
    cell.latency[bucketIndex(outcome.latencyMs) - MIN_BUCKET]! += 1;
    if (outcome.values || outcome.flags) this.#metrics.add(outcome, cell.minute);
    this.#waiting += 1;
    if (this.#timer === null || this.#waiting === OUTCOMES_TO_SEND) this.#schedule();
  }

  /** A comparison of both sides that was made; counted with the shadow, which it is about. */
  compared({ cutover, operation, slice, mismatch, alone }: ComparedPair): void {
    if (!isCutoverId(cutover)) return;
    const cell = this.#cell(cutover, operation, 'shadow', slice ?? undefined);
    if (typeof mismatch === 'boolean') cell.checks += 1;
    if (mismatch) cell.mismatches += 1;
    if (mismatch === null) cell.incomparable = (cell.incomparable ?? 0) + 1;
    if (alone !== undefined) {
      cell.pairs! += 1;
      if (alone) cell[alone] = (cell[alone] ?? 0) + 1;
    }
    this.#schedule();
  }

  /** Sends everything recorded so far; never throws. Waits for `waitMs` at most, and what is under way goes on. */
  async flush({ waitMs, ifDue = false }: { waitMs?: number; ifDue?: boolean } = {}): Promise<void> {
    const sinceMs = this.#options.elapsedMs() - this.#sentAtMs;
    if (ifDue && (this.#sending || sinceMs < this.#options.flushIntervalMs)) return;
    const sent = this.#sendAll();
    await (waitMs === undefined ? sent : within(waitMs, sent, undefined));
  }

  async #sendAll(): Promise<void> {
    this.#sentAtMs = this.#options.elapsedMs();
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#isUrgent = false;
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
    else if (this.#cells.size === 0) hasSentAll(this);
  }

  async #deliver(batch: OutcomeBatch): Promise<boolean> {
    const deadlineMs = this.#options.deadlineMs ?? 2_000;
    const send = async () => this.#options.sink(batch, AbortSignal.timeout(timerMs(deadlineMs)));
    const sent = send().then(() => null, reasonOf);
    // A sink that ignores its signal must not hold the end of an invocation up.
    return this.#isDelivered(await within(deadlineMs + 100, sent, `no answer within ${deadlineMs} ms`));
  }

  #isDelivered(failure: string | null): boolean {
    if (failure === null) return true;
    const message = `Outcomes could not be delivered: ${failure}. They are sent once more, then they are lost; the gates hold without them.`;
    this.#options.onProblem?.({ code: 'outcomes_lost', message });
    return false;
  }

  /** Everything recorded so far, in parts that the receiver takes: it refuses bodies above 64 KB. */
  #takeBatches(): OutcomeBatch[] {
    const batches: OutcomeBatch[] = [];
    let windows: OutcomeBatch['windows'][number][] = [];
    let weight = MAX_BATCH_CHARACTERS;
    for (const cell of this.#cells) {
      const window = windowOf(cell);
      const own = WINDOW_CHARACTERS + BUCKET_CHARACTERS * Object.keys(window.latency).length;
      if (weight + own > MAX_BATCH_CHARACTERS) {
        windows = [];
        batches.push(this.#batchOf({ windows }));
        weight = 0;
      }
      windows.push(window);
      weight += own;
    }
    const metrics = this.#metrics.take();
    if (metrics.length > 0) batches.push(this.#batchOf({ windows: [], metrics }));
    this.#cells = new Set();
    this.#open = new Map();
    this.#waiting = 0;
    return batches;
  }

  #batchOf(content: Pick<OutcomeBatch, 'windows' | 'metrics'>): OutcomeBatch {
    const { source, nextId, state } = this.#options;
    return { flushId: nextId(), source, ...content, ...state?.() };
  }

  /** The cell of this minute. Looked up by the names as they came; made when there is none. */
  #cell(cutover: string, operation: string, side: Side, slice: number | undefined): Cell {
    const minute = Math.floor(this.#options.now() / MINUTE_MS);
    const cell = this.#open.get(cutover)?.get(operation)?.[side][placeOf(slice)];
    if (cell && cell.minute === minute) return cell;
    return this.#newCell({ cutover, operation: this.#operation(operation), side, slice }, minute);
  }

  #newCell(place: Place, minute: number): Cell {
    const { cutover, operation, side, slice } = place;
    let operations = this.#open.get(cutover);
    if (!operations) {
      operations = new Map();
      this.#open.set(cutover, operations);
    }
    let open = operations.get(operation);
    if (!open) {
      open = { primary: [], shadow: [] };
      operations.set(operation, open);
    }
    // A name that is counted as `other` comes here every time.
    const known = open[side][placeOf(slice)];
    if (known && known.minute === minute) return known;
    if (this.#cells.size >= MAX_CELLS) this.#dropOldest();
    const cell = emptyCell(place, minute);
    open[side][placeOf(slice)] = cell;
    this.#cells.add(cell);
    if (this.#cells.size >= CELLS_TO_SEND) this.#schedule();
    return cell;
  }

  #dropOldest(): void {
    const [oldest] = this.#cells;
    this.dropped += oldest!.count;
    this.#cells.delete(oldest!);
    const { cutover, operation, side, slice } = oldest!;
    const open = this.#open.get(cutover)?.get(operation)?.[side];
    if (open?.[placeOf(slice)] === oldest) open![placeOf(slice)] = undefined;
  }

  /** Names without bound would fill the windows: after 64 of them the rest is `other`. */
  #operation(name: string): string {
    if (this.#operations.has(name)) return name;
    if (!NAME.test(name) || this.#operations.size >= MAX_OPERATIONS) return 'other';
    this.#operations.add(name);
    return name;
  }

  /** After the interval; at once, but never within the caller's own turn, when much is waiting. */
  #schedule(): void {
    const isUrgent = this.#cells.size >= CELLS_TO_SEND || this.#waiting >= OUTCOMES_TO_SEND;
    if (this.#timer && (this.#isUrgent || !isUrgent)) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#isUrgent = isUrgent;
    this.#timer = setTimeout(() => void this.flush(), isUrgent ? 0 : timerMs(this.#options.flushIntervalMs));
    this.#timer.unref?.();
    sendAtExit(this);
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function unusable(outcome: Partial<Outcome> | null | undefined): Problem {
  let seen = 'an object that throws';
  try {
    const { cutover, side, latencyMs, slice } = outcome ?? {};
    const fields = Object.entries({ cutover, side, latencyMs, slice });
    seen = fields.map(([name, value]) => `${name} ${String(value)}`).join(', ');
  } catch {
    // That says it.
  }
  const message = `record was given what cannot be counted (${seen.slice(0, 200)}). It takes the id of a cutover, a side, milliseconds of at least 0 and the slice as route gave it; read and timed do it by themselves.`;
  return { code: 'outcome_unusable', message };
}

const placeOf = (slice: number | undefined): number => (slice === undefined ? 0 : slice + 1);

function emptyCell(place: Place, minute: number): Cell {
  const counts = { count: 0, errors: 0, keyless: 0, drops: 0, checks: 0, mismatches: 0, pairs: 0 };
  return { ...place, minute, ...counts, latency: new Uint32Array(BUCKETS) };
}

function windowOf(cell: Cell): OutcomeBatch['windows'][number] {
  const latency: Record<number, number> = {};
  for (let i = 0; i < BUCKETS; i += 1) if (cell.latency[i]! > 0) latency[i + MIN_BUCKET] = cell.latency[i]!;
  return { ...cell, latency };
}

function count(batch: OutcomeBatch): number {
  return batch.windows.reduce((sum, window) => sum + window.count, 0);
}
