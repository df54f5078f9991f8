/** The functions as they are deployed, on ports in memory: outcomes, the stream, routes and commands with bad input. */

import type { DynamoDBStreamEvent } from 'aws-lambda';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { OutcomeBatch } from '../../../lib/client/outcome.ts';
import { Recorder } from '../../../lib/client/recorder.ts';
import { initialState } from '../../../lib/core/cutover/cutover.ts';
import { bucketIndex } from '../../../lib/core/gates/histogram.ts';
import { cutoverFlag, systemFlag } from '../../../lib/core/routing/flags.ts';
import { record } from '../../../lib/core/stage/evolve.ts';
import { declarationOf, NOW, PLAN, stateIn, systemOf } from '../../property/samples.ts';
import { ask, type Call, inMemoryComposition, lambdaContext, type Served } from '../../property/served.ts';

const held = vi.hoisted(() => ({ composition: undefined as unknown }));
vi.mock('../../../lib/compose/ports.ts', () => ({ compose: () => held.composition }));
vi.mock('../../../lib/compose/api.ts', () => ({ composeApi: () => held.composition }));
vi.mock('../../../lib/compose/inside.ts', () => ({ composeInside: () => held.composition }));
vi.mock('../../../lib/compose/services.ts', () => ({ withServices: (composition: object) => composition }));

const MINUTE = Math.floor(NOW / 60_000);
const DECLARATIONS = [declarationOf('table'), declarationOf('component', { id: 'planner' })];

/** The handler of a function, loaded anew on ports of its own. */
async function load<Name extends 'outcomes' | 'control' | 'shadow-writer'>(name: Name) {
  const module = {
    outcomes: () => import('../../../functions/outcomes.ts'),
    control: () => import('../../../functions/control.ts'),
    'shadow-writer': () => import('../../../functions/shadow-writer.ts'),
  }[name];
  return (await module()).handler;
}

let served: Served;
beforeEach(() => {
  vi.resetModules();
  served = inMemoryComposition(DECLARATIONS);
  held.composition = served.composition;
});

const WINDOW = {
  cutover: 'customer',
  operation: 'read',
  minute: MINUTE,
  side: 'shadow',
  count: 3,
  errors: 1,
  keyless: 1,
  latency: { '148': 2, '-5': 1 },
  checks: 4,
  mismatches: 1,
};

