/**
 * Translates what the AppConfig clients throw. `unknown` is everything that may have had its effect although the answer
 * says otherwise: time-outs, resets, 5xx and throttling, since the SDK makes up to three attempts and reports the last.
 */

import { CrossfadeError } from '../../core/base/errors.ts';

export type Failure = {
  kind: 'conflict' | 'missing' | 'refused' | 'no_access' | 'unknown';
  /** What the service said, for people. */
  seen: string;
  cause: unknown;
};

const KINDS: Readonly<Record<string, Failure['kind']>> = {
  ConflictException: 'conflict',
  ResourceNotFoundException: 'missing',
  BadRequestException: 'refused',
  PayloadTooLargeException: 'refused',
  ServiceQuotaExceededException: 'refused',
  AccessDeniedException: 'no_access',
  UnrecognizedClientException: 'no_access',
  InvalidSignatureException: 'no_access',
  ExpiredTokenException: 'no_access',
  CredentialsProviderError: 'no_access',
};

export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { kind: 'unknown', seen: String(error), cause: error };
  const seen = `${error.name}: ${error.message || 'without a message'}`;
  return { kind: KINDS[error.name] ?? 'unknown', seen, cause: error };
}

const ADVICE: Record<Failure['kind'], string> = {
  conflict: 'Somebody else was first; the next tick tries again.',
  missing: 'Deploy the stack, or correct the ids of application, environment, profile and strategy.',
  refused: 'Repeating does not help; the message says what AppConfig cannot take.',
  no_access: "Give this function's role access to the application, or correct the credentials.",
  unknown: 'Check that AppConfig can be reached from here; the call may be repeated.',
};

/** One sentence: what was attempted, what was seen, what to do. */
export function sentenceOf(what: string, failure: Failure): string {
  return `Could not ${what}: AppConfig answered ${failure.seen}. ${ADVICE[failure.kind]}`;
}

export function flagsError(what: string, failure: Failure): CrossfadeError {
  return new CrossfadeError(
    failure.kind === 'no_access' ? 'access_denied' : 'flags_unavailable',
    sentenceOf(what, failure),
    { retryable: failure.kind === 'unknown' || failure.kind === 'conflict', cause: failure.cause },
  );
}
