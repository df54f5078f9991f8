/** The rows of the gate table by themselves: their order, what only waits, and what the way to the limit says of the trend. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { condition } from '../../../lib/core/conditions/condition.ts';
import { waitsAbout } from '../../../lib/core/conditions/release.ts';
import { type ShownCondition, show } from '../../../lib/core/conditions/show.ts';
import { emptyWindow, type MinuteWindow } from '../../../lib/core/gates/minute-window.ts';
import { type Gate, gateTable } from '../../../lib/core/look/gate-table.ts';
import { NOW, verdictOf } from '../../property/samples.ts';

const table = (...conditions: ShownCondition[]): Gate[] =>
  gateTable({ verdict: { ...verdictOf('hold'), conditions } as never, table: null, windows: [] }, NOW, ',');

describe('a row of the gate table', () => {
  it.each([
    ['dwell', false, false, true],
    ['dwell', false, true, false],
    ['dwell', true, false, false],
    ['lag', false, false, false],
  ] as const)('%s, ok %s, fired %s: waits %s', (code, ok, fired, waits) => {
    expect(table(show(condition(code, { ok, seen: 1, limit: 2 }), fired))[0]).toMatchObject({ waits });
  });

  it('says from how many rows, operations or comparisons it was found, and null where it counts none', () => {
    const verification = { rowsCompared: 70, divergences: 0, score: 1, atMs: NOW, samples: [] };
    const samples = (code: 'verification' | 'errors' | 'validation' | 'lag', of: typeof verification | null) => {
      const conditions = [show(condition(code, { ok: true, seen: 1, limit: 2 }))];
      const verdict = { ...verdictOf('hold'), conditions } as never;
      return [null, { verification: of }].map(
        (table) => gateTable({ verdict, table, windows: [] }, NOW, ',')[0]!.samples,
      );
    };
    const { shadow, checks } = verdictOf('hold').evidence;
    expect(samples('verification', verification)).toStrictEqual([null, 70]);
    expect(samples('verification', null)).toStrictEqual([null, null]);
    expect(samples('errors', verification)).toStrictEqual([shadow.count, shadow.count]);
    expect(samples('validation', verification)).toStrictEqual([checks, checks]);
    expect(samples('lag', verification)).toStrictEqual([null, null]);
  });

  it('stands before what is further from its limit, within its group', () => {
    const row = fc.record({
      seen: fc.option(fc.integer({ min: 0, max: 200 }), { nil: null }),
      ok: fc.boolean(),
      fired: fc.boolean(),
    });
    type Row = { seen: number | null; ok: boolean; fired: boolean };
    const place = ({ seen, ok, fired }: Row) =>
      (fired ? 4 : ok ? 0 : 2) + (seen !== null ? Math.min(1, seen / 100) : ok ? 0 : 1);
    fc.assert(
      fc.property(fc.array(row, { maxLength: 8 }), (rows) => {
        const shown = rows.map(({ seen, ok, fired }, i) =>
          show(condition('lag', { ok, seen, limit: 100, says: `row ${i}` }), fired),
        );
        const places = table(...shown).map(({ says }) => place(rows[Number(says.replace('row ', ''))]!));
        expect(places).toEqual(places.toSorted((a, b) => b - a));
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['samples', 5, 'rising'],
    ['samples', null, 'steady'],
    ['lag', 5, 'falling'],
    ['lag', null, 'steady'],
  ] as const)('%s, about %s minutes from its limit, is %s', (code, minutes, trend) => {
    const release = waitsAbout('healthy_operations', minutes);
    expect(table(show(condition(code, { ok: false, seen: 1, limit: 2, release })))[0]).toMatchObject({ trend });
    expect(table(show(condition(code, { ok: true, seen: 1, limit: 2, release })))[0]).toMatchObject({ trend: null });
  });

  const trend = (
    row: 'errors' | 'latency_p50' | 'latency_p95' | 'latency_p99' | 'mismatches',
    parts: readonly Part[],
  ) => {
    const last = Math.floor(NOW / 60_000);
    const windows = parts.map((part, i) => ({ ...emptyWindow(last - parts.length + i, 'shadow'), ...part }));
    const conditions = [show(condition(row, { ok: true, seen: 1, limit: 2 }))];
    return gateTable({ verdict: { ...verdictOf('hold'), conditions } as never, table: null, windows }, NOW, ',')[0]!
      .trend;
  };
  type Part = Partial<MinuteWindow>;
  const minutes = (count: number, part: (i: number) => Part): readonly Part[] =>
    Array.from({ length: count }, (_, i) => part(i));

  it('says where the share goes, and not the traffic', () => {
    const rising = minutes(6, (i) => ({ count: 100 - i, errors: 5, checks: 50 - i, mismatches: 2 }));
    const falling = rising.toReversed();
    const growing = minutes(6, (i) => ({ count: 10 * i + 10, errors: i + 1, checks: 5 * i + 5, mismatches: i + 1 }));
    for (const row of ['errors', 'mismatches'] as const) {
      expect([rising, falling, growing].map((parts) => trend(row, parts))).toEqual(['rising', 'falling', 'steady']);
      expect(
        trend(
          row,
          minutes(15, () => ({})),
        ),
      ).toBeNull();
    }
  });

  it.each([
    ['latency_p50', 0.5],
    ['latency_p95', 0.95],
    ['latency_p99', 0.99],
  ] as const)('of %s goes by that quantile', (row, quantile) => {
    // Of a hundred operations the one at the quantile takes longer each minute, and those beyond it less long.
    const slower = (i: number, at: number) => ({ 10: at, [20 + i]: 1, [40 - i]: 99 - at });
    const parts = minutes(8, (i) => ({ count: 100, latency: slower(i, 100 * quantile - 1) }));
    expect([trend(row, parts), trend(row, parts.toReversed())]).toEqual(['rising', 'falling']);
  });

  it('takes six minutes of the last fifteen, and more than chance', () => {
    const up = (i: number) => ({ count: 100, errors: i });
    expect([5, 6].map((count) => trend('errors', minutes(count, up)))).toEqual([null, 'rising']);
    // What is older than fifteen minutes falls, and is not looked at.
    expect(
      trend(
        'errors',
        minutes(60, (i) => up(i < 45 ? 90 - i : i - 40)),
      ),
    ).toBe('rising');
    // Six minutes with ten of fifteen pairs rising: z = 1.69.
    expect(trend('errors', [1, 2, 0, 4, 3, 5].map(up))).toBe('steady');
  });
});
