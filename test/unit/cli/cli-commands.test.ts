import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { printableJson, terminalText } from '../../../lib/cli/text.ts';
import { ERROR_CODES, type ErrorCode } from '../../../lib/core/base/errors.ts';
import { OLD_COMMANDS } from '../../../lib/core/base/old-names.ts';
import { condition } from '../../../lib/core/conditions/condition.ts';
import { show } from '../../../lib/core/conditions/show.ts';
import { csvLine } from '../../../lib/core/report/csv.ts';
import { HOSTILE, held, rolledBack, scene, serving } from '../../helpers/dashboard-reports.ts';
import { cli, type FakeApi, fakeApi, problem } from '../../helpers/fake-api.ts';

const summary = {
  cutover: 'customer',
  stage: 'test_1',
  stageKind: 'ramp',
  sharePpm: 10_000,
  version: 4,
  epoch: 1,
  pending: null,
  published: true,
};

/** Worked out once: the gates look at six hundred minutes for it, and no test changes it. */
const { report } = await scene([serving, held, rolledBack]);

let api: FakeApi;
const env = () => ({ CROSSFADE_URL: api.url, CROSSFADE_TOKEN: 'token-of-ada' });
const crossfade = (...words: string[]) => cli(words, { env: env() });

beforeEach(async () => {
  api = await fakeApi({
    'GET /v1/cutovers': { body: report },
    'GET /v1/cutovers/customer': { body: report.cutovers[0] },
    'GET /v1/cutovers/track': { body: report.cutovers[1] },
    'GET /v1/cutovers/search_index': { body: report.cutovers[2] },
  });
});
afterEach(() => api.close());

