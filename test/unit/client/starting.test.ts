/** A process that starts or ends: which side serves before there are flags, and that what was recorded is sent. */

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createClient } from '../../../lib/client/client.ts';
import type { ClientOptions } from '../../../lib/client/client-types.ts';
import { httpSink } from '../../../lib/client/http-sink.ts';
import type { OutcomeBatch } from '../../../lib/client/outcome.ts';
import type { Problem } from '../../../lib/client/problems.ts';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import type { CutoverFlag, FlagDocument, ServedFlags } from '../../../lib/core/routing/flags.ts';
import type { FlagSource } from '../../../lib/routing/flag-cache.ts';
import { flagOf, systemFlagOf } from '../../property/samples.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'crossfade-flags-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const documentOf = (flag: Partial<CutoverFlag>): FlagDocument => ({
  system: systemFlagOf(),
  cutovers: { customer: flagOf(flag) },
});
const PROMOTED = { read_ppm: 1_000_000, shadow_is_primary: true, stage: 'completed' };
const serving = (document: ServedFlags): FlagSource => ({ fetch: async () => ({ document }) });
const DOWN: FlagSource = {
  fetch: () => Promise.reject(new CrossfadeError('flags_unavailable', 'The agent is down.', { retryable: true })),
};

function start(flags: FlagSource, options: Partial<ClientOptions> = {}) {
  const problems: Problem[] = [];
  const onProblem = (problem: Problem) => void problems.push(problem);
  const client = createClient({ flags, outcomes: async () => {}, environment: {}, onProblem, ...options });
  return { client, problems, side: () => client.route('customer', { key: 'k' }) };
}

describe('S7: before there are flags', () => {
  it('a default says the side, and flags say it better', async () => {
    const defaults = { customer: 'shadow' } as const;
    expect(start(DOWN, { defaults }).side()).toMatchObject({ side: 'shadow', reason: 'default' });
    expect(start(DOWN).side()).toMatchObject({ side: 'primary', reason: 'no_flags' });
    const rolledBack = start(serving(documentOf({ read_ppm: 0 })), { defaults });
    await rolledBack.client.refresh();
    expect(rolledBack.side()).toMatchObject({ side: 'primary', reason: 'share' });
    const unknown = start(serving({ system: systemFlagOf(), cutovers: {} }), { defaults });
    await unknown.client.refresh();
    expect(unknown.side()).toMatchObject({ side: 'shadow', reason: 'default' });
  });

  it('an override holds', () => {
    const environment = { CROSSFADE_CUSTOMER: 'shadow' };
    expect(start(DOWN, { environment }).side()).toMatchObject({ side: 'shadow', reason: 'override' });
    expect(start(DOWN, { environment, defaults: { customer: 'primary' } }).side().side).toBe('shadow');
    expect(start(DOWN, { environment: { CROSSFADE_CUSTOMER: 'new' } }).side().reason).toBe('no_flags');
  });

  it('ready waits for them, and says when none came', async () => {
    let isUp = false;
    const late: FlagSource = {
      fetch: async () => (isUp ? { document: documentOf({}) } : DOWN.fetch(new AbortController().signal)),
    };
    const { client, problems } = start(late);
    expect(await client.ready({ timeoutMs: 0 })).toBe(false);
    expect(problems).toMatchObject([{ code: 'flags_unavailable', message: 'The agent is down.' }]);
    isUp = true;
    expect(await client.ready({ timeoutMs: 5_000 })).toBe(true);
  });

  it('a flag that was switched off by hand means the primary in warm and cold processes, and a default where nothing is known', async () => {
    const off = { system: systemFlagOf(), cutovers: {}, off: ['customer'] };
    const cold = start(serving(off));
    await cold.client.refresh();
    expect(cold.side()).toMatchObject({ side: 'primary', reason: 'switched_off' });
    const withDefault = start(serving(off), { defaults: { customer: 'shadow' } });
    await withDefault.client.refresh();
    expect(withDefault.side()).toMatchObject({ side: 'shadow', reason: 'default' });
    let served: ServedFlags = documentOf({ read_ppm: 1_000_000 });
    const warm = start({ fetch: async () => ({ document: served }) }, { maxFlagAgeMs: 0 });
    await warm.client.refresh();
    expect(warm.side().side).toBe('shadow');
    served = off;
    // The route has begun a refresh with what was served before.
    for (let n = 0; n < 2; n += 1) await warm.client.refresh();
    expect(warm.side()).toMatchObject({ side: 'primary', reason: 'switched_off' });
  });
});

