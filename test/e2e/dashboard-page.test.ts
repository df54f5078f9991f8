/** The page in a real browser, with figures made by the real gates and report. Code for the browser is text: its types are not ours. */
// biome-ignore-all lint/performance/useDomNodeTextContent: what a person reads is asked for, blanks and line breaks included

import { readFile } from 'node:fs/promises';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { RowComparison, RowValues } from '../../lib/core/table/reading.ts';
import { renderPage } from '../../lib/dashboard/page.ts';
import { launchChromium } from '../helpers/browser.ts';
import { firing } from '../helpers/contracts/alerts.ts';
import * as scenes from '../helpers/dashboard-reports.ts';
import { type DashboardServer, dashboardServer } from '../helpers/dashboard-server.ts';

let browser: Browser | null = null;
let server: DashboardServer;
let page: Page;
let complaints: string[] = [];
let origins: Set<string>;

beforeAll(async () => {
  browser = await launchChromium();
  server = await dashboardServer('never');
});
afterEach(async () => {
  await page?.context().close();
  server.page = renderPage();
});
afterAll(async () => {
  await browser?.close();
  await server.close();
});

/** A test that needs the browser. */
function inBrowser(name: string, run: () => Promise<void>): void {
  it(name, async () => {
    if (browser) await run();
  });
}

async function open(
  answer: DashboardServer['answer'],
  { hash = '', ...options }: BrowserContextOptions & { hash?: string } = {},
  clock = false,
): Promise<void> {
  server.answer = answer;
  server.posted = [];
  server.waitsForPublisher = false;
  complaints = [];
  origins = new Set();
  const context = await browser!.newContext({ timezoneId: 'UTC', reducedMotion: 'reduce', ...options });
  page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => origins.add(new URL(request.url()).origin));
  if (clock) await page.clock.install();
  await page.goto(`${server.url}${hash}`);
  if (answer !== 'never') await page.waitForSelector('main[aria-busy=false]');
}

/** Lets the page ask again, as it does when it becomes visible, and waits until it has shown the answer. */
async function askAgain(): Promise<void> {
  const isOpen = (await page.locator('article').count()) > 0;
  const answers = ['**/dashboard/data', ...(isOpen ? ['**/dashboard/data?*'] : [])].map((path) =>
    page.waitForResponse(path),
  );
  await page.evaluate('void document.dispatchEvent(new Event("visibilitychange"))');
  for (const answer of await Promise.all(answers)) await answer.finished();
  await page.evaluate('new Promise((next) => requestAnimationFrame(() => setTimeout(next)))');
}

const card = (id: string) => page.getByRole('article', { name: `Cutover ${id}` });
const row = (id: string) => page.getByRole('row').filter({ has: page.getByRole('link', { name: id, exact: true }) });

