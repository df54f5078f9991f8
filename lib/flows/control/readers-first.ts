/**
 * What a swap of names waits for on account of readers. Each of them asks for the table that its flags name, so none may be left
 * with a name that the swap gives to another table.
 */

import { MINUTE_MS } from '../../core/base/units.ts';
import type { CutoverState } from '../../core/cutover/cutover.ts';
import { carriesState, type FlagDocument, namesShadow } from '../../core/routing/flags.ts';
import type { Ports } from '../../ports/ports.ts';

/** The AppConfig agent asks for flags every 45 s, the SDK every 15 s. */
const READERS_LEAVE_MS = 1.5 * MINUTE_MS;
const HELD_BACK =
  'the readers that were held back are on their way to the shadow, since the table that they read gets another shape. They are there 90 s after it was asked for, once their flags are deployed.';
const LEFT_BEHIND =
  'readers may still follow flags that are older than the promotion, and ask for the shadow, which nothing would follow after the way back. It goes on once the flags of the promotion, or of this rollback, are deployed; every tick tries that.';

/** `deployed`: what readers follow, where it was asked. */
type Look = { nowMs: number; deployed?: FlagDocument | null | undefined };

/** Why the pending swap must wait for readers; null when it must not. */
export async function waitsForReaders(
  { sightings }: Pick<Ports, 'sightings'>,
  state: CutoverState,
  { nowMs, deployed }: Look,
): Promise<string | null> {
  const { plan, pending } = state;
  if (pending?.action === 'promote' && plan.holdBackPpm) {
    const left = carriesState(deployed, state) && nowMs - pending.sinceMs >= READERS_LEAVE_MS;
    return left ? null : HELD_BACK;
  }
  // Flags never become older, so a look that is long ago will do: a publisher that is away holds up no rollback that need not wait.
  if (pending?.action === 'revert') return namesShadow(await sightings.last(), state) ? LEFT_BEHIND : null;
  return null;
}
