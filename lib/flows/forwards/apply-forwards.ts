/**
 * Carries forwarded writes out: each key in order, different keys beside each other. Each is claimed before it is sent, so
 * that two instances do not send it at once, and is gone when the other side has it. Whatever dies on the way, the
 * forwarded write is still there, and its claim ends by itself.
 */

import { MINUTE_MS } from '../../core/base/units.ts';
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
  isSuperseded,
  nextStep,
  otherSide,
  outcomeOfHandler,
  outcomeOfStatus,
  placeOfForward,
} from '../../core/forwards/forward.ts';
import { emptyWindow } from '../../core/gates/minute-window.ts';
import type { Ports } from '../../ports/ports.ts';

export type AppliedForwards = { applied: number; dropped: number; postponed: number; quarantined: number };

export type ApplyPorts = Pick<
  Ports,
  'clock' | 'realNow' | 'ids' | 'state' | 'forwards' | 'attempts' | 'deliver' | 'windows' | 'log'
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
  const [state, system, heads] = await Promise.all([
    ports.state.readCutover(declaration.id),
    ports.state.readSystem(),
    ports.forwards.open(declaration.id, only),
  ]);
  if (!state || heads.length === 0) return done;
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
  const nowMs = ports.realNow();
  const step = nextStep(head, state, work.writesOn, nowMs);
  if (step === 'wait') return 'blocked';
  const by = ports.ids.next();
  const claimed = await ports.attempts.claim(head.cutover, head.id, { by, nowMs, untilMs: nowMs + CLAIM_MS });
  if (!claimed) return 'blocked';
  if (step === 'drop') {
    done.dropped += 1;
    ports.log.event('forward_dropped', { cutover: head.cutover, side: head.side, stage: state.stage });
    return (await ports.attempts.finish(head.cutover, head.id, by)) ? 'done' : 'blocked';
  }
  if (step === 'settle') {
    const settled = await settle(work, claimed, by, followers.length > 0);
    if (settled !== 'known') return settled;
  }
  return send(work, claimed, by, followers);
}

/** Asks the authoritative side again whether it has a write whose outcome is unknown. */
async function settle(work: Work, forward: Forward, by: string, hasFollowers: boolean): Promise<'known' | Progress> {
  const { ports, state } = work;
  const source = otherSide(forward.side);
  // Repeated after a later write it could undo that one; on a side that lost its authority it means nothing any more.
  const mayRepeat = repeatable(work, forward) && !hasFollowers && source === authoritativeSide(state);
  if (!mayRepeat)
    return quarantine(work, forward, by, {
      code: 'outcome_unknown',
      text: `whether the ${source} has it is not known, and it may not be repeated`,
    });
  const outcome = await deliver(work, forward, source);
  if (outcome.kind === 'applied') {
    return (await ports.attempts.known(forward.cutover, forward.id, by)) ? 'known' : 'blocked';
  }
  if (outcome.kind === 'refused')
    return (await ports.attempts.finish(forward.cutover, forward.id, by)) ? 'done' : 'blocked';
  const next = afterFailure(forward, outcome.kind, true, ports.realNow());
  if (next.kind === 'quarantine')
    return quarantine(work, forward, by, {
      code: 'outcome_unknown',
      text: `the ${source} ${outcome.text}, ${forward.attempts} times`,
    });
  await postpone(work, forward, by, next.atMs);
  return afterwards(outcome);
}

async function send(work: Work, forward: Forward, by: string, followers: readonly ForwardHead[]): Promise<Progress> {
  const { ports, done } = work;
  const outcome = await deliver(work, forward, forward.side);
  if (outcome.kind === 'applied') {
    // When this fails, or the process dies here, the forwarded write is sent again with the same key.
    const finished = await ports.attempts.finish(forward.cutover, forward.id, by);
    if (finished) done.applied += 1;
    return finished ? 'done' : 'blocked';
  }
  if (outcome.kind === 'refused' && isSuperseded(forward, followers)) {
    done.dropped += 1;
    ports.log.event('forward_superseded', { cutover: forward.cutover, side: forward.side });
    return (await ports.attempts.finish(forward.cutover, forward.id, by)) ? 'done' : 'blocked';
  }
  const next = afterFailure(forward, outcome.kind, repeatable(work, forward), ports.realNow());
  if (next.kind === 'quarantine') {
    const text = `the ${forward.side} ${outcome.text}, attempt ${forward.attempts}`;
    await quarantine(work, forward, by, { code: next.code, text });
  } else await postpone(work, forward, by, next.atMs);
  return afterwards(outcome);
}

async function deliver(work: Work, forward: Forward, side: Side): Promise<Delivered> {
  const { ports, declaration } = work;
  const deadlineMs = Math.min(ports.clock.monotonicMs() + CALL_MS, work.deadlineMs - MARGIN_MS / 2);
  const answer = await ports.deliver(declaration, side, forward, deadlineMs);
  if (answer === 'away') return { kind: 'away', text: 'could not be reached', answered: false };
  if (answer === 'unknown') return { kind: 'unknown', text: 'did not say whether it has it', answered: false };
  const outcomeOf = declaration.kind === 'service' ? outcomeOfStatus : outcomeOfHandler;
  return { kind: outcomeOf(answer), text: `answered ${answer}`, answered: true };
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
  await recordDivergence(ports, forward.cutover);
  return 'blocked';
}

/** One side has what the other has not: that is a difference like any other. */
async function recordDivergence(ports: ApplyPorts, cutover: string): Promise<void> {
  const nowMs = ports.clock.now();
  const window = { ...emptyWindow(Math.floor(nowMs / MINUTE_MS), 'shadow' as const), checks: 1, mismatches: 1 };
  try {
    await ports.windows.add(ports.ids.next(), cutover, [{ cutover, operation: 'copy', window }], nowMs);
  } catch (error) {
    // The quarantine itself holds the stage.
    ports.log.failure('checks_not_recorded', error, { cutover });
  }
}

function repeatable({ declaration }: Work, forward: Forward): boolean {
  // A component's own handler gets the id of the forwarded write, and has promised to know it again.
  return declaration.kind !== 'service' || isRepeatable(forward.request.method, declaration.gateway.idempotencyKeys);
}
