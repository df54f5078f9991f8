/**
 * An intent that could not be carried out yet: what it waits for, since when, and what ends the waiting. A condition that never
 * holds, so that status, page and explain show it like any other. Pure.
 */

import { MINUTE_MS } from '../base/units.ts';
import { type Condition, condition } from '../conditions/condition.ts';
import { round } from '../conditions/figures.ts';
import { clock, type Release } from '../conditions/release.ts';
import { conditionText } from '../conditions/show.ts';
import type { CutoverState, PendingAction } from '../cutover/cutover.ts';
import type { StoredVerdict } from './stored-verdict.ts';

/** An intent that could not be carried out for this long is taken back, so that other commands are possible again. */
export const GIVE_UP_AFTER_MS = 10 * MINUTE_MS;

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
  const says = withdrawn
    ? `The rollback that ${withdrawn.actor} asked for at ${clock(withdrawn.atMs)} waits until the database says whether the ${WORDS[pending.action]} has happened: ${sentence(why)} Nothing reads the shadow meanwhile.`
    : `The ${WORDS[pending.action]} that ${pending.actor} asked for at ${clock(pending.sinceMs)} waits: ${sentence(why)}`;
  const limit = withdrawn ? null : GIVE_UP_AFTER_MS / MINUTE_MS;
  const untilMs = pending.sinceMs + GIVE_UP_AFTER_MS;
  const release: Release[] = withdrawn ? [{ wait: 'answer' }] : [{ wait: 'give_up', untilMs }, ...wayOut(id, pending)];
  return [condition('pending', { ok: false, seen: minutes, limit, says, release })];
}

/** The same as a tick has stored it; none when what it stored is about an earlier intent. */
export function storedPending(
  { pending }: Pick<CutoverState, 'pending'>,
  stored: Pick<StoredVerdict, 'atMs' | 'verdict'> | null,
): Condition[] {
  if (!pending || !stored || stored.atMs < askedMs(pending)) return [];
  return stored.verdict.conditions.filter(({ code }) => code === 'pending');
}

/** What a pending intent waits for, as the verdict says it. */
export function waitingText({ conditions }: { conditions: readonly Condition[] }): string | null {
  const pending = conditions.find(({ code }) => code === 'pending');
  return pending ? conditionText(pending) : null;
}

const askedMs = ({ sinceMs, withdrawn }: PendingAction): number => withdrawn?.atMs ?? sinceMs;

const wayOut = (id: string, { action }: PendingAction): Release[] =>
  action === 'revert' ? [] : [{ command: ['crossfade', 'rollback', id, '--reason', '…'], does: 'withdraws it' }];

const sentence = (why: string): string => (/[.!?]$/.test(why) ? why : `${why}.`);
