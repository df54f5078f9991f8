/** Stream records as wake-ups, and what is done with a batch of them. */

import { describe, expect, it } from 'vitest';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import { initialState } from '../../../lib/core/cutover/cutover.ts';
import { record as recordEvents } from '../../../lib/core/stage/evolve.ts';
import { outcomeBuffer } from '../../../lib/flows/forwards/outcome-buffer.ts';
import { serveWakeUps } from '../../../lib/flows/rows/serve-wake-ups.ts';
import type { ConvergeResult } from '../../../lib/ports/converging.ts';
import type { WakeUp } from '../../../lib/ports/wake-ups.ts';
import { parseWakeUps } from '../../../lib/schemas/stream.ts';
import { forwardPorts, inMemoryForwards, nobodyThere } from '../../helpers/fakes/forwards.ts';
import { inMemoryState } from '../../helpers/fakes/state.ts';
import { inMemoryWindows } from '../../helpers/fakes/windows.ts';
import { codeOf, declarationOf, NOW, PLAN } from '../../property/samples.ts';

/** A record as DynamoDB Streams delivers it. */
const streamRecord = (seq: string, id: string | null, over: object = {}) => ({
  eventID: seq,
  eventSource: 'aws:dynamodb',
  eventName: 'MODIFY',
  dynamodb: {
    SequenceNumber: seq,
    Keys: { id: { S: id ?? '?' } },
    ...(id === null ? {} : { NewImage: { id: { S: id }, wake_ups: { N: '3' } } }),
  },
  ...over,
});
const parsed = (...records: unknown[]) => parseWakeUps({ Records: records });

describe('records', () => {
  it('that were inserted or modified name a cutover', () => {
    expect(parsed(streamRecord('1', 'customer'), streamRecord('2', 'invoice', { eventName: 'INSERT' }))).toEqual([
      { sequenceNumber: '1', cutover: 'customer' },
      { sequenceNumber: '2', cutover: 'invoice' },
    ]);
  });

  it('I37: that were removed, by hand, by TTL or as DynamoDB Local says it, are none of ours', () => {
    const ttl = { principalId: 'dynamodb.amazonaws.com', type: 'Service' };
    expect(
      parsed(
        streamRecord('1', 'customer', { eventName: 'REMOVE' }),
        streamRecord('2', 'customer', { eventName: 'REMOVE', userIdentity: ttl }),
        streamRecord('3', null, { eventName: 'UNKNOWN_TO_SDK_VERSION' }),
      ),
    ).toEqual([]);
  });

  it('that carry a read bring it with its slice; one that is none is left out', () => {
    const read = { method: 'GET', path: 'users/1', query: '', headers: {} };
    const carried = (slice: unknown) => {
      const NewImage = { id: { S: 'compare#chat' }, read: { S: JSON.stringify({ ...read, slice }) } };
      return parsed({ ...streamRecord('1', null), dynamodb: { SequenceNumber: '1', NewImage } })[0]!.read;
    };
    expect([0, 7].map(carried)).toEqual([0, 7].map((slice) => ({ ...read, slice })));
    for (const slice of [undefined, null, -1, 8, 0.5, '1']) expect(carried(slice)).toEqual(read);
  });

  it('row 32: that name nothing usable are kept to be counted', () => {
    const odd = [
      streamRecord('1', null),
      streamRecord('2', '../x'),
      streamRecord('3', ''),
      streamRecord('4', 'customer', { eventName: 'TRUNCATE' }),
      streamRecord('5', 'customer', { eventName: undefined }),
      { ...streamRecord('6', null), dynamodb: { SequenceNumber: '6', NewImage: { id: { N: '5' } } } },
      { ...streamRecord('7', null), dynamodb: { SequenceNumber: '7', NewImage: null } },
    ];
    expect(parsed(...odd).map((wakeUp) => wakeUp.cutover)).toEqual(odd.map(() => null));
  });

  it('row 33: without a sequence number fail the whole batch', () => {
    const good = streamRecord('1', 'customer');
    for (const dynamodb of [undefined, {}, { SequenceNumber: '' }, { SequenceNumber: 5 }]) {
      expect(codeOf(() => parsed(good, { ...good, dynamodb }))).toBe('invalid_event');
      expect(codeOf(() => parsed({ ...good, eventName: 'REMOVE', dynamodb }))).toBe('invalid_event');
    }
  });

  it.each([
    ['HTTP', { requestContext: { http: { method: 'POST' } }, body: '{}' }],
    ['a schedule', { source: 'aws.events', time: '2026-01-15T12:00:00Z' }],
    ['a queue', { Records: [{ eventSource: 'aws:sqs', body: '{}' }] }],
    ['nothing', null],
    ['a list of nothing', { Records: [null] }],
    ['text', 'records'],
  ])('row 35: an event of %s is refused', (_name, event) => {
    expect(codeOf(() => parseWakeUps(event))).toBe('invalid_event');
  });

  it('an empty batch is done', () => expect(parsed()).toEqual([]));
});

