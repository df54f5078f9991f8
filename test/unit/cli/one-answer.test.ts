/**
 * I32 Lists, groups and environments are one table for everybody who asks: the SDK, routing over HTTP one by one and in a
 * batch, the gateway, the OpenFeature provider and its protocol give the same side for the same reason. SQL has its own, on a server.
 */

import { OpenFeature } from '@openfeature/server-sdk';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { httpHandler } from '../../../functions/middleware.ts';
import { routingRoutes } from '../../../functions/route.ts';
import { createClient } from '../../../lib/client/client.ts';
import { crossfadeProvider } from '../../../lib/client/openfeature.ts';
import type { CutoverState } from '../../../lib/core/cutover/cutover.ts';
import { inShare, type RouteReason } from '../../../lib/core/routing/routing.ts';
import { type GatewayBench, gatewayBench } from '../../helpers/gateway-bench.ts';
import type { StageName } from '../../property/samples.ts';
import { ask } from '../../property/served.ts';

type Lists = { allow: readonly string[]; deny: readonly string[] };
type Answer = { side: string; reason: string };

const open: GatewayBench[] = [];
afterEach(async () => {
  for (const bench of open.splice(0)) await bench.close();
});
afterAll(() => OpenFeature.close());

let domains = 0;

/** Everybody, on the same flags. The gateway is told its environment when it is declared, the others with each request. */
async function everybody(
  stage: StageName,
  lists: Lists,
  environment: string | undefined,
  state: Partial<CutoverState> = {},
) {
  const bench = await gatewayBench({
    stage,
    lists,
    state,
    gateway: { groupsHeader: 'x-edge-groups', environment: environment ?? null },
  });
  open.push(bench);
  const { composition, flags } = bench;
  const router = await composition.router();
  const http = httpHandler(() => ({ ...composition, router }), routingRoutes);
  const client = createClient({
    flags: { fetch: async () => ({ document: flags.served()! }) },
    outcomes: async () => {},
    environment: {},
  });
  await client.refresh();
  const domain = `one-answer-${++domains}`;
  await OpenFeature.setProviderAndWait(domain, crossfadeProvider(client));
  const feature = OpenFeature.getClient(domain);

  return async (key: string, groups: readonly string[]): Promise<Record<string, Answer>> => {
    const given = { ...(groups.length > 0 ? { groups } : {}), ...(environment === undefined ? {} : { environment }) };
    const query = { key, ...given, ...(groups.length > 0 ? { groups: groups.join(',') } : {}) };
    const [single, batch, gateway, details, ofrep] = await Promise.all([
      ask(http, { method: 'GET', path: '/v1/route/chat', query: query as Record<string, string> }),
      ask(http, { path: '/v1/route', body: { requests: [{ cutover: 'chat', key, ...given }] } }),
      bench.call({ headers: { 'x-correlation-id': key, 'x-edge-groups': groups.join(', ') } }),
      feature.getStringDetails('chat', 'none', { targetingKey: key, ...given, groups: [...groups] }),
      ask(http, { path: '/ofrep/v1/evaluate/flags/chat', body: { context: { targetingKey: key, ...given } } }),
    ]);
    const answer = ({ side, reason }: Answer): Answer => ({ side, reason });
    return {
      sdk: answer(client.route('chat', { key, ...given })),
      single: answer(single.body as Answer),
      batch: answer((batch.body as { routes: Answer[] }).routes[0]!),
      gateway: {
        side: gateway.headers['x-crossfade-route']!,
        reason: gateway.headers['x-crossfade-reason']!,
      },
      openfeature: { side: details.value, reason: String(details.flagMetadata.reason) },
      ofrep: ofrepAnswer(ofrep.body as OfrepBody),
    };
  };
}

// ---------------------------------------------------------------------------------------------------------- the table

const LISTS: Readonly<Record<string, Lists>> = {
  nothing: { allow: [], deny: [] },
  'an allowed key': { allow: ['ada'], deny: [] },
  'a denied key': { allow: [], deny: ['ada'] },
  'an allowed group': { allow: ['group:beta'], deny: [] },
  'a denied group': { allow: [], deny: ['group:beta'] },
  'an allowed environment': { allow: ['environment:staging'], deny: [] },
  'a denied environment': { allow: [], deny: ['environment:staging'] },
  'a key against its group': { allow: ['ada'], deny: ['group:beta'] },
  'a group against its environment': { allow: ['group:beta'], deny: ['environment:staging'] },
  'keys that are spelled like groups': { allow: ['beta', 'staging'], deny: ['group:ada'] },
};
const KEYS = ['ada', 'bob', 'beta', 'carol@example.com', 'group:beta'];
const GROUPS = [[], ['beta'], ['staff', 'beta'], ['Beta', 'bet']];
const ENVIRONMENTS = [undefined, 'staging', 'Staging'];
const SHARES: Partial<Record<StageName, number>> = { dual_write: 0, r1: 10_000, r2: 500_000, full_100: 1_000_000 };

