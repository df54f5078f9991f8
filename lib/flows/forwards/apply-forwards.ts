/**
 * Carries forwarded writes out: each key in order, different keys beside each other. Each is claimed before it is sent, so
 * that two instances do not send it at once, and is gone when the other side has it. Whatever dies on the way, the
 * forwarded write is still there, and its claim ends by itself.
 */

import type { CutoverDeclaration, CutoverState, Side } from '../../core/cutover/cutover.ts';
import { writesShadow } from '../../core/cutover/switches.ts';
import {
  afterFailure,
  authoritativeSide,
  type CallOutcome,
  type Forward,
  type ForwardHead,
  type ForwardProblemCode,
  isRepeatable,
  nextStep,
  otherSide,
  outcomeOfAsking,
  outcomeOfSending,
  placeOfForward,
} from '../../core/forwards/forward.ts';
import { isMoot, isRemoved, isReplaced, sameInDoubt, stepInDoubt } from '../../core/forwards/later-writes.ts';
import type { Ports } from '../../ports/ports.ts';

export type AppliedForwards = { applied: number; dropped: number; postponed: number; quarantined: number };

export type ApplyPorts = Pick<
  Ports,
  'clock' | 'realNow' | 'ids' | 'state' | 'forwards' | 'attempts' | 'deliver' | 'log'
>;

/** Longest call of one side. Its claim lasts as long as two of them and what lies between. */
const CALL_MS = 10_000;
const CLAIM_MS = 2 * CALL_MS + 5_000;
/** Not begun with less time left. */
const MARGIN_MS = 2_000;

type Work = {
  ports: ApplyPorts;
  declaration: CutoverDeclaration;
  state: CutoverState;
  writesOn: boolean;
  deadlineMs: number;
  done: AppliedForwards;
};

/** `done`: gone. `blocked`: its key has to wait. `away`: so has everything else for that side. */
type Progress = 'done' | 'blocked' | 'away';

type Delivered = { kind: CallOutcome; text: string; answered: boolean };

/**
 * Everything that is due, until nothing is or the time is nearly up.
 * @param only one key, for a write that must come after those that are forwarded
 */
export async function applyForwards(
  ports: ApplyPorts,
  declaration: CutoverDeclaration,
  deadlineMs: number,
  only?: string,
): Promise<AppliedForwards> {
  const done = { applied: 0, dropped: 0, postponed: 0, quarantined: 0 };
  const heads = await ports.forwards.open(declaration.id, only);
  if (heads.length === 0) return done;
  // Read afterwards, so that it is never older than the authority that one of them was written under.
  const [state, system] = await Promise.all([ports.state.readCutover(declaration.id), ports.state.readSystem()]);
  if (!state) return done;
  const work = { ports, declaration, state, writesOn: writesShadow(state, system), deadlineMs, done };
  const shards = new Map<number, ForwardHead[]>();
  for (const head of heads) {
    const { shard } = placeOfForward(head.id)!;
    shards.set(shard, [...(shards.get(shard) ?? []), head]);
  }
  await Promise.all([...shards.values()].map((shard) => applyInOrder(work, shard)));
  return done;
}

/** True when something waits that could be carried out now. */
export async function forwardsAreDue(
  ports: Pick<Ports, 'forwards' | 'realNow' | 'state'>,
  { id }: CutoverDeclaration,
): Promise<boolean> {
  const heads = await ports.forwards.open(id);
  if (heads.length === 0) return false;
  const [state, system] = await Promise.all([ports.state.readCutover(id), ports.state.readSystem()]);
  const nowMs = ports.realNow();
  return state !== null && heads.some((head) => nextStep(head, state, writesShadow(state, system), nowMs) !== 'wait');
}

async function applyInOrder(work: Work, heads: readonly ForwardHead[]): Promise<void> {
  const blocked = new Set<string>();
  const away = new Set<Side>();
  for (const [index, head] of heads.entries()) {
    if (blocked.has(head.orderKey) || away.has(head.side)) continue;
    if (work.deadlineMs - work.ports.clock.monotonicMs() < MARGIN_MS) return;
    const followers = heads.slice(index + 1).filter((later) => later.orderKey === head.orderKey);
    const progress = await carryOut(work, head, followers);
    if (progress !== 'done') blocked.add(head.orderKey);
    if (progress === 'away') away.add(head.side);
  }
}

