import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { agentSource } from '../../../lib/routing/agent-source.ts';
import { dataSource } from '../../../lib/routing/data-source.ts';
import { type FlagSource, flagCache } from '../../../lib/routing/flag-cache.ts';
import { parseFlagText } from '../../../lib/schemas/flags.ts';
import { someFlags } from '../../helpers/contracts/flags.ts';
import { deploy, MINUTE_MS, type Stage, type Subject, stage, stopDeployment, store, subject } from './harness.ts';

let on: Stage;
let own: Subject;
beforeEach(async () => {
  on = await stage();
  own = await subject(on);
});
afterEach(() => on.stop());

const FIRST = someFlags({ version: 1 });
const SECOND = someFlags({ version: 2 });
const NAMES = { application: 'crossfade', environment: 'local', profile: 'flags' };
const publish = async (document = FIRST) => deploy(own, await store(own, document));
const signal = () => new AbortController().signal;

const SOURCES: readonly [string, (names?: typeof NAMES) => FlagSource][] = [
  [
    'agent, on the server',
    (names = NAMES) => agentSource({ url: on.server.agentUrl, ...names, pollMs: 0, parse: parseFlagText }),
  ],
  ['agent, in an application', (names = NAMES) => agentSource({ url: `${on.server.agentUrl}/`, ...names, pollMs: 0 })],
  ['sessions', (names = NAMES) => dataSource({ ...names, client: on.data, now: on.clock.now })],
];

describe.each(SOURCES)('%s', (_name, make) => {
  const nextPoll = () => {
    on.clock.nowMs += 15_000;
  };

  it('gives the flags, then says that they are unchanged, then gives the new ones', async () => {
    await publish();
    const source = make();
    expect(await source.fetch(signal())).toEqual({ document: FIRST });
    nextPoll();
    expect(await source.fetch(signal())).toMatchObject({ unchanged: true });
    await publish(SECOND);
    nextPoll();
    expect(await source.fetch(signal())).toEqual({ document: SECOND });
  });

  it.each(['empty', 'html', 'truncated', 'foreign'] as const)(
    'refuses content that is %s, every time',
    async (content) => {
      await publish();
      const source = make();
      on.server.faults.set({ content });
      for (let n = 0; n < 2; n += 1) {
        await expect(source.fetch(signal())).rejects.toMatchObject({ code: 'flags_invalid' });
        nextPoll();
      }
      on.server.faults.clear();
      await publish(SECOND);
      expect(await source.fetch(signal())).toEqual({ document: SECOND });
    },
  );

  it.each(['internal', 'throttle', 'reset'] as const)(
    'is unavailable when the answer is %s, and recovers',
    async (answer) => {
      await publish();
      const source = make();
      on.server.faults.set({ requests: [{ operation: '*', answer }] });
      await expect(source.fetch(signal())).rejects.toMatchObject({ code: 'flags_unavailable', retryable: true });
      on.server.faults.clear();
      expect(await source.fetch(signal())).toEqual({ document: FIRST });
    },
  );

  it('is unavailable while nothing is deployed, and for names that do not exist', async () => {
    await expect(make().fetch(signal())).rejects.toMatchObject({ code: 'flags_unavailable' });
    await publish();
    const wrong = make({ ...NAMES, profile: 'no/such' });
    await expect(wrong.fetch(signal())).rejects.toMatchObject({ code: 'flags_unavailable' });
  });

  it('ends when it is told to', async () => {
    await publish();
    on.server.faults.set({ requests: [{ operation: '*', answer: 'hang' }] });
    const controller = new AbortController();
    const fetching = make().fetch(controller.signal);
    controller.abort();
    await expect(fetching).rejects.toMatchObject({ code: 'flags_unavailable' });
  });
});