type OfrepBody = { variant: string; metadata: { routeReason: string } };
const ofrepAnswer = ({ variant, metadata }: OfrepBody): Answer => ({ side: variant, reason: metadata.routeReason });

type Asked = { key: string; groups?: readonly string[]; environment?: string };

/** The rule in plain words: lists speak only while some reads may reach the shadow; a refusal before a permission. */
function expected(stage: StageName, { allow, deny }: Lists, { key, groups = [], environment }: Asked): Answer {
  const reply = (side: string, reason: RouteReason) => ({ side, reason });
  if (stage === 'completed') return reply('shadow', 'share');
  const names = [key, ...groups.map((group) => `group:${group}`), environment && `environment:${environment}`];
  if (deny.some((entry) => names.includes(entry))) return reply('primary', 'denied');
  const share = SHARES[stage]!;
  if (share > 0 && allow.some((entry) => names.includes(entry))) return reply('shadow', 'allowed');
  return reply(inShare('customer', key, share) ? 'shadow' : 'primary', 'share');
}

const rows = Object.entries(LISTS).flatMap(([name, lists]) =>
  ENVIRONMENTS.map((environment) => [name, environment ?? 'none', lists, environment] as const),
);

/** What anybody answers otherwise than expected. */
async function strangers(stage: StageName, lists: Lists, environment: string | undefined) {
  const asked = await everybody(stage, lists, environment);
  const seen = { strange: [] as unknown[], reasons: new Set<string>() };
  for (const key of KEYS) {
    for (const groups of GROUPS) {
      const wanted = expected(stage, lists, { key, groups, environment });
      seen.reasons.add(wanted.reason);
      for (const [surface, { side, reason }] of Object.entries(await asked(key, groups)))
        if (side !== wanted.side || reason !== wanted.reason)
          seen.strange.push({ surface, key, groups, environment, side, reason, wanted });
    }
  }
  return seen;
}

describe('I32 the SDK, HTTP, the gateway and OpenFeature give one answer', () => {
  const reasons = new Set<string>();

  it.each(rows)('with %s, environment %s, at 50 %%', async (_name, _environment, lists, environment) => {
    const seen = await strangers('r2', lists, environment);
    expect(seen.strange).toEqual([]);
    for (const reason of seen.reasons) reasons.add(reason);
  });

  it.each(['dual_write', 'r1', 'full_100', 'completed'] as const)('in %s with a list of each kind', async (stage) => {
    const lists = { allow: ['ada', 'group:beta'], deny: ['bob', 'environment:staging'] };
    for (const environment of ['staging', 'prod'])
      expect((await strangers(stage, lists, environment)).strange).toEqual([]);
  });

  it.each(['r1', 'r2', 'full_100'] as const)(
    'in %s with its reads on the primary: the primary, listed or not',
    async (stage) => {
      const lists = { allow: ['ada', 'group:beta'], deny: ['bob'] };
      for (const shadowWrites of [true, false]) {
        const asked = await everybody(stage, lists, undefined, {
          switches: { shadowReads: false, shadowWrites, sinceMs: 1 },
        });
        for (const key of KEYS)
          for (const [surface, { side, reason }] of Object.entries(await asked(key, ['beta'])))
            expect([surface, key, side, reason]).toEqual([surface, key, 'primary', key === 'bob' ? 'denied' : 'share']);
      }
    },
  );

  it('and the table has a row for each reason of the lists', () => {
    expect([...reasons].sort()).toEqual(['allowed', 'denied', 'share']);
  });

  it('negative control: a surface that is not told the groups answers otherwise', async () => {
    const asked = await everybody('r2', { allow: [], deny: ['group:beta'] }, undefined);
    const [told, untold] = [await asked('ada', ['beta']), await asked('ada', [])];
    expect(told.gateway).toEqual({ side: 'primary', reason: 'denied' });
    expect(untold.gateway).not.toEqual(told.gateway);
  });
});
