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

/** What callers send, and what this function knows of it. */
export type ProxiedRequest = UpstreamRequest & {
  /** The slice of the plan that its key lies in. */
  slice?: number | null;
  /** True when it was meant for the shadow, which this process has left. */
  left?: boolean;
  /** True when the caller gave no id by which its side is picked. */
  keyless?: boolean;
};

const READS = new Set(['GET', 'HEAD']);
const TOO_MANY_REQUESTS = 429;
/** Left for the answer itself when a second upstream has to be asked. */
const MARGIN_MS = 100;

export const isRead = (method: string): boolean => READS.has(method);

/**
 * A read that the shadow answers with 429 is answered by the primary, too, and counts against the shadow unless the
 * primary has had enough itself. Of other refusals it is found out by comparison which of them the shadow gives alone.
 * @param decision `mayFallBack`: false once the shadow has taken over
 */
export async function proxyRead(
  ports: ProxyPorts & { noteShadow(cutover: string, success: boolean): void },
  declaration: ServiceDeclaration,
  { mayFallBack, ...decision }: Decision & { mayFallBack: boolean },
  request: ProxiedRequest,
): Promise<Proxied> {
  if (decision.side === 'primary') return { ...(await callSide(ports, declaration, 'primary', request)), ...decision };
  const { id: cutover, gateway } = declaration;
  const mayAsk = mayFallBack && gateway.fallback;
  // The shadow may use half of the time, so that the primary still has the other half.
  const halfMs = (request.deadlineMs - ports.clock.monotonicMs()) / 2;
  const within = mayAsk ? { ...request, deadlineMs: request.deadlineMs - halfMs } : request;
  const shadow = await attempt(ports, declaration, 'shadow', within);
  const settle = (failed: boolean) => {
    shadow.record(failed);
    ports.noteShadow(cutover, !failed);
  };
  const isSpared = mayAsk && shadow.answer?.status === TOO_MANY_REQUESTS;
  if (!isSpared) settle(shadow.failed);
  if (!mayAsk || !(shadow.failed || isSpared)) return { ...answerOf(shadow), ...decision };
  shadow.answer?.rest?.leave();
  if (shadow.answer) ports.log.event('fell_back', { cutover, status: shadow.answer.status });
  else ports.log.failure('fell_back', shadow.error, { cutover });
  let failedAlone = true;
  try {
    const primary = await callSide(ports, declaration, 'primary', request);
    failedAlone = primary.status !== TOO_MANY_REQUESTS;
    return { ...primary, side: 'primary', reason: 'fallback' };
  } finally {
    if (isSpared) settle(failedAlone);
  }
}

/** One call of one side, within its own and the caller's time, of which nothing is recorded. */
export async function askSide(
  { upstream, clock }: Pick<ProxyPorts, 'upstream' | 'clock'>,
  declaration: ServiceDeclaration,
  side: Side,
  { slice: _, left: __, ...request }: ProxiedRequest,
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
  const made = await attempt(ports, declaration, side, request);
  made.record(made.failed);
  return answerOf(made);
}

/** One call and what came of it, recorded once it is known whether the side failed. */
type Attempt = {
  answer: UpstreamResponse | null;
  error: unknown;
  failed: boolean;
  record(failed: boolean): void;
};

async function attempt(
  ports: ProxyPorts,
  declaration: ServiceDeclaration,
  side: Side,
  request: ProxiedRequest,
): Promise<Attempt> {
  const { slice = null, left = false, keyless = false, method } = request;
  const startedMs = ports.clock.monotonicMs();
  let answer: UpstreamResponse | null = null;
  let error: unknown;
  try {
    answer = await askSide(ports, declaration, side, request);
  } catch (thrown) {
    error = thrown;
  }
  const latencyMs = ports.clock.monotonicMs() - startedMs;
  // What the caller sent is no outcome of the side.
  const isOfCaller = isCrossfadeError(error) && error.code === 'invalid_input';
  return {
    answer,
    error,
    failed: answer ? answer.status >= 500 : !isOfCaller,
    record(failed) {
      // Writes go to the side that takes them, whatever their key.
      const [operation, isKeyless] = isRead(method) ? (['read', keyless] as const) : (['write', false] as const);
      const add = (success: boolean) => {
        const outcome = { slice, left, success, latencyMs, connectionLost: !success && isConnectionDrop(error) };
        ports.outcomes.add(declaration.id, operation, side, { ...outcome, keyless: isKeyless });
      };
      // An answer that breaks off is a failure, however late: it counts in the minute in which it has ended.
      if (failed || !answer?.rest) add(!failed);
      else void answer.rest.ended.then((how) => add(how !== 'broken'));
    },
  };
}

function answerOf({ answer, error }: Attempt): UpstreamResponse {
  if (answer) return answer;
  throw error;
}

/** @throws CrossfadeError `invalid_input` for anything but a service */
export function asService(declaration: { id: string; kind: string }): ServiceDeclaration {
  if (declaration.kind === 'service') return declaration as ServiceDeclaration;
  throw new CrossfadeError(
    'invalid_input',
    `Cutover '${declaration.id}' moves a ${declaration.kind}; only a service can be called through the gateway.`,
  );
}
