/**
 * Translates what the AWS SDK throws. Only a refusal that would be the same the next time has a class of its own: everything else,
 * even a cancelled transaction or a refused connection, is `open`. The SDK makes up to three attempts and reports the
 * last one, so the first may have had its effect although its answer was lost; a writer must read back.
 */

import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { CrossfadeError } from '../../core/base/errors.ts';

/** What a store calls, and how long one call may take with all attempts. */
export type Target = { client: DynamoDBDocumentClient; tableName: string; requestTimeoutMs: number };

/** Why repeating cannot help, or `open`: it may, and after a write it is not known yet what happened. */
type Failure = 'no_table' | 'no_access' | 'invalid' | 'open';

const REFUSALS: Readonly<Record<string, Failure>> = {
  ResourceNotFoundException: 'no_table',
  AccessDeniedException: 'no_access',
  UnrecognizedClientException: 'no_access',
  InvalidSignatureException: 'no_access',
  ExpiredTokenException: 'no_access',
  CredentialsProviderError: 'no_access',
  ValidationException: 'invalid',
};

/** Reasons of a cancelled transaction that lie in the items themselves, such as one of more than 400 KB. */
const INVALID_REASONS = ['ValidationError', 'ItemCollectionSizeLimitExceeded'];

function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return 'open';
  const reasons = (error as { CancellationReasons?: { Code?: string }[] }).CancellationReasons ?? [];
  if (reasons.some(({ Code }) => INVALID_REASONS.includes(Code ?? ''))) return 'invalid';
  return REFUSALS[error.name] ?? 'open';
}

/** True for a refusal of the only attempt. A refused repetition says nothing of the attempt before it. */
export function nothingWasWritten(error: unknown): boolean {
  const attempts = (error as { $metadata?: { attempts?: number } } | null)?.$metadata?.attempts ?? 1;
  return failureOf(error) !== 'open' && attempts === 1;
}

export function isConditionFailure(error: unknown): boolean {
  return error instanceof Error && error.name === 'ConditionalCheckFailedException';
}

/** Calls with a deadline; what the SDK throws becomes a CrossfadeError. */
export async function attempt<T>(
  target: Target,
  what: string,
  call: (options: { abortSignal: AbortSignal }) => Promise<T>,
): Promise<T> {
  try {
    return await withDeadline(target, call);
  } catch (error) {
    throw await storeError(target, what, error);
  }
}

/**
 * A signal of `AbortSignal.timeout` goes off after the answer, too, and all that listens hears it: a twelfth of what a call takes
 * of a processor.
 */
export async function withDeadline<T>(
  { requestTimeoutMs }: Pick<Target, 'requestTimeoutMs'>,
  call: (options: { abortSignal: AbortSignal }) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const abort = () => late.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
  const timer = setTimeout(abort, requestTimeoutMs);
  try {
    return await call({ abortSignal: late.signal });
  } finally {
    clearTimeout(timer);
  }
}

/** The error for a call that failed: what was attempted, on which table, what was seen, what to do. */
export async function storeError(target: Target, what: string, error: unknown): Promise<CrossfadeError> {
  const failure = failureOf(error);
  const place = await placeOf(target);
  const seen = describe(error);
  return new CrossfadeError(
    failure === 'no_access' ? 'access_denied' : 'store_unavailable',
    `Could not ${what} (table '${target.tableName}' at ${place}). Seen: ${seen}. ${ADVICE[failure]}`,
    { retryable: failure === 'open', details: { table: target.tableName, place, seen }, cause: error },
  );
}

const ADVICE = {
  no_table:
    'The table does not exist there: deploy the stack, start the local one, or correct the table name, region or endpoint.',
  no_access: "Give this function's role access to the table, or correct the credentials.",
  invalid: 'Repeating does not help; the message says what the table cannot take.',
  open: 'Check that DynamoDB runs and can be reached from here; the call may be repeated.',
} as const satisfies Record<Failure, string>;

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? `${error.code} ` : '';
  return `${code}${error.name}: ${error.message || 'no message'}`.replace(/\.$/, '');
}

/** The endpoint when one is configured, else the region. */
async function placeOf({ client }: Target): Promise<string> {
  try {
    const endpoint = await client.config.endpoint?.();
    if (endpoint) return `${endpoint.protocol}//${endpoint.hostname}${endpoint.port ? `:${endpoint.port}` : ''}`;
    return `DynamoDB in ${await client.config.region()}`;
  } catch {
    return 'DynamoDB in no known region';
  }
}
