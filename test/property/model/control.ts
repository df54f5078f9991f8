/**
 * What decides: ticks, and a person. The decisions are those of the product (`decide`, `evolve`, the flags and their age); around them
 * stands what flows/control does between two calls, and what the functions of the database answer.
 *
 *   tick   read ─→ act in the database for a pending intent ─→ write on condition of the version
 *               ─→ read again ─→ lower reads ─→ capture and mirror ─→ flags ─→ take away what is not needed
 */

import type { CutoverState } from '../../../lib/core/cutover/cutover.ts';
import { isUnderWay, syncsShadow } from '../../../lib/core/cutover/stage-kinds.ts';
import { compareFlagAge } from '../../../lib/core/routing/flags.ts';
import { decide } from '../../../lib/core/stage/decide.ts';
import { type Command, type Observation, TICK } from '../../../lib/core/stage/events.ts';
import { record } from '../../../lib/core/stage/evolve.ts';
import { NOW, verdictOf } from '../samples.ts';
import type { Step } from './explore.ts';
import { drained } from './rows.ts';
import type { Rules } from './rules.ts';
import { type Bounds, DECLARATION, flagsOf, type Tick, type World } from './world.ts';

type Input = Command | Observation;

export function* controlSteps(world: World, bounds: Bounds, rules: Rules): Generator<Step<World>> {
  yield* personSteps(world, bounds, rules);
  for (const [index, tick] of world.ticks.entries()) yield* tickSteps(world, { index, tick, bounds, rules });
}

/** Gates, as far as this world has what they look at: table-conditions.ts, data-conditions.ts. */
function proofOf(world: World, rules: Rules): boolean {
  if (!rules.proof) return true;
  const { state, deployed, mirror } = world;
  return (
    world.copy === 'done' &&
    !world.hints &&
    world.appliers.every((applier) => !applier?.hints) &&
    world.capture === 'forward' &&
    mirror.epoch === state.epoch &&
    compareFlagAge(deployed, state) === 0
  );
}

type Recorded = ReturnType<typeof record>;
const known = new WeakMap<CutoverState, Map<string, Recorded | null>>();

/** What a state becomes with the entries that say so, or null where the stage machine lets it be. */
function decided(seen: CutoverState, input: Input, actor: string): Recorded | null {
  const answers = known.get(seen) ?? new Map<string, Recorded | null>();
  known.set(seen, answers);
  const question = `${actor} ${input.type} ${'verdict' in input && input.verdict?.verdict} ${'cause' in input && input.cause}`;
  const answer = answers.get(question);
  if (answer !== undefined) return answer;
  const decision = decide(seen, input, { nowMs: NOW, actor, emergencyStop: false });
  const made = decision.kind === 'accepted' ? record(seen, decision.events, { nowMs: NOW, actor }) : null;
  answers.set(question, made);
  return made;
}

/** state-transaction.ts: the state, on condition of its version, and the entries, on condition that their place is free. */
function write(world: World, seen: CutoverState, { state, entries }: Recorded, rules: Rules): World | null {
  if (rules.versionCondition && seen.version !== world.state.version) return null;
  return { ...world, state, log: [...world.log, ...entries] };
}

const place = ({ stage, pending }: CutoverState) =>
  `${stage}${pending ? `, ${pending.withdrawn ? `${pending.action} withdrawn` : `${pending.action} pending`}` : ''}`;
const shown = (state: CutoverState) => `${place(state)} (version ${state.version}, epoch ${state.epoch})`;

/** Reads and writes in one step: how commands race with ticks and with each other is what stage-model.test.ts is about. */
function* personSteps(world: World, bounds: Bounds, rules: Rules): Generator<Step<World>> {
  const { state } = world;
  const confirm = DECLARATION.id;
  const verdict = verdictOf(proofOf(world, rules) ? 'advance' : 'hold');
  const cleanup: Command = { type: 'cleanup', confirm };
  const onward: Command[] = [
    { type: 'start', plan: DECLARATION.plan },
    { type: 'complete', confirm, force: false, verdict },
    ...(!rules.flagsBeforeCleanup || compareFlagAge(world.deployed, state) === 0 ? [cleanup] : []),
  ];
  const back: Command[] = [{ type: 'rollback', reason: 'r', cause: 'operator' }];
  if (bounds.stops && isUnderWay(state)) back.push({ type: 'rollback', reason: 'r', cause: 'emergency' });
  for (const command of [...(world.asked < bounds.asks ? onward : []), ...back]) {
    const next = decided(state, command, 'ada');
    const to = next && write(world, state, next, rules);
    const asked = world.asked + (command.type === 'rollback' ? 0 : 1);
    const what = 'cause' in command && command.cause === 'emergency' ? 'stops everything' : `asks to ${command.type}`;
    if (to) yield { does: `ada ${what}: ${shown(to.state)}`, to: { ...to, asked } };
  }
}

