/**
 * The HTTP functions on real servers, called as API Gateway calls them: who gets in, and that a request that is refused
 * changes nothing. After each one every item, flag, mirror, hint and row is what it was before; a known command of an
 * authenticated caller leaves one `denied` entry.
 */

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERROR_CODES, type ErrorCode } from '../../lib/core/base/errors.ts';
import type { FlagDocument } from '../../lib/core/routing/flags.ts';
import { type ApiCall, eventOf, type GatewayRoute, invoke, packagedRoutes } from '../helpers/api-gateway.ts';
import {
  type ApiStack,
  apiStack,
  concrete,
  type HttpFunction,
  type Instance,
  withoutDenial,
} from '../helpers/api-stack.ts';
import { BAD_TOKENS, tokenOf } from '../helpers/api-tokens.ts';
import { distinctDeeds } from '../helpers/asked-deeds.ts';
import { ownCpuMs } from '../helpers/cpu-time.ts';
import { ledgerAgainst } from '../helpers/grants.ts';
import { deniedIn, ROLES, usedIn } from '../helpers/role-evaluation.ts';
import { useAll } from '../helpers/whole-use.ts';
import type { Answer } from '../property/served.ts';

let routes: readonly GatewayRoute[];
let stack: ApiStack;
let api: Instance;

beforeAll(async () => {
  routes = await packagedRoutes();
  stack = await apiStack(routes);
  api = await stack.instances();
  // Something to lose: a table with hints in its outbox, a component in a ramp, one that is finished.
  expect(await stack.command(api, 'customer', 'start')).toMatchObject({ status: 200 });
  await stack.db.sql.unsafe("UPDATE customer SET city = 'Here' WHERE customer_id < 10");
  const forced = { force: true, reason: 'a test' };
  expect(await stack.command(api, 'planner', 'start', { plan: 'canary' })).toMatchObject({ status: 200 });
  expect(await stack.command(api, 'planner', 'advance', forced)).toMatchObject({ status: 200 });
});
afterAll(() => stack?.stop());

function expectProblem(answer: Answer, code: ErrorCode): void {
  const { status } = ERROR_CODES[code];
  expect(answer.body).toMatchObject({ type: 'about:blank', title: code, status, code });
  expect(answer.status).toBe(status);
  expect(answer.headers['content-type']).toBe('application/problem+json');
  expect((answer.body as { detail: string }).detail).toMatch(/\S.{15,}/);
  expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
}

/** The request is refused with this code and leaves nothing behind. */
async function refused(call: ApiCall, code: ErrorCode): Promise<Answer> {
  const before = await stack.everything();
  const answer = await stack.call(api, call);
  expectProblem(answer, code);
  expect(await stack.everything()).toEqual(before);
  return answer;
}

/** The command is refused and leaves one entry that says who was denied what, and nothing else. */
async function denied(cutover: string, name: string, body: object, code: ErrorCode, headers = {}): Promise<Answer> {
  const before = await stack.everything();
  const answer = await stack.call(api, {
    path: `/v1/cutovers/${cutover}/${name}`,
    body,
    headers: { ...(await fresh(cutover)), ...headers },
  });
  expectProblem(answer, code);
  const { rest, denied: entries } = withoutDenial(await stack.everything(), before, cutover);
  expect(rest).toEqual(before);
  expect(entries).toMatchObject([{ actor: 'ada' }]);
  expect(JSON.parse((entries[0] as { event: string }).event)).toMatchObject({ type: 'denied', command: name, code });
  return answer;
}

async function versionOf(cutover: string): Promise<number> {
  const { body } = await stack.call(api, { path: `/v1/cutovers/${cutover}` });
  return (body as { version: number }).version;
}
const fresh = async (cutover: string): Promise<Record<string, string>> => ({
  'idempotency-key': randomUUID(),
  'if-match': `"${await versionOf(cutover)}"`,
});
const KEY = { 'idempotency-key': 'key', 'if-match': '"2"' };
const START = '/v1/cutovers/spare/start';

// -------------------------------------------------------------------------------------------------------- who gets in