describe('the dashboard shows', () => {
  inBrowser('a cutover on its way, with stage, share, time, figures and plots, and asks no other origin', async () => {
    await open({ scene: await scenes.scene([scenes.serving]) });
    expect(await page.locator('#system').innerText()).toMatch(/All healthy\s+Flags v12 deployed\s*09:30:20/);
    const customer = card('customer');
    expect(await customer.locator('[aria-current=step] .name').innerText()).toBe('test_10');
    expect(await customer.innerText()).toMatch(/Reads: shadow\s+10 %/);
    expect(await customer.innerText()).toMatch(/32 min in test_10\s+28 min to eligibility/);
    expect(await customer.innerText()).toMatch(
      /Validation\s+100 %\s+59\u202f811 rows compared, none differs, 4 min ago/,
    );
    const latency = {
      name: /^Latency over the last (hour|\d+ minutes). Now: Primary \(old\) p50 [\d.]+ ms, p95 [\d.]+ ms/,
    };
    expect(await customer.getByRole('img', latency).count()).toBe(1);
    expect(await page.evaluate(HAS_INK)).toBe(true);
    expect([...origins]).toEqual([new URL(server.url).origin]);
    expect(complaints).toEqual([]);
  });

  inBrowser('why a cutover is held, with the keys in quarantine', async () => {
    await open({ scene: await scenes.scene([scenes.held]) });
    const text = await card('track').innerText();
    expect(text).toContain('Held in test_10 by 4 conditions.');
    expect(text).not.toContain('p95 is 28');
    await card('track')
      .getByRole('button', { name: /^Latency p95/ })
      .click();
    expect(await card('track').innerText()).toMatch(
      /p95 is 28\.\d ms on the shadow .* It is released when the shadow is that fast\./s,
    );
    expect(text).toContain('{"track_id": 2461}');
    expect(text).toContain('23514');
  });

  inBrowser('a backfill with what is left of it', async () => {
    await open({ scene: await scenes.scene([scenes.copying]) });
    expect(await page.getByRole('progressbar', { name: 'Backfill 40 per cent' }).count()).toBe(1);
    expect(await page.evaluate('document.querySelector(".backfill progress").position')).toBeCloseTo(0.4);
    expect(await card('invoice_line').innerText()).toContain('3\u202f120/s; about 7 min left');
  });

  inBrowser('a rollback with its cause and how long ago it was, and the command to go on', async () => {
    await open({ scene: await scenes.scene([scenes.rolledBack]) });
    const text = await card('search_index').innerText();
    expect(text).toContain('Rolled back 23 min ago, from test_10');
    expect(text).toContain('The shadow fails 4.62 % of its operations');
    expect(text).toContain('crossfade reset search_index --confirm search_index');
    expect(await page.getByRole('complementary').innerText()).toMatch(
      /search_index Rolled back from test_10 by a guard/,
    );
  });

  inBrowser('that everything is stopped, and how to lift it', async () => {
    await open({ scene: await scenes.scene([scenes.completed, scenes.serving], { emergencyStop: true }) });
    expect(await page.locator('#notice').innerText()).toContain('crossfade reset system --confirm system');
    expect(await row('artist').innerText()).toContain('Completed');
    expect(await row('customer').innerText()).toMatch(/Stopped.*0 %.*rolled back by the emergency stop/s);
    expect(await page.title()).toBe('Everything is stopped · Crossfade');
    await row('customer').click();
    await card('customer').waitFor();
    expect(await card('customer').innerText()).toMatch(/Reads: shadow\s+0 %/);
    expect(await card('customer').innerText()).not.toContain('Healthy');
    expect(await page.title()).toBe('customer · Everything is stopped · Crossfade');
  });

  inBrowser('that nothing is declared, or a state that cannot be read', async () => {
    await open({ scene: await scenes.scene([]) });
    expect(await page.getByRole('main').innerText()).toContain('No cutover is declared');
    server.answer = { scene: await scenes.scene([scenes.unreadable, scenes.notStarted]) };
    await askAgain();
    expect(await page.getByRole('main').innerText()).toContain('somebody edited it by hand');
    await row('chat_api').click();
    await card('chat_api').waitFor();
    expect(await card('chat_api').innerText()).toContain('crossfade start chat_api');
  });

  inBrowser('phases in their order, with what each waits for and what a person may decide', async () => {
    const cast = [scenes.serving, scenes.held, scenes.rolledBack, scenes.ready, scenes.completed, scenes.notStarted];
    await open({ scene: await scenes.scene(cast, { phases: scenes.fivePhases }) });
    const phases = page.getByRole('region', { name: 'Phases' });
    const titles = await phases.locator('.title').allInnerTexts();
    expect(titles.map((title) => title.replaceAll(/\s+/g, ' '))).toEqual([
      expect.stringMatching(/^accounts Done GO by ada\.$/),
      expect.stringMatching(/^catalogue Soaking/),
      expect.stringMatching(/^orders Running 0 of 2 at full\.$/),
      expect.stringMatching(/^search Rolled back search_index was rolled back: it was slow$/),
      expect.stringMatching(/^chat Waiting Comes after orders, search\.$/),
    ]);
    expect(await phases.getByRole('progressbar', { name: '600 of 2880 minutes of soak' }).count()).toBe(1);
    expect(await phases.innerText()).toContain("Phase 'orders' is running.");
    expect(await phases.innerText()).toContain('crossfade phase search reset --confirm search');
    expect(complaints).toEqual([]);
  });

  inBrowser('every state at 360 px without scrolling sideways, in both schemes', async () => {
    const { serving, copying, held, rolledBack, completed, ready, failing, notStarted, unreadable, hostile } = scenes;
    const all = [serving, copying, held, rolledBack, completed, ready, failing, notStarted, unreadable, hostile];
    for (const colorScheme of ['light', 'dark'] as const) {
      await open(
        { scene: { ...(await scenes.scene(all, { emergencyStop: true, phases: scenes.fivePhases })), alerts: ALERTS } },
        { viewport: { width: 360, height: 740 }, colorScheme },
      );
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
      expect(await page.locator('.alerts summary').count()).toBe(2);
      await page.locator('.alerts summary').first().click();
      expect(await page.locator('.alerts').innerText()).toContain('crossfade ack customer.errors');
      for (const { id } of all) {
        await page.goto(`${server.url}#/${encodeURIComponent(id)}`);
        await card(id).waitFor();
        expect(await page.evaluate('document.documentElement.scrollWidth'), id).toBe(360);
      }
      await page.context().close();
    }
  });
});

