/**
 * A cutover of one row, as small as it can be while everything that races is still in it: an application that writes, the copy, two
 * appliers, two ticks, a person, a database with two tables, an outbox and a mirror row, the stored state and the deployed flags.
 * Every process may die between any two of its steps.
 */

import { type CutoverState, INITIAL_SYSTEM, initialState } from '../../../lib/core/cutover/cutover.ts';
import { makePlan } from '../../../lib/core/cutover/plan.ts';
import { cutoverFlag } from '../../../lib/core/routing/flags.ts';
import type { AuditEntry } from '../../../lib/core/stage/audit.ts';
import type { Event } from '../../../lib/core/stage/events.ts';
import { declarationOf } from '../samples.ts';

/** What a table has under the key. 0: no row. 1: the row from before the cutover. n: what write n has put. */
export type Row = number;
export type Direction = 'forward' | 'reverse';
type Age = { epoch: number; version: number };
export type Flags = Age & { stage: string; readPpm: number; promoted: boolean };

/**
 * An applier: it has been called for an epoch, has claimed the hints, has locked the key and read the source. `hints`: it holds some.
 */
export type Applier = {
  at: 'called' | 'claimed' | 'read';
  epoch: number;
  direction: Direction;
  hints: boolean;
  row: Row;
};

/** A tick: it has read the state, has acted in the database, and then makes flags and database agree with a state that it read. */
export type Tick = {
  at: 'read' | 'acted' | 'lower' | 'arm' | 'publish' | 'disarm';
  seen: CutoverState;
  outcome: 'carried_out' | 'given_up' | null;
};

export type World = {
  /** The table that was there first, and the new one. `promoted`: their names are exchanged, and the new one is written. */
  old: Row;
  fresh: Row;
  promoted: boolean;
  /** The old table was dropped. */
  dropped: boolean;
  capture: Direction | 'none';
  mirror: Age;
  /** The version of the newest intent that was given up in the database. */
  abandoned: number;
  /** Hints that nobody has claimed. */
  hints: boolean;
  copy: 'none' | 'read' | 'copied' | 'done';
  copied: Row;

  /** The application: what it has written and not committed, and whether capture has left a hint beside it. */
  writer: { row: Row; hint: boolean } | null;
  writes: number;
  /** Numbers of the last write that was committed, and that was acknowledged. */
  committed: number;
  acknowledged: number;
  /** What the last committed write left. */
  truth: Row;

  appliers: readonly (Applier | null)[];
  ticks: readonly (Tick | null)[];

  state: CutoverState;
  /** The audit log. */
  log: readonly AuditEntry<Event>[];
  deployed: Flags;
  /** Somebody acted in the database for an epoch that was over. */
  actedLate: boolean;
  /** What the bounds count. */
  asked: number;
  givenUp: number;
};

export type Bounds = {
  appliers: number;
  ticks: number;
  writes: number;
  /** Commands that go on: start, complete, cleanup. Rollbacks are not counted. */
  asks: number;
  /** Intents that are given up because they take too long. */
  giveUps: number;
  /** Whether everything may be stopped. */
  stops: boolean;
};

export const DECLARATION = declarationOf('table', { plan: makePlan('one', [['full_100', 100]]) });

const flags = new WeakMap<CutoverState, Flags>();
export function flagsOf(state: CutoverState): Flags {
  const known = flags.get(state);
  if (known) return known;
  const flag = cutoverFlag(DECLARATION, state, INITIAL_SYSTEM);
  const { stage, epoch, version, read_ppm: readPpm, shadow_is_primary: promoted } = flag;
  const made = { stage, epoch, version, readPpm, promoted };
  flags.set(state, made);
  return made;
}

export function firstWorld({ appliers, ticks }: Bounds): World {
  const state = initialState(DECLARATION);
  return {
    old: 1,
    fresh: 0,
    promoted: false,
    dropped: false,
    capture: 'none',
    mirror: { epoch: 0, version: 0 },
    abandoned: 0,
    hints: false,
    copy: 'none',
    copied: 0,
    writer: null,
    writes: 1,
    committed: 1,
    acknowledged: 1,
    truth: 1,
    appliers: Array.from({ length: appliers }, () => null),
    ticks: Array.from({ length: ticks }, () => null),
    state,
    log: [],
    deployed: flagsOf(state),
    actedLate: false,
    asked: 0,
    givenUp: 0,
  };
}

/** The table that the application writes. */
export const written = ({ promoted, fresh, old }: Pick<World, 'promoted' | 'fresh' | 'old'>): Row =>
  promoted ? fresh : old;

const pendingKey = ({ pending }: CutoverState) =>
  pending ? `${pending.action}${pending.epoch}${pending.withdrawn?.cause ?? ''}` : '';
const stateKey = (state: CutoverState) =>
  `${state.version}/${state.epoch}${state.stage}${pendingKey(state)}${state.switches.shadowReads ? '' : 'p'}`;

/** Appliers are alike, and so are ticks: who does which is no difference. */
export function keyOf(world: World): string {
  const appliers = world.appliers.map((a) => (a ? `${a.at}${a.epoch}${a.direction}${a.hints}${a.row}` : '')).sort();
  const ticks = world.ticks.map((t) => (t ? `${t.at}${stateKey(t.seen)}${t.outcome ?? ''}` : '')).sort();
  const { mirror, writer, deployed, log } = world;
  return [
    `${world.old},${world.fresh},${+world.promoted}${+world.dropped}${world.capture}`,
    `${mirror.epoch},${mirror.version},${world.abandoned},${+world.hints}${world.copy}${world.copied}`,
    `${writer ? `${writer.row}${+writer.hint}` : ''},${world.writes},${world.acknowledged > world.committed},${world.truth}`,
    appliers.join('+'),
    ticks.join('+'),
    stateKey(world.state),
    `${log.length}${+world.actedLate}`,
    `${deployed.epoch},${deployed.version},${deployed.readPpm}`,
    `${world.asked},${world.givenUp}`,
  ].join('|');
}
