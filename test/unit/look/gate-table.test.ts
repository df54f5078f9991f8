/** The rows of the gate table by themselves: their order, what only waits, and what the way to the limit says of the trend. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { condition } from '../../../lib/core/conditions/condition.ts';
import { waitsAbout } from '../../../lib/core/conditions/release.ts';
import { type ShownCondition, show } from '../../../lib/core/conditions/show.ts';
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
});
