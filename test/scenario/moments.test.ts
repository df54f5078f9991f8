/**
 * The moments in which somebody looks: what page, status, explain, alerts and report say of the same look. They have one word for how it is
 * and one sentence for what comes next, and what is bad is an alert. With MOMENTS=FILE the table of all is written there.
 */

import { writeFile } from 'node:fs/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { progressBlock } from '../../lib/cli/render.ts';
import { renderAlerts } from '../../lib/cli/render-alerts.ts';
import { renderReport } from '../../lib/cli/render-report.ts';
import { renderExplanation } from '../../lib/cli/render-verdict.ts';
import { healthText } from '../../lib/core/look/health.ts';
import { alertsOf, decideTick } from '../../lib/core/look/judge.ts';
import type { Event } from '../../lib/core/stage/events.ts';
import { type CutoverView, cutoverData } from '../../lib/dashboard/data.ts';
import type { AlertList } from '../../lib/flows/alerts/alerts.ts';
import type { CutoverReport } from '../../lib/flows/report/report.ts';
import * as scenes from '../helpers/dashboard-reports.ts';

const { serving, copying, held, failing, completed, ready, NOW } = scenes;
type Actor = scenes.Actor;
type System = Parameters<typeof scenes.scene>[1];

/** A stage that readers have been in for long, with another shadow. */
const going = (id: string, over: Partial<Actor>): Actor => ({
  ...serving,
  id,
  events: serving.events.map(([ago, ...rest]) => [ago + 40, ...rest] as const),
  ...over,
});
const LIGHT = { perMinute: 130, p50: 6.1, tail: 1.2, errorRate: 0 };
const since = (minutes: number, traffic: Partial<typeof LIGHT> & { mismatches?: number }) => (ago: number) => ({
  ...LIGHT,
  ...(ago <= minutes ? traffic : {}),
});

const GUARDS: Readonly<Record<string, Actor>> = {
  'half of it fails': going('floor', { shadow: since(3, { errorRate: 0.6 }) }),
  errors: going('errors', { shadow: since(12, { errorRate: 0.06 }) }),
  latency: going('slow', { shadow: since(15, { p50: 60 }) }),
  'answers that differ': going('answers', { kind: 'component', shadow: since(12, { mismatches: 12 }) }),
  'rows that differ': going('rows', {
    table: { verification: { rowsCompared: 1_000, divergences: 80, score: 0.92, atMs: NOW - 60_000, samples: [] } },
  }),
};

const MOMENTS: readonly [name: string, actor: Actor, system?: System][] = [
  [
    'copying beyond the estimate',
    {
      ...copying,
      table: {
        ...copying.table,
        backfill: { state: 'running', rowsDone: 545_000, rowsTotal: 3_500, rowsPerSecond: 35_000 },
      },
    },
  ],
  ['first minute of a stage', { ...serving, events: [...serving.events.slice(0, 2), [0.5, serving.events[2]![1]]] }],
  ['held by proof', { ...held, table: {} }],
  [
    'held by a lock',
    {
      ...ready,
      kind: 'table',
      events: [...ready.events, [3, { type: 'intent_recorded', action: 'promote', epoch: 2, reason: '' }, 'ada']],
      waits: 'The lock was not to be had within 2 s: process 4711 (psql, idle in transaction for 240 s) holds it.',
    },
  ],
  [
    'application gone',
    {
      ...serving,
      primary: (ago) => (ago > 12 ? serving.primary!(ago) : null),
      shadow: (ago) => (ago > 12 ? serving.shadow!(ago) : null),
    },
  ],
  ['Postgres gone', serving, { postgresDown: true }],
  ['flags away', serving, { flagsDown: true }],
  ...Object.entries(GUARDS).map(([name, actor]) => [`about to be rolled back: ${name}`, actor] as [string, Actor]),
  [
    'held by reads that do not come',
    going('hole', { shadow: (ago) => (ago > 12 ? LIGHT : { ...LIGHT, perMinute: 1 }) }),
  ],
  ['stopped', serving, { emergencyStop: true }],
  ['completed', completed],
  ['cleaned', { ...completed, events: [...completed.events, [1, { type: 'cleaned' }]] }],
];

/** What is away is an alert, and not of an hour later only. */
const AWAY: Readonly<Record<string, string>> = {
  'application gone': 'customer.data_missing',
  'Postgres gone': 'customer.database',
  'flags away': 'customer.flag_drift',
};

const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ').trim();