type Ticking = { index: number; tick: Tick | null; bounds: Bounds; rules: Rules };

function* tickSteps(world: World, ticking: Ticking): Generator<Step<World>> {
  const { index, tick } = ticking;
  const name = `tick ${index + 1}`;
  const put = (next: Tick | null, rest: Partial<World> = {}): World => ({
    ...world,
    ...rest,
    ticks: world.ticks.with(index, next),
  });
  if (tick === null) {
    const free = world.ticks.indexOf(null) === index;
    if (free && world.state.version > 0)
      yield { does: `${name} reads ${shown(world.state)}`, to: put({ at: 'read', seen: world.state, outcome: null }) };
    return;
  }
  yield { does: `${name} dies`, to: put(null) };
  for (const { does, to } of nextOf(world, ticking, tick)) {
    // What a tick reads again it reads as it stands then.
    const fresh =
      to.tick && to.tick.at === 'lower'
        ? { ...to.tick, seen: (to.rest.state ?? world.state) as CutoverState }
        : to.tick;
    yield { does: `${name} ${does}`, to: put(fresh, to.rest) };
  }
}

type Next = { does: string; to: { tick: Tick | null; rest: Partial<World> } };

function* nextOf(world: World, { bounds, rules }: Ticking, tick: Tick): Generator<Next> {
  const { at, seen } = tick;
  const reconciles: Tick = { at: 'lower', seen, outcome: null };
  const goOn = (does: string, next: Tick | null, rest: Partial<World> = {}): Next => ({
    does,
    to: { tick: next, rest },
  });
  const settled = (input: Input): Next => {
    const next = decided(seen, input, TICK);
    if (next === null) return goOn('decides nothing', reconciles);
    const to = write(world, seen, next, rules);
    if (to === null) return goOn('writes nothing: the version has moved', reconciles);
    return goOn(`writes ${shown(to.state)}`, reconciles, { state: to.state, log: to.log });
  };
  if (at === 'read' && seen.pending) return yield* actOn(world, { bounds, rules }, tick);
  if (at === 'read') {
    const proof = proofOf(world, rules);
    const auto = { autoAdvance: true, autoRollback: true };
    return yield settled({ type: 'tick', verdict: verdictOf(proof ? 'advance' : 'hold'), ...auto });
  }
  if (at === 'acted') {
    const { epoch } = seen.pending!;
    const seenDone: Observation =
      tick.outcome === 'carried_out' ? { type: 'carried_out', epoch } : { type: 'given_up', epoch, why: 'late' };
    return yield settled(seenDone);
  }
  yield* reconcile(world, rules, tick, goOn);
}