async function carryOut(work: Work, head: ForwardHead, followers: readonly ForwardHead[]): Promise<Progress> {
  const { ports, state, done } = work;
  if (isMoot(head, followers, keysKnown(work))) return putAside(work, head);
  const nowMs = ports.realNow();
  const step = nextStep(head, state, work.writesOn, nowMs);
  if (step === 'wait') return 'blocked';
  if (step === 'settle') {
    const before = await beforeAsking(work, head);
    if (before !== 'ask') return before;
  }
  const by = ports.ids.next();
  const claimed = await claim(work, head, by);
  if (!claimed) return 'blocked';
  if (step === 'drop') {
    done.dropped += 1;
    ports.log.event('forward_dropped', { cutover: head.cutover, side: head.side, stage: state.stage });
    return finish(work, head, by);
  }
  if (claimed.status !== 'ready') {
    const asked = await ask(work, claimed, by);
    if (asked !== 'known') return asked;
  }
  return send(work, claimed, by, followers);
}

function claim({ ports }: Work, { cutover, id }: ForwardHead, by: string): Promise<Forward | null> {
  const nowMs = ports.realNow();
  return ports.attempts.claim(cutover, id, { by, nowMs, untilMs: nowMs + CLAIM_MS });
}

const finish = async ({ ports }: Work, { cutover, id }: ForwardHead, by: string): Promise<Progress> =>
  (await ports.attempts.finish(cutover, id, by)) ? 'done' : 'blocked';

/** Later writes have said all there is to know of it. */
async function putAside(work: Work, head: ForwardHead): Promise<Progress> {
  const { ports } = work;
  const by = ports.ids.next();
  if (head.status === 'quarantined') {
    if (!(await ports.forwards.discard(head.cutover, head.id))) return 'blocked';
  } else if (!(await claim(work, head, by)) || (await finish(work, head, by)) !== 'done') return 'blocked';
  return superseded(work, head);
}

function superseded({ ports, done }: Work, head: ForwardHead): Progress {
  done.dropped += 1;
  ports.log.event('forward_superseded', { cutover: head.cutover, side: head.side });
  return 'done';
}

/** What is in doubt is asked about only where no later write answers for it, and none could be undone. */
async function beforeAsking(work: Work, head: ForwardHead): Promise<'ask' | Progress> {
  const { ports } = work;
  // As they are now: much may have been written since the list was made.
  const later = (await ports.forwards.open(head.cutover, head.orderKey)).filter(({ id }) => id > head.id);
  const step = stepInDoubt(head, later, keysKnown(work), ports.realNow());
  if (step.kind === 'moot') return putAside(work, head);
  if (mayRepeat(work, head)) {
    if (step.kind === 'ask') return 'ask';
    if (step.kind === 'first') return askFirst(work, step.last);
    if (step.kind === 'wait' || (step.kind === 'expect' && hasAuthority(work, head))) return 'blocked';
  }
  const by = ports.ids.next();
  const claimed = await claim(work, head, by);
  if (!claimed) return 'blocked';
  return quarantine(work, claimed, by, {
    code: 'outcome_unknown',
    text: `whether the ${otherSide(head.side)} has it is not known, and it may not be repeated`,
  });
}

/** Where a later one is known to be had or refused, the earlier one is looked at again. */
async function askFirst(work: Work, last: ForwardHead): Promise<Progress> {
  const by = work.ports.ids.next();
  const claimed = await claim(work, last, by);
  if (!claimed) return 'blocked';
  const asked = await ask(work, claimed, by);
  if (asked === 'known') await work.ports.attempts.postpone(last.cutover, last.id, by, work.ports.realNow());
  return asked === 'away' ? 'away' : 'blocked';
}

const hasAuthority = ({ state }: Work, { side }: ForwardHead): boolean => otherSide(side) === authoritativeSide(state);

/** A side that lost its authority still says the truth of a key that it knows; writes to the other one wait meanwhile. */
const mayRepeat = (work: Work, forward: ForwardHead): boolean =>
  keysKnown(work) || (repeatable(work, forward) && hasAuthority(work, forward));

