/** Comparing is half of the client, and most processes compare nothing: it is loaded with the first comparison. */

import type { Comparer, ComparerParts, createComparer } from './comparer.ts';
import { comparisonOf, type Served, within } from './cutover-run.ts';

let create: typeof createComparer | null = null;

/** For all clients of the process. */
export async function loadComparer(): Promise<void> {
  create ??= (await import('./comparer.ts')).createComparer;
}

export function lazyComparer(parts: ComparerParts): Comparer {
  let comparer: Comparer | null = null;
  let loading: Promise<void> = Promise.resolve();
  const made = () => {
    comparer ??= create?.(parts) ?? null;
    return comparer;
  };
  return {
    offer(run, served) {
      if (made()) return made()!.offer(run, served);
      const how = comparisonOf(run);
      if (!how) return;
      const kept = untouched(served, how.snapshot ?? false);
      loading = loadComparer().then(() => made()!.offer(run, kept), ignore);
    },
    async settle(ms) {
      await within(
        ms,
        Promise.resolve(loading).then(() => comparer?.settle(ms)),
        undefined,
      );
    },
    mismatches: (cutover) => comparer?.mismatches(cutover) ?? [],
    report: (cutover) => comparer?.report(cutover) ?? null,
  };
}

/** What was served is compared later than usual, when its caller may have read or changed it. */
function untouched<T>(served: Served<T>, snapshot: boolean): Served<T> {
  const { settled } = served;
  if (!settled.ok) return served;
  try {
    const { clone, body } = Object(settled.answer) as { clone?(): T; body?: unknown };
    const isBody = typeof clone === 'function' && body !== undefined;
    if (!isBody && !snapshot) return served;
    const answer = isBody ? clone.call(settled.answer) : structuredClone(settled.answer);
    return { ...served, settled: { ok: true, answer } };
  } catch {
    return served;
  }
}

/** A file that is not there: nothing is compared. */
const ignore = () => {};