/** Every surface, from one look. */
async function surfacesOf(actor: Actor, system?: System) {
  const made = await scenes.scene([actor], system);
  const [judgement] = await made.judgements();
  const status = await made.one(actor.id);
  const report = status.cutovers[0] as CutoverReport;
  const rolledBack = report.stageKind === 'rolled_back' ? report.rollback!.reason : null;
  const found = alertsOf(judgement!, rolledBack).filter((alert) => alert.status !== 'quiet');
  const alerts: AlertList = {
    atMs: NOW,
    firing: found.filter((alert) => alert.status === 'firing').length,
    alerts: found.map(({ messages, claim: _, version: __, clearSinceMs: ___, ...alert }) => ({
      ...alert,
      undelivered: messages.length,
    })),
  };
  const card = cutoverData(status, made.audit, alerts).cutover as CutoverView;
  return {
    judgement: judgement!,
    report,
    card,
    alerts,
    texts: {
      page: oneLine(
        [
          card.badge.text,
          card.summary,
          `Next ${card.next.text}`,
          ...card.steps.flatMap(({ text, command }) => command ?? text),
        ].join(' | '),
      ),
      status: oneLine(progressBlock(report)),
      explain: oneLine(renderExplanation(report)),
      alerts: oneLine(renderAlerts(alerts)),
      report: oneLine(
        renderReport({ ...status, hours: 1, fromMs: NOW - 3_600_000, performance: {}, alerts }, actor.id),
      ),
    },
  };
}
type Surfaces = Awaited<ReturnType<typeof surfacesOf>>;

const table: string[] = [];
afterAll(async () => {
  if (!process.env.MOMENTS) return;
  const head = '| moment | page | `status` | `explain` | `alerts` | `report` |\n| --- | --- | --- | --- | --- | --- |';
  await writeFile(process.env.MOMENTS, [head, ...table, ''].join('\n'));
});

function note(name: string, { texts }: Surfaces): void {
  const cell = (text: string) => (text.length > 420 ? `${text.slice(0, 420)} …` : text).replaceAll('|', '·');
  table.push(`| ${name} | ${Object.values(texts).map(cell).join(' | ')} |`);
}

/** They agree, and each says the next act. */
function agree({ report, card, alerts, texts }: Surfaces): void {
  const word = healthText(report);
  const next = oneLine(report.next.text);
  expect(texts.page.toLowerCase().startsWith(`${word} |`)).toBe(true);
  expect(texts.status).toContain(`${report.id} ${word} · `);
  expect(texts.explain).toContain(`: ${word}. Next: ${next}.`);
  expect(texts.report).toContain(`${report.id} ${word} · `);
  for (const text of [texts.page, texts.status, texts.explain, texts.report]) expect(text).toContain(next);
  // What a person can type is the same everywhere.
  const commands = report.steps.flatMap((step) => (step.brief === '' ? [] : step.commands));
  for (const command of commands)
    for (const text of [texts.page, texts.status, texts.explain]) expect(text).toContain(command);
  // What is well has no critical alert, and what is bad has one.
  const critical = alerts.alerts.filter((alert) => alert.severity === 'critical' && alert.status === 'firing');
  if (['good', 'done'].includes(card.badge.tone)) expect(critical.map(({ id }) => id)).toEqual([]);
  if (report.health === 'rolled_back') expect(critical.map(({ id }) => id)).toContain(`${report.id}.rolled_back`);
  for (const { id } of alerts.alerts.filter((alert) => alert.status === 'firing'))
    expect(texts.alerts).toContain(`crossfade ack ${id}`);
}

describe('page, status, explain, alerts and report agree', () => {
  it.each(MOMENTS)('%s', async (name, actor, system) => {
    const seen = await surfacesOf(actor, system);
    note(name, seen);
    agree(seen);
    expect(seen.texts.alerts).toContain(AWAY[name] ?? '');
  });

  it.each(Object.entries(GUARDS))('rolled back: %s', async (name, actor) => {
    const before = await surfacesOf(actor);
    expect(before.report.health).toBe('rolling_back');
    const decision = decideTick(before.judgement, []);
    if (decision.kind !== 'accepted') throw new Error(`The tick does not roll back: ${JSON.stringify(decision)}`);
    const events = decision.events.map((event): [number, Event] => [0.1, event]);
    const after = await surfacesOf({ ...actor, events: [...actor.events, ...events] });
    note(`rolled back: ${name}`, after);
    agree(after);
    expect(after.report.health).toBe('rolled_back');
    // The cause is that of the guard, in full, wherever it is shown.
    const cause = oneLine(before.report.verdict.reasons[0]!.says);
    for (const text of [after.texts.status, after.texts.explain, after.texts.alerts, after.texts.report])
      expect(text).toContain(cause);
    expect(oneLine(after.card.rollback!.reason)).toContain(cause);
  });
});

it('they would not agree if one of them had a word of its own', async () => {
  const seen = await surfacesOf(failing);
  const other = { ...seen, texts: { ...seen.texts, report: seen.texts.report.replace('rolling back', 'held') } };
  expect(() => agree(seen)).not.toThrow();
  expect(() => agree(other)).toThrow();
});
