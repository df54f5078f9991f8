/**
 * One request to a `service` cutover: the side that was chosen answers; a read that the shadow fails is answered by the
 * primary, while the primary still serves others. Nothing that may have been applied is ever sent a second time here.
 */

import { CrossfadeError, isCrossfadeError } from '../../core/base/errors.ts';
import type { ServiceDeclaration, Side } from '../../core/cutover/cutover.ts';
import { upstreamOf } from '../../core/cutover/write-target.ts';
import { isConnectionDrop } from '../../core/gates/connection-drops.ts';
import type { Ports } from '../../ports/ports.ts';
import type { Upstream, UpstreamRequest, UpstreamResponse } from '../../ports/upstream.ts';
import type { OutcomeBuffer } from './outcome-buffer.ts';

export type Decision = { side: Side; reason: string };

/** The answer, which side gave it and why. */
export type Proxied = UpstreamResponse & Decision;

export type ProxyPorts = Pick<Ports, 'clock' | 'log'> & { upstream: Upstream; outcomes: OutcomeBuffer };

/** What callers send; the deadline is the function's own, and so is the slice of the plan that its key lies in. */
export type ProxiedRequest = Omit<UpstreamRequest, 'deadlineMs'> & { deadlineMs: number; slice?: number | null };

const READS = new Set(['GET', 'HEAD']);
/** Left for the answer itself when a second upstream has to be asked. */
const MARGIN_MS = 100;

export const isRead = (method: string): boolean => READS.has(method);

/** @param decision `mayFallBack`: false once the shadow has taken over */
export async function proxyRead(
  ports: ProxyPorts,
  declaration: ServiceDeclaration,
  { mayFallBack, ...decision }: Decision & { mayFallBack: boolean },
  request: ProxiedRequest,
): Promise<Proxied> {
  if (decision.side === 'primary' || !mayFallBack || !declaration.gateway.fallback)
    return { ...(await callSide(ports, declaration, decision.side, request)), ...decision };
  // The shadow may use half of the time, so that the primary still has the other half.
  const leftMs = request.deadlineMs - ports.clock.monotonicMs();
  const first = { ...request, deadlineMs: request.deadlineMs - leftMs / 2 };
  try {
    const answer = await callSide(ports, declaration, 'shadow', first);
    if (answer.status < 500) return { ...answer, ...decision };
    ports.log.event('fell_back', { cutover: declaration.id, status: answer.status });
  } catch (error) {
    if (!isCrossfadeError(error) || error.code === 'invalid_input') throw error;
    ports.log.failure('fell_back', error, { cutover: declaration.id });
  }
  return { ...(await callSide(ports, declaration, 'primary', request)), side: 'primary', reason: 'fallback' };
}

/** One call of one side, within its own and the caller's time, of which nothing is recorded. */
export async function askSide(
  { upstream, clock }: Pick<ProxyPorts, 'upstream' | 'clock'>,
  declaration: ServiceDeclaration,
  side: Side,
  { slice: _, ...request }: ProxiedRequest,
): Promise<UpstreamResponse> {
  const ownMs = clock.monotonicMs() + declaration.gateway.timeoutMs;
  const deadlineMs = Math.min(ownMs, request.deadlineMs - MARGIN_MS);
  return upstream(upstreamOf(declaration, side), { ...request, deadlineMs });
}

/** The same, recorded as an outcome of that side. */
export async function callSide(
  ports: ProxyPorts,
  declaration: ServiceDeclaration,
  side: Side,
  request: ProxiedRequest,
): Promise<UpstreamResponse> {
  const { id } = declaration;
  const { slice = null } = request;
  const startedMs = ports.clock.monotonicMs();
  let [success, connectionLost] = [false, false];
  try {
    const answer = await askSide(ports, declaration, side, request);
    success = answer.status < 500;
    return answer;
  } catch (error) {
    // What the caller sent is no outcome of the side.
    if (isCrossfadeError(error) && error.code === 'invalid_input') success = true;
    connectionLost = !success && isConnectionDrop(error);
    throw error;
  } finally {
    const operation = isRead(request.method) ? 'read' : 'write';
    const latencyMs = ports.clock.monotonicMs() - startedMs;
    ports.outcomes.add(id, operation, side, { slice, success, latencyMs, connectionLost });
  }
}

/** @throws CrossfadeError `invalid_input` for anything but a service */
export function asService(declaration: { id: string; kind: string }): ServiceDeclaration {
  if (declaration.kind === 'service') return declaration as ServiceDeclaration;
  throw new CrossfadeError(
    'invalid_input',
    `Cutover '${declaration.id}' moves a ${declaration.kind}; only a service can be called through the gateway.`,
  );
}
