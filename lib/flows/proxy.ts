/** One request to a `service` cutover: pick the side, call its upstream, record what became of it. */

import type { CutoverDeclaration } from '../core/cutover.ts';
import { CrossfadeError } from '../core/errors.ts';
import { emptyWindow } from '../core/evidence.ts';
import { bucketIndex } from '../core/histogram.ts';
import type { Route } from '../core/routing.ts';
import type { Ports, Upstream, UpstreamRequest, UpstreamResponse } from '../ports.ts';

export type Proxied = UpstreamResponse & { side: Route['side'] };

export async function proxy(
  ports: Pick<Ports, 'clock' | 'ids' | 'windows' | 'log'> & { upstream: Upstream },
  declaration: CutoverDeclaration & { kind: 'service' },
  decision: Route,
  request: UpstreamRequest,
): Promise<Proxied> {
  const startedMs = ports.clock.monotonicMs();
  let success = false;
  try {
    const response = await ports.upstream(declaration.upstreams[decision.side], request);
    success = response.status < 500;
    return { ...response, side: decision.side };
  } finally {
    await recordOutcome(ports, declaration.id, decision.side, success, ports.clock.monotonicMs() - startedMs);
  }
}

async function recordOutcome(
  ports: Pick<Ports, 'clock' | 'ids' | 'windows' | 'log'>,
  cutover: string,
  side: Route['side'],
  success: boolean,
  latencyMs: number,
): Promise<void> {
  const nowMs = ports.clock.now();
  const window = {
    ...emptyWindow(Math.floor(nowMs / 60_000), side),
    count: 1,
    errors: success ? 0 : 1,
    latency: { [bucketIndex(latencyMs)]: 1 },
  };
  const id = ports.ids.next();
  try {
    await ports.windows.add(id, id, [{ cutover, operation: 'request', window }], nowMs);
  } catch (error) {
    ports.log.failure('outcome_not_recorded', error, { cutover });
  }
}

/** @throws CrossfadeError `invalid_input` for anything but a service */
export function asService(declaration: CutoverDeclaration): CutoverDeclaration & { kind: 'service' } {
  if (declaration.kind === 'service') return declaration;
  throw new CrossfadeError(
    'invalid_input',
    `Cutover '${declaration.id}' moves a ${declaration.kind}; only a service can be called through the gateway.`,
  );
}
