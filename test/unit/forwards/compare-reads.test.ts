/** Reads asked of both sides: what counts as a mismatch, what is not fair to count, and what the log may say of it. */

import { describe, expect, it } from 'vitest';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import type { ServiceDeclaration } from '../../../lib/core/cutover/cutover.ts';
import { DEFAULT_GATEWAY, type GatewayRules } from '../../../lib/core/net/upstream.ts';
import { compareRead } from '../../../lib/flows/forwards/compare-reads.ts';
import { serveWakeUps } from '../../../lib/flows/rows/serve-wake-ups.ts';
import { newForward } from '../../helpers/contracts/forwards.ts';
import { forwardPorts, inMemoryForwards } from '../../helpers/fakes/forwards.ts';
import { inMemoryWindows } from '../../helpers/fakes/windows.ts';
import { gatewayBench } from '../../helpers/gateway-bench.ts';
import { declarationOf, NOW } from '../../property/samples.ts';

type Said = { status?: number; json?: unknown; text?: string; type?: string } | 'away';
const READ = { method: 'GET', path: 'users/1', query: '', headers: { cookie: 'secret' }, slice: 3 };

function bench(primary: Said | Said[], shadow: Said | Said[], compare: Partial<GatewayRules['compare']> = {}) {
  const clock = {
    ms: 0,
    now: () => NOW,
    monotonicMs: () => clock.ms,
    sleep: async (ms: number) => {
      clock.ms += ms;
    },
  };
  const windows = inMemoryWindows({ clock });
  const forwardStore = inMemoryForwards({ realNow: () => NOW });
  const logged: string[] = [];
  const declaration: ServiceDeclaration = {
    ...(declarationOf('service', { id: 'chat' }) as ServiceDeclaration),
    upstreams: { primary: 'https://p.test', shadow: 'https://s.test' },
    gateway: { ...DEFAULT_GATEWAY, compare: { ...DEFAULT_GATEWAY.compare, ...compare } },
  };
  const answers = { p: [primary].flat(), s: [shadow].flat() };
  let asked = 0;
  const ports = {
    clock,
    windows,
    ...forwardPorts(forwardStore),
    ids: { next: () => `id-${asked}` },
    log: {
      event: (name: string, fields: object = {}) => void logged.push(`${name} ${JSON.stringify(fields)}`),
      failure: (name: string) => void logged.push(name),
    },
    upstream: async ({ url }: { url: string }) => {
      asked += 1;
      const mine = answers[url.includes('//p.') ? 'p' : 's'];
      const said = mine.length > 1 ? mine.shift()! : mine[0]!;
      if (said === 'away') throw new CrossfadeError('upstream_unavailable', 'gone', { details: { sent: false } });
      const type = said.type ?? (said.json === undefined ? 'text/plain' : 'application/json; charset=utf-8');
      const body = Buffer.from(said.text ?? (said.json === undefined ? '' : JSON.stringify(said.json)));
      return { status: said.status ?? 200, headers: { 'content-type': type }, cookies: [], body };
    },
  };
  const counted = async () => {
    const [window] = await windows.read('chat', NOW / 60_000 - 1, NOW / 60_000 + 1);
    return [window?.checks ?? 0, window?.mismatches ?? 0];
  };
  const pair = async () => {
    const [window] = await windows.read('chat', NOW / 60_000 - 1, NOW / 60_000 + 1);
    return [window?.pairs, window?.onlyShadow, window?.onlyPrimary];
  };
  return {
    ports,
    declaration,
    logged,
    counted,
    slices: async () => (await windows.readParts('chat', 0, NOW)).map(({ slice }) => slice),
    pair,
    forwardStore,
    run: () => compareRead(ports, declaration, READ, 10_000),
  };
}

