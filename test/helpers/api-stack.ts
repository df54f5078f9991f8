/**
 * The HTTP functions on real servers: their real handlers in this process, composed from the environment like a deployed
 * instance, on a Postgres with Chinook, DynamoDB tables and an AppConfig of their own. And everything they could change,
 * as one value that can be compared.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import { vi } from 'vitest';
import { customerCutover } from '../../infra/examples/chinook/cutover.ts';
import { chinookScript } from '../../infra/local/demo-database.ts';
import { sightingKey } from '../../lib/adapters/dynamodb/keys.ts';
import { type CutoverInput, defineCutovers } from '../../lib/define/cutovers.ts';
import { definePhases, type PhaseInput } from '../../lib/define/phases.ts';
import type { Answer } from '../property/served.ts';
import { type ApiCall, CONTEXT, eventOf, type GatewayRoute, invoke, routeFor } from './api-gateway.ts';
import { JWKS } from './api-tokens.ts';
import { type Deed, deedBook } from './asked-deeds.ts';
import { onRequests } from './asked-requests.mjs';
import { type OwnDatabase, ownDatabase } from './postgres.ts';
import { type Backing, backing, environmentOf } from './stack-parts.ts';
import { type RunningPublisher, startPublisher } from './stack-parts-publisher.ts';

const EXAMPLE = join(import.meta.dirname, '../../infra/examples/chinook');
const HTTP_FUNCTIONS = ['control', 'route', 'outcomes', 'gateway', 'dashboard', 'publisher'] as const;
export type HttpFunction = (typeof HTTP_FUNCTIONS)[number];

/** Imports that a bundler could follow, each function anew after `vi.resetModules`. */
const MODULES: Readonly<Record<HttpFunction, () => Promise<{ handler: unknown }>>> = {
  control: () => import('../../functions/control.ts'),
  route: () => import('../../functions/route.ts'),
  outcomes: () => import('../../functions/outcomes.ts'),
  gateway: () => import('../../functions/gateway.ts'),
  dashboard: () => import('../../functions/dashboard.ts'),
  publisher: () => import('../../functions/publisher.ts'),
};

/** Of what is not called over HTTP. */
const LONG = { ...CONTEXT, getRemainingTimeInMillis: () => 60_000 };

export type Instance = Readonly<Record<HttpFunction, unknown>>;

export type ApiStack = {
  db: OwnDatabase;
  on: Backing;
  publisher: RunningPublisher;
  /** Called once with an event of its kind. */
  tick(event: object): Promise<unknown>;
  shadowWriter(event: object): Promise<unknown>;
  /** What each function has asked DynamoDB and AppConfig for. */
  deeds(): readonly Deed[];
  /** Fresh instances of all functions, with changes to their environment: other addresses, for servers that are down. */
  instances(over?: Readonly<Record<string, string>>): Promise<Instance>;
  /** One request to these instances, by the routes of the template; a path without a route reaches `control` all the same. */
  call(instance: Instance, call: ApiCall): Promise<Answer>;
  /** A command with a fresh key, on the version that the cutover has. */
  command(instance: Instance, cutover: string, name: string, body?: object): Promise<Answer>;
  /** Everything a request could change: items of both tables, flags, mirrors, outbox, rows, and what exists in the catalog. */
  everything(): Promise<World>;
  /** From then on nobody answers where the service was. */
  stopUpstreams(): Promise<void>;
  stop(): Promise<void>;
};

export type World = { items: Record<string, object>; flags: unknown; postgres: unknown };

/** Two tables of Chinook and what is wrong with others; a component; a service whose upstreams are on this machine. */
const declarations = (upstream: string) => definePhases(PHASES, defineCutovers(cutoversOf(upstream)));

const PHASES: PhaseInput[] = [
  { name: 'one', cutovers: ['first'], preparation: [{ name: 'rehearsed', manual: 'The way back was rehearsed' }] },
  { name: 'two', cutovers: ['second'], after: ['one'] },
];
const ALWAYS = { name: 'always', from: '2020-01-01T00:00:00Z', to: '2099-01-01T00:00:00Z' };

const cutoversOf = (upstream: string): CutoverInput[] => [
  customerCutover,
  { id: 'shadowless', kind: 'table', primary: 'public.album', shadow: 'public.album_v2' },
  { id: 'keyless', kind: 'table', primary: 'public.note', shadow: 'public.note_v2' },
  { id: 'planner', kind: 'component' },
  { id: 'spare', kind: 'component' },
  { id: 'tried', kind: 'component', experiments: [{ id: 'checkout', share: 10, size: 1_000 }] },
  { id: 'chat', kind: 'service', upstreams: { primary: `${upstream}/old/`, shadow: `${upstream}/new/` } },
  { id: 'frozen', kind: 'component', freeze: [ALWAYS] },
  { id: 'shared', kind: 'component', policy: { twoPersonApproval: true } },
  { id: 'first', kind: 'component' },
  { id: 'second', kind: 'component' },
];

