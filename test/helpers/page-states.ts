/**
 * Fourteen states of the page: what the API answers in each, made by the real gates, stage machine and report, and what a person has done
 * since. They are looked at in every width and scheme.
 */

import type { Page } from 'playwright-core';
import { firing } from './contracts/alerts.ts';
import * as scenes from './dashboard-reports.ts';
import type { DashboardServer } from './dashboard-server.ts';

type Actor = Parameters<typeof scenes.scene>[0][number];

export type PageState = {
  name: string;
  scene(): Promise<scenes.Scene>;
  /** Behind the address. */
  hash: string;
  /** After the page is shown. */
  act?(page: Page, server: DashboardServer): Promise<void>;
};

const { serving, copying, held, failing, rolledBack, completed, notStarted, unreadable, ready } = scenes;
const blind: Actor = { ...serving, id: 'invoice', primary: () => null, shadow: () => null };
const cleaned: Actor = { ...completed, id: 'genre', events: [...completed.events, [1, { type: 'cleaned' }]] };

/** As many as one screen has to hold. */
const TWENTY: readonly Actor[] = [
  ...[serving, copying, held, failing, rolledBack, completed, notStarted, unreadable, ready, blind, cleaned],
  ...Array.from({ length: 9 }, (_, i): Actor => ({ ...serving, id: `orders_${i + 1}` })),
];

/** One cutover is shown alone, without an overview. */
const alone = (name: string, actor: Actor, system?: Parameters<typeof scenes.scene>[1]): PageState => ({
  name,
  scene: () => scenes.scene([actor], system),
  hash: `#/${actor.id}`,
});

const ALERTS = {
  atMs: scenes.NOW,
  firing: 2,
  alerts: [
    { ...firing(), undelivered: 1 },
    { ...firing(), id: 'track.lag', cutover: 'track', severity: 'warning' as const, undelivered: 0 },
  ],
};

export const PAGE_STATES: readonly PageState[] = [
  {
    name: 'overview',
    scene: async () => ({ ...(await scenes.scene(TWENTY, { phases: scenes.fivePhases })), alerts: ALERTS }),
    hash: '#/',
  },
  alone('not-started', notStarted),
  alone('copying', copying),
  alone('serving', scenes.cold),
  alone('held', scenes.differing),
  alone('no-figures', blind, { flagsDown: true }),
  alone('guard-fired', failing),
  alone('rolled-back', rolledBack),
  alone('ready', ready),
  alone('completed', completed),
  alone('cleaned', cleaned),
  alone('stopped', serving, { emergencyStop: true }),
  {
    ...alone('no-answer', serving),
    act: async (page, server) => {
      server.answer = { status: 503, detail: 'Postgres, DynamoDB or AppConfig did not answer in time. Try again.' };
      await page.evaluate('void document.dispatchEvent(new Event("visibilitychange"))');
      await page.locator('#notice').getByText('No figures since').waitFor();
    },
  },
  {
    ...alone('confirmation', serving),
    act: async (page) => {
      await page.getByRole('button', { name: 'Roll back' }).click();
      await page.getByRole('dialog').waitFor();
    },
  },
];