/** One that nobody has taken on, and one with a text that goes on and on. */
const ALERTS = {
  atMs: scenes.NOW,
  firing: 2,
  alerts: [
    { ...firing(), undelivered: 1 },
    {
      ...firing(),
      id: 'customer.a_rule_with_quite_a_long_name',
      severity: 'warning' as const,
      action: 'hold' as const,
      text: 'x'.repeat(400),
      acknowledged: { actor: 'ada', reason: scenes.HOSTILE, atMs: scenes.NOW },
      undelivered: 0,
    },
  ],
};

/** True when something was drawn on a canvas. */
const HAS_INK = `(() => { const canvas = document.querySelector('canvas'); return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value !== 0) })()`;

describe('a command', () => {
  inBrowser('is copied as it is shown, and that is said', async () => {
    await open({ scene: await scenes.scene([scenes.notStarted]) });
    const command = `npx --no-install crossfade start chat_api --url ${new URL(page.url()).origin}`;
    await page.evaluate('navigator.clipboard.writeText = async (text) => { window.copied = text; }');
    const button = card('chat_api')
      .getByRole('button', { name: `Copy: ${command}` })
      .first();
    await button.click();
    await expect.poll(() => button.innerText()).toBe('Copied');
    expect(await page.evaluate('copied')).toBe(command);
    expect(await page.locator('[aria-live=polite]').innerText()).toContain(`Copied: ${command}`);
    await expect.poll(() => button.innerText(), { timeout: 5_000 }).toBe('Copy');
  });
});

