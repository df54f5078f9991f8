/**
 * The example `gateway` with everything around it that a deployment has: both services, the real handlers of gateway,
 * control API, tick, relay and stream, composed from the environment on DynamoDB Local and the AppConfig emulator, and the
 * mapping between stream and function. There is no Postgres: a service needs none.
 */

import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import type { Context } from 'aws-lambda';
import { vi } from 'vitest';
import { chatCutover } from '../../infra/examples/gateway/cutovers.ts';
import type { JsonServer } from '../../infra/examples/gateway/json-server.ts';
import { startLegacy } from '../../infra/examples/gateway/legacy.ts';
import { type Replacement, startReplacement } from '../../infra/examples/gateway/replacement.ts';
import { defineCutovers } from '../../lib/define/cutovers.ts';
import { type GatewayRoute, httpShim } from './api-gateway.ts';
import { JWKS, tokenOf } from './api-tokens.ts';
import { type Backing, backing, environmentOf, until } from './stack-parts.ts';
import { startPublisher } from './stack-parts-publisher.ts';
import { streamMapping, streamReader } from './stack-parts-stream.ts';

type Service = Parameters<typeof chatCutover>[1];
type Handler = (event: object, context: Context) => Promise<unknown>;

export type Answered = { status: number; headers: Headers; body: unknown };

export type Example = {
  on: Backing;
  legacy: JsonServer;
  replacement: Replacement;
  /** Of the API, which serves the gateway under `/gateway`. */
  url: string;
  /** As a caller of everything. */
  token(): string;
  /** What the gateway serves, under `/gateway/chat/`. */
  chat(method: string, path: string, options?: { key?: string; caller?: string; body?: object }): Promise<Answered>;
  api(path: string, body?: object, headers?: Record<string, string>): Promise<Answered>;
  /** A command on the version that the cutover has; readers know of it afterwards. */
  command(name: string, body?: object): Promise<Answered>;
  /** Readers learn of a command when their flags are 15 s old: they are, afterwards. */
  learned(): Promise<void>;
  /** A minute goes by on every clock in this process: flags are old then, outcomes due; and the schedules fire. */
  minute(): Promise<void>;
  /** Switch of the test: without it the stream's records are taken and nothing is done with them. */
  forwarding(on: boolean): void;
  /** Waits until every forwarded write has been carried out; the schedule's relay wakes those that are due again. */
  settled(): Promise<void>;
  stop(): Promise<void>;
};

/** A tick needs half of its 50 s for what follows its decisions. */
const context = (ms = 50_000) => {
  const untilMs = performance.now() + ms;
  return { getRemainingTimeInMillis: () => untilMs - performance.now(), awsRequestId: 'r' } as unknown as Context;
};
const RELAY_EVERY_LOOKS = 4;
const SCHEDULE = { source: 'crossfade.local' };

/** Both clocks of this process, moved ahead between two requests, so that a minute needs no minute. */
function movedClocks() {
  const [now, monotonicMs] = [Date.now.bind(Date), performance.now.bind(performance)];
  let aheadMs = 0;
  const spies = [
    vi.spyOn(Date, 'now').mockImplementation(() => now() + aheadMs),
    vi.spyOn(performance, 'now').mockImplementation(() => monotonicMs() + aheadMs),
  ];
  return {
    pass: (ms: number) => {
      aheadMs += ms;
    },
    restore: () => {
      for (const spy of spies) spy.mockRestore();
    },
  };
}

