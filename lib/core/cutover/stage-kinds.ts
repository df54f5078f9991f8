/** What each kind of stage does, in one table. Everything that asks about a kind of stage asks here. */

import type { StageKind } from './plan.ts';

type Traits = {
  /** Which way changes are carried: into the shadow, after promotion into the old side, or not at all. */
  syncs: 'forward' | 'reverse' | 'none';
  /** Readers are sent to the shadow while they could still be sent to the primary. */
  reads: boolean;
  /** The shadow has taken over: it is what writes go to. */
  promoted: boolean;
};

const KINDS: Readonly<Record<StageKind, Traits>> = {
  disabled: { syncs: 'none', reads: false, promoted: false },
  dual_write: { syncs: 'forward', reads: false, promoted: false },
  ramp: { syncs: 'forward', reads: true, promoted: false },
  full: { syncs: 'forward', reads: true, promoted: false },
  completed: { syncs: 'reverse', reads: false, promoted: true },
  cleaned: { syncs: 'none', reads: false, promoted: true },
  rolled_back: { syncs: 'none', reads: false, promoted: false },
};

type Staged = { stageKind: StageKind };

/** Under way: the primary is written, the shadow follows, the gates judge, and a rollback costs nothing but its flags. */
export const isUnderWay = ({ stageKind }: Staged): boolean => KINDS[stageKind].syncs === 'forward';

/** True while the other side is kept equal, in whichever direction: so long there is something to roll back. */
export const syncsShadow = ({ stageKind }: Staged): boolean => KINDS[stageKind].syncs !== 'none';

export const isPromoted = ({ stageKind }: Staged): boolean => KINDS[stageKind].promoted;

export const isReadingStage = ({ stageKind }: Staged): boolean => KINDS[stageKind].reads;

/** Nothing runs and nothing was promoted: it can be started, now or after a reset. */
export const isIdle = ({ stageKind }: Staged): boolean => !syncsShadow({ stageKind }) && !isPromoted({ stageKind });

/** The kinds for which one of these holds, in their order. */
export const kindsThat = (holds: (staged: Staged) => boolean): readonly StageKind[] =>
  (Object.keys(KINDS) as StageKind[]).filter((stageKind) => holds({ stageKind }));