describe('the dashboard refreshes', () => {
  inBrowser('every five seconds, and faster when the clock of the system runs faster', async () => {
    const scene = await scenes.scene([scenes.serving]);
    await open({ scene }, {}, true);
    await expect.poll(() => server.asked).toBeGreaterThan(0);
    const askedAfter = async (milliseconds: number) => {
      const before = server.asked;
      await page.clock.runFor(milliseconds);
      await page.evaluate('fetch("dashboard/assets/icon.svg").then(() => 0)');
      return server.asked - before;
    };
    const shown = (text: string) => expect.poll(() => page.locator('#system').innerText()).toContain(text);
    // From here on time passes only as the test says. The next look is due from the moment an answer is shown.
    server.answer = { scene: { ...scene, report: { ...scene.report, atMs: scenes.NOW + 1_000 } } };
    await page.clock.pauseAt(Date.now() + 1_000);
    while ((await askedAfter(100)) === 0);
    await shown(new Date(scenes.NOW + 1_000).toISOString().slice(11, 19));
    expect(await askedAfter(4900)).toBe(0);
    server.answer = { scene: { ...scene, report: { ...scene.report, atMs: scenes.NOW + 301_000 } } };
    expect(await askedAfter(200)).toBe(1);
    await shown('times as fast');
    expect(await askedAfter(1400)).toBe(0);
    expect(await askedAfter(200)).toBe(1);
  });

  inBrowser('without closing what was opened, losing the focus or making plots anew', async () => {
    await open({ scene: await scenes.scene([scenes.serving, scenes.held]) }, { hash: '#/track' });
    const gate = card('track').getByRole('button', { name: /^Latency p95/ });
    await gate.click();
    await page.evaluate('document.querySelector("canvas").known = true');
    server.answer = { scene: await scenes.scene([scenes.rolledBack, scenes.held, scenes.serving]) };
    await askAgain();
    expect(await gate.getAttribute('aria-expanded')).toBe('true');
    expect(await page.evaluate('document.activeElement.textContent')).toMatch(/^Latency p95/);
    expect(await page.evaluate('document.querySelector("canvas").known')).toBe(true);
  });

  inBrowser('without losing the focus where the browser cannot move an element as it is', async () => {
    for (const id of ['track', 'customer']) {
      await open({ scene: await scenes.scene([scenes.serving, scenes.held]) });
      await page.evaluate('delete Element.prototype.moveBefore');
      await page.getByRole('link', { name: id }).focus();
      server.answer = { scene: await scenes.scene([scenes.rolledBack, scenes.held, scenes.serving]) };
      await askAgain();
      expect(await page.locator('.overview tbody tr').count()).toBe(3);
      expect(await page.evaluate('document.activeElement.textContent')).toBe(id);
      await page.context().close();
    }
  });

  inBrowser('without touching what is typed, or where the page is scrolled to', async () => {
    const scene = await scenes.scene([scenes.serving, scenes.held, scenes.copying]);
    await open({ scene });
    await page.evaluate('scrollTo(0, 700)');
    const scrolled = await page.evaluate('scrollY');
    await page.getByRole('button', { name: 'Emergency stop' }).click();
    await page.getByRole('dialog').getByRole('textbox').fill('Checkout fai');
    await page.getByRole('dialog').getByRole('textbox').press('ArrowLeft');
    server.answer = { scene: { ...scene, report: { ...scene.report, atMs: scenes.NOW + 5_000 } } };
    await askAgain();
    expect(await page.locator('#system').innerText()).toContain('09:30:25');
    await page.keyboard.type('-');
    expect(await page.getByRole('dialog').getByRole('textbox').inputValue()).toBe('Checkout fa-i');
    await page.keyboard.press('Escape');
    expect(scrolled).toBeGreaterThan(0);
    expect(await page.evaluate('scrollY')).toBe(scrolled);
  });

  inBrowser('and keeps what was last known, greyed, when nobody answers, until somebody does', async () => {
    await open({ scene: await scenes.scene([scenes.serving]) });
    server.answer = { status: 503, detail: 'DynamoDB did not answer within 1 s.' };
    await askAgain();
    expect(await page.locator('#notice').innerText()).toMatch(
      /^No figures since \d\d:\d\d:\d\d, \d+ s ago: DynamoDB did not answer within 1 s\. Trying again every 5 s\.$/,
    );
    expect(await card('customer').isVisible()).toBe(true);
    expect(await page.evaluate('getComputedStyle(document.querySelector("main")).filter')).toContain('grayscale');
    server.answer = { scene: await scenes.scene([scenes.serving]) };
    await askAgain();
    expect(await page.locator('#notice').innerText()).toBe('');
    expect(await page.evaluate('getComputedStyle(document.querySelector("main")).filter')).toBe('none');
  });

  inBrowser('and says that it is loading, or that loading failed', async () => {
    await open('never');
    expect(await page.locator('#system').innerText()).toBe('Loading …');
    expect(await page.getByRole('main').getAttribute('aria-busy')).toBe('true');
    await open({ status: 403, detail: 'Not allowed to look.' });
    expect(await page.getByRole('main').innerText()).toContain('Not allowed to look.');
  });
});

