/** What is drawn: values, limits, intervals and axes, from what the report has. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { builtInPlan, FULL_SHARE_PPM, servedPpm } from '../../../lib/core/cutover/plan.ts';
import { bucketIndex } from '../../../lib/core/gates/histogram.ts';
import type { MinuteWindow } from '../../../lib/core/gates/minute-window.ts';
import { differenceInterval, Z_95 } from '../../../lib/core/gates/statistics.ts';
import { nextEntry } from '../../../lib/core/stage/audit.ts';
import type { Event } from '../../../lib/core/stage/events.ts';
import { axisOf } from '../../../lib/dashboard/axis.ts';
import { type CutoverView, cutoverData } from '../../../lib/dashboard/data.ts';
import { plannedShares } from '../../../lib/dashboard/planned-share.ts';
import { type Plot, plotsOf } from '../../../lib/dashboard/plots.ts';
import * as scenes from '../../helpers/dashboard-reports.ts';

const { NOW } = scenes;
const MINUTE = 60_000;
const plan = builtInPlan('gradual');

async function card(actor: Parameters<typeof scenes.scene>[0][number]): Promise<CutoverView> {
  const { one, audit } = await scenes.scene([actor]);
  return cutoverData(await one(actor.id), audit).cutover as CutoverView;
}

const titled = (plots: readonly Plot[], title: string) => plots.find((plot) => plot.title === title)!;
const lineOf = ({ lines }: Plot, name: string, label = '') =>
  lines.find((line) => line.name === name && line.label === label)!;

describe('the plots', () => {
  const minute = Math.floor(NOW / MINUTE) - 1;
  const window = { side: 'shadow', errors: 1, keyless: 0, checks: 0, mismatches: 0 } as const;
  const drawn = (windows: readonly MinuteWindow[]) =>
    plotsOf(
      {
        windows,
        looks: [],
        limits: { errorRate: 0.05, p95Ms: 250, lagMs: 30_000 },
        table: null,
        plan,
        stage: 'test_10',
        sharePpm: 100_000,
      },
      { entries: [], isWhole: true },
      NOW,
    );

  it('have one value for each closed minute, merged over windows, and none where nothing was recorded', () => {
    const { startMinute, plots } = drawn([
      { ...window, minute, count: 3, latency: { [bucketIndex(10)]: 3 } },
      { ...window, minute, count: 1, latency: { [bucketIndex(80)]: 1 } },
      { ...window, minute: minute + 1, count: 9, latency: {} },
    ]);
    const [latency, errors] = [titled(plots, 'Latency'), titled(plots, 'Errors')];
    expect([startMinute, latency.lines[0]!.values.length]).toEqual([minute - 59, 60]);
    expect(lineOf(errors, 'Shadow (new)').values.at(-1)).toBe(0.5);
    expect(Math.abs(lineOf(latency, 'Shadow (new)', 'p50').values.at(-1)! / 10 - 1)).toBeLessThan(0.011);
    expect(Math.abs(lineOf(latency, 'Shadow (new)', 'p95').values.at(-1)! / 80 - 1)).toBeLessThan(0.011);
    expect(lineOf(latency, 'Shadow (new)', 'p50').values[0]).toBeNull();
    expect(lineOf(errors, 'Primary (old)').values.every((value) => value === null)).toBe(true);
  });

  it('show errors, p50, p95, p99, the split, lag and outbox of a table on its way, with their limits', async () => {
    const { plots } = (await card(scenes.cold)).plots;
    expect(plots.map(({ title }) => title)).toEqual([
      'Latency',
      'Errors',
      'Reads on the shadow',
      'Comparisons that failed, a minute',
      'Lag',
      'Outbox',
    ]);
    expect(titled(plots, 'Latency').lines.map(({ name, label }) => `${name} ${label}`)).toEqual(
      ['Primary (old)', 'Shadow (new)'].flatMap((name) => ['p50', 'p95', 'p99'].map((label) => `${name} ${label}`)),
    );
    const p95 = lineOf(titled(plots, 'Latency'), 'Primary (old)', 'p95').values.at(-1)!;
    expect(titled(plots, 'Latency').limit).toBeGreaterThan(p95);
    expect(titled(plots, 'Latency').cut).toHaveLength(1);
    expect(titled(plots, 'Errors').limit).toBeGreaterThan(
      lineOf(titled(plots, 'Errors'), 'Primary (old)').values.at(-1)!,
    );
    expect(titled(plots, 'Lag').limit).toBe(30_000);
    // Of thirty looks the newest belongs to the open minute.
    const waiting = lineOf(titled(plots, 'Outbox'), 'Changes waiting').values;
    expect(waiting.filter((value) => value !== null)).toHaveLength(29);
  });

  it('show how far the copy came while it runs, and not after it', async () => {
    const { plots } = (await card(scenes.copying)).plots;
    const copied = lineOf(titled(plots, 'Copy'), 'Rows copied').values.filter((value) => value !== null);
    expect(copied.length).toBeGreaterThan(5);
    expect(copied).toEqual(copied.toSorted((a, b) => a - b));
  });

  it('show what was planned beside what was observed', async () => {
    const { plots } = (await card(scenes.serving)).plots;
    const split = titled(plots, 'Reads on the shadow');
    const planned = lineOf(split, 'Planned').values;
    expect([planned[0], planned.at(-1)]).toEqual([0.01, 0.1]);
    expect(planned.filter((share, index) => index > 0 && share !== planned[index - 1])).toEqual([0.1]);
    const { values, band } = lineOf(split, 'Observed');
    expect(Math.abs(values.at(-1)! - 0.1)).toBeLessThan(0.02);
    expect([band!.low.at(-1)! < values.at(-1)!, band!.high.at(-1)! > values.at(-1)!]).toEqual([true, true]);
  });

  it('tell kinds of failed comparisons apart', () => {
    const { plots } = drawn([
      { ...window, minute, count: 9, latency: {}, checks: 5, mismatches: 2, incomparable: 1, pairs: 7, onlyShadow: 3 },
    ]);
    const kinds = titled(plots, 'Comparisons that failed, a minute').lines;
    expect(kinds.map(({ name, values }) => [name, values.at(-1)])).toEqual([
      ['Answers differ', 2],
      ['Not comparable', 1],
      ['Shadow alone failed', 3],
    ]);
  });

  it('have the interval of the gates around errors, wider the fewer operations there are', () => {
    const at = (count: number) => {
      const { plots } = drawn([{ ...window, minute, count, errors: count / 10, latency: { [bucketIndex(5)]: count } }]);
      const { low, high } = lineOf(titled(plots, 'Errors'), 'Shadow (new)').band!;
      return [low.at(-1)!, high.at(-1)!] as const;
    };
    const [few, many] = [at(10), at(1_000)];
    expect(few[1] - few[0]).toBeGreaterThan(5 * (many[1] - many[0]));
    // Beside a side of no width the difference of the gates is the same interval.
    const sure = differenceInterval({ rate: 0, n: 1e12 }, { rate: 0.1, n: 10 }, Z_95);
    expect(few[0]).toBeCloseTo(sure.low, 3);
    expect(few[1]).toBeCloseTo(sure.high, 3);
  });

  it('have no plot of what nothing is known of', async () => {
    expect((await card(scenes.notStarted)).plots.plots).toEqual([]);
  });
});

describe('the axis', () => {
  const of = (values: readonly (number | null)[], limit: number | null = null, unit: Plot['unit'] = 'ms') =>
    axisOf({ unit, lines: [{ values }], limit }, 1);
  const steady = Array.from({ length: 30 }, (_, i) => 10 + (i % 3));

  it('cuts off one cold minute, and two, and says which', () => {
    expect(of([...steady, 900])).toEqual({ top: 13.8, cut: [{ index: 30, value: 900 }] });
    expect(of([700, ...steady, 900]).cut).toEqual([
      { index: 31, value: 900 },
      { index: 0, value: 700 },
    ]);
  });

  it('shows in full what lasts, what is not far above, and failures', () => {
    expect(of([...steady, 900, 880, 870])).toEqual({ top: 1035, cut: [] });
    expect(of([...steady, 30]).cut).toEqual([]);
    expect(of([...steady.map(() => 0.001), 0.9], null, 'rate')).toEqual({ top: 1.035, cut: [] });
  });

  it('holds a limit that is near, and leaves out one that would flatten the lines', () => {
    expect(of(steady, 20).top).toBe(23);
    expect(of(steady, 250).top).toBe(13.8);
  });

  it('holds every value that is not named as cut off', () => {
    fc.assert(
      fc.property(
        fc.array(fc.option(fc.double({ min: 0, max: 1e6, noNaN: true })), { maxLength: 60 }),
        fc.option(fc.double({ min: 0, max: 1e6, noNaN: true })),
        (values, limit) => {
          const { top, cut } = of(values, limit);
          const named = new Set(cut.map(({ index }) => index));
          const above = values.filter((value, index) => value !== null && value > top && !named.has(index));
          expect([above, top > 0, cut.length <= 2]).toEqual([[], true, true]);
        },
      ),
      { seed: 7 },
    );
  });
});

describe('the planned share', () => {
  const share = (name: string) => servedPpm(plan.stages.find((stage) => stage.name === name)!, plan) / FULL_SHARE_PPM;
  const happened: [minutesAgo: number, Event][] = [
    [50, { type: 'started', plan }],
    [40, { type: 'advanced', from: 'dual_write', to: 'test_1', forced: false }],
    [30, { type: 'advanced', from: 'test_1', to: 'test_10', forced: false }],
    [25, { type: 'reads_switched', to: 'primary', reason: '' }],
    [20, { type: 'reads_switched', to: 'shadow', reason: '' }],
    [10, { type: 'rolled_back', from: 'test_10', reason: '', cause: 'guard' }],
  ];
  const entries = happened
    .map(([ago, event]) =>
      nextEntry<Event>(
        { auditSeq: 0, auditHash: '' },
        { subject: 'a', atMs: NOW - ago * MINUTE, actor: 'tick', event, version: 1, epoch: 1 },
      ),
    )
    .toReversed();
  const now = { plan, stage: 'rolled_back', sharePpm: 0 };
  const ends = [60, 45, 35, 27, 22, 15, 5].map((ago) => NOW - ago * MINUTE);

  it('is what the stage and the switches of each moment said', () => {
    expect(plannedShares(now, entries, ends, true)).toEqual([
      0,
      0,
      share('test_1'),
      share('test_10'),
      0,
      share('test_10'),
      0,
    ]);
  });

  it('is not known before the oldest entry of a longer log', () => {
    expect(plannedShares(now, entries.slice(0, 3), ends, false).slice(0, 5)).toEqual([null, null, null, null, 0]);
  });
});
