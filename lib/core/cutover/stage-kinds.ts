/** What each kind of stage does, in one table. Everything that asks about a kind of stage asks here. */

import type { StageKind } from './plan.ts';

type Traits = {
  /** Which way changes are carried: into the shadow, after promotion into the old side, or not at all. */
  syncs: 'forward' | 'reverse' | 'none';
  /** Reads go to the shadow, though after promotion it is the shadow no more. */
  serves: boolean;
  /** The shadow has taken over: it is what writes go to. */
  promoted: boolean;
};

const KINDS: Readonly<Record<StageKind, Traits>> = {
  disabled: { syncs: 'none', serves: false, promoted: false },
  dual_write: { syncs: 'forward', serves: false, promoted: false },
  ramp: { syncs: 'forward', serves: true, promoted: false },
  full: { syncs: 'forward', serves: true, promoted: false },
  completed: { syncs: 'reverse', serves: true, promoted: true },
  cleaned: { syncs: 'none', serves: true, promoted: true },
  rolled_back: { syncs: 'none', serves: false, promoted: false },
};

type Staged = { stageKind: StageKind };

/** Under way: the primary is written, the shadow follows, the gates judge, and a rollback costs nothing but its flags. */
export const isUnderWay = ({ stageKind }: Staged): boolean => KINDS[stageKind].syncs === 'forward';

/** True while the other side is kept equal, in whichever direction: so long there is something to roll back. */
export const syncsShadow = ({ stageKind }: Staged): boolean => KINDS[stageKind].syncs !== 'none';

export const isPromoted = ({ stageKind }: Staged): boolean => KINDS[stageKind].promoted;

/** Stages that send readers to the shadow while they could still be sent to the primary. */
export const isReadingStage = ({ stageKind }: Staged): boolean => KINDS[stageKind].serves && !KINDS[stageKind].promoted;

/** Nothing runs and nothing was promoted: it can be started, now or after a reset. */
export const isIdle = ({ stageKind }: Staged): boolean => !syncsShadow({ stageKind }) && !isPromoted({ stageKind });

/** The kinds for which one of these holds, in their order. */
export const kindsThat = (holds: (staged: Staged) => boolean): readonly StageKind[] =>
  (Object.keys(KINDS) as StageKind[]).filter((stageKind) => holds({ stageKind }));