describe('the overview', () => {
  const { serving, copying, held, rolledBack, completed, ready, failing, notStarted, unreadable } = scenes;
  const cast = [serving, copying, held, rolledBack, completed, ready, failing, notStarted, unreadable];
  const twenty = Array.from({ length: 20 }, (_, index) => {
    const actor = cast[index % cast.length]!;
    return index < cast.length ? actor : { ...actor, id: `${actor.id}_${index}` };
  });
  /** Made once: it takes the traffic of twenty. */
  const sceneOfTwenty = scenes.scene(twenty);
  const names = () => page.locator('.overview tbody th a').allInnerTexts();

  inBrowser('has twenty cutovers on one screen, each with what comes next, the worst first', async () => {
    // Below an alert of all of them, whose names take two lines.
    const all = twenty.map(({ id }) => ({ ...firing(), undelivered: 0, id: `${id}.data_missing`, cutover: id }));
    const alerts = { atMs: scenes.NOW, firing: all.length, alerts: all };
    await open({ scene: { ...(await sceneOfTwenty), alerts } }, { viewport: { width: 1440, height: 900 } });
    expect(await names()).toHaveLength(20);
    const last = await page.locator('.overview tbody tr').last().boundingBox();
    expect(last!.y + last!.height).toBeLessThanOrEqual(900);
    expect((await names()).slice(0, 3)).toEqual(['checkout', 'checkout_15', 'album']);
    expect((await row('customer').innerText()).replaceAll(/\s+/g, ' ')).toMatch(
      /^customer table Healthy test_10 10 % half_50 \(50 %\) in about 30 min Time in stage 32 min needed 60 min 1$/,
    );
    expect(await row('track').innerText()).toMatch(/Held.*waits for a person: quarantine/s);
  });

  inBrowser('is sorted and filtered as its address says, which is made by sorting and filtering', async () => {
    await open({ scene: await sceneOfTwenty }, { hash: '#/?sort=name&filter=artist' });
    expect(await names()).toEqual(['artist', 'artist_13']);
    await page.getByRole('searchbox').fill('held table');
    await page.getByRole('button', { name: 'Reads' }).click();
    expect(await names()).toEqual(['track', 'track_11']);
    expect(new URL(page.url()).hash).toBe('#/?sort=share&filter=held+table');
    await page.getByRole('searchbox').fill('');
    expect((await names()).slice(0, 4)).toEqual(['artist', 'playlist', 'artist_13', 'playlist_14']);
  });

  inBrowser('leads to a cutover and back by keyboard, and asks only for the one that is open', async () => {
    await open({ scene: await scenes.scene(cast) });
    await page.getByRole('link', { name: 'track', exact: true }).focus();
    const asked = page.waitForRequest('**/dashboard/data?cutover=track');
    await page.keyboard.press('Enter');
    await asked;
    await card('track').waitFor();
    expect(await page.evaluate('document.activeElement.id')).toBe('cutovers');
    expect(await page.getByRole('article').count()).toBe(1);
    await page.goBack();
    await row('track').waitFor();
    expect(await names()).toHaveLength(9);
  });

  inBrowser('stays while the figures of one cutover do not come, and they are shown as missing', async () => {
    await open({ scene: await scenes.scene(cast) });
    await page.route('**/dashboard/data?cutover=track', (route) =>
      route.fulfill({ status: 503, body: '{"detail":"slow"}' }),
    );
    await row('track').click();
    await page.getByText('The figures could not be loaded').waitFor();
    expect(await page.locator('#notice').innerText()).toContain('slow');
    await page.goBack();
    await row('track').waitFor();
    expect(await page.locator('#notice').innerText()).toBe('');
  });

  inBrowser('has the same alert of many cutovers on one line', async () => {
    const again = ['customer', 'track', 'artist'].map((cutover) => ({
      ...firing(),
      cutover,
      id: `${cutover}.errors`,
      undelivered: 0,
    }));
    await open({ scene: { ...(await scenes.scene(cast)), alerts: { atMs: scenes.NOW, firing: 3, alerts: again } } });
    expect(await page.locator('.alerts summary').allInnerTexts()).toEqual([
      expect.stringMatching(/errors\s*3 cutovers: customer, track, artist/),
    ]);
    expect(await row('track').innerText()).toMatch(/1$/);
  });
});