describe('every route of the template', () => {
  const ask = ({ method, path, function: name }: GatewayRoute, over: Partial<ApiCall> = {}) => {
    const body = method === 'GET' || method === 'HEAD' ? {} : { body: {} };
    return invoke(
      api[name as HttpFunction],
      eventOf({ method, path: concrete(path), ...body, ...over }, { method, path }),
    );
  };
  const guarded = () => routes.filter(({ method, path }) => path !== '/v1/health' && method !== 'OPTIONS');

  it('is known here: health is the only one without a scope', () => {
    expect(routes.length).toBeGreaterThan(30);
    const open = routes.filter(({ scopes }) => scopes.length !== 1).map(({ method, path }) => `${method} ${path}`);
    expect(open.sort()).toEqual(['GET /v1/health', 'OPTIONS /gateway/{cutover}/{proxy+}']);
    expect(new Set(routes.map(({ function: name }) => name)).size).toBe(6);
  });

  it('health answers without a token', async () => {
    const health = routes.find(({ path }) => path === '/v1/health')!;
    expect(await ask(health, { token: null })).toMatchObject({ status: 200, body: { status: 'ok' } });
  });

  it.each<[string, () => Partial<ApiCall>]>([
    ['row 1: no token', () => ({ token: null })],
    ['row 1: two tokens', () => ({ headers: { authorization: `Bearer ${tokenOf()},Bearer ${tokenOf()}` } })],
    ['row 1: the token in the address', () => ({ token: null, query: `access_token=${tokenOf()}` })],
    ['another scheme', () => ({ headers: { authorization: `Basic ${Buffer.from('a:b').toString('base64')}` } })],
    ...Object.entries(BAD_TOKENS).map(([name, make]): [string, () => Partial<ApiCall>] => [
      `rows 2–4: a token with ${name}`,
      () => ({ token: make() }),
    ]),
  ])('%s: 401 everywhere, and nothing is changed', async (_name, over) => {
    const before = await stack.everything();
    for (const route of guarded()) {
      const call = over();
      const answer = await ask(route, call);
      expect([route.method, route.path, answer.status]).toEqual([route.method, route.path, 401]);
      expectProblem(answer, 'unauthenticated');
      if (call.token) expect(answer.text).not.toContain(call.token.split('.')[1]);
    }
    expect(await stack.everything()).toEqual(before);
  });

  it('row 5: a valid token with every scope but its own: 403 everywhere, and nothing is changed', async () => {
    const all = [...new Set(guarded().flatMap(({ scopes }) => scopes))];
    const before = await stack.everything();
    for (const route of guarded()) {
      const others = all.filter((scope) => !route.scopes.includes(scope)).join(' ');
      for (const scope of [others, undefined, `${route.scopes[0]}s`]) {
        const answer = await ask(route, { token: tokenOf({ scope }) });
        expect([route.method, route.path, answer.status]).toEqual([route.method, route.path, 403]);
        expectProblem(answer, 'forbidden');
      }
    }
    expect(await stack.everything()).toEqual(before);
  });

  it('its own scope alone is enough to get past the door', async () => {
    for (const route of guarded().filter(({ method }) => method === 'GET')) {
      const { status } = await ask(route, { token: tokenOf({ scope: route.scopes.join(' ') }) });
      expect([route.path, [401, 403].includes(status)]).toEqual([route.path, false]);
    }
  });

  it('figures for a scraper are text of OpenMetrics, of every cutover', async () => {
    const { status, headers, text } = await stack.call(api, { path: '/v1/metrics' });
    expect(status).toBe(200);
    expect(status).toBe(200);
    expect(headers['content-type']).toMatch(/^application\/openmetrics-text; version=1\.0\.0/);
    expect(text).toContain('crossfade_cutover_share_ratio{cutover="spare"} 0\n');
    expect(text).toMatch(/\n# EOF\n$/);
  });
});

// ----------------------------------------------------------------------------------------------------------- bodies

describe('a body', () => {
  const padded = (bytes: number) => JSON.stringify({ plan: 'x'.repeat(bytes - '{"plan":""}'.length) });

  it.each<[string, Partial<ApiCall>, ErrorCode]>([
    ['row 7: of 64 KB + 1', { raw: padded(64 * 1024 + 1) }, 'too_large'],
    ['row 7: of 6 MB', { raw: padded(6 * 1024 * 1024) }, 'too_large'],
    ['row 7: of 11 MB', { raw: padded(11 * 1024 * 1024) }, 'too_large'],
    ['row 8: of broken JSON', { raw: '{"plan":' }, 'invalid_json'],
    ['row 8: with a byte-order mark', { raw: '\ufeff{}' }, 'invalid_json'],
    ['row 8: with a trailing comma', { raw: '{"plan":"fine",}' }, 'invalid_json'],
    ['row 8: of nothing', { raw: '' }, 'invalid_json'],
    ['row 8: flagged as base64 that is none', { raw: '{}', base64: true }, 'invalid_json'],
    ['row 9: null', { raw: 'null' }, 'invalid_input'],
    ['row 9: an array', { raw: '[]' }, 'invalid_input'],
    ['row 9: a string', { raw: '"start"' }, 'invalid_input'],
    ['row 10: nested 10,000 deep', { raw: `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}` }, 'invalid_json'],
    ['row 11: whose last duplicate is wrong', { raw: '{"plan":"fine","plan":"worse"}' }, 'invalid_input'],
    ['row 12: with __proto__', { raw: '{"__proto__":{"polluted":1}}' }, 'unknown_property'],
    ['row 12: with constructor.prototype', { raw: '{"constructor":{"prototype":{"polluted":1}}}' }, 'unknown_property'],
    ['row 13: with an unknown property', { body: { plna: 'fine' } }, 'unknown_property'],
    ['row 13: with SQL', { body: { sql: "'; DROP TABLE customer; --", table: 'public.customer' } }, 'unknown_property'],
    ['row 14: as text', { body: {}, headers: { ...KEY, 'content-type': 'text/plain' } }, 'unsupported_media_type'],
    ['row 14: as nothing', { body: {}, headers: { ...KEY, 'content-type': undefined } }, 'unsupported_media_type'],
    ['row 15: with a dwell of −1', { body: { plan: 'fine', dwellMinutes: -1 } }, 'invalid_input'],
    ['row 15: with a dwell of 1e309', { raw: '{"plan":"fine","dwellMinutes":1e309}' }, 'invalid_input'],
    ['row 15: with NaN', { raw: '{"plan":"fine","dwellMinutes":NaN}' }, 'invalid_json'],
    ['row 15: with a number as text', { body: { plan: 'fine', dwellMinutes: '50' } }, 'invalid_input'],
    ['row 15: with 2^53', { body: { plan: 'fine', dwellMinutes: 2 ** 53 } }, 'invalid_input'],
    ['row 15: with a share of its own', { body: { readPpm: 500_000 } }, 'unknown_property'],
    ['row 16: with an unknown plan', { body: { plan: 'grdual' } }, 'invalid_input'],
    ['row 16: with a plan in capitals', { body: { plan: 'Gradual' } }, 'invalid_input'],
    ['row 16: with a space behind the plan', { body: { plan: 'gradual ' } }, 'invalid_input'],
    ['row 16: with a plan in full-width letters', { body: { plan: 'ｇｒａｄｕａｌ' } }, 'invalid_input'],
    ['row 19: with a dwell of 0', { body: { plan: 'fine', dwellMinutes: 0 } }, 'invalid_input'],
    ['row 19: with thresholds', { body: { policy: { errorRateRollback: 1 } } }, 'unknown_property'],
  ])('%s is refused', async (_name, call, code) => {
    const since = ownCpuMs();
    await stack.call(api, { path: START, headers: KEY, ...call });
    const tookMs = since();
    await refused({ path: START, headers: KEY, ...call }, code);
    expect(tookMs).toBeLessThan(1_000);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('row 13: is told the nearest name', async () => {
    const { body } = await stack.call(api, { path: START, headers: KEY, body: { plna: 'fine' } });
    expect((body as { detail: string }).detail).toContain("Did you mean 'plan'?");
  });

  it.each<[string, string, object, ErrorCode]>([
    ['row 18: confirm missing', 'spare/reset', {}, 'confirm_required'],
    ['row 18: confirm of another type', 'spare/reset', { confirm: 5 }, 'invalid_input'],
    ['row 18: reason missing', 'planner/rollback', {}, 'invalid_input'],
    ['row 18: reads without a reason', 'planner/reads', { to: 'primary' }, 'invalid_input'],
    ['row 19: reads to nowhere', 'planner/reads', { to: 'both', reason: 'x' }, 'invalid_input'],
    ['row 18: writes without a reason', 'planner/shadow-writes', { enabled: false }, 'invalid_input'],
    ['row 19: writes half off', 'planner/shadow-writes', { enabled: 'half', reason: 'x' }, 'invalid_input'],
    ['row 18: reason empty', 'planner/rollback', { reason: '' }, 'invalid_input'],
    ['row 18: reason of 1,001 characters', 'planner/rollback', { reason: 'x'.repeat(1_001) }, 'invalid_input'],
    ['row 25: reason with NUL', 'planner/rollback', { reason: 'a\0b' }, 'invalid_input'],
    ['row 26: reason with half a pair', 'planner/rollback', { reason: 'a\ud83d' }, 'invalid_input'],
  ])('%s', async (_name, path, body, code) => {
    await refused({ path: `/v1/cutovers/${path}`, body, headers: KEY }, code);
  });

  it('row 18: confirm with another name is denied', async () => {
    await stack.command(api, 'spare', 'start');
    await stack.command(api, 'spare', 'rollback', { reason: 'a test' });
    await denied('spare', 'reset', { confirm: 'planner' }, 'confirm_required');
    expect(await stack.command(api, 'spare', 'reset', { confirm: 'spare' })).toMatchObject({ status: 200 });
  });

  it.each<[string, string, object, ErrorCode]>([
    ['a stop without a reason', 'emergency-stop', {}, 'invalid_input'],
    ['a rollback of everything without confirm', 'rollback', { reason: 'x' }, 'confirm_required'],
    ['a rollback of everything with another name', 'rollback', { reason: 'x', confirm: 'all' }, 'confirm_required'],
    ['a reset without confirm', 'reset', {}, 'confirm_required'],
    ['a reset with another name', 'reset', { confirm: 'planner' }, 'confirm_required'],
  ])('row 18: %s', async (_name, command, body, code) => {
    await refused({ path: `/v1/system/${command}`, body, headers: KEY }, code);
  });
});

describe('row 17: a cutover', () => {
  it.each<[string, ErrorCode]>([
    ['..%2Fx', 'invalid_identifier'],
    ['%2e%2e%2f', 'invalid_identifier'],
    ['x'.repeat(300), 'invalid_identifier'],
    ['a%00', 'invalid_identifier'],
    ['%F0%9F%99%82', 'invalid_identifier'],
    ['a%E2%80%8F', 'invalid_identifier'],
    ['%22customer%22', 'invalid_identifier'],
    ["customer'--", 'invalid_identifier'],
    ['public.customer', 'invalid_identifier'],
    ['Customer', 'invalid_identifier'],
    ['constructor', 'not_found'],
    ['custmer', 'not_found'],
  ])('called %s', async (id, code) => {
    for (const name of ['', '/preview', '/history', '/verification'])
      await refused({ path: `/v1/cutovers/${id}${name}` }, code);
    for (const name of ['start', 'rollback', 'verify', 'repair'])
      await refused({ path: `/v1/cutovers/${id}/${name}`, body: { reason: 'x' }, headers: KEY }, code);
    await refused({ path: `/gateway/${id}/x` }, code);
  });

  it('that is unknown is told the nearest name', async () => {
    const { body } = await stack.call(api, { path: '/v1/cutovers/custmer' });
    expect((body as { detail: string }).detail).toContain("Did you mean 'customer'?");
  });

  it('without a name reaches no route', async () => {
    await refused({ path: '/v1/cutovers//start', body: {}, headers: KEY }, 'not_found');
  });
});

describe('row 50: a method', () => {
  it.each(['TRACE', 'OPTIONS', 'DELETE', 'PUT', 'PATCH'])('%s is not allowed on a command', async (method) => {
    await refused({ method, path: START, headers: { ...KEY, origin: 'https://evil.test' } }, 'method_not_allowed');
  });

  it('is not overridden by a header', async () => {
    const before = await stack.everything();
    const headers = { 'x-http-method-override': 'POST', 'x-method-override': 'POST', ...KEY };
    expectProblem(await stack.call(api, { method: 'GET', path: START, headers }), 'method_not_allowed');
    expect(await stack.everything()).toEqual(before);
  });
});

// --------------------------------------------------------------------------------------------------------- commands

describe('a command', () => {
  it('row 51: twice and in parallel has one effect and one answer', async () => {
    const headers = { 'idempotency-key': randomUUID(), 'if-match': `"${await versionOf('planner')}"` };
    const pause = () => stack.call(api, { path: '/v1/cutovers/planner/pause', body: {}, headers });
    const answers = await Promise.all([pause(), pause(), pause(), pause()]);
    answers.push(await pause());
    const before = await stack.everything();
    // Accepted and not published yet, while another call is still publishing.
    for (const { status } of answers) expect([200, 202]).toContain(status);
    expect(answers.at(-1)).toMatchObject({ status: 200, body: { published: true } });
    expect(new Set(answers.map(({ body }) => JSON.stringify({ ...(body as object), published: true }))).size).toBe(1);
    await pause();
    expect(await stack.everything()).toEqual(before);
    expect(await versionOf('planner')).toBe(Number(headers['if-match'].replaceAll('"', '')) + 1);
    await stack.command(api, 'planner', 'resume');
  });

  it('row 52: with a used key and another body, cutover or caller is refused', async () => {
    const headers = await fresh('spare');
    const path = '/v1/cutovers/spare/start';
    expect(await stack.call(api, { path, body: { plan: 'fine' }, headers })).toMatchObject({ status: 200 });
    await refused({ path, body: { plan: 'canary' }, headers }, 'idempotency_mismatch');
    await refused({ path: '/v1/cutovers/planner/pause', body: {}, headers }, 'idempotency_mismatch');
    await refused({ path, body: { plan: 'fine' }, headers, token: tokenOf({ sub: 'eve' }) }, 'idempotency_mismatch');
    await stack.command(api, 'spare', 'rollback', { reason: 'a test' });
    await stack.command(api, 'spare', 'reset', { confirm: 'spare' });
  });

  it.each<[string, Record<string, string | undefined>, ErrorCode]>([
    ['row 53: without a key', { 'idempotency-key': undefined }, 'invalid_input'],
    ['row 53: with a key of 10 KB', { 'idempotency-key': 'k'.repeat(10_240) }, 'invalid_input'],
    ['row 53: with a control character in its key', { 'idempotency-key': 'a\u0007b' }, 'invalid_input'],
    ['row 54: without a version', { 'if-match': undefined }, 'precondition_required'],
    ['row 54: on any version', { 'if-match': '*' }, 'invalid_input'],
    ['row 54: with a weak tag', { 'if-match': 'W/"2"' }, 'invalid_input'],
    ['row 54: with a list of tags', { 'if-match': '"2", "3"' }, 'invalid_input'],
  ])('%s is refused', async (_name, headers, code) => {
    const all = { ...KEY, ...headers };
    await refused({ path: '/v1/cutovers/planner/pause', body: {}, headers: all }, code);
  });

  it.each(['emergency-stop', 'rollback', 'reset'])('row 53: %s without a key is refused', async (name) => {
    const body =
      name === 'emergency-stop' ? { reason: 'x' } : { confirm: 'system', ...(name === 'rollback' && { reason: 'x' }) };
    await refused({ path: `/v1/system/${name}`, body }, 'invalid_input');
  });

  it('row 54: on an older version is denied and told the newer one', async () => {
    const { body } = await denied('planner', 'pause', {}, 'stale_version', { 'if-match': '"1"' });
    expect(body).toMatchObject({ details: { version: await versionOf('planner') } });
  });

  it.each<[string, string, string, object]>([
    ['start twice', 'planner', 'start', {}],
    ['complete from a ramp', 'planner', 'complete', { confirm: 'planner' }],
    ['complete from a ramp with force', 'planner', 'complete', { confirm: 'planner', force: true, reason: 'now' }],
    ['clean up from a ramp', 'planner', 'cleanup', { confirm: 'planner' }],
    ['reset from a ramp', 'planner', 'reset', { confirm: 'planner' }],
    ['advance what is not started', 'chat', 'advance', {}],
    ['advance what is not started with force', 'chat', 'advance', { force: true, reason: 'now' }],
    ['approve nothing', 'chat', 'approve', {}],
    ['roll back what is not started', 'chat', 'rollback', { reason: 'x' }],
    ['complete before any ramp', 'customer', 'complete', { confirm: 'customer', force: true, reason: 'now' }],
  ])('row 56: %s is no legal step', async (_name, cutover, command, body) => {
    const { body: said } = await denied(cutover, command, body, 'illegal_transition');
    expect((said as { detail: string }).detail).toMatch(/Possible from here|Nothing is possible/);
  });

  it('that lacks evidence is held, with every reason', async () => {
    const { body } = await denied('planner', 'advance', {}, 'held');
    expect((body as { details: { reasons: unknown[] } }).details.reasons.length).toBeGreaterThan(0);
  });

  it.each([
    ['whose shadow is missing', 'shadowless', /album_v2/],
    ['without a key', 'keyless', /note/],
  ])('row 56: on a table %s is denied, and the preview says why', async (_name, cutover, says) => {
    const { body } = await denied(cutover, 'start', {}, 'refused_table');
    expect((body as { detail: string }).detail).toMatch(says);
    const before = await stack.everything();
    const preview = await stack.call(api, { path: `/v1/cutovers/${cutover}/preview` });
    expect(preview.text).toMatch(says);
    expect(await stack.everything()).toEqual(before);
  });

  it('row 57: after cleanup nothing is possible, also with force', async () => {
    const forced = { force: true, reason: 'a test' };
    await stack.command(api, 'spare', 'start', { plan: 'gateway' });
    for (let step = 0; step < 3; step += 1)
      expect(await stack.command(api, 'spare', 'advance', forced)).toMatchObject({ status: 200 });
    expect(await stack.command(api, 'spare', 'complete', { confirm: 'spare', ...forced })).toMatchObject({
      status: 200,
    });
    expect(await stack.command(api, 'spare', 'cleanup', { confirm: 'spare' })).toMatchObject({ status: 200 });
    const { body } = await denied('spare', 'rollback', { reason: 'x' }, 'illegal_transition');
    expect((body as { detail: string }).detail).toContain('nothing left to roll back to');
    await denied('spare', 'advance', forced, 'illegal_transition');
  });
});

// --------------------------------------------------------------------------------------------------------- outcomes

describe('outcomes', () => {
  const minute = Math.floor(Date.now() / 60_000);
  const WINDOW = { cutover: 'planner', operation: 'read', minute, side: 'shadow', count: 3, errors: 1, keyless: 0 };
  const FULL = { ...WINDOW, latency: { '148': 3 }, checks: 2, mismatches: 1 };
  const report = (windows: readonly object[], flushId: string = randomUUID()) => ({
    path: '/v1/outcomes',
    body: { flushId, source: 'me', windows },
  });

  it.each<[string, object]>([
    ['row 59: a negative latency', { latency: { '-99999': 3 } }],
    ['row 59: a latency of 1e12 ms', { latency: { '2000': 3 } }],
    ['row 59: a latency that is no number', { latency: { NaN: 3 } }],
    ['row 59: an unknown side', { side: 'both' }],
    ['row 59: a minute 11 minutes ago', { minute: minute - 12 }],
    ['row 59: an hour ahead', { minute: minute + 60 }],
    ['row 59: a negative count', { count: -1 }],
    ['row 59: half an operation', { count: 2.5 }],
    ['row 60: more errors than operations', { errors: 4 }],
    ['row 60: more mismatches than comparisons', { mismatches: 3 }],
    ['row 60: a histogram of another sum', { latency: { '148': 2 } }],
    ['row 62: an unknown cutover', { cutover: 'stranger' }],
    ['an operation with blanks', { operation: 'drop table' }],
  ])('%s is refused', async (_name, over) => {
    await refused(report([{ ...FULL, ...over }]), 'invalid_input');
  });

  it('row 59: NaN and Infinity are no JSON, 1e309 is no count', async () => {
    for (const [value, code] of [
      ['NaN', 'invalid_json'],
      ['Infinity', 'invalid_json'],
      ['1e309', 'invalid_input'],
    ] as const) {
      const raw = JSON.stringify(report([FULL]).body).replace('"count":3', `"count":${value}`);
      await refused({ path: '/v1/outcomes', raw }, code);
    }
  });

  it('row 62: too many windows are refused, and one wrong one leaves the others', async () => {
    await refused(report(Array.from({ length: 10_001 }, () => ({}))), 'too_large');
    const answer = await stack.call(api, report([FULL, { ...FULL, cutover: 'stranger' }]));
    expect(answer).toMatchObject({ status: 200, body: { accepted: 1, refused: [{ index: 1, code: 'not_found' }] } });
  });

  it('row 63: the same flush is counted once, also in parallel', async () => {
    const flush = report([FULL], 'the-same');
    const answers = await Promise.all([stack.call(api, flush), stack.call(api, flush)]);
    const before = await stack.everything();
    answers.push(await stack.call(api, flush));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(await stack.everything()).toEqual(before);
  });

  it('row 61: names without bound become one', async () => {
    const window = (operation: string) => ({
      ...WINDOW,
      // On a busy machine the minute from before is over for good.
      minute: Math.floor(Date.now() / 60_000),
      cutover: 'chat',
      operation,
      latency: { '1': 3 },
      checks: 0,
      mismatches: 0,
    });
    const names = Array.from({ length: 200 }, (_, index) => `op_${index}`);
    expect(await stack.call(api, report(names.map(window)))).toMatchObject({ status: 200, body: { accepted: 200 } });
    const { items } = await stack.everything();
    const stored = Object.entries(items).filter(([key]) => key.startsWith('window#chat#'));
    expect(stored.length).toBeLessThanOrEqual(65);
    expect(stored.reduce((sum, [, item]) => sum + (item as { count: number }).count, 0)).toBe(600);
  });
});

describe('a routing request', () => {
  it.each<[string, ApiCall, ErrorCode]>([
    ['row 25: with NUL in its key', { path: '/v1/route/planner', query: 'key=a%00b' }, 'invalid_input'],
    [
      'row 26: with half a pair in its key',
      { path: '/v1/route', raw: '{"requests":[{"cutover":"planner","key":"a\\ud83d"}]}' },
      'invalid_input',
    ],
    ['with an unknown parameter', { path: '/v1/route/planner', query: 'kye=a' }, 'unknown_property'],
    ['with a quoted cutover', { path: '/v1/route/%22planner%22' }, 'invalid_input'],
    ['without requests', { path: '/v1/route', body: {} }, 'invalid_input'],
    ['with SQL', { path: '/v1/route', body: { requests: [{ cutover: 'planner', sql: 'x' }] } }, 'unknown_property'],
    [
      'row 62: with 1,001 requests',
      { path: '/v1/route', body: { requests: Array.from({ length: 1_001 }, () => ({ cutover: 'a' })) } },
      'invalid_input',
    ],
  ])('%s is refused', async (_name, call, code) => {
    await refused(call, code);
  });
});

// ------------------------------------------------------------------------------------------------------------- stop

describe('rules that no evidence lifts', () => {
  it('row 58: nothing starts in a freeze window, and the refusal says when it ends', async () => {
    const answer = await denied('frozen', 'start', {}, 'frozen');
    expect(answer.body).toMatchObject({ details: { window: 'always', untilMs: Date.UTC(2099, 0, 1) } });
  });

  it('row 6: whoever started it cannot approve it, somebody else can', async () => {
    expect(await stack.command(api, 'shared', 'start')).toMatchObject({ status: 200 });
    await denied('shared', 'approve', {}, 'self_approval');
    const headers = await fresh('shared');
    const path = '/v1/cutovers/shared/approve';
    const answer = await stack.call(api, { path, body: {}, headers, token: tokenOf({ sub: 'bob' }) });
    expect(answer).toMatchObject({ status: 200 });
  });

  it('row 19: limits are changed at run time, within their ranges, and shown with the cutover', async () => {
    await refused(
      { path: '/v1/cutovers/planner/policy', body: { set: { minSamples: 0 } }, headers: KEY },
      'invalid_input',
    );
    await refused(
      { path: '/v1/cutovers/planner/policy', body: { set: { sql: 'x' } }, headers: KEY },
      'unknown_property',
    );
    const change = { stage: 'canary_10', set: { minSamples: 9, dwellMinutes: 7 }, reason: 'calm' };
    expect(await stack.command(api, 'planner', 'policy', change)).toMatchObject({ status: 200 });
    const { body } = await stack.call(api, { path: '/v1/cutovers/planner' });
    expect(body).toMatchObject({
      policy: { minSamples: 9 },
      overrides: { stages: { canary_10: { dwellMinutes: 7 } } },
    });
  });

  it('switches: reads leave before writes go off, once for one key, and everything forward is held until they are back', async () => {
    const flag = async () => {
      const { body } = await stack.call(api, { path: '/v1/flags' });
      return (body as { document: FlagDocument }).document.cutovers.planner;
    };
    const headers = await fresh('planner');
    const path = '/v1/cutovers/planner/shadow-writes';
    const off = () => stack.call(api, { path, body: { enabled: false, reason: 'load' }, headers });
    const first = await off();
    expect(first).toMatchObject({ status: 200, body: { stage: 'canary_10', sharePpm: 0, published: true } });
    const before = await stack.everything();
    expect(await off()).toMatchObject({ status: 200, body: first.body as object });
    expect(await stack.everything()).toEqual(before);
    expect(await flag()).toMatchObject({ stage: 'canary_10', read_ppm: 0, shadow_writes: false });
    const { body } = await stack.call(api, { path: '/v1/cutovers/planner/history' });
    expect((body as { entries: { actor: string; event: object }[] }).entries.slice(0, 2)).toMatchObject([
      { event: { type: 'shadow_writes_switched', enabled: false, reason: 'load' } },
      { event: { type: 'reads_switched', to: 'primary', reason: 'load' } },
    ]);
    const held = await denied('planner', 'advance', { force: true, reason: 'now' }, 'held');
    expect(JSON.stringify(held.body)).toContain('crossfade writes on planner');
    await denied('planner', 'reads', { to: 'shadow', reason: 'too early' }, 'held');
    for (const [command, asked] of [
      ['shadow-writes', { enabled: true, reason: 'calm' }],
      ['reads', { to: 'shadow', reason: 'calm' }],
    ] as const)
      expect(await stack.command(api, 'planner', command, asked)).toMatchObject({ status: 200 });
    expect(await flag()).toMatchObject({ read_ppm: 100_000, shadow_writes: true });
    await denied('frozen', 'reads', { to: 'primary', reason: 'x' }, 'illegal_transition');
  });

  it('phases: held in their order, opened by a check and a person, rolled back with what depends on them', async () => {
    const phases = async () => {
      const { body } = await stack.call(api, { path: '/v1/phases' });
      return body as { version: number; migrationPhase: string; phases: { name: string; status: string }[] };
    };
    const on = async (phase: string, command: string, body: object) => {
      const headers = { 'idempotency-key': randomUUID(), 'if-match': `"${(await phases()).version}"` };
      return stack.call(api, { path: `/v1/phases/${phase}/${command}`, body, headers });
    };
    expect((await phases()).phases.map(({ name, status }) => [name, status])).toEqual([
      ['one', 'waiting'],
      ['two', 'waiting'],
    ]);
    await denied('first', 'start', {}, 'held');
    expectProblem(await on('one', 'go', {}), 'held');
    expectProblem(await on('one', 'check', { check: 'rehersed' }), 'not_found');
    expectProblem(await on('three', 'go', {}), 'not_found');
    expect(await on('one', 'check', { check: 'rehearsed' })).toMatchObject({ status: 200 });
    expect(await on('one', 'go', {})).toMatchObject({
      status: 200,
      body: { status: 'running', migrationPhase: 'one' },
    });
    expect(await stack.command(api, 'first', 'start')).toMatchObject({ status: 200 });
    await denied('second', 'start', {}, 'held');
    expectProblem(await on('one', 'rollback', { reason: 'no', confirm: 'two' }), 'confirm_required');
    const back = await on('one', 'rollback', { reason: 'no', confirm: 'one' });
    expect(back).toMatchObject({
      status: 200,
      body: { status: 'rolled_back', moved: [{ id: 'first', to: 'rolled_back' }] },
    });
    const { body } = await stack.call(api, { path: '/v1/cutovers/first/rollbacks' });
    expect(body).toMatchObject({
      rollbacks: [{ cause: 'guard', reason: expect.stringContaining("phase 'one' was rolled back: no") }],
    });
  });
});

describe('row 55: an emergency stop', () => {
  const stop = (key = randomUUID()) =>
    stack.call(api, {
      path: '/v1/system/emergency-stop',
      body: { reason: 'smoke' },
      headers: { 'idempotency-key': key },
    });
  const reset = (key = randomUUID()) =>
    stack.call(api, { path: '/v1/system/reset', body: { confirm: 'system' }, headers: { 'idempotency-key': key } });

  it('wins against an advance at the same moment, and afterwards nothing starts or advances', async () => {
    const [stopped, advanced] = await Promise.all([
      stop(),
      stack.command(api, 'planner', 'advance', { force: true, reason: 'a race' }),
    ]);
    expect(stopped.status).toBe(200);
    expect([200, 409, 412]).toContain(advanced.status);
    const { body } = await stack.call(api, { path: '/v1/cutovers' });
    const report = body as {
      emergencyStop: boolean;
      cutovers: { id: string; stage: string; flagsDeployed: boolean }[];
    };
    expect(report.emergencyStop).toBe(true);
    for (const id of ['planner', 'customer'])
      expect(report.cutovers.find((one) => one.id === id)).toMatchObject({ stage: 'rolled_back', flagsDeployed: true });
    await denied('chat', 'start', {}, 'stopped');
  });

  it('repeated with its key changes nothing, and so does its reset', async () => {
    const key = randomUUID();
    const first = await stop(key);
    const before = await stack.everything();
    expect(await stop(key)).toMatchObject({ status: first.status, body: first.body });
    expect(await stack.everything()).toEqual(before);
    const lift = randomUUID();
    expect(await reset(lift)).toMatchObject({ status: 200, body: { emergencyStop: false } });
    expect(await stop()).toMatchObject({ status: 200 });
    // The answer to the first reset was lost and it comes again: the stop that came later stays.
    await reset(lift);
    const { body } = await stack.call(api, { path: '/v1/system' });
    expect(body).toMatchObject({ emergencyStop: true });
    expect(await reset()).toMatchObject({ status: 200, body: { emergencyStop: false } });
  });
});

// After all of the others: what they have asked for.
describe('least privilege', () => {
  it('no function has asked DynamoDB or AppConfig for what its role does not allow, and each grant that was used is needed', async () => {
    await useAll(stack, api);
    const [deeds, { tables }] = [distinctDeeds(stack.deeds()), stack.on];
    expect(deniedIn(deeds, tables)).toEqual([]);
    const used = usedIn(deeds, tables);
    expect(ledgerAgainst('test/e2e/api.test.ts', used)).toEqual([]);
    for (const grant of new Set(used.map((one) => one.split(' ')[0]!))) {
      const others = ROLES.filter(({ role, Sid }) => `${role}.${Sid}` !== grant);
      expect(deniedIn(deeds, tables, others), grant).not.toEqual([]);
    }
  });
});
