/** The share of its memory that a process tells with what it recorded. */

import { afterEach, describe, expect, it, vi } from 'vitest';
import { createClient } from '../../../lib/client/client.ts';
import type { OutcomeBatch } from '../../../lib/client/outcome.ts';
import { outcomeReport } from '../../../lib/schemas/http.ts';

afterEach(() => vi.restoreAllMocks());

/** What a process sends that uses so many megabytes. */
async function sent(usedMb: number, environment: Record<string, string>, containerBytes?: number) {
  vi.spyOn(process.memoryUsage, 'rss').mockReturnValue(usedMb * 2 ** 20);
  vi.spyOn(process, 'constrainedMemory').mockReturnValue(containerBytes as number);
  const batches: OutcomeBatch[] = [];
  const flags = { fetch: async () => Promise.reject(new Error('none')) };
  const client = createClient({ flags, environment, outcomes: async (batch) => void batches.push(batch) });
  client.record({ cutover: 'customer', side: 'shadow', latencyMs: 1, success: true });
  await client.flush();
  // As it arrives: what is undefined is not there.
  return outcomeReport.read(JSON.parse(JSON.stringify(batches[0])));
}

describe('a batch of outcomes', () => {
  it('tells how much of what Lambda gave it the process uses', async () => {
    expect(await sent(384, { AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512' })).toMatchObject({ memory: 0.75 });
  });

  it('and elsewhere how much of what its container may have', async () => {
    expect(await sent(384, {}, 2 ** 30)).toMatchObject({ memory: 0.375 });
  });

  it.each([0, 2 ** 63, undefined])('and nothing where the limit is %s, which is none', async (limit) => {
    expect(await sent(384, {}, limit)).not.toHaveProperty('memory');
  });
});
