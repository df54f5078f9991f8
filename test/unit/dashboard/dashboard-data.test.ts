import { describe, expect, it } from 'vitest';
import { condition } from '../../../lib/core/conditions/condition.ts';
import { show } from '../../../lib/core/conditions/show.ts';
import type { Event } from '../../../lib/core/stage/events.ts';
import { conditionLine } from '../../../lib/dashboard/condition-lines.ts';
import { type CutoverView, cutoverData, type DashboardData, dashboardData } from '../../../lib/dashboard/data.ts';
import { stepsOf } from '../../../lib/dashboard/steps.ts';
import * as scenes from '../../helpers/dashboard-reports.ts';
import { SAYS_WHAT_RELEASES } from '../../property/samples.ts';

async function shown(...cast: Parameters<typeof scenes.scene>): Promise<DashboardData> {
  const { report, audit } = await scenes.scene(...cast);
  return dashboardData(report, audit);
}

type Cast = Parameters<typeof scenes.scene>;

async function card(actor: Cast[0][number], system?: Cast[1]): Promise<CutoverView> {
  const { report, audit } = await scenes.scene([actor], system);
  return cutoverData(report, audit).cutover as CutoverView;
}

describe('the headline', () => {
  it.each([
    ['All healthy', 'good', [scenes.serving, scenes.completed, scenes.notStarted], {}],
    ['1 cutover held', 'wait', [scenes.serving, scenes.held], {}],
    [
      '1 cutover about to be rolled back, 1 rolled back, 1 held',
      'bad',
      [scenes.held, scenes.rolledBack, scenes.failing],
      {},
    ],
    ['1 cutover held', 'wait', [scenes.copying, scenes.held], {}],
    ['1 cutover unreadable', 'bad', [scenes.unreadable, scenes.serving], {}],
    ['Nothing has been started', 'idle', [scenes.notStarted], {}],
    ['No cutover is declared', 'idle', [], {}],
    ['Everything is stopped', 'bad', [scenes.serving], { emergencyStop: true }],
  ] as const)('says "%s", to be taken as %s', async (text, tone, cast, system) => {
    expect((await shown(cast, system)).system.headline).toEqual({ text, tone });
  });

  it('says when flags cannot be read, and for which cutovers they are not deployed yet', async () => {
    expect((await shown([scenes.serving])).system.flags).toEqual({ text: 'Flags v12 deployed', ok: true });
    expect((await shown([scenes.serving], { flagsDown: true })).system.flags.ok).toBe(false);
    const late = await shown([{ ...scenes.serving, flagsBehind: true }, scenes.completed]);
    expect(late.system.flags).toEqual({ text: 'Flags are being deployed for customer', ok: false });
  });
});

describe('the stage line', () => {
  const progress = (view: CutoverView) => view.stages.map((stage) => stage.progress);

  it('shows what lies behind, where it is, and what lies ahead', async () => {
    expect(progress(await card(scenes.serving))).toEqual([
      'passed',
      'passed',
      'passed',
      'current',
      'ahead',
      'ahead',
      'ahead',
    ]);
  });

  it('shows where a rollback left from', async () => {
    expect(progress(await card(scenes.rolledBack))[3]).toBe('undone');
    expect(progress(await card(scenes.rolledBack))).not.toContain('current');
  });

  it('has everything behind it after cleanup', async () => {
    const cleaned = { ...scenes.completed, events: [...scenes.completed.events, [1, { type: 'cleaned' }] as const] };
    expect(new Set(progress(await card(cleaned as typeof scenes.completed)))).toEqual(new Set(['passed']));
  });
});