/** flows/control/reconcile.ts, for one table. A step that has nothing to do is left out. */
function* reconcile(
  world: World,
  rules: Rules,
  { at, seen }: Tick,
  goOn: (does: string, next: Tick | null, rest?: Partial<World>) => Next,
): Generator<Next> {
  const wanted = flagsOf(seen);
  const mayPublish = !rules.newerFlagsStay || compareFlagAge(world.deployed, wanted) <= 0;
  const isNew = compareFlagAge(world.deployed, wanted) !== 0;
  const on = syncsShadow(seen);
  const away = (): Next => {
    const outrun = rules.newerMirrorStays && compareFlagAge(world.mirror, seen) > 0;
    if (outrun) return goOn('leaves the database to a newer state', null);
    const actedLate = world.actedLate || compareFlagAge(world.mirror, seen) > 0;
    const rest = { capture: 'none', hints: false, mirror: ageOf(seen), actedLate } as const;
    return goOn('takes capture away', null, rest);
  };
  if (at === 'lower' && !on && !rules.readsLeaveFirst) {
    if (isFree(world)) yield { ...away(), to: { ...away().to, tick: { at: 'publish', seen, outcome: null } } };
    return;
  }
  if (at === 'lower' && wanted.readPpm < world.deployed.readPpm && mayPublish) {
    yield goOn('deploys flags without reads of the shadow', { at: 'arm', seen, outcome: null }, { deployed: wanted });
    return;
  }
  if (at === 'lower' || at === 'arm') {
    const publish: Tick = { at: 'publish', seen, outcome: null };
    if (!on) return yield* reconcile(world, rules, publish, goOn);
    if (rules.newerMirrorStays && compareFlagAge(world.mirror, seen) > 0)
      yield goOn('leaves the database to a newer state', publish);
    else if (seen.stageKind !== 'completed' && world.capture !== 'forward') {
      if (isFree(world))
        yield goOn('arms capture', publish, {
          capture: 'forward',
          mirror: ageOf(seen),
          actedLate: world.actedLate || compareFlagAge(world.mirror, seen) > 0,
        });
    } else if (compareFlagAge(world.mirror, seen) !== 0) {
      const actedLate = world.actedLate || compareFlagAge(world.mirror, seen) > 0;
      if (isFree(world)) yield goOn('brings the mirror row to the state', publish, { mirror: ageOf(seen), actedLate });
    } else yield* reconcile(world, rules, publish, goOn);
    return;
  }
  const next: Tick | null = on ? null : { at: 'disarm', seen, outcome: null };
  if (at === 'publish') {
    if (!mayPublish) yield goOn('leaves the flags to a newer state', null);
    else if (isNew) yield goOn(`deploys the flags of ${shown(seen)}`, next, { deployed: wanted });
    else if (next) yield* reconcile(world, rules, next, goOn);
    else yield goOn('finds all as it should be', null);
    return;
  }
  if (isFree(world)) yield away();
}

const ageOf = ({ epoch, version }: CutoverState) => ({ epoch, version });

/** The lock of the cutover and those of the tables: no transaction of the application, of an applier or of the copy is open. */
const isFree = (world: World): boolean =>
  world.writer === null &&
  world.copy !== 'read' &&
  world.appliers.every((applier) => applier === null || applier.at === 'called');

/** carry-out.ts, with the functions of the database that it calls. */
function* actOn(world: World, { bounds, rules }: Pick<Ticking, 'bounds' | 'rules'>, tick: Tick): Generator<Next> {
  const { seen } = tick;
  const { action, epoch, withdrawn } = seen.pending!;
  const version = seen.version + 1;
  const acted = (outcome: Tick['outcome']): Tick => ({ ...tick, at: 'acted', outcome });
  const giveUp = (counts: number): Next[] => {
    const givenUp = world.givenUp + counts;
    if (!rules.givenUpInDatabase)
      return [{ does: 'gives up, unasked', to: { tick: acted('given_up'), rest: { givenUp } } }];
    if (!isFree(world)) return [];
    if (world.mirror.epoch >= epoch)
      return [{ does: `finds the ${action} done`, to: { tick: acted('carried_out'), rest: { givenUp } } }];
    const abandoned = Math.max(world.abandoned, version);
    return [
      { does: `gives the ${action} up in the database`, to: { tick: acted('given_up'), rest: { givenUp, abandoned } } },
    ];
  };
  if (withdrawn) return yield* giveUp(0);
  if (world.givenUp < bounds.giveUps) yield* giveUp(1);
  const done = { tick: acted('carried_out'), rest: {} };
  if (world.mirror.epoch === epoch) return yield { does: `finds the ${action} done already`, to: done };
  // Refused by the database: its epoch is over, it was given up, or rows are missing.
  const refused = world.mirror.epoch !== seen.epoch || version <= world.abandoned;
  if (refused || (action === 'promote' && world.copy !== 'done')) return yield* giveUp(0);
  const { readPpm, epoch: deployedEpoch } = world.deployed;
  if (rules.flagsBeforeSwapBack && action === 'revert' && deployedEpoch < seen.epoch && readPpm > 0) {
    yield { does: 'waits for the flags', to: { tick: { at: 'lower', seen, outcome: null }, rest: {} } };
    return;
  }
  if (rules.swapWaits ? !isFree(world) : world.writer !== null) return;
  const rows = rules.drain ? drained(world) : { hints: false };
  const mirror = { epoch, version };
  const capture = action === 'promote' && rules.reverseCapture ? 'reverse' : 'none';
  const rest: Partial<World> =
    action === 'cleanup'
      ? { dropped: true, capture, hints: false, mirror }
      : { ...rows, promoted: action === 'promote', capture, mirror };
  yield { does: `carries the ${action} out in the database, epoch ${epoch}`, to: { tick: acted('carried_out'), rest } };
}
