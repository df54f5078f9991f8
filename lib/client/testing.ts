/**
 * For the tests of an application: flags that say what the test wants, outcomes and writes that it can look at. Nothing is started
 * and nothing is sent.
 */

import type { Side } from '../core/cutover/cutover.ts';
import type { CutoverFlag, SystemFlag } from '../core/routing/flags.ts';
import type { FlagSource } from '../routing/flag-cache.ts';
import type { OutcomeBatch, OutcomeSink } from './outcome.ts';
import type { ForwardRecorder, WriteIntent, WriteOutcome } from './write-cutover.ts';

const SYSTEM: SystemFlag = {
  enabled: true,
  version: 1,
  emergency_stop: false,
  shadow_writes_enabled: true,
  sync_monitoring: true,
  divergence_alerts: true,
  readonly: false,
  migration_phase: 'none',
};

/** Reads of every key go to that side; the shadow is written, so both sides can be compared. */
function flagOf(id: string, side: Side): CutoverFlag {
  const onShadow = side === 'shadow';
  return {
    enabled: true,
    stage: onShadow ? 'full_100' : 'dual_write',
    epoch: 1,
    version: 1,
    read_ppm: onShadow ? 1_000_000 : 0,
    salt: id,
    hash: 'murmur3_x86_32',
    shadow_writes: true,
    validation: 'strict',
    primary_read_only: false,
    shadow_is_primary: false,
    allow: [],
    deny: [],
  };
}

/**
 * Flags under which every key of a cutover is read from one side. A cutover that is not named is unknown to the client.
 * @example createClient({ flags: fixedFlags({ customer: 'shadow' }), outcomes: recordedOutcomes() })
 */
export function fixedFlags(sides: Readonly<Record<string, Side>>): FlagSource {
  const cutovers = Object.fromEntries(Object.entries(sides).map(([id, side]) => [id, flagOf(id, side)]));
  return { fetch: async () => ({ document: { system: SYSTEM, cutovers } }) };
}

export type RecordedForwards = ForwardRecorder & {
  /** What `write` was about to do, in its order, and what became of it. */
  readonly writes: readonly (WriteIntent & { outcome: WriteOutcome['outcome'] | null })[];
};

/**
 * Takes the intents of `write` and has the given side write.
 * @param forwarded false for a cutover of which nothing is forwarded
 * @example createClient({ flags, outcomes, forwards: recordedForwards('primary') })
 */
export function recordedForwards(side: Side, forwarded = true): RecordedForwards {
  const writes: (WriteIntent & { outcome: WriteOutcome['outcome'] | null })[] = [];
  return {
    writes,
    async intend(write) {
      writes.push({ ...write, outcome: null });
      return { side, forward: forwarded ? write.intent : null };
    },
    async settle({ forward, outcome }) {
      for (const write of writes) if (write.intent === forward) write.outcome = outcome;
    },
  };
}

export type RecordedOutcomes = OutcomeSink & {
  /** What the client has sent so far; `await client.flush()` sends the rest. */
  readonly batches: readonly OutcomeBatch[];
};

/** Takes outcomes and keeps them. */
export function recordedOutcomes(): RecordedOutcomes {
  const batches: OutcomeBatch[] = [];
  const keep: OutcomeSink = async (batch) => void batches.push(batch);
  return Object.assign(keep, { batches });
}
