import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CutoverReport } from '../../../lib/flows/report/report.ts';
import {
  completed,
  held,
  notStarted,
  ready,
  rolledBack,
  scene,
  serving,
  unreadable,
} from '../../helpers/dashboard-reports.ts';
import { cli, type FakeApi, fakeApi, problem } from '../../helpers/fake-api.ts';

type Actor = Parameters<typeof scene>[0][number];

let api: FakeApi;
beforeEach(async () => {
  api = await fakeApi();
});
afterEach(() => api.close());

const reportOf = async (actor: Actor) => (await scene([actor])).report.cutovers[0]!;
const env = () => ({ CROSSFADE_URL: api.url, CROSSFADE_TOKEN: 't' });
const watch = (...words: string[]) =>
  cli(['status', 'customer', '--watch', '--interval', '0.01', ...words], { env: env() });

/** Answers with the first, then with each of the others; the last one stays. */
function showInTurn(...reports: readonly (object | ReturnType<typeof problem>)[]): void {
  const left = [...reports];
  api.routes['GET /v1/cutovers/customer'] = () => {
    const next = left.length > 1 ? left.shift()! : left[0]!;
    return 'body' in next ? next : { body: next };
  };
}

describe('status --watch', () => {
  it('ends with 0 when the cutover is completed, one line per change', async () => {
    const moving = await reportOf(serving);
    showInTurn(moving, moving, await reportOf(ready), await reportOf(completed));
    const { exit, out } = await watch();
    expect(exit).toBe(0);
    const stages = out
      .trim()
      .split('\n')
      .map((line) => line.split(' · ')[0]);
    expect(stages).toEqual(['customer: test_10', 'playlist: full_100', 'artist: completed']);
  });

  it('ends with 4 when it is rolled back', async () => {
    showInTurn(await reportOf(serving), await reportOf(rolledBack));
    expect((await watch()).exit).toBe(4);
  });

  it.each([
    [held, 3],
    [serving, 1],
    [notStarted, 1],
    [unreadable, 1],
  ])('when the time is up, ends with 3 for a held cutover and 1 for others', async (actor, code) => {
    showInTurn(await reportOf(actor));
    const { exit, err } = await watch('--timeout', '0.05');
    expect(exit).toBe(code);
    expect(err).toContain('Not at the end after 0.05 s');
  });

  it('with --json writes one document, the last one seen', async () => {
    showInTurn(await reportOf(serving), await reportOf(completed));
    const { exit, out, err } = await watch('--json');
    expect({ exit, err }).toEqual({ exit: 0, err: '' });
    expect((JSON.parse(out) as CutoverReport).stage).toBe('completed');
  });

  it('goes on when a look fails, but not when the first one does', async () => {
    showInTurn(
      await reportOf(serving),
      problem('store_unavailable', 'DynamoDB is throttled.'),
      await reportOf(completed),
    );
    const ran = await watch();
    expect(ran.exit).toBe(0);
    expect(ran.err).toBe('DynamoDB is throttled.\n');
    showInTurn(problem('not_found', 'No such cutover.'));
    expect((await watch()).exit).toBe(2);
  });

  it('does not go on when the token is refused', async () => {
    showInTurn(await reportOf(serving), problem('unauthenticated', 'The token was refused.'));
    expect(await watch()).toMatchObject({ exit: 1, err: expect.stringContaining('refused') });
  });

  it('redraws in place on a terminal', async () => {
    showInTurn(await reportOf(serving), await reportOf(completed));
    const { out } = await cli(['status', 'customer', '--watch', '--interval', '0.01'], { env: env(), terminal: true });
    const drawn = out.indexOf('\u001b[');
    const lines = out.slice(0, drawn).split('\n').length - 1;
    expect(out.slice(drawn)).toMatch(new RegExp(`^\\u001b\\[${lines}A\\r\\u001b\\[J`));
  });

  it('ends when the person stops it', async () => {
    const stop = new AbortController();
    const moving = await reportOf(serving);
    api.routes['GET /v1/cutovers/customer'] = () => {
      setImmediate(() => stop.abort());
      return { body: moving };
    };
    const words = ['status', 'customer', '--watch', '--interval', '600'];
    expect((await cli(words, { env: env(), signal: stop.signal })).exit).toBe(1);
  });
});

describe('status --wait', () => {
  const wait = (stage: string, ...words: string[]) =>
    cli(['status', 'customer', '--wait', stage, '--interval', '0.01', ...words], { env: env() });

  it('ends with 0 in the stage, and in any that is behind it', async () => {
    for (const stage of ['dual_write', 'test_10', 'full', 'completed']) {
      showInTurn(await reportOf(serving), await reportOf(ready), await reportOf(completed));
      expect([stage, (await wait(stage)).exit]).toEqual([stage, 0]);
    }
    showInTurn(await reportOf(held));
    expect(await wait('half_50', '--timeout', '0.1s')).toMatchObject({
      exit: 3,
      err: expect.stringContaining('0.1 s'),
    });
  });

  it.each([
    [ready, 0],
    [completed, 0],
    [rolledBack, 4],
    [serving, 1],
    [held, 3],
  ])('ends once it is ready to be completed, and not before', async (actor, exit) => {
    showInTurn(await reportOf(actor));
    expect((await wait('ready', '--timeout', '0.05')).exit).toBe(exit);
  });

  it('goes on until the flags of the stage are out: the next command would be held', async () => {
    const early = { ...(await reportOf(completed)), flagsDeployed: false };
    showInTurn(early);
    expect((await wait('completed', '--timeout', '0.05')).exit).toBe(1);
    showInTurn(early, await reportOf(completed));
    expect((await wait('completed')).exit).toBe(0);
  });

  it('ends with 4 when it is rolled back, and with 1 when the time is up', async () => {
    showInTurn(await reportOf(serving), await reportOf(rolledBack));
    expect((await wait('full')).exit).toBe(4);
    showInTurn(await reportOf(serving));
    expect((await wait('full', '--timeout', '0.05')).exit).toBe(1);
  });

  it('refuses a stage that it never comes to, no cutover, and a time that is none', async () => {
    showInTurn(await reportOf(serving));
    expect(await wait('half')).toMatchObject({
      exit: 2,
      err: expect.stringMatching(/half.*Its stages: disabled, .*cleaned/s),
    });
    expect((await cli(['status', '--wait', 'full'], { env: env() })).exit).toBe(2);
    for (const time of ['30d', '-1', '0m', 'soon']) expect((await wait('full', '--timeout', time)).exit).toBe(2);
  });
});