describe('the flag file', () => {
  const file = () => join(directory, 'flags.json');

  it('has a process that starts without the agent go where the last one went, and says how old that is', async () => {
    const before = start(serving(documentOf(PROMOTED)), { flagFile: file() });
    await before.client.refresh();
    const { client, side, problems } = start(DOWN, { flagFile: file() });
    expect(side()).toMatchObject({ side: 'shadow', stage: 'completed' });
    expect(side().ageMs).toBeGreaterThanOrEqual(0);
    expect(await client.ready({ timeoutMs: 0 })).toBe(true);
    expect(problems).toMatchObject([{ code: 'flags_unavailable' }]);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  });

  it('is no more than what is served', async () => {
    await start(serving(documentOf(PROMOTED)), { flagFile: file() }).client.refresh();
    const rolledBack = documentOf({ epoch: 9, read_ppm: 0 });
    const { client, side } = start(serving(rolledBack), { flagFile: file() });
    await client.refresh();
    await expect.poll(() => side().side).toBe('primary');
    expect(readFileSync(file(), 'utf8')).toContain('"epoch":9');
  });

  it.each([
    ['is not there', () => {}, 0],
    ['is no JSON', (path: string) => writeFileSync(path, '{"ser', { mode: 0o600 }), 1],
    ['is of somebody else', (path: string) => writeFileSync(path, '{"servedAtMs":1,"flags":{}}', { mode: 0o600 }), 1],
    [
      'can be written by others',
      (path: string) => {
        writeFileSync(path, JSON.stringify({ servedAtMs: 1, flags: {} }));
        chmodSync(path, 0o666);
      },
      1,
    ],
    ['is a link', (path: string) => symlinkSync('/etc/passwd', path), 1],
  ])('that %s changes nothing and throws nothing', (_, make, said) => {
    make(file());
    const { side, problems } = start(DOWN, { flagFile: file() });
    expect(side()).toMatchObject({ side: 'primary', reason: 'no_flags' });
    expect(problems.filter(({ code }) => code === 'flag_file')).toHaveLength(said);
  });

  it('that cannot be written is a problem, not a failure', async () => {
    const { client, problems, side } = start(serving(documentOf(PROMOTED)), { flagFile: join(directory, 'no', 'f') });
    await client.refresh();
    expect(side().side).toBe('shadow');
    expect(problems).toMatchObject([{ code: 'flag_file', message: expect.stringContaining('could not be written') }]);
  });
});

describe('an accelerated crossfade dev', () => {
  it.each([
    [{ CROSSFADE_CLOCK_SPEED: '30', CROSSFADE_CLOCK_ORIGIN_MS: '600000' }, 600_000 + 60_000 * 30],
    [{ CROSSFADE_CLOCK_SPEED: '1', CROSSFADE_CLOCK_ORIGIN_MS: '600000' }, 660_000],
    [{ CROSSFADE_CLOCK_SPEED: 'fast', CROSSFADE_CLOCK_ORIGIN_MS: '600000' }, 660_000],
    [{ CROSSFADE_CLOCK_SPEED: '30' }, 660_000],
    [{}, 660_000],
  ])('with %j counts in its minutes', async (environment, nowMs) => {
    vi.useFakeTimers({ toFake: ['Date'], now: 660_000 });
    const sent: OutcomeBatch[] = [];
    const { client } = start(DOWN, { environment, outcomes: async (batch) => void sent.push(batch) });
    client.record({ cutover: 'customer', side: 'primary', latencyMs: 1, success: true });
    await client.flush();
    expect(sent[0]!.windows[0]!.minute).toBe(Math.floor(nowMs / 60_000));
    vi.useRealTimers();
  });
});

describe('outcomes of an accelerated crossfade dev', () => {
  it('are sent as often as its minutes want', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] });
    const sent: OutcomeBatch[] = [];
    const environment = { CROSSFADE_CLOCK_SPEED: '30', CROSSFADE_CLOCK_ORIGIN_MS: '600000' };
    const { client } = start(DOWN, { environment, outcomes: async (batch) => void sent.push(batch) });
    client.record({ cutover: 'customer', side: 'primary', latencyMs: 1, success: true });
    await vi.advanceTimersByTimeAsync(330);
    expect(sent).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(10);
    expect(sent).toHaveLength(1);
    vi.useRealTimers();
  });
});