describe('while everything is stopped', () => {
  const promoting = {
    ...scenes.serving,
    events: [
      ...scenes.serving.events,
      [1, { type: 'intent_recorded', action: 'promote', epoch: 2, reason: '' }] as const,
    ],
  } as typeof scenes.serving;

  it.each([
    ['serves', scenes.serving],
    ['is held', scenes.held],
    ['copies', scenes.copying],
    ['is ready', scenes.ready],
    ['fails', scenes.failing],
    ['was to be promoted', promoting],
  ])('a cutover that %s is stopped, and neither healthy nor on its way', async (_, actor) => {
    const { report } = await scenes.scene([actor], { emergencyStop: true });
    const view = await card(actor, { emergencyStop: true });
    expect(view).toMatchObject({
      health: 'stopped',
      badge: { text: 'Stopped', tone: 'bad' },
      summary: 'The emergency stop is on: all reads belong to the primary, and the next tick rolls it back.',
      sharePpm: 0,
      reasons: [],
      steps: [],
    });
    expect(view.commands.join('\n')).not.toMatch(/crossfade (start|advance|complete|reads shadow) /);
    const said = 'the emergency stop is on, and the next tick rolls it back';
    expect(report.cutovers[0]).toMatchObject({ nextSteps: [said], recommendation: `Wait: ${said}.` });
  });

  it.each([
    ['Not started', scenes.notStarted],
    ['Rolled back', scenes.rolledBack],
    ['Completed', scenes.completed],
  ])('one that stays where it is still says: %s', async (text, actor) => {
    const view = await card(actor, { emergencyStop: true });
    expect(view.badge.text).toBe(text);
    expect(view.commands.join('\n')).not.toMatch(/crossfade start /);
    expect(view.steps.map(({ command }) => command)).not.toContain(`crossfade start ${actor.id}`);
  });

  it('one that goes back already says so', async () => {
    const withdrawn: [number, Event] = [
      0,
      { type: 'intent_withdrawn', action: 'promote', reason: 'emergency stop', cause: 'emergency' },
    ];
    const actor = { ...promoting, events: [...promoting.events, withdrawn] };
    const view = await card(actor, { emergencyStop: true });
    expect(view.badge.text).toBe('Rollback under way');
  });
});

describe('why a cutover is held', () => {
  it('is said in full sentences with figure, limit and what releases it', async () => {
    const { reasons, badge, summary } = await card(scenes.held);
    expect(badge).toEqual({ text: 'Held', tone: 'wait' });
    expect(summary).toBe('Held in test_10 by 4 conditions.');
    expect(reasons.map((reason) => reason.code)).toEqual([
      'quarantine',
      'latency_p95',
      'regression',
      'proof_latency_p95',
    ]);
    for (const reason of reasons) expect(reason.text).toMatch(SAYS_WHAT_RELEASES);
    expect(reasons[1]).toMatchObject({ limitIs: 'limit', seen: expect.stringMatching(/^28\.\d ms$/) });
  });

  it('gives the figures of guards as rates, since they are', async () => {
    const { reasons, steps } = await card(scenes.failing);
    expect(reasons[0]).toMatchObject({ code: 'errors', seen: expect.stringMatching(/%$/) });
    expect(steps.at(-1)?.command).toBe("crossfade rollback checkout --reason '…'");
  });

  it('says what is needed where at least so much is asked for', () => {
    const line = conditionLine(show(condition('samples', { ok: false, seen: 12_345, limit: 100_000 })));
    expect(line).toMatchObject({ seen: '12\u202f345', limit: '100\u202f000', limitIs: 'needed' });
  });

  it('shows a condition it does not know with what it says of itself', () => {
    const stranger = { name: 'own_rule', ok: false, seen: null, limit: null, says: 'Silence.' };
    const line = conditionLine(show(condition('other', stranger)));
    expect(line).toMatchObject({ label: 'own_rule', seen: '–', text: 'Silence.' });
  });
});

describe('what comes next', () => {
  it.each([
    [scenes.notStarted, ['crossfade preview chat_api', 'crossfade start chat_api']],
    [scenes.ready, ['crossfade complete playlist --confirm playlist']],
    [scenes.rolledBack, [null, 'crossfade reset search_index --confirm search_index']],
    [scenes.completed, ["crossfade rollback artist --reason '…'", 'crossfade cleanup artist --confirm artist']],
  ])('$id: is given as exact commands', async (actor, commands) => {
    expect((await card(actor)).steps.map((step) => step.command)).toEqual(commands);
  });

  it('keeps the command that a reason names, without repeating the reason', async () => {
    const paused = await card({ ...scenes.serving, events: [...scenes.serving.events, [1, { type: 'paused' }]] });
    expect(paused.badge.text).toBe('Paused');
    expect(paused.steps).toEqual([{ text: '', command: 'crossfade resume customer' }]);
    expect(paused.commands).toContain('crossfade resume customer');
    expect(paused.commands).not.toContain('crossfade pause customer');
  });

  it('shows a switch that is turned, with the command that turns it back', async () => {
    const away: [number, Event] = [3, { type: 'reads_switched', to: 'primary', reason: 'slow pages' }];
    const reads = await card({ ...scenes.serving, events: [...scenes.serving.events, away] });
    expect(reads.badge).toEqual({ text: 'Reads on the primary', tone: 'wait' });
    expect(reads.sharePpm).toBe(0);
    expect(reads.reasons.find(({ code }) => code === 'shadow_reads')).toMatchObject({
      label: 'Reads switched',
      seen: 'primary',
      limit: 'shadow',
    });
    expect(reads.steps).toContainEqual({ text: '', command: "crossfade reads shadow customer --reason '…'" });
    expect(reads.commands).toContain("crossfade reads shadow customer --reason '…'");
    const off: [number, Event] = [2, { type: 'shadow_writes_switched', enabled: false, reason: 'load' }];
    const writes = await card({ ...scenes.serving, events: [...scenes.serving.events, away, off] });
    expect(writes.badge.text).toBe('Writes off, reads on the primary');
    expect(writes.commands).toContain("crossfade writes on customer --reason '…'");
  });

  it('parts a command from its explanation', () => {
    const command = "crossfade rollback a --reason 'it is slow'";
    const step = { text: 'goes back without losing a row', commands: [command], brief: null };
    expect(stepsOf({ steps: [step] })).toEqual([{ command, text: 'goes back without losing a row' }]);
  });
});

