/**
 * L0: breadth-first search of the real `decide` and `evolve`. Two ticks and one operator read and write one state, each
 * write on condition of the version it was based on; a publisher brings the flags to what the state says, and a reader
 * takes them whenever it likes. Checked in every reachable state: I17 and I19 on each write, I18, I29 on the flags in use.
 *
 * What a version is called does not matter to the machine, only whether it is the newest: a snapshot is "fresh" or
 * "stale", which makes the search finite. A stale snapshot is remembered with its content only where the condition on
 * the version is switched off, since otherwise its write is refused whatever it holds.
 */

import { describe, expect, it } from 'vitest';
import { type CutoverState, initialState } from '../../lib/core/cutover/cutover.ts';
import { isPromoted, syncsShadow } from '../../lib/core/cutover/stage-kinds.ts';
import { cutoverFlag } from '../../lib/core/routing/flags.ts';
import { decide } from '../../lib/core/stage/decide.ts';
import type { Command, Observation } from '../../lib/core/stage/events.ts';
import { evolve } from '../../lib/core/stage/evolve.ts';
import { declarationOf, NOW, PLAN, systemOf, verdictOf } from './samples.ts';

type Flags = { stage: string; epoch: number; version: number; readPpm: number };
type World = {
  state: CutoverState;
  stopped: boolean;
  /** What each actor has read and not yet acted upon. */
  snapshots: readonly (CutoverState | null)[];
  deployed: Flags;
  reader: Flags;
};
type Actor = 'tick' | 'operator';
type Rules = {
  /** A write is refused unless the version is the one it was based on. */
  versionCondition: boolean;
  /** Advancing waits until the flags of the stage are deployed and every reader has had the time to take them. */
  flagsCondition: boolean;
  decide: typeof decide;
};

const RULES: Rules = { versionCondition: true, flagsCondition: true, decide };
const ACTORS: readonly Actor[] = ['tick', 'tick', 'operator'];
const DECLARATION = declarationOf('table');
const ORDER = ['disabled', 'dual_write', 'r1', 'r2', 'full_100', 'completed', 'cleaned'];

const flagsOf = (state: CutoverState, stopped: boolean): Flags => {
  const flag = cutoverFlag(DECLARATION, state, systemOf({ emergencyStop: stopped }));
  return { stage: flag.stage, epoch: flag.epoch, version: flag.version, readPpm: flag.read_ppm };
};

/** Everything an actor may ask for on what it has read. Evidence is there only if the flags are. */
function* inputs(actor: Actor, world: World, seen: CutoverState, rules: Rules): Generator<Command | Observation> {
  const used = world.deployed.version === seen.version && world.reader.version === seen.version;
  const good = used || !rules.flagsCondition;
  if (actor === 'tick') {
    const auto = { autoAdvance: true, autoRollback: true };
    if (good) yield { type: 'tick', verdict: verdictOf('advance'), ...auto };
    yield { type: 'tick', verdict: verdictOf('rollback'), ...auto };
    if (seen.pending) {
      yield { type: 'carried_out', epoch: seen.pending.epoch };
      yield { type: 'given_up', epoch: seen.pending.epoch, why: 'locked' };
    }
    return;
  }
  const verdict = good ? verdictOf('advance') : verdictOf('hold');
  yield { type: 'start', plan: PLAN };
  yield { type: 'advance', force: false, verdict };
  yield { type: 'rollback', reason: 'r', cause: 'operator' };
  yield { type: 'reads', to: 'primary', reason: 'r', unready: [] };
  yield { type: 'reads', to: 'shadow', reason: 'r', unready: [] };
  // The flow lets writes go off once the flags of the version are deployed; a reader may be behind for a moment, as in any lag.
  if (used || !rules.flagsCondition) yield { type: 'shadow-writes', enabled: false, reason: 'r' };
  yield { type: 'shadow-writes', enabled: true, reason: 'r' };
  yield { type: 'complete', confirm: 'customer', force: false, verdict };
  // The machine itself lets `cleanup` follow `complete` at once; the person who types it is assumed to look first.
  if (used) yield { type: 'cleanup', confirm: 'customer' };
  yield { type: 'reset', confirm: 'customer' };
}

/** Every world that one step of anybody leads to. */
function* successors(world: World, rules: Rules): Generator<World> {
  for (const [i, actor] of ACTORS.entries()) {
    const seen = world.snapshots[i] ?? null;
    if (!seen) {
      yield { ...world, snapshots: world.snapshots.with(i, world.state) };
      continue;
    }
    const idle = { ...world, snapshots: world.snapshots.with(i, null) };
    yield idle;
    for (const input of inputs(actor, world, seen, rules)) {
      const decision = rules.decide(seen, input, { nowMs: NOW, actor, emergencyStop: world.stopped });
      if (decision.kind !== 'accepted') continue;
      if (rules.versionCondition && seen.version !== world.state.version) continue;
      const after = decision.events.reduce((state, event) => evolve(state, { event, atMs: NOW, actor }), seen);
      checkWrite(world.state, after);
      yield { ...idle, state: after };
    }
  }
  yield { ...world, stopped: !world.stopped };
  yield { ...world, deployed: flagsOf(world.state, world.stopped) };
  yield { ...world, reader: world.deployed };
}

class Violation extends Error {}

