/**
 * Writes that are made again: however often, whatever was lost and whoever died, one key is one write on each side, and no
 * person is asked where a later write has already said what became of an earlier one.
 */

import { describe, expect, it } from 'vitest';
import {
  afterFailure,
  type CallOutcome,
  type ForwardHead,
  INTENT_LIFE_MS,
  MAX_ATTEMPTS,
  nextStep,
  otherSide,
  outcomeOfAsking,
  outcomeOfSending,
} from '../../../lib/core/forwards/forward.ts';
import { isRemoved, isReplaced } from '../../../lib/core/forwards/later-writes.ts';
import { retryWorld, type WorldOptions, type Write } from '../../helpers/retry-world.ts';
import { NOW, stateIn } from '../../property/samples.ts';

const post: Write = { key: 'K', method: 'POST', path: 'tasks/7' };
const write = (key: string, method: Write['method'], path = 'tasks/7'): Write => ({ key, method, path });

function bench(options: WorldOptions = {}) {
  const it_ = retryWorld(options);
  return {
    ...it_,
    /** A write, made to its end while the authoritative side behaves so. */
    async make(one: Write, mode: (typeof it_)['services']['primary']['mode'] = 'ok') {
      it_.services.primary.mode = mode;
      const { answered } = await it_.run(it_.send(one));
      it_.services.primary.mode = 'ok';
      it_.clock.ms += 1;
      return answered;
    },
    stream: () => it_.run(it_.stream()),
    quarantined: () => it_.store.all().filter(({ status }) => status === 'quarantined'),
    both: () => [it_.services.primary.applied, it_.services.shadow.applied],
  };
}

describe('a write that is made again under its key', () => {
  it.each(['gateway', 'sdk'] as const)(
    'through the %s is one write on both sides, and nobody is asked',
    async (through) => {
      for (const failed of ['applied-and-lost', 'lost', 'slow', 500] as const) {
        const it_ = bench({ through });
        expect(await it_.make(post, failed)).toBe('unknown');
        it_.catchUp();
        expect(await it_.make(post)).toBe('yes');
        await it_.settle();
        expect([failed, it_.both(), it_.store.all()]).toEqual([failed, [['K'], ['K']], []]);
        expect(it_.events).not.toContain('forward_quarantined');
      }
    },
  );

  it('takes one out of quarantine whose outcome nobody knew, and others of its resource go on', async () => {
    const it_ = bench();
    await it_.make(post, 'applied-and-lost');
    await it_.make(write('other', 'POST'));
    it_.clock.ms += INTENT_LIFE_MS;
    await it_.stream();
    expect(it_.quarantined().map(({ idempotencyKey }) => idempotencyKey)).toEqual(['K']);
    await it_.make(post);
    await it_.settle();
    expect([it_.both().map((keys) => keys.toSorted()), it_.store.all()]).toEqual([
      [
        ['K', 'other'],
        ['K', 'other'],
      ],
      [],
    ]);
  });

  it('is expected for as long as an intent lives, before a person is asked', async () => {
    const it_ = bench();
    await it_.make(post, 'lost');
    await it_.make(write('other', 'POST'));
    it_.clock.ms += 30_000;
    await it_.stream();
    expect([it_.quarantined(), it_.events]).toEqual([[], []]);
    await it_.make(post);
    await it_.settle();
    expect([it_.both(), it_.store.all()]).toEqual([
      [
        ['other', 'K'],
        ['other', 'K'],
      ],
      [],
    ]);
  });

  it('and has arrived settles an overlapping attempt that failed after it', async () => {
    const it_ = bench();
    await it_.make(post);
    await it_.make(post, 'lost');
    await it_.make(write('other', 'POST'));
    await it_.settle();
    expect([it_.both(), it_.store.all()]).toEqual([
      [
        ['K', 'other'],
        ['K', 'other'],
      ],
      [],
    ]);
  });

  it('says nothing where the services do not know their keys: it is a second write there', async () => {
    const it_ = bench({ keys: false });
    await it_.make(post, 'applied-and-lost');
    await it_.make(post);
    await it_.settle();
    expect(it_.quarantined()).toMatchObject([{ problem: { code: 'outcome_unknown' } }]);
    expect(it_.both()).toEqual([['K', 'K'], []]);
  });

  it('of what the other side refuses does not have it asked for ever', async () => {
    const it_ = bench();
    await it_.make(post);
    await it_.make(post);
    it_.services.shadow.mode = 422;
    for (let n = 0; n < 40; n += 1) {
      await it_.stream();
      it_.clock.ms += 60_000;
    }
    expect(it_.quarantined()).toMatchObject([{ problem: { code: 'refused' } }]);
  });
});

