/** What is judged of a cutover, how it is, what comes next and how its conditions are shown, at the edges of each. */

import { expect, it } from 'vitest';
import { type Condition, condition, idOf } from '../../../lib/core/conditions/condition.ts';
import type { Verdict } from '../../../lib/core/conditions/verdict.ts';
import { emptyWindow } from '../../../lib/core/gates/minute-window.ts';
import type { TableStatus } from '../../../lib/core/gates/table-status.ts';
import { blindOf } from '../../../lib/core/look/blind.ts';
import { HEALTHS, healthOf, healthText, pendingText } from '../../../lib/core/look/health.ts';
import { alertsOf, decideTick, judge, judgeAmong } from '../../../lib/core/look/judge.ts';
import { nextOf } from '../../../lib/core/look/next.ts';
import { held, intent, judged, snapshotOf } from '../../helpers/judged.ts';
import { combinations, said } from '../../helpers/said.ts';
import { declarationOf, NOW, STAGES, type StageName, stateIn, systemOf, verdictOf } from '../../property/samples.ts';

const MINUTE = 60_000;
const page = (name: string) => `../../fixtures/said/${name}.txt`;
const STAGE_NAMES = Object.keys(STAGES) as StageName[];
const UNDER_WAY = ['dual_write', 'r1', 'full_100'] as const;
it('judgements', async () => {
  const shape = { differences: [{ object: 'a', was: 'x', is: null }], sinceMs: null, gap: null };
  const tables = {
    none: null,
    armed: { armed: 'forward', mirror: { epoch: 3 } },
    unarmed: { armed: 'none', mirror: null },
    changed: { armed: 'forward', mirror: { epoch: 3 }, shape },
  };
  const tableOf = (name: keyof typeof tables) =>
    tables[name] &&
    ({
      lagMs: 0,
      outboxRows: 0,
      quarantined: 0,
      quarantine: [],
      backfill: { state: 'done', rowsDone: 1, rowsTotal: 1, rowsPerSecond: 0 },
      verification: null,
      foreignWrites: 0,
      ...tables[name],
    } as unknown as TableStatus);
  const shown = ({ verdict, conditions, heldSinceMs }: Verdict) => [
    verdict,
    ...conditions.filter(({ ok }) => !ok).map(idOf),
    heldSinceMs && (NOW - heldSinceMs) / MINUTE,
  ];
  const conditions = [held('flags'), condition('lag', { ok: true, seen: 1, limit: 2 })];
  const lasts = combinations({
    verdict: ['hold', 'advance'] as const,
    atMs: [-61, -60, -59].map((minutes) => NOW + minutes * MINUTE),
    since: [undefined, 5],
  });
  await expect(
    [
      said(
        'tables',
        combinations({
          stage: STAGE_NAMES,
          table: Object.keys(tables) as (keyof typeof tables)[],
          waits: [null, 'a lock'],
        }),
        ({ stage, table, waits }) => {
          const pending = waits === null ? {} : { pending: intent('promote') };
          return shown(judge(snapshotOf(stateIn(stage, pending), { table: tableOf(table), waits })).verdict);
        },
      ),
      said(
        'services',
        combinations({ stage: STAGE_NAMES, forwards: [null, { open: 1, quarantined: 1, lagMs: 0, more: false }] }),
        ({ stage, forwards }) => shown(judge(snapshotOf(stateIn(stage, {}, 'service'), { forwards })).verdict),
      ),
      said('since when', lasts, ({ verdict, atMs, since }) => {
        const before = {
          ...verdictOf(verdict),
          conditions: conditions.map((one) => ({ ...one, sinceMs: since })),
          heldSinceMs: 7,
        };
        const found = judge(
          snapshotOf(stateIn('r1'), { flagsDeployed: false, last: { atMs, verdict: before, evidence: null } as never }),
        ).verdict;
        return [
          found.heldSinceMs,
          found.conditions.map((one) => [idOf(one), one.ok, one.sinceMs === NOW ? 'now' : one.sinceMs]),
          found.reasons.map(({ sinceMs }) => sinceMs === NOW),
        ];
      }),
      said(
        'among peers, and by a tick',
        combinations({
          stage: UNDER_WAY,
          peer: [null, ...UNDER_WAY],
          verdict: ['advance', 'hold', 'rollback'] as const,
          stop: [false, true],
          autoAdvance: [true, false],
        }),
        ({ stage, peer, verdict, stop, autoAdvance }) => {
          const peers = peer === null ? [] : [{ id: 'other', state: stateIn(peer), verdict: verdictOf('hold') }];
          const own = judged(stateIn(stage), verdictOf(verdict), {
            system: systemOf({ emergencyStop: stop as never }),
            policy: { ...declarationOf().policy, autoAdvance },
          });
          return [judgeAmong(own, peers).verdict.verdict, decideTick(own, peers)];
        },
      ),
      said('alerts of a rollback', [null, 'It failed.'], (rolledBack) =>
        alertsOf(judge(snapshotOf(stateIn('r1'))), rolledBack),
      ),
    ].join('\n'),
  ).toMatchFileSnapshot(page('judgements'));
});

