/** Answers that hold more than values: what is compared of them, what the caller still gets, and that nothing stays open. */

import { createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Comparison, CutoverRun } from '../../../lib/client/cutover-run.ts';
import { bench, PRIMARY, READ, SHADOW } from '../../helpers/cutover-client.ts';
import { sourceMutant } from '../../helpers/source-mutant.ts';

const LIMITS = { comparisons: { perSecond: 1e6, concurrency: 1e6, threadShare: 1 } };

async function comparing<T>(run: Partial<CutoverRun<T>> & Pick<CutoverRun<T>, 'primary' | 'shadow'>, flag = PRIMARY) {
  const { client } = await bench(flag, LIMITS);
  const answer = await client.runCutover<T>({ ...READ, ...run });
  await client.flush({ comparisonsMs: 5_000 });
  return { answer, client, report: client.comparisons('planner')! };
}

async function verdict<T>(primary: () => T, shadow: () => T, compare: true | Comparison<T> = true) {
  const { report } = await comparing<T>({ primary, shadow, compare });
  const { compared, mismatched, incomparable } = report;
  expect(compared + incomparable).toBe(1);
  return incomparable > 0 ? 'incomparable' : mismatched > 0 ? 'different' : 'equal';
}

const JSON_TYPE = { headers: { 'content-type': 'application/json' } };
const json =
  (body: unknown, init: ResponseInit = {}) =>
  () =>
    Response.json(body, init);
const text =
  (body: string, init: ResponseInit = {}) =>
  () =>
    new Response(body, init);
const form = (value: string) => () => {
  const made = new FormData();
  made.append('a', new Blob([value]), 'a.txt');
  return made;
};
const read = (answer: () => Response) => () => {
  const made = answer();
  void made.text();
  return made;
};
const large = (last: string) => text('x'.repeat(1_000_000) + last);
const location = (to: string) => () => Response.redirect(`https://example.com/${to}`, 302);

describe('what is compared of', () => {
  it.each<[string, () => unknown, () => unknown, string]>([
    ['JSON', json({ a: 1, b: 2 }), text('{"b":2, "a":1}', JSON_TYPE), 'equal'],
    ['JSON that differs', json({ a: 1 }), json({ a: 2 }), 'different'],
    [
      'JSON with ids of 64 bits',
      text('{"id":9007199254740993}', JSON_TYPE),
      text('{"id":9007199254740992}', JSON_TYPE),
      'different',
    ],
    ['JSON that is none', text('{', JSON_TYPE), text('[', JSON_TYPE), 'different'],
    ['text', text('a'), text('a'), 'equal'],
    ['text that differs', text('a'), text('b'), 'different'],
    ['a status', json({}), json({}, { status: 201 }), 'different'],
    ['a content type', text('a'), text('a', { headers: { 'content-type': 'text/html' } }), 'different'],
    ['other headers', text('a'), text('a', { headers: { date: 'now' } }), 'equal'],
    ['a place', location('a'), location('b'), 'different'],
    ['an empty body', () => new Response(null), () => new Response(null), 'equal'],
    ['no body and some', () => new Response(null), text('a'), 'different'],
    ['a body of a form', () => new Response(form('a')()), () => new Response(form('a')()), 'equal'],
    ['a body of another form', () => new Response(form('a')()), () => new Response(form('b')()), 'different'],
    ['a body that was read', read(text('a')), read(text('a')), 'incomparable'],
    ['a body that is too large', large('a'), large('a'), 'incomparable'],
    [
      'requests',
      () => new Request('http://a/', { method: 'PUT' }),
      () => new Request('http://a/', { method: 'PUT' }),
      'equal',
    ],
    ['other requests', () => new Request('http://a/', { method: 'PUT' }), () => new Request('http://a/'), 'different'],
    ['files', () => new File(['a'], 'f'), () => new File(['a'], 'f'), 'equal'],
    ['other files', () => new File(['a'], 'f'), () => new File(['b'], 'f'), 'different'],
    ['forms', form('a'), form('a'), 'equal'],
    ['other forms', form('a'), form('b'), 'different'],
    ['streams', () => Readable.from(['a']), () => Readable.from(['a']), 'incomparable'],
  ])('%s', async (_, primary, shadow, expected) => expect(await verdict(primary, shadow)).toBe(expected));

  it('an answer is what `as` makes of it, also later', async () => {
    const money = (amount: number) => () =>
      new (class Money {
        readonly #amount = amount;
        amount = () => this.#amount;
      })();
    type Money = ReturnType<ReturnType<typeof money>>;
    const as = async (one: Money) => one.amount();
    expect(await verdict(money(1), money(1))).toBe('incomparable');
    expect(await verdict(money(1), money(1), { as })).toBe('equal');
    expect(await verdict(money(1), money(2), { as })).toBe('different');
    const throwing = () => Promise.reject(new Error('no'));
    expect(await verdict(money(1), money(2), { as: throwing })).toBe('incomparable');
    expect(await verdict(text('a'), text('b'), { as: (one) => one.status })).toBe('equal');
  });

  it('a promise of `equals` is waited for', async () => {
    const equals = (same: boolean) => async () => same;
    expect(
      await verdict(
        () => 1,
        () => 2,
        { equals: equals(true) },
      ),
    ).toBe('equal');
    expect(
      await verdict(
        () => 1,
        () => 1,
        { equals: equals(false) },
      ),
    ).toBe('different');
  });

  it('failures is their name, status and code, and what was thrown where it is no error', async () => {
    const fail = (fields: object) => () => {
      throw Object.assign(new Error(`at ${Math.random()}`), fields);
    };
    const say = (what: unknown) => () => {
      throw what;
    };
    const different = [
      [fail({ code: 1 }), fail({ code: 2 })],
      [fail({ status: 404 }), fail({ statusCode: 410 })],
      [fail({ name: 'A' }), fail({ name: 'B' })],
      [say('a'), say('b')],
      [say({ code: 1 }), say({ code: 2 })],
    ] as const;
    for (const [primary, shadow] of different) {
      for (const [one, other, mismatched] of [
        [primary, shadow, 1],
        [primary, primary, 0],
      ] as const) {
        const { client } = await bench(PRIMARY, LIMITS);
        await client.runCutover<unknown>({ ...READ, primary: one, shadow: other }).catch(() => {});
        await client.flush({ comparisonsMs: 1_000 });
        expect(client.comparisons('planner')).toMatchObject({ compared: 1, mismatched });
      }
    }
  });
});

