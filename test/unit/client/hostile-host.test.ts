/** The SDK in hosts that do what its types forbid or do not say: whatever they hand in, their callers are served and told. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createClient } from '../../../lib/client/client.ts';
import { flagFile } from '../../../lib/client/flag-file.ts';
import { httpForwards } from '../../../lib/client/http-forwards.ts';
import { httpSink } from '../../../lib/client/http-sink.ts';
import type { Outcome } from '../../../lib/client/outcome.ts';
import type { Problem } from '../../../lib/client/problems.ts';
import { diffJson } from '../../../lib/core/forwards/json-diff.ts';
import { agentSource } from '../../../lib/routing/agent-source.ts';
import { httpSource } from '../../../lib/routing/http-source.ts';
import { someFlags } from '../../helpers/contracts/flags.ts';
import { bench, PRIMARY, SHADOW } from '../../helpers/cutover-client.ts';

const unhandled: unknown[] = [];
const note = (reason: unknown) => void unhandled.push(reason);
beforeEach(() => void process.on('unhandledRejection', note));
afterEach(() => {
  process.off('unhandledRejection', note);
  vi.restoreAllMocks();
  expect(unhandled.splice(0)).toEqual([]);
});

const NAMES = { application: 'a', environment: 'e', profile: 'p' };
/** Promises that nobody handles are told after a turn of the loop. */
const turn = () => new Promise((resolve) => setImmediate(resolve));
const rejecting = (async () => {
  throw new Error('of the host');
}) as () => Promise<never>;
const old = () => 'old';
const both = { key: 'k', primary: old, shadow: () => 'new' };

describe('what a path gives', () => {
  type Yes = (answer: string) => void;
  const promised = (of: object, then: (yes: Yes, no: (error: Error) => void) => void) => () =>
    Object.defineProperty(of, 'then', { value: then }) as never;
  it.each<[string, () => never, string, number]>([
    [
      'a function that is a promise, and fails',
      promised(
        () => {},
        (_, no) => no(new Error('broken')),
      ),
      'old',
      1,
    ],
    [
      'a function that is a promise',
      promised(
        () => {},
        (yes) => yes('new'),
      ),
      'new',
      0,
    ],
    ['a promise whose then gives nothing', promised(Promise.resolve('new'), () => {}), 'new', 0],
    ['a promise that answers twice', promised({}, (yes) => [yes('new'), yes('twice')]), 'new', 0],
  ])('%s', async (_, shadow, answer, errors) => {
    const { client, window } = await bench(SHADOW);
    expect(await client.read('planner', { ...both, shadow })).toBe(answer);
    expect(await window('shadow')).toMatchObject({ count: 1, errors });
  });

  it.each([Number.POSITIVE_INFINITY, 2 ** 40, 0, -1, Number.NaN])(
    'has time with a deadline of %d',
    async (deadlineMs) => {
      const { client, window } = await bench(SHADOW, { readDeadlineMs: 2 ** 40 });
      const shadow = () =>
        turn()
          .then(turn)
          .then(() => 'new');
      expect(await client.read('planner', { ...both, shadow, deadlineMs })).toBe('new');
      expect(await window('shadow')).toMatchObject({ errors: 0 });
    },
  );

  it('is a failure where the host says anything but no', async () => {
    const { client, window } = await bench(SHADOW);
    const isFailure = ((answer: string) => (answer === 'new' ? 'not this one' : '')) as never;
    expect(await client.read('planner', { ...both, isFailure })).toBe('old');
    expect(await window('shadow')).toMatchObject({ errors: 1 });
  });

  it('is no failure by a word that is still to come, and that word may break', async () => {
    const { client } = await bench(SHADOW);
    expect(await client.read('planner', { ...both, isFailure: rejecting as never })).toBe('new');
    await turn();
  });

  it('that has no old path says so', async () => {
    const { client } = await bench(PRIMARY);
    const refused = { code: 'invalid_config', message: expect.stringContaining('primary is undefined') };
    await expect(client.read('planner', {} as never)).rejects.toMatchObject(refused);
  });
});

