/**
 * Writes to both sides of a service: nothing that was acknowledged is lost, whoever dies wherever; nothing is sent twice
 * that may not be; one resource's writes keep their order; and when the sides change their roles, so does the direction.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import {
  type CutoverDeclaration,
  type CutoverState,
  initialState,
  type ServiceDeclaration,
  type Side,
} from '../../../lib/core/cutover/cutover.ts';
import { INTENT_LIFE_MS, MAX_ATTEMPTS, outcomeOfHandler, outcomeOfStatus } from '../../../lib/core/forwards/forward.ts';
import { forwardsCondition } from '../../../lib/core/holds/forwards.ts';
import { DEFAULT_GATEWAY } from '../../../lib/core/net/upstream.ts';
import { applyForwards, forwardsAreDue } from '../../../lib/flows/forwards/apply-forwards.ts';
import { actOnForwards, listForwards } from '../../../lib/flows/forwards/forward-controls.ts';
import { outcomeBuffer } from '../../../lib/flows/forwards/outcome-buffer.ts';
import { proxyWrite, type WritePorts, type Written } from '../../../lib/flows/forwards/write-both.ts';
import { relay } from '../../../lib/flows/rows/relay.ts';
import type { UpstreamResponse } from '../../../lib/ports/upstream.ts';
import { forwardPorts, inMemoryForwards } from '../../helpers/fakes/forwards.ts';
import { inMemoryWindows } from '../../helpers/fakes/windows.ts';
import { passingClock } from '../../helpers/passing-clock.ts';
import { declarationOf, type StageName, stateIn, systemOf } from '../../property/samples.ts';

type Server = {
  /** What it did, in order: method, path and body. */
  applied: string[];
  /** `ok`, a status, or what happens to the connection: before or after the write was applied. */
  mode: 'ok' | number | 'refuses' | 'lost' | 'applied-and-lost';
  /** Answers a repeated key as it did the first time, and applies nothing. */
  remembers: Map<string, number> | null;
  keys: string[];
};

const server = (remembers: boolean): Server => ({
  applied: [],
  mode: 'ok',
  remembers: remembers ? new Map() : null,
  keys: [],
});

const text = (body: Uint8Array | null) => Buffer.from(body ?? []).toString();