describe('the data of a table', () => {
  it('has progress with the time that is left', async () => {
    const { table } = await card(scenes.copying);
    expect(table?.backfill).toMatchObject({ rowsDone: 896_000, etaSeconds: 431 });
    expect(table?.verification).toBeNull();
  });

  it('claims no time while nothing moves', async () => {
    const backfill = { state: 'running', rowsDone: 1, rowsTotal: 10, rowsPerSecond: 0 } as const;
    expect((await card({ ...scenes.copying, table: { backfill } })).table?.backfill.etaSeconds).toBeNull();
  });

  it('has the score of the last pass with its age', async () => {
    expect((await card(scenes.serving)).table?.verification).toMatchObject({ score: 1, ageMs: 240_000 });
  });
});

describe('the audit', () => {
  it('has the newest thirty entries, newest first, with who, what, why and the start of the hash', async () => {
    const cast = ['a', 'b', 'c', 'd', 'e'].map((id) => ({ ...scenes.completed, id }));
    const { audit } = await shown(cast, { emergencyStop: true });
    expect(audit).toHaveLength(30);
    expect(audit[0]).toMatchObject({ subject: 'system', what: 'Emergency stop', why: 'Checkout fails for everyone' });
    expect(audit.map((line) => line.atMs)).toEqual(audit.map((line) => line.atMs).toSorted((x, y) => y - x));
    expect(audit.every((line) => /^[0-9a-f]{12}$/.test(line.hash))).toBe(true);
    expect(audit.map((line) => line.what)).toContain('Completed from full_100, locks held for 9 ms');
  });

  it('has what was seen of the stage that an entry ended, as far as the last hour goes', async () => {
    const { report, audit } = await scenes.scene([scenes.rolledBack]);
    const lines = cutoverData(report, audit).audit;
    expect(lines.map(({ what, evidence }) => [what, evidence.replaceAll('\u202f', ',')])).toEqual([
      [
        'Rolled back from test_10 by a guard',
        expect.stringMatching(
          /^Seen in 7 min before: primary 8,\d{3} operations, 0\.\d+ % failed, p95 2\d(\.\d)? ms; shadow 9\d\d operations, 4\.\d+ % failed, p95 1\d(\.\d)? ms; 2\d\d compared, 0 differed\.$/,
        ),
      ],
      ['Advanced from test_1 to test_10', expect.stringMatching(/^Seen in (29|30) min before: /)],
      ['Advanced from dual_write to test_1', ''],
      ['Started with plan gradual', ''],
    ]);
  });

  it.each([
    ['which flags an entry came to readers with, and by when', {}, ['Deployed with flags v12, by 09:30:20 UTC.', '']],
    ['nothing of flags that no tick has seen', { flagsDown: true }, ['', '']],
  ])('has %s', async (_, system, flags) => {
    const { one, audit } = await scenes.scene([scenes.serving], system);
    const [newest, before] = cutoverData(await one(scenes.serving.id), audit).audit;
    const said = [newest, before].map((line) => /Deployed with .*$/.exec(line!.evidence)?.[0] ?? '');
    expect(said).toEqual(flags);
  });

  it('marks changes of stage within the last hour for the plots', async () => {
    expect((await card(scenes.rolledBack)).marks.map((mark) => mark.label)).toEqual(['rolled back', 'test_10']);
  });
});
