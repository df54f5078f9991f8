import { afterEach, describe, expect, it } from 'vitest';
import { judgeReport } from '../../../lib/cli/doctor/api.ts';
import { type Check, renderChecks } from '../../../lib/cli/doctor/check.ts';
import { type DatabaseFacts, judgeFacts } from '../../../lib/cli/doctor/database.ts';
import { judgeJava, judgeNode } from '../../../lib/cli/doctor/machine.ts';
import { widthOf } from '../../../lib/cli/text.ts';
import { scene, serving, unreadable } from '../../helpers/dashboard-reports.ts';
import { cli, type FakeApi, fakeApi } from '../../helpers/fake-api.ts';

const healthy: DatabaseFacts = {
  host: '127.0.0.1',
  port: 5432,
  role: 'crossfade_runtime',
  superuser: false,
  version: 170_002,
  replica: false,
  encrypted: false,
  limitsMs: { statement_timeout: 5_000, lock_timeout: 1_000, idle_in_transaction_session_timeout: 10_000 },
  maxLocks: 64,
  connections: { used: 10, max: 100 },
  schema: { exists: true, usage: true, create: false },
  functions: { all: 30, callable: 12 },
  backends: 1,
  oldestTransactionSeconds: 3,
};

const found = (over: Partial<DatabaseFacts>): Check[] =>
  judgeFacts({ ...healthy, ...over }).filter((check) => check.level !== 'ok');

describe('doctor on the database', () => {
  it('finds nothing wrong with one that is set up', () => {
    expect(found({})).toEqual([]);
  });

  it.each<[Partial<DatabaseFacts>, Check['level'], RegExp]>([
    [{ version: 130_011 }, 'fail', /14 or newer/],
    [{ replica: true }, 'fail', /is a replica/],
    [{ superuser: true }, 'warn', /superuser/],
    [{ host: 'db.example', encrypted: false }, 'fail', /not encrypted/],
    [{ oldestTransactionSeconds: null }, 'warn', /hidden from this role/],
    [{ schema: { exists: false, usage: false, create: false } }, 'fail', /does not exist/],
    [{ schema: { exists: true, usage: false, create: false } }, 'fail', /may not use schema/],
    [{ schema: { exists: true, usage: true, create: true } }, 'warn', /may create objects/],
    [{ functions: { all: 30, callable: 0 } }, 'fail', /may call none of the 30/],
    [{ limitsMs: { ...healthy.limitsMs, statement_timeout: 0 } }, 'warn', /no limit/],
    [{ limitsMs: { ...healthy.limitsMs, lock_timeout: 60_000 } }, 'warn', /is long/],
    [{ maxLocks: 10 }, 'warn', /max_locks_per_transaction is 10/],
    [{ connections: { used: 95, max: 100 } }, 'warn', /95 of 100/],
    [{ backends: 2 }, 'warn', /2 server processes/],
    [{ port: 6432 }, 'warn', /looks like a pooler/],
    [{ host: 'x.proxy-abc.eu-central-1.rds.amazonaws.com', encrypted: true }, 'warn', /looks like a pooler/],
    [{ oldestTransactionSeconds: 900 }, 'warn', /15 minutes/],
  ])('%j is found, with a remedy', (over, level, seen) => {
    const [check, ...others] = found(over);
    expect(others).toEqual([]);
    expect(check).toMatchObject({ level, seen: expect.stringMatching(seen), remedy: expect.stringMatching(/.{8}/) });
  });

  it('gives the statement that sets a missing limit at the role', () => {
    const [check] = found({ limitsMs: { ...healthy.limitsMs, lock_timeout: 0 } });
    expect(check!.remedy).toBe(`ALTER ROLE "crossfade_runtime" SET lock_timeout = '1s';`);
  });
});

describe('doctor on this machine', () => {
  it.each([
    ['20.18.9', 'fail'],
    ['20.19.0', 'ok'],
    ['22.1.0', 'ok'],
    ['18.20.0', 'fail'],
  ])('Node.js %s is %s', (version, level) => {
    expect(judgeNode(version).level).toBe(level);
  });

  it.each([
    ['openjdk version "17.0.15" 2025-04-15', 'ok'],
    ['openjdk version "21" 2023-09-19', 'ok'],
    ['java version "1.8.0_392"', 'fail'],
    ['something else', 'fail'],
    [null, 'fail'],
  ])('Java that prints %j is %s for the local stack', (printed, level) => {
    expect(judgeJava(printed, true).level).toBe(level);
  });

  it('only warns of missing Java when the local stack is not used', () => {
    expect(judgeJava(null, false).level).toBe('warn');
  });
});

