/** O3: status, overview, explain, progress, page and alerts of the same moment say the same. */

import { describe, expect, it } from 'vitest';
import { progressBlock, renderSystem } from '../../../lib/cli/render.ts';
import { renderProgress } from '../../../lib/cli/render-health.ts';
import { renderExplanation } from '../../../lib/cli/render-verdict.ts';
import { healthText } from '../../../lib/core/look/health.ts';
import { cutoverData, dashboardData } from '../../../lib/dashboard/data.ts';
import type { CutoverReport } from '../../../lib/flows/report/report.ts';
import { firing } from '../../helpers/contracts/alerts.ts';
import * as scenes from '../../helpers/dashboard-reports.ts';

const { notStarted, copying, serving, held, failing, rolledBack, ready, completed } = scenes;
type Actor = Parameters<typeof scenes.scene>[0][number];

const finished: Actor = { ...completed, id: 'genre', events: [...completed.events, [1, { type: 'cleaned' }]] };
const blind: Actor = { ...serving, id: 'blind', primary: () => null, shadow: () => null };
const moments = [notStarted, copying, serving, held, failing, rolledBack, ready, completed, finished, blind];

const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ');

describe.each(moments.map((actor) => [actor.id, actor] as const))('of %s', (id, actor) => {
  const seen = scenes.scene([actor]).then(({ report, audit }) => {
    const alerts = {
      atMs: scenes.NOW,
      firing: 1,
      alerts: [{ ...firing(), id: `${id}.errors`, cutover: id, undelivered: 0 }],
    };
    return {
      report: report.cutovers[0] as CutoverReport,
      status: oneLine(progressBlock(report.cutovers[0] as CutoverReport)),
      overview: oneLine(renderSystem({ ...report, cutovers: [report.cutovers[0]!, report.cutovers[0]!] }, 200)),
      explain: oneLine(renderExplanation(report.cutovers[0] as CutoverReport)),
      card: cutoverData(report, audit, alerts),
      page: dashboardData(report, audit, alerts),
    };
  });

  it('every surface gives the same next step', async () => {
    const { report, status, overview, explain, card, page } = await seen;
    const { text } = report.next;
    for (const surface of [status, overview, explain]) expect(surface).toContain(text);
    expect([card.cutover, page.cutovers[0]]).toEqual([
      expect.objectContaining({ next: report.next }),
      expect.objectContaining({ next: report.next }),
    ]);
  });

  it('every surface says how it is with the same word', async () => {
    const { report, status, overview, explain, card, page } = await seen;
    const word = healthText(report);
    expect(status.startsWith(`${id} ${word} · `)).toBe(true);
    expect(overview).toContain(`${id} ${word} `);
    expect(explain).toContain(`: ${word}. Next: `);
    expect([card.cutover.badge.text.toLowerCase(), page.cutovers[0]!.badge]).toEqual([word, card.cutover.badge]);
  });

  it('explain marks as missing what holds it, and nothing where nothing advances by itself', async () => {
    const { report, explain } = await seen;
    expect(explain.includes(': held. Next')).toBe(report.health === 'held');
    const marks = explain.match(/✗ /g)?.length ?? 0;
    const missing = report.verdict.conditions.filter(({ ok, row }) => !ok && row !== 'stage').length;
    expect(marks).toBe(missing);
    if (['idle', 'done', 'rolled_back'].includes(report.health)) expect(marks).toBe(0);
  });

  it('its alerts are counted as they are listed', async () => {
    const { card, page } = await seen;
    expect(card.alerts).toHaveLength(1);
    expect([card.cutover, page.cutovers[0]]).toEqual([
      expect.objectContaining({ alerts: 1 }),
      expect.objectContaining({ alerts: 1 }),
    ]);
  });
});

it('progress gives figures of the rows and no judgement of its own', () => {
  const text = renderProgress({
    cutover: 'customer',
    stage: 'dual_write',
    direction: 'forward',
    backfill: 'running',
    rowsDone: 545_000,
    rowsTotal: 3_500,
    backfillPercent: 100,
    rowsPerSecond: 35_000,
    etaSeconds: 0,
    lagSeconds: 0,
    hints: 0,
    quarantined: 0,
    rowsCompared: null,
    divergences: null,
    score: null,
    verifiedAtMs: null,
  });
  expect(text).not.toMatch(/READY|sync|100 %|left/);
  expect(oneLine(text)).toContain('545,000 rows, more than the 3,500 estimated; 35,000/s; no ETA yet');
  expect(text).toMatch(/equal +no rows compared yet/);
});
