/** What comes next of a cutover, and the rows of its gate table, at their edges. */

import { expect, it } from 'vitest';
import { condition } from '../../../lib/core/conditions/condition.ts';
import type { Release } from '../../../lib/core/conditions/release.ts';
import { show } from '../../../lib/core/conditions/show.ts';
import type { ConditionCode } from '../../../lib/core/conditions/table.ts';
import type { MinuteWindow } from '../../../lib/core/gates/minute-window.ts';
import { emptyWindow } from '../../../lib/core/gates/minute-window.ts';
import { gateTable, isNormal } from '../../../lib/core/look/gate-table.ts';
import { nextOf } from '../../../lib/core/look/next.ts';
import { held, judged } from '../../helpers/judged.ts';
import { combinations, said } from '../../helpers/said.ts';
import { declarationOf, NOW, STAGES, type StageName, stateIn, systemOf, verdictOf } from '../../property/samples.ts';

const MINUTE = 60_000;
const page = (name: string) => `../../fixtures/said/${name}.txt`;
const STAGE_NAMES = Object.keys(STAGES) as StageName[];
const _UNDER_WAY = ['dual_write', 'r1', 'full_100'] as const;
it('what comes next', async () => {
  const releases: Record<string, Release | Release[]> = {
    nothing: [],
    'a person': { person: 'Somebody' } as Release,
    eta: { wait: 'window_ends', etaMs: 150_000 },
    until: { wait: 'window_ends', untilMs: NOW + 90_000 },
    'until past': { wait: 'window_ends', untilMs: NOW - 1 },
    about: { wait: 'healthy_operations', aboutMinutes: 7.25 },
    never: { wait: 'healthy_operations', aboutMinutes: null },
    unknown: { wait: 'catch_up' },
    'give up': { wait: 'give_up', untilMs: NOW + 90_000 } as Release,
    'a person or time': [{ person: 'Somebody' } as Release, { wait: 'catch_up', aboutMinutes: 3 }],
  };
  const names = Object.keys(releases);
  const codes: ConditionCode[] = ['lag', 'samples', 'dwell'];
  const waits = [
    ...names.map((name) => [name]),
    ...names.map((name) => ['about', name]),
    ['unknown', 'never', 'about'],
    ['unknown', 'unknown', 'unknown'],
    ['a person', 'a person', 'a person', 'eta'],
  ];
  await expect(
    [
      said('of what waits', combinations({ waits, stage: ['r1', 'full_100'] as const }), ({ waits: some, stage }) =>
        nextOf(
          judged(
            stateIn(stage),
            verdictOf(
              'hold',
              some.map((name, i) => held(codes[i % 3]!, { release: releases[name]! })),
            ),
          ),
        ),
      ),
      said(
        'of each stage',
        combinations({
          stage: STAGE_NAMES,
          verdict: ['advance', 'hold', 'rollback'] as const,
          auto: [true, false],
          stop: [false, true],
        }),
        ({ stage, verdict, auto, stop }) =>
          nextOf(
            judged(stateIn(stage), verdictOf(verdict), {
              policy: { ...declarationOf().policy, autoAdvance: auto, autoRollback: auto },
              system: systemOf({ emergencyStop: stop as never }),
            }),
          ),
      ),
    ].join('\n'),
  ).toMatchFileSnapshot(page('next'));
});

it('rows of the gate table', async () => {
  const shadowWindow = (minutesAgo: number, over: Partial<MinuteWindow>) => ({
    ...emptyWindow(NOW / MINUTE - minutesAgo, 'shadow'),
    ...over,
  });
  const rows = combinations({
    code: ['lag', 'score' as never, 'samples', 'errors', 'dwell', 'mismatches'] as ConditionCode[],
    seen: [null, 0, 1, 2, 3],
    ok: [true, false],
    fired: [false, true],
  }).filter(({ code }) => (code as string) !== 'score');
  const series = combinations({ minutes: [5, 6, 15, 16], grows: [-1, 0, 1], of: ['errors', 'mismatches'] as const });
  const trends = combinations({
    code: ['lag', 'samples', 'errors'] as ConditionCode[],
    about: [undefined, null, 5],
    ok: [true, false],
  });
  const verdict = (conditions: unknown[]) => ({ ...verdictOf('hold'), conditions }) as never;
  await expect(
    [
      said(
        'in their order',
        [
          rows.filter((_, i) => i % 3 === 0),
          rows.filter((_, i) => i % 3 === 1),
          rows.filter((_, i) => i % 3 === 2),
        ].map((_, i) => i),
        (third) => {
          const conditions = rows
            .filter((_, i) => i % 3 === third)
            .map(({ fired, ...one }, i) =>
              show(condition(one.code as 'lag', { ok: one.ok, seen: one.seen, limit: 2, says: String(i) }), fired),
            );
          return gateTable({ verdict: verdict(conditions), table: null, windows: [] }, NOW, ',').map(
            ({ code, says, waits, seen, limit }) => [code, says, waits, seen, limit].join(' '),
          );
        },
      ),
      said('the normal course', rows.slice(0, 30), ({ code, seen, ok, fired }) =>
        isNormal(show(condition(code as 'lag', { ok, seen, limit: 2 }), fired)),
      ),
      said('the trend of a series', series, ({ minutes, grows, of }) => {
        const windows = Array.from({ length: minutes }, (_, i) =>
          shadowWindow(i + 1, { count: 1_000, checks: 1_000, [of]: 50 - grows * i * 2 }),
        );
        const primary = windows.map((window) => ({ ...window, side: 'primary' as const, [of]: 0 }));
        return gateTable(
          {
            verdict: verdict([show(condition(of, { ok: true, seen: 0.1, limit: 0.2 }))]),
            table: null,
            windows: [...windows, ...primary],
          },
          NOW,
          ',',
        )[0]!.trend;
      }),
      said('the trend by the way to the limit', trends, ({ code, about, ok }) => {
        const release = about === undefined ? [] : { wait: 'catch_up' as const, aboutMinutes: about };
        return gateTable(
          {
            verdict: verdict([show(condition(code as 'lag', { ok, seen: 1, limit: 2, release }))]),
            table: null,
            windows: [],
          },
          NOW,
          ',',
        )[0]!;
      }),
    ].join('\n'),
  ).toMatchFileSnapshot(page('gate-table'));
});
