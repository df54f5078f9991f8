/** Every condition code reads rightly on the page, on the terminal and in JSON, whatever its figures are. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seenAndLimit } from '../../lib/cli/render.ts';
import { renderExplanation } from '../../lib/cli/render-verdict.ts';
import { type Condition, idOf } from '../../lib/core/conditions/condition.ts';
import { figureText, UNITS, type Unit } from '../../lib/core/conditions/figures.ts';
import { type Release, releaseText, WAIT_KINDS } from '../../lib/core/conditions/release.ts';
import { conditionText, labelOf, type ShownCondition, show, showVerdict } from '../../lib/core/conditions/show.ts';
import { readCondition, storedVerdict } from '../../lib/core/conditions/stored.ts';
import { CONDITION_CODES, type ConditionCode, rowOf } from '../../lib/core/conditions/table.ts';
import { conditionLine } from '../../lib/dashboard/condition-lines.ts';
import type { CutoverReport } from '../../lib/flows/report/report.ts';
import { shownCondition } from '../../lib/schemas/condition.ts';
import { readFigure, shownPrecision } from '../helpers/read-figure.ts';
import { verdictOf } from './samples.ts';

const word = fc.stringMatching(/^[a-z][a-z_0-9]{0,12}$/);
const sentence = word.map((text) => `Seen ${text}.`);
const epoch = fc.integer({ min: 0, max: 4e12 });

const NUMBERS: Readonly<Record<Unit, fc.Arbitrary<number>>> = {
  rate: fc.double({ min: 0, max: 1.5, noNaN: true }),
  percent: fc.double({ min: 0, max: 100, noNaN: true }),
  ms: fc.double({ min: 0, max: 4e9, noNaN: true }),
  minutes: fc.double({ min: 0, max: 1e6, noNaN: true }),
  count: fc.integer({ min: 0, max: 1e12 }),
  evidence: fc.double({ min: 0, max: 1e13, noNaN: true }),
  times: fc.double({ min: 0, max: 1_000, noNaN: true }),
  word: fc.integer({ min: 0, max: 1e6 }),
};

const releases: fc.Arbitrary<Release> = fc.oneof(
  fc.record({ command: fc.array(word, { minLength: 2, maxLength: 6 }), does: word }),
  fc.record({ wait: fc.constantFrom(...WAIT_KINDS), etaMs: epoch, untilMs: epoch }),
  fc.record({
    wait: fc.constantFrom(...WAIT_KINDS),
    aboutMinutes: fc.option(fc.double({ min: 0, max: 1e6, noNaN: true })),
  }),
  fc.record({ person: word }),
);

function conditionsOf(code: ConditionCode): fc.Arbitrary<Condition> {
  const { unit, named } = rowOf(code);
  const units = typeof unit === 'string' ? [unit] : unit;
  return fc.constantFrom(...units).chain((one) => {
    const figure = fc.oneof(
      { weight: 4, arbitrary: NUMBERS[one] },
      { weight: 1, arbitrary: word },
      { weight: 1, arbitrary: fc.constant(null) },
    );
    return fc.record({
      code: fc.constant(code),
      ...(named === undefined ? {} : { name: word }),
      ok: fc.constant(false),
      seen: figure,
      limit: figure,
      unit: fc.constant(one),
      says: fc.oneof(sentence, fc.constant('')),
      release: fc.array(releases, { minLength: 1, maxLength: 3 }),
    }) as fc.Arbitrary<Condition>;
  });
}

const reportOf = (condition: Condition) =>
  ({
    id: 'customer',
    stage: 'test_1',
    stageKind: 'ramp',
    health: 'held',
    pending: null,
    paused: false,
    switches: { shadowReads: true, shadowWrites: true },
    blind: null,
    next: { text: 'test_10' },
    rollback: null,
    steps: [],
    verdict: showVerdict(verdictOf('hold', [condition])),
  }) as unknown as CutoverReport;

type Figures = Pick<Condition, 'code' | 'seen' | 'limit' | 'unit'>;

/** Whether a text shows a figure in its unit, to the digits that it shows. */
function shows(text: string, which: 'seen' | 'limit', { code, unit, ...figures }: Figures): boolean {
  const value = figures[which];
  if (value === null || typeof value === 'string') return text === (value ?? '–');
  if (unit === 'word') return text === String(value);
  if (unit === 'evidence') return showsPartOfProof(text, value, figures.limit, rowOf(code).want === 'at_least');
  const read = readFigure(text, unit);
  return read !== null && Math.abs(read - value) <= shownPrecision(value, unit);
}