describe('an answer that cannot be compared', () => {
  it('is no check, is counted for the gates, and named without anything of it', async () => {
    const { client, window } = await bench(PRIMARY, LIMITS);
    const answer = () => ({ byId: { '88412': Readable.from(['a']) }, rows: [{ open: () => 1 }] });
    for (let i = 0; i < 3; i += 1) await client.runCutover<unknown>({ ...READ, primary: answer, shadow: answer });
    await client.flush({ comparisonsMs: 1_000 });
    expect(client.comparisons('planner')).toMatchObject({
      compared: 0,
      incomparable: 3,
      unseen: [
        { path: 'byId.*', what: 'Readable', count: 3 },
        { path: 'rows[*].open', what: 'function', count: 3 },
      ],
    });
    expect(await window('shadow')).toMatchObject({ checks: 0, mismatches: 0, incomparable: 3 });
  });

  it('differs where it is seen to differ', async () => {
    const answer = (n: number) => () => ({ n, open: () => n });
    const { report, client } = await comparing({ primary: answer(1), shadow: answer(2) });
    expect(report).toMatchObject({ compared: 1, mismatched: 1, incomparable: 0 });
    expect(client.mismatches()[0]!.paths).toEqual(['n: value']);
  });

  it('that a copy would not be the same as is not copied', async () => {
    const failure = () => Object.assign(new Error('no'), { code: 5 });
    expect(await verdict(failure, failure, { snapshot: true })).toBe('incomparable');
    expect(
      await verdict(
        () => ({ a: new Date(1) }),
        () => ({ a: new Date(1) }),
        { snapshot: true },
      ),
    ).toBe('equal');
  });
});

// -------------------------------------------------------------------------------------------------------------- sockets

/** A socket whose answer is not read to its end serves no other request. */
const BODY = 'x'.repeat(100_000);
const TIMES = 15;
const FEW = 6;
let server: Server;
let url: string;

beforeAll(async () => {
  server = createServer((_, response) => response.end(BODY));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const message = () => new Promise<unknown>((resolve, reject) => get(url, resolve).on('error', reject));
const sockets = () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));
const isRead = async (answer: unknown) => {
  const body =
    answer instanceof Readable ? (await answer.toArray()).join('') : new Response((answer as Response).body).text();
  expect((await body).length).toBe(BODY.length);
};

