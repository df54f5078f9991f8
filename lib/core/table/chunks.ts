/** How many rows a chunk of the copy takes, and so how many chunks and milliseconds a whole copy would take. Pure. */

/** A chunk should take 20–50 ms: long enough to be worth a round trip, short enough to be invisible. */
const FAST_MS = 20;
const SLOW_MS = 50;
export const FIRST_ROWS = 1_000;
const MIN_ROWS = 500;
const MAX_ROWS = 50_000;

/** Rows of the chunk after one of `rows` that took so long. */
export function nextChunk(rows: number, tookMs: number): number {
  if (tookMs < FAST_MS) return Math.min(MAX_ROWS, rows * 2);
  return tookMs > SLOW_MS ? Math.max(MIN_ROWS, Math.floor(rows / 2)) : rows;
}

/** The copy of so many rows at a steady pace; what holds it up comes on top. */
export function chunksOf(rows: number, rowsPerMs: number): { chunks: number; tookMs: number } {
  let left = rows;
  let chunks = 0;
  for (let size = FIRST_ROWS; left > 0; chunks += 1) {
    left -= Math.min(size, left);
    const next = nextChunk(size, size / rowsPerMs);
    // At its size for good: the rest need not be counted one by one.
    if (next === size) return { chunks: chunks + 1 + Math.ceil(left / size), tookMs: rows / rowsPerMs };
    size = next;
  }
  return { chunks, tookMs: rows / rowsPerMs };
}
