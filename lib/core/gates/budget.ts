/**
 * How often a healthy stage may be rolled back by chance, and how that is shared out over its days. The shares of the metrics stand beside
 * them in `metrics.ts`; what is left of them is that of the floors.
 */

const ALPHA = 0.01;
/** What all operation types share, see `operations.ts`. */
export const OPERATIONS_BUDGET = 0.13;
/** The same of their latencies, see `operation-latency.ts`. */
export const OPERATIONS_LATENCY_BUDGET = 0.04;
/** All days after the first together spend a twentieth of what the first one does: Σ 1/(10 h(h + 1)) from h = 2 on. */
const LATER = 10;

/**
 * ln 1/α. The budget of a stage is spent on its first day; every later day gets less.
 * @param budget share of what a stage may be rolled back by chance
 */
export function logNeededOf(budget: number, horizon: number): number {
  const later = horizon === 1 ? 1 : LATER * horizon * (horizon + 1);
  return Math.log(later / (ALPHA * budget));
}
