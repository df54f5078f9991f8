/** Freeze windows as they are written in the configuration, made into what the core reads. */

import * as z from 'zod';
import { type FreezeWindow, WEEKDAYS } from '../core/cutover/freeze-window.ts';

/** `HH:MM`; `24:00` is the end of the day. */
const time = z
  .string()
  .regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, "a time of day is written '16:00'; '24:00' is the end of the day")
  .transform((text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3)));

const timeZone = z
  .string()
  .max(64)
  .refine(isTimeZone, "it is no time zone of the IANA list, such as 'Europe/Berlin' or 'UTC'");

function isTimeZone(name: string): boolean {
  try {
    return /^[A-Za-z]/.test(name) && new Intl.DateTimeFormat('en', { timeZone: name }) !== null;
  } catch {
    return false;
  }
}

const moment = z.iso
  .datetime({ offset: true, error: "a moment is written '2026-12-24T12:00:00+01:00', with its offset or Z" })
  .transform((text) => Date.parse(text));

const name = z.string().min(1).max(60);

const weekly = z
  .strictObject({
    name: name.optional(),
    weekdays: z.array(z.enum(WEEKDAYS)).min(1).max(7),
    from: time,
    to: time,
    timeZone,
  })
  .refine(({ from, to }) => from !== to, { error: 'from and to are the same; a whole day is 00:00 to 24:00' })
  .transform(({ name, weekdays, from, to, timeZone }): FreezeWindow => {
    return {
      name: name ?? `${weekdays.join(', ')} in ${timeZone}`,
      weekdays,
      fromMinute: from,
      toMinute: to,
      timeZone,
    };
  });

const once = z
  .strictObject({ name: name.optional(), from: moment, to: moment })
  .refine(({ from, to }) => from < to, { error: 'it ends before it begins' })
  .transform(({ name, from, to }): FreezeWindow => ({ name: name ?? 'a freeze window', fromMs: from, toMs: to }));

export const freezeWindow = z.union([weekly, once]);
export const FREEZE_KEYS = ['weekdays', 'from', 'to', 'timeZone', 'name'];
