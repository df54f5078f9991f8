/**
 * The flags a process acts on: the last good ones, how old they are, and one refresh at a time.
 *
 * Refreshed on use, never by a background timer, which a frozen Lambda would miss. A caller waits for 200 ms at
 * most; an answer that comes later is still taken, since merging can only make the flags newer. Whatever goes wrong, the
 * flags stay as they are and their age tells.
 */

import { CrossfadeError } from '../core/base/errors.ts';
import { guarded } from '../core/base/guarded.ts';
import { type FlagDocument, type ServedFlags, sameDocument } from '../core/routing/flags.ts';
import { mergeFlags } from './flag-merge.ts';

/** `ageMs`: how old the answer was when it was given, where the source is not the deployed content itself. */
export type FlagAnswer = ({ document: ServedFlags } | { unchanged: true }) & { ageMs?: number };

export type FlagSource = {
  /** @throws CrossfadeError `flags_unavailable`, `flags_invalid` */
  fetch(signal: AbortSignal): Promise<FlagAnswer>;
};

export type FlagProblem = { code: string; message: string };

type CurrentFlags = {
  document: FlagDocument;
  /** Since the moment at which these flags were last known to be the deployed ones. */
  ageMs: number;
  /** Why the last refresh did not confirm them. */
  problem?: FlagProblem;
};

export type FlagCache = {
  /** Synchronous, without the network. Null until flags were read for the first time. */
  current(): CurrentFlags | null;
  /** When the flags were last known to be the deployed ones; −∞ before the first. */
  confirmedAtMs(): number;
  /** True when `refreshIfStale` would do something about them. */
  isStale(nowMs: number): boolean;
  /** Fetches when the flags are older than `maxAgeMs`; waits for `deadlineMs` at most. Never throws. */
  refreshIfStale(): Promise<void>;
  /** Called with the new flags whenever they say something else. Returns what ends it. */
  onChange(listener: (document: FlagDocument) => void): () => void;
  /** Why the last refresh failed, also while there are no flags at all. */
  problem(): FlagProblem | null;
};

export type FlagCacheOptions = {
  source: FlagSource;
  maxAgeMs?: number;
  /** How long a caller waits for a refresh. */
  deadlineMs?: number;
  /** When a fetch that did not answer is given up. */
  abandonMs?: number;
  /** Pause after a refresh that failed, so that not every request waits for it. */
  retryMs?: number;
  /** See `elapsedClock`. */
  now: () => number;
  /** What is known at the start, and how old it is. The source is asked all the same. */
  kept?: { document: ServedFlags; ageMs: number } | null;
  /** Called after each fetch that does not confirm all flags. */
  onProblem?: (problem: FlagProblem) => void;
};

const AGED_RETRY_MS = 100;
const DONE = Promise.resolve();

type Fetch = (startedAt: number, signal: AbortSignal) => Promise<void>;

/** One fetch at a time, and what its callers wait for. */
function oneFlight(fetch: Fetch, { deadlineMs, abandonMs }: { deadlineMs: number; abandonMs: number }) {
  let flight: { startedAt: number; controller: AbortController; waited: Promise<void> } | null = null;
  return {
    /** Null when none is under way. One that slept through a freeze of the process is of no use any more. */
    underWay(at: number): Promise<void> | null {
      if (flight && at - flight.startedAt < abandonMs) return flight.waited;
      flight?.controller.abort();
      return null;
    },
    start(startedAt: number): Promise<void> {
      const controller = new AbortController();
      const landed = fetch(startedAt, controller.signal).finally(() => {
        if (flight?.controller === controller) flight = null;
      });
      const waited = Promise.race([landed, pause(deadlineMs)]);
      flight = { startedAt, controller, waited };
      return waited;
    },
  };
}

