/** A bucket of permissions per caller: it fills at a steady rate and holds two seconds' worth. */

export type RateLimit = {
  /** Takes one permission, or says in how many milliseconds there is one. */
  take(caller: string, ratePerSecond: number, nowMs: number): { ok: true } | { ok: false; waitMs: number };
};

/** Callers remembered at once; the one that has not called for longest is forgotten first and starts with a full bucket. */
const MAX_CALLERS = 1_000;
const BURST_SECONDS = 2;

export function rateLimit(): RateLimit {
  const buckets = new Map<string, { left: number; atMs: number }>();
  return {
    take(caller, ratePerSecond, nowMs) {
      const known = buckets.get(caller);
      const full = ratePerSecond * BURST_SECONDS;
      const left = known ? Math.min(full, known.left + ((nowMs - known.atMs) / 1_000) * ratePerSecond) : full;
      buckets.delete(caller);
      buckets.set(caller, { left: left >= 1 ? left - 1 : left, atMs: nowMs });
      if (buckets.size > MAX_CALLERS) buckets.delete(buckets.keys().next().value!);
      return left >= 1 ? { ok: true } : { ok: false, waitMs: Math.ceil(((1 - left) / ratePerSecond) * 1_000) };
    },
  };
}