describe('POST /v1/outcomes', () => {
  const send = async (windows: readonly object[], over: object = {}) =>
    ask(await load('outcomes'), { path: '/v1/outcomes', body: { flushId: 'flush-1', source: 'me', windows, ...over } });
  const stored = () => served.windows.read('customer', MINUTE - 60, MINUTE + 60);

  it('counts what it is sent, buckets by number', async () => {
    expect(await send([WINDOW])).toMatchObject({ status: 200, body: { accepted: 1, refused: [] } });
    const { cutover: _cutover, operation: _operation, ...window } = WINDOW;
    expect(await stored()).toEqual([{ ...window, latency: { 148: 2, [-5]: 1 } }]);
  });

  it('counts by slice, and what comes from senders that know none', async () => {
    await send([{ ...WINDOW, slice: 0 }, { ...WINDOW, slice: 7 }, WINDOW]);
    const parts = await served.windows.readParts('customer', MINUTE, MINUTE);
    expect(parts.map(({ slice, operation, window }) => [slice, operation, window.count])).toEqual([
      [null, 'read', 3],
      [0, 'read', 3],
      [7, 'read', 3],
    ]);
    expect(await stored()).toMatchObject([{ count: 9, errors: 3 }]);
  });

  it('counts what newer senders tell, and for how many operations it was told', async () => {
    await send(
      [
        { ...WINDOW, drops: 1 },
        { ...WINDOW, side: 'primary', drops: 0 },
      ],
      { memory: 0.834 },
    );
    expect(await stored()).toMatchObject([
      { side: 'primary', told: 3 },
      { side: 'shadow', drops: 1, told: 3, memory: { 84: 3 } },
    ]);
    // Both sides may share a process: its memory is told of the shadow alone.
    expect((await stored())[0]).not.toHaveProperty('memory');
    await send([WINDOW], { flushId: 'flush-2' });
    await send([{ ...WINDOW, drops: 0 }], { flushId: 'flush-3', memory: 1.2 });
    expect((await stored())[1]).toMatchObject({ count: 9, drops: 1, told: 6, memory: { 84: 3, 100: 3 } });
  });

  it('counts the requests that both sides were asked', async () => {
    await send([{ ...WINDOW, pairs: 3, onlyShadow: 1, onlyPrimary: 0, incomparable: 2 }]);
    expect(await stored()).toMatchObject([{ pairs: 3, onlyShadow: 1, incomparable: 2 }]);
  });

  it('row 63: counts the same flush once', async () => {
    await send([WINDOW]);
    expect(await send([WINDOW])).toMatchObject({ status: 200 });
    expect((await stored())[0]!.count).toBe(3);
    await send([WINDOW], { flushId: 'flush-2' });
    expect((await stored())[0]!.count).toBe(6);
  });

  describe('of a program without the SDK', () => {
    const tell = async (body: object) => ask(await load('outcomes'), { path: '/v1/outcomes', body });

    it('takes durations as they are, of the minute of now, as the SDK would have counted them', async () => {
      const operations = [{ cutover: 'customer', side: 'shadow', durationsMs: [12, 12, 0, 3_600_000], errors: 1 }];
      expect(await tell({ operations })).toMatchObject({ status: 200, body: { accepted: 1, refused: [] } });
      const sent: OutcomeBatch[] = [];
      const recorder = new Recorder({
        source: 's',
        nextId: () => 'f',
        now: () => NOW,
        elapsedMs: () => NOW,
        flushIntervalMs: 1e6,
        sink: async (batch) => void sent.push(batch),
      });
      for (const latencyMs of [12, 12, 0, 3_600_000])
        recorder.record({ cutover: 'customer', side: 'shadow', latencyMs, success: latencyMs !== 0 });
      await recorder.flush();
      const [{ latency, count, errors }] = sent[0]!.windows as [OutcomeBatch['windows'][number]];
      expect(await stored()).toMatchObject([{ latency, count, errors, minute: MINUTE, side: 'shadow' }]);
    });

    it('takes counts between bounds, with the slice and operation of their keys', async () => {
      const histogram = { boundsMs: [5, 10, 25], counts: [10, 4, 0, 1] };
      const operations = [{ cutover: 'customer', side: 'primary', operation: 'list', slice: 2, histogram }];
      expect(await tell({ operations })).toMatchObject({ status: 200 });
      const [part] = await served.windows.readParts('customer', MINUTE, MINUTE);
      expect(part).toMatchObject({ slice: 2, operation: 'list', window: { count: 15 } });
      const { latency } = part!.window;
      expect([latency[bucketIndex(5)], latency[bucketIndex(10)], latency[bucketIndex(3_600_000)]]).toEqual([10, 4, 1]);
    });

    it('counts a report again that names no flush, and once that names one', async () => {
      const operations = [{ cutover: 'customer', side: 'shadow', slice: null, durationsMs: [1] }];
      for (let n = 0; n < 2; n += 1) await tell({ operations });
      for (let n = 0; n < 2; n += 1) await tell({ operations, flushId: 'same' });
      expect(await stored()).toMatchObject([{ count: 3 }]);
    });

    it.each([
      ['no durations', {}],
      ['durations twice', { durationsMs: [1], histogram: { boundsMs: [1], counts: [1, 1] } }],
      ['a negative duration', { durationsMs: [-1] }],
      ['a count too few', { histogram: { boundsMs: [1, 2], counts: [1, 1] } }],
      ['bounds that do not rise', { histogram: { boundsMs: [2, 2], counts: [1, 1, 1] } }],
      ['more errors than operations', { durationsMs: [1], errors: 2 }],
      ['an unknown word', { durationsMs: [1], duration: 5 }],
    ])('refuses %s and changes nothing', async (_what, over) => {
      const operations = [{ cutover: 'customer', side: 'shadow', ...over }];
      expect(await tell({ operations })).toMatchObject({ status: 400 });
      expect(await stored()).toEqual([]);
    });
  });

  it.each([
    ['row 60: more errors than operations', { errors: 4 }],
    ['row 60: more mismatches than comparisons', { mismatches: 5 }],
    ['row 60: a histogram of another sum', { latency: { '148': 4 } }],
    ['row 60: more keyless than operations', { keyless: 4 }],
    ['row 60: more lost connections than errors', { drops: 2 }],
    ['row 59: a negative count of lost connections', { drops: -1 }],
    ['row 60: more failures of one side than pairs', { pairs: 3, onlyShadow: 2, onlyPrimary: 2 }],
    ['row 60: failures of pairs without a pair', { onlyPrimary: 1 }],
    ['row 59: a minute 11 minutes ago', { minute: MINUTE - 11 }],
    ['row 59: a minute two minutes ahead', { minute: MINUTE + 2 }],
    ['row 62: an unknown cutover', { cutover: 'stranger' }],
    ['a cutover like a property of every object', { cutover: 'constructor' }],
    ['row 59: a negative count', { count: -1 }],
    ['row 59: an unknown side', { side: 'both' }],
  ])('%s is refused and leaves the counters as they are', async (_name, over) => {
    await send([WINDOW]);
    const before = await stored();
    const answer = await send([{ ...WINDOW, ...over }], { flushId: 'flush-2' });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ code: 'invalid_input' });
    expect(await stored()).toEqual(before);
  });

  it.each([MINUTE - 10, MINUTE, MINUTE + 1])('takes minute %i', async (minute) => {
    expect((await send([{ ...WINDOW, minute }])).status).toBe(200);
  });

  it('row 62: refuses one entry by its index and counts the others', async () => {
    const answer = await send([
      WINDOW,
      { ...WINDOW, cutover: 'stranger' },
      { ...WINDOW, minute: MINUTE - 1, errors: 9 },
    ]);
    expect(answer).toMatchObject({ status: 200, body: { accepted: 1 } });
    expect((answer.body as { refused: unknown }).refused).toEqual([
      { index: 1, code: 'not_found', why: expect.stringContaining('stranger') },
      { index: 2, code: 'invalid_input', why: '9 errors of 3 operations' },
    ]);
    expect(await stored()).toHaveLength(1);
  });

  it('a report of nothing is taken', async () => {
    expect(await send([])).toMatchObject({ status: 200, body: { accepted: 0, refused: [] } });
  });
});

