/**
 * Carries copies out: each key in order, different keys beside each other. A copy is claimed before it is sent, so that
 * two instances do not send it at once, and is gone when the other side has it. Whatever dies on the way, the copy is
 * still there, and its claim ends by itself.
 */

import { MINUTE_MS } from '../../core/base/units.ts';
import type { CutoverDeclaration, CutoverState, Side } from '../../core/cutover/cutover.ts';
import { writesShadow } from '../../core/cutover/switches.ts';
import {
  afterFailure,
  authoritativeSide,
  type CallOutcome,
  type Copy,
  type CopyHead,
  type CopyProblemCode,
  isRepeatable,
  isSuperseded,
  nextStep,
  otherSide,
  outcomeOfHandler,
  outcomeOfStatus,
  placeOfCopy,
} from '../../core/forwards/forward.ts';
import { emptyWindow } from '../../core/gates/evidence.ts';
import type { Ports } from '../../ports/ports.ts';

export type AppliedCopies = { applied: number; dropped: number; postponed: number; quarantined: number };

export type CopyPorts = Pick<
  Ports,
  'clock' | 'realNow' | 'ids' | 'state' | 'forwards' | 'attempts' | 'deliver' | 'windows' | 'log'
>;

/** Longest call of one side. Its claim lasts as long as two of them and what lies between. */
const CALL_MS = 10_000;
const CLAIM_MS = 2 * CALL_MS + 5_000;
/** Not begun with less time left. */
const MARGIN_MS = 2_000;

type Work = {
  ports: CopyPorts;
  declaration: CutoverDeclaration;
  state: CutoverState;
  writesOn: boolean;
  deadlineMs: number;
  done: AppliedCopies;
};

/** `done`: gone. `blocked`: its key has to wait. `away`: so has everything else for that side. */
type Progress = 'done' | 'blocked' | 'away';

type Delivered = { kind: CallOutcome; text: string; answered: boolean };

/**
 * Everything that is due, until nothing is or the time is nearly up.
 * @param only one key, for a write that must come after its copies
 */
export async function applyCopies(
  ports: CopyPorts,
  declaration: CutoverDeclaration,
  deadlineMs: number,
  only?: string,
): Promise<AppliedCopies> {
  const done = { applied: 0, dropped: 0, postponed: 0, quarantined: 0 };
  const [state, system, heads] = await Promise.all([
    ports.state.readCutover(declaration.id),
    ports.state.readSystem(),
    ports.forwards.open(declaration.id, only),
  ]);
  if (!state || heads.length === 0) return done;
  const work = { ports, declaration, state, writesOn: writesShadow(state, system), deadlineMs, done };
  const shards = new Map<number, CopyHead[]>();
  for (const head of heads) {
    const { shard } = placeOfCopy(head.id)!;
    shards.set(shard, [...(shards.get(shard) ?? []), head]);
  }
  await Promise.all([...shards.values()].map((shard) => applyInOrder(work, shard)));
  return done;
}

/** True when something waits that could be carried out now. */
export async function copiesAreDue(
  ports: Pick<Ports, 'forwards' | 'realNow' | 'state'>,
  { id }: CutoverDeclaration,
): Promise<boolean> {
  const heads = await ports.forwards.open(id);
  if (heads.length === 0) return false;
  const [state, system] = await Promise.all([ports.state.readCutover(id), ports.state.readSystem()]);
  const nowMs = ports.realNow();
  return state !== null && heads.some((head) => nextStep(head, state, writesShadow(state, system), nowMs) !== 'wait');
}