// ------------------------------------------------------------------------------------------------------- serving

const DONE: ConvergeResult = {
  kind: 'converged',
  claimed: 0,
  written: 0,
  deleted: 0,
  checked: 0,
  mismatched: 0,
  postponed: 0,
  quarantined: 0,
  remaining: 0,
};
const IDS = ['customer', 'invoice', 'track'];
const DECLARATIONS = [
  ...IDS.map((id) => declarationOf('table', { id })),
  declarationOf('component', { id: 'planner' }),
];

/** Ports in memory; each call of converge is noted and answered by `answer`, which may throw or move the clock. */
async function bench(
  answer: (id: string, clock: { ms: number }) => ConvergeResult,
  waiting: () => readonly string[] = () => [],
) {
  const clock = { ms: 0, now: () => NOW, monotonicMs: () => clock.ms, sleep: async () => {} };
  const state = inMemoryState({ clock });
  const windows = inMemoryWindows({ clock });
  const touched: string[] = [];
  const asked = { readAll: 0, readCutover: 0 };
  const counted = (name: keyof typeof asked) => {
    const call = state[name] as (...args: unknown[]) => unknown;
    return (...args: unknown[]) => {
      asked[name] += 1;
      return call(...args);
    };
  };
  const logged: string[] = [];
  for (const id of IDS) {
    const before = initialState(declarationOf('table', { id }));
    const { state: after, entries } = recordEvents(before, [{ type: 'started', plan: PLAN }], {
      nowMs: NOW,
      actor: 'ada',
    });
    await state.writeCutover({ before, after, entries });
  }
  const ports = {
    clock,
    state: { ...state, readAll: counted('readAll'), readCutover: counted('readCutover') },
    windows,
    ids: { next: () => `id-${logged.length}-${touched.length}` },
    ...forwardPorts(inMemoryForwards({ realNow: () => NOW })),
    deliver: nobodyThere,
    log: { event: (name: string) => void logged.push(name), failure: (name: string) => void logged.push(name) },
    converging: {
      converge: async (id: string) => {
        touched.push(id);
        return answer(id, clock);
      },
      waiting: async () => waiting().map((id) => ({ id, hints: 1, lagMs: 5 })),
    },
  } as unknown as Parameters<typeof serveWakeUps>[0];
  const outcomes = outcomeBuffer(ports, 10_000);
  const serve = (wakeUps: readonly WakeUp[], deadlineMs = 60_000) =>
    serveWakeUps({ ...ports, outcomes }, DECLARATIONS, wakeUps, { deadlineMs });
  return { serve, touched, logged, windows, asked };
}

const wakeUps = (...cutovers: (string | null)[]): WakeUp[] =>
  cutovers.map((cutover, i) => ({ sequenceNumber: String(i + 1), cutover }));

describe('forwarded writes in the stream', () => {
  const parsed = (NewImage: object, eventName = 'INSERT') =>
    parseWakeUps({
      Records: [{ eventSource: 'aws:dynamodb', eventName, dynamodb: { SequenceNumber: '1', NewImage } }],
    });
  const forward = (status: string, attempts = '0') => ({
    id: { S: 'chat#3' },
    place: { S: 'x' },
    status: { S: status },
    attempts: { N: attempts },
  });

  it('wake their cutover when they become ready', () => {
    expect(parsed(forward('ready'), 'MODIFY')).toEqual([{ sequenceNumber: '1', cutover: 'chat' }]);
  });

  it('wake nobody when they are recorded, claimed or put off: the writer would wake itself for ever', () => {
    for (const image of [forward('intended'), forward('unsettled'), forward('ready', '1'), forward('quarantined', '8')])
      expect(parsed(image, 'MODIFY')).toEqual([]);
  });

  it('nor do their bodies and receipts', () => {
    for (const id of ['body#chat#1.3.x', 'receipt#chat#1.3.x']) expect(parsed({ id: { S: id } })).toEqual([]);
  });

  it('and what only looks like one is malformed', () => {
    for (const id of ['chat#33', 'Chat#3', '#3', 'chat#x'])
      expect(parsed({ id: { S: id } })).toEqual([{ sequenceNumber: '1', cutover: null }]);
  });
});