describe('the shadow-writer', () => {
  const streamed = (...records: [seq: string, id: string, eventName?: string][]) =>
    ({
      Records: records.map(([SequenceNumber, id, eventName = 'MODIFY']) => ({
        eventSource: 'aws:dynamodb',
        eventName,
        dynamodb: { SequenceNumber, ...(eventName === 'REMOVE' ? {} : { NewImage: { id: { S: id } } }) },
      })),
    }) as unknown as DynamoDBStreamEvent;
  const invoke = async (event: DynamoDBStreamEvent, remainingMs?: number) =>
    (await load('shadow-writer'))(event, lambdaContext(remainingMs));

  /** The cutover in dual_write, its capture armed, one row written by the application. */
  async function written(): Promise<void> {
    const before = initialState(DECLARATIONS[0]!);
    const { state: after, entries } = record(before, [{ type: 'started', plan: PLAN }], { nowMs: NOW, actor: 'ada' });
    await served.state.writeCutover({ before, after, entries });
    const table = { primary: 'public.customer', shadow: 'public.customer_v2' };
    await served.tables.capture.arm({ id: 'customer', table, validation: 'strict' }, { epoch: 1, version: 1 });
    await served.tables.switches.mirror({
      id: 'customer',
      epoch: after.epoch,
      version: after.version,
      stage: after.stage,
      shadowWrites: true,
      readPpm: 0,
      salt: 's',
    });
    served.tables.write('customer', 7, 'Ada');
  }

  it('answers a batch that is served with an empty list, literally', async () => {
    await written();
    expect(JSON.stringify(await invoke(streamed(['1', 'customer'])))).toBe('{"batchItemFailures":[]}');
    expect(served.tables.rows('customer').follower.get(7)).toBe('Ada');
  });

  it('I34: names the first record that was not served, literally', async () => {
    await written();
    served.tables.failNext('converge');
    const answer = await invoke(streamed(['1', 'stranger'], ['2', 'customer'], ['3', 'customer']));
    expect(JSON.stringify(answer)).toBe('{"batchItemFailures":[{"itemIdentifier":"2"}]}');
    expect(served.tables.rows('customer').follower.has(7)).toBe(false);
  });

  it('I34: without time serves nothing and names the first', async () => {
    await written();
    expect(JSON.stringify(await invoke(streamed(['1', 'customer']), 900))).toBe(
      '{"batchItemFailures":[{"itemIdentifier":"1"}]}',
    );
    expect(served.tables.rows('customer').follower.has(7)).toBe(false);
  });

  it('I37: a removal changes nothing', async () => {
    await written();
    expect(await invoke(streamed(['1', 'customer', 'REMOVE']))).toEqual({ batchItemFailures: [] });
    expect(served.tables.rows('customer').follower.has(7)).toBe(false);
  });

  it('row 35: an HTTP event is refused before anything is made', async () => {
    const handler = await load('shadow-writer');
    await expect(handler({ requestContext: {} } as never, lambdaContext())).rejects.toMatchObject({
      code: 'invalid_event',
    });
  });
});

