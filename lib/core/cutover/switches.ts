/**
 * The switches that keep a stage from doing what it is there for, without leaving it:
 *
 *   reads on the primary   the share is 0 everywhere; capture, copy and verification go on
 *   writes off             nothing is written to the shadow; changes wait in the outbox, or to be forwarded; nothing is lost
 *
 * A shadow that is not written is not read: writes go off only after its readers have left, and readers come back only after
 * writes are on and what waited is applied. Every stage is entered with both switches normal. While one is not, nothing goes
 * forward, not even by force; going back is always possible. `writes` also has a master switch for all tables at once.
 */

import type { CutoverState, SystemState } from './cutover.ts';
import type { StageKind } from './plan.ts';
import { isReadingStage } from './stage-kinds.ts';

type Master = Pick<SystemState, 'shadowWritesEnabled'>;
type Switched = Pick<CutoverState, 'switches'>;

export const isNormal = ({ switches: { shadowReads, shadowWrites } }: Switched): boolean => shadowReads && shadowWrites;

/** Readers of this cutover may be on its shadow, and are not there for good. Never while it is not written. */
export const readsShadow = (state: Pick<CutoverState, 'stageKind' | 'switches'>): boolean =>
  isReadingStage(state) && isNormal(state);

/** The shadow of this cutover may be written. */
export const writesShadow = ({ switches }: Switched, { shadowWritesEnabled }: Master): boolean =>
  shadowWritesEnabled && switches.shadowWrites;

/** What the stage is to the gates: one whose readers were sent to the primary shows what `dual_write` would show. */
export const effectiveKind = (state: Pick<CutoverState, 'stageKind' | 'switches'>): StageKind =>
  isReadingStage(state) && !readsShadow(state) ? 'dual_write' : state.stageKind;

/** Where a cutover stands, for sentences. */
export const stageText = (state: Pick<CutoverState, 'stage' | 'stageKind' | 'switches'>): string =>
  isReadingStage(state) && !readsShadow(state) ? `${state.stage}, with its reads on the primary` : state.stage;

/** From when on a stage is judged: since it was entered, or since a switch was last turned in it. */
export const evidenceSinceMs = ({ enteredAtMs, switches }: Pick<CutoverState, 'enteredAtMs' | 'switches'>): number =>
  Math.max(enteredAtMs, switches.sinceMs);

/** What is switched, in few words; nothing when both are normal. */
export const switchesText = ({ switches: { shadowReads, shadowWrites } }: Switched): string[] => [
  ...(shadowWrites ? [] : ['Writes off']),
  ...(shadowReads ? [] : ['Reads on the primary']),
];
