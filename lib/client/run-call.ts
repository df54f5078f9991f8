/**
 * What a code path learns about the run it is part of, and its way to write to the outside: `call.effect` writes, or
 * only says what it would have written, when the run is a comparison or the process is read-only.
 */

import type { Side } from '../core/cutover/cutover.ts';

export type SimulatedWrite = {
  cutover: string;
  side: Side;
  what: string;
  /** `readonly`: CROSSFADE_READONLY or the system's switch. `comparison`: somebody else's answer was served. */
  because: 'readonly' | 'comparison';
};

export type CallParts = {
  isReadonly(): boolean;
  nextId(): string;
  simulated(write: SimulatedWrite): void;
};

export class RunCall {
  readonly cutover: string;
  readonly side: Side;
  /** True when the caller already has its answer from the other side. */
  readonly comparing: boolean;
  readonly #parts: CallParts;
  #controller: AbortController | null = null;
  #ended = false;
  #id: string | undefined;

  /** Without an id, the call makes one when it is asked for it. */
  constructor(parts: CallParts, cutover: string, side: Side, run: { comparing?: boolean; id?: string } = {}) {
    this.#parts = parts;
    this.cutover = cutover;
    this.side = side;
    this.comparing = run.comparing ?? false;
    this.#id = run.id;
  }

  /** The same for both sides of one run: give it to what must not do the same thing twice. */
  get id(): string {
    this.#id ??= this.#parts.nextId();
    return this.#id;
  }

  /** Fires when no caller waits for this call any more. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#ended) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  /** Writes to the outside must only be said, not done. */
  get readonly(): boolean {
    return this.comparing || this.#parts.isReadonly();
  }

  /**
   * Does the write, or says what it would have done and gives `instead`.
   * @example await call.effect('send the invoice', () => mail.send(invoice))
   */
  effect<T>(what: string, write: () => T, instead?: T): T | undefined {
    if (!this.readonly) return write();
    const because = this.comparing ? 'comparison' : 'readonly';
    this.#parts.simulated({ cutover: this.cutover, side: this.side, what, because });
    return instead;
  }

  /** The other side of the same run. */
  other(side: Side, comparing: boolean): RunCall {
    return new RunCall(this.#parts, this.cutover, side, { comparing, id: this.id });
  }

  end(): void {
    this.#ended = true;
    this.#controller?.abort();
  }
}