describe('the control API with bad input', () => {
  const KEY = { 'idempotency-key': 'k-1', 'if-match': '"0"' };
  const control = async (call: Call) => ask(await load('control'), call);
  const path = '/v1/cutovers/planner/start';

  /** Everything that must not change. */
  const everything = async () =>
    JSON.stringify([
      await served.state.readAll(),
      await served.state.readSystem(),
      await served.state.readAudit('planner', { limit: 100 }),
      await served.state.readAudit('system', { limit: 100 }),
      served.flags.published(),
      served.windows.additions('planner'),
    ]);

  it.each<[string, Call, number, string]>([
    ['row 53: no key', { path, body: {}, headers: { 'if-match': '"0"' } }, 400, 'invalid_input'],
    [
      'row 53: a key of 10 KB',
      { path, body: {}, headers: { ...KEY, 'idempotency-key': 'k'.repeat(10_240) } },
      400,
      'invalid_input',
    ],
    ['row 54: no version', { path, body: {}, headers: { 'idempotency-key': 'k' } }, 428, 'precondition_required'],
    ['row 54: any version', { path, body: {}, headers: { ...KEY, 'if-match': '*' } }, 400, 'invalid_input'],
    ['row 13: SQL', { path, body: { sql: 'DROP TABLE users' }, headers: KEY }, 400, 'unknown_property'],
    ['row 19: no dwell', { path, body: { dwellMinutes: 0 }, headers: KEY }, 400, 'invalid_input'],
    [
      'row 17: an encoded traversal',
      { path: '/v1/cutovers/%2e%2e%2f/start', body: {}, headers: KEY },
      400,
      'invalid_identifier',
    ],
    ['row 17: an unknown cutover', { path: '/v1/cutovers/plannr/start', body: {}, headers: KEY }, 404, 'not_found'],
    [
      'row 18: no confirmation',
      { path: '/v1/cutovers/planner/reset', body: {}, headers: KEY },
      400,
      'confirm_required',
    ],
    ['row 18: no reason', { path: '/v1/cutovers/planner/rollback', body: {}, headers: KEY }, 400, 'invalid_input'],
    [
      'row 18: no reason for a stop',
      { path: '/v1/system/emergency-stop', body: {}, headers: KEY },
      400,
      'invalid_input',
    ],
    ['a stop without a key', { path: '/v1/system/emergency-stop', body: { reason: 'x' } }, 400, 'invalid_input'],
    [
      'row 64: a page without end',
      { method: 'GET', path: '/v1/cutovers/planner/history', query: { limit: '1e9' } },
      400,
      'invalid_input',
    ],
    ['an unknown command', { path: '/v1/cutovers/planner/explode', body: {}, headers: KEY }, 404, 'not_found'],
  ])('%s is refused and changes nothing', async (_name, call, status, code) => {
    const before = await everything();
    const answer = await control(call);
    expect(answer).toMatchObject({ status, body: { code, status } });
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(await everything()).toBe(before);
  });

  it('takes a good command, and answers it twice with one effect', async () => {
    const first = await control({ path, body: { plan: 'canary' }, headers: KEY });
    expect(first).toMatchObject({
      status: 200,
      body: { cutover: 'planner', stage: 'dual_write', version: 1, epoch: 1, pending: null },
    });
    expect(first.headers.etag).toBe('"1"');
    const second = await control({ path, body: { plan: 'canary' }, headers: KEY });
    expect(second.body).toEqual(first.body);
    expect(await served.state.readAudit('planner', { limit: 100 })).toHaveLength(1);
    expect(await control({ path, body: { plan: 'fine' }, headers: KEY })).toMatchObject({ status: 422 });
  });

  it('I25: a refused command leaves one denied entry, as whoever asked', async () => {
    const answer = await control({ path: '/v1/cutovers/planner/complete', body: { confirm: 'planner' }, headers: KEY });
    expect(answer).toMatchObject({ status: 409, body: { code: 'illegal_transition' } });
    const log = await served.state.readAudit('planner', { limit: 100 });
    expect(log).toMatchObject([{ actor: 'ada', version: 0, event: { type: 'denied', command: 'complete' } }]);
  });
});

describe('the routing function and the gateway share one answer with the SDK', () => {
  it('also for a cutover that is called like a property of every object', async () => {
    const system = systemFlag(systemOf());
    const customer = cutoverFlag(declarationOf(), stateIn('full_100'), systemOf());
    const { version } = (await served.flags.publish({
      document: { system, cutovers: { customer } },
      latestVersion: 0,
      urgent: false,
      deadlineMs: 1_000,
    })) as { version: number };
    expect(version).toBe(1);
    const router = await served.composition.router();
    await router.refresh();
    expect(router.route('customer', { key: 'k' })).toMatchObject({
      side: 'shadow',
      reason: 'share',
      sharePpm: 1_000_000,
    });
    expect(router.route('constructor', { key: 'k' })).toMatchObject({
      side: 'primary',
      reason: 'unknown_cutover',
      version: 0,
    });
  });
});
