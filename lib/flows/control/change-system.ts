/** One change of the state that concerns every cutover, tried again when somebody else was faster. */

import { CrossfadeError } from '../../core/base/errors.ts';
import { DAY_MS } from '../../core/base/units.ts';
import type { SystemState } from '../../core/cutover/cutover.ts';
import type { Event } from '../../core/stage/events.ts';
import { recordSystem } from '../../core/stage/system.ts';
import type { Ports } from '../../ports/ports.ts';
import type { By } from './commit.ts';
import { checkSameRequest } from './same-request.ts';

const TRIES = 5;

/** `answer`: what the same request is answered when it comes again. */
type Request = { key: string; fingerprint: string; answer?: (after: SystemState) => object };

const versionOf = ({ version }: SystemState): object => ({ version });

/**
 * The system as it is now, and when the change was asked for: by this call, or by the same request before.
 * @param decide the events that follow from what is there now; none: nothing is written
 */
export async function changeSystem(
  ports: Pick<Ports, 'state'>,
  decide: (system: SystemState) => readonly Event[],
  by: By,
  request?: Request,
): Promise<{ system: SystemState; askedAtMs: number }> {
  let before = await ports.state.readSystem();
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const events = decide(before);
    if (events.length === 0) return { system: before, askedAtMs: by.nowMs };
    const { state: after, entries } = recordSystem(before, events, by);
    const idempotency = request && {
      key: request.key,
      fingerprint: request.fingerprint,
      caller: by.actor,
      answer: { status: 200, body: (request.answer ?? versionOf)(after) },
      expiresAtMs: by.nowMs + DAY_MS,
    };
    const result = await ports.state.writeSystem({ before, after, entries, ...(idempotency ? { idempotency } : {}) });
    if (result.kind === 'applied') return { system: after, askedAtMs: by.nowMs };
    if (result.kind === 'stale') before = result.current;
    if (result.kind === 'repeated') {
      checkSameRequest(result.record, by.actor, request?.fingerprint);
      return { system: await ports.state.readSystem(), askedAtMs: result.record.expiresAtMs - DAY_MS };
    }
  }
  throw new CrossfadeError(
    'conflict',
    `The state of the system was changed by others ${TRIES} times in a row. Repeat the command.`,
    { retryable: true },
  );
}
