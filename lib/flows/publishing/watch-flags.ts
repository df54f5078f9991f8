/**
 * The publisher's minute. Each change of a state wakes it through the stream of the table; this is for the day on which the stream
 * is late or silent. Where no reads go to a shadow, nothing has to leave in a hurry, and one look is enough.
 */

import type { CutoverDeclaration } from '../../core/cutover/cutover.ts';
import type { Ports } from '../../ports/ports.ts';
import type { Deployed } from '../control/deployed-flags.ts';
import { type PublishPorts, publishFlags } from './publish-flags.ts';

/** Together with a publication well below the 15 s for which readers keep their flags. */
const LOOK_EVERY_MS = 2_000;
/** How long what is deployed is believed without a question. Somebody may deploy past the publisher. */
const BELIEVED_MS = 20_000;

/** @param untilMs on the monotonic clock */
export async function watchFlags(
  ports: PublishPorts & Pick<Ports, 'clock'>,
  declarations: readonly CutoverDeclaration[],
  untilMs: number,
): Promise<void> {
  let deployed = await publishFlags(ports, declarations);
  let askedMs = ports.clock.monotonicMs();
  while (hasReaders(deployed) && ports.clock.monotonicMs() + LOOK_EVERY_MS < untilMs) {
    await ports.clock.sleep(LOOK_EVERY_MS);
    const known = ports.clock.monotonicMs() - askedMs < BELIEVED_MS ? deployed : null;
    if (!known) askedMs = ports.clock.monotonicMs();
    deployed = await publishFlags(ports, declarations, known);
  }
}

const hasReaders = ({ document }: Deployed): boolean =>
  Object.values(document?.cutovers ?? {}).some(({ read_ppm }) => read_ppm > 0);
