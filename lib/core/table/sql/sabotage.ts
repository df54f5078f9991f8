/** Breaks a rule of the data plane, to show that the tests notice, or halts it at a named point. Only tests pass it. */
export type Sabotage = {
  omit?:
    | 'key-lock'
    | 'fence'
    | 'quarantine'
    | 'pending-hints'
    | 'ghost-sweep'
    | 'reset'
    | 'exchange'
    | 'remix'
    | 'image'
    | 'fits'
    | 'old-key'
    | 'truncate';
  /** Seconds between reading the source and writing the target: makes races likely, in good and bad variants alike. */
  dawdle?: number;
  /** Calls `test.breakpoint(name)`, a function that the test brings, at every point of BREAKPOINTS. */
  breakpoints?: boolean;
};

/** Moments between two effects of one call, in their order: where a call is killed, or held while others overtake it. */
export const BREAKPOINTS = [
  'converge: claimed',
  'converge: locked',
  'apply: read',
  'converge: put aside',
  'converge: written',
  'converge: hints deleted',
  'converge: compared',
  'backfill: cursor taken',
  'backfill: swept',
  'backfill: copied',
  'backfill: cursor saved',
  'backfill: swept whole',
  'backfill: done',
  'verify: pass begun',
  'verify: mark taken',
  'verify: compared',
  'verify: segment saved',
  'verify: pass done',
  'verify: verdict saved',
] as const;
export type Breakpoint = (typeof BREAKPOINTS)[number];

/** Nothing at all, unless a test asks: what is deployed is the same to the byte. */
export function breakpoint(sabotage: Sabotage, name: Breakpoint): string {
  return sabotage.breakpoints ? ` PERFORM test.breakpoint('${name}');` : '';
}
