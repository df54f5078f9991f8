/**
 * What belongs to an entry of the audit: what was seen before one that ended a stage, from the windows that are at hand, those of the last
 * hour; and the flags that it came to readers with. Pure.
 */

import { MINUTE_MS } from '../core/base/units.ts';
import { count, ms, percent } from '../core/conditions/figures.ts';
import type { Side } from '../core/cutover/cutover.ts';
import { bucketedWindow } from '../core/gates/bucketed-window.ts';
import { figures } from '../core/gates/figures.ts';
import { type MinuteWindow, poolWindows } from '../core/gates/minute-window.ts';
import type { FlagsSeen } from '../core/gates/stored-verdict.ts';
import type { AuditEntry } from '../core/stage/audit.ts';
import type { Event } from '../core/stage/events.ts';
import { THIN_SPACE } from './condition-lines.ts';

/** Events that leave a stage for another one. */
const ENDS_STAGE: readonly Event['type'][] = ['advanced', 'completed', 'rolled_back', 'reverted'];
const MOVES: readonly Event['type'][] = [...ENDS_STAGE, 'started', 'reset', 'reads_switched'];

/** @param entries of one cutover, newest first @returns a sentence; empty where the entry ended no stage, or nothing is known */
export function evidenceBefore(
  index: number,
  entries: readonly AuditEntry<Event>[],
  windows: readonly MinuteWindow[],
): string {
  const { event, atMs } = entries[index]!;
  if (!ENDS_STAGE.includes(event.type)) return '';
  const before = entries.slice(index + 1).find((entry) => MOVES.includes(entry.event.type));
  // The minute in which the stage was entered belongs to what was before.
  const first = Math.floor((before?.atMs ?? 0) / MINUTE_MS) + 1;
  const seen = windows.filter(({ minute }) => minute >= first && minute < Math.floor(atMs / MINUTE_MS));
  if (seen.length === 0) return '';
  const { checks, mismatches } = pool(seen, 'shadow');
  const compared = checks > 0 ? `; ${number(checks)} compared, ${number(mismatches)} differed` : '';
  const minutes = new Set(seen.map(({ minute }) => minute)).size;
  return `Seen in ${minutes} min before: ${sideText(seen, 'primary')}; ${sideText(seen, 'shadow')}${compared}.`;
}

/** Which flags brought the state after the entry to readers; empty where no tick has seen that, or another state came before. */
export function flagsAfter({ version, epoch }: AuditEntry<Event>, seen: readonly FlagsSeen[]): string {
  const found = seen.find((one) => one.version === version && one.epoch === epoch);
  return found ? `Deployed with flags v${found.flags}, by ${moment(found.atMs)}.` : '';
}

/** To the second: @example '09:31:20 UTC' */
const moment = (atMs: number) => `${new Date(atMs).toISOString().slice(11, 19)} UTC`;

const pool = (windows: readonly MinuteWindow[], side: Side): MinuteWindow =>
  poolWindows(
    windows[0]!.minute,
    side,
    windows.filter((window) => window.side === side),
  );

function sideText(windows: readonly MinuteWindow[], side: Side): string {
  const { count: operations, errorRate, p95Ms } = figures(bucketedWindow(pool(windows, side)));
  if (operations === 0 || errorRate === null || p95Ms === null) return `${side} no operations`;
  return `${side} ${number(operations)} operations, ${percent(errorRate)} failed, p95 ${ms(p95Ms)}`;
}

const number = (value: number) => count(value, THIN_SPACE);
