/**
 * The example `gateway` from its first write to the end of dual writes, under load and with everything real: gateway over
 * HTTP, DynamoDB Streams, stream handler, relay, tick, flags. Twice it is taken back on the way. At every look both
 * services hold the same users, conversations and tasks, and those are what callers were told is there. The last attempt is
 * typed line by line from the page of the example.
 *
 * Replay with: CROSSFADE_SEED=<seed> npx vitest run --project e2e test/e2e/gateway-example.test.ts
 */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROGRAMS } from '../../infra/examples/gateway/programs.ts';
import { compareStores, contentOf, loadReplacement } from '../../infra/examples/gateway/stores.ts';
import { inShare } from '../../lib/core/routing/routing.ts';
import { type Example, gatewayExample } from '../helpers/gateway-example.ts';
import { type SeenRead, type Users, usersOf } from '../helpers/gateway-example-users.ts';
import { ROOT } from '../helpers/imports.ts';
import { seeded } from '../helpers/stack-parts.ts';
import { type Programs, tutorial, typedCommands } from '../helpers/tutorial.ts';

const SEED = Number(process.env.CROSSFADE_SEED ?? Math.floor(Math.random() * 2 ** 31));
const MINUTES = 15;
const REQUESTS_PER_MINUTE = 24;

let example: Example;
let users: Users;
let isFailing = false;

beforeAll(async () => {
  example = await gatewayExample({
    dwellMinutes: 1,
    // What a busy machine does to a few dozen operations proves nothing. The last stage serves every key.
    policy: { latencyFloorMs: 5_000, warmUpMinutes: 0, holdBackPercent: 0 },
    gateway: { idempotencyKeys: true, compare: { sampleRate: 0.25, ignore: ['**.created_at'] } },
  });
  users = usersOf(example, seeded(SEED));
});
afterAll(() => example?.stop());

/** The new service answers 500 to everything. */
function fail(failing: boolean): void {
  isFailing = failing;
  example.replacement.fail(failing);
}

type Report = {
  stage: string;
  sharePpm: number;
  forwards: { open: number; quarantined: number } | null;
  /** Old name. */
  copies: unknown;
  rollback: { cause: string } | null;
  verdict: { reasons: readonly { code: string; text: string }[]; evidence: { checks: number; mismatches: number } };
};
/** What an answer says of the other side, by its name now and by the old one. */
const marksOf = ({ headers }: { headers: Headers }) =>
  ['x-crossfade-forward', 'x-crossfade-copy'].map((name) => headers.get(name));

const report = async () => (await example.api('/v1/cutovers/chat')).body as Report;
const command = async (name: string, body: object = {}) =>
  expect((await example.command(name, body)).body).toMatchObject({ published: true });
const force = { force: true, reason: 'a test' };

/** The cutover's verification: nothing in one service that the other does not hold, and both what callers were told. */
async function expectSame(): Promise<void> {
  await example.settled();
  const difference = await compareStores(example.legacy.url, example.replacement.url);
  expect(difference).toMatchObject({ onlyLegacy: [], onlyReplacement: [] });
  expect(difference.compared).toBeGreaterThan(10);
  expect((await contentOf(example.legacy.url)).sort()).toEqual(users.expected());
}

/** Forwarded writes take much less than a minute, but the clock is moved. */
async function workMinute(): Promise<void> {
  await users.work(REQUESTS_PER_MINUTE);
  if (!isFailing) await example.settled();
  await example.minute();
}

/** Work, minute by minute, until the tick has moved the cutover. Returns the last look at the stage that was left. */
async function workUntil(stage: string): Promise<Report> {
  let last = await report();
  for (let minute = 0; minute < MINUTES; minute += 1) {
    await workMinute();
    const seen = await report();
    if (seen.stage === stage) return last;
    last = seen;
  }
  throw new Error(`Still in ${last.stage}: ${last.verdict.reasons.map(({ text }) => text).join(' ')}`);
}

/** Work until both sides have answered reads. */
async function workOnBothSides(): Promise<SeenRead[]> {
  const reads: SeenRead[] = [];
  for (let minute = 0; minute < MINUTES; minute += 1) {
    users.seen();
    await workMinute();
    reads.push(...users.seen().reads);
    const { evidence } = (await report()).verdict;
    if (new Set(reads.map(({ side }) => side)).size === 2 && evidence.checks > 0) return reads;
  }
  throw new Error(`Only ${reads[0]?.side} answered ${reads.length} reads, or none was compared.`);
}