describe('the emergency stop', () => {
  const accepted = { cutovers: [{ id: 'customer', from: 'test_10', to: 'rolled_back' }], published: true };
  const begin = async () => {
    await open({ scene: await scenes.scene([scenes.serving]) });
    server.stopAnswer = { status: 200, body: accepted };
    await page.getByRole('button', { name: 'Emergency stop' }).click();
  };
  const confirm = () => page.getByRole('dialog').getByRole('button', { name: 'Stop everything' }).click();
  const result = (within: Page) => within.locator('#stop-result');

  inBrowser('says what happens, asks for a reason, sends it once and shows what was done', async () => {
    await begin();
    expect(await page.getByRole('dialog').innerText()).toContain('Tables that were promoted stay as they are.');
    expect(await page.locator('.taken-back').innerText()).toBe('customer test_10, 10 %');
    await page.getByRole('dialog').getByRole('textbox').fill('  ');
    await confirm();
    expect(server.posted).toEqual([]);
    await page.getByRole('dialog').getByRole('textbox').fill('Checkout fails <b>for everyone</b>');
    await confirm();
    await result(page).getByText('Everything is stopped').waitFor();
    expect(await result(page).innerText()).toContain('customer went from test_10 to rolled_back');
    expect(server.posted).toHaveLength(1);
    // The loopback front adds the operator's token only to what its own page sends, and knows it by these.
    expect(server.posted[0]!.headers).toMatchObject({
      origin: new URL(server.url).origin,
      'sec-fetch-site': 'same-origin',
    });
    expect(server.posted[0]).toMatchObject({
      path: '/v1/system/emergency-stop',
      body: { reason: 'Checkout fails <b>for everyone</b>' },
      headers: { 'content-type': 'application/json', 'idempotency-key': expect.stringMatching(/^[0-9a-f-]{36}$/) },
    });
  });

  inBrowser('asks the publisher past its stream while the answer waits for flags', async () => {
    await begin();
    server.waitsForPublisher = true;
    await page.getByRole('dialog').getByRole('textbox').fill('The stream is silent');
    await confirm();
    await result(page).getByText('Everything is stopped').waitFor();
    expect(server.posted).toHaveLength(1);
  });

  inBrowser('is repeated under the same key, and under another for another reason', async () => {
    await begin();
    server.stopAnswer = { status: 503, body: { detail: 'DynamoDB did not answer.' } };
    await page.getByRole('dialog').getByRole('textbox').fill('first');
    for (const times of [1, 2]) {
      await confirm();
      await expect.poll(() => server.posted.length).toBe(times);
      await result(page).getByText('Not confirmed: DynamoDB did not answer.').waitFor();
    }
    server.stopAnswer = {
      status: 200,
      body: { cutovers: [{ id: 'customer', from: 'x', to: 'x', problem: 'no' }], published: false },
    };
    await page.getByRole('dialog').getByRole('textbox').fill('second');
    await confirm();
    await result(page).getByText('Stopped, but not everything is done').waitFor();
    const [first, again, other] = server.posted.map((post) => post.headers['idempotency-key']);
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });

  inBrowser('is not confirmed by an answer that is not the one of the server', async () => {
    await begin();
    const login = { status: 200, contentType: 'text/html', body: '<title>Log in</title>' };
    await page.route('**/v1/system/emergency-stop', (route) => route.fulfill(login));
    await page.getByRole('dialog').getByRole('textbox').fill('Checkout fails');
    await confirm();
    await result(page).getByText('Not confirmed: the answer is not JSON.').waitFor();
    expect(await page.getByRole('dialog').getByRole('button', { name: 'Stop everything' }).isEnabled()).toBe(true);
  });

  inBrowser('can be left with Escape, reached by keyboard, and used while no figures arrive', async () => {
    await open({ status: 503, detail: 'down' });
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the cutovers');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('stop-reason');
    await page.keyboard.press('Escape');
    expect(await page.getByRole('dialog').count()).toBe(0);
    expect(server.posted).toEqual([]);
  });

  inBrowser('leaves no secret behind in the address or the browser', async () => {
    await begin();
    expect(new URL(page.url()).search + new URL(page.url()).hash).toBe('');
    expect(await page.evaluate('localStorage.length + sessionStorage.length + document.cookie.length')).toBe(0);
  });
});

