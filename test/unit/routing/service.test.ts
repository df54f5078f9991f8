/** Routing inside a function: what becomes of flags that cannot be used. */

import { describe, expect, it } from 'vitest';
import { CrossfadeError, type ErrorCode } from '../../../lib/core/base/errors.ts';
import type { FlagSource } from '../../../lib/routing/flag-cache.ts';
import { checkFlagText } from '../../../lib/routing/flag-check.ts';
import { routingService } from '../../../lib/routing/service.ts';
import { flagOf, systemFlagOf } from '../../property/samples.ts';

/** One answer a fetch, half a minute apart. */
function served(answers: readonly (() => Awaited<ReturnType<FlagSource['fetch']>>)[]) {
  let [nowMs, refused, fetched] = [0, 0, 0];
  const router = routingService({
    source: {
      fetch: async () => {
        fetched += 1;
        return answers[fetched - 1]!();
      },
    },
    environment: {},
    elapsedMs: () => nowMs,
    refused: () => {
      refused += 1;
    },
  });
  return {
    router,
    async look() {
      nowMs += 30_000;
      await router.refresh();
      return refused;
    },
  };
}

const good = () => ({ document: { system: systemFlagOf(), cutovers: { customer: flagOf() } } });
const failing = (code: ErrorCode) => () => {
  throw new CrossfadeError(code, 'no flags', { retryable: true });
};

describe('routing on flags that cannot be used', () => {
  it('reports each document that was refused, and goes on with the last good flags', async () => {
    const edited = () => ({ document: checkFlagText('{"system": {"enabled": true, "version": "one"}}') });
    const { router, look } = served([good, edited, edited, good]);
    expect([await look(), await look(), await look()]).toEqual([0, 1, 2]);
    expect(router.flags()?.document.cutovers).toHaveProperty('customer');
    expect(await look()).toBe(2);
  });

  it('reports no document where none came', async () => {
    const { look } = served([failing('flags_unavailable'), good]);
    expect([await look(), await look()]).toEqual([0, 0]);
  });
});
