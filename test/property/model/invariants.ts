/** What must hold in every world; each with the number it has in test/README.md. */

import { GENESIS_HASH } from '../../../lib/core/cutover/cutover.ts';
import { isPromoted, syncsShadow } from '../../../lib/core/cutover/stage-kinds.ts';
import { decide } from '../../../lib/core/stage/decide.ts';
import { NOW } from '../samples.ts';
import { type World, written } from './world.ts';

type Entry = World['log'][number];
type Invariant = { what: string; holds(world: World): boolean };

const isQuiet = (world: World): boolean =>
  !world.hints && world.writer === null && world.copy === 'done' && world.appliers.every((applier) => applier === null);

const INVARIANTS: readonly Invariant[] = [
  {
    what: 'I1: an acknowledged write is lost',
    holds: (world) =>
      written(world) === world.truth && (world.writer !== null || world.acknowledged <= world.committed),
  },
  {
    what: 'I2, I3: the tables differ, though every hint is applied',
    holds: (world) => world.capture === 'none' || world.dropped || !isQuiet(world) || world.old === world.fresh,
  },
  {
    what: 'I41: reads are sent to a shadow that is not written, or not copied',
    // Flags of a promoted table send nobody to a shadow: they name the table that has the primary's name. Until cleanup the
    // shadow's name is a view of that table.
    holds: (world) =>
      world.deployed.readPpm === 0 ||
      world.deployed.promoted ||
      (world.promoted && !world.dropped) ||
      (world.capture === 'forward' && world.copy === 'done'),
  },
  { what: 'I9: somebody acted for an epoch that was over', holds: ({ actedLate }) => !actedLate },
  {
    what: 'I13, I23: there is no way back',
    holds: (world) => !world.promoted || world.dropped || world.capture === 'reverse',
  },
  {
    what: 'I23: a rollback is refused',
    holds: ({ state }) => !syncsShadow(state) || rollback(state) !== 'refused',
  },
  {
    what: 'I6: state and database do not agree on which table serves, and nothing is pending',
    holds: ({ state, promoted }) => state.pending !== null || isPromoted(state) === promoted,
  },
  {
    what: 'I18, I19: two entries of the audit log continue the same one',
    holds: ({ log }) => continues(log.at(-2), log.at(-1)),
  },
];

/** The ones before were looked at in the worlds before. */
const continues = (before: Entry | undefined, last: Entry | undefined): boolean =>
  last === undefined || (last.previousHash === (before?.hash ?? GENESIS_HASH) && last.seq === (before?.seq ?? 0) + 1);

const rollback = (state: World['state']) =>
  decide(
    state,
    { type: 'rollback', reason: 'r', cause: 'operator' },
    { nowMs: NOW, actor: 'ada', emergencyStop: false },
  ).kind;

export const brokenIn = (world: World): string | null => INVARIANTS.find(({ holds }) => !holds(world))?.what ?? null;
