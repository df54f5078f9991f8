/**
 * One write to a `service` cutover whose other side has to get it, too:
 *
 *   read the stage ───┬─→ authoritative side ─→ record what became of it ─→ answer
 *   record the intent ╯
 *
 * Both at once where flags already say which side it is: what they say wrongly is taken back before anything is sent.
 * The intent is durable before anything is sent. A process that dies between two steps leaves it behind, and after a while it is
 * asked of the authoritative side again, or shown to a person; what that side has is forwarded, and nothing else.
 * The stage is read from the state itself, not from flags: flags may be old, and there is one authoritative side.
 */

import { isCrossfadeError } from '../../core/base/errors.ts';
import type { ServiceDeclaration, Side } from '../../core/cutover/cutover.ts';
import { syncsShadow } from '../../core/cutover/stage-kinds.ts';
import {
  authoritativeSide,
  forwardOfWrite,
  hasChangedHands,
  orderKeyOf,
  otherSide,
} from '../../core/forwards/forward.ts';
import { keptHeaders } from '../../core/net/proxied-request.ts';
import type { NewForward } from '../../ports/forwards.ts';
import type { Ports } from '../../ports/ports.ts';
import type { UpstreamResponse } from '../../ports/upstream.ts';
import { type ApplyPorts, applyForwards } from './apply-forwards.ts';
import { clearTheWay } from './clear-the-way.ts';
import { demandSide, handOverMs, type KnownState, knownState, readState, type StatePorts } from './known-state.ts';
import { callSide, type Decision, type Proxied, type ProxiedRequest, type ProxyPorts } from './proxy.ts';

/** `recorded`: the other side will get it. `none`: it must not, or need not. `unsettled`: it will be found out. */
export type ForwardMark = 'recorded' | 'unsettled' | 'none';

export type Written = Proxied & { forward: ForwardMark };

export type WritePorts = ProxyPorts & ApplyPorts & Pick<Ports, 'intents'> & StatePorts;

/** By flags. Without `shadowIsWritten` the intent waits for the state. */
type WriteDecision = Decision & { stage: string | null; shadowIsWritten?: boolean; shadowIsPrimary?: boolean };

/** @param decision used alone only while nothing is synchronised, when the state cannot be read */
export async function proxyWrite(
  ports: WritePorts,
  declaration: ServiceDeclaration,
  decision: WriteDecision,
  request: ProxiedRequest,
): Promise<Written> {
  const orderKey = orderKeyOf(request.path, declaration.gateway.orderSegments);
  const forwardFrom = (side: Side) =>
    newForward(ports.ids.next(), ports.realNow(), { cutover: declaration.id, side, orderKey }, request);
  const { known, recorded } = await begin(ports, declaration, decision, forwardFrom);
  if (!known) return { ...(await callSide(ports, declaration, decision.side, request)), ...decision, forward: 'none' };
  const { state } = known;
  const side = authoritativeSide(state);
  if (hasChangedHands(state)) {
    const written = { cutover: declaration.id, side, orderKey, waitMs: handOverMs(ports, known) };
    await clearTheWay(ports, written, request.deadlineMs, () =>
      applyForwards(ports, declaration, request.deadlineMs, orderKey),
    );
  }
  const chosen = { side, reason: 'write' };
  if (!syncsShadow(state))
    return { ...(await callSide(ports, declaration, side, request)), ...chosen, forward: 'none' };
  const forward = recorded ?? forwardFrom(side);
  if (!recorded) await ports.intents.intend(forward);
  await demandSide(ports, declaration, known, forward.id);
  const { answer, mark } = await writeOnce(ports, declaration, forward, request);
  return { ...answer, ...chosen, forward: mark };
}

/**
 * The state, and beside it the intent, where one is sure to be wanted before anything else: after a hand-over earlier
 * writes come first, and would wait for it.
 */
async function begin(
  ports: WritePorts,
  declaration: ServiceDeclaration,
  { side, stage, shadowIsWritten = false, shadowIsPrimary = false }: WriteDecision,
  forwardFrom: (side: Side) => NewForward,
): Promise<{ known: KnownState | null; recorded: NewForward | null }> {
  const before = knownState(ports, declaration);
  if (before) return { known: before, recorded: null };
  if (!shadowIsWritten || shadowIsPrimary) return { known: await truth(ports, declaration, stage), recorded: null };
  const forward = forwardFrom(side);
  const [read, noted] = await Promise.allSettled([truth(ports, declaration, stage), ports.intents.intend(forward)]);
  const known = read.status === 'fulfilled' ? read.value : null;
  const isWanted = known !== null && isWrittenBeside(known.state, side);
  if (isWanted && noted.status === 'fulfilled') return { known, recorded: forward };
  await conclude(ports, forward, 'refused');
  if (read.status === 'rejected') throw read.reason;
  if (isWanted && noted.status === 'rejected') throw noted.reason;
  return { known, recorded: null };
}

const isWrittenBeside = (state: KnownState['state'], side: Side): boolean =>
  syncsShadow(state) && !hasChangedHands(state) && authoritativeSide(state) === side;

/** The state, or null when it cannot be read and the flags say that nothing is being forwarded anyway. */
async function truth(
  ports: WritePorts,
  declaration: ServiceDeclaration,
  stage: string | null,
): Promise<KnownState | null> {
  try {
    return await readState(ports, declaration);
  } catch (error) {
    if (stage !== 'disabled' && stage !== 'cleaned') throw error;
    ports.log.failure('state_not_read', error, { cutover: declaration.id });
    return null;
  }
}

function newForward(
  unique: string,
  createdAtMs: number,
  written: { cutover: string; side: Side; orderKey: string },
  { method, path, query, headers, body }: ProxiedRequest,
): NewForward {
  return {
    ...forwardOfWrite(written, unique, createdAtMs),
    // A correlation id may stand for a whole visit; a key stands for one write.
    idempotencyKey: headers['idempotency-key'] ?? unique,
    request: {
      method,
      path,
      query,
      headers: keptHeaders(headers),
    },
    body,
  };
}

async function writeOnce(
  ports: WritePorts,
  declaration: ServiceDeclaration,
  forward: NewForward,
  request: ProxiedRequest,
): Promise<{ answer: UpstreamResponse; mark: ForwardMark }> {
  const keyed = { ...request, headers: { ...request.headers, 'idempotency-key': forward.idempotencyKey } };
  let answer: UpstreamResponse;
  try {
    answer = await callSide(ports, declaration, otherSide(forward.side), keyed);
  } catch (error) {
    const never = isCrossfadeError(error) && (error.details.sent === false || error.code === 'invalid_input');
    await conclude(ports, forward, never ? 'refused' : 'unknown');
    throw error;
  }
  const outcome = answer.status >= 500 ? 'unknown' : answer.status >= 400 ? 'refused' : 'applied';
  return { answer, mark: await conclude(ports, forward, outcome) };
}

/** Never throws: the authoritative side has answered, and the intent is there whatever happens to this note. */
async function conclude(
  ports: WritePorts,
  { cutover, id }: NewForward,
  outcome: 'applied' | 'refused' | 'unknown',
): Promise<ForwardMark> {
  try {
    if (outcome === 'refused') {
      await ports.intents.withdraw(cutover, id);
      return 'none';
    }
    await ports.intents.settle(cutover, id, outcome === 'applied' ? 'ready' : 'unsettled');
    return outcome === 'applied' ? 'recorded' : 'unsettled';
  } catch (error) {
    ports.log.failure('forward_not_settled', error, { cutover });
    return 'unsettled';
  }
}