describe('answers that are larger than what is compared', () => {
  const rows = (last: number) => ({
    json: Array.from({ length: 60_000 }, (_, id) => ({ id: id === 59_999 ? last : 0 })),
  });

  it('are equal where their bytes are, and are no check where those differ', async () => {
    const equal = bench(rows(1), rows(1));
    expect([await equal.run(), await equal.counted()]).toEqual(['equal', [1, 0]]);
    const other = bench(rows(1), rows(2));
    expect([await other.run(), await other.counted()]).toEqual(['skipped', [0, 0]]);
    expect(await other.ports.windows.read('chat', 0, NOW)).toMatchObject([{ incomparable: 1, pairs: 1 }]);
    expect(other.logged).toEqual(['answers_too_large {"cutover":"chat","method":"GET","resource":"users"}']);
  });
});

describe('two answers', () => {
  it.each<[string, Said, Said, Partial<GatewayRules['compare']>]>([
    ['the same JSON in another order of fields', { json: { a: 1, b: [1, 2] } }, { json: { b: [1, 2], a: 1 } }, {}],
    ['a field that may differ', { json: { a: 1, at: 5 } }, { json: { a: 1, at: 6 } }, { ignore: ['at'] }],
    ['the same text', { text: 'x' }, { text: 'x' }, {}],
    ['both say that there is none', { status: 404, json: {} }, { status: 404, json: {} }, {}],
  ])('are equal: %s', async (_, primary, shadow, compare) => {
    const it_ = bench(primary, shadow, compare);
    expect(await it_.run()).toBe('equal');
    expect(await it_.counted()).toEqual([1, 0]);
    expect(await it_.slices()).toEqual([3]);
    expect(it_.logged).toEqual([]);
  });

  it.each<[string, Said, Said, RegExp]>([
    [
      'another value',
      { json: { user: { email: 'ada@example.org' } } },
      { json: { user: { email: 'x' } } },
      /user\.email \(value\)/,
    ],
    ['a missing field', { json: { a: 1, b: 2 } }, { json: { a: 1 } }, /b \(missing\)/],
    ['another status', { json: {} }, { status: 404, json: {} }, /status \(value\)/],
    ['other bytes', { text: 'a' }, { text: 'b' }, /\$ \(value\)/],
    ['JSON that is none', { json: { a: 1 } }, { text: '{', type: 'application/json' }, /\$ \(type\)/],
  ])('differ: %s', async (_, primary, shadow, says) => {
    const it_ = bench(primary, shadow);
    expect(await it_.run()).toBe('different');
    expect(await it_.counted()).toEqual([1, 1]);
    expect(it_.logged).toHaveLength(1);
    expect(it_.logged[0]).toMatch(says);
    // Names of fields, never what is in them.
    expect(it_.logged[0]).not.toMatch(/ada@example|secret/);
  });

  it('are looked at twice before a difference is believed: a write may be between them', async () => {
    const it_ = bench({ json: { a: 2 } }, [{ json: { a: 1 } }, { json: { a: 2 } }]);
    expect(await it_.run()).toBe('equal');
    expect(await it_.counted()).toEqual([1, 0]);
  });

  it.each([401, 403, 404, 410, 429])('count against the shadow when it alone answers %i, twice', async (status) => {
    const none = undefined;
    const pairOf = async (primary: Said, shadow: Said | Said[]) => {
      const it_ = bench(primary, shadow);
      await it_.run();
      return it_.pair();
    };
    expect(await pairOf({ json: {} }, { status })).toEqual([1, 1, none]);
    // Not when the primary gives it, too, or another refusal; nor when the second look finds it there.
    expect(await pairOf({ status }, { status })).toEqual([1, none, none]);
    expect(await pairOf({ status: 400 }, { status })).toEqual([1, none, none]);
    expect(await pairOf({ json: {} }, [{ status }, { json: {} }])).toEqual([1, none, none]);
    expect(await pairOf({ json: {} }, [{ json: { a: 1 } }, { status }])).toEqual([1, 1, none]);
    // What the primary refuses the shadow is not praised for.
    expect(await pairOf({ status }, { json: {} })).toEqual([1, none, none]);
  });

  it('do not count for a status that says what is wrong with the request', async () => {
    for (const status of [301, 400, 405, 409, 422]) {
      const it_ = bench({ json: {} }, { status });
      expect(await it_.run()).toBe('different');
      expect(await it_.pair()).toEqual([1, undefined, undefined]);
    }
  });

  it.each<[string, Said, Said, (number | undefined)[]]>([
    ['neither fails', { json: {} }, { json: {} }, [1, undefined, undefined]],
    ['the shadow is away', { json: {} }, 'away', [1, 1, undefined]],
    ['the shadow fails', { json: {} }, { status: 500 }, [1, 1, undefined]],
    ['the primary fails', { status: 500 }, { json: {} }, [1, undefined, 1]],
    ['both fail', { status: 503 }, { status: 500 }, [1, undefined, undefined]],
  ])('are a pair when %s', async (_, primary, shadow, counted) => {
    const it_ = bench(primary, shadow);
    await it_.run();
    expect(await it_.pair()).toEqual(counted);
  });

  it.each<[string, Said, Said]>([
    ['the shadow is away', { json: {} }, 'away'],
    ['the primary is away', 'away', { json: {} }],
    ['the primary fails', { status: 500 }, { json: {} }],
  ])('are not compared when %s', async (_, primary, shadow) => {
    const it_ = bench(primary, shadow);
    expect(await it_.run()).toBe('skipped');
    expect(await it_.counted()).toEqual([0, 0]);
  });

  it('are not compared while writes of that resource are on their way, nor without time', async () => {
    const it_ = bench({ json: { a: 2 } }, { json: { a: 1 } });
    await it_.forwardStore.intents.intend(newForward({ n: 1, orderKey: 'users/1' }));
    expect(await it_.run()).toBe('skipped');
    expect(await compareRead(it_.ports, it_.declaration, READ, 100)).toBe('skipped');
    expect(await it_.counted()).toEqual([0, 0]);
  });
});

