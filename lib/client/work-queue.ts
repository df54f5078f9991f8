/**
 * Work that no side could finish, kept and tried again: one at a time, each with a growing pause of its own, so that a
 * piece that keeps failing delays no other; on use and never by a background timer. What this can promise: as long as the process lives nothing is lost, and beyond that whatever
 * `keep` has stored. `keep` is called before `put` answers, so work that was accepted is stored.
 */

export type QueuedWork<T> = {
  id: string;
  work: T;
  /** Tries so far that failed. */
  attempts: number;
};

export type WorkQueueOptions<T> = {
  /** Does the work once more, on whichever side is right by now. Must take the same id twice as once. */
  run(queued: QueuedWork<T>): Promise<unknown>;
  /** Stores what is queued where it survives the process. @throws when it cannot: then `put` refuses the work */
  keep?: ((queued: readonly QueuedWork<T>[]) => Promise<void>) | undefined;
  /** What was stored by the process before. */
  kept?: readonly QueuedWork<T>[] | undefined;
  /** Work beyond this is refused, so that its caller learns of it. Default 1,000. */
  limit?: number | undefined;
  /** Monotonic milliseconds. */
  now?: (() => number) | undefined;
};

export type WorkQueue<T> = {
  /** Takes the work, once for each id. @throws Error when it is full, or when it cannot be kept */
  put(id: string, work: T): Promise<void>;
  /** Tries what is due, the oldest first. Never throws. Gives what is left. */
  drain(): Promise<number>;
  waiting(): readonly QueuedWork<T>[];
};

type Waiting<T> = QueuedWork<T> & { notBeforeMs: number };

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 60_000;

/** @example const queue = workQueue({ run: ({ id, work }) => planAndStore(id, work), keep: (all) => writeFile(path, JSON.stringify(all)) }) */
export function workQueue<T>(options: WorkQueueOptions<T>): WorkQueue<T> {
  const { run, keep = async () => {}, limit = 1_000, now = () => performance.now() } = options;
  const queued: Waiting<T>[] = (options.kept ?? []).map((one) => ({ ...one, notBeforeMs: Number.NEGATIVE_INFINITY }));
  let draining: Promise<number> | null = null;
  const all = () => queued.map(({ id, work, attempts }) => ({ id, work, attempts }));

  async function tryDue(): Promise<number> {
    for (const next of queued.filter((one) => now() >= one.notBeforeMs)) {
      if (!(await succeeds(next))) continue;
      queued.splice(queued.indexOf(next), 1);
      // Work that is done and still stored is only done twice, under the same id.
      await keep(all()).catch(() => {});
    }
    return queued.length;
  }

  async function succeeds(next: Waiting<T>): Promise<boolean> {
    try {
      await run({ id: next.id, work: next.work, attempts: next.attempts });
      return true;
    } catch {
      next.attempts += 1;
      const pauseMs = FIRST_PAUSE_MS * 2 ** Math.min(20, next.attempts - 1);
      next.notBeforeMs = now() + Math.min(LONGEST_PAUSE_MS, pauseMs);
      return false;
    }
  }

  return {
    async put(id, work) {
      if (queued.some((known) => known.id === id)) return;
      if (queued.length >= limit) throw new Error(`${limit} pieces of work wait already; this one is not taken.`);
      const added = { id, work, attempts: 0, notBeforeMs: Number.NEGATIVE_INFINITY };
      queued.push(added);
      try {
        await keep(all());
      } catch (error) {
        queued.splice(queued.indexOf(added), 1);
        throw error;
      }
    },
    drain() {
      draining ??= tryDue().finally(() => {
        draining = null;
      });
      return draining;
    },
    waiting: all,
  };
}
