/** What is still to come of an upstream's answer, on its way to the caller. */

import type { Proxied, ProxyPorts } from '../../lib/flows/forwards/proxy.ts';
import type { AnswerRest } from '../../lib/ports/upstream.ts';

/**
 * Until its end or the function's own. A stream of events may end at any time, its reader asks for the rest; all else is broken
 * off. What it tells of its side is written before the function is frozen.
 * @param deadlineMs on the monotonic clock
 */
export async function* passedOn(
  { clock, outcomes }: Pick<ProxyPorts, 'clock' | 'outcomes'>,
  { headers, rest }: Pick<Proxied, 'headers'> & { rest: AnswerRest },
  deadlineMs: number,
): AsyncGenerator<Uint8Array> {
  let isLate = false;
  const end = () => {
    isLate = true;
    rest.leave();
  };
  const late = setTimeout(end, deadlineMs - clock.monotonicMs());
  try {
    yield* rest.parts;
  } catch (error) {
    if (!isLate || !/^text\/event-stream\b/i.test(headers['content-type'] ?? '')) throw error;
  } finally {
    clearTimeout(late);
    rest.leave();
    await rest.ended;
    await outcomes.flushIfDue();
  }
}
