/** What the page offers to do: only what is legal now, in the form that the API takes, with what it will do. */

import { describe, expect, it } from 'vitest';
import { LEGAL_COMMANDS } from '../../../lib/core/stage/decide.ts';
import { acknowledgeAction, actionsOf } from '../../../lib/dashboard/actions.ts';
import { type CutoverView, cutoverData } from '../../../lib/dashboard/data.ts';
import type { CutoverReport } from '../../../lib/flows/report/report.ts';
import { acknowledgement } from '../../../lib/schemas/alerts.ts';
import { COMMANDS, type CommandName } from '../../../lib/schemas/http.ts';
import { discardBody, repairBody, retryBody } from '../../../lib/schemas/rows.ts';
import * as scenes from '../../helpers/dashboard-reports.ts';

const { notStarted, copying, serving, held, failing, rolledBack, ready, completed } = scenes;
type Actor = Parameters<typeof scenes.scene>[0][number];
const away: Actor = {
  ...serving,
  id: 'away',
  policy: { approvalRequired: true },
  events: [
    ...serving.events,
    [3, { type: 'paused' }],
    [2, { type: 'reads_switched', to: 'primary', reason: '' }],
    [1, { type: 'shadow_writes_switched', enabled: false, reason: '' }],
  ],
};
/** It has stayed for as long as it must. */
const over: Actor = {
  ...serving,
  id: 'over',
  events: serving.events.map(([ago, ...rest]) => [ago + 60, ...rest] as const),
};

const actionsNow = async (actor: Actor, emergencyStop = false) => {
  const report = (await scenes.scene([actor], { emergencyStop })).report.cutovers[0] as CutoverReport;
  return { report, actions: actionsOf(report, emergencyStop) };
};
const commandOf = (path: string) => path.split('/').at(-1) as CommandName;

describe.each(
  [notStarted, copying, serving, held, failing, rolledBack, ready, completed, away, over].map(
    (a) => [a.id, a] as const,
  ),
)('for %s', (_, actor) => {
  it('each is legal now, is taken by the API as it is sent, and says what it will do', async () => {
    const { report, actions } = await actionsNow(actor);
    expect(actions.length).toBeGreaterThan(0);
    for (const { path, body, reason, does, confirm } of actions) {
      expect(path).toMatch(new RegExp(`^v1/cutovers/${report.id}/[a-z-]+$`));
      expect(LEGAL_COMMANDS[report.stageKind]).toContain(commandOf(path));
      const sent = { ...body, ...(reason ? { reason: 'why' } : {}) };
      expect(COMMANDS[commandOf(path)].read(sent)).toEqual(sent);
      expect(confirm).toBe('confirm' in body ? report.id : null);
      expect(does.length).toBeGreaterThan(0);
    }
  });

  it('nothing leads forward while everything is stopped', async () => {
    const commands = (await actionsNow(actor, true)).actions.map(({ path }) => commandOf(path));
    for (const forward of ['start', 'advance', 'complete']) expect(commands).not.toContain(forward);
  });
});

it('what is switched or paused is offered back, and what waits for a person is offered', async () => {
  const names = async (actor: Actor) => (await actionsNow(actor)).actions.map(({ name }) => name);
  expect(await names(away)).toEqual(
    expect.arrayContaining([
      'Approve',
      'Resume',
      'Give reads back to the shadow',
      'Write to the shadow again',
      'Roll back',
    ]),
  );
  expect(await names(over)).toContain('Advance to half_50');
  expect(await names(serving)).not.toContain('Advance to half_50');
  expect(await names(ready)).toContain('Complete');
  expect(await names(held)).not.toContain('Complete');
});

it('an alert is acknowledged with a reason', () => {
  const { path, reason } = acknowledgeAction('customer.errors');
  expect([path, reason]).toEqual(['v1/alerts/customer.errors/acknowledge', true]);
  expect(acknowledgement.read({ reason: 'mine' })).toEqual({ reason: 'mine' });
});

it('keys in quarantine and keys that differ have actions that the API takes as they are sent', async () => {
  const { report, audit } = await scenes.scene([scenes.differing]);
  const { table } = cutoverData(report, audit).cutover as CutoverView;
  const bodies = { retry: retryBody, discard: discardBody, repair: repairBody };
  const actions = [
    ...table!.quarantineActions,
    ...table!.quarantine.flatMap((one) => one.actions),
    ...table!.verification!.actions,
  ];
  expect(actions.map(({ name }) => name)).toEqual([
    'Try all again',
    ...['Try again', 'Give up', 'Try again', 'Give up'],
    'Repair',
  ]);
  for (const { path, body, reason, does } of actions) {
    const sent = { ...body, ...(reason ? { reason: 'why' } : {}) };
    expect(bodies[path.split('/').at(-1) as keyof typeof bodies].read(sent)).toEqual(sent);
    expect(does.length).toBeGreaterThan(0);
  }
  const clean = cutoverData(...(await scenes.scene([serving]).then(({ report, audit }) => [report, audit] as const)));
  expect((clean.cutover as CutoverView).table).toMatchObject({ quarantineActions: [], verification: { actions: [] } });
});
