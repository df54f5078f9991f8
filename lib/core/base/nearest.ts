/** The known name nearest to a misspelt one, for error messages. */

/** Levenshtein distance, small strings only. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** @example nearest('custmer', ['customer', 'invoice']) // 'customer' */
export function nearest(name: string, known: readonly string[]): string | null {
  const sought = name.slice(0, 64);
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(sought.length / 3)) + 1;
  for (const candidate of known) {
    const d = distance(sought, candidate);
    if (d < bestDistance) {
      best = candidate;
      bestDistance = d;
    }
  }
  return best;
}

/** `" Did you mean 'customer'?"`, or nothing: also where that very name is known, in another place. */
export function didYouMean(name: string, known: readonly string[]): string {
  const candidate = nearest(name, known);
  return candidate === null || candidate === name ? '' : ` Did you mean '${candidate}'?`;
}