/** Asks the authoritative side again whether it has a write whose outcome is unknown. */
async function ask(work: Work, forward: Forward, by: string): Promise<'known' | Progress> {
  const { ports } = work;
  const source = otherSide(forward.side);
  const outcome = await deliver(work, forward, source, outcomeOfAsking);
  if (outcome.kind === 'applied') {
    return (await ports.attempts.known(forward.cutover, forward.id, by)) ? 'known' : 'blocked';
  }
  if (outcome.kind === 'refused') return finish(work, forward, by);
  const next = afterFailure(forward, outcome.kind, true, ports.realNow());
  // New writes of the resource wait for it, and a side without authority may never come back.
  if (next.kind === 'quarantine' || !hasAuthority(work, forward))
    return quarantine(work, forward, by, {
      code: 'outcome_unknown',
      text: `the ${source} ${outcome.text}, attempt ${forward.attempts}`,
    });
  await postpone(work, forward, by, next.atMs);
  return afterwards(outcome);
}

async function send(work: Work, forward: Forward, by: string, followers: readonly ForwardHead[]): Promise<Progress> {
  const { ports, done } = work;
  const outcome = await deliver(work, forward, forward.side, outcomeOfSending);
  if (outcome.kind === 'applied') {
    // Once this one is gone, nothing says any more what became of the others.
    if (keysKnown(work)) for (const same of sameInDoubt(forward, followers)) await putAside(work, same);
    // When this fails, or the process dies here, the forwarded write is sent again with the same key.
    const finished = await finish(work, forward, by);
    if (finished === 'done') done.applied += 1;
    return finished;
  }
  const next = afterFailure(forward, outcome.kind, repeatable(work, forward), ports.realNow());
  const isOver = next.kind === 'quarantine' && isReplaced(forward, followers);
  if (isOver || (outcome.kind === 'refused' && isRemoved(forward, followers)))
    return (await finish(work, forward, by)) === 'done' ? superseded(work, forward) : 'blocked';
  if (next.kind === 'quarantine') {
    const text = `the ${forward.side} ${outcome.text}, attempt ${forward.attempts}`;
    await quarantine(work, forward, by, { code: next.code, text });
  } else await postpone(work, forward, by, next.atMs);
  return afterwards(outcome);
}

/** @param outcomeOf what it means with its answer */
async function deliver(
  work: Work,
  forward: Forward,
  side: Side,
  outcomeOf: typeof outcomeOfSending,
): Promise<Delivered> {
  const { ports, declaration } = work;
  const deadlineMs = Math.min(ports.clock.monotonicMs() + CALL_MS, work.deadlineMs - MARGIN_MS / 2);
  const answer = await ports.deliver(declaration, side, forward, deadlineMs);
  if (answer === 'away') return { kind: 'away', text: 'could not be reached', answered: false };
  if (answer === 'unknown') return { kind: 'unknown', text: 'did not say whether it has it', answered: false };
  const { attempts, request } = forward;
  const attempt = { isService: declaration.kind === 'service', method: request.method, attempts };
  return { kind: outcomeOf(attempt, answer), text: `answered ${answer}`, answered: true };
}

/** A side that does not even answer is left alone until the next time, so that its silence costs one call a shard. */
const afterwards = (outcome: Delivered): Progress =>
  outcome.kind === 'away' || !outcome.answered ? 'away' : 'blocked';

async function postpone(work: Work, forward: Forward, by: string, atMs: number): Promise<void> {
  work.done.postponed += 1;
  await work.ports.attempts.postpone(forward.cutover, forward.id, by, atMs);
}

async function quarantine(
  work: Work,
  forward: Forward,
  by: string,
  { code, text }: { code: ForwardProblemCode; text: string },
): Promise<Progress> {
  const { ports } = work;
  work.done.quarantined += 1;
  ports.log.event('forward_quarantined', { cutover: forward.cutover, side: forward.side, code, why: text });
  await ports.attempts.quarantine(forward.cutover, forward.id, by, { code, text, atMs: ports.realNow() });
  return 'blocked';
}

/** A component's own handler gets the id of the forwarded write, and has promised to know it again. */
const keysKnown = ({ declaration }: Work): boolean =>
  declaration.kind !== 'service' || declaration.gateway.idempotencyKeys;

const repeatable = (work: Work, { request }: ForwardHead): boolean => isRepeatable(request.method, keysKnown(work));
