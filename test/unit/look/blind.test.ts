/** O4: what is not seen is not shown as well, on any surface. */

import { describe, expect, it } from 'vitest';
import { progressLine, renderSystem } from '../../../lib/cli/render.ts';
import { blindOf } from '../../../lib/core/look/blind.ts';
import type { Judgement } from '../../../lib/core/look/snapshot.ts';
import { cutoverData, dashboardData } from '../../../lib/dashboard/data.ts';
import type { CutoverReport } from '../../../lib/flows/report/report.ts';
import * as scenes from '../../helpers/dashboard-reports.ts';

type Actor = Parameters<typeof scenes.scene>[0][number];
type Side = NonNullable<Actor['primary']>;

/** The application has ended so many minutes ago. */
const ended = (actor: Actor, minutes: number): Actor => {
  const until = (side: Side | undefined): Side | undefined => side && ((ago) => (ago < minutes ? null : side(ago)));
  const [primary, shadow] = [until(actor.primary), until(actor.shadow)];
  return { ...actor, ...(primary && { primary }), ...(shadow && { shadow }) };
};

const GREEN = ['All healthy', 'Healthy', 'Ready', 'healthy', 'ready'];

async function surfaces(actor: Actor) {
  const { report, audit } = await scenes.scene([actor]);
  const { cutover } = cutoverData(report, audit);
  const data = dashboardData(report, audit);
  return {
    report: report.cutovers[0] as CutoverReport,
    tones: [data.system.headline.tone, cutover.badge.tone, data.cutovers[0]!.badge.tone],
    texts: [
      data.system.headline.text,
      cutover.badge.text,
      renderSystem(report),
      progressLine(report.cutovers[0] as CutoverReport),
    ],
  };
}

describe('without figures in the last three minutes', () => {
  it.each([
    ['that mirrors rows', { ...scenes.serving, events: scenes.serving.events.slice(0, 1) }],
    ['that serves', scenes.serving],
    ['that is ready', scenes.ready],
    ['that copies', scenes.copying],
  ])('a cutover %s is blind everywhere, and says since when and what to look at', async (_, actor) => {
    const { report, tones, texts } = await surfaces(ended(actor, 5));
    expect(report.health).toBe('blind');
    expect(report.blind!.text).toMatch(/ minutes ago; .* Look whether the application runs/);
    expect(scenes.NOW - report.blind!.sinceMs!).toBeLessThanOrEqual(6 * 60_000);
    expect(tones).toEqual(['wait', 'wait', 'wait']);
    for (const text of texts) for (const word of GREEN) expect(text).not.toContain(word);
  });

  it('a completed one is not called healthy either, though nothing is asked of a person', async () => {
    const { report, tones } = await surfaces(ended(scenes.completed, 5));
    expect(report).toMatchObject({
      health: 'done',
      blind: { text: expect.stringContaining('No operation was reported since 09:2') },
    });
    expect(tones).not.toContain('good');
    expect(tones).not.toContain('done');
  });

  it.each([scenes.serving, scenes.ready, scenes.completed])(
    '$id is as ever while they come (control)',
    async (actor) => {
      const { report, tones } = await surfaces(actor);
      expect(report.blind).toBeNull();
      expect(tones[0]).toBe('good');
    },
  );
});

describe('without ticks', () => {
  const state = { stageKind: 'ramp', stage: 'test_1', enteredAtMs: scenes.NOW - 3_600_000 } as Judgement['state'];
  const at = (last: number | null, of = state) =>
    blindOf({
      state: of,
      verdict: { conditions: [] } as unknown as Judgement['verdict'],
      last: last === null ? null : ({ atMs: last } as Judgement['last']),
      windows: [],
      nowMs: scenes.NOW,
    });

  it('for three minutes after a stage was entered nothing is missing yet', () => {
    const entered = (agoMs: number) => ({ ...state, enteredAtMs: scenes.NOW - agoMs });
    expect([0, 60_000, 179_999].map((ago) => at(null, entered(ago)))).toEqual([null, null, null]);
    expect(at(null, entered(180_000))?.text).toMatch(/^No tick in this stage: /);
    expect(at(scenes.NOW - 180_000)).toBeNull();
    expect(at(scenes.NOW - 180_001)).not.toBeNull();
  });

  it('nothing is known to be well, whatever the figures say', () => {
    expect(at(scenes.NOW - 181_000)).toEqual({
      sinceMs: scenes.NOW - 181_000,
      text: 'No tick since 09:27 UTC: nothing advances and nothing rolls back. Look at the schedule of the tick and at its log.',
    });
    expect(at(null)?.text).toMatch(/^No tick in this stage: /);
    expect(at(scenes.NOW - 179_000)).toBeNull();
  });
});