/** I17, I18, I19: what one accepted write may do to what was stored. */
function checkWrite(before: CutoverState, after: CutoverState): void {
  if (after.version !== before.version + 1)
    throw new Violation(`I18: version ${before.version} became ${after.version}`);
  if (after.epoch < before.epoch || after.epoch > before.epoch + 1)
    throw new Violation(`I19: epoch ${before.epoch} became ${after.epoch}`);
  const moved = `${before.stage} → ${after.stage}`;
  const next = ORDER.indexOf(after.stage) === ORDER.indexOf(before.stage) + 1 && ORDER.includes(before.stage);
  const back = after.stage === 'rolled_back' && !['disabled', 'cleaned'].includes(before.stage);
  const reset = moved === 'rolled_back → disabled';
  if (before.stage !== after.stage && !next && !back && !reset) throw new Violation(`I17: ${moved}`);
  if (before.stageKind === 'completed' && after.stageKind === 'rolled_back' && !before.pending)
    throw new Violation('I17: a promoted table was rolled back without its intent');
}

/** I29: what the fleet acts on is one stage, two neighbours, or one and what a rollback or stop led to. */
function checkInUse({ state, reader, deployed }: World): void {
  if (deployed.version < reader.version) throw new Violation('I28: older flags were deployed');
  const neighbours = Math.abs(ORDER.indexOf(reader.stage) - ORDER.indexOf(deployed.stage)) <= 1;
  const known = ORDER.includes(reader.stage) && ORDER.includes(deployed.stage);
  const rolledBack = deployed.epoch > reader.epoch && deployed.readPpm === 0;
  const nobodyReads = reader.readPpm === 0 && deployed.readPpm === 0;
  if (!(known && neighbours) && !rolledBack && !nobodyReads)
    throw new Violation(`I29: ${reader.stage} and ${deployed.stage} in use`);
  const written = state.switches.shadowWrites || isPromoted(state) || !syncsShadow(state);
  if (!written && Math.max(reader.readPpm, deployed.readPpm) > 0)
    throw new Violation(`a shadow is read that is not written, in ${state.stage}`);
}

/** Two worlds with the same key have the same future. */
function keyOf({ state, stopped, snapshots, deployed, reader }: World, rules: Rules): string {
  const content = ({ stage, pending, switches }: CutoverState) =>
    `${stage}/${pending?.action ?? ''}${pending?.withdrawn ? ' withdrawn' : ''}/${switches.shadowReads}${switches.shadowWrites}`;
  const held = snapshots.map((seen) => {
    if (!seen) return '-';
    const fresh = seen.version === state.version;
    return rules.versionCondition ? (fresh ? 'fresh' : 'stale') : `${content(seen)}${state.version - seen.version}`;
  });
  const ticks = held.slice(0, 2).sort();
  const lag = (older: number, newer: number) => Math.min(newer - older, 2);
  return [
    content(state),
    stopped,
    ...ticks,
    held[2],
    deployed.stage,
    deployed.readPpm,
    lag(deployed.version, state.version) > 0,
    lag(deployed.epoch, state.epoch),
    reader.stage,
    reader.readPpm,
    lag(reader.version, deployed.version) > 0,
    lag(reader.epoch, deployed.epoch),
  ].join(' ');
}

function search(rules: Rules, limit = 1_000_000): { worlds: number; stages: Set<string> } {
  const state = initialState(DECLARATION);
  const flags = flagsOf(state, false);
  const first: World = { state, stopped: false, snapshots: [null, null, null], deployed: flags, reader: flags };
  const seen = new Set([keyOf(first, rules)]);
  const stages = new Set<string>();
  let frontier = [first];
  while (frontier.length > 0) {
    const next: World[] = [];
    for (const world of frontier) {
      checkInUse(world);
      stages.add(world.state.stage);
      for (const successor of successors(world, rules)) {
        const key = keyOf(successor, rules);
        if (seen.has(key)) continue;
        seen.add(key);
        next.push(successor);
      }
    }
    if (seen.size > limit) throw new Error(`more than ${limit} worlds`);
    frontier = next;
  }
  return { worlds: seen.size, stages };
}

describe('I17, I18, I19, I29 in every interleaving of two ticks, an operator, a publisher and a reader', () => {
  it('hold in all reachable worlds, which contain every stage', () => {
    const { worlds, stages } = search(RULES);
    expect([...stages].sort()).toEqual([...ORDER, 'rolled_back'].sort());
    expect(worlds).toBeGreaterThan(5_000);
  });

  it('negative control: without the condition on the version two writers both succeed', () => {
    expect(() => search({ ...RULES, versionCondition: false })).toThrow(/I18/);
  });

  it('negative control: advancing before the flags are deployed puts three stages into use', () => {
    expect(() => search({ ...RULES, flagsCondition: false })).toThrow(/I29/);
  });

  it('negative control: a machine that skips a stage is caught', () => {
    const skipping: typeof decide = (state, input, context) => {
      const decision = decide(state, input, context);
      if (decision.kind !== 'accepted' || decision.events[0]?.type !== 'advanced') return decision;
      return { ...decision, events: [{ ...decision.events[0], to: 'full_100' }] };
    };
    expect(() => search({ ...RULES, decide: skipping })).toThrow(/I17/);
  });

  it('negative control: writes that go off under readers are caught', () => {
    const careless: typeof decide = (state, input, context) => {
      const blind =
        input.type === 'shadow-writes' ? { ...state, switches: { ...state.switches, shadowReads: false } } : state;
      return decide(blind, input, context);
    };
    expect(() => search({ ...RULES, decide: careless })).toThrow(/not written/);
  });

  it('negative control: a machine that moves on while an intent is pending is caught', () => {
    const hasty: typeof decide = (state, input, context) =>
      decide({ ...state, pending: null, kind: 'component' }, input, context);
    expect(() => search({ ...RULES, decide: hasty })).toThrow(/I17/);
  });
});