function bench(options: { stage?: StageName; idempotencyKeys?: boolean } = {}) {
  const declaration: ServiceDeclaration = {
    ...(declarationOf('service', { id: 'chat' }) as ServiceDeclaration),
    upstreams: { primary: 'https://primary.test', shadow: 'https://shadow.test' },
    gateway: { ...DEFAULT_GATEWAY, idempotencyKeys: options.idempotencyKeys ?? true },
  };
  const servers: Record<Side, Server> = {
    primary: server(options.idempotencyKeys ?? true),
    shadow: server(options.idempotencyKeys ?? true),
  };
  const clock = passingClock();
  const forwardStore = inMemoryForwards({ realNow: clock.now });
  let state: CutoverState = stateIn(options.stage ?? 'r1', { id: 'chat', kind: 'service' });
  let system = systemOf();
  let ids = 0;
  const events: string[] = [];

  function serve(side: Side, key: string, line: string): UpstreamResponse {
    const it = servers[side];
    const answer = (status: number) => ({ status, headers: {}, cookies: [], body: Buffer.from(side) });
    const fail = (sent: boolean) => new CrossfadeError('upstream_unavailable', 'gone', { details: { sent } });
    if (it.mode === 'refuses') throw fail(false);
    it.keys.push(key);
    if (it.mode === 'lost') throw fail(true);
    const known = it.remembers?.get(key);
    if (known !== undefined) return answer(known);
    if (typeof it.mode === 'number') return answer(it.mode);
    it.applied.push(line);
    it.remembers?.set(key, 201);
    if (it.mode === 'applied-and-lost') throw fail(true);
    return answer(201);
  }

  const ports: WritePorts = {
    clock,
    ids: { next: () => `id-${++ids}` },
    log: { event: (name) => void events.push(name), failure: (name) => void events.push(name) },
    ...forwardPorts(forwardStore),
    outcomes: outcomeBuffer(
      { clock, ids: { next: () => 'source' }, windows: inMemoryWindows({ clock }), log: { event() {}, failure() {} } },
      1_000,
    ),
    // Each write is one of another instance.
    get known() {
      return new Map();
    },
    state: { readCutover: async () => state, readSystem: async () => system } as unknown as WritePorts['state'],
    upstream: async (target, { method, path, headers, body }) =>
      serve(
        target.url.includes('primary') ? 'primary' : 'shadow',
        headers['idempotency-key']!,
        `${method} ${path} ${text(body)}`,
      ),
    deliver: async (_declaration, side, forward) => {
      try {
        return serve(
          side,
          forward.idempotencyKey,
          `${forward.request.method} ${forward.request.path} ${text(forward.body)}`,
        ).status;
      } catch (error) {
        if (!(error instanceof CrossfadeError)) throw error;
        return error.details.sent === false ? 'away' : 'unknown';
      }
    },
  };
  const request = (n: number | string, over: object = {}) => ({
    method: 'POST',
    mount: '/gateway/chat/',
    path: 'conversations/7/messages',
    query: '',
    headers: { 'x-correlation-id': 'visit', 'x-crossfade-authorization': 'Bearer secret' },
    body: Buffer.from(typeof n === 'number' ? `m${n}` : n),
    deadlineMs: clock.ms + 20_000,
    ...over,
  });
  return {
    declaration,
    servers,
    clock,
    forwardStore,
    ports,
    events,
    enter: (stage: StageName, overrides: Partial<CutoverState> = {}) => {
      state = stateIn(stage, { id: 'chat', kind: 'service', epoch: state.epoch + 1, ...overrides });
    },
    system: (over: Parameters<typeof systemOf>[0]) => {
      system = systemOf(over);
    },
    never: () => {
      state = initialState(declaration);
    },
    write: (n: number | string, over: object = {}, through: WritePorts = ports): Promise<Written> =>
      proxyWrite(through, declaration, { side: 'primary', reason: 'write', stage: 'r1' }, request(n, over)),
    apply: (through: WritePorts = ports) => applyForwards(through, declaration, clock.ms + 20_000),
    /** As the relay does it: again and again, until nothing is due or it has been long enough. */
    async settle(maxMs = 900_000) {
      const untilMs = clock.ms + maxMs;
      while (clock.ms < untilMs && forwardStore.all().some(({ status }) => status !== 'quarantined')) {
        if (await forwardsAreDue(ports, declaration)) await applyForwards(ports, declaration, clock.ms + 20_000);
        clock.ms += 1_000;
      }
    },
  };
}

