/** Sends a forwarded write to the side that still has to get it, and says what is known afterwards. */

import { isCrossfadeError } from '../../core/base/errors.ts';
import type { CutoverDeclaration, Side } from '../../core/cutover/cutover.ts';
import { splitAddress, writeTarget } from '../../core/cutover/write-target.ts';
import type { Forward } from '../../core/forwards/forward.ts';
import type { ForwardDelivery } from '../../ports/forwards.ts';
import type { Upstream, UpstreamTarget } from '../../ports/upstream.ts';

/** The key makes a repetition recognisable: it is the one the authoritative side got. */
const IDEMPOTENCY_HEADER = 'idempotency-key';
/** What a component's handler gets beside the payload. Its key is percent-encoded: it may be any text. */
const CUTOVER_HEADER = 'crossfade-cutover';
const SIDE_HEADER = 'crossfade-side';
const KEY_HEADER = 'crossfade-key';

export function forwardDelivery(upstream: Upstream): ForwardDelivery {
  return async (declaration, side, forward, deadlineMs) => {
    const call = callOf(declaration, side, forward);
    // Another declaration than at the time of the write: nothing here can take it, nor say whether it was refused.
    if (!call) return 404;
    const { method, query } = forward.request;
    const headers = { ...forward.request.headers, ...call.headers, [IDEMPOTENCY_HEADER]: forward.idempotencyKey };
    const request = { method, path: call.path, query, headers, body: forward.body, mount: '/', deadlineMs };
    try {
      return (await upstream(call.target, request)).status;
    } catch (error) {
      if (!isCrossfadeError(error)) throw error;
      if (error.code === 'invalid_input') return 400;
      return error.details.sent === false ? 'away' : 'unknown';
    }
  };
}

type Call = { target: UpstreamTarget; path: string; headers: Readonly<Record<string, string>> };

function callOf(declaration: CutoverDeclaration, side: Side, forward: Forward): Call | null {
  const target = writeTarget(declaration, side);
  if (!target) return null;
  if (declaration.kind === 'service') return { target, path: forward.request.path, headers: {} };
  const { base, path } = splitAddress(target.url);
  return {
    target: { ...target, url: base },
    path,
    headers: {
      [CUTOVER_HEADER]: declaration.id,
      [SIDE_HEADER]: side,
      [KEY_HEADER]: encodeURIComponent(forward.orderKey),
    },
  };
}
