/** Records writes through Crossfade's own API: `POST /v1/forwards` before, `POST /v1/forwards/settle` after. */

import { CrossfadeError, type ErrorCode } from '../core/base/errors.ts';
import { demandAddress } from '../routing/given.ts';
import { type ApiAccess, postJson } from './post-json.ts';
import type { ForwardRecorder, WritePlace } from './write-cutover.ts';

/** Answers that say that this call itself is wrong. Anything else may be right the next time. */
const REFUSALS = [400, 404, 409, 413, 415, 422];

/** The token's scope is `copies:write`. @throws CrossfadeError `invalid_config` for an address that is none */
export function httpForwards(api: ApiAccess): ForwardRecorder {
  demandAddress('httpForwards', api.url);
  const ask = async (path: string, body: unknown, signal: AbortSignal) => {
    const response = await postJson(api, `v1/forwards${path}`, body, signal);
    const { status } = response;
    const answer = (await response.json()) as WritePlace & { code: ErrorCode; detail: string };
    if (response.ok) return answer;
    throw new CrossfadeError(answer.code ?? 'internal', answer.detail ?? `status ${status}`, {
      retryable: !REFUSALS.includes(status),
    });
  };
  return {
    intend: (write, signal) => ask('', write, signal),
    settle: (outcome, signal) => ask('/settle', outcome, signal),
  };
}