/** At a share the side is that of the key, and what was asked of both sides was answered alike. */
async function expectShare(ppm: number): Promise<void> {
  for (const { key, side, reason, status } of await workOnBothSides()) {
    expect([key, side]).toEqual([key, inShare('chat', key, ppm) ? 'shadow' : 'primary']);
    expect(reason).toBe('share');
    expect([200, 404]).toContain(status);
  }
  expect((await report()).verdict.evidence.mismatches).toBe(0);
  await expectSame();
}

/** Dual writes begin, and what was there before is loaded while people go on. */
async function begin(): Promise<void> {
  await command('start');
  await Promise.all([users.work(40), loadReplacement(example.legacy.url, example.replacement.url)]);
}

describe(`the gateway example of seed ${SEED}`, () => {
  it('before it starts, everything goes to the old service alone', async () => {
    await users.work(60);
    const { reads, writes } = users.seen();
    expect(new Set([...reads, ...writes].map(({ side }) => side))).toEqual(new Set(['primary']));
    expect(new Set(writes.map(({ forward }) => forward))).toEqual(new Set(['none']));
    expect(await contentOf(example.replacement.url)).toEqual([]);
    expect((await contentOf(example.legacy.url)).sort()).toEqual(users.expected());
  });

  it('in dual_write every accepted write is forwarded, whatever its method, and both hold the same', async () => {
    await begin();
    await expectSame();
    const { reads, writes } = users.seen();
    expect(new Set(reads.map(({ side }) => side))).toEqual(new Set(['primary']));
    const accepted = writes.filter(({ status }) => status < 300);
    expect(new Set(accepted.map(({ forward }) => forward))).toEqual(new Set(['recorded']));
    for (const [method, path, body] of [
      ['PUT', 'users/x', { name: 'Bob' }],
      ['PATCH', 'users/x', { plan: 'team' }],
      ['POST', 'conversations/x', { title: 'Talk' }],
      ['POST', 'conversations/x/messages', { id: 'm', text: 'said' }],
    ] as const)
      expect(marksOf(await example.chat(method, path, { body }))).toEqual(['recorded', 'recorded']);
    await example.settled();
    const there = async (path: string) => (await fetch(`${example.replacement.url}/${path}`)).json();
    expect(await there('users/x')).toMatchObject({ name: 'Bob', plan: 'team' });
    expect(await there('conversations/x')).toMatchObject({ messages: [{ id: 'm', text: 'said' }] });
    for (const path of ['users/x', 'conversations/x'])
      expect((await example.chat('DELETE', path)).headers.get('x-crossfade-forward')).toBe('recorded');
    await expectSame();
  });

  it('negative control: without the stream the services differ, and the forwarded writes are not lost', async () => {
    example.forwarding(false);
    await users.work(20, 'writes');
    const difference = await compareStores(example.legacy.url, example.replacement.url);
    expect(difference.onlyLegacy.length + difference.onlyReplacement.length).toBeGreaterThan(5);
    const { forwards, copies } = await report();
    expect(forwards?.open).toBeGreaterThan(5);
    expect(copies).toEqual(forwards);
    example.forwarding(true);
    await expectSame();
  });
});

describe('the ramp', () => {
  it('begins by itself when forwarded writes arrive, and 10 and 50 % of the keys are read from the new service', async () => {
    await workUntil('gateway_10');
    await expectShare(100_000);
    await command('advance', force);
    await expectShare(500_000);
  });

  it('is left by itself when the new service fails: callers see nothing of it, and nothing is lost', async () => {
    fail(true);
    users.seen();
    await workUntil('rolled_back');
    const { reads, writes } = users.seen();
    expect(reads.filter(({ reason }) => reason === 'fallback').length).toBeGreaterThan(3);
    expect(reads.filter(({ status }) => status >= 500)).toEqual([]);
    expect(writes.filter(({ status }) => status >= 500)).toEqual([]);
    expect((await report()).rollback).toMatchObject({ cause: 'guard' });
    await users.work(30);
    const after = users.seen();
    expect(new Set([...after.reads, ...after.writes].map(({ side }) => side))).toEqual(new Set(['primary']));
    expect((await contentOf(example.legacy.url)).sort()).toEqual(users.expected());
    await example.settled();
  });
});