describe('what listens', () => {
  it('may reject, and ends no process', async () => {
    const listeners = { onProblem: rejecting, onSimulatedWrite: rejecting };
    const outcomes = rejecting;
    const environment = { CROSSFADE_READONLY: '1' };
    const client = createClient({ flags: { fetch: rejecting }, outcomes, environment, ...listeners });
    client.onFlags(rejecting);
    await client.refresh();
    client.effect('send', () => {});
    client.record({} as never);
    await client.flush();
    await turn();
  });

  it('may be a log that throws', async () => {
    const broken = () => {
      throw new Error('no log');
    };
    const { client } = await bench(SHADOW, {
      logger: { info: broken, warn: broken },
      environment: { CROSSFADE_READONLY: '1' },
    });
    expect(client.effect('send', () => 'sent', 'not sent')).toBe('not sent');
    client.record({} as never);
  });

  it('may take outcomes without a promise, and gets them once', async () => {
    const sent: unknown[] = [];
    const problems: Problem[] = [];
    const { client } = await bench(PRIMARY, {
      outcomes: ((batch: unknown) => void sent.push(batch)) as never,
      onProblem: (problem) => void problems.push(problem),
      flushDeadlineMs: Number.POSITIVE_INFINITY,
      flushIntervalMs: Number.POSITIVE_INFINITY,
    });
    await client.read('planner', both);
    await turn();
    expect(sent).toEqual([]);
    await client.flush();
    await client.flush();
    expect([sent.length, problems]).toEqual([1, []]);
  });
});

it.each<[string, object]>([
  ['nothing', {}],
  [
    'a side that throws',
    {
      cutover: 'planner',
      get side() {
        throw new Error('side');
      },
    },
  ],
  [
    'a value that throws',
    {
      cutover: 'planner',
      side: 'shadow',
      latencyMs: 1,
      success: true,
      get values() {
        throw new Error('value');
      },
    },
  ],
  [
    'a symbol as operation',
    { cutover: 'planner', side: 'shadow', latencyMs: 1, success: true, operation: Symbol('o') },
  ],
])('record never throws: %s', async (_, outcome) => {
  const { client } = await bench(PRIMARY, { onProblem: () => {} });
  client.record(outcome as Outcome);
  expect(client.droppedOutcomes()).toBe(1);
});

it.each<[string, unknown, RegExp]>([
  ['flags', undefined, /flags a source .*given undefined/],
  ['flags', { url: 'https://api.test', token: 's3cret' }, /flags .*\{ url,token \}/],
  ['outcomes', 'https://api.test', /outcomes a function .*https:/],
  ['defaults', { planner: 'shadwo' }, /defaults for each .*'primary' or 'shadow'.*planner/],
  ['readDeadlineMs', Number.NaN, /readDeadlineMs .*NaN/],
  ['writeDeadlineMs', 0, /writeDeadlineMs .*above 0/],
  ['maxFlagAgeMs', -1, /maxFlagAgeMs .*-1/],
])('createClient refuses %s: %j', (name, value, message) => {
  const options = { flags: { fetch: rejecting }, outcomes: rejecting, [name]: value };
  expect(() => createClient(options as never)).toThrow(message);
  expect(() => createClient(options as never)).not.toThrow('s3cret');
});

it.each<[string, () => unknown]>([
  ['agentSource takes as url', () => agentSource({ url: undefined as never, ...NAMES })],
  ['agentSource takes as profile', () => agentSource({ url: 'http://127.0.0.1:2772', ...NAMES, profile: '' })],
  ['httpSource takes as url', () => httpSource({ url: 'api.test' })],
  ['httpSink takes as url', () => httpSink({ url: '', token: () => '' })],
  ['httpForwards takes as url', () => httpForwards({ url: undefined as never, token: () => '' })],
])('%s what it can use', (message, make) => {
  expect(make).toThrow(message);
});

it('the flag file of two threads of one process is written beside it under two names', () => {
  const builtIn = process.getBuiltinModule;
  const written: string[] = [];
  const fs = { rmSync: () => {}, writeFileSync: (path: string) => void written.push(path), renameSync: () => {} };
  const problems: string[] = [];
  for (const threadId of [0, 1]) {
    vi.spyOn(process, 'getBuiltinModule').mockImplementation(((name: string) =>
      name === 'node:fs' ? fs : name === 'node:worker_threads' ? { threadId } : builtIn(name)) as never);
    flagFile(
      '/nowhere/flags',
      (problem) => problems.push(problem),
      () => 0,
    ).write(someFlags({ version: 1 }));
  }
  expect([new Set(written).size, problems]).toEqual([2, []]);
});

describe('answers without end', () => {
  const sparse = () => Object.assign([], { length: 2 ** 32 - 1 });
  it.each([[[]], [[{ path: '', unordered: true as const }]]])('cost no more than others, with rules %j', (rules) => {
    const compiled = rules.map(({ path, unordered }) => ({ steps: path ? [path] : [], unordered }));
    expect(diffJson(sparse(), sparse(), compiled).unseen).toEqual([{ path: '$', what: 'more than is compared' }]);
    // Not the lists themselves: an assertion would look at all of them.
    expect(diffJson(sparse(), [1], compiled).differences.map(({ kind }) => kind)).toContain('length');
  });
});
