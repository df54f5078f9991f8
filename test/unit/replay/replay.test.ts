/** Replays of recorded minutes: the samples with what is expected of them, and files that are not what they should be. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { replay } from '../../../lib/core/replay/replay.ts';
import { readJsonRows } from '../../../lib/schemas/json-rows.ts';
import { readTrace } from '../../../lib/schemas/replay.ts';
import { cli } from '../../helpers/fake-api.ts';

const FOLDER = join(import.meta.dirname, '../../fixtures/replay');
const read = (file: string) => readFileSync(join(FOLDER, file), 'utf8');

describe.each(readdirSync(FOLDER))('the sample %s', (file) => {
  it('gets the verdicts that are expected of it', () => {
    const { expect: expected } = JSON.parse(read(file));
    const minutes = [...replay(readTrace(read(file), file))];
    const advance = minutes.find(({ verdict }) => verdict === 'advance')?.minute ?? Number.POSITIVE_INFINITY;
    const rollback = minutes.find(({ verdict }) => verdict === 'rollback')?.minute ?? Number.POSITIVE_INFINITY;
    if (expected.mustNotRollback) expect(rollback).toBe(Number.POSITIVE_INFINITY);
    if (expected.mustNotAdvance) expect(advance).toBe(Number.POSITIVE_INFINITY);
    if (expected.mustAdvanceByMinute) expect(advance).toBeLessThanOrEqual(expected.mustAdvanceByMinute);
    if (expected.mustRollbackByMinute) expect(rollback).toBeLessThanOrEqual(expected.mustRollbackByMinute);
    if (expected.mustNotRollbackBeforeMinute)
      expect(rollback).toBeGreaterThanOrEqual(expected.mustNotRollbackBeforeMinute);
    if (expected.mustNotAdvanceBeforeRollback) expect(advance).toBe(Number.POSITIVE_INFINITY);
  });
});

/** Three hours of a stage of 10 % with a healthy shadow, whose rows go through `spoil`. */
function traceOf(spoil: (row: Row) => Row | null, lateMinutes = 0): string {
  const row = (minute: number, path: string, count: number): Row => ({
    minute,
    path,
    count,
    errors: 0,
    latency: [10, count],
  });
  const rows: Row[] = [];
  for (let minute = -60; minute <= 180; minute += 1) {
    rows.push(row(minute, 'primary', minute < 1 ? 1_000 : 900));
    const told = minute - lateMinutes;
    const shadow = told < 1 ? null : spoil({ ...row(told, 'shadow', 100), checks: 100, mismatches: 0 });
    if (shadow) rows.push(shadow);
  }
  return JSON.stringify({ id: 'made', stage: { share: 0.1, startsAtMinute: 1 }, config: {}, rows });
}
type Row = { minute: number; path: string; count: number; errors: number; latency: number[] } & Partial<
  Record<'checks' | 'mismatches' | 'incomparable', number>
>;
const verdicts = (text: string) => new Set([...replay(readTrace(text, 'made'))].map(({ verdict }) => verdict));

describe('half of the hosts report late', () => {
  /** A row of half of the shadow's operations arrives so many minutes after its own. */
  const halfLate = (late: number, errors = 0): string => {
    const trace = JSON.parse(traceOf((row) => row));
    trace.rows = trace.rows.flatMap((row: Row) => {
      if (row.path !== 'shadow') return [row];
      const half = { ...row, count: 50, latency: [10, 50], checks: 50, errors };
      return [half, { ...half, source: 'b', late }];
    });
    return JSON.stringify(trace);
  };
  const minutesOf = (text: string) => [...replay(readTrace(text, 'made'))];

  it('within two minutes: everything is judged', () => {
    const minutes = minutesOf(halfLate(2));
    expect(new Set(minutes.map(({ verdict }) => verdict))).toEqual(new Set(['hold', 'advance']));
    expect(minutes.at(-1)!.evidence.shadow.count).toBeGreaterThan(17_000);
  });

  it('later: what they report is not judged, so the stage is held, and says how much', () => {
    const last = minutesOf(halfLate(4)).at(-1)!;
    expect(last.verdict).toBe('hold');
    const [reason] = last.reasons.filter(({ code }) => code === 'late_reports');
    expect(reason).toMatchObject({ limit: 0.01, value: expect.closeTo(0.05, 2) });
  });
});