describe('flags of an accelerated crossfade dev', () => {
  it.each([
    [30, 500],
    [1, 15_000],
  ])('are asked for again as often as its minutes want, at speed %d every %d ms', async (speed, ageMs) => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] });
    const environment = { CROSSFADE_CLOCK_SPEED: String(speed), CROSSFADE_CLOCK_ORIGIN_MS: '600000' };
    const asked = vi.fn(async () => ({ document: documentOf(PROMOTED) }));
    const { client, side } = start({ fetch: asked }, { environment });
    await client.refresh();
    vi.advanceTimersByTime(ageMs - 5);
    side();
    expect(asked).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(10);
    side();
    expect(asked).toHaveBeenCalledTimes(2);
    vi.useRealTimers();
  });
});

describe('the API that takes outcomes', () => {
  it('may have a stage in its address, and what it says is said', async () => {
    const asked: string[] = [];
    const answer = vi.spyOn(globalThis, 'fetch').mockImplementation(async (url) => {
      asked.push(String(url));
      return new Response('minute 5 is not near', { status: 400 });
    });
    const sink = httpSink({ url: 'https://api.test/prod/', token: () => 't' });
    const batch = { flushId: 'f', source: 's', windows: [] };
    await expect(sink(batch, AbortSignal.timeout(1_000))).rejects.toThrow('400 minute 5 is not near');
    expect(asked).toEqual(['https://api.test/prod/v1/outcomes']);
    answer.mockRestore();
  });
});

describe('what is wrong', () => {
  it('is said once by the logger, with what to do', async () => {
    const lines: string[] = [];
    const logger = { info: () => {}, warn: (line: string) => void lines.push(line) };
    const outcomes = () => Promise.reject(new Error('status 401'));
    const { client } = start(DOWN, { onProblem: undefined, logger, outcomes });
    for (let i = 0; i < 3; i += 1) {
      client.record({ cutover: 'customer', side: 'shadow', success: true } as never);
      client.record({ cutover: 'customer', side: 'shadow', latencyMs: 1, success: true });
      await client.flush();
    }
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { event: 'crossfade_problem', code: 'outcome_unusable', message: expect.stringContaining('latencyMs undefined') },
      { event: 'crossfade_problem', code: 'outcomes_lost', message: expect.stringContaining('status 401') },
    ]);
  });

  it('never reaches the caller through a listener that throws', () => {
    const onProblem = () => {
      throw new Error('its own');
    };
    expect(() => start(DOWN, { onProblem }).client.record(null as never)).not.toThrow();
  });
});

/** A program of its own that imports the client; it prints. */
function program(text: (client: string) => string) {
  const outfile = join(directory, 'client.mjs');
  const entryPoints = [fileURLToPath(new URL('../../../lib/client/client.ts', import.meta.url))];
  buildSync({ entryPoints, outfile, bundle: true, platform: 'node', format: 'esm' });
  const script = text(`await import(${JSON.stringify(outfile)})`);
  const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  return [stdout.trim(), status];
}

describe('a script that ends', () => {
  it('has sent what it recorded, also when the first attempt failed', () => {
    const ended = program(
      (client) => `
      const { createClient } = ${client};
      let attempts = 0;
      const outcomes = async ({ windows }) => {
        attempts += 1;
        await new Promise((resolve) => setTimeout(resolve, 1));
        if (attempts === 1) throw new Error('lost');
        console.log(windows[0].count, attempts);
      };
      const flags = { fetch: async () => { throw new Error('none'); } };
      const one = createClient({ flags, outcomes, onProblem: () => {} });
      for (let i = 0; i < 3; i += 1) one.record({ cutover: 'customer', side: 'primary', latencyMs: 1, success: true });`,
    );
    expect(ended).toEqual(['3 2', 0]);
  });
});

describe('a runtime at the edge of a network', () => {
  it.each([
    ['has no process', 'delete globalThis.process'],
    ['has an environment alone', 'globalThis.process = { env: {} }'],
  ])('%s: reads are served, and recorded', (_name, change) => {
    const ended = program(
      (client) => `
      const { log } = console;
      ${change};
      const { createClient } = ${client};
      const outcomes = async ({ windows }) => log(windows[0].count);
      const flags = { fetch: async () => { throw new Error('none'); } };
      const one = createClient({ flags, outcomes, onProblem: ({ code }) => log(code) });
      for (const key of ['a', 'b', 'c']) await one.read('customer', { key, primary: () => key, shadow: () => key });
      await one.close();`,
    );
    expect(ended).toEqual(['flags_unavailable\n3', 0]);
  });
});