export async function apiStack(routes: readonly GatewayRoute[]): Promise<ApiStack> {
  const [db, on, upstream] = await Promise.all([ownDatabase(), backing(), upstreams()]);
  const directory = mkdtempSync(join(tmpdir(), 'crossfade-api-'));
  const cutovers = join(directory, 'cutovers.json');
  writeFileSync(cutovers, JSON.stringify(declarations(upstream.url)));
  await db.sql.unsafe(chinookScript());
  await db.sql.unsafe(readFileSync(join(EXAMPLE, 'shadow.sql'), 'utf8'));
  await db.sql.unsafe('CREATE TABLE note (text text); CREATE TABLE note_v2 (text text)');
  const environment = {
    ...environmentOf(on, { databaseUrl: db.url, cutovers, speed: 1, originMs: 0 }),
    CROSSFADE_JWKS: JWKS,
    CROSSFADE_LOG_LEVEL: 'silent',
  };

  Object.assign(process.env, environment);
  vi.resetModules();
  const book = deedBook(on.flags);
  const functionAtWork = new AsyncLocalStorage<string>();
  const forget = onRequests((operation, body) => book.note(functionAtWork.getStore() ?? 'nobody', operation, body));
  const { handler } = await import('../../functions/publisher.ts');
  const publisher = startPublisher(on, (event) => functionAtWork.run('publisher', () => handler(event, CONTEXT)));
  await publisher.look();

  const instances: ApiStack['instances'] = async (over = {}) => {
    vi.resetModules();
    for (const [name, value] of Object.entries({ ...environment, ...over })) process.env[name] = value;
    const loaded = await Promise.all(
      HTTP_FUNCTIONS.map(async (name) => {
        const { handler } = (await MODULES[name]()) as { handler: (...words: unknown[]) => unknown };
        return [name, (...words: unknown[]) => functionAtWork.run(name, () => handler(...words))] as const;
      }),
    );
    const made = Object.fromEntries(loaded) as Instance;
    // The environment is read at the first request, which here is one that nobody lets in.
    for (const name of HTTP_FUNCTIONS) {
      const route = routes.find((one) => one.function === name && one.scopes.length > 0)!;
      const { status } = await invoke(
        made[name],
        eventOf({ method: route.method, path: concrete(route.path), token: null }),
      );
      if (status !== 401) throw new Error(`${name} answered ${status} to a request without a token`);
    }
    return made;
  };
  const call: ApiStack['call'] = (instance, one) => {
    const method = one.method ?? (one.raw === undefined && one.body === undefined ? 'GET' : 'POST');
    const route = routeFor(routes, method, one.path);
    return invoke(instance[(route?.function ?? 'control') as HttpFunction], eventOf({ ...one, method }, route));
  };
  return {
    db,
    on,
    publisher,
    async tick(event) {
      const { handler } = await import('../../functions/tick.ts');
      return functionAtWork.run('tick', () => handler(event, LONG));
    },
    async shadowWriter(event) {
      const { handler } = await import('../../functions/shadow-writer.ts');
      return functionAtWork.run('shadow-writer', () => handler(event as never, LONG));
    },
    deeds: () => book.deeds.filter(({ by }) => by !== 'nobody'),
    instances,
    call,
    async command(instance, cutover, name, body = {}) {
      const { body: seen } = await call(instance, { path: `/v1/cutovers/${cutover}` });
      const headers = { 'idempotency-key': randomUUID(), 'if-match': `"${(seen as { version: number }).version}"` };
      return call(instance, { path: `/v1/cutovers/${cutover}/${name}`, body, headers });
    },
    everything: () => everything(db, on),
    stopUpstreams: () => upstream.close(),
    async stop() {
      await publisher.stop();
      forget();
      await Promise.all([on.stop(), upstream.close()]);
      await db.drop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** With every parameter filled in. */
export const concrete = (path: string, cutover = 'planner'): string =>
  path.replace('{cutover}', cutover).replace('{asset}', 'icon.svg').replace('{proxy+}', 'some/thing');

// ------------------------------------------------------------------------------------------------------ everything

async function everything(db: OwnDatabase, on: Backing): Promise<World> {
  const [state, changes, flags, postgres] = await Promise.all([
    itemsOf(on, on.tables.state),
    itemsOf(on, on.tables.changes),
    fetch(`${on.appConfig.url}/_state`).then((response) => response.json()),
    contents(db),
  ]);
  return { items: { ...state, ...changes }, flags: storedFlags(flags), postgres };
}

async function itemsOf({ dynamodb }: Backing, table: string): Promise<Record<string, object>> {
  const found: Record<string, object> = {};
  let from: Record<string, unknown> | undefined;
  do {
    const page = await dynamodb.send(
      new ScanCommand({ TableName: table, ConsistentRead: true, ExclusiveStartKey: from }),
    );
    // What the publisher writes down of its looks says no more than the flags, which are compared, too.
    for (const item of page.Items ?? [])
      if (item.pk !== sightingKey().pk) found[`${item.pk ?? item.id} ${item.sk ?? ''}`] = item;
    from = page.LastEvaluatedKey;
  } while (from);
  return found;
}

/** Versions and deployments, short enough to be read; sessions and counts of requests are no state. */
function storedFlags(state: unknown): unknown {
  type Stored = {
    applications: readonly {
      profiles: readonly { versions: readonly { number: number; content: string }[] }[];
      environments: readonly { deployments: readonly { number: number; version: number; outcome: string }[] }[];
    }[];
  };
  return (state as Stored).applications.map(({ profiles, environments }) => ({
    versions: profiles.map(({ versions }) => versions.map(({ number, content }) => `${number} ${sha256(content)}`)),
    deployments: environments.map(({ deployments }) =>
      deployments.map(({ number, version, outcome }) => `${number}: version ${version}, ${outcome}`),
    ),
  }));
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16);

async function contents({ sql }: OwnDatabase): Promise<unknown> {
  const objects = await sql.unsafe(`
    SELECT 'relation' AS kind, c.oid::regclass::text AS name, c.relkind = 'r' AS has_rows
      FROM pg_class c WHERE c.relkind IN ('r', 'v', 'm', 'S', 'i') AND c.oid > 16384
    UNION ALL SELECT 'function', p.oid::regprocedure::text, false FROM pg_proc p WHERE p.oid > 16384
    UNION ALL SELECT 'trigger', t.tgrelid::regclass || ' ' || t.tgname, false FROM pg_trigger t WHERE NOT t.tgisinternal
    ORDER BY 1, 2`);
  const tables = objects.filter(({ has_rows }) => has_rows).map(({ name }) => name as string);
  // In one question: it is asked twice for every request that is refused.
  const hashes = await sql.unsafe(
    tables
      .filter((name) => /^crossfade\.|^(customer|note|album)/.test(name))
      .map(
        (name) => `SELECT '${name.replaceAll("'", "''")}' AS name,
          count(*) || ' ' || md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '')) AS rows FROM ${name} t`,
      )
      .join(' UNION ALL '),
  );
  return {
    objects: objects.map(({ kind, name }) => `${kind} ${name}`),
    rows: Object.fromEntries(hashes.map(({ name, rows }) => [name, rows])),
  };
}

/** What an answer that refused may have left: nothing, or one entry in the log of this cutover and its number in the state. */
export function withoutDenial(after: World, before: World, subject: string): { rest: World; denied: object[] } {
  const added = Object.keys(after.items).filter((key) => !(key in before.items) && key.startsWith(`audit#${subject} `));
  const denied = added.map((key) => after.items[key]!);
  const items = Object.fromEntries(Object.entries(after.items).filter(([key]) => !added.includes(key)));
  const state = `state cutover#${subject}`;
  const earlier = before.items[state] as Record<string, unknown> | undefined;
  const later = items[state] as Record<string, unknown> | undefined;
  if (denied.length > 0 && earlier) {
    const { auditSeq, auditHash, writeId } = earlier;
    items[state] = { ...later, auditSeq, auditHash, ...(writeId === undefined ? {} : { writeId }) };
  }
  // The log of a cutover that was never started begins with the denial; its state is the one of a cutover without an item.
  if (denied.length > 0 && !earlier && later?.version === 0 && later.stageKind === 'disabled') delete items[state];
  return { rest: { ...after, items }, denied };
}

// ------------------------------------------------------------------------------------------------------- upstreams

async function upstreams(): Promise<{ url: string; close(): Promise<void> }> {
  const server: Server = createServer((request: IncomingMessage, response: ServerResponse) => {
    request.resume();
    response.writeHead(request.url?.endsWith('/refused') ? 409 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ path: request.url, headers: request.headers }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