describe('a command on one cutover', () => {
  it.each([
    [['start', 'customer', '--plan', 'canary', '--dwell', '5'], 'start', { plan: 'canary', dwellMinutes: 5 }],
    [['advance', 'customer'], 'advance', {}],
    [['advance', 'customer', '--force', '--reason', 'known'], 'advance', { force: true, reason: 'known' }],
    [['approve', 'customer'], 'approve', {}],
    [['pause', 'customer'], 'pause', {}],
    [['resume', 'customer'], 'resume', {}],
    [
      [
        'policy',
        'customer',
        '--stage',
        'test_1',
        '--set',
        'minSamples=9',
        'onDeadline=rollback',
        '--set',
        'p95LimitMs=none',
      ],
      'policy',
      { stage: 'test_1', set: { minSamples: 9, onDeadline: 'rollback', p95LimitMs: null } },
    ],
    [
      ['policy', 'customer', '--unset', 'minSamples', '--reason', 'calm'],
      'policy',
      { set: {}, unset: ['minSamples'], reason: 'calm' },
    ],
    [['reads', 'primary', 'customer', '--reason', 'slow'], 'reads', { to: 'primary', reason: 'slow' }],
    [['reads', 'shadow', 'customer', '--reason', 'mended'], 'reads', { to: 'shadow', reason: 'mended' }],
    [['writes', 'off', 'customer', '--reason', 'load'], 'shadow-writes', { enabled: false, reason: 'load' }],
    [['writes', 'on', 'customer', '--reason', 'calm'], 'shadow-writes', { enabled: true, reason: 'calm' }],
    [['rollback', 'customer', '--reason', 'slow'], 'rollback', { reason: 'slow' }],
    [['complete', 'customer', '--confirm', 'customer'], 'complete', { confirm: 'customer' }],
    [['cleanup', 'customer', '--confirm', 'customer'], 'cleanup', { confirm: 'customer' }],
    [
      ['cleanup', 'customer', '--confirm', 'customer', '--drop-tracking'],
      'cleanup',
      { confirm: 'customer', dropTracking: true },
    ],
    [['reset', 'customer', '--confirm', 'customer'], 'reset', { confirm: 'customer' }],
  ])('%j sends the version it saw, a key of its own and the token', async (words, name, body) => {
    api.routes[`POST /v1/cutovers/customer/${name}`] = { body: summary };
    const ran = await crossfade(...words);
    expect(ran).toMatchObject({ exit: 0, err: '' });
    expect(ran.out).toContain('customer: test_1, 1 % of reads from the shadow, version 4');
    const [looked, sent] = api.asked;
    expect(looked).toMatchObject({ method: 'GET', path: '/v1/cutovers/customer' });
    expect(sent!.body).toEqual(body);
    expect(sent!.headers).toMatchObject({
      'if-match': '"3"',
      authorization: 'Bearer token-of-ada',
      'content-type': 'application/json',
    });
    expect(sent!.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('makes a new key for every invocation, and takes a given one with a given version without looking', async () => {
    api.routes['POST /v1/cutovers/customer/pause'] = { body: summary };
    await crossfade('pause', 'customer');
    await crossfade('pause', 'customer');
    await crossfade('pause', 'customer', '--idempotency-key', 'again-1', '--if-version', '7');
    const sent = api.asked.filter((asked) => asked.method === 'POST').map((asked) => asked.headers);
    expect(new Set(sent.map((headers) => headers['idempotency-key'])).size).toBe(3);
    expect(sent[2]).toMatchObject({ 'idempotency-key': 'again-1', 'if-match': '"7"' });
    expect(api.asked.filter((asked) => asked.method === 'GET')).toHaveLength(2);
  });

  it('says when flags or the database are not there yet', async () => {
    const answer = { ...summary, pending: 'promote', published: false };
    api.routes['POST /v1/cutovers/customer/complete'] = { status: 202, body: answer };
    const { exit, out } = await crossfade('complete', 'customer', '--confirm', 'customer');
    expect(exit).toBe(0);
    expect(out).toContain('The promote is still being carried out');
    expect(out).toContain('flags are not deployed yet');
  });

  it('says for what a swap waits', async () => {
    const waits = "Held by 'psql' (process 7). Let that transaction end, or end it.";
    const body = { ...summary, pending: 'revert', waits };
    api.routes['POST /v1/cutovers/customer/rollback'] = { status: 202, body };
    const { out } = await crossfade('rollback', 'customer', '--reason', 'slow');
    expect(out).toContain(`The revert is still being carried out; the next tick settles it.\n${waits}\n`);
  });
});

describe('crossfade adopt', () => {
  it('asks with a key of its own and the reason, and says what follows', async () => {
    api.routes['POST /v1/cutovers/customer/adopt'] = { body: { note: 'the tables are taken over as they are.' } };
    const ran = await crossfade('adopt', 'customer', '--reason', 'both have it');
    expect(ran).toEqual({ exit: 0, err: '', out: 'customer: the tables are taken over as they are.\n' });
    const [sent] = api.asked;
    expect(sent).toMatchObject({
      method: 'POST',
      path: '/v1/cutovers/customer/adopt',
      body: { reason: 'both have it' },
    });
    expect(sent!.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
    await crossfade('adopt', 'customer');
    expect(api.asked[1]!.body).toEqual({});
  });

  it('ends with the code and the words of what stands against it', async () => {
    const why =
      "The tables of cutover 'customer' cannot be taken over as they are: column 'extra' is only in the table in use.";
    api.routes['POST /v1/cutovers/customer/adopt'] = problem('refused_table', why);
    const ran = await crossfade('adopt', 'customer');
    expect(ran).toMatchObject({ exit: ERROR_CODES.refused_table.exit, out: '' });
    expect(ran.err.replace(/\s+/g, ' ')).toContain(why);
    expect((await crossfade('adopt')).exit).toBe(2);
  });
});

describe('exit codes', () => {
  it.each(Object.keys(ERROR_CODES) as ErrorCode[])(
    '%s ends with the code of the table, as text and as JSON',
    async (code) => {
      api.routes['POST /v1/cutovers/customer/advance'] = problem(code, `Seen: ${code}.`, { version: 9 });
      const text = await crossfade('advance', 'customer');
      expect(text.exit).toBe(ERROR_CODES[code].exit);
      expect(text.out).toBe('');
      expect(text.err).toContain(`crossfade advance customer: ${code.replaceAll('_', ' ')}\n  Seen: ${code}.`);
      const json = await crossfade('advance', 'customer', '--json');
      expect(json.exit).toBe(ERROR_CODES[code].exit);
      expect(json.err).toBe('');
      expect(JSON.parse(json.out)).toMatchObject({
        error: { code, detail: `Seen: ${code}.`, details: { version: 9 } },
      });
    },
  );

  it('a held cutover ends with 3, names value and limit of every reason and what to do', async () => {
    const reasons = [show(condition('samples', { ok: false, seen: 40, limit: 100 }))];
    api.routes['POST /v1/cutovers/customer/advance'] = problem('held', 'It is held.', { reasons });
    const { exit, err } = await crossfade('advance', 'customer');
    expect(exit).toBe(3);
    expect(err).toContain('samples (40, limit 100)');
    expect(err).toContain('Next: npx --no-install crossfade explain customer');
  });

  it('an unknown cutover ends with 2 and the nearest name, and nothing is sent', async () => {
    api.routes['GET /v1/cutovers/custmer'] = problem(
      'not_found',
      "No cutover 'custmer' is declared. Did you mean 'customer'?",
    );
    const { exit, err } = await crossfade('rollback', 'custmer', '--reason', 'slow');
    expect(exit).toBe(2);
    expect(err).toContain("Did you mean 'customer'?");
    expect(api.asked.every((asked) => asked.method === 'GET')).toBe(true);
  });

  it.each([
    [['statu'], /unknown command 'statu' \(Did you mean status\?\)/],
    [['status', '--whatch'], /unknown option '--whatch' \(Did you mean --watch\?\)/],
    [['rollback', 'customer'], /required option '--reason <text>' not specified/],
    [['stop'], /required option '--reason <text>' not specified/],
    [['start', 'customer', '--plan', 'gradul'], /Did you mean 'gradual'\?/],
    [['start', 'customer', '--dwell', '5'], /--dwell needs --plan/],
    [['start', 'customer', '--plan', 'canary', '--dwell=-1'], /must be a number above 0/],
    [['advance', 'customer', '--force'], /needs --reason/],
    [['pause', 'customer', '--if-version', '1.5'], /must be a whole number/],
    [['pause', 'customer', '--idempotency-key', 'two words'], /printable ASCII/],
    [['pause', '../system'], /cannot be the id of a cutover/],
    [['pause', 'customer', 'invoice'], /too many arguments/],
    [['--port', '99999', 'status'], /a port, 1–65535/],
    [['complete', 'customer'], /--confirm customer/],
    [['complete', 'customer', '--confirm', 'custmer'], /needs --confirm customer, got 'custmer'/],
    [['dev'], /must be the first word/],
  ])('%j is a usage error: nothing is sent, exit code 2', async (words, message) => {
    const ran = await crossfade(...words);
    expect(ran.exit).toBe(2);
    expect(ran.err).toMatch(message);
    expect(api.asked).toEqual([]);
    const json = await crossfade(...words, '--json');
    expect(json).toMatchObject({ exit: 2, err: '' });
    expect(JSON.parse(json.out).error.detail).toMatch(message);
  });

  it('refused connections end with 1 and say how to start Crossfade', async () => {
    await api.close();
    const { exit, err } = await crossfade('status');
    expect(exit).toBe(1);
    expect(err).toMatch(/Nothing listens at http:\/\/127\.0\.0\.1:\d+\. Is Crossfade running\?/);
    expect(err).toContain('npm start');
    expect(err).toContain('CROSSFADE_URL');
  });

  it('without a local stack and without an address ends with 1 and the same advice', async () => {
    const { exit, err } = await cli(['status'], { env: {} });
    expect(exit).toBe(1);
    expect(err).toMatch(/No local stack left its settings for port 3000/);
  });

  it.each([
    [{ status: 401, body: { message: 'Unauthorized' } }, 'unauthenticated', /CROSSFADE_TOKEN/],
    [{ status: 403, body: { message: 'Forbidden' } }, 'forbidden', /scope/],
    [{ status: 429, body: { message: 'Too Many Requests' } }, 'upstream_unavailable', /throttled/],
    [{ status: 503, body: { message: 'Service Unavailable' } }, 'upstream_unavailable', /function's log/],
    [{ status: 200, text: '<html>welcome</html>' }, 'upstream_unavailable', /is the address right/],
    [
      { status: 302, text: '', headers: { location: 'http://elsewhere.example/' } },
      'upstream_unavailable',
      /is the address right/,
    ],
  ])('what stands in front of the functions is understood: %j', async (answer, code, message) => {
    api.routes['GET /v1/cutovers'] = answer;
    const { exit, out } = await crossfade('status', '--json');
    expect(exit).toBe(1);
    expect(JSON.parse(out).error.code).toBe(code);
    expect(JSON.parse(out).error.detail).toMatch(message);
  });

  it('a command whose answer is lost says how to repeat it without doing it twice', async () => {
    api.routes['POST /v1/cutovers/customer/pause'] = () => {
      setImmediate(() => void api.close());
      return { hang: true };
    };
    const { exit, err } = await crossfade('pause', 'customer', '--idempotency-key', 'k1');
    expect(exit).toBe(1);
    expect(err.replace(/\s+/g, ' ')).toContain(
      'repeating it with --idempotency-key k1 --if-version 3 does nothing twice',
    );
  });

  it('the token is never shown', async () => {
    api.routes['POST /v1/cutovers/customer/pause'] = problem('unauthenticated', 'The token was refused.');
    const text = await crossfade('pause', 'customer');
    const bad = await cli(['status'], { env: { CROSSFADE_URL: api.url, CROSSFADE_TOKEN: 'two\nlines-of-secret' } });
    expect(bad.exit).toBe(1);
    expect(text.out + text.err + bad.out + bad.err).not.toMatch(/token-of-ada|lines-of-secret/);
  });
});

describe('commands for everything', () => {
  const stopped = { published: true, cutovers: [{ id: 'customer', from: 'test_1', to: 'rolled_back' }] };

  it('stop sends its reason at once on this machine', async () => {
    api.routes['POST /v1/system/emergency-stop'] = { body: stopped };
    const { exit, out } = await crossfade('stop', '--reason', 'checkout fails');
    expect(exit).toBe(0);
    expect(out).toMatch(/customer\s+test_1 → rolled_back/);
    expect(api.asked).toHaveLength(1);
    expect(api.asked[0]!.body).toEqual({ reason: 'checkout fails' });
    expect(api.asked[0]!.headers['if-match']).toBeUndefined();
  });

  it('stop that waits for flags asks the publisher past the stream, until it is answered and whatever that brings', async () => {
    const paths = () => api.asked.map(({ method, path, body }) => [method, path, body]);
    const wanted = ['POST', '/v1/flags/publish', {}];
    api.routes['POST /v1/system/emergency-stop'] = { body: stopped, after: 800 };
    expect((await crossfade('stop', '--reason', 'checkout fails')).exit).toBe(0);
    const asked = paths();
    expect(asked).toEqual([['POST', '/v1/system/emergency-stop', { reason: 'checkout fails' }], wanted]);
    api.routes['POST /v1/flags/publish'] = { body: { version: 1 } };
    expect((await crossfade('stop', '--reason', 'checkout fails')).exit).toBe(0);
    expect(paths().filter(([, path]) => path === '/v1/flags/publish')).toHaveLength(2);
  });

  it('stop ends with 1 when a cutover could not be rolled back', async () => {
    const cutovers = [{ id: 'customer', from: 'unknown', to: 'unknown', problem: 'throttled' }];
    api.routes['POST /v1/system/emergency-stop'] = { status: 202, body: { published: false, cutovers } };
    expect((await crossfade('stop', '--reason', 'x')).exit).toBe(1);
  });

  it('rollback-system and reset system need the word system', async () => {
    api.routes['POST /v1/system/rollback'] = { body: stopped };
    api.routes['POST /v1/system/reset'] = { body: { emergencyStop: false, published: true } };
    expect((await crossfade('rollback-system', '--reason', 'x')).exit).toBe(2);
    expect((await crossfade('reset', 'system', '--confirm', 'customer')).exit).toBe(2);
    expect(api.asked).toEqual([]);
    expect((await crossfade('rollback-system', '--reason', 'x', '--confirm', 'system')).exit).toBe(0);
    expect((await crossfade('reset', 'system', '--confirm', 'system')).out).toContain('The emergency stop is lifted');
    expect(api.asked.map((asked) => asked.body)).toEqual([{ confirm: 'system', reason: 'x' }, { confirm: 'system' }]);
  });
});

describe('reading commands', () => {
  it('status shows every cutover, or one, and as JSON exactly what the API gave', async () => {
    expect((await crossfade('status')).out).toMatch(
      /customer +healthy[\s\S]*track +held[\s\S]*search_index +rolled back/,
    );
    const json = await crossfade('status', 'track', '--json');
    expect(json.out.trim().split('\n')).toHaveLength(1);
    expect(JSON.parse(json.out)).toMatchObject({ id: 'track', health: 'held' });
  });

  it('status ends with 0 unless the exit code is asked for', async () => {
    expect((await crossfade('status')).exit).toBe(0);
    expect((await crossfade('status', '--exit-code')).exit).toBe(4);
    expect((await crossfade('status', 'track', '--exit-code')).exit).toBe(3);
    expect((await crossfade('status', 'customer', '--exit-code')).exit).toBe(0);
  });

  it('explain gives the verdict with all conditions', async () => {
    const { exit, out } = await crossfade('explain', 'track', '--json');
    expect(exit).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ id: 'track', stage: 'test_10', verdict: { verdict: 'hold' } });
    expect((await crossfade('explain', 'track')).out).toMatch(/^track in stage test_10: held\. Next: /);
  });

  it('preview ends with 2 when something is refused, as start would', async () => {
    const table = { primary: 'public.a', shadow: 'public.b', key: [], columns: [], items: [], estimatedRows: 1 };
    api.routes['GET /v1/cutovers/customer/preview'] = { body: { ...table, ok: true } };
    expect((await crossfade('preview', 'customer')).exit).toBe(0);
    api.routes['GET /v1/cutovers/customer/preview'] = { body: { ...table, ok: false } };
    expect((await crossfade('preview', 'customer')).exit).toBe(ERROR_CODES.refused_table.exit);
    api.routes['GET /v1/cutovers/customer/preview?scanMs=1500'] = { body: { ...table, ok: true } };
    expect((await crossfade('preview', 'customer', '--scan', '1.5')).exit).toBe(0);
    expect((await crossfade('preview', 'customer', '--scan', '16')).exit).toBe(2);
    expect(await crossfade('plan', 'customer')).toEqual(await crossfade('preview', 'customer'));
  });

  it('forwards lists what waits, under its old name, too', async () => {
    const list = { open: 1, quarantined: 1, lagMs: 90_000, more: false, forwards: [], copies: [] };
    api.routes['GET /v1/cutovers/orders/forwards'] = { body: list };
    const now = await crossfade('forwards', 'orders');
    expect(now.out).toContain('orders: 1 write waits to be forwarded');
    expect(await crossfade('copies', 'orders')).toEqual(now);
    expect(JSON.parse((await crossfade('copies', 'orders', '--json')).out)).toEqual(list);
  });

  it('a usage error under the old name of a command names that command', async () => {
    expect((await crossfade('copies', 'orders', '--nonsense')).err).toContain('crossfade copies');
  });

  it('help shows the new name and says the old one once', async () => {
    const { out } = await crossfade('--help');
    for (const [name, old] of Object.entries(OLD_COMMANDS))
      expect(out.match(new RegExp(`^ {2}\\S*\\b${old}\\b`, 'gm'))).toEqual([`  ${name}|${old}`]);
  });

  it('history passes on the page and ends with 1 when the chain is broken', async () => {
    const chain = { intact: false, seq: 2, why: 'entry 2 was changed' };
    api.routes['GET /v1/cutovers/customer/history?limit=5&after=9'] = { body: { entries: [], chain } };
    const { exit, out } = await crossfade('history', 'customer', '--limit', '5', '--after', '9');
    expect(exit).toBe(1);
    expect(out).toContain('broken at entry 2');
    api.routes['GET /v1/audit?limit=50'] = { body: { entries: [] } };
    expect(await crossfade('history')).toMatchObject({ exit: 0, out: 'Nothing happened yet.\n' });
  });

  it('history --conform ends with 1 when an entry is no step of the stage machine', async () => {
    const answer = (conformity: unknown) => {
      const chain = { intact: true, entries: 3 };
      api.routes['GET /v1/cutovers/customer/history?limit=50'] = { body: { entries: [], chain, conformity } };
      return crossfade('history', 'customer', '--conform');
    };
    const good = await answer({ conforms: true, entries: 3 });
    expect(good).toMatchObject({ exit: 0, out: 'customer: each of its entries (3) is a step of the stage machine.\n' });
    const bad = await answer({ conforms: false, seq: 2, why: 'It does not follow.' });
    expect([bad.exit, bad.out]).toEqual([
      1,
      expect.stringContaining('entry 2 is no step of the stage machine. It does'),
    ]);
    expect(await answer(null)).toMatchObject({ exit: 0, out: 'customer: nothing happened yet.\n' });
    expect((await crossfade('history', '--conform')).exit).toBe(2);
  });

  it('verify ends with 3 when rows differ, and repair says how many keys are written anew', async () => {
    const result = { rowsCompared: 59, divergences: 0, score: 1, atMs: 0, samples: [] };
    api.routes['POST /v1/cutovers/customer/verify'] = { body: result };
    expect((await crossfade('verify', 'customer')).exit).toBe(0);
    expect((await crossfade('verify', 'customer', '--proof')).exit).toBe(0);
    expect(api.asked.slice(-2).map(({ body }) => body)).toEqual([{}, { tier: 'proof' }]);
    api.routes['POST /v1/cutovers/customer/verify'] = { body: { ...result, divergences: 2, score: 0.9 } };
    expect((await crossfade('verify', 'customer')).exit).toBe(3);
    api.routes['POST /v1/cutovers/customer/repair'] = { body: { enqueued: 1 } };
    expect((await crossfade('repair', 'customer')).out).toContain('1 key will be written again');
  });

  it('quarantine lists with 3, tries again, and gives a key up with confirm and reason only', async () => {
    const key = { key: '{"id": 7}', sqlstate: '23514', reason: 'no', attempts: 5, firstSeenMs: 0, lastSeenMs: 0 };
    api.routes['GET /v1/cutovers/customer/quarantine?limit=100'] = { body: { total: 3, keys: [key] } };
    const list = await crossfade('quarantine', 'customer');
    expect(list).toMatchObject({ exit: 3 });
    expect(list.out).toMatch(/3 keys in quarantine.*"id": 7.*23514.*2 more/s);
    api.routes['POST /v1/cutovers/customer/quarantine/retry'] = { body: { enqueued: 3 } };
    expect((await crossfade('quarantine', 'customer', 'retry')).out).toContain('3 keys will be tried again');
    api.routes['POST /v1/cutovers/customer/quarantine/discard'] = { body: { discarded: 1 } };
    const discard = ['quarantine', 'customer', 'discard', key.key];
    expect((await crossfade(...discard, '--confirm', 'customer')).exit).toBe(2);
    expect((await crossfade(...discard, '--reason', 'a test')).exit).toBe(2);
    const sent = api.asked.length;
    expect((await crossfade(...discard, '--reason', 'a test', '--confirm', 'customer')).exit).toBe(0);
    expect(api.asked.slice(sent).map(({ body }) => body)).toEqual([
      { key: key.key, confirm: 'customer', reason: 'a test' },
    ]);
    expect((await crossfade('quarantine', 'customer', 'forget')).exit).toBe(2);
  });

  it('backfill says how far it is and what it waits for, and is paused', async () => {
    const pressure = { replicaLagMs: null, walBytes: 0, activeConnections: 0, waitsFor: ['artist'], goOn: true };
    const progress = { state: 'running', rowsDone: 5, rowsTotal: 10, rowsPerSecond: 1, etaMs: 5_000, pressure };
    api.routes['GET /v1/cutovers/customer/backfill'] = { body: progress };
    expect((await crossfade('backfill', 'customer')).out).toMatch(
      /5 of about 10 rows, 1 rows\/s, done in about 5 s.*artist/s,
    );
    api.routes['POST /v1/cutovers/customer/read-only'] = { body: { untilMs: 0 } };
    expect((await crossfade('read-only', 'customer', '--seconds', '5', '--reason', 'r')).out).toMatch(
      /25006.*until 1970/,
    );
    expect(api.asked.at(-1)!.body).toEqual({ seconds: 5, reason: 'r' });
    expect((await crossfade('read-only', 'customer')).exit).toBe(2);
    api.routes['POST /v1/cutovers/customer/read-only/end'] = { body: { ended: true } };
    expect((await crossfade('read-only', 'customer', 'off')).out).toContain('takes writes again');
    api.routes['POST /v1/cutovers/customer/remove-shadow'] = { body: { removed: true, note: 'gone; a backup' } };
    const remove = ['remove-shadow', 'customer', '--confirm', 'customer'];
    expect((await crossfade(...remove, '--reason', 'r')).out).toContain('gone; a backup');
    expect(api.asked.at(-1)!.body).toEqual({ confirm: 'customer', reason: 'r' });
    expect((await crossfade(...remove)).exit).toBe(2);
    const rehearsal = { state: 'none', rows: 9_000, shadowRows: 2, chunks: 4, estimatedMs: 90, rowsPerSecond: 1e5 };
    api.routes['GET /v1/cutovers/customer/backfill/dry-run'] = {
      body: { ...rehearsal, sampleRows: 2_000, waits: null },
    };
    expect((await crossfade('backfill', 'customer', 'dry-run')).out).toMatch(
      /about 9,000 rows would be copied; nothing was\.\nIn some 4 chunks, about 90 ms: 2,000 rows .*\nThe shadow has about 2 rows already/,
    );
    api.routes['POST /v1/cutovers/customer/backfill/pause'] = { body: { state: 'paused' } };
    expect((await crossfade('backfill', 'customer', 'pause')).out).toContain('paused');
    expect((await crossfade('backfill', 'customer', 'halt')).exit).toBe(2);
  });

  it('shows reasons that hold escape sequences as text, in JSON, too', async () => {
    api.routes['POST /v1/cutovers/customer/pause'] = problem('conflict', HOSTILE);
    const text = await crossfade('pause', 'customer');
    expect(text.err).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
    const json = await crossfade('pause', 'customer', '--json');
    expect(json.out).toMatch(/^[\x20-\x7e]*\n$/);
    expect(JSON.parse(json.out).error.detail).toBe(HOSTILE);
    expect(printableJson(HOSTILE)).not.toContain('\u001b');
  });

  it('of others act on no terminal, and a file has them as they are', async () => {
    const row = ['1', `${HOSTILE}\u001b[2J\u009b2J`];
    api.routes['GET /v1/cutovers/customer/export?what=audit&hours=24'] = {
      body: { columns: ['seq', 'reason'], rows: [row], next: null },
    };
    const words = ['export', 'customer', '--format', 'csv'];
    const file = await crossfade(...words);
    expect(file.out).toBe(csvLine(['seq', 'reason']) + csvLine(row));
    const shown = await cli(words, { env: env(), terminal: true });
    expect(shown.out).toBe(terminalText(file.out));
    expect([file, shown].map(({ out }) => /\u001b\[2J|\u009b|\u202e/.test(out))).toEqual([true, false]);
  });
});

describe('help', () => {
  it.each([
    [['help'], 0],
    [['help', 'status'], 0],
    [['--json', 'help'], 0],
    [['--version'], 0],
    [['help', 'stats'], 2],
    [[], 2],
  ])('of %j ends with %i: what was asked for is done', async (words, exit) => {
    expect((await cli(words)).exit).toBe(exit);
  });

  it('lists every command, dev with its options among them, within 100 columns', async () => {
    const { exit, out } = await cli(['--help']);
    expect(exit).toBe(0);
    const names =
      'dev migrate doctor preview status explain history verify repair quarantine backfill start advance approve pause resume rollback complete cleanup reset stop rollback-system bucket open';
    const shown = (name: string) => [name, ...(OLD_COMMANDS[name] ? [OLD_COMMANDS[name]] : [])].join('\\|');
    for (const name of names.split(' ')) expect(out).toMatch(new RegExp(`^ {2}${shown(name)}[ [<]`, 'm'));
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    const dev = (await cli(['help', 'dev'])).out;
    for (const option of ['--database-url', '--config', '--speed', '--port']) expect(dev).toContain(option);
  });

  it('goes to standard error with 2 when no command is given', async () => {
    const { exit, out, err } = await cli([]);
    expect({ exit, out }).toEqual({ exit: 2, out: '' });
    expect(err).toMatch(/^Usage: crossfade/);
    expect((await cli(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