it('how it is', async () => {
  const reasons: Record<string, Condition[]> = {
    nothing: [],
    flags: [held('flags')],
    dwell: [held('dwell')],
    lag: [held('lag')],
    'lag unknown': [held('lag', { seen: null })],
    'database unknown': [held('database', { seen: null })],
    'copy, verification unknown': [held('backfill'), held('verification', { seen: null })],
    'verification unknown': [held('verification', { seen: null })],
    'schema changed': [held('schema_changed')],
    'cleanup ok': [condition('lag', { ok: true, seen: 1, limit: 2 })],
  };
  const asked = combinations({
    verdict: ['advance', 'hold', 'rollback'] as const,
    reason: Object.keys(reasons),
    minutes: [4.99, 5],
  });
  const blind = { sinceMs: null, text: 'Nothing.' };
  const withMinutes = (verdict: Verdict, minutesInStage: number) => ({
    ...verdict,
    evidence: { ...verdict.evidence, minutesInStage },
  });
  const ages = [-1, 0, 1].map((ms) => NOW - 3 * MINUTE + ms);
  await expect(
    [
      said('in a ramp', asked, ({ verdict, reason, minutes }) =>
        healthOf(judged(stateIn('r1'), withMinutes(verdictOf(verdict, reasons[reason]), minutes)), null),
      ),
      said(
        'in each stage',
        combinations({
          stage: STAGE_NAMES,
          verdict: ['advance', 'hold'] as const,
          blind: [null, blind],
          stop: [false, true],
          reason: ['nothing', 'schema changed'],
        }),
        ({ stage, verdict, blind: seen, stop, reason }) =>
          healthOf(
            judged(stateIn(stage), verdictOf(verdict, reasons[reason]), {
              system: systemOf({ emergencyStop: stop as never }),
            }),
            seen,
          ),
      ),
      said(
        'with an intent',
        combinations({ action: ['promote', 'revert', 'cleanup'], withdrawn: [false, true], stop: [false, true] }),
        ({ action, withdrawn, stop }) => {
          const own = judged(stateIn('full_100', { pending: intent(action, withdrawn) }), verdictOf('hold'), {
            system: systemOf({ emergencyStop: stop as never }),
          });
          return [healthOf(own, null), nextOf(own)];
        },
      ),
      said(
        'in words',
        combinations({
          health: HEALTHS,
          stageKind: ['ramp', 'completed', 'cleaned'] as const,
          pending: [null, 'promote', 'other'],
          paused: [false, true],
          reads: [true, false],
          blind: [null, blind],
        }).filter(({ health, pending }) => pending === null || health === 'held' || health === 'stopped'),
        ({ reads, ...standing }) =>
          healthText({ ...standing, switches: { shadowReads: reads, shadowWrites: true, sinceMs: 0 } }),
      ),
      said('an intent in words', ['promote', 'revert', 'rollback', 'cleanup', 'other'], pendingText),
      said(
        'blind',
        combinations({
          stage: STAGE_NAMES,
          enteredAtMs: [NOW - 60 * MINUTE, ...ages],
          lastAtMs: [null, NOW - 61 * MINUTE, ...ages],
        }).filter(({ enteredAtMs, lastAtMs, stage }) => stage === 'r1' || enteredAtMs === lastAtMs),
        ({ stage, enteredAtMs, lastAtMs }) =>
          blindOf(
            judged(stateIn(stage, { enteredAtMs }), verdictOf('hold'), {
              last: lastAtMs === null ? null : ({ atMs: lastAtMs } as never),
            }),
          ),
      ),
      said('without figures', combinations({ ok: [true, false], seen: [null, 4, 'never'] }), ({ ok, seen }) =>
        blindOf(
          judged(
            stateIn('r1'),
            {
              ...verdictOf('hold'),
              conditions: [condition('data_missing', { ok, seen, limit: 3, says: 'None.' } as never)],
            },
            { last: { atMs: NOW } as never },
          ),
        ),
      ),
      said('without operations', combinations({ count: [0, 1], minutesAgo: [3, 4, 5] }), ({ count, minutesAgo }) =>
        blindOf(
          judged(stateIn('completed'), verdictOf('hold'), {
            windows: [{ ...emptyWindow(NOW / MINUTE - minutesAgo, 'shadow'), count }],
          }),
        ),
      ),
    ].join('\n'),
  ).toMatchFileSnapshot(page('health'));
});
