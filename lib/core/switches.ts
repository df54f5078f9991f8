/**
 * The switches that keep a stage from doing what it is there for, without leaving it:
 *
 *   reads on the primary   the share is 0 everywhere; capture, copy and verification go on
 *   writes off             nothing is written to the shadow; changes wait in outbox or copies, and nothing is lost
 *
 * Nobody reads a shadow that is not written: writes go off only after its readers have left, and readers come back only after
 * writes are on and what waited is applied. Every stage is entered with both switches normal. While one is not, nothing goes
 * forward, by force neither; going back is always possible. `writes` also has a master switch for all tables at once.
 */

import type { CutoverState, SystemState } from './cutover.ts';
import { type Condition, condition } from './gates/verdict.ts';
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
export const judgedKind = (state: Pick<CutoverState, 'stageKind' | 'switches'>): StageKind =>
  isReadingStage(state) && !readsShadow(state) ? 'dual_write' : state.stageKind;

/** Where a cutover stands, for sentences. */
export const stageText = (state: Pick<CutoverState, 'stage' | 'stageKind' | 'switches'>): string =>
  isReadingStage(state) && !readsShadow(state) ? `${state.stage}, with its reads on the primary` : state.stage;

/** From when on a stage is judged: since it was entered, or since a switch was last turned in it. */
export const judgedSinceMs = ({ enteredAtMs, switches }: Pick<CutoverState, 'enteredAtMs' | 'switches'>): number =>
  Math.max(enteredAtMs, switches.sinceMs);

/** What is switched, in few words; nothing when both are normal. */
export const switchesText = ({ switches: { shadowReads, shadowWrites } }: Switched): string[] => [
  ...(shadowWrites ? [] : ['Writes off']),
  ...(shadowReads ? [] : ['Reads on the primary']),
];

/** What of a cutover's own switches holds it, each with the command that releases it. */
export function switchHolds({ id, switches }: Pick<CutoverState, 'id' | 'switches'>): Condition[] {
  const holds: Condition[] = [];
  if (!switches.shadowWrites) {
    const text = `Writes to the shadow are switched off, and changes wait. 'crossfade writes on ${id} --reason …' lets them go on.`;
    holds.push(condition('shadow_writes', false, 'off', 'on', text));
  }
  if (!switches.shadowReads) {
    const text = `Reads are on the primary, and the share of this stage waits. 'crossfade reads shadow ${id} --reason …' sends them back.`;
    holds.push(condition('shadow_reads', false, 'primary', 'shadow', text));
  }
  return holds;
}

/** Bars every step of a table forward while writes are off for all; null when they are on. No force helps. */
export function writesHold({ kind }: Pick<CutoverState, 'kind'>, { shadowWritesEnabled }: Master): Condition | null {
  if (kind !== 'table' || shadowWritesEnabled) return null;
  const text =
    "Writes to all shadows are switched off, and changes wait in the outboxes. 'crossfade writes on --reason …' lets them go on.";
  return condition('shadow_writes', false, 'off', 'on', text);
}

/** Readers who came to the shadow in the moment it was switched off for all are taken away again. */
export const writesGuard = (
  state: Pick<CutoverState, 'kind' | 'stageKind' | 'switches'>,
  master: Master,
): Condition | null => (readsShadow(state) ? writesHold(state, master) : null);
