/** Capture of changes: arming it, watching over it, taking it away. */

import type { CutoverId } from '../core/cutover/cutover.ts';
import type { Outrun, StateFence, TableCutover } from './tables.ts';

/** `refused`: what the compiler or the preview says against the tables as they are. */
export type Adopted = { kind: 'adopted' } | { kind: 'refused'; why: string };

export type ShadowRemoval = { kind: 'removed' } | { kind: 'already' } | { kind: 'refused'; why: string };

/** Changes of the tables are written down as hints from `arm` on, until `disarm`. */
export type Capture = {
  /**
   * Creates outbox, functions and the capture trigger. Idempotent. A caller that acts on an older state than one that has
   * armed, disarmed or written the mirror is refused, here and below. @throws `refused_table`, `database_unavailable`.
   */
  arm(cutover: TableCutover, fence: StateFence): Promise<{ kind: 'armed' } | Outrun>;
  /**
   * When `status` says that something is due: writes down what differs from what was armed, makes capture again where it was
   * interrupted, and has every row copied and compared again then. Idempotent.
   */
  watch(id: CutoverId, fence: StateFence): Promise<{ kind: 'watched' } | Outrun>;
  /**
   * Takes the tables over as they are now, in whichever direction is armed: what is generated is made again without a gap, hints stay, and
   * every row is copied and compared again.
   */
  adopt(cutover: TableCutover, fence: StateFence): Promise<Adopted | Outrun>;
  /** Drops capture; outbox and progress stay until `forget`. Idempotent. */
  disarm(id: CutoverId, fence: StateFence): Promise<{ kind: 'disarmed' } | Outrun>;
  /** Drops everything of this cutover but the two tables. Idempotent. */
  forget(id: CutoverId, fence: StateFence): Promise<{ kind: 'forgotten' } | Outrun>;
  /** Drops the shadow and everything of this cutover while nothing is kept equal. No way back but a backup. */
  removeShadow(cutover: TableCutover, fence: StateFence): Promise<ShadowRemoval | Outrun>;
};
