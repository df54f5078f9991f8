/** Alerts over HTTP, on the command line and on the page. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alertRoutes } from '../../../functions/control-routes/alerts.ts';
import { httpHandler } from '../../../functions/middleware.ts';
import { alertLines } from '../../../lib/dashboard/alerts.ts';
import type { AlertList } from '../../../lib/flows/alerts/alerts.ts';
import { firing } from '../../helpers/contracts/alerts.ts';
import { HOSTILE } from '../../helpers/dashboard-reports.ts';
import { cli, type FakeApi, fakeApi } from '../../helpers/fake-api.ts';
import { NOW } from '../../property/samples.ts';
import { ask, type Call, inMemoryComposition, tokenOf } from '../../property/served.ts';

const PATH = '/v1/alerts/customer.errors/acknowledge';

async function served() {
  const it = inMemoryComposition();
  await it.alerts.write(firing(), 0);
  const handler = httpHandler(() => it.composition, alertRoutes);
  const acknowledge = (call: Call = {}) => ask(handler, { path: PATH, body: { reason: 'on it' }, ...call });
  return { ...it, handler, acknowledge };
}

describe('POST /v1/alerts/{alert}/acknowledge', () => {
  it('is noted with name and reason, and doing it twice changes nothing more', async () => {
    const { acknowledge, alerts, handler } = await served();
    expect(await acknowledge()).toMatchObject({
      status: 200,
      body: { acknowledged: { actor: 'ada', reason: 'on it', atMs: NOW } },
    });
    expect((await acknowledge()).status).toBe(200);
    expect(alerts.applied()).toBe(2);
    const list = await ask(handler, { method: 'GET', path: '/v1/alerts' });
    expect(list.body).toMatchObject({
      firing: 1,
      alerts: [{ id: 'customer.errors', status: 'firing', undelivered: 2 }],
    });
    expect(list.text).not.toContain('claim');
  });

  it.each<[string, Call, number, string]>([
    ['no reason', { body: {} }, 400, 'invalid_input'],
    ['a blank reason', { body: { reason: '  ' } }, 400, 'invalid_input'],
    ['a reason of 1,001 characters', { body: { reason: 'x'.repeat(1_001) } }, 400, 'invalid_input'],
    ['half a surrogate pair', { raw: '{"reason":"\\ud800"}', body: undefined }, 400, 'invalid_input'],
    ['another property', { body: { reason: 'a', force: true } }, 400, 'unknown_property'],
    ['no token', { token: null }, 401, 'unauthenticated'],
    ['a token that may only read', { token: tokenOf(['control:read']) }, 403, 'forbidden'],
    ['an id that is none', { path: '/v1/alerts/..%2Fx/acknowledge' }, 400, 'invalid_identifier'],
    ['an unknown rule', { path: '/v1/alerts/customer.eror/acknowledge' }, 404, 'not_found'],
    ['a rule that never fired', { path: '/v1/alerts/customer.lag/acknowledge' }, 409, 'illegal_transition'],
    ['another method', { method: 'GET', body: undefined }, 405, 'method_not_allowed'],
  ])('with %s is refused and changes nothing', async (_, call, status, code) => {
    const { acknowledge, alerts } = await served();
    expect(await acknowledge(call)).toMatchObject({ status, body: { code } });
    expect(alerts.applied()).toBe(1);
  });
});

const LIST: AlertList = {
  atMs: NOW + 90_000,
  firing: 2,
  alerts: [
    { ...(firing() as unknown as AlertList['alerts'][number]), undelivered: 1, sinceMs: NOW },
    {
      ...(firing() as unknown as AlertList['alerts'][number]),
      id: 'customer.lag',
      action: 'hold',
      acknowledged: { actor: HOSTILE, reason: HOSTILE, atMs: NOW },
      undelivered: 0,
      sinceMs: NOW,
    },
  ],
};

describe('crossfade alerts', () => {
  let api: FakeApi;
  beforeAll(async () => {
    api = await fakeApi({
      'GET /v1/alerts': { body: LIST },
      'POST /v1/alerts/customer.errors/acknowledge': {
        body: { ...LIST.alerts[0], acknowledged: { actor: 'ada', reason: 'x', atMs: 1 } },
      },
    });
  });
  afterAll(() => api.close());
  const crossfade = (...words: string[]) => cli(words, { env: { CROSSFADE_URL: api.url, CROSSFADE_TOKEN: 't' } });

  it('shows what fires with its figures, and nothing of it acts on the terminal', async () => {
    const { exit, out: stdout } = await crossfade('alerts');
    expect(exit).toBe(0);
    expect(stdout).toContain('critical firing  customer.errors  since 2026-01-15 12:00:00, 90 s');
    expect(stdout).toContain("crossfade ack customer.errors --reason '…'");
    expect(stdout).toContain('1 message is not delivered yet');
    expect(stdout).toContain('holds the cutover');
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  });

  it('ends with 3 while one fires, when asked to', async () => {
    expect((await crossfade('alerts', '--exit-code', '--json')).exit).toBe(3);
    expect((await crossfade('alerts', '--watch', '--timeout', '0.05', '--interval', '0.02', '--exit-code')).exit).toBe(
      3,
    );
  });

  it('ack sends the reason', async () => {
    const { exit, out: stdout } = await crossfade('ack', 'customer.errors', '--reason', 'on it');
    expect([exit, stdout]).toEqual([0, expect.stringContaining('acknowledged by ada')]);
    expect(api.asked.at(-1)).toMatchObject({
      body: { reason: 'on it' },
      headers: { 'idempotency-key': expect.any(String) },
    });
  });

  it.each([
    [['ack', 'customer.errors'], 2],
    [['ack', '../x', '--reason', 'a'], 2],
    [['ack', 'customer.gone', '--reason', 'a'], 2],
    [['alerts', 'customer'], 2],
  ])('%j ends with %i', async (words, exit) => {
    expect((await crossfade(...words)).exit).toBe(exit);
  });
});

describe('the page', () => {
  it('shows firing alerts with the command to take them on, and who has', () => {
    expect(alertLines(LIST)).toMatchObject([
      {
        id: 'customer.errors',
        badge: { text: 'Critical', tone: 'bad' },
        command: "crossfade ack customer.errors --reason '…'",
      },
      {
        id: 'customer.lag',
        badge: { tone: 'idle' },
        command: null,
        notes: ['Holds the cutover', expect.stringContaining(HOSTILE)],
      },
    ]);
  });
});
