/**
 * Local circuit breaker: a shadow that fails in this process is left at once, before the control loop has noticed.
 *
 *   closed ── ten failures of the last twenty ──▶ open ── 5 s ──▶ half open: one probe at a time
 *      ▲                                            ▲                 │           │
 *      └────────────── three probes succeed ────────┼─────────────────┘           │
 *                                                   └── one fails: twice as long, at most a minute
 */

const MEMORY_MASK = 0xf_ffff;
const FAILURES_TO_OPEN = 10;
const OPEN_MS = 5_000;
const LONGEST_OPEN_MS = 60_000;
/** A probe whose outcome is not recorded gives its place up after this. */
const PROBE_MS = 1_000;
const PROBES_TO_CLOSE = 3;

export type Breaker = {
  /** True when the shadow may serve: always while closed, for one probe at a time while half open. */
  admits(cutover: string, nowMs: number): boolean;
  /** `now` is read only where the moment matters: a clock costs more than everything else that is done here. */
  record(cutover: string, success: boolean, now: () => number): void;
  /** How many cutovers are not closed: while it is 0, there is nothing to ask. */
  readonly open: number;
};

type Memory = {
  /** One bit for each of the last twenty operations, 1 = failed. */
  failed: number;
  failures: number;
  isClosed: boolean;
  openMs: number;
  openUntilMs: number;
  probeUntilMs: number;
  probesPassed: number;
};

const closed = (): Memory => ({
  failed: 0,
  failures: 0,
  isClosed: true,
  openMs: OPEN_MS,
  openUntilMs: 0,
  probeUntilMs: 0,
  probesPassed: 0,
});

export function circuitBreaker(): Breaker {
  const memories = new Map<string, Memory>();
  let open = 0;

  function openAgain(memory: Memory, openMs: number, nowMs: number): void {
    if (memory.isClosed) open += 1;
    Object.assign(memory, { ...closed(), isClosed: false, openMs, openUntilMs: nowMs + openMs });
  }

  function judgeProbe(memory: Memory, success: boolean, nowMs: number): void {
    // Calls that were under way when it opened say nothing new.
    if (nowMs < memory.openUntilMs) return;
    if (!success) {
      openAgain(memory, Math.min(LONGEST_OPEN_MS, memory.openMs * 2), nowMs);
      return;
    }
    memory.probeUntilMs = 0;
    memory.probesPassed += 1;
    if (memory.probesPassed < PROBES_TO_CLOSE) return;
    Object.assign(memory, closed());
    open -= 1;
  }

  return {
    get open() {
      return open;
    },
    admits(cutover, nowMs) {
      const memory = memories.get(cutover);
      if (!memory || memory.isClosed) return true;
      if (nowMs < memory.openUntilMs || nowMs < memory.probeUntilMs) return false;
      memory.probeUntilMs = nowMs + PROBE_MS;
      return true;
    },
    record(cutover, success, now) {
      let memory = memories.get(cutover);
      if (!memory) {
        if (success) return;
        memory = closed();
        memories.set(cutover, memory);
      }
      if (!memory.isClosed) return judgeProbe(memory, success, now());
      memory.failures += (success ? 0 : 1) - ((memory.failed >>> 19) & 1);
      memory.failed = ((memory.failed << 1) | (success ? 0 : 1)) & MEMORY_MASK;
      if (memory.failures >= FAILURES_TO_OPEN) openAgain(memory, OPEN_MS, now());
    },
  };
}
