/**
 * The picture of the page in README.md: the real page in Chromium, with figures that the real gates have made of the traffic of a
 * healthy stage. The first word is the file that is written.
 */

import { launchChromium } from './browser.ts';
import { scene, serving } from './dashboard-reports.ts';
import { dashboardServer } from './dashboard-server.ts';

const server = await dashboardServer({ scene: await scene([serving]) });
const browser = await launchChromium();
if (!browser) process.exit(1);
const context = await browser.newContext({
  viewport: { width: 1180, height: 1120 },
  colorScheme: 'light',
  timezoneId: 'UTC',
  reducedMotion: 'reduce',
});
const page = await context.newPage();
await page.goto(server.url);
await page.waitForSelector('main[aria-busy=false]');
// The charts are drawn in the frame after that.
await page.evaluate('new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))');
await page.screenshot({ path: process.argv[2]! });
await browser.close();
await server.close();
