/** What the application and the program that starts it tell each other. */

export const FAULTS = ['errors', 'latency', 'divergence', 'crash'] as const;
export type Fault = (typeof FAULTS)[number];

export type AppSettings = {
  databaseUrl: string;
  /** Named prepared statements, or the unnamed ones of the extended protocol. */
  prepare: boolean;
  apiUrl: string;
  token: string;
  flags: { url: string; application: string; environment: string; profile: string };
  maxFlagAgeMs: number;
  clockSpeed: number;
  clockOriginMs: number;
  /** Injected into the new code path of the reads; `divergence` is the database's affair. */
  fault: Fault | null;
};

export type AppStats = {
  reads: number;
  shadowReads: number;
  /** Reads that the new path failed and the old one answered. */
  fallbacks: number;
  writes: number;
  /** Operations whose caller got no answer. */
  failed: number;
  lastFailure: string | null;
  slowestWriteMs: number;
  firstFaultMs: number | null;
  lastShadowReadMs: number | null;
  /** True when writes are paused and none is under way. */
  paused: boolean;
};

export function emptyStats(): AppStats {
  return {
    reads: 0,
    shadowReads: 0,
    fallbacks: 0,
    writes: 0,
    failed: 0,
    lastFailure: null,
    slowestWriteMs: 0,
    firstFaultMs: null,
    lastShadowReadMs: null,
    paused: false,
  };
}
