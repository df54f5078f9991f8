/** A client on flags of its own, whose code paths are settled by hand and whose clock only tests move. */

import { vi } from 'vitest';
import { createClient } from '../../lib/client/client.ts';
import type { ClientOptions } from '../../lib/client/client-types.ts';
import { loadComparer } from '../../lib/client/lazy-comparer.ts';
import type { OutcomeBatch } from '../../lib/client/outcome.ts';
import type { CutoverFlag } from '../../lib/core/routing/flags.ts';
import { flagOf, systemFlagOf } from '../property/samples.ts';

export const PRIMARY = { read_ppm: 0 };
export const SHADOW = { read_ppm: 1_000_000 };
export const PROMOTED = { read_ppm: 1_000_000, shadow_is_primary: true };
/** A run of a path that may run twice, all but its two sides. */
export const READ = { cutover: 'planner', key: 'k', readonly: true, compare: true };

export function stopTheClock(): void {
  vi.useFakeTimers({ toFake: ['performance', 'Date', 'setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate'] });
}

/** @param create of a mutant, perhaps */
export async function bench(
  flag: Partial<CutoverFlag>,
  options: Partial<ClientOptions> = {},
  system = systemFlagOf(),
  create = createClient,
) {
  await loadComparer();
  const sent: OutcomeBatch[] = [];
  const client = create({
    flags: {
      fetch: async () => ({ document: { system, cutovers: { planner: flagOf({ salt: 'planner', ...flag }) } } }),
    },
    outcomes: async (batch) => void sent.push(structuredClone(batch)),
    environment: {},
    flushIntervalMs: 1e6,
    ...options,
  });
  await client.refresh();
  /** The one window of a side; comparisons count with the shadow. */
  const window = async (side: 'primary' | 'shadow') => {
    await client.flush();
    return sent.flatMap((batch) => batch.windows).find((one) => one.side === side);
  };
  return { client, sent, window };
}

export const never = () => new Promise<never>(() => {});
export const failing =
  (message = 'broken') =>
  () =>
    Promise.reject(new Error(message));
export const throwing =
  (message = 'broken') =>
  () => {
    throw new Error(message);
  };

/** Lets everything happen that waits for nobody: the comparison begins, and what it awaits is settled. */
export const settled = async (client: ReturnType<typeof createClient>) => {
  await vi.advanceTimersByTimeAsync(1);
  return client.comparisons('planner');
};
