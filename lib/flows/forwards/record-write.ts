/**
 * A write that an application makes itself, through the SDK:
 *
 *   SDK ─ intendWrite ─→ intent recorded, side named ─→ SDK writes to that side ─ settleWrite ─→ ready to forward, or gone
 *
 * As in write-both.ts, the intent is durable before anything is written, the state names the authoritative side, and
 * that side is asked what became of a write that was never settled: apply-forwards.ts carries out what both have made.
 */

import { CrossfadeError } from '../../core/base/errors.ts';
import type { CutoverDeclaration, Side } from '../../core/cutover/cutover.ts';
import { syncsShadow } from '../../core/cutover/stage-kinds.ts';
import { isPathBelow, writeTarget } from '../../core/cutover/write-target.ts';
import {
  authoritativeSide,
  forwardOfWrite,
  hasChangedHands,
  orderKeyOf,
  otherSide,
} from '../../core/forwards/forward.ts';
import type { NewForward } from '../../ports/forwards.ts';
import type { Ports } from '../../ports/ports.ts';
import { clearTheWay } from './clear-the-way.ts';
import { demandSide, handOverMs, knownState, readState, type StatePorts } from './known-state.ts';

export type IntendedWrite = {
  key: string;
  /** Names this attempt to record: the same again is one intent. */
  intent: string;
  /** By which both sides know the write. */
  idempotencyKey: string;
  /** JSON text. */
  payload: string;
  /** Of a service: what is asked of its upstreams. */
  request?: { method: string; path: string };
};

/** Where to write now; `forward` is null when the other side must not, or need not, get it. */
export type WritePlace = { side: Side; forward: string | null };

export type WriteOutcome = 'applied' | 'refused' | 'unknown';

type Needs = Pick<Ports, 'intents' | 'forwards' | 'realNow' | 'clock' | 'ids' | 'wakeUps' | 'log'> & StatePorts;

/**
 * @param deadlineMs on the monotonic clock
 * @throws CrossfadeError `invalid_config` for a cutover that takes no writes, `invalid_input`, `copy_pending`, `store_unavailable`
 */
export async function intendWrite(
  ports: Needs,
  declaration: CutoverDeclaration,
  write: IntendedWrite,
  deadlineMs: number,
): Promise<WritePlace> {
  const { id: cutover } = declaration;
  refuseUndeliverable(declaration, write);
  const known = knownState(ports, declaration) ?? (await readState(ports, declaration));
  const { state } = known;
  const side = authoritativeSide(state);
  const written = { cutover, side, orderKey: orderKeyFor(declaration, write) };
  if (hasChangedHands(state))
    await clearTheWay(
      ports,
      { ...written, waitMs: handOverMs(ports, known) },
      deadlineMs,
      onlyOnce(() => ports.wakeUps.wake(cutover)),
    );
  if (!syncsShadow(state)) return { side, forward: null };
  const forward = newForward(written, write, ports.ids.next(), ports.realNow());
  const recorded = await record(ports, forward, write.intent);
  if (recorded.id === forward.id) await demandSide(ports, declaration, known, forward.id);
  // The first answer may have been lost and the sides may have changed since: what is recorded decides.
  return { side: otherSide(recorded.side), forward: recorded.id };
}

/** What was recorded under this name before, if it is still there: one that was withdrawn, or carried out, forwards nothing any more. */
async function record({ intents, forwards }: Needs, forward: NewForward, receipt: string) {
  const recorded = await intents.intend(forward, { receipt });
  if (recorded.id === forward.id) return recorded;
  const open = await forwards.open(forward.cutover, forward.orderKey);
  return open.some(({ id }) => id === recorded.id) ? recorded : intents.intend(forward);
}

/** What became of the write on its side. False when it was settled before, or is being found out by asking. */
export async function settleWrite(
  ports: Pick<Ports, 'intents'>,
  cutover: string,
  forward: string,
  outcome: WriteOutcome,
): Promise<{ settled: boolean }> {
  if (outcome === 'refused') return { settled: await ports.intents.withdraw(cutover, forward) };
  return { settled: await ports.intents.settle(cutover, forward, outcome === 'applied' ? 'ready' : 'unsettled') };
}

/** What could never arrive is refused before anything is written. */
function refuseUndeliverable(declaration: CutoverDeclaration, { request }: IntendedWrite): void {
  const { id, kind } = declaration;
  if (!writeTarget(declaration, 'primary')) {
    const why =
      kind === 'table'
        ? 'write its primary table, and the trigger does the rest'
        : "declare where its sides take writes: writes: { primary: 'https://…', shadow: 'https://…' }";
    throw new CrossfadeError('invalid_config', `Cutover '${id}' takes no writes from the SDK: ${why}.`);
  }
  if (kind === 'component' && request)
    throw new CrossfadeError('invalid_input', `Cutover '${id}' is a component: its addresses are declared, not asked.`);
  if (request && !isPathBelow(request.path))
    throw new CrossfadeError(
      'invalid_input',
      `'${request.path.slice(0, 80)}' is no path below the upstreams of cutover '${id}'. Write it encoded, without a leading slash and without dots as segments.`,
    );
}

/** Of a service: the resource, as for the gateway, so that writes of both ways keep their order. */
function orderKeyFor(declaration: CutoverDeclaration, { key, request }: IntendedWrite): string {
  return declaration.kind === 'service' ? orderKeyOf(request?.path ?? '', declaration.gateway.orderSegments) : key;
}

function newForward(
  written: { cutover: string; side: Side; orderKey: string },
  { idempotencyKey, payload, request }: IntendedWrite,
  unique: string,
  createdAtMs: number,
): NewForward {
  return {
    ...forwardOfWrite(written, unique, createdAtMs),
    idempotencyKey,
    request: {
      method: request?.method ?? 'POST',
      path: request?.path ?? '',
      query: '',
      headers: { 'content-type': 'application/json' },
    },
    body: Buffer.from(payload),
  };
}

/** The shadow writer, once woken, carries out all that is due. */
function onlyOnce(wake: () => Promise<void>): () => Promise<void> {
  let woken: Promise<void> | null = null;
  return () => {
    woken ??= wake();
    return woken;
  };
}
