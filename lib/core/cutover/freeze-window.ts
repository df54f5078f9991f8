/** When nothing may move forward, as it is declared. Types only, and the days by name. */

export const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** When nothing may move forward: every week in a named time zone, or once. */
export type FreezeWindow = { name: string } & (
  | {
      weekdays: readonly Weekday[];
      /** Minutes after midnight, `to` excluded. Not after `from`: it ends on the following day. */
      fromMinute: number;
      toMinute: number;
      /** IANA name. */
      timeZone: string;
    }
  | { fromMs: number; toMs: number }
);