describe('sessions of AppConfigData', () => {
  const make = () => dataSource({ ...NAMES, client: on.data, now: on.clock.now });

  it('the client is made with the first fetch, from the connection', async () => {
    await publish();
    const connection = {
      region: 'local',
      endpoint: on.server.url,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    };
    const source = dataSource({ ...NAMES, connection, now: on.clock.now });
    expect(await source.fetch(signal())).toEqual({ document: FIRST });
  });

  it('nothing is asked before the poll interval is over', async () => {
    await publish();
    const source = make();
    await source.fetch(signal());
    on.clock.nowMs += 14_999;
    // Nothing new was learnt, so the flags are as old as they are.
    expect(await source.fetch(signal())).toEqual({ unchanged: true, ageMs: 14_999 });
    expect(on.server.requests.GetLatestConfiguration).toBe(1);
  });

  it('a token that is too old starts a new session', async () => {
    await publish();
    const source = make();
    await source.fetch(signal());
    on.clock.nowMs += 25 * 60 * MINUTE_MS;
    expect(await source.fetch(signal())).toEqual({ document: FIRST });
    expect(on.server.requests.StartConfigurationSession).toBe(2);
  });

  it('so does one that was used up by an answer that got lost', async () => {
    await publish();
    const source = make();
    await source.fetch(signal());
    on.clock.nowMs += 15_000;
    on.server.faults.set({
      requests: [{ operation: 'GetLatestConfiguration', answer: 'reset', times: 1, effect: true }],
    });
    await expect(source.fetch(signal())).rejects.toMatchObject({ code: 'flags_unavailable' });
    expect(await source.fetch(signal())).toEqual({ document: FIRST });
  });

  it('a first session that is refused is not repeated for ever', async () => {
    on.server.faults.set({ requests: [{ operation: 'StartConfigurationSession', answer: 'bad_request' }] });
    await expect(make().fetch(signal())).rejects.toMatchObject({ code: 'flags_unavailable' });
    expect(on.server.requests.StartConfigurationSession).toBe(1);
  });

  it('flags that were refused stay refused while the service says they are unchanged', async () => {
    await deploy(own, await store(own, '{"version":"1","flags":{},"values":{}}'));
    const source = make();
    for (let n = 0; n < 3; n += 1) {
      await expect(source.fetch(signal())).rejects.toMatchObject({ code: 'flags_invalid' });
      on.clock.nowMs += n === 0 ? 1 : 15_000;
    }
  });
});

describe('I28 a reader on the service', () => {
  it('keeps the newer flags when a revert brings back older ones, and shows their age', async () => {
    await publish(FIRST);
    await publish(SECOND);
    const cache = flagCache({ source: SOURCES[0]![1](), now: on.clock.monotonicMs });
    await cache.refreshIfStale();
    expect(cache.current()).toEqual({ document: SECOND, ageMs: 0 });
    await stopDeployment(own, 2, true);
    on.clock.nowMs += 20_000;
    await cache.refreshIfStale();
    expect(cache.current()).toMatchObject({ document: SECOND, ageMs: 20_000, problem: { code: 'flags_older' } });
  });

  it('keeps the last good flags while the agent is down or serves a page of HTML', async () => {
    await publish(FIRST);
    const cache = flagCache({ source: SOURCES[1]![1](), now: on.clock.monotonicMs });
    await cache.refreshIfStale();
    on.server.faults.set({ agent: 'down' });
    on.clock.nowMs += 20_000;
    await cache.refreshIfStale();
    expect(cache.current()).toMatchObject({ document: FIRST, ageMs: 20_000, problem: { code: 'flags_unavailable' } });
    on.server.faults.set({ agent: 'up', content: 'html' });
    on.clock.nowMs += 20_000;
    await cache.refreshIfStale();
    expect(cache.current()).toMatchObject({ document: FIRST, ageMs: 40_000, problem: { code: 'flags_invalid' } });
    on.server.faults.clear();
    on.clock.nowMs += 20_000;
    await cache.refreshIfStale();
    expect(cache.current()).toEqual({ document: FIRST, ageMs: 0 });
  });
});
