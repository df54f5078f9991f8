/**
 * The state of a cutover as its writers know it. While both sides are kept equal, what an instance has read counts for a
 * second, so that its writes do not wait for it each time. No side gets a write behind the back of the one that took over:
 *
 * - an intent that is durable within that second lies there before any other instance may write to the side that took over
 *   (`handOverMs`), and is waited for then; one that came later is checked against the state once more (`demandSide`);
 * - while nothing is synchronised the state is read for each write: after `start` none may be missing.
 */

import { CrossfadeError } from '../../core/base/errors.ts';
import { MINUTE_MS } from '../../core/base/units.ts';
import { type CutoverDeclaration, type CutoverState, initialState } from '../../core/cutover/cutover.ts';
import { syncsShadow } from '../../core/cutover/stage-kinds.ts';
import { authoritativeSide, isHandedOver } from '../../core/forwards/forward.ts';
import type { Ports } from '../../ports/ports.ts';

/** For so long a state counts after it was asked for. */
const STATE_COUNTS_MS = 1_000;
/** For so long the side that takes over gets no write: a clock may miss a second in which its process was frozen. */
const HAND_OVER_MS = STATE_COUNTS_MS + 1_000;
/** Beyond all differences of clocks, also of a demonstration's (60 times as fast): all instances know an older hand-over. */
const OLD_MS = 2 * MINUTE_MS;

export type KnownState = {
  state: CutoverState;
  /** When it was asked for, and when its epoch was first seen; monotonic. */
  askedMs: number;
  epochSeenMs: number;
  isAskedAgain: boolean;
};

/** Of one instance, by cutover. */
export type KnownStates = Map<string, KnownState>;

export type StatePorts = Pick<Ports, 'state' | 'clock'> & { known: KnownStates };

/** Null where it has to be read now. Otherwise it is read again beside, once half of its time is over. */
export function knownState(ports: StatePorts, declaration: Pick<CutoverDeclaration, 'id' | 'kind' | 'plan'>) {
  const known = ports.known.get(declaration.id);
  if (!known || !syncsShadow(known.state)) return null;
  const ageMs = ports.clock.monotonicMs() - known.askedMs;
  if (ageMs >= STATE_COUNTS_MS) return null;
  if (ageMs >= STATE_COUNTS_MS / 2 && !known.isAskedAgain) {
    known.isAskedAgain = true;
    // Where that fails, the next write finds its time over, and reads it itself.
    readState(ports, declaration).catch(() => {});
  }
  return known;
}

/** @throws CrossfadeError `state_invalid`, `store_unavailable` */
export async function readState(
  { state: store, clock, known }: StatePorts,
  declaration: Pick<CutoverDeclaration, 'id' | 'kind' | 'plan'>,
): Promise<KnownState> {
  const { id } = declaration;
  const askedMs = clock.monotonicMs();
  const state = (await store.readCutover(id)) ?? initialState(declaration);
  const before = known.get(id);
  const epochSeenMs = before?.state.epoch === state.epoch ? before.epochSeenMs : clock.monotonicMs();
  const read = { state, askedMs, epochSeenMs, isAskedAgain: false };
  // The answer to an earlier question may come late.
  if (!before || before.askedMs <= askedMs) known.set(id, read);
  return read;
}

/** How long a write still has to wait, so that no other instance goes by the state before the hand-over. */
export function handOverMs({ clock }: Pick<StatePorts, 'clock'>, { state, epochSeenMs }: KnownState): number {
  if (!isHandedOver(state) || clock.now() - state.enteredAtMs > OLD_MS) return 0;
  return Math.max(0, epochSeenMs + HAND_OVER_MS - clock.monotonicMs());
}

/**
 * Once the intent is durable: that the side by which it was made still takes the writes. Else it is withdrawn.
 * @throws CrossfadeError `copy_pending` when it does not: nothing may be sent
 */
export async function demandSide(
  ports: StatePorts & Pick<Ports, 'intents' | 'log'>,
  declaration: CutoverDeclaration,
  { askedMs, state: known }: KnownState,
  forward: string,
): Promise<void> {
  if (ports.clock.monotonicMs() - askedMs < STATE_COUNTS_MS) return;
  try {
    const { state } = await readState(ports, declaration);
    if (authoritativeSide(state) === authoritativeSide(known)) return;
    throw changedSides(declaration.id);
  } catch (error) {
    // One that cannot be withdrawn is found out about by asking its side.
    await ports.intents
      .withdraw(declaration.id, forward)
      .catch((cause: unknown) => ports.log.failure('forward_not_settled', cause, { cutover: declaration.id }));
    throw error;
  }
}

function changedSides(cutover: string): CrossfadeError {
  return new CrossfadeError(
    'copy_pending',
    `Cutover '${cutover}' has just changed its sides. Nothing was written; try again.`,
    { retryable: true, details: { retryAfterMs: 1_000 } },
  );
}
