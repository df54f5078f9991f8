/**
 * A gateway as it is deployed, on this machine: bundles in processes of their own, of the gateway several, the stream to the
 * shadow writer, the relay, the publisher, and two services that know their writes by key. Each of them can be killed.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../lib/adapters/system.ts';
import type { ForwardsSummary } from '../../lib/core/forwards/forward.ts';
import { defineCutovers } from '../../lib/define/cutovers.ts';
import { eventOf } from './api-gateway.ts';
import { JWKS, tokenOf } from './api-tokens.ts';
import { deedBook } from './asked-deeds.ts';
import { deployedFunctions, type FunctionHost, functionHost, schedule } from './handler-process.ts';
import { type Holding, type KeyedService, keyedService } from './keyed-service.ts';
import { deniedIn } from './role-evaluation.ts';
import { backing, command, environmentOf, portsOn } from './stack-parts.ts';
import { LOOK } from './stack-parts-publisher.ts';
import { streamMapping, streamReader } from './stack-parts-stream.ts';

const ID = 'chat';
const TOKEN_SECONDS = 7_200;
/** As deployed. */
const TIMEOUTS = { gateway: 29_000, 'shadow-writer': 60_000, relay: 55_000, publisher: 55_000 };
type Name = keyof typeof TIMEOUTS;

export type Write = { key: string; method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'; path: string };
export type GatewayStack = Awaited<ReturnType<typeof gatewayStack>>;

export async function gatewayStack(options: { gateways: number; memory: 'keeps keys' | 'forgetful' }) {
  const on = await backing();
  const book = deedBook(on.flags);
  const functions = deployedFunctions();
  const directory = mkdtempSync(join(tmpdir(), 'crossfade-gateway-stack-'));
  const service = (side: string) => keyedService(join(directory, `${side}.journal`), options.memory);
  const [primary, shadow] = await Promise.all([service('primary'), service('shadow')]);
  const declarations = defineCutovers([
    {
      id: ID,
      kind: 'service',
      upstreams: { primary: primary.url, shadow: shadow.url },
      gateway: { idempotencyKeys: true, orderSegments: 2, timeoutMs: 3_000, requestsPerSecond: 1_000 },
    },
  ]);
  const cutovers = join(directory, 'cutovers.json');
  writeFileSync(cutovers, JSON.stringify(declarations));
  const { CROSSFADE_DATABASE_URL: _, ...environment } = environmentOf(on, {
    databaseUrl: '',
    cutovers,
    speed: 1,
    originMs: Date.now(),
  });
  const host = (name: Name, number = 1) =>
    functionHost({
      functions,
      name: `${name}:${number}`,
      environment: { ...environment, CROSSFADE_JWKS: JWKS },
      book,
      timeoutMs: TIMEOUTS[name],
    });
  const gateways = Array.from({ length: options.gateways }, (_, n) => host('gateway', n));
  const [writer, relay, publishing] = [host('shadow-writer'), host('relay'), host('publisher')];
  const ports = portsOn(on, { databaseUrl: 'postgres://127.0.0.1:1/none', clock: systemClock() });
  await command(ports, declarations, ID, { type: 'start' });
  const mapping = streamMapping(streamReader(on.endpoint, on.tables.changes), writer.invoke);
  const schedules = [schedule(relay, 200, { maxMs: 500 }), schedule(publishing, 1_000, LOOK)];
  const token = tokenOf({ exp: Math.floor(Date.now() / 1_000) + TOKEN_SECONDS });

  return {
    hosts: [...gateways, writer, relay] as readonly FunctionHost[],
    services: { primary, shadow } as Readonly<Record<'primary' | 'shadow', KeyedService>>,
    /** Status of the answer; null when the gateway died in the call. */
    async write(gateway: number, { key, method, path }: Write): Promise<number | null> {
      const event = eventOf({
        method,
        path: `/gateway/${ID}/${path}`,
        headers: { 'idempotency-key': key },
        ...(method === 'DELETE' ? {} : { body: { key } }),
        token,
      });
      const answer = await gateways[gateway]!.invoke(event).catch(() => null);
      return (answer as { statusCode: number } | null)?.statusCode ?? null;
    },
    /** Of what the functions have asked DynamoDB for, all that their roles do not allow. */
    denied: () => deniedIn(book.deeds, on.tables),
    forwards: (): Promise<ForwardsSummary> => ports.forwards.summary(ID),
    holdings: async (): Promise<Record<'primary' | 'shadow', Holding>> => ({
      primary: await primary.holding(),
      shadow: await shadow.holding(),
    }),
    async stop() {
      await Promise.all([mapping, ...schedules].map((one) => one.stop()));
      await Promise.all([...gateways, writer, relay, publishing, primary, shadow].map((one) => one.stop()));
      await Promise.all([ports.close(), on.stop()]);
      for (const folder of [functions, directory]) rmSync(folder, { recursive: true, force: true });
    },
  };
}
