/** Row 58: when nothing may move forward, in calendars of several time zones. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FreezeWindow, WEEKDAYS } from '../../../lib/core/cutover/freeze-window.ts';
import { freezeCondition, frozenAt, frozenText } from '../../../lib/core/holds/freeze.ts';
import { defineCutovers, type FreezeInput } from '../../../lib/define/cutovers.ts';
import { sourceMutant } from '../../helpers/source-mutant.ts';

const FREEZE = 'lib/core/holds/freeze.ts';

const windowsOf = (...freeze: FreezeInput[]): readonly FreezeWindow[] =>
  defineCutovers([{ id: 'planner', kind: 'component', freeze }])[0]!.freeze ?? [];
const at = (text: string) => Date.parse(text);
const untilOf = (windows: readonly FreezeWindow[], text: string) => {
  const frozen = frozenAt(windows, at(text));
  return frozen && new Date(frozen.untilMs ?? Number.NaN).toISOString().slice(0, 16);
};
const BERLIN = 'Europe/Berlin';

describe('a weekly freeze window', () => {
  const friday = windowsOf({ weekdays: ['fri'], from: '16:00', to: '24:00', timeZone: BERLIN });

  it.each([
    ['2026-11-27T14:59:59Z', null],
    ['2026-11-27T15:00:00Z', '2026-11-27T23:00'],
    ['2026-11-27T22:59:59Z', '2026-11-27T23:00'],
    ['2026-11-27T23:00:00Z', null],
    ['2026-11-26T18:00:00Z', null],
    ['2026-07-03T14:00:00Z', '2026-07-03T22:00'],
    ['2026-07-03T13:59:00Z', null],
  ])('at %s is open until %s, by the clocks of its time zone', (moment, until) => {
    expect(untilOf(friday, moment)).toBe(until);
  });

  it('that ends before it begins ends on the following day', () => {
    const night = windowsOf({ weekdays: ['sat'], from: '22:00', to: '04:00', timeZone: 'America/New_York' });
    expect(untilOf(night, '2026-11-29T05:00:00Z')).toBe('2026-11-29T09:00');
    expect(untilOf(night, '2026-11-29T09:00:00Z')).toBeNull();
    expect(untilOf(night, '2026-11-28T05:00:00Z')).toBeNull();
  });

  it('windows without a gap are one: a weekend ends on Monday', () => {
    const weekend = windowsOf(
      { name: 'weekend', weekdays: ['fri'], from: '16:00', to: '24:00', timeZone: BERLIN },
      { weekdays: ['sat', 'sun'], from: '00:00', to: '24:00', timeZone: BERLIN },
      { weekdays: ['mon'], from: '00:00', to: '08:00', timeZone: BERLIN },
    );
    expect(untilOf(weekend, '2026-11-27T15:30:00Z')).toBe('2026-11-30T07:00');
    expect(frozenText(frozenAt(weekend, at('2026-11-27T15:30:00Z'))!)).toBe(
      "Everything is frozen by 'weekend', until 2026-11-30T07:00Z.",
    );
    expect(freezeCondition(weekend, at('2026-11-28T12:00:00Z'))).toMatchObject({ code: 'frozen', ok: false });
    expect(freezeCondition(weekend, at('2026-12-01T12:00:00Z'))).toMatchObject({ ok: true });
  });

  it('keeps its hours where clocks are changed in between, and ends with a jump over its end', () => {
    const sunday = windowsOf({ weekdays: ['sun'], from: '01:00', to: '06:00', timeZone: BERLIN });
    expect(untilOf(sunday, '2026-03-29T00:30:00Z')).toBe('2026-03-29T04:00');
    expect(untilOf(sunday, '2026-10-25T00:30:00Z')).toBe('2026-10-25T05:00');
    const jumped = windowsOf({ weekdays: ['sun'], from: '01:00', to: '02:30', timeZone: BERLIN });
    const end = frozenAt(jumped, at('2026-03-29T00:30:00Z'))!.untilMs!;
    expect(end).toBeGreaterThanOrEqual(at('2026-03-29T01:00:00Z'));
    expect(end).toBeLessThanOrEqual(at('2026-03-29T01:30:00Z'));
  });

  it('of the whole week has no end in sight', () => {
    const always = windowsOf({
      weekdays: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'],
      from: '00:00',
      to: '24:00',
      timeZone: 'UTC',
    });
    expect(frozenAt(always, at('2026-11-27T15:30:00Z'))!.untilMs).toBeNull();
  });

  it('its end is never frozen, and every minute before it is', () => {
    const time = fc.integer({ min: 0, max: 95 }).map((n) => n * 15);
    const weekly = fc.record({
      name: fc.constant('w'),
      weekdays: fc.subarray<'mon' | 'tue' | 'sun'>(['mon', 'tue', 'sun'], { minLength: 1 }),
      fromMinute: time,
      toMinute: time,
      timeZone: fc.constantFrom('UTC', BERLIN, 'America/New_York', 'Asia/Kolkata'),
    });
    const moment = fc.integer({ min: at('2026-01-01T00:00:00Z') / 60_000, max: at('2027-01-01T00:00:00Z') / 60_000 });
    fc.assert(
      fc.property(
        fc.array(weekly, { minLength: 1, maxLength: 3 }),
        moment,
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (windows, minute, share) => {
          const frozen = frozenAt(windows, minute * 60_000);
          if (!frozen || frozen.untilMs === null) return;
          expect(frozen.untilMs).toBeGreaterThan(minute * 60_000);
          expect(frozenAt(windows, frozen.untilMs)).toBeNull();
          const between = minute * 60_000 + Math.floor(share * (frozen.untilMs - minute * 60_000));
          expect(frozenAt(windows, between)).not.toBeNull();
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('an absolute window', () => {
  it('is open from its first to before its last moment', () => {
    const once = windowsOf({ from: '2026-12-23T18:00:00+01:00', to: '2027-01-02T06:00:00+01:00' });
    expect(untilOf(once, '2026-12-23T16:59:59Z')).toBeNull();
    expect(untilOf(once, '2026-12-23T17:00:00Z')).toBe('2027-01-02T05:00');
    expect(untilOf(once, '2027-01-02T05:00:00Z')).toBeNull();
  });
});

describe('a window of either kind', () => {
  const SUNDAY = at('2026-02-01T00:00:00Z');
  const DAY_MINUTES = 24 * 60;
  const minute = fc.integer({ min: 0, max: DAY_MINUTES - 1 });
  const window = fc
    .record({ day: fc.integer({ min: 0, max: 6 }), fromMinute: minute, toMinute: minute, once: fc.boolean() })
    .filter(({ fromMinute, toMinute }) => fromMinute !== toMinute)
    .map(({ day, fromMinute, toMinute, once }) => {
      const lasts = (toMinute - fromMinute + DAY_MINUTES) % DAY_MINUTES;
      const fromMs = SUNDAY + (day * DAY_MINUTES + fromMinute) * 60_000;
      const toMs = fromMs + lasts * 60_000;
      const weekly = { name: 'w', weekdays: [WEEKDAYS[day]!], fromMinute, toMinute, timeZone: 'UTC' };
      return { open: once ? { name: 'w', fromMs, toMs } : weekly, fromMs, toMs };
    });
  const opens = (open: FreezeWindow, atMs: number) => frozenAt([open], atMs)?.untilMs ?? null;

  it('is open through its first and its last minute, over midnight too, and not a moment longer', () => {
    fc.assert(
      fc.property(window, ({ open, fromMs, toMs }) => {
        const moments = [fromMs - 1, fromMs, fromMs + 59_999, toMs - 60_000, toMs - 1, toMs];
        expect(moments.map((ms) => opens(open, ms))).toEqual([null, toMs, toMs, toMs, toMs, null]);
      }),
      { numRuns: 150 },
    );
  });

  it.each([
    ['once, in its last minute', 'atMs < window.toMs ?', 'atMs < window.toMs - 60_000 ?'],
    [
      'in the last minute of a day’s',
      'minute >= fromMinute && minute < toMinute ?',
      'minute >= fromMinute && minute < toMinute - 1 ?',
    ],
    ['in the last minute of a night’s', 'on(day - 1) && minute < toMinute ?', 'on(day - 1) && minute < toMinute - 1 ?'],
    ['in the first minute of a night’s', 'if (on(day) && minute >= fromMinute)', 'if (on(day) && minute > fromMinute)'],
  ])('is found out where it is shut %s (negative control)', async (_, is, was) => {
    const faulty = await sourceMutant<typeof import('../../../lib/core/holds/freeze.ts')>(
      [FREEZE],
      [[FREEZE, is, was]],
    );
    const shut = fc
      .sample(window, { numRuns: 60, seed: 1 })
      .filter(({ open, fromMs, toMs }) =>
        [fromMs, toMs - 1].some((ms) => faulty.frozenAt([open], ms)?.untilMs !== toMs),
      );
    expect(shut.length).toBeGreaterThan(3);
  });
});

describe('a declaration of a freeze window', () => {
  it.each<[string, object]>([
    ['a time zone that is none', { weekdays: ['fri'], from: '16:00', to: '18:00', timeZone: 'Europe/Berlim' }],
    ['no weekday', { weekdays: [], from: '16:00', to: '18:00', timeZone: 'UTC' }],
    ['a weekday that is none', { weekdays: ['friday'], from: '16:00', to: '18:00', timeZone: 'UTC' }],
    ['an hour that is none', { weekdays: ['fri'], from: '25:00', to: '18:00', timeZone: 'UTC' }],
    ['no length', { weekdays: ['fri'], from: '16:00', to: '16:00', timeZone: 'UTC' }],
    ['a moment without an offset', { from: '2026-12-23T18:00:00', to: '2027-01-02T06:00:00Z' }],
    ['an end before its beginning', { from: '2027-01-02T06:00:00Z', to: '2026-12-23T18:00:00Z' }],
    ['an unknown key', { weekdays: ['fri'], from: '16:00', to: '18:00', timeZone: 'UTC', zone: 'UTC' }],
  ])('with %s is refused with its path', (_, window) => {
    expect(() => windowsOf(window as FreezeInput)).toThrow(/planner\.freeze\.0/);
  });

  it('that all cutovers share comes first in each', () => {
    const [planner, bundler] = defineCutovers(
      [
        { id: 'planner', kind: 'component' },
        {
          id: 'bundler',
          kind: 'component',
          freeze: [{ name: 'own', from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' }],
        },
      ],
      { freeze: [{ name: 'all', from: '2026-02-01T00:00:00Z', to: '2026-02-02T00:00:00Z' }] },
    );
    expect(planner!.freeze!.map(({ name }) => name)).toEqual(['all']);
    expect(bundler!.freeze!.map(({ name }) => name)).toEqual(['all', 'own']);
    expect(() => defineCutovers([], { freze: [] } as object)).toThrow(/shared\.freze is not known here/);
  });
});
