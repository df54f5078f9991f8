/**
 * L0 of the whole life of a table: capture, copy, converge, promotion, the way back, cleanup, in every order in which an application,
 * the copy, appliers, ticks and a person can come to their next step, and die after it. Exhaustive within its bounds, which are printed
 * with the number of worlds. Wider ones, for minutes: CROSSFADE_MODEL=wide.
 *
 * Decisions, their events, flags and the age of flags are those of the product. What the database does is modelled in few lines, each
 * with the code that it stands for (model/rules.ts); integration/postgres/planted.test.ts breaks the same rules in real Postgres.
 */

import { describe, expect, it } from 'vitest';
import { syncsShadow } from '../../lib/core/cutover/stage-kinds.ts';
import { verifyChain } from '../../lib/core/stage/audit.ts';
import { conform } from '../../lib/core/stage/conform.ts';
import { controlSteps } from './model/control.ts';
import { EDGES, edgesOf } from './model/edges.ts';
import { type Explored, explore } from './model/explore.ts';
import { brokenIn } from './model/invariants.ts';
import { rowSteps } from './model/rows.ts';
import { RULES, type Rules } from './model/rules.ts';
import { type Bounds, firstWorld, keyOf, type World } from './model/world.ts';

const NARROW = { appliers: 1, ticks: 1, writes: 1, asks: 2, giveUps: 0, stops: false };
/** Each is wide in another place. */
const CI: Readonly<Record<string, Bounds>> = {
  'two appliers, two writes': { ...NARROW, appliers: 2, writes: 2 },
  'an intent given up, cleanup': { ...NARROW, appliers: 0, writes: 0, asks: 3, giveUps: 1, stops: true },
  'two ticks, a stop, a second try': { ...NARROW, appliers: 0, writes: 0, ticks: 2, asks: 3, stops: true },
};
const WIDE: Readonly<Record<string, Bounds>> = {
  'two appliers, two writes, an intent given up': {
    ...NARROW,
    appliers: 2,
    writes: 2,
    asks: 3,
    giveUps: 1,
    stops: true,
  },
  'two ticks, an applier, a write': { ...NARROW, ticks: 2, stops: true },
};

const exploreWithin = (bounds: Bounds, rules: Rules = RULES): Explored<World> =>
  explore<World>({
    first: firstWorld(bounds),
    keyOf,
    broken: brokenIn,
    *steps(world) {
      yield* rowSteps(world, bounds, rules);
      yield* controlSteps(world, bounds, rules);
    },
  });

const figures = (name: string, bounds: Bounds, { worlds, steps, depth, ms }: Explored<World>) =>
  `model: ${name}: ${worlds.length} worlds, ${steps} steps, the furthest after ${depth}, ${Math.round(ms)} ms, ${JSON.stringify(bounds)}`;
const lines = (trace: readonly string[]) =>
  trace.map((does, index) => `${String(index + 1).padStart(4)}. ${does}`).join('\n');

const scopes = Object.entries(process.env.CROSSFADE_MODEL === 'wide' ? WIDE : CI);
const explored = new Map<string, Explored<World>>();
function scope(name: string, bounds: Bounds): Explored<World> {
  const found = explored.get(name) ?? exploreWithin(bounds);
  explored.set(name, found);
  return found;
}

describe('I1, I2, I3, I6, I9, I13, I18, I19, I23, I41 in every order of steps', () => {
  it.each(scopes)('%s', (name, bounds) => {
    const found = scope(name, bounds);
    console.log(figures(name, bounds, found));
    expect(found.violation, lines(found.violation?.trace ?? [])).toBeNull();
    expect(new Set(found.worlds.map(({ state }) => state.stage))).toEqual(
      new Set([
        'disabled',
        'dual_write',
        'full_100',
        'completed',
        'rolled_back',
        ...(bounds.asks > 2 ? ['cleaned'] : []),
      ]),
    );
  });

  it.each(scopes)('a rollback can always still happen, until cleanup: %s', (name, bounds) => {
    const found = scope(name, bounds);
    const stuck = found
      .cannotReach(({ state, promoted }) => state.stage === 'rolled_back' && !promoted)
      .filter((number) => syncsShadow(found.worlds[number]!.state) && !found.worlds[number]!.dropped);
    expect(stuck.slice(0, 1).map((number) => lines(found.traceTo(number)))).toEqual([]);
  });

  it.each(scopes)('every audit log of them is whole, and is a run of the stage machine: %s', (name, bounds) => {
    const logs = new Map(scope(name, bounds).worlds.map(({ log }) => [log.at(-1)?.hash, log]));
    for (const log of logs.values()) {
      expect(verifyChain(log)).toEqual({ intact: true, entries: log.length });
      expect(conform(firstWorld(bounds).state, log)).toEqual({ conforms: true, entries: log.length });
    }
    expect(logs.size).toBeGreaterThan(5);
  });
});

/** What each rule is worth, and the smallest bounds within which that shows. */
const PLANTED: Readonly<Record<keyof typeof RULES, readonly [breaks: RegExp, bounds?: Partial<Bounds>]>> = {
  acknowledgedAfterCommit: [/^I1:/],
  keyLock: [/^I2/, { appliers: 2, writes: 2, asks: 1 }],
  hintsWithRows: [/^I2/],
  fence: [/^I9/],
  ghostSweep: [/^I2/],
  copyKeepsRows: [/^I2/],
  captureBeforeCopy: [/^I2/],
  swapWaits: [/^I1:/],
  drain: [/^I1:/],
  reverseCapture: [/^I13/],
  givenUpInDatabase: [/^I6/, { writes: 0, giveUps: 1 }],
  proof: [/^I41/],
  versionCondition: [/^I18/, { ticks: 2, writes: 0 }],
  readsLeaveFirst: [/^I41/, { writes: 0 }],
  flagsBeforeSwapBack: [/^I41/, { writes: 0 }],
  flagsBeforeCleanup: [/^I41/, { writes: 0, asks: 3 }],
  newerFlagsStay: [/^I41/, { ticks: 2, writes: 0 }],
  newerMirrorStays: [/^I9/, { ticks: 2, writes: 0 }],
};

describe('negative control: without one rule a promise is broken, and the fewest steps that do it are shown', () => {
  const rules = Object.keys(PLANTED) as (keyof typeof RULES)[];
  const without = new Map<string, Explored<World>['violation']>();
  const found = (rule: keyof typeof RULES) => {
    const known =
      without.get(rule) ?? exploreWithin({ ...NARROW, ...PLANTED[rule][1] }, { ...RULES, [rule]: false }).violation;
    without.set(rule, known);
    return known;
  };

  it.each(rules)('%s', (rule) => {
    expect(found(rule)?.what).toMatch(PLANTED[rule][0]);
  });

  it('fixtures/model-traces.txt shows them', async () => {
    const traces = rules.map((rule) => [rule, found(rule)] as const);
    const text = traces.map(
      ([rule, violation]) => `Without '${rule}':\n${lines(violation!.trace)}\n      ${violation!.what}\n`,
    );
    await expect(text.join('\n')).toMatchFileSnapshot('../fixtures/model-traces.txt');
  });
});

describe('the model and the product are one', () => {
  it('the model goes where edges.ts says; scenario/simulation.test.ts holds the random lives of the product against the same', () => {
    const logs = scopes.flatMap(([name, bounds]) => scope(name, bounds).worlds.map(({ log }) => log));
    expect([...edgesOf(logs, firstWorld(NARROW).state)].sort()).toEqual([...EDGES].sort());
  });
});
