/**
 * Failures that can be switched on, over HTTP (`POST /_faults`) or in the same process. Two sorts: answers to the next
 * requests of an operation, and conditions that last until they are cleared.
 */

import { badRequest, type ServiceErrorName } from './service-error.ts';

/** What happens to a matching request instead of its normal answer. */
export type FaultyAnswer =
  | 'conflict'
  | 'internal'
  | 'throttle'
  | 'quota'
  | 'bad_request'
  /** The connection is closed without an answer. */
  | 'reset'
  /** No answer, ever. */
  | 'hang'
  /** The normal answer, `delayMs` later. */
  | 'slow';

export type RequestFault = {
  /** Name of the SDK command without `Command`, `Agent`, or `*`. */
  operation: string;
  answer: FaultyAnswer;
  /** How many requests; without it until cleared. */
  times?: number;
  /** The work is done, only the answer is the faulty one. */
  effect?: boolean;
  delayMs?: number;
};

export type Faults = {
  requests: RequestFault[];
  /** Running deployments make no progress. */
  stuckDeploying: boolean;
  /** A CloudWatch alarm rings: running deployments are rolled back by the service. */
  alarm: boolean;
  agent: 'up' | 'down' | 'stale';
  /** What readers get in place of the content; `older` is the version that was deployed before. */
  content: 'good' | 'empty' | 'html' | 'truncated' | 'foreign' | 'older';
  /** How much later than the first reader the last one sees a deployment. */
  propagationMs: number;
};

const NO_FAULTS: Faults = {
  requests: [],
  stuckDeploying: false,
  alarm: false,
  agent: 'up',
  content: 'good',
  propagationMs: 0,
};

export type FaultSwitches = {
  current(): Readonly<Faults>;
  /** Replaces what is named, keeps the rest. */
  set(change: Partial<Faults>): void;
  clear(): void;
  /** The fault that meets this request, if any; counts it. */
  take(operation: string): RequestFault | null;
};

export function faultSwitches(): FaultSwitches {
  let faults = structuredClone(NO_FAULTS);
  return {
    current: () => faults,
    set: (change) => {
      faults = { ...faults, ...structuredClone(change) };
    },
    clear: () => {
      faults = structuredClone(NO_FAULTS);
    },
    take(operation) {
      const fault = faults.requests.find(
        (one) => (one.operation === '*' || one.operation === operation) && one.times !== 0,
      );
      if (fault?.times) fault.times -= 1;
      return fault ?? null;
    },
  };
}

/** What a fault that answers with an error answers. */
export const ERROR_OF: Partial<Record<FaultyAnswer, ServiceErrorName>> = {
  conflict: 'ConflictException',
  internal: 'InternalServerException',
  throttle: 'ThrottlingException',
  quota: 'ServiceQuotaExceededException',
  bad_request: 'BadRequestException',
};

const KNOWN: { readonly [Name in keyof Faults]: (value: unknown) => boolean } = {
  requests: (value) => Array.isArray(value) && value.every(isRequestFault),
  stuckDeploying: (value) => typeof value === 'boolean',
  alarm: (value) => typeof value === 'boolean',
  agent: oneOf('up', 'down', 'stale'),
  content: oneOf('good', 'empty', 'html', 'truncated', 'foreign', 'older'),
  propagationMs: (value) => typeof value === 'number' && value >= 0,
};

const isAnswer = oneOf('conflict', 'internal', 'throttle', 'quota', 'bad_request', 'reset', 'hang', 'slow');

function isRequestFault(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const fault = value as Record<string, unknown>;
  return typeof fault.operation === 'string' && isAnswer(fault.answer);
}

function oneOf(...words: readonly string[]) {
  return (value: unknown) => words.includes(value as string);
}

/** Checks what came over HTTP, so that a misspelt fault is an error and not a test without a fault. */
export function parseFaults(body: unknown): Partial<Faults> {
  if (typeof body !== 'object' || body === null) throw badRequest('Faults are a JSON object.');
  for (const [name, value] of Object.entries(body)) {
    const check = KNOWN[name as keyof Faults];
    if (!check) throw badRequest(`Unknown fault '${name}'. Known: ${Object.keys(KNOWN).join(', ')}.`);
    if (!check(value)) throw badRequest(`Fault '${name}' cannot be ${JSON.stringify(value)}.`);
  }
  return body as Partial<Faults>;
}
