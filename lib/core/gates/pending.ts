/**
 * An intent that could not be carried out yet: what it waits for, since when, and what ends the waiting. A condition that never
 * holds, so that status, page and explain show it like any other. Pure.
 */

import { MINUTE_MS } from '../base/units.ts';
import { type Condition, condition, round } from '../conditions/verdict.ts';
import type { CutoverState, PendingAction } from '../cutover/cutover.ts';

/** An intent that could not be carried out for this long is taken back, so that other commands are possible again. */
export const GIVE_UP_AFTER_MS = 10 * MINUTE_MS;

const CODE = 'pending';
const WORDS = { promote: 'promotion', revert: 'rollback', cleanup: 'cleanup' } as const;

/** @param why it was not carried out when it was last tried; null when no tick has tried it yet, or nothing is pending */
export function pendingCondition(
  { id, pending }: Pick<CutoverState, 'id' | 'pending'>,
  why: string | null,
  nowMs: number,
): Condition[] {
  if (!pending || why === null) return [];
  const { withdrawn } = pending;
  const minutes = round(Math.max(0, nowMs - askedMs(pending)) / MINUTE_MS);
  const text = withdrawn
    ? `The rollback that ${withdrawn.actor} asked for at ${clock(withdrawn.atMs)} waits until the database says whether the ${WORDS[pending.action]} has happened: ${sentence(why)} Nothing reads the shadow meanwhile, and every tick asks again.`
    : `The ${WORDS[pending.action]} that ${pending.actor} asked for at ${clock(pending.sinceMs)} waits: ${sentence(why)} Every tick tries again; after ${clock(pending.sinceMs + GIVE_UP_AFTER_MS)} it is given up, and that is said.${wayOut(id, pending)}`;
  return [condition(CODE, false, minutes, withdrawn ? null : GIVE_UP_AFTER_MS / MINUTE_MS, text)];
}

/** The same as a tick has stored it; none when what it stored is about an earlier intent. */
export function storedPending(
  { pending }: Pick<CutoverState, 'pending'>,
  stored: { atMs: number; verdict: { conditions: readonly Condition[] } } | null,
): Condition[] {
  if (!pending || !stored || stored.atMs < askedMs(pending)) return [];
  return stored.verdict.conditions.filter(({ code }) => code === CODE);
}

/** What a pending intent waits for, as the verdict says it. */
export const waitingText = ({ conditions }: { conditions: readonly Condition[] }): string | null =>
  conditions.find(({ code }) => code === CODE)?.text ?? null;

const askedMs = ({ sinceMs, withdrawn }: PendingAction): number => withdrawn?.atMs ?? sinceMs;

const wayOut = (id: string, { action }: PendingAction): string =>
  action === 'revert' ? '' : ` 'crossfade rollback ${id} --reason …' withdraws it.`;

const clock = (atMs: number): string => `${new Date(atMs).toISOString().slice(11, 16)} UTC`;

const sentence = (why: string): string => (/[.!?]$/.test(why) ? why : `${why}.`);