describe('doctor on the API', () => {
  let api: FakeApi;
  afterEach(() => api?.close());

  it('sees unreadable states, flags that cannot be read and the emergency stop', async () => {
    const { report } = await scene([serving, unreadable], { emergencyStop: true, flagsDown: true });
    const levels = Object.fromEntries(judgeReport(report).map((check) => [check.name, check.level]));
    expect(levels).toMatchObject({ token: 'ok', flags: 'warn', 'emergency stop': 'warn', 'cutover album': 'fail' });
  });

  it('warns of a cutover of which nothing is seen, and of one that is stopped, and of none that is well', async () => {
    const found = async (...scenery: Parameters<typeof scene>) =>
      judgeReport((await scene(...scenery)).report).find(({ name }) => name === 'cutover customer');
    const quiet = { ...serving, primary: () => null, shadow: () => null };
    expect(await found([quiet])).toMatchObject({ level: 'warn', seen: 'test_10, no figures' });
    expect(await found([serving], { emergencyStop: true })).toMatchObject({ level: 'warn', seen: 'test_10, stopped' });
    expect(await found([serving])).toMatchObject({ level: 'ok', seen: 'test_10, healthy' });
  });

  it('ends with 1 when one check fails and names every finding in text and JSON', async () => {
    const { report } = await scene([unreadable]);
    api = await fakeApi({ 'GET /v1/health': { body: { status: 'ok' } }, 'GET /v1/cutovers': { body: report } });
    const env = { CROSSFADE_URL: api.url, CROSSFADE_TOKEN: 't' };
    const text = await cli(['doctor'], { env });
    expect(text.exit).toBe(1);
    expect(text.out).toMatch(/^fail {2}cutover album/m);
    const json = await cli(['doctor', '--json'], { env });
    expect(json.exit).toBe(1);
    expect(JSON.parse(json.out)).toMatchObject({
      ok: false,
      checks: expect.arrayContaining([expect.objectContaining({ name: 'API', level: 'ok' })]),
    });
  });

  it('looks at the rest when nothing runs or the token is refused', async () => {
    const alone = await cli(['doctor', '--json'], { env: {} });
    expect(JSON.parse(alone.out).checks.map((check: Check) => check.name)).toEqual([
      'Node.js',
      'Java',
      'API',
      'database',
    ]);
    api = await fakeApi({
      'GET /v1/health': { body: { status: 'ok' } },
      'GET /v1/cutovers': { status: 401, body: {} },
    });
    const refused = await cli(['doctor'], { env: { CROSSFADE_URL: api.url, CROSSFADE_TOKEN: 't' } });
    expect(refused.out).toMatch(/^ok {4}API/m);
    expect(refused.out).toMatch(/^fail {2}token/m);
  });

  it('says that the database is away without repeating the password', async () => {
    const url = 'postgres://ada:top-secret@127.0.0.1:1/none';
    const { exit, out } = await cli(['doctor', '--database-url', url], { env: {} });
    expect(exit).toBe(1);
    expect(out).toMatch(/^fail {2}database/m);
    expect(out).not.toContain('top-secret');
    const wrong = await cli(['migrate', '--database-url', 'mysql://ada:top-secret@db/none'], { env: {} });
    expect(wrong.exit).toBe(2);
    expect(wrong.err).not.toContain('top-secret');
    expect((await cli(['migrate'], { env: {} })).err).toContain('CROSSFADE_OWNER_DATABASE_URL');
  });

  it('lists what it does not use of the address, and names a parameter that it does not know', async () => {
    const url = 'postgres://ada:top-secret@127.0.0.1:1/none?channel_binding=require&schema=public';
    const { out } = await cli(['doctor', '--database-url', url], { env: {} });
    expect(out).toMatch(/^ok {4}address +not used: channel_binding/m);
    expect(out).toMatch(/not used: schema/);
    const unknown = await cli(['doctor', '--database-url', 'postgres://ada@db/none?frobnicate=1'], { env: {} });
    expect(unknown.exit).toBe(2);
    expect(unknown.err).toContain("'frobnicate'");
  });

  it('fits 100 columns', () => {
    const checks = judgeFacts({ ...healthy, superuser: true, backends: 3, maxLocks: 1, oldestTransactionSeconds: 900 });
    for (const line of renderChecks(checks).split('\n')) expect(widthOf(line)).toBeLessThanOrEqual(100);
  });
});