describe('an action', () => {
  const begin = async (actor: Parameters<typeof scenes.scene>[0][number], button: string) => {
    await open({ scene: await scenes.scene([actor]) });
    server.stopAnswer = { status: 200, body: {} };
    await page.getByRole('button', { name: button, exact: true }).focus();
    await page.keyboard.press('Enter');
  };

  inBrowser(
    'says what it will do, asks for a reason, and is sent for the version that was shown, by keyboard',
    async () => {
      await begin(scenes.serving, 'Roll back');
      expect(await page.getByRole('dialog').innerText()).toContain(
        'All reads return to the primary at once (10 % are on the shadow).',
      );
      await page.getByRole('dialog').getByRole('textbox').press('Enter');
      expect(await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).isDisabled()).toBe(true);
      await page.getByRole('dialog').getByRole('textbox').fill('too slow');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      expect(server.posted).toEqual([
        {
          path: '/v1/cutovers/customer/rollback',
          body: { reason: 'too slow' },
          headers: expect.objectContaining({
            'if-match': '"3"',
            'idempotency-key': expect.stringMatching(/^[0-9a-f-]{36}$/),
            'sec-fetch-site': 'same-origin',
          }),
        },
      ]);
    },
  );

  inBrowser('that is refused says why, and is repeated under the same key', async () => {
    await begin(scenes.serving, 'Pause');
    server.stopAnswer = { status: 412, body: { detail: 'It is at version 4 by now.' } };
    const pause = page.getByRole('dialog').getByRole('button', { name: 'Pause' });
    for (const times of [1, 2]) {
      await pause.click();
      await expect.poll(() => server.posted.length).toBe(times);
      await page.getByText('Not done: It is at version 4 by now.').waitFor();
    }
    expect(new Set(server.posted.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
  });

  inBrowser('that cannot be taken back wants the name typed, and Escape leaves without asking anything', async () => {
    await begin(scenes.ready, 'Complete');
    const complete = page.getByRole('dialog').getByRole('button', { name: 'Complete' });
    await page.getByRole('dialog').getByRole('textbox').fill('playlis');
    expect(await complete.isDisabled()).toBe(true);
    await page.keyboard.type('t');
    expect(await complete.isEnabled()).toBe(true);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(server.posted).toEqual([]);
  });
});

describe('the rows', () => {
  const key = '{"track_id": 77}';
  const comparison: RowComparison = {
    key,
    primaryHash: 'a'.repeat(64),
    shadowHash: 'b'.repeat(64),
    equal: false,
    differingColumns: ['unit_price'],
    late: true,
    quarantined: false,
  };
  const of = (primary: string, shadow: string, values: [string | null, string | null], redacted = false) => ({
    primary,
    shadow,
    redacted,
    primaryValue: values[0],
    shadowValue: values[1],
  });
  const VALUES: RowValues = {
    key,
    primary: true,
    shadow: true,
    columns: [
      of('unit_price', 'unit_price', ['0.99', '1.29']),
      { ...of('name', '', [null, null]), shadow: null },
      of('composer', 'composer', [null, null], true),
    ],
  };
  /** As URLSearchParams writes it. */
  const asked = (of: string) => `/v1/cutovers/track/record?key=${of.replaceAll(' ', '+')}`;

  inBrowser('that differ are compared now, and any other key', async () => {
    await open({ scene: await scenes.scene([scenes.differing]) });
    server.api = {
      [asked(key)]: comparison,
      [asked('9')]: { ...comparison, key: '9', shadowHash: comparison.primaryHash, equal: true, late: false },
    };
    await page.getByRole('button', { name: `Compare ${key}` }).click();
    const row = page.getByRole('row').filter({ hasText: key });
    await row.getByText('differs in unit_price').waitFor();
    expect(await row.innerText()).toMatch(/differs in unit_price, a change waits/);
    // Who may not see values is told so, and nothing was asked for before somebody wanted it.
    expect(server.posted).toEqual([]);
    server.stopAnswer = { status: 403, body: { detail: "It needs the scope 'rows:read'." } };
    await page.getByRole('button', { name: `Values of ${key}` }).click();
    await row.getByText("It needs the scope 'rows:read'.").waitFor();
    server.stopAnswer = { status: 200, body: VALUES };
    await page.getByLabel('Look at a key').fill(key);
    await page.keyboard.press('Enter');
    await page.locator('.any-key').getByRole('button', { name: 'Values of' }).click();
    const shown = page.locator('.any-key table');
    await shown.waitFor();
    expect((await shown.innerText()).replaceAll('\t', '|')).toBe(
      [key, 'Column|Primary|Shadow', 'unit_price|0.99|1.29', 'name|NULL|–', 'composer|redacted|redacted'].join('\n'),
    );
    expect(server.posted.at(-1)).toMatchObject({ path: '/v1/cutovers/track/record/values', body: { key } });
    await page.getByLabel('Look at a key').fill('9');
    await page.keyboard.press('Enter');
    await page.locator('.any-key').getByText('equal').waitFor();
    await page.getByLabel('Look at a key').fill('nothing');
    await page.keyboard.press('Enter');
    await page.locator('.any-key .warn').waitFor();
    expect(complaints.filter((one) => !/40[34]/.test(one))).toEqual([]);
  });

  inBrowser('in quarantine are tried again, given up with a reason, and saved, all of them', async () => {
    await open({ scene: await scenes.scene([scenes.differing]) });
    const keys = Array.from({ length: 1_001 }, (_, i) => ({
      key: String(i),
      sqlstate: '23514',
      reason: '',
      attempts: 8,
    }));
    server.api = {
      '/v1/cutovers/track/quarantine?limit=1000': { total: 1_001, keys: keys.slice(0, 1_000) },
      '/v1/cutovers/track/quarantine?limit=1000&after=999': { total: 1_001, keys: keys.slice(1_000) },
    };
    const saving = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Save all 2 as JSON' }).click();
    const saved = await saving;
    expect(saved.suggestedFilename()).toBe('track-quarantine.json');
    expect(JSON.parse(await readFile(await saved.path(), 'utf8'))).toEqual(keys);

    const first = page.getByRole('row').filter({ hasText: '2461' }).filter({ hasText: '23514' });
    await first.getByRole('button', { name: 'Give up' }).click();
    await page.getByRole('dialog').getByRole('textbox').first().fill('Not for sale any more');
    await page.getByRole('dialog').getByRole('textbox').last().fill('track');
    await page.getByRole('dialog').getByRole('button', { name: 'Give up' }).click();
    await expect.poll(() => server.posted.length).toBe(1);
    expect(server.posted[0]).toMatchObject({
      path: '/v1/cutovers/track/quarantine/discard',
      body: { key: '{"track_id": 2461}', confirm: 'track', reason: 'Not for sale any more' },
    });
  });
});

describe('hostile names and reasons', () => {
  const owned = () => page.evaluate('"owned" in window');
  const strange = () => page.locator('main img, main script, aside img, aside script').count();
  /** Breaks the one place where text becomes a node: it is parsed as markup. */
  const careless = (html: string) =>
    html.replace(/\b\w+\.createTextNode\(/, 'document.createRange().createContextualFragment(');

  inBrowser('are shown as text, control characters and direction marks spelled out', async () => {
    await open({ scene: await scenes.scene([scenes.hostile]) });
    const text = await page.getByRole('main').innerText();
    expect(text).toContain('<script>alert(1)</script></svg>" onmouseover=\\x1b[31mred\\x1b[0m javascript:\\u202egnp');
    expect(text).toContain('<img/src=x/onerror=window.owned=1>');
    expect(await page.getByRole('complementary').innerText()).toContain('</svg>"');
    expect([await owned(), await strange()]).toEqual([false, 0]);
    expect(complaints).toEqual([]);
  });

  inBrowser('would be noticed by this test if they became markup (negative control)', async () => {
    const html = careless(server.page.html);
    expect(html).not.toBe(server.page.html);
    server.page = { html, headers: { 'content-type': 'text/html' } };
    await open({ scene: await scenes.scene([scenes.hostile]) });
    expect(await strange()).toBeGreaterThan(0);
    await expect.poll(owned).toBe(true);
  });

  inBrowser('would still do nothing under the policy, which refuses a changed script altogether', async () => {
    server.page = { ...server.page, html: careless(server.page.html) };
    await open('never');
    await expect.poll(() => complaints.join()).toContain('Content Security Policy');
    expect(await owned()).toBe(false);
  });
});