describe('a write that takes the place of earlier ones', () => {
  it.each(['PUT', 'DELETE'] as const)('%s of the same resource settles what nobody knows of them', async (method) => {
    for (const strict of [false, true]) {
      const it_ = bench({ strict });
      for (const earlier of ['POST', 'PATCH', 'PUT'] as const)
        await it_.make(write(earlier, earlier), 'applied-and-lost');
      expect(await it_.make(write('new', method))).toBe('yes');
      await it_.settle();
      expect([it_.services.shadow.values, it_.store.all()]).toEqual([it_.services.primary.values, []]);
      expect(it_.events).not.toContain('forward_quarantined');
    }
  });

  it.each(['PUT', 'DELETE'] as const)('%s frees what the other side refused', async (method) => {
    const it_ = bench();
    await it_.make(write('bad', 'PATCH'));
    it_.services.shadow.mode = 422;
    for (let n = 0; n < MAX_ATTEMPTS; n += 1) {
      await it_.stream();
      it_.clock.ms += 60_000;
    }
    expect(it_.quarantined()).toHaveLength(1);
    await it_.make(write('new', method));
    await it_.settle();
    expect([it_.services.shadow.applied, it_.store.all()]).toEqual([['new'], []]);
  });

  it('and is refused in the end has settled nothing', async () => {
    const it_ = bench();
    await it_.make(post, 'applied-and-lost');
    const putting = it_.send(write('new', 'PUT'));
    for (let calls = 0; calls < 2; calls += 1) await it_.step(putting);
    expect(it_.store.all()).toHaveLength(2);
    await it_.stream();
    it_.services.primary.mode = 422;
    await it_.run(putting);
    await it_.settle();
    expect([it_.both(), it_.store.all()]).toEqual([[['K'], ['K']], []]);
  });

  const head = (method: string, path: string, over: Partial<ForwardHead> = {}, query = ''): ForwardHead =>
    ({ status: 'ready', side: 'shadow', request: { method, path, query, headers: {} }, ...over }) as ForwardHead;

  it.each<[string, ForwardHead, ForwardHead, boolean]>([
    ['PUT of the same', head('PATCH', 'users/7'), head('PUT', 'users/7'), true],
    [
      'PUT of the same, with the same query',
      head('PATCH', 'users/7', {}, 'v=1'),
      head('PUT', 'users/7', {}, 'v=1'),
      true,
    ],
    ['PUT with another query', head('PATCH', 'users/7'), head('PUT', 'users/7', {}, 'v=1'), false],
    ['PUT of what lies above', head('PATCH', 'users/7/name'), head('PUT', 'users/7'), false],
    ['DELETE of what lies above', head('PATCH', 'users/7/name'), head('DELETE', 'users/7'), true],
    ['DELETE of what lies below', head('PATCH', 'users/7'), head('DELETE', 'users/7/name'), false],
    ['DELETE of one that begins alike', head('PATCH', 'users/70'), head('DELETE', 'users/7'), false],
    ['DELETE of one that begins alike, below', head('PATCH', 'users/70/name'), head('DELETE', 'users/7'), false],
    ['PUT of one that begins alike', head('PATCH', 'users/70'), head('PUT', 'users/7'), false],
    ['DELETE with a query', head('PATCH', 'users/7'), head('DELETE', 'users/7', {}, 'soft=1'), false],
    ['PATCH of the same', head('PATCH', 'users/7'), head('PATCH', 'users/7'), false],
    ['POST to the same', head('PATCH', 'users/7'), head('POST', 'users/7'), false],
    ['PUT in doubt', head('PATCH', 'users/7'), head('PUT', 'users/7', { status: 'unsettled' }), false],
    ['PUT in quarantine', head('PATCH', 'users/7'), head('PUT', 'users/7', { status: 'quarantined' }), false],
    ['PUT of the other direction', head('PATCH', 'users/7'), head('PUT', 'users/7', { side: 'primary' }), true],
  ])('or does not: %s', (_, earlier, later, does) => {
    expect(isReplaced(earlier, [later])).toBe(does);
    const removes = does && later.request.method === 'DELETE';
    expect(isRemoved(earlier, [later])).toBe(removes);
  });

  it('keeps what begins alike also where both have one order', async () => {
    const it_ = bench({ orderSegments: 1 });
    await it_.make(write('kept', 'PATCH', 'tasks/70'), 'applied-and-lost');
    await it_.make(write('new', 'DELETE', 'tasks/7'));
    await it_.settle();
    expect(it_.quarantined().map(({ idempotencyKey }) => idempotencyKey)).toEqual(['kept']);
  });
});

