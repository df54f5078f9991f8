/** Local circuit breaker: a shadow that fails in this process is left at once, before the control loop has noticed. */

const MEMORY = 20;
const FAILURES_TO_OPEN = 10;
const OPEN_MS = 5_000;

export type Breaker = {
  isOpen(cutover: string, nowMs: number): boolean;
  record(cutover: string, success: boolean, nowMs: number): void;
};

type Memory = { failures: boolean[]; next: number; openUntilMs: number };

/** Opens for five seconds when ten of the last twenty shadow operations failed; then it looks again. */
export function circuitBreaker(): Breaker {
  const memories = new Map<string, Memory>();
  return {
    isOpen: (cutover, nowMs) => (memories.get(cutover)?.openUntilMs ?? 0) > nowMs,
    record(cutover, success, nowMs) {
      let memory = memories.get(cutover);
      if (!memory) {
        memory = { failures: [], next: 0, openUntilMs: 0 };
        memories.set(cutover, memory);
      }
      memory.failures[memory.next] = !success;
      memory.next = (memory.next + 1) % MEMORY;
      if (memory.failures.filter(Boolean).length >= FAILURES_TO_OPEN) {
        memory.openUntilMs = nowMs + OPEN_MS;
        memory.failures = [];
        memory.next = 0;
      }
    },
  };
}