describe('limits in absolute figures', () => {
  type Told = { errors?: number; drops?: number; memory?: number };
  /** What becomes of a healthy stage with these limits, of whose shadow every row tells so much more. */
  const endOf = (config: object, told: Told = {}) => {
    const trace = JSON.parse(traceOf((row) => ({ ...row, ...told })));
    const minutes = [...replay(readTrace(JSON.stringify({ ...trace, config }), 'made'))];
    const { minute, verdict, reasons } = minutes.at(-1)!;
    return { minute, verdict, codes: reasons.map(({ code }) => code) };
  };
  const gone = (minute: number, code: string) => ({ minute, verdict: 'rollback', codes: [code] });
  const stays = { verdict: 'advance' };
  /** So many errors are tolerated beside the primary. */
  const TOLERANT = { errorRateRollback: 0.5, errorRateAdvance: 0.4 };

  it.each<[string, object, Told, object]>([
    ['what its processes use of their memory', { memoryMax: 0.8 }, { memory: 0.9 }, gone(3, 'memory')],
    ['the same inside the limit', { memoryMax: 0.8 }, { memory: 0.7 }, stays],
    ['memory that no row tells', { memoryMax: 0.8 }, {}, { verdict: 'hold', codes: ['memory'] }],
    [
      'lost connections',
      { ...TOLERANT, connectionDropsMax: 0.02 },
      { errors: 10, drops: 10 },
      gone(3, 'connection_drops'),
    ],
    ['none of them', { connectionDropsMax: 0.02 }, { drops: 0 }, stays],
    ['operations that succeed', { ...TOLERANT, availabilityMin: 0.97 }, { errors: 20 }, gone(3, 'availability')],
    ['enough that succeed', { ...TOLERANT, availabilityMin: 0.97 }, { errors: 1 }, stays],
    ['a deadline', { stageMaxMinutes: 20, onDeadline: 'rollback' }, {}, gone(20, 'deadline')],
    ['a deadline that holds', { stageMaxMinutes: 20 }, {}, { verdict: 'hold', codes: ['deadline'] }],
  ])('%s', (_, config, told, end) => expect(endOf(config, told)).toMatchObject(end));
});

describe('comparisons that cannot be judged', () => {
  const last = (incomparable: number) =>
    [
      ...replay(
        readTrace(
          traceOf((row) => (row.path === 'shadow' ? { ...row, incomparable } : row)),
          'made',
        ),
      ),
    ].at(-1)!;

  it('hold where they are more than one in a hundred, and say so', () => {
    expect(last(1).verdict).toBe('advance');
    const { verdict, reasons } = last(2);
    expect(verdict).toBe('hold');
    const [reason] = reasons.filter(({ code }) => code === 'incomparable_answers');
    expect(reason).toMatchObject({ limit: 0.01, value: expect.closeTo(2 / 102) });
    expect(last(Number.NaN).verdict).toBe('hold');
  });
});

describe('I22 a shadow that reports, but nothing that can be used', () => {
  it('advances when nothing is spoilt (control)', () => {
    expect(verdicts(traceOf((row) => row))).toEqual(new Set(['hold', 'advance']));
  });

  it.each<[string, (row: Row) => Row, number]>([
    ['more errors than operations', (row) => ({ ...row, errors: row.count + 1 }), 0],
    ['more mismatches than checks', (row) => ({ ...row, mismatches: 101 }), 0],
    ['a negative count', (row) => ({ ...row, count: -1 }), 0],
    ['a histogram of other operations', (row) => ({ ...row, latency: [10, row.count + 5] }), 0],
    ['an empty histogram', (row) => ({ ...row, latency: [] }), 0],
    ['a count that is no number, which JSON writes as null', (row) => ({ ...row, count: Number.NaN }), 0],
    ['a negative bucket', (row) => ({ ...row, latency: [10, row.count + 5, -5] }), 0],
    ['ten minutes late', (row) => row, 10],
  ])('%s: neither advances nor is taken for a black hole', (_, spoil, lateMinutes) => {
    expect(verdicts(traceOf(spoil, lateMinutes))).toEqual(new Set(['hold']));
  });

  it('says of what waits how long it would have taken at the rate of that minute', () => {
    const waiting = [
      ...replay(
        readTrace(
          traceOf((row) => row),
          'made',
        ),
      ),
    ][2]!.reasons;
    expect(waiting).toEqual([{ code: 'samples', value: 300, limit: 3_000, aboutMinutes: 27 }]);
  });

  it('holds, and never goes back, when readers are sent there and nothing ever comes: a shortfall is no proof', () => {
    const minutes = [
      ...replay(
        readTrace(
          traceOf(() => null),
          'made',
        ),
      ),
    ];
    expect(minutes.map(({ verdict }) => verdict)).not.toContain('rollback');
    expect(minutes.at(-1)!.reasons.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['data_missing', 'black_hole']),
    );
  });
});