describe('the times of a forwarded write', () => {
  const state = stateIn('r1', {}, 'service');
  const waits = (over: Partial<ForwardHead>, atMs: number) => {
    const times = { createdAtMs: NOW, claimedUntilMs: 0, nextAttemptAtMs: 0 };
    return nextStep({ side: 'shadow', status: 'ready', ...times, ...over } as ForwardHead, state, true, atMs);
  };

  it('an intent is its maker’s for 35 s, and a write that is claimed or tried again later waits until then', () => {
    const [intended, later] = [{ status: 'intended' } as const, { nextAttemptAtMs: NOW + 9 }];
    expect([34_999, 35_000].map((ms) => waits(intended, NOW + ms))).toEqual(['wait', 'settle']);
    expect([8, 9].map((ms) => waits(later, NOW + ms))).toEqual(['wait', 'send']);
    expect([8, 9].map((ms) => waits({ claimedUntilMs: NOW + 9 }, NOW + ms))).toEqual(['wait', 'send']);
  });

  it('it is tried again after 1, 2, 4 … s, a minute at most: eight times, and as often as needed while its side is away', () => {
    const nextAfter = (attempts: number, outcome: 'away' | 'refused') => {
      const next = afterFailure({ attempts }, outcome, true, NOW);
      return next.kind === 'again' ? next.atMs - NOW : next.code;
    };
    expect([1, 2, 3, 6, 7, 99].map((attempts) => nextAfter(attempts, 'away'))).toEqual([
      1_000, 2_000, 4_000, 32_000, 60_000, 60_000,
    ]);
    expect([7, 8].map((attempts) => nextAfter(attempts, 'refused'))).toEqual([60_000, 'refused']);
  });
});

describe('a write in doubt', () => {
  it('is left alone while its gateway may be at work on it, which is 30 s', async () => {
    const it_ = bench();
    const first = it_.send(post);
    for (let calls = 0; calls < 3; calls += 1) await it_.step(first);
    for (const ms of [0, 10_000, 19_999]) {
      it_.clock.ms += ms;
      await it_.stream();
    }
    expect([it_.services.primary.applied, it_.store.all()]).toMatchObject([[], [{ status: 'intended', attempts: 0 }]]);
    it_.kill(first, false);
    it_.clock.ms += 10_000;
    await it_.stream();
    expect(it_.both()).toEqual([['K'], ['K']]);
  });

  it('that is being made again is not asked about before that has ended', async () => {
    const it_ = bench();
    await it_.make(write('old', 'PUT'), 'lost');
    const again = it_.send(write('new', 'PUT'));
    for (let calls = 0; calls < 3; calls += 1) await it_.step(again);
    await it_.stream();
    expect(it_.services.primary.applied).toEqual([]);
    await it_.run(again);
    await it_.settle();
    expect(it_.both()).toEqual([['new'], ['new']]);
  });

  it.each(['PATCH', 'POST'] as const)('is never repeated as a %s without keys, on neither side', async (method) => {
    const it_ = bench({ keys: false });
    await it_.make(write('a', method, 'tasks/1'), 'applied-and-lost');
    await it_.make(write('b', method, 'tasks/2'));
    it_.services.shadow.mode = 'applied-and-lost';
    await it_.stream();
    await it_.settle();
    expect(it_.both()).toEqual([['a', 'b'], ['b']]);
    expect(it_.quarantined().map(({ problem }) => problem!.code)).toEqual(['outcome_unknown', 'copy_in_doubt']);
  });

  it.each(['PUT', 'DELETE'] as const)('is repeated as a %s without keys, on both', async (method) => {
    const it_ = bench({ keys: false, strict: true });
    for (const { values } of Object.values(it_.services)) values.set('tasks/7', ['old']);
    await it_.make(write('a', method), 'applied-and-lost');
    it_.services.shadow.mode = 'applied-and-lost';
    await it_.stream();
    await it_.settle();
    expect([it_.services.shadow.values, it_.store.all()]).toEqual([it_.services.primary.values, []]);
    expect(it_.services.primary.values.get('tasks/7')).toEqual(method === 'PUT' ? ['a'] : undefined);
  });
});

