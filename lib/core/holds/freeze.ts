/**
 * Freeze windows: when nothing may move forward. Either every week on some days between two times of a named time zone,
 * or once, between two moments. A time zone's own calendar decides, so a window keeps its hours through summer time.
 */

import { DAY_MINUTES, MINUTE_MS } from '../base/units.ts';
import { type Condition, condition } from '../conditions/condition.ts';
import { type FreezeWindow, WEEKDAYS, type Weekday } from '../cutover/freeze-window.ts';

/** `untilMs`: the first moment that lies in no window any more; null when none is found within two weeks of windows. */
export type Frozen = { name: string; untilMs: number | null };

/** Windows in a row that are followed to find the end; with two a day, two weeks. */
const MOST_IN_A_ROW = 28;

/** The window that is open, and when it ends; windows that follow without a gap are one. */
export function frozenAt(windows: readonly FreezeWindow[], nowMs: number): Frozen | null {
  const open = windows.find((window) => remainingMs(window, nowMs) > 0);
  if (!open) return null;
  let untilMs = nowMs;
  for (let i = 0; i < MOST_IN_A_ROW; i += 1) {
    const remaining = Math.max(0, ...windows.map((window) => remainingMs(window, untilMs)));
    if (remaining === 0) return { name: open.name, untilMs };
    untilMs += remaining;
  }
  return { name: open.name, untilMs: null };
}

/** For how long a window is still open; 0 when it is not. */
function remainingMs(window: FreezeWindow, atMs: number): number {
  if ('fromMs' in window) return atMs >= window.fromMs && atMs < window.toMs ? window.toMs - atMs : 0;
  const minutes = remainingMinutes(window, localTime(window.timeZone, atMs));
  if (minutes === 0) return 0;
  const endMs = Math.floor(atMs / MINUTE_MS) * MINUTE_MS + minutes * MINUTE_MS;
  // Where the clock is changed in between, the end is as much earlier or later.
  const shown = localTime(window.timeZone, endMs).minute;
  const off = ((window.toMinute - shown + DAY_MINUTES * 1.5) % DAY_MINUTES) - DAY_MINUTES / 2;
  const corrected = endMs + off * MINUTE_MS;
  const stillOpen = remainingMinutes(window, localTime(window.timeZone, corrected)) > 0;
  // A time that the clock jumps over: the window ends with the jump.
  return (stillOpen || corrected <= atMs ? endMs : corrected) - atMs;
}

type Weekly = Extract<FreezeWindow, { weekdays: readonly Weekday[] }>;

function remainingMinutes({ weekdays, fromMinute, toMinute }: Weekly, { day, minute }: LocalTime): number {
  const on = (which: number) => weekdays.includes(WEEKDAYS[(which + 7) % 7]!);
  if (toMinute > fromMinute) return on(day) && minute >= fromMinute && minute < toMinute ? toMinute - minute : 0;
  if (on(day) && minute >= fromMinute) return DAY_MINUTES - minute + toMinute;
  return on(day - 1) && minute < toMinute ? toMinute - minute : 0;
}

type LocalTime = { day: number; minute: number };

const formats = new Map<string, Intl.DateTimeFormat>();

/** Weekday (0 = Sunday) and minute of the day that clocks in the time zone show. */
function localTime(timeZone: string, atMs: number): LocalTime {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
    formats.set(timeZone, format);
  }
  const parts = Object.fromEntries(format.formatToParts(atMs).map(({ type, value }) => [type, value]));
  return {
    day: WEEKDAYS.indexOf(parts.weekday!.toLowerCase() as Weekday),
    minute: Number(parts.hour) * 60 + Number(parts.minute),
  };
}

/** One sentence for refusals and reports. */
export function frozenText({ name, untilMs }: Frozen): string {
  const end = untilMs === null ? 'which has no end in sight' : `until ${new Date(untilMs).toISOString().slice(0, 16)}Z`;
  return `Everything is frozen by '${name}', ${end}.`;
}

/** What holds advancing while a window is open; null where no window is declared. */
export function freezeCondition(windows: readonly FreezeWindow[], nowMs: number): Condition | null {
  if (windows.length === 0) return null;
  const frozen = frozenAt(windows, nowMs);
  const etaMs = frozen?.untilMs ? { etaMs: frozen.untilMs - nowMs } : {};
  return condition('frozen', {
    ok: frozen === null,
    seen: frozen?.name ?? 'open',
    limit: 'open',
    says: frozen ? frozenText(frozen) : 'No freeze window is open.',
    release: { wait: 'window_ends', ...etaMs },
  });
}