describe('the rows of a file', () => {
  const rowsOf = (text: string) => {
    const json = readJsonRows(Buffer.from(text));
    return Array.from({ length: json.length }, (_, index) => json.row(index));
  };
  const value = fc.jsonValue({ maxDepth: 3 });
  const object = fc.record({ id: value, rows: fc.array(value), 'a "rows"': value, z: fc.constant({ rows: [1, [2]] }) });
  const written = fc.tuple(object, fc.constantFrom(0, 2));

  it('are those that JSON.parse finds, and the rest is the rest', () => {
    fc.assert(
      fc.property(written, ([given, spaces]) => {
        const text = JSON.stringify(given, null, spaces);
        expect(rowsOf(text)).toEqual(JSON.parse(text).rows);
        expect(readJsonRows(Buffer.from(text)).rest).toEqual({ ...JSON.parse(text), rows: [] });
      }),
    );
  });

  it('are refused exactly where JSON.parse refuses the file', () => {
    const throws = (run: () => unknown) => {
      try {
        run();
        return false;
      } catch {
        return true;
      }
    };
    const character = fc.constantFrom('"', '[', ']', '{', '}', ',', ':', '\\', '1', ' ', 'x', '');
    fc.assert(
      fc.property(written, fc.nat(), character, ([given, spaces], at, instead) => {
        const text = JSON.stringify(given, null, spaces);
        const place = at % text.length;
        const spoilt = text.slice(0, place) + instead + text.slice(place + 1);
        const parsed = throws(() => JSON.parse(spoilt));
        expect(throws(() => rowsOf(spoilt))).toBe(parsed);
      }),
      { numRuns: 1_000 },
    );
  });

  it('of a name that comes twice, spelt otherwise, or behind a byte order mark are found', () => {
    expect(rowsOf('{"rows":[1],"x":"rows","rows":[2,3]}')).toEqual([2, 3]);
    expect(rowsOf('\ufeff{"r\\u006fws" : [ {"a":"]"} , null ] }')).toEqual([{ a: ']' }, null]);
    expect(rowsOf('{"rows":[ \n ]}')).toEqual([]);
    expect(rowsOf('[{"rows":[1]}]')).toEqual([]);
  });
});

describe('crossfade replay', () => {
  it('answers with one JSON object by id, and ends a trace at its first rollback', async () => {
    const { exit, out } = await cli(['replay', join(FOLDER, 'errors-plus-10pp.json'), '--json']);
    expect(exit).toBe(0);
    const minutes = JSON.parse(out)['20-errors-plus-10pp'];
    expect(minutes.map(({ minute }: { minute: number }) => minute)).toEqual([1, 2, 3]);
    expect(minutes[2]).toMatchObject({ verdict: 'rollback', reasons: [{ code: 'errors', limit: 0.01 }] });
  });

  it.each([
    ['{', /is not JSON/],
    ['{"id":"x","stage":{"share":2},"rows":[]}', /stage\.share/],
    ['{"id":"x","stage":{"share":0.1},"rows":[{"minute":1.5,"path":"primary"}]}', /rows\.0\.minute/],
    ['{"id":"x","stage":{"share":0.1},"config":{"errorRateRollback":7},"rows":[]}', /config\.errorRateRollback/],
    ['{"id":"x","stage":{"share":0.1},"rows":[{"minute":1,"path":"primary"},{"minute":2,}]}', /rows\.1, is not JSON/],
    ['{"id":"x","stage":{"share":0.1},"rows":[{"minute":1e9,"path":"primary"}]}', /rows\.0\.minute/],
    ['{"id":"x","stage":{"share":0.1},"rows":[7]}', /rows\.0/],
    ['{"id":"x","stage":{"share":0.1},"rows":7}', /rows/],
    ['{"id":"x","stage":{"share":0.1}}', /rows/],
    [
      '{"id":"x","stage":{"share":0.1},"config":{"validationScoreAdvance":0.9,"validationScoreRollback":0.99},"rows":[]}',
      /config\.validationScoreAdvance.*below/,
    ],
    ['{"id":"x","stage":{"share":0.1},"config":{"consecutiveFailures":0},"rows":[]}', /config\.consecutiveFailures/],
    ['{"id":"x","stage":{"share":0.1},"config":{"errorRateAdvance":-0.1},"rows":[]}', /config\.errorRateAdvance/],
  ])('refuses %s with the file, the path and the reason', async (text, why) => {
    const directory = mkdtempSync(join(tmpdir(), 'crossfade-replay-'));
    try {
      const file = join(directory, 'bad.json');
      writeFileSync(file, text);
      const { exit, err } = await cli(['replay', file]);
      expect(exit).toBe(2);
      expect(err).toMatch(why);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