describe('after a comparison', () => {
  it.each<[string, Partial<CutoverRun<unknown>>]>([
    ['of responses', {}],
    ['by a function', { compare: () => true }],
    ['by a function that says no', { compare: () => false }],
    ['by what is made of them', { compare: { as: (answer) => (answer as Response).status } }],
    ['that throws', { compare: { as: () => Promise.reject(new Error('no')) } }],
    ['of the primary with itself', { compare: { noise: 1 } }],
    ['of objects with streams', { primary: async () => ({ body: (await fetch(url)).body }) }],
    ['of streams of Node', { primary: message, shadow: message }],
  ])('%s few sockets are open, whichever side served', async (_, run) => {
    for (const flag of [PRIMARY, SHADOW]) {
      const { client } = await bench(flag, LIMITS);
      for (let i = 0; i < TIMES; i += 1) {
        const both = { primary: () => fetch(url), shadow: () => fetch(url) };
        await isRead(await client.runCutover<unknown>({ ...READ, ...both, ...run }));
        await client.flush({ comparisonsMs: 5_000 });
      }
      expect(await sockets()).toBeLessThanOrEqual(FEW);
    }
  });

  it('few sockets are open of answers that came too late', async () => {
    const { client } = await bench(PRIMARY, { comparisons: { ...LIMITS.comparisons, deadlineMs: 1 } });
    const shadow = () => new Promise((resolve) => setTimeout(resolve, 5)).then(() => fetch(url));
    for (let i = 0; i < TIMES; i += 1) {
      await client.runCutover<unknown>({ ...READ, primary: () => 1, shadow });
      await client.flush({ comparisonsMs: 1_000 });
    }
    await vi.waitFor(async () =>
      expect([client.comparisons('planner')!.running, (await sockets()) <= FEW]).toEqual([0, true]),
    );
    expect(client.comparisons('planner')!.mismatched).toBe(TIMES);
  });

  it('a promise inside that fails does not end the process', async () => {
    const failures: unknown[] = [];
    const note = (failure: unknown) => failures.push(failure);
    process.on('unhandledRejection', note);
    await comparing<unknown>({ primary: () => ({}), shadow: () => ({ rows: Promise.reject(new Error('no')) }) });
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off('unhandledRejection', note);
    expect(failures).toEqual([]);
  });

  it('what is not closed is noticed', async () => {
    const CLIENT = 'lib/client/client.ts';
    const { createClient } = await sourceMutant<typeof import('../../../lib/client/client.ts')>(
      [CLIENT],
      [['lib/client/answers.ts', 'if (!theirs.has(part)) closePart', 'if (false) closePart']],
    );
    const { client } = await bench(PRIMARY, LIMITS, undefined, createClient);
    // fetch itself closes answers that nobody holds any more, sooner or later.
    const held: Response[] = [];
    const shadow = async () => held[held.push(await fetch(url)) - 1];
    for (let i = 0; i < TIMES; i += 1) {
      await client.runCutover<unknown>({ ...READ, primary: () => 1, shadow, compare: () => true });
      await client.flush({ comparisonsMs: 1_000 });
    }
    expect([held.length, (await sockets()) > TIMES - FEW]).toEqual([TIMES, true]);
  });
});

describe('the first comparison of a process', () => {
  it('loads what compares, and has what was served as it was', async () => {
    const { createClient } = await sourceMutant<typeof import('../../../lib/client/client.ts')>(
      ['lib/client/client.ts'],
      [],
    );
    const { client } = await bench(PRIMARY, LIMITS, undefined, createClient);
    const compare = { snapshot: true };
    const runs: CutoverRun<unknown>[] = [
      { ...READ, primary: () => new Response('a'), shadow: () => new Response('a') },
      { ...READ, primary: () => ({ n: 1 }), shadow: () => ({ n: 1 }), compare },
      { ...READ, primary: () => ({ n: 1 }), shadow: () => ({ n: 5 }), compare },
    ];
    const [response, ...rows] = await Promise.all(runs.map((run) => client.runCutover(run)));
    expect(await (response as Response).text()).toBe('a');
    for (const row of rows) Object.assign(row as object, { n: 5 });
    await client.flush({ comparisonsMs: 5_000 });
    expect(client.comparisons('planner')).toMatchObject({ compared: 3, mismatched: 1, incomparable: 0 });
  });
});