async function applyInOrder(work: Work, heads: readonly CopyHead[]): Promise<void> {
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

async function carryOut(work: Work, head: CopyHead, followers: readonly CopyHead[]): Promise<Progress> {
  const { ports, state, done } = work;
  const nowMs = ports.realNow();
  const step = nextStep(head, state, work.writesOn, nowMs);
  if (step === 'wait') return 'blocked';
  const by = ports.ids.next();
  const claimed = await ports.attempts.claim(head.cutover, head.id, { by, nowMs, untilMs: nowMs + CLAIM_MS });
  if (!claimed) return 'blocked';
  if (step === 'drop') {
    done.dropped += 1;
    ports.log.event('copy_dropped', { cutover: head.cutover, side: head.side, stage: state.stage });
    return (await ports.attempts.finish(head.cutover, head.id, by)) ? 'done' : 'blocked';
  }
  if (step === 'settle') {
    const settled = await settle(work, claimed, by, followers.length > 0);
    if (settled !== 'known') return settled;
  }
  return send(work, claimed, by, followers);
}

/** Asks the authoritative side again whether it has a write whose outcome is unknown. */
async function settle(work: Work, copy: Copy, by: string, hasFollowers: boolean): Promise<'known' | Progress> {
  const { ports, state } = work;
  const source = otherSide(copy.side);
  // Repeated after a later write it could undo that one; on a side that lost its authority it means nothing any more.
  const mayRepeat = repeatable(work, copy) && !hasFollowers && source === authoritativeSide(state);
  if (!mayRepeat)
    return quarantine(work, copy, by, {
      code: 'outcome_unknown',
      text: `whether the ${source} has it is not known, and it may not be repeated`,
    });
  const outcome = await deliver(work, copy, source);
  if (outcome.kind === 'applied') {
    return (await ports.attempts.known(copy.cutover, copy.id, by)) ? 'known' : 'blocked';
  }
  if (outcome.kind === 'refused') return (await ports.attempts.finish(copy.cutover, copy.id, by)) ? 'done' : 'blocked';
  const next = afterFailure(copy, outcome.kind, true, ports.realNow());
  if (next.kind === 'quarantine')
    return quarantine(work, copy, by, {
      code: 'outcome_unknown',
      text: `the ${source} ${outcome.text}, ${copy.attempts} times`,
    });
  await postpone(work, copy, by, next.atMs);
  return afterwards(outcome);
}

async function send(work: Work, copy: Copy, by: string, followers: readonly CopyHead[]): Promise<Progress> {
  const { ports, done } = work;
  const outcome = await deliver(work, copy, copy.side);
  if (outcome.kind === 'applied') {
    // When this fails, or the process dies here, the copy is sent again with the same key.
    const finished = await ports.attempts.finish(copy.cutover, copy.id, by);
    if (finished) done.applied += 1;
    return finished ? 'done' : 'blocked';
  }
  if (outcome.kind === 'refused' && isSuperseded(copy, followers)) {
    done.dropped += 1;
    ports.log.event('copy_superseded', { cutover: copy.cutover, side: copy.side });
    return (await ports.attempts.finish(copy.cutover, copy.id, by)) ? 'done' : 'blocked';
  }
  const next = afterFailure(copy, outcome.kind, repeatable(work, copy), ports.realNow());
  if (next.kind === 'quarantine') {
    const text = `the ${copy.side} ${outcome.text}, attempt ${copy.attempts}`;
    await quarantine(work, copy, by, { code: next.code, text });
  } else await postpone(work, copy, by, next.atMs);
  return afterwards(outcome);
}

async function deliver(work: Work, copy: Copy, side: Side): Promise<Delivered> {
  const { ports, declaration } = work;
  const deadlineMs = Math.min(ports.clock.monotonicMs() + CALL_MS, work.deadlineMs - MARGIN_MS / 2);
  const answer = await ports.deliver(declaration, side, copy, deadlineMs);
  if (answer === 'away') return { kind: 'away', text: 'could not be reached', answered: false };
  if (answer === 'unknown') return { kind: 'unknown', text: 'did not say whether it has it', answered: false };
  const outcomeOf = declaration.kind === 'service' ? outcomeOfStatus : outcomeOfHandler;
  return { kind: outcomeOf(answer), text: `answered ${answer}`, answered: true };
}

/** A side that does not even answer is left alone until the next time, so that its silence costs one call a shard. */
const afterwards = (outcome: Delivered): Progress =>
  outcome.kind === 'away' || !outcome.answered ? 'away' : 'blocked';

async function postpone(work: Work, copy: Copy, by: string, atMs: number): Promise<void> {
  work.done.postponed += 1;
  await work.ports.attempts.postpone(copy.cutover, copy.id, by, atMs);
}

async function quarantine(
  work: Work,
  copy: Copy,
  by: string,
  { code, text }: { code: CopyProblemCode; text: string },
): Promise<Progress> {
  const { ports } = work;
  work.done.quarantined += 1;
  ports.log.event('copy_quarantined', { cutover: copy.cutover, side: copy.side, code, why: text });
  await ports.attempts.quarantine(copy.cutover, copy.id, by, { code, text, atMs: ports.realNow() });
  await recordDivergence(ports, copy.cutover);
  return 'blocked';
}

/** One side has what the other has not: that is a difference like any other. */
async function recordDivergence(ports: CopyPorts, cutover: string): Promise<void> {
  const nowMs = ports.clock.now();
  const window = { ...emptyWindow(Math.floor(nowMs / MINUTE_MS), 'shadow' as const), checks: 1, mismatches: 1 };
  try {
    await ports.windows.add(ports.ids.next(), cutover, [{ cutover, operation: 'copy', window }], nowMs);
  } catch (error) {
    // The quarantine itself holds the stage.
    ports.log.failure('checks_not_recorded', error, { cutover });
  }
}

function repeatable({ declaration }: Work, copy: Copy): boolean {
  // A component's own handler gets the copy's id, and has promised to know it again.
  return declaration.kind !== 'service' || isRepeatable(copy.request.method, declaration.gateway.idempotencyKeys);
}
