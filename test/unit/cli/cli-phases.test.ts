import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PROCEDURES, SCENARIOS } from '../../../lib/core/stage/rollback-procedure.ts';
import type { PhasesAnswer } from '../../../lib/flows/control/phases.ts';
import type { Rollbacks } from '../../../lib/flows/report/rollbacks.ts';
import { fivePhases, held, rolledBack, scene, serving } from '../../helpers/dashboard-reports.ts';
import { cli, type FakeApi, fakeApi, problem } from '../../helpers/fake-api.ts';

/** Worked out once; no test changes it. */
const { report } = await scene([serving, held, rolledBack], { phases: fivePhases });

let api: FakeApi;
const crossfade = (...words: string[]) => cli(words, { env: { CROSSFADE_URL: api.url, CROSSFADE_TOKEN: 't' } });
const result = { phase: 'orders', status: 'done', version: 8, migrationPhase: 'orders', moved: [], published: true };

beforeEach(async () => {
  const answer: PhasesAnswer = {
    atMs: report.atMs,
    version: 7,
    migrationPhase: 'orders',
    emergencyStop: false,
    phases: report.phases,
  };
  api = await fakeApi({ 'GET /v1/phases': { body: answer } });
});
afterEach(() => api.close());

describe('crossfade phases', () => {
  it('shows every phase with its cutovers and what it waits for', async () => {
    const { exit, out } = await crossfade('phases');
    expect(exit).toBe(0);
    expect(out).toContain('migration phase: orders, version 7');
    expect(out).toMatch(/orders {2}running\n +cutovers +customer test_10, track test_10; to reach full/);
    expect(out).toMatch(/search {2}rolled back/);
    expect(JSON.parse((await crossfade('phases', '--json')).out)).toMatchObject({ version: 7 });
  });

  it('shows one, and names the nearest of one that is not there', async () => {
    expect((await crossfade('phase', 'orders')).out).toContain('orders  running');
    const { exit, err } = await crossfade('phase', 'order');
    expect(exit).toBe(2);
    expect(err).toContain("Did you mean 'orders'?");
  });
});

describe('crossfade phase NAME COMMAND', () => {
  it.each([
    [['check', 'rehearsed'], 'check', { check: 'rehearsed' }],
    [['check', 'rehearsed', '--withdraw'], 'check', { check: 'rehearsed', ok: false }],
    [['go'], 'go', {}],
    [['go', '--force', '--reason', 'known'], 'go', { force: true, reason: 'known' }],
    [['extend', '--minutes', '60', '--reason', 'look'], 'extend', { minutes: 60, reason: 'look' }],
    [['rollback', '--reason', 'no', '--confirm', 'orders'], 'rollback', { reason: 'no', confirm: 'orders' }],
    [['reset', '--confirm', 'orders'], 'reset', { confirm: 'orders' }],
  ])('%j sends the version it saw and a key of its own', async (words, name, body) => {
    api.routes[`POST /v1/phases/orders/${name}`] = { body: result };
    const ran = await crossfade('phase', 'orders', ...words);
    expect(ran).toMatchObject({ exit: 0, err: '' });
    const sent = api.asked.at(-1)!;
    expect(sent.body).toEqual(body);
    expect(sent.headers).toMatchObject({ 'if-match': '"7"' });
    expect(sent.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
    expect(ran.out).toContain('Phase orders is done, version 8.');
  });

  it.each([
    ['an unknown command', ['goo'], "Did you mean 'go'?"],
    ['force without a reason', ['go', '--force'], '--reason'],
    ['extend without minutes', ['extend', '--reason', 'r'], '--minutes'],
    ['rollback without a reason', ['rollback', '--confirm', 'orders'], '--reason'],
    ['check without its name', ['check'], 'needs the name of a check'],
    ['another name typed', ['reset', '--confirm', 'order'], '--confirm orders'],
  ])('%s sends nothing and ends with 2', async (_, words, text) => {
    const { exit, err } = await crossfade('phase', 'orders', ...words);
    expect(exit).toBe(2);
    expect(err).toContain(text);
    expect(api.asked.filter(({ method }) => method === 'POST')).toEqual([]);
  });

  it('that is held ends with 3', async () => {
    api.routes['POST /v1/phases/orders/go'] = problem('held', "Phase 'orders' cannot go on.");
    expect((await crossfade('phase', 'orders', 'go')).exit).toBe(3);
  });
});

describe('crossfade rollbacks', () => {
  it('shows each with its steps, how long reads took to leave, and what one would consist of', async () => {
    const step = { name: 'flags_safe', tookMs: 2_100, text: 't' } as const;
    const left = { name: 'reads_left', tookMs: 41_000, text: 't' } as const;
    const made = { atMs: Date.UTC(2026, 0, 15, 12), actor: 'tick', cause: 'guard', fromStage: 'test_10' } as const;
    const body: Rollbacks = {
      cutover: 'customer',
      procedure: PROCEDURES.table.serving,
      rollbacks: [{ ...made, reason: 'slow', steps: [step, left], verified: true, readsLeftMs: 41_000 }],
      scenarios: SCENARIOS,
    };
    api.routes['GET /v1/cutovers/customer/rollbacks'] = { body };
    const { exit, out } = await crossfade('rollbacks', 'customer');
    expect(exit).toBe(0);
    expect(out).toContain('2026-01-15 12:00:00 UTC  from test_10 by tick (guard)');
    expect(out).toMatch(/flags_safe +✓ after 2\.1 s/);
    expect(out).toMatch(/reads left +within 41 s/);
    expect(out).toContain('crossfade cleanup customer --confirm customer: no way back');
  });
});