export async function gatewayExample(change: Service = {}): Promise<Example> {
  const clocks = movedClocks();
  const [on, legacy, replacement] = await Promise.all([backing(), startLegacy(), startReplacement()]);
  const directory = mkdtempSync(join(tmpdir(), 'crossfade-gateway-'));
  const cutovers = join(directory, 'cutovers.json');
  const upstreams = { primary: legacy.url, shadow: replacement.url };
  writeFileSync(cutovers, JSON.stringify(defineCutovers([chatCutover(upstreams, change)])));
  const { CROSSFADE_DATABASE_URL: _, ...environment } = environmentOf(on, {
    databaseUrl: '',
    cutovers,
    speed: 1,
    originMs: 0,
  });
  vi.resetModules();
  delete process.env.CROSSFADE_DATABASE_URL;
  Object.assign(process.env, environment, { CROSSFADE_JWKS: JWKS, CROSSFADE_LOG_LEVEL: 'silent' });
  const [gateway, control, writer, ticker, relay, publishing] = await Promise.all([
    import('../../functions/gateway.ts'),
    import('../../functions/control.ts'),
    import('../../functions/shadow-writer.ts'),
    import('../../functions/tick.ts'),
    import('../../functions/relay.ts'),
    import('../../functions/publisher.ts'),
  ]);
  const publisher = startPublisher(on, (event) => (publishing.handler as Handler)(event, context()));
  await publisher.look();
  const front = await httpShim(await routes(), { gateway: gateway.handler, control: control.handler });
  let isForwarding = true;
  const mapping = streamMapping(streamReader(on.endpoint, on.tables.changes), async (event) =>
    isForwarding ? (writer.handler as Handler)(event, context()) : { batchItemFailures: [] },
  );

  const ask = async (path: string, init: RequestInit & { headers: Record<string, string> }): Promise<Answered> => {
    const response = await fetch(`${front.url}${path}`, init);
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
  };
  const fire = (handler: unknown, event: object = {}) => (handler as Handler)({ ...SCHEDULE, ...event }, context());
  const tokens = new Map<string, string>();
  /** One for each caller, since the limit of requests is theirs. */
  const authorization = (caller: string) => {
    const token = tokens.get(caller) ?? tokenOf({ sub: caller });
    tokens.set(caller, token);
    return `Bearer ${token}`;
  };
  const sent = (body: object | undefined) => (body === undefined ? {} : { body: JSON.stringify(body) });

  /** Flags that a busy machine did not bring within the gateway's 200 ms are there at one of the next looks. */
  async function readersKnow(): Promise<void> {
    const { sharePpm } = (await example.api('/v1/cutovers/chat')).body as { sharePpm: number };
    for (let looks = 0; looks < 20; looks += 1) {
      const { headers } = await example.chat('GET', 'users/nobody');
      if (headers.get('x-traffic-percentage') === String(sharePpm / 10_000)) return;
    }
  }

  const example: Example = {
    on,
    legacy,
    replacement,
    url: front.url,
    token: () => tokenOf({ sub: 'ada' }),
    chat: (method, path, { key, caller = 'ada', body } = {}) =>
      ask(`/gateway/chat/${path}`, {
        method,
        headers: {
          authorization: authorization(caller),
          ...(key === undefined ? {} : { 'x-correlation-id': key }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...sent(body),
      }),
    api: (path, body, headers = {}) =>
      ask(path, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { authorization: authorization('ada'), 'content-type': 'application/json', ...headers },
        ...sent(body),
      }),
    async command(name, body = {}) {
      const { version } = (await example.api('/v1/cutovers/chat')).body as { version: number };
      const headers = { 'idempotency-key': randomUUID(), 'if-match': `"${version}"` };
      const answer = await example.api(`/v1/cutovers/chat/${name}`, body, headers);
      await example.learned();
      return answer;
    },
    async learned() {
      clocks.pass(16_000);
      await readersKnow();
    },
    async minute() {
      clocks.pass(60_000);
      tokens.clear();
      await publisher.look();
      await Promise.all([fire(ticker.handler), fire(relay.handler, { maxMs: 1 })]);
      await readersKnow();
    },
    forwarding: (value) => {
      isForwarding = value;
    },
    async settled() {
      let waiting: readonly object[] = [];
      let looks = 0;
      const isEmpty = async () => {
        waiting = await forwardsIn(on);
        looks += 1;
        if (waiting.length > 0 && looks % RELAY_EVERY_LOOKS === 0) {
          // The first pause of a forwarded write that was refused is over then.
          clocks.pass(1_000);
          await fire(relay.handler, { maxMs: 1 });
        }
        return waiting.length === 0;
      };
      await until(isEmpty, () => `forwarded writes wait: ${JSON.stringify(waiting.slice(0, 5))}`, 20_000);
    },
    async stop() {
      await Promise.all([mapping.stop(), publisher.stop()]);
      await Promise.all([front.close(), legacy.close(), replacement.close()]);
      await on.stop();
      clocks.restore();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return example;
}

/** One call where the store makes one for each of its shards. */
async function forwardsIn({ dynamodb, tables }: Backing): Promise<readonly object[]> {
  const command = new ScanCommand({
    TableName: tables.changes,
    ConsistentRead: true,
    FilterExpression: 'attribute_exists(idempotencyKey)',
  });
  return (await dynamodb.send(command)).Items ?? [];
}

/** Those of the gateway are its own table; of the control API everything else leads to its own router. */
async function routes(): Promise<GatewayRoute[]> {
  const { gatewayRoutes } = await import('../../functions/gateway.ts');
  const { commandRoutes } = await import('../../functions/control-routes/commands.ts');
  const { lookRoutes } = await import('../../functions/control-routes/look.ts');
  const { forwardRoutes } = await import('../../functions/control-routes/forwards.ts');
  const of = (name: string, list: readonly { method: string; path: string; scope: string | null }[]) =>
    list.map(({ method, path, scope }) => ({ method, path, scopes: scope ? [scope] : [], function: name }));
  return [...of('gateway', gatewayRoutes), ...of('control', [...commandRoutes, ...lookRoutes, ...forwardRoutes])];
}