describe('I34 a batch', () => {
  it('that is served reports nothing', async () => {
    const { serve, touched } = await bench(() => DONE);
    expect(await serve(wakeUps('customer', 'invoice', 'track'))).toEqual({
      served: 3,
      malformed: 0,
      firstFailure: null,
    });
    expect(touched).toEqual(IDS);
  });

  it('reports exactly the first record that fails, and serves the others all the same', async () => {
    for (const [at, failing] of IDS.entries()) {
      const { serve, touched } = await bench((id) => {
        if (id === failing) throw new Error('function does not exist');
        return DONE;
      });
      const batch = await serve(wakeUps(...IDS));
      expect(batch).toEqual({ served: 2, malformed: 0, firstFailure: String(at + 1) });
      expect(touched).toEqual(IDS);
    }
  });

  it('asks a database that is away once, and reports the first record', async () => {
    const { serve, touched } = await bench(() => {
      throw new CrossfadeError('database_unavailable', 'no answer', { retryable: true });
    });
    expect(await serve(wakeUps(...IDS))).toEqual({ served: 0, malformed: 0, firstFailure: '1' });
    expect(touched).toEqual(['customer']);
  });

  it('lets nobody wait for a busy cutover longer than a turn, whether the batch names it or not', async () => {
    let calls = 0;
    const { serve, touched } = await bench(
      (id, clock) => {
        if (id !== 'customer') return DONE;
        clock.ms += 300;
        calls += 1;
        return { ...DONE, claimed: 500, remaining: calls < 10 ? 1 : 0 };
      },
      // Nobody has woken it for this batch.
      () => ['track'],
    );
    expect(await serve(wakeUps('customer', 'invoice'))).toMatchObject({ served: 2, firstFailure: null });
    expect(calls).toBe(10);
    const turns = touched.join(' ').split(/(?:customer ?)+/);
    // After the first turn the one that is named has its own; after each further one those that wait, and once at the end.
    expect(turns.map((turn) => turn.trim())).toEqual(['', 'invoice track', 'track', 'track']);
    for (const busy of touched.join(' ').match(/(?:customer ?)+/g)!)
      expect(busy.split('customer').length - 1).toBeLessThanOrEqual(4);
  });

  it('serves the others that wait, too, and answers for those that it names alone', async () => {
    const { serve, touched, logged, asked } = await bench(
      (id) => {
        if (id === 'track') throw new Error('function does not exist');
        return DONE;
      },
      () => ['customer', 'stranger', 'track', 'invoice', 'planner'],
    );
    expect(await serve(wakeUps('customer'))).toEqual({ served: 1, malformed: 0, firstFailure: null });
    expect(touched).toEqual(['customer', 'track', 'invoice']);
    expect(logged).toEqual(['converge_failed']);
    expect(asked).toEqual({ readAll: 1, readCutover: 1 });
  });

  it('leaves the others to the next record when the time is nearly up', async () => {
    const { serve, touched } = await bench(
      (_id, clock) => {
        clock.ms += 9_500;
        return DONE;
      },
      () => ['invoice', 'track'],
    );
    expect(await serve(wakeUps('customer'), 19_500)).toMatchObject({ served: 1, firstFailure: null });
    expect(touched).toEqual(['customer', 'invoice']);
  });

  it('looks at all states in one question, and again only when that is too old', async () => {
    const { serve, asked } = await bench(() => DONE);
    await serve(wakeUps(...IDS));
    expect(asked).toEqual({ readAll: 1, readCutover: 0 });
    await serve(wakeUps('customer'));
    expect(asked).toEqual({ readAll: 1, readCutover: 1 });
  });

  it('stops when the time is nearly up, before the record that would not fit', async () => {
    const { serve, touched } = await bench((_id, clock) => {
      clock.ms += 9_500;
      return DONE;
    });
    expect(await serve(wakeUps(...IDS), 10_000)).toMatchObject({ served: 1, firstFailure: '2' });
    expect(touched).toEqual(['customer']);
  });

  it('serves a cutover once, however often it was woken', async () => {
    const { serve, touched } = await bench(() => DONE);
    expect(await serve(wakeUps('customer', 'customer', 'invoice', 'customer'))).toMatchObject({
      served: 4,
      firstFailure: null,
    });
    expect(touched).toEqual(['customer', 'invoice']);
  });

  it('counts what is malformed or foreign, and goes on', async () => {
    const { serve, touched, logged } = await bench(() => DONE);
    expect(await serve(wakeUps(null, 'stranger', 'planner', 'customer'))).toEqual({
      served: 2,
      malformed: 2,
      firstFailure: null,
    });
    expect(touched).toEqual(['customer']);
    expect(logged).toEqual(['wakeup_malformed', 'wakeup_malformed']);
  });

  it('calls again while hints remain, and keeps what was compared for the gates', async () => {
    let left = 3;
    const { serve, touched, windows } = await bench(() => {
      left -= 1;
      return { ...DONE, claimed: 500, written: 500, checked: 500, mismatched: 1, remaining: left };
    });
    await serve(wakeUps('customer'));
    expect(touched).toEqual(['customer', 'customer', 'customer']);
    expect(windows.additions('customer').map(({ window }) => [window.side, window.checks, window.mismatches])).toEqual([
      ['shadow', 1_500, 3],
    ]);
  });

  it('of an old epoch changes nothing and is done: somebody newer is at work', async () => {
    const { serve, logged } = await bench(() => ({ kind: 'stale', have: 5, got: 1 }));
    expect(await serve(wakeUps('customer'))).toMatchObject({ served: 1, firstFailure: null });
    expect(logged).toEqual(['converge_stale']);
  });
});