/** Evidence itself is for programs. It is multiplied: √limit is half of the way. */
function showsPartOfProof(text: string, value: number, limit: Condition['limit'], proof: boolean): boolean {
  if (typeof limit !== 'number' || limit <= 1) return text === '–';
  const part = Number(text.replace(/ %$/, '')) / 100;
  const gone = value <= 1 ? 0 : proof && value > limit ? 1 : Math.log2(value) / Math.log2(limit);
  return part <= gone + 1e-9 && gone < part + 0.0101;
}

describe.each(CONDITION_CODES)('%s', (code) => {
  it('has its label, figures, unit and release on the page, on the terminal and in JSON', () => {
    fc.assert(
      fc.property(conditionsOf(code), (condition) => {
        const { seen, limit, unit } = condition;
        const shown = show(condition);
        const line = conditionLine(shown);
        expect(line.label).toBe(labelOf(condition));
        expect(line.label).not.toBe('');
        expect([shows(line.seen, 'seen', condition), shows(line.limit, 'limit', condition)]).toEqual([true, true]);
        expect(line.releases).toBe(releaseText(condition.release));
        expect(line.releases).toMatch(/\S.*\.$/s);

        const terminal = renderExplanation(reportOf(condition), 100_000);
        // Where no stage advances by itself none is held: what comes next says so instead.
        const told = code === 'stage' ? expect(terminal).not : expect(terminal);
        told.toContain(`✗ ${idOf(condition)}`);
        if (code !== 'stage') {
          told.toContain(conditionText(condition));
          told.toContain(line.releases);
        }
        const figures = / \((.*?)(?:, limit (.*))?\)$/.exec(seenAndLimit(shown));
        expect(figures === null).toBe(seen === null);
        if (figures) expect(shows(figures[1]!, 'seen', condition)).toBe(true);
        if (figures)
          expect(figures[2] === undefined ? limit === null : shows(figures[2], 'limit', condition)).toBe(true);

        const json = JSON.parse(JSON.stringify(shown)) as ShownCondition;
        expect(shownCondition.parse(json)).toEqual(shown);
        expect(json).toMatchObject({ label: line.label, row: code, seen, value: seen, limit, unit });
        expect(json.release).toEqual(condition.release);
      }),
      { numRuns: 25 },
    );
  });

  it('is read back from the store as it was written', () => {
    fc.assert(
      fc.property(conditionsOf(code), (condition) => {
        const stored = JSON.parse(JSON.stringify(storedVerdict(verdictOf('hold', [condition]))));
        expect(stored.reasons.map(readCondition)).toEqual([condition]);
      }),
      { numRuns: 15 },
    );
  });
});

const READ_BACK = UNITS.filter((unit) => unit !== 'word' && unit !== 'evidence');

describe.each(READ_BACK)('a figure in %s', (unit) => {
  it('can be read back to the digits that are shown, however thousands are set apart', () => {
    fc.assert(
      fc.property(NUMBERS[unit], fc.constantFrom('', ',', '\u202f'), (value, group) => {
        const read = readFigure(figureText(value, unit, group), unit);
        expect(read).not.toBeNull();
        expect(Math.abs(read! - value)).toBeLessThanOrEqual(shownPrecision(value, unit));
      }),
    );
  });

  it('is not taken for one in another unit', () => {
    const shown = figureText(181_800, unit);
    const mistaken = READ_BACK.filter((other) => {
      const read = other === unit ? null : readFigure(shown, other);
      return read !== null && Math.abs(read - 181_800) <= shownPrecision(181_800, other);
    });
    expect(mistaken).toEqual([]);
  });
});
