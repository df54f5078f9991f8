/** Sends a copy of a write to the side that still has to get it, and says what is known afterwards. */

import { isCrossfadeError } from '../../core/errors.ts';
import type { CopyDelivery, Upstream } from '../../ports.ts';

/** The key makes a repetition recognisable: it is the one the authoritative side got. */
export const IDEMPOTENCY_HEADER = 'idempotency-key';

export function copyDelivery(upstream: Upstream): CopyDelivery {
  return async (declaration, side, copy, deadlineMs) => {
    // Another declaration than the one the copy was made for: nothing here can take it.
    if (declaration.kind !== 'service') return 400;
    const target = { url: declaration.upstreams[side], privateHosts: declaration.gateway.privateHosts };
    const headers = { ...copy.request.headers, [IDEMPOTENCY_HEADER]: copy.idempotencyKey };
    try {
      const { status } = await upstream(target, { ...copy.request, headers, body: copy.body, mount: '/', deadlineMs });
      return status;
    } catch (error) {
      if (!isCrossfadeError(error)) throw error;
      if (error.code === 'invalid_input') return 400;
      return error.details.sent === false ? 'away' : 'unknown';
    }
  };
}
