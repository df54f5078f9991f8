/** What happens to rows: the application writes, the copy fills the shadow, appliers follow the outbox. */

import { isPromoted, syncsShadow } from '../../../lib/core/cutover/stage-kinds.ts';
import type { Step } from './explore.ts';
import type { Rules } from './rules.ts';
import { type Applier, type Bounds, type Direction, type World, written } from './world.ts';

const NAMES = ['A', 'B', 'C'];

export function* rowSteps(world: World, bounds: Bounds, rules: Rules): Generator<Step<World>> {
  yield* writerSteps(world, bounds, rules);
  if (!world.dropped) yield* copySteps(world, rules);
  for (const [index, applier] of world.appliers.entries()) yield* applierSteps(world, index, applier, rules);
}

/**
 * One statement in its own transaction; capture leaves a hint in the same one. Whether the application lives to hear of its commit
 * makes no difference to any table.
 */
function* writerSteps(world: World, bounds: Bounds, rules: Rules): Generator<Step<World>> {
  const { writer, writes } = world;
  if (writer === null) {
    const next = writes + 1;
    if (writes > bounds.writes) return;
    const begun = (row: number) => ({ ...world, writes: next, writer: { row, hint: world.capture !== 'none' } });
    yield { does: `the application puts row ${next} (not committed)`, to: begun(next) };
    yield { does: `the application deletes the row (write ${next}, not committed)`, to: begun(0) };
    return;
  }
  yield { does: `the application dies, write ${writes} is undone`, to: { ...world, writer: null } };
  if (!rules.acknowledgedAfterCommit && world.acknowledged < writes)
    yield { does: `write ${writes} is acknowledged`, to: { ...world, acknowledged: writes } };
  const rows = world.promoted ? { fresh: writer.row } : { old: writer.row };
  const committed = { committed: writes, acknowledged: writes, truth: writer.row, hints: world.hints || writer.hint };
  yield {
    does: `write ${writes} is committed${writer.hint ? ' with its hint' : ''}, and acknowledged`,
    to: { ...world, ...rows, ...committed, writer: null },
  };
}

/** INSERT … SELECT … ON CONFLICT DO NOTHING, and in a later statement hints for what is in the shadow only. */
function* copySteps(world: World, rules: Rules): Generator<Step<World>> {
  const { copy, copied, state, mirror } = world;
  const mayRun = state.epoch === mirror.epoch && world.capture === 'forward' && !world.promoted;
  const early = !rules.captureBeforeCopy && world.capture === 'none' && state.stageKind === 'dual_write';
  if (copy === 'none' && (mayRun || early))
    yield { does: `the copy reads ${rowText(world.old)}`, to: { ...world, copy: 'read', copied: world.old } };
  if (copy === 'read') {
    yield { does: 'the copy dies', to: { ...world, copy: 'none', copied: 0 } };
    const kept = rules.copyKeepsRows && world.fresh !== 0;
    const fresh = copied === 0 || kept ? world.fresh : copied;
    yield {
      does: `the copy leaves ${rowText(fresh)} in the new table`,
      to: { ...world, fresh, copy: 'copied', copied: 0 },
    };
  }
  if (copy === 'copied' && (mayRun || early || !rules.fence)) {
    const ghost = rules.ghostSweep && world.old === 0 && world.fresh !== 0;
    yield {
      does: ghost ? 'the copy leaves a hint for a row that is in the new table only' : 'the copy is done',
      to: { ...world, copy: 'done', hints: world.hints || ghost },
    };
  }
}

/** Claim hints ─→ lock the key ─→ read the source ─→ write the target and delete the hints, in one transaction. */
function* applierSteps(world: World, index: number, applier: Applier | null, rules: Rules): Generator<Step<World>> {
  const name = `applier ${NAMES[index]}`;
  const put = (next: Applier | null, rest: Partial<World> = {}): World => ({
    ...world,
    ...rest,
    appliers: world.appliers.with(index, next),
  });
  if (applier === null) {
    const { epoch } = world.state;
    const direction = isPromoted(world.state) ? 'reverse' : 'forward';
    // The first free one: the others are like it.
    const free = world.appliers.indexOf(null) === index;
    if (free && syncsShadow(world.state) && world.hints)
      yield {
        does: `${name} is called for epoch ${epoch}, ${direction}`,
        to: put({ at: 'called', epoch, direction, hints: false, row: 0 }),
      };
    return;
  }
  const { at, epoch, direction } = applier;
  const givesBack = rules.hintsWithRows && applier.hints;
  yield { does: `${name} dies`, to: put(null, givesBack ? { hints: true } : {}) };
  if (at === 'called') {
    if (rules.fence && epoch !== world.mirror.epoch)
      yield { does: `${name} is refused: epoch ${epoch} is over`, to: put(null) };
    else if (world.hints)
      yield { does: `${name} claims the hints`, to: put({ ...applier, at: 'claimed', hints: true }, { hints: false }) };
  }
  if (at === 'claimed' && (!rules.keyLock || !world.appliers.some((other) => other?.at === 'read'))) {
    const row = sourceOf(world, direction);
    yield {
      does: `${name} ${rules.keyLock ? 'locks the key and ' : ''}reads ${rowText(row)}`,
      to: put({ ...applier, at: 'read', row }),
    };
  }
  if (at === 'read') {
    const target = direction === 'forward' ? { fresh: applier.row } : { old: applier.row };
    const late = epoch < world.mirror.epoch;
    yield {
      does: `${name} makes the ${direction === 'forward' ? 'new' : 'old'} table have ${rowText(applier.row)}`,
      to: put(null, { ...target, actedLate: world.actedLate || late }),
    };
  }
}

const sourceOf = (world: World, direction: Direction) => (direction === 'forward' ? world.old : world.fresh);
const rowText = (row: number) => (row === 0 ? 'no row' : `row ${row}`);

/** The last hints, applied by the holder of the lock of the cutover. */
export const drained = (world: World): Pick<World, 'old' | 'fresh' | 'hints'> =>
  world.hints
    ? { old: written(world), fresh: written(world), hints: false }
    : { old: world.old, fresh: world.fresh, hints: false };
