/**
 * Translates what the AWS SDK throws. For a write three things may be true: the table refused it (`cancelled`), it can
 * never succeed as it is (`refused`), or nobody knows yet whether it happened (`unknown`).
 *
 * Everything that is not clearly one of the first two is `unknown`, even a refused connection: the SDK makes up to three
 * attempts and reports the last, so the first may have had its effect before its answer was lost.
 */

import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { CrossfadeError } from '../../core/errors.ts';

/** What a store calls, and how long one call may take with all attempts. */
export type Target = { client: DynamoDBDocumentClient; tableName: string; requestTimeoutMs: number };

export type Failure =
  /** One code per item of the transaction, in its order: `None` for those that were fine. */
  | { kind: 'cancelled'; codes: readonly string[] }
  | { kind: 'refused'; why: 'no_table' | 'no_access' | 'invalid' }
  | { kind: 'unknown' };

const REFUSALS: Readonly<Record<string, Extract<Failure, { kind: 'refused' }>['why']>> = {
  ResourceNotFoundException: 'no_table',
  AccessDeniedException: 'no_access',
  UnrecognizedClientException: 'no_access',
  InvalidSignatureException: 'no_access',
  ExpiredTokenException: 'no_access',
  CredentialsProviderError: 'no_access',
  ValidationException: 'invalid',
};

export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { kind: 'unknown' };
  if (error.name === 'TransactionCanceledException') {
    const reasons = (error as { CancellationReasons?: { Code?: string }[] }).CancellationReasons ?? [];
    return { kind: 'cancelled', codes: reasons.map((reason) => reason.Code ?? 'None') };
  }
  const why = REFUSALS[error.name];
  return why ? { kind: 'refused', why } : { kind: 'unknown' };
}

export function isConditionFailure(error: unknown): boolean {
  return error instanceof Error && error.name === 'ConditionalCheckFailedException';
}

/** Calls with a deadline. What the SDK throws becomes a CrossfadeError, unless `expected` says it is an answer. */
export async function attempt<T>(
  target: Target,
  what: string,
  call: (options: { abortSignal: AbortSignal }) => Promise<T>,
): Promise<T> {
  try {
    return await call(deadlineOf(target));
  } catch (error) {
    throw await storeError(target, what, error);
  }
}

export function deadlineOf(target: Target): { abortSignal: AbortSignal } {
  return { abortSignal: AbortSignal.timeout(target.requestTimeoutMs) };
}

/** The error for a call that failed: what was attempted, on which table, what was seen, what to do. */
export async function storeError(target: Target, what: string, error: unknown): Promise<CrossfadeError> {
  const failure = failureOf(error);
  const place = await placeOf(target);
  const seen = describe(error);
  const advice = failure.kind === 'refused' ? ADVICE[failure.why] : ADVICE.unreachable;
  return new CrossfadeError(
    failure.kind === 'refused' && failure.why === 'no_access' ? 'access_denied' : 'store_unavailable',
    `Could not ${what}: table '${target.tableName}' at ${place} answered ${seen}. ${advice}`,
    { retryable: failure.kind !== 'refused', details: { table: target.tableName, place, seen }, cause: error },
  );
}

const ADVICE = {
  no_table:
    'The table does not exist there: deploy the stack, start the local one with npm start, or correct the table name, region or endpoint.',
  no_access: "Give this function's role access to the table, or correct the credentials.",
  invalid: 'Repeating does not help; the message says what the table cannot take.',
  unreachable: 'Check that DynamoDB runs and can be reached from here; the call may be repeated.',
} as const;

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? `${error.code} ` : '';
  const text = error.message || 'without a message';
  return `${code}${error.name}: ${text}`;
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
