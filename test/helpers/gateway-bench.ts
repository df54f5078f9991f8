/** The gateway's own routes on ports in memory, with two upstreams on this machine. */

import { gatewayRoutes } from '../../functions/gateway.ts';
import { httpHandler } from '../../functions/middleware.ts';
import { httpUpstream } from '../../lib/adapters/http/upstream.ts';
import type { CutoverDeclaration, CutoverState, ServiceDeclaration } from '../../lib/core/cutover/cutover.ts';
import { DEFAULT_GATEWAY, type GatewayRules } from '../../lib/core/net/upstream.ts';
import { cutoverFlag, systemFlag } from '../../lib/core/routing/flags.ts';
import { declarationOf, type StageName, stateIn, systemOf } from '../property/samples.ts';
import { type Answer, answerOf, type Call, eventOf, inMemoryComposition, lambdaContext } from '../property/served.ts';
import { type Fault, sourceMutant } from './source-mutant.ts';
import { type Answering, upstreamServer } from './upstream-server.ts';

type Product = Pick<typeof import('../../functions/gateway.ts'), 'gatewayRoutes'> &
  Pick<typeof import('../../functions/middleware.ts'), 'httpHandler'>;

export type GatewayBench = Awaited<ReturnType<typeof gatewayBench>>;

export type Received = Answer & { bytes: Buffer; cookies: string[] };

export async function gatewayBench(options: {
  primary?: Answering;
  shadow?: Answering;
  stage?: StageName;
  gateway?: Partial<GatewayRules>;
  state?: Partial<CutoverState>;
  lists?: Partial<Pick<ServiceDeclaration, 'allow' | 'deny'>>;
  /** Places of the product's source that are to be wrong. */
  faults?: readonly Fault[];
}) {
  const echo =
    (side: string): Answering =>
    (asked, response) =>
      void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ side, ...asked }));
  const primary = await upstreamServer(options.primary ?? echo('primary'));
  const shadow = await upstreamServer(options.shadow ?? echo('shadow'));
  const declaration: ServiceDeclaration = {
    ...(declarationOf('service', { id: 'chat' }) as ServiceDeclaration),
    upstreams: { primary: `${primary.url}/old/`, shadow: `${shadow.url}/new/` },
    gateway: { ...DEFAULT_GATEWAY, ...options.gateway },
    ...options.lists,
  };
  const declarations: CutoverDeclaration[] = [declaration, declarationOf('component', { id: 'planner' })];
  const served = inMemoryComposition(declarations);
  const upstream = httpUpstream({ clock: { monotonicMs: served.clock.monotonicMs }, profile: 'local' });
  served.composition.upstream = async () => upstream;
  let state = stateIn(options.stage ?? 'disabled', { id: 'chat', kind: 'service' });
  served.composition.ports.state.readCutover = async () => state;
  const enter = async (stage: StageName) => {
    const { latestVersion } = await served.flags.deployed();
    state = stateIn(stage, { id: 'chat', kind: 'service', version: latestVersion + 1, ...options.state });
    const document = {
      system: systemFlag(systemOf()),
      cutovers: {
        chat: cutoverFlag(declaration, state, systemOf()),
      },
    };
    await served.flags.publish({ document, latestVersion, urgent: false, deadlineMs: 1_000 });
    served.clock.ms += 16_000;
  };
  await enter(options.stage ?? 'disabled');
  const product = options.faults
    ? await sourceMutant<Product>(['functions/gateway.ts', 'functions/middleware.ts'], options.faults)
    : { gatewayRoutes, httpHandler };
  const handler = product.httpHandler(() => served.composition, product.gatewayRoutes);

  /** As the function answers it. */
  const result = (event: unknown): Promise<unknown> =>
    (handler as unknown as (event: unknown, context: unknown) => Promise<unknown>)(event, lambdaContext());

  async function raw(event: unknown): Promise<Received> {
    const answered = (await result(event)) as { body?: string; isBase64Encoded?: boolean; cookies?: string[] };
    const bytes = Buffer.from(answered.body ?? '', answered.isBase64Encoded ? 'base64' : 'utf8');
    return { ...answerOf({ ...answered, body: bytes.toString() }), bytes, cookies: answered.cookies ?? [] };
  }
  return {
    ...served,
    primary,
    shadow,
    declaration,
    enter,
    result,
    raw,
    call: (call: Call) => raw(eventOf({ method: 'GET', path: '/gateway/chat/x', ...call })),
    async close() {
      await Promise.all([primary.close(), shadow.close()] satisfies Promise<void>[]);
    },
  };
}

export const answering =
  (status: number, body: string | Buffer = '', headers: Record<string, string | string[]> = {}): Answering =>
  (_, response) =>
    void response.writeHead(status, headers).end(body);