describe('an intent that is recorded while the state is read', () => {
  it.each([
    ['rolled_back', 'primary', 0],
    ['cleaned', 'shadow', 0],
    ['disabled', 'primary', 0],
    ['completed', 'shadow', 1],
    ['r2', 'primary', 1],
  ] as const)('by flags that are old is that of the state after all, which is %s', async (stage, side, open) => {
    const it_ = bench();
    it_.enter(stage);
    expect(await it_.make(post)).toBe('yes');
    expect(it_.services[side].applied).toEqual(['K']);
    expect(it_.services[otherSide(side)].applied).toEqual([]);
    expect(it_.store.all().map((forward) => forward.side)).toEqual(open ? [otherSide(side)] : []);
  });

  it('is taken back where the state cannot be read, and nothing is sent', async () => {
    const it_ = bench();
    it_.unreadable(true);
    expect(await it_.make(post)).toBe('unknown');
    expect([it_.both(), it_.store.all()]).toEqual([[[], []], []]);
  });

  it('is wanted before anything is sent', async () => {
    const it_ = bench();
    it_.store.unavailable(true);
    expect(await it_.make(post)).toBe('unknown');
    it_.store.unavailable(false);
    expect([it_.both(), it_.store.all()]).toEqual([[[], []], []]);
  });

  it('by one that dies before it is taken back is found out like any other', async () => {
    const it_ = bench();
    it_.enter('completed');
    const first = it_.send(post);
    for (let calls = 0; calls < 2; calls += 1) await it_.step(first);
    it_.kill(first, false);
    expect(it_.store.all()).toMatchObject([{ side: 'shadow', status: 'intended' }]);
    await it_.settle();
    expect([it_.both(), it_.store.all()]).toEqual([[['K'], ['K']], []]);
  });
});

describe('what an answer means to one that was sent before', () => {
  const service = (method: string, attempts: number) => ({ isService: true, method, attempts });
  const component = { ...service('POST', 2), isService: false };

  it.each<[string, CallOutcome, CallOutcome]>([
    ['a DELETE that finds nothing, at last', outcomeOfSending(service('DELETE', 2), 404), 'applied'],
    ['a DELETE that finds nothing, at once', outcomeOfSending(service('DELETE', 1), 404), 'refused'],
    ['a PATCH that finds nothing', outcomeOfSending(service('PATCH', 2), 404), 'refused'],
    ['a DELETE that found nothing, asked about', outcomeOfAsking(service('DELETE', 1), 410), 'applied'],
    ['a conflict, asked about', outcomeOfAsking(service('POST', 1), 409), 'unknown'],
    ['a conflict that stays', outcomeOfAsking(service('POST', MAX_ATTEMPTS), 409), 'refused'],
    ['one that asks who it is', outcomeOfAsking(service('POST', 1), 401), 'unknown'],
    ['one that does not let it in', outcomeOfAsking(service('POST', 1), 403), 'unknown'],
    ['one that says what is wrong', outcomeOfAsking(service('POST', 1), 422), 'refused'],
    ['a component at work on it', outcomeOfAsking(component, 409), 'unknown'],
    ['a component that is nowhere', outcomeOfAsking(component, 404), 'unknown'],
    ['a component that has nothing to delete', outcomeOfSending({ ...component, method: 'DELETE' }, 404), 'unknown'],
  ])('%s', (_, outcome, meant) => expect(outcome).toBe(meant));
});
