/**
 * The SDK around a Lambda handler, which freezes between invocations: flags are refreshed when it begins and outcomes are
 * sent when it ends, whatever it ends with, if the last ones were sent a while ago. Nothing of middy is needed at run time; what is returned has its shape.
 */

import type { Client } from './client-types.ts';

/** So long the end of an invocation waits for the API that takes outcomes, once in `flushIntervalMs`. */
const END_MS = 50;

type Lifecycle = Pick<Client, 'refresh' | 'flush'>;

export type LambdaOptions = {
  /**
   * How long the end of an invocation waits for comparisons that are under way. Default 0: the caller of a Lambda has
   * its answer only when the handler has ended, so waiting for the other side would be noticed.
   */
  comparisonsMs?: number | undefined;
};

export type CrossfadeMiddleware = {
  before(): Promise<void>;
  after(): Promise<void>;
  onError(): Promise<void>;
};

/** @example middy().use(crossfadeMiddleware(crossfade)).handler(handle) */
export function crossfadeMiddleware(client: Lifecycle, { comparisonsMs = 0 }: LambdaOptions = {}): CrossfadeMiddleware {
  const end = () => client.flush({ comparisonsMs, waitMs: END_MS, ifDue: true });
  return { before: () => client.refresh(), after: end, onError: end };
}

/** The same for a handler without middy. @example export const handler = withCrossfade(crossfade, async (event) => …) */
export function withCrossfade<Arguments extends unknown[], Result>(
  client: Lifecycle,
  handler: (...args: Arguments) => Promise<Result>,
  options?: LambdaOptions,
): (...args: Arguments) => Promise<Result> {
  const { before, after } = crossfadeMiddleware(client, options);
  return async (...args) => {
    await before();
    try {
      return await handler(...args);
    } finally {
      await after();
    }
  };
}