export function flagCache(options: FlagCacheOptions): FlagCache {
  const { source, now, maxAgeMs = 15_000, deadlineMs = 200, abandonMs = 2_000, retryMs = 1_000 } = options;
  const { onProblem = () => {} } = options;
  const listeners = new Set<(document: FlagDocument) => void>();
  let document: FlagDocument | null = null;
  let problem: FlagProblem | null = null;
  /** What was wrong with the document that was served last, for as long as it is served unchanged. */
  let servedProblem: FlagProblem | null = null;
  let servedOlder = false;
  let confirmedAt = Number.NEGATIVE_INFINITY;
  let retryAt = Number.NEGATIVE_INFINITY;
  const flights = oneFlight(fetchOnce, { deadlineMs, abandonMs });

  async function fetchOnce(startedAt: number, signal: AbortSignal): Promise<void> {
    try {
      const answer = await unlessAbandoned(abandonMs, signal, (both) => source.fetch(both));
      if ('document' in answer) accept(answer.document);
      confirm(startedAt, answer.ageMs ?? 0);
      if (problem) onProblem(problem);
    } catch (error) {
      if (signal.aborted) return;
      problem = problemOf(error);
      retryAt = now() + retryMs;
      onProblem(problem);
    }
  }

  function accept(served: ServedFlags): void {
    const merged = mergeFlags(document, served);
    servedOlder = merged.older.length > 0;
    servedProblem = servedOlder ? olderFlags(merged.older) : problemIn(served);
    problem = servedProblem;
    const changed = document === null || !sameDocument(document, merged.document);
    document = merged.document;
    if (changed) for (const tell of listeners) tell(document);
  }

  /** Flags that were served older are not confirmed: their age must show, however often they are served. */
  function confirm(startedAt: number, ageMs: number): void {
    if (document && !servedOlder) {
      confirmedAt = Math.max(confirmedAt, startedAt - ageMs);
      problem = servedProblem;
      // An answer that was old already: asked again soon, but not by every request.
      if (ageMs > 0) retryAt = now() + AGED_RETRY_MS;
      return;
    }
    retryAt = now() + retryMs;
  }

  if (options.kept) {
    accept(options.kept.document);
    confirmedAt = now() - Math.max(options.kept.ageMs, maxAgeMs);
  }

  return {
    current() {
      if (!document) return null;
      const ageMs = now() - confirmedAt;
      return problem ? { document, ageMs, problem } : { document, ageMs };
    },
    confirmedAtMs: () => confirmedAt,
    isStale: (nowMs) => nowMs - confirmedAt >= maxAgeMs,
    refreshIfStale() {
      const at = now();
      if (at - confirmedAt < maxAgeMs) return DONE;
      return flights.underWay(at) ?? (at < retryAt ? DONE : flights.start(at));
    },
    onChange(listener) {
      // The host's listener must not break the refresh.
      const tell = guarded(listener);
      listeners.add(tell);
      return () => listeners.delete(tell);
    },
    problem: () => problem,
  };
}

const olderFlags = (names: readonly string[]): FlagProblem => ({
  code: 'flags_older',
  message: `Older flags than the known ones were served and ignored: ${names.join(', ')}.`,
});

/** Everything that could be read is in use; this is about the rest. */
function problemIn({ problems = [], off = [] }: ServedFlags): FlagProblem | null {
  const seen = [...problems, ...off.map((name) => `${name} was switched off by hand`)];
  if (seen.length === 0) return null;
  const message = `Of the flags that were served not all can be used: ${seen.join('; ')}. What cannot be read stays as it was; a cutover that is switched off is served by its primary, until its flag is published again.`;
  return { code: 'flags_invalid', message };
}

/** Ends when the work does, when it takes longer than `ms`, or when `signal` fires, even if the work ignores both. */
async function unlessAbandoned<T>(
  ms: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let giveUp: () => void = () => {};
  const abandoned = new Promise<never>((_resolve, reject) => {
    giveUp = () => {
      controller.abort();
      const message = `The flags were not answered within ${ms} ms. The last good ones stay in use.`;
      reject(new CrossfadeError('flags_unavailable', message, { retryable: true }));
    };
  });
  const timer = setTimeout(giveUp, ms);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([work(controller.signal), abandoned]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

function problemOf(error: unknown): FlagProblem {
  if (!(error instanceof Error)) return { code: 'flags_unavailable', message: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'flags_unavailable';
  return { code, message: error.message };
}