describe('the second attempt', () => {
  it('reaches 100 % and is completed, with both services equal at each stage', async () => {
    fail(false);
    example.replacement.empty();
    await command('reset', { confirm: 'chat' });
    await begin();
    await expectSame();
    for (const stage of ['gateway_10', 'gateway_50', 'full_100']) {
      await command('advance', force);
      users.seen();
      await workMinute();
      expect((await report()).stage).toBe(stage);
      await expectSame();
    }
    expect(new Set(users.seen().reads.map(({ side }) => side))).toEqual(new Set(['shadow']));
    await command('complete', { confirm: 'chat', ...force });
  });

  it('writes the new service then, and forwards them to the old one', async () => {
    await users.work(40);
    const { reads, writes } = users.seen();
    expect(new Set([...reads, ...writes].map(({ side }) => side))).toEqual(new Set(['shadow']));
    expect(new Set(writes.filter(({ status }) => status < 300).map(({ forward }) => forward))).toEqual(
      new Set(['recorded']),
    );
    await expectSame();
  });

  it('can be taken back without loss, with forwarded writes still under way', async () => {
    example.forwarding(false);
    await users.work(20, 'writes');
    expect((await report()).forwards?.open).toBeGreaterThan(5);
    await command('rollback', { reason: 'a test' });
    // Whoever writes a resource now brings what is under way to it first.
    await users.work(20, 'writes');
    const { writes } = users.seen();
    expect(new Set(writes.slice(-20).map(({ side }) => side))).toEqual(new Set(['primary']));
    example.forwarding(true);
    await example.settled();
    expect((await contentOf(example.legacy.url)).sort()).toEqual(users.expected());
  });
});

describe('the third attempt, as the page has it typed', () => {
  const PAGE = 'infra/examples/gateway/README.md';
  /** What `programs.ts work` leaves behind. */
  const isVisitor = (row: string) => row.startsWith('users/visitor-');

  const programs = (): Programs => {
    const typed = typedCommands({ url: example.url, nowMs: () => Date.now(), token: example.token });
    const places = {
      legacy: example.legacy.url,
      replacement: example.replacement.url,
      gateway: () => ({ url: `${example.url}/gateway`, token: example.token() }),
    };
    return {
      createdb: async ([name]) => expect(name).toBe('chat'),
      async jiti([file, name]) {
        expect([file, existsSync(join(ROOT, file!))]).toEqual(['infra/examples/gateway/programs.ts', true]);
        // Both services, and Crossfade as `dev` serves it, are what this test has started.
        if (name === 'serve') return;
        await example.settled();
        return PROGRAMS[name!]!(places);
      },
      async crossfade(words) {
        if (words[0] === 'dev') return void (await import(join(ROOT, words[words.indexOf('--config') + 1]!)));
        const said = await typed(words);
        await example.learned();
        return said;
      },
    };
  };
  const jiti = (name: string) => `npx --no-install jiti infra/examples/gateway/programs.ts ${name}`;
  const crossfade = (words: string) => `npx --no-install crossfade ${words}`;

  it('ends with cleanup: dual writes are off, and the old service hears of nothing any more', async () => {
    example.replacement.empty();
    await command('reset', { confirm: 'chat' });
    const page = tutorial({ file: PAGE, text: readFileSync(join(ROOT, PAGE), 'utf8') }, programs());
    expect(await page.through(jiti('work'))).toBe('10 writes; reads answered 30 by the primary, 0 by the shadow');
    await page.through(crossfade('start chat'));
    expect(await page.through(jiti('load'))).toMatch(/^[1-9]\d* loaded/);
    expect(await page.through(jiti('compare'))).toMatch(/, 0 only in the old service, 0 only in the new one$/);
    expect(await page.through(jiti('work'))).toMatch(/ [1-9]\d* by the primary, [1-9]\d* by the shadow$/);
    expect(await page.through(jiti('work'))).toMatch(/ 0 by the primary, 30 by the shadow$/);
    expect(await page.through(crossfade('status chat'))).toMatch(/full_100/);
    await page.through(crossfade("complete chat --confirm chat --force --reason 'a try'"));
    expect(await page.through(jiti('compare'))).toMatch(/, 0 only in the old service, 0 only in the new one$/);
    await page.through(crossfade('cleanup chat --confirm chat'));
    expect(page.left()).toEqual([]);
    users.seen();
    const before = await contentOf(example.legacy.url);
    await users.work(40);
    const { reads, writes } = users.seen();
    expect(new Set([...reads, ...writes].map(({ side }) => side))).toEqual(new Set(['shadow']));
    expect(new Set(writes.map(({ forward }) => forward))).toEqual(new Set(['none']));
    const kept = await contentOf(example.replacement.url);
    expect(kept.filter((row) => !isVisitor(row)).sort()).toEqual(users.expected());
    expect(kept.filter(isVisitor)).toHaveLength(10);
    expect(await contentOf(example.legacy.url)).toEqual(before);
    expect(await compareStores(example.legacy.url, example.replacement.url)).not.toMatchObject({ onlyReplacement: [] });
    expect((await example.command('rollback', { reason: 'too late' })).status).toBe(409);
  });
});