describe('a write', () => {
  it('goes to the authoritative side, and is forwarded to the other, with one key and without the token', async () => {
    const it_ = bench();
    const { status, side, reason, forward } = await it_.write(1);
    expect({ status, side, reason, forward }).toEqual({
      status: 201,
      side: 'primary',
      reason: 'write',
      forward: 'recorded',
    });
    expect(it_.servers.shadow.applied).toEqual([]);
    expect(Object.keys(it_.forwardStore.all()[0]!.request.headers)).toEqual(['x-correlation-id']);
    expect(await it_.apply()).toMatchObject({ applied: 1 });
    expect(it_.servers.shadow.applied).toEqual(it_.servers.primary.applied);
    expect(it_.servers.shadow.keys).toEqual(it_.servers.primary.keys);
    expect(it_.forwardStore.all()).toEqual([]);
  });

  it('keeps the key its caller gave it, and two writes of one visit have two keys', async () => {
    const it_ = bench();
    await it_.write(1, { headers: { 'idempotency-key': 'mine' } });
    await it_.write(2);
    await it_.write(3);
    expect(it_.servers.primary.keys[0]).toBe('mine');
    expect(new Set(it_.servers.primary.keys).size).toBe(3);
  });

  it.each(['dual_write', 'r1', 'r2', 'full_100', 'completed'] as const)('is forwarded in stage %s', async (stage) => {
    const it_ = bench({ stage });
    const { side } = await it_.write(1);
    expect(side).toBe(stage === 'completed' ? 'shadow' : 'primary');
    await it_.apply();
    expect([it_.servers.primary.applied, it_.servers.shadow.applied]).toEqual([
      ['POST conversations/7/messages m1'],
      ['POST conversations/7/messages m1'],
    ]);
  });

  it.each(['disabled', 'rolled_back', 'cleaned'] as const)('is not forwarded in stage %s', async (stage) => {
    const it_ = bench({ stage });
    expect((await it_.write(1)).forward).toBe('none');
    expect(it_.forwardStore.all()).toEqual([]);
  });

  it('that was refused leaves nothing to forward', async () => {
    const it_ = bench();
    for (const mode of [400, 409, 422, 'refuses'] as const) {
      it_.servers.primary.mode = mode;
      await it_.write(1).catch(() => undefined);
      expect(it_.forwardStore.all()).toEqual([]);
    }
  });

  it('is refused before anything is sent when its intent cannot be recorded', async () => {
    const it_ = bench();
    it_.forwardStore.unavailable(true);
    await expect(it_.write(1)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(it_.servers.primary.keys).toEqual([]);
  });

  it('goes on by the flags when the state cannot be read and nothing is being forwarded', async () => {
    const it_ = bench();
    const down = { ...it_.ports, state: { readCutover: async () => Promise.reject(new Error('down')) } as never };
    const write = (stage: string) =>
      proxyWrite(
        down,
        it_.declaration,
        { side: 'primary', reason: 'write', stage },
        {
          method: 'POST',
          mount: '/',
          path: 'x',
          query: '',
          headers: {},
          body: null,
          deadlineMs: 20_000,
        },
      );
    expect((await write('disabled')).status).toBe(201);
    await expect(write('r1')).rejects.toThrow('down');
  });

  it('is answered although what became of it cannot be noted; the intent is found out later', async () => {
    const it_ = bench();
    const deaf = {
      ...it_.ports,
      intents: { ...it_.forwardStore.intents, settle: async () => Promise.reject(new Error('away')) },
    };
    expect(await it_.write(1, {}, deaf)).toMatchObject({ status: 201, forward: 'unsettled' });
    await it_.settle();
    expect(it_.servers.shadow.applied).toEqual(it_.servers.primary.applied);
    expect(it_.servers.primary.applied).toHaveLength(1);
  });
});

describe('an outcome that nobody knows', () => {
  it.each([
    ['applied, and the answer lost', 'applied-and-lost', 1],
    ['lost before it was applied', 'lost', 1],
  ] as const)('%s: is asked again with the same key, and then forwarded', async (_, mode, times) => {
    const it_ = bench();
    it_.servers.primary.mode = mode;
    await expect(it_.write(1)).rejects.toMatchObject({ code: 'upstream_unavailable' });
    it_.servers.primary.mode = 'ok';
    await it_.settle();
    expect(it_.servers.primary.applied).toHaveLength(times);
    expect(it_.servers.shadow.applied).toEqual(it_.servers.primary.applied);
  });

  it('is shown to a person when the upstream does not know its keys: a POST is never repeated', async () => {
    const it_ = bench({ idempotencyKeys: false });
    it_.servers.primary.mode = 'applied-and-lost';
    await it_.write(1).catch(() => undefined);
    it_.servers.primary.mode = 'ok';
    await it_.settle();
    expect(it_.servers.primary.keys).toHaveLength(1);
    const { forwards, quarantined } = await listForwards(it_.ports, 'chat');
    expect([quarantined, forwards[0]!.problem!.code]).toEqual([1, 'outcome_unknown']);
    // It is there: the other side gets it.
    expect(
      await actOnForwards(it_.ports, 'chat', { action: 'retry', which: { id: forwards[0]!.id }, actor: 'ada' }),
    ).toEqual({ changed: 1 });
    await it_.settle();
    expect(it_.servers.shadow.applied).toEqual(it_.servers.primary.applied);
  });

  it('of a write that has a later one behind it is not repeated either: it could undo that one', async () => {
    const it_ = bench();
    it_.servers.primary.mode = 'lost';
    await it_.write('old', { method: 'PATCH', path: 'users/1' }).catch(() => undefined);
    it_.servers.primary.mode = 'ok';
    await it_.write('new', { method: 'PATCH', path: 'users/1' });
    await it_.settle(60_000);
    expect(it_.servers.primary.applied).toEqual(['PATCH users/1 new']);
    const [stuck] = (await listForwards(it_.ports, 'chat')).forwards;
    expect(stuck!.problem!.code).toBe('outcome_unknown');
    await actOnForwards(it_.ports, 'chat', { action: 'discard', which: { id: stuck!.id }, actor: 'ada' });
    await it_.settle();
    expect(it_.servers.shadow.applied).toEqual(['PATCH users/1 new']);
  });
});

describe('a forwarded write', () => {
  it('is tried again while its side is away, however long, with pauses that grow', async () => {
    const it_ = bench();
    it_.servers.shadow.mode = 'refuses';
    await it_.write(1);
    await it_.settle(600_000);
    expect(it_.forwardStore.all()).toMatchObject([{ status: 'ready' }]);
    expect(it_.forwardStore.all()[0]!.attempts).toBeGreaterThan(8);
    expect(it_.forwardStore.all()[0]!.attempts).toBeLessThan(30);
    it_.servers.shadow.mode = 'ok';
    await it_.settle();
    expect(it_.servers.shadow.applied).toHaveLength(1);
  });

  it('that is refused goes to a person after some tries', async () => {
    const it_ = bench();
    it_.servers.shadow.mode = 422;
    await it_.write(1);
    await it_.settle();
    expect(it_.servers.shadow.keys).toHaveLength(MAX_ATTEMPTS);
    const { forwards } = await listForwards(it_.ports, 'chat');
    expect(forwards).toMatchObject([
      { status: 'quarantined', problem: { code: 'refused', text: expect.stringContaining('422') } },
    ]);
  });

  it('that may have been applied is repeated with a key the side knows, and not without one', async () => {
    for (const idempotencyKeys of [true, false]) {
      const it_ = bench({ idempotencyKeys });
      it_.servers.shadow.mode = 'applied-and-lost';
      await it_.write(1);
      await it_.settle(30_000);
      it_.servers.shadow.mode = 'ok';
      await it_.settle(300_000);
      expect(it_.servers.shadow.applied).toHaveLength(1);
      expect((await it_.forwardStore.forwards.summary('chat')).quarantined).toBe(idempotencyKeys ? 0 : 1);
    }
  });

  it('keeps the order of its resource, and delays no other one', async () => {
    const it_ = bench();
    const put = (n: number, path: string) => it_.write(n, { method: 'PUT', path });
    it_.servers.shadow.mode = 422;
    await put(1, 'users/1');
    it_.clock.ms += 1;
    await it_.apply();
    it_.servers.shadow.mode = 'ok';
    for (const [n, path] of [
      [2, 'users/1'],
      [3, 'users/2'],
      [4, 'users/1/name'],
      [5, 'users/2'],
    ] as const) {
      await put(n, path);
      it_.clock.ms += 1;
    }
    await it_.apply();
    expect(it_.servers.shadow.applied).toEqual(['PUT users/2 m3', 'PUT users/2 m5']);
    await it_.settle();
    expect(it_.servers.shadow.applied.slice(2)).toEqual(['PUT users/1 m1', 'PUT users/1 m2', 'PUT users/1/name m4']);
  });

  it('waits while shadow writes are switched off, and is dropped when its side is given up', async () => {
    const it_ = bench();
    await it_.write(1);
    it_.system({ shadowWritesEnabled: false });
    expect(await it_.apply()).toMatchObject({ applied: 0, dropped: 0 });
    it_.enter('rolled_back');
    expect(await it_.apply()).toMatchObject({ dropped: 1 });
    expect([it_.servers.shadow.applied, it_.forwardStore.all()]).toEqual([[], []]);
  });

  it('waits while the writes of its cutover are off, and everything comes in its order when they are on again', async () => {
    const it_ = bench();
    it_.enter('r1', { switches: { shadowReads: false, shadowWrites: false, sinceMs: 1 } });
    for (const n of [1, 2, 3]) await it_.write(n);
    expect(await it_.apply()).toMatchObject({ applied: 0, dropped: 0 });
    expect([it_.servers.shadow.applied, it_.forwardStore.all().length]).toEqual([[], 3]);
    it_.enter('r1');
    await it_.settle();
    expect(it_.servers.shadow.applied).toEqual(it_.servers.primary.applied);
    expect(it_.forwardStore.all()).toEqual([]);
  });

  it('holds the stage while it waits for too long, and in quarantine', async () => {
    const it_ = bench();
    const judged = async () =>
      forwardsCondition('chat', await it_.forwardStore.forwards.summary('chat'), { lagAdvanceMs: 30_000 });
    expect((await judged()).ok).toBe(true);
    it_.servers.shadow.mode = 'refuses';
    await it_.write(1);
    expect(await judged()).toMatchObject({ ok: true });
    it_.clock.ms += 30_001;
    expect(await judged()).toMatchObject({ code: 'copies', ok: false, seen: 30_001, limit: 30_000 });
    it_.servers.shadow.mode = 422;
    await it_.settle();
    expect(await judged()).toMatchObject({ ok: false, seen: 1, limit: 0 });
    expect(forwardsCondition('chat', null, { lagAdvanceMs: 30_000 })).toMatchObject({ ok: false, seen: null });
  });

  it('can be acted on only in quarantine, and once', async () => {
    const it_ = bench();
    await it_.write(1);
    const { id } = it_.forwardStore.all()[0]!;
    await expect(
      actOnForwards(it_.ports, 'chat', { action: 'discard', which: { id }, actor: 'ada' }),
    ).rejects.toMatchObject({ code: 'conflict' });
    await expect(
      actOnForwards(it_.ports, 'chat', { action: 'retry', which: { id: 'nonsense' }, actor: 'ada' }),
    ).rejects.toMatchObject({
      code: 'not_found',
    });
    it_.servers.shadow.mode = 422;
    await it_.settle();
    expect(await actOnForwards(it_.ports, 'chat', { action: 'discard', which: { all: true }, actor: 'ada' })).toEqual({
      changed: 1,
    });
    expect(await actOnForwards(it_.ports, 'chat', { action: 'discard', which: { all: true }, actor: 'ada' })).toEqual({
      changed: 0,
    });
  });
});

describe('when the sides change their roles', () => {
  it('a write waits for the earlier ones of its resource, so that none of them undoes it', async () => {
    const it_ = bench({ stage: 'full_100' });
    await it_.write('old', { method: 'PUT', path: 'users/1' });
    it_.enter('completed');
    it_.clock.ms += 5;
    expect((await it_.write('new', { method: 'PUT', path: 'users/1' })).side).toBe('shadow');
    expect(it_.servers.shadow.applied).toEqual(['PUT users/1 old', 'PUT users/1 new']);
    await it_.settle();
    expect(it_.servers.primary.applied).toEqual(['PUT users/1 old', 'PUT users/1 new']);
  });

  it('and is refused, with nothing written, while they cannot be brought there', async () => {
    const it_ = bench({ stage: 'full_100' });
    await it_.write('old', { method: 'PUT', path: 'users/1' });
    it_.enter('completed');
    it_.servers.shadow.mode = 'refuses';
    await expect(it_.write('new', { method: 'PUT', path: 'users/1' })).rejects.toMatchObject({
      code: 'copy_pending',
      retryable: true,
    });
    it_.servers.shadow.mode = 'ok';
    expect((await it_.write('other', { method: 'PUT', path: 'users/2' })).status).toBe(201);
    expect(it_.servers.shadow.applied).toEqual(['PUT users/2 other']);
  });

  it('back again: what only the shadow has still reaches the primary after a rollback', async () => {
    const it_ = bench({ stage: 'completed' });
    await it_.write(1);
    it_.enter('rolled_back');
    await it_.settle();
    expect(it_.servers.primary.applied).toEqual(it_.servers.shadow.applied);
  });
});

// --------------------------------------------------------------------------------------------------------- I6, I1

/** Throws instead of, or right after, the nth call of a port; nothing it does afterwards has an effect. */
class Died extends Error {}

function mortal(ports: WritePorts, diesAt: number, effect: 'before' | 'after'): WritePorts & { calls(): number } {
  let calls = 0;
  const dying =
    (call: (...args: never[]) => Promise<unknown>) =>
    async (...args: never[]) => {
      calls += 1;
      const mine = calls;
      if (mine > diesAt || (mine === diesAt && effect === 'before')) throw new Died();
      const result = await call(...args);
      if (mine === diesAt) throw new Died();
      return result;
    };
  const all = <T extends object>(port: T): T =>
    Object.fromEntries(Object.entries(port).map(([name, call]) => [name, dying(call)])) as T;
  return {
    ...ports,
    intents: all(ports.intents),
    forwards: all(ports.forwards),
    attempts: all(ports.attempts),
    state: all(ports.state),
    upstream: dying(ports.upstream as never) as never,
    deliver: dying(ports.deliver as never) as never,
    calls: () => calls,
  };
}

describe('I6 a process that dies at any await', () => {
  /** Writes, then applies, dying once; then others go on. What was acknowledged, and what both servers have. */
  async function live(diesAt: number, effect: 'before' | 'after', stage: StageName) {
    const it_ = bench({ stage });
    const ports = mortal(it_.ports, diesAt, effect);
    const acknowledged: string[] = [];
    for (let n = 1; n <= 2; n += 1) {
      const done = await it_.write(n, { path: `users/${n}` }, ports).catch(() => null);
      if (done && done.status < 300) acknowledged.push(`POST users/${n} m${n}`);
      it_.clock.ms += 1;
    }
    await it_.apply(ports).catch(() => null);
    it_.clock.ms += INTENT_LIFE_MS;
    await it_.settle();
    return { it_, acknowledged, calls: ports.calls() };
  }

  it.each(['r1', 'completed'] as const)('loses nothing and doubles nothing, in stage %s', async (stage) => {
    const { calls } = await live(Number.POSITIVE_INFINITY, 'before', stage);
    expect(calls).toBeGreaterThan(15);
    for (const effect of ['before', 'after'] as const) {
      for (let diesAt = 1; diesAt <= calls; diesAt += 1) {
        const { it_, acknowledged } = await live(diesAt, effect, stage);
        const { primary, shadow } = it_.servers;
        const where = `died ${effect} call ${diesAt}`;
        expect([where, it_.forwardStore.all()]).toEqual([where, []]);
        for (const line of acknowledged) expect([where, primary.applied.includes(line)]).toEqual([where, true]);
        expect([where, [...primary.applied].sort()]).toEqual([where, [...shadow.applied].sort()]);
        expect([where, new Set(primary.applied).size]).toEqual([where, primary.applied.length]);
      }
    }
  });

  it('negative control: a forwarded write that is made only after the answer is lost with its process', async () => {
    const it_ = bench();
    const late = {
      ...it_.forwardStore.intents,
      intend: async ({ id, side }: Parameters<typeof it_.forwardStore.intents.intend>[0]) =>
        ({ kind: 'recorded', id, side }) as const,
      settle: async (...[cutover, id]: Parameters<typeof it_.forwardStore.intents.settle>) => {
        await it_.forwardStore.intents.settle(cutover, id, 'ready');
        throw new Died();
      },
    };
    expect((await it_.write(1, {}, { ...it_.ports, intents: late })).status).toBe(201);
    await it_.settle();
    expect([it_.servers.primary.applied.length, it_.servers.shadow.applied.length]).toEqual([1, 0]);
  });
});

describe('I5 any order, doubling and interleaving of what wakes the writer', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('write' as const), user: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ do: fc.constant('apply' as const), twice: fc.boolean() }),
    fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 40_000 }) }),
    fc.record({
      do: fc.constant('mode' as const),
      mode: fc.constantFrom('ok', 503, 500, 'refuses', 'lost', 'applied-and-lost'),
    }),
  );

  it('ends with both sides equal, in order, without a doubled write', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const it_ = bench();
        let n = 0;
        for (const one of steps) {
          it_.clock.ms += 1;
          if (one.do === 'write') await it_.write(++n, { method: 'PUT', path: `users/${one.user}` });
          else if (one.do === 'apply') await Promise.all([it_.apply(), ...(one.twice ? [it_.apply()] : [])]);
          else if (one.do === 'wait') it_.clock.ms += one.ms;
          else it_.servers.shadow.mode = one.mode as Server['mode'];
        }
        it_.servers.shadow.mode = 'ok';
        await it_.settle();
        // Too many 500s bring one to a person, who lets it go on.
        await actOnForwards(it_.ports, 'chat', { action: 'retry', which: { all: true }, actor: 'ada' });
        await it_.settle();
        const of = (side: Side, user: number) =>
          it_.servers[side].applied.filter((line) => line.includes(`users/${user} `));
        for (const user of [1, 2, 3]) expect(of('shadow', user)).toEqual(of('primary', user));
      }),
      { numRuns: 150 },
    );
  });
});