describe('the writer', () => {
  const record = (n: number) => ({ sequenceNumber: String(n), cutover: 'chat', read: READ });

  it('compares at most ten reads of a batch, and fails for none of them', async () => {
    let asked = 0;
    const it_ = bench({ json: 1 }, { json: 1 });
    const upstream = async () => {
      asked += 1;
      throw new Error('surprise');
    };
    const batch = Array.from({ length: 25 }, (_, n) => record(n));
    const served = await serveWakeUps(it_.ports as never, [it_.declaration], batch, {
      deadlineMs: 60_000,
      upstream: async () => upstream as never,
    });
    expect(served).toEqual({ served: 25, malformed: 0, firstFailure: null });
    expect(asked).toBe(20);
  });
});

describe('the gateway', () => {
  it('leaves reads for comparison at the rate that was declared, and the caller hears nothing of it', async () => {
    const made = await gatewayBench({
      stage: 'r1',
      gateway: { compare: { sampleRate: 0.5, ignore: [], timeoutMs: 1_000 } },
    });
    for (let i = 0; i < 100; i += 1) await made.call({});
    const noted = made.wakeUps.reads();
    expect(noted.length).toBeGreaterThan(25);
    expect(noted.length).toBeLessThan(75);
    expect(Object.keys(noted[0]!.read.headers)).not.toContain('authorization');
    made.wakeUps.unavailable(true);
    expect((await made.call({})).status).toBe(200);
    await made.enter('disabled');
    made.wakeUps.unavailable(false);
    const before = made.wakeUps.reads().length;
    for (let i = 0; i < 20; i += 1) await made.call({});
    await made.call({ method: 'POST', body: {} });
    expect(made.wakeUps.reads()).toHaveLength(before);
    await made.close();
  });

  it('leaves none while writes to the shadow are off, where both would differ for that alone', async () => {
    const made = await gatewayBench({
      stage: 'r1',
      gateway: { compare: { sampleRate: 1, ignore: [], timeoutMs: 1_000 } },
      state: { switches: { shadowReads: false, shadowWrites: false, sinceMs: 1 } },
    });
    for (let i = 0; i < 20; i += 1) await made.call({});
    expect(made.wakeUps.reads()).toEqual([]);
    await made.close();
  });
});