describe('what the address of a component answers', () => {
  it.each([
    [200, 'applied'],
    [204, 'applied'],
    [422, 'refused'],
    [400, 'refused'],
    [429, 'away'],
    [503, 'away'],
    [500, 'unknown'],
    [301, 'unknown'],
    [308, 'unknown'],
    [401, 'unknown'],
    [404, 'unknown'],
    [405, 'unknown'],
  ])('%i means %s', (status, outcome) => expect(outcomeOfHandler(status)).toBe(outcome));

  it('is never taken for more than what a service says with it', () => {
    for (let status = 200; status < 600; status += 1)
      expect(['unknown', outcomeOfStatus(status)]).toContain(outcomeOfHandler(status));
  });
});

describe('a forwarded write that is refused', () => {
  const refusing = async (writes: readonly (readonly [method: string, path: string, query?: string])[]) => {
    const it_ = bench();
    for (const [method, path, query = ''] of writes) await it_.write(1, { method, path, query, body: null });
    it_.servers.shadow.mode = 404;
    await it_.apply();
    it_.servers.shadow.mode = 'ok';
    return it_;
  };

  it('is given up when the resource is deleted behind it, which then arrives', async () => {
    const it_ = await refusing([
      ['POST', 'conversations/7/messages'],
      ['PATCH', 'conversations/7'],
      ['DELETE', 'conversations/7'],
    ]);
    expect(it_.forwardStore.all().map(({ request }) => request.method)).toEqual(['DELETE']);
    expect(it_.events).toContain('forward_superseded');
    await it_.settle();
    expect(it_.servers.shadow.applied).toEqual(['DELETE conversations/7 ']);
  });

  it.each([
    ['nothing is deleted', ['PUT', 'conversations/7']],
    ['a part of it is deleted', ['DELETE', 'conversations/7/messages']],
    ['another with a longer name is deleted', ['DELETE', 'conversations/70']],
    ['what is deleted depends on a query', ['DELETE', 'conversations/7', 'soft=true']],
  ] as const)('is kept when %s', async (_, then) => {
    const it_ = await refusing([['PATCH', 'conversations/7'], then]);
    expect(it_.forwardStore.all().map(({ request }) => request.method)).toContain('PATCH');
  });

  it('is kept when nobody knows yet whether the first side has deleted it', async () => {
    const it_ = bench();
    await it_.write(1, { method: 'PATCH', path: 'conversations/7' });
    it_.servers.primary.mode = 500;
    await it_.write(1, { method: 'DELETE', path: 'conversations/7' });
    it_.servers.shadow.mode = 404;
    await it_.apply();
    expect(it_.forwardStore.all().map(({ request }) => request.method)).toEqual(['PATCH', 'DELETE']);
  });
});

describe('the relay', () => {
  const table = declarationOf('table', { id: 'customer' });
  const away = { waiting: () => Promise.reject(new Error('the database is away')) };
  const relayed = async (declared: readonly CutoverDeclaration[], over: object) => {
    const it_ = bench();
    await it_.write(1);
    const woken: string[] = [];
    const ports = {
      ...it_.ports,
      state: { ...it_.ports.state, readAll: async () => [stateIn('r1', { id: 'customer' })] },
      wakeUps: { wake: async (id: string) => void woken.push(id) },
      converging: away,
      ...over,
    };
    const done = relay(ports as never, 0, [it_.declaration, ...declared]).catch((error: Error) => error.message);
    return { woken, result: await done };
  };

  it('wakes for forwarded writes when no table is declared and there is no database', async () => {
    expect(await relayed([], {})).toEqual({ woken: ['chat'], result: { rounds: 1, wakeUps: 1 } });
  });

  it('wakes for forwarded writes although the database is away, and says so at the end', async () => {
    expect(await relayed([table], {})).toEqual({ woken: ['chat'], result: 'the database is away' });
  });

  it('wakes for hints and forwarded writes when all is well', async () => {
    const converging = { waiting: async () => [{ id: 'customer', hints: 1, lagMs: 0 }] };
    expect(await relayed([table], { converging })).toEqual({
      woken: ['chat', 'customer'],
      result: { rounds: 1, wakeUps: 2 },
    });
  });
});
